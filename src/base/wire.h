#ifndef KAYA_WIRE_H
#define KAYA_WIRE_H

/*
 * wire: the one bounded reader, and its writer.
 *
 * Everything that a peer sends is read through these: each takes from the
 * front of a span and moves it on, or returns false and leaves the span as it
 * was.  Integers are big-endian (RFC 4251 section 5; MQTT 5.0 section 1.5).
 * Spans that come out point into the input and live as long as it does.
 */

#include "buf.h"
#include "span.h"

bool wire_take_u8(struct span *in, uint8_t *value);
bool wire_take_u16(struct span *in, uint16_t *value);
bool wire_take_u32(struct span *in, uint32_t *value);
bool wire_take_u64(struct span *in, uint64_t *value);

/* Exactly `len` bytes. */
bool wire_take_bytes(struct span *in, size_t len, struct span *value);

/* A string with a 32-bit length before it (SSH). */
bool wire_take_string32(struct span *in, struct span *value);

/* A string with a 16-bit length before it (MQTT). */
bool wire_take_string16(struct span *in, struct span *value);

/*
 * An SSH mpint (RFC 4251 section 5) that is not negative: the big-endian
 * number without its leading zero byte; empty where it is 0.  One that is not
 * written in the shortest way is refused, as the RFC demands.
 */
bool wire_take_mpint(struct span *in, struct span *value);

/*
 * The writers append to a buf, whose `failed` tells at the end whether all of
 * it went in.
 */
void wire_put_u8(struct buf *out, uint8_t value);
void wire_put_u16(struct buf *out, uint16_t value);
void wire_put_u32(struct buf *out, uint32_t value);
void wire_put_u64(struct buf *out, uint64_t value);
void wire_put_bytes(struct buf *out, struct span value);
void wire_put_string32(struct buf *out, struct span value);
void wire_put_string16(struct buf *out, struct span value);

/* A C string with a 32-bit length before it. */
void wire_put_cstring32(struct buf *out, const char *value);

/*
 * An SSH mpint (RFC 4251 section 5) of an unsigned big-endian number: leading
 * zero bytes dropped, one put back where the top bit would mean "negative".
 */
void wire_put_mpint(struct buf *out, struct span value);

/* Big-endian 32 bits at `p`, for headers of known size. */
static inline uint32_t
wire_peek_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static inline void
wire_poke_u32(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 24);
	p[1] = (uint8_t)(value >> 16);
	p[2] = (uint8_t)(value >> 8);
	p[3] = (uint8_t)value;
}

static inline void
wire_poke_u64(uint8_t *p, uint64_t value)
{
	wire_poke_u32(p, (uint32_t)(value >> 32));
	wire_poke_u32(p + 4, (uint32_t)value);
}

#endif
