#include "mqtt_encode.h"

#include "mqtt_property.h"
#include "wire.h"

enum { FAILED = 0x80 };

/* How a type of answer is laid out behind its fixed header. */
enum {
	HAS_ID = 1, /* a packet id */
	HAS_CODE = 2, /* one code; in 5.0 omitted where 0 and nothing follows */
	HAS_CODES = 4, /* a code for each filter, behind the properties */
	IS_CONNACK = 8,
	FROM_50 = 16 /* not before 5.0 */
};

static const struct {
	uint8_t first; /* byte of the fixed header; 0: no answer */
	uint8_t layout;
} layouts[MQTT_TYPES] = {
    [MQTT_CONNACK] = {0x20, IS_CONNACK},
    [MQTT_PUBACK] = {0x40, HAS_ID | HAS_CODE},
    [MQTT_PUBREC] = {0x50, HAS_ID | HAS_CODE},
    [MQTT_PUBREL] = {0x62, HAS_ID | HAS_CODE},
    [MQTT_PUBCOMP] = {0x70, HAS_ID | HAS_CODE},
    [MQTT_SUBACK] = {0x90, HAS_ID | HAS_CODES},
    [MQTT_UNSUBACK] = {0xb0, HAS_ID | HAS_CODES},
    [MQTT_PINGRESP] = {0xd0, 0},
    [MQTT_DISCONNECT] = {0xe0, HAS_CODE | FROM_50},
};

/* Can the level say it? */
static bool
can_say(const struct mqtt_answer *a, uint8_t layout)
{
	if (a->level == MQTT_50) {
		if ((layout & (HAS_CODE | IS_CONNACK)) != 0 &&
		    !mqtt_reason_fits(a->code, a->type))
			return false;
		if ((layout & HAS_CODES) == 0)
			return true;
		for (size_t i = 0; i < a->codes.len; i++) {
			if (!mqtt_reason_fits(a->codes.data[i], a->type))
				return false;
		}
		return a->codes.len > 0;
	}
	if ((layout & FROM_50) != 0 ||
	    ((layout & HAS_CODE) != 0 && a->code >= FAILED))
		return false;
	if ((layout & IS_CONNACK) != 0 && a->code != MQTT_SUCCESS)
		return mqtt_reason_to_return_code(a->code) != 0;
	if (a->type != MQTT_SUBACK)
		return true;
	for (size_t i = 0; i < a->codes.len; i++) {
		if (a->codes.data[i] >= FAILED ? a->level == MQTT_31
					       : a->codes.data[i] > 2)
			return false;
	}
	return a->codes.len > 0;
}

/* Properties of 5.0: the reason string, or none. */
static void
put_properties(struct buf *body, struct span text)
{
	uint8_t len[4];

	if (text.len == 0) {
		wire_put_u8(body, 0);
		return;
	}
	wire_put_bytes(
	    body, span_of(len, mqtt_varint_put(len, (uint32_t)text.len + 3)));
	wire_put_u8(body, MQTT_REASON_STRING);
	wire_put_string16(body, text);
}

static void
put_body_50(const struct mqtt_answer *a, uint8_t layout, struct span text,
    struct buf *body)
{
	bool bare = (layout & HAS_CODE) != 0 && text.len == 0;

	if ((layout & IS_CONNACK) != 0)
		wire_put_u8(body, 0);
	if ((layout & HAS_ID) != 0)
		wire_put_u16(body, a->packet_id);
	if (bare && a->code == MQTT_SUCCESS)
		return;
	if ((layout & (HAS_CODE | IS_CONNACK)) != 0)
		wire_put_u8(body, a->code);
	if (!bare && layout != 0)
		put_properties(body, text);
	if ((layout & HAS_CODES) != 0)
		wire_put_bytes(body, a->codes);
}

static void
put_body_311(const struct mqtt_answer *a, uint8_t layout, struct buf *body)
{
	if ((layout & IS_CONNACK) != 0) {
		wire_put_u8(body, 0);
		wire_put_u8(body, mqtt_reason_to_return_code(a->code));
	}
	if ((layout & HAS_ID) != 0)
		wire_put_u16(body, a->packet_id);
	if (a->type != MQTT_SUBACK)
		return;
	for (size_t i = 0; i < a->codes.len; i++)
		wire_put_u8(body,
		    a->codes.data[i] >= FAILED ? FAILED : a->codes.data[i]);
}

/* Bytes of a packet whose body has `len`. */
static size_t
packet_size(size_t len)
{
	return 1 + mqtt_varint_len((uint32_t)len) + len;
}

enum mqtt_encode_result
mqtt_encode_answer(const struct mqtt_answer *a, struct buf *out)
{
	uint8_t layout = layouts[a->type & 0x0f].layout, header[5];
	struct span text = a->text;
	struct buf body;
	size_t len, before = buf_len(out);

	if (layouts[a->type & 0x0f].first == 0 || !can_say(a, layout))
		return MQTT_NOT_SAID;
	buf_init(&body, out->max);
	if (a->level == MQTT_50) {
		put_body_50(a, layout, text, &body);
		if (a->packet_max != 0 && !body.failed &&
		    packet_size(buf_len(&body)) > a->packet_max) {
			buf_truncate(&body, 0);
			put_body_50(a, layout, span_of(NULL, 0), &body);
		}
	} else {
		put_body_311(a, layout, &body);
	}
	header[0] = layouts[a->type].first;
	len = 1 + (size_t)mqtt_varint_put(header + 1, (uint32_t)buf_len(&body));
	if (!body.failed && buf_reserve(out, len + buf_len(&body)) != NULL) {
		wire_put_bytes(out, span_of(header, len));
		wire_put_bytes(out, buf_span(&body));
	}
	buf_fini(&body);
	return buf_len(out) > before ? MQTT_ENCODED : MQTT_NO_ROOM;
}

enum mqtt_encode_result
mqtt_encode_message(const struct mqtt_message *m, struct buf *out)
{
	uint8_t properties[1 + 1 + 4] = {0}, header[5] = {MQTT_PUBLISH << 4};
	size_t properties_len = m->level == MQTT_50, len, header_len;

	if (m->level == MQTT_50 && m->subscription_id != 0) {
		properties[1] = MQTT_SUBSCRIPTION_IDENTIFIER;
		properties[0] = (uint8_t)(1 + mqtt_varint_put(properties + 2,
						  m->subscription_id));
		properties_len += properties[0];
	}
	len = 2 + m->topic.len + properties_len + m->payload.len;
	if (len > MQTT_REMAINING_MAX ||
	    (m->packet_max != 0 && packet_size(len) > m->packet_max))
		return MQTT_NOT_SAID;
	header_len = 1 + (size_t)mqtt_varint_put(header + 1, (uint32_t)len);
	if (buf_reserve(out, header_len + len) == NULL)
		return MQTT_NO_ROOM;
	wire_put_bytes(out, span_of(header, header_len));
	wire_put_string16(out, m->topic);
	wire_put_bytes(out, span_of(properties, properties_len));
	wire_put_bytes(out, m->payload);
	return MQTT_ENCODED;
}
