#include "wire.h"

/* The `len` bytes at the front, or NULL; moves the span on. */
static const uint8_t *
take(struct span *in, size_t len)
{
	const uint8_t *p = in->data;

	if (in->len < len || p == NULL)
		return NULL;
	in->data += len;
	in->len -= len;
	return p;
}

bool
wire_take_u8(struct span *in, uint8_t *value)
{
	const uint8_t *p = take(in, 1);

	if (p == NULL)
		return false;
	*value = p[0];
	return true;
}

bool
wire_take_u16(struct span *in, uint16_t *value)
{
	const uint8_t *p = take(in, 2);

	if (p == NULL)
		return false;
	*value = (uint16_t)(p[0] << 8 | p[1]);
	return true;
}

bool
wire_take_u32(struct span *in, uint32_t *value)
{
	const uint8_t *p = take(in, 4);

	if (p == NULL)
		return false;
	*value = wire_peek_u32(p);
	return true;
}

bool
wire_take_u64(struct span *in, uint64_t *value)
{
	const uint8_t *p = take(in, 8);

	if (p == NULL)
		return false;
	*value = (uint64_t)wire_peek_u32(p) << 32 | wire_peek_u32(p + 4);
	return true;
}

bool
wire_take_bytes(struct span *in, size_t len, struct span *value)
{
	const uint8_t *p = take(in, len);

	if (p == NULL && len > 0)
		return false;
	*value = span_of(p, len);
	return true;
}

bool
wire_take_string32(struct span *in, struct span *value)
{
	struct span rest = *in;
	uint32_t len;

	if (!wire_take_u32(&rest, &len) || !wire_take_bytes(&rest, len, value))
		return false;
	*in = rest;
	return true;
}

bool
wire_take_string16(struct span *in, struct span *value)
{
	struct span rest = *in;
	uint16_t len;

	if (!wire_take_u16(&rest, &len) || !wire_take_bytes(&rest, len, value))
		return false;
	*in = rest;
	return true;
}

bool
wire_take_mpint(struct span *in, struct span *value)
{
	struct span rest = *in, text;

	if (!wire_take_string32(&rest, &text))
		return false;
	if (text.len > 0 && text.data[0] >= 0x80)
		return false;
	if (text.len > 0 && text.data[0] == 0) {
		if (text.len == 1 || text.data[1] < 0x80)
			return false;
		text.data++;
		text.len--;
	}
	*in = rest;
	*value = text;
	return true;
}

void
wire_put_u8(struct buf *out, uint8_t value)
{
	buf_append(out, &value, 1);
}

void
wire_put_u16(struct buf *out, uint16_t value)
{
	const uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	buf_append(out, bytes, sizeof bytes);
}

void
wire_put_u32(struct buf *out, uint32_t value)
{
	uint8_t bytes[4];

	wire_poke_u32(bytes, value);
	buf_append(out, bytes, sizeof bytes);
}

void
wire_put_u64(struct buf *out, uint64_t value)
{
	uint8_t bytes[8];

	wire_poke_u64(bytes, value);
	buf_append(out, bytes, sizeof bytes);
}

void
wire_put_bytes(struct buf *out, struct span value)
{
	buf_append(out, value.data, value.len);
}

void
wire_put_string32(struct buf *out, struct span value)
{
	if (value.len > UINT32_MAX) {
		out->failed = true;
		return;
	}
	wire_put_u32(out, (uint32_t)value.len);
	wire_put_bytes(out, value);
}

void
wire_put_string16(struct buf *out, struct span value)
{
	if (value.len > UINT16_MAX) {
		out->failed = true;
		return;
	}
	wire_put_u16(out, (uint16_t)value.len);
	wire_put_bytes(out, value);
}

void
wire_put_cstring32(struct buf *out, const char *value)
{
	wire_put_string32(out, span_of_str(value));
}

void
wire_put_mpint(struct buf *out, struct span value)
{
	while (value.len > 0 && value.data[0] == 0) {
		value.data++;
		value.len--;
	}
	if (value.len > 0 && (value.data[0] & 0x80) != 0) {
		wire_put_u32(out, (uint32_t)value.len + 1);
		wire_put_u8(out, 0);
		wire_put_bytes(out, value);
	} else {
		wire_put_string32(out, value);
	}
}
