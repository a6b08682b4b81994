#ifndef KAYA_LANES_H
#define KAYA_LANES_H

/*
 * lanes: eight bytes of text at a time, in one register.  For texts too short
 * for a call of memchr or memcmp to be worth it, as the levels of a topic are.
 */

#include "span.h"

#include <endian.h>

enum { LANES = 8 };

/* The byte in each lane. */
static inline uint64_t
lanes_each(uint8_t byte)
{
	return UINT64_C(0x0101010101010101) * byte;
}

/* LANES bytes, the first one in the lowest lane. */
static inline uint64_t
lanes_load(const uint8_t *bytes)
{
	uint64_t lanes;

	memcpy(&lanes, bytes, sizeof lanes);
	return le64toh(lanes);
}

/*
 * Not zero where the byte is in one of the lanes; then the lowest bit tells the
 * first of them (lanes_first), while those above it may be wrong.
 */
static inline uint64_t
lanes_find(uint64_t lanes, uint8_t byte)
{
	lanes ^= lanes_each(byte);
	return (lanes - lanes_each(0x01)) & ~lanes & lanes_each(0x80);
}

/* The lane of the lowest bit; `found` is not zero. */
static inline size_t
lanes_first(uint64_t found)
{
	return (size_t)__builtin_ctzll(found) / 8;
}

/* All of the lanes before that one. */
static inline uint64_t
lanes_before(uint64_t found)
{
	return ((found & -found) >> 7) - 1;
}

/* As lanes_load of fewer bytes, with zeros in the lanes that are left. */
static inline uint64_t
lanes_load_few(const uint8_t *bytes, size_t count)
{
	uint32_t low, high;

	/* Reads that overlap say the same where they do. */
	if (count >= sizeof low) {
		memcpy(&low, bytes, sizeof low);
		memcpy(&high, bytes + count - sizeof high, sizeof high);
		return le32toh(low) | (uint64_t)le32toh(high)
					  << 8 * (count - sizeof high);
	}
	if (count == 0)
		return 0;
	return bytes[0] | (uint64_t)bytes[count / 2] << 8 * (count / 2) |
	       (uint64_t)bytes[count - 1] << 8 * (count - 1);
}

/* What stands in `text` from `at` on, with zeros behind its end. */
static inline uint64_t
lanes_at(struct span text, size_t at)
{
	size_t left = text.len - at;

	if (left >= LANES)
		return lanes_load(text.data + at);
	if (text.len < LANES || left == 0)
		return lanes_load_few(text.data + at, left);
	return lanes_load(text.data + text.len - LANES) >> 8 * (LANES - left);
}

/* Where the byte, not zero, first stands from `at` on; the end if nowhere. */
static inline size_t
lanes_index(struct span text, size_t at, uint8_t byte)
{
	for (; at < text.len; at += LANES) {
		uint64_t found = lanes_find(lanes_at(text, at), byte);

		if (found != 0)
			return at + lanes_first(found);
	}
	return text.len;
}

#endif
