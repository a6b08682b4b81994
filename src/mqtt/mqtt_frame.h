#ifndef KAYA_MQTT_FRAME_H
#define KAYA_MQTT_FRAME_H

/*
 * mqtt_frame: the fixed header that stands before every MQTT packet (3.1.1
 * section 2.2, 5.0 section 2.1.1).
 *
 *	+--------+--------+------------------+----------------------------+
 *	| type 4 | flags 4| remaining length | the rest, `remaining` bytes|
 *	+--------+--------+------------------+----------------------------+
 *	 one byte            1 to 4 bytes
 *
 * At most five bytes: it is parsed anew from its first byte whenever more has
 * come, so nothing is kept between two calls and it can be cut anywhere.
 */

#include "mqtt_rule.h"
#include "span.h"

enum mqtt_type {
	MQTT_WILL = 0, /* no packet: the will within CONNECT, for properties */
	MQTT_CONNECT = 1,
	MQTT_CONNACK = 2,
	MQTT_PUBLISH = 3,
	MQTT_PUBACK = 4,
	MQTT_PUBREC = 5,
	MQTT_PUBREL = 6,
	MQTT_PUBCOMP = 7,
	MQTT_SUBSCRIBE = 8,
	MQTT_SUBACK = 9,
	MQTT_UNSUBSCRIBE = 10,
	MQTT_UNSUBACK = 11,
	MQTT_PINGREQ = 12,
	MQTT_PINGRESP = 13,
	MQTT_DISCONNECT = 14,
	MQTT_AUTH = 15,
	MQTT_TYPES
};

/* A set of types. */
#define MQTT_MASK(type) (1u << (type))

enum mqtt_level {
	MQTT_LEVEL_UNKNOWN = 0, /* no CONNECT seen yet */
	MQTT_31 = 3,
	MQTT_311 = 4,
	MQTT_50 = 5
};

enum mqtt_side { MQTT_FROM_CLIENT, MQTT_FROM_BROKER };

/* Who sent a packet, and by which standard it is to be read. */
struct mqtt_sender {
	uint8_t side; /* enum mqtt_side */
	uint8_t level; /* enum mqtt_level */
};

struct mqtt_frame {
	uint32_t remaining; /* bytes behind the fixed header */
	uint8_t header_len; /* bytes of the fixed header, 2 to 5 */
	uint8_t type; /* enum mqtt_type */
	uint8_t flags; /* the low four bits */
};

enum { MQTT_REMAINING_MAX = 268435455, MQTT_HEADER_MAX = 5 };

enum mqtt_frame_result {
	MQTT_FRAME_READY,
	MQTT_FRAME_NEED_MORE,
	MQTT_FRAME_MALFORMED /* MQTT_RULE_REMAINING_LENGTH */
};

/*
 * A variable byte integer (5.0 section 1.5.5) from the front of `in`, which
 * moves on only where it was READY.  (Inline, as is the header's parsing: every
 * frame of every stream goes through them.)
 */
static inline enum mqtt_frame_result
mqtt_varint_take(struct span *in, uint32_t *value)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < 4; i++) {
		if (i >= in->len)
			return MQTT_FRAME_NEED_MORE;
		sum |= (uint32_t)(in->data[i] & 0x7f) << (7 * i);
		if ((in->data[i] & 0x80) == 0) {
			*value = sum;
			*in = span_of(in->data + i + 1, in->len - i - 1);
			return MQTT_FRAME_READY;
		}
	}
	return MQTT_FRAME_MALFORMED;
}

/* The least number of bytes that hold `value`. */
static inline uint8_t
mqtt_varint_len(uint32_t value)
{
	return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

/*
 * Read the fixed header at the front of `in`.  NEED_MORE where it is cut off
 * (type and flags are filled in as soon as there is one byte).  Only the
 * encoding is checked here, no value.
 */
static inline enum mqtt_frame_result
mqtt_frame_parse(struct span in, struct mqtt_frame *frame)
{
	struct span length;
	enum mqtt_frame_result result;

	if (in.len == 0)
		return MQTT_FRAME_NEED_MORE;
	frame->type = in.data[0] >> 4;
	frame->flags = in.data[0] & 0x0f;
	length = span_of(in.data + 1, in.len - 1);
	result = mqtt_varint_take(&length, &frame->remaining);
	if (result == MQTT_FRAME_READY)
		frame->header_len = (uint8_t)(in.len - length.len);
	return result;
}

/* Bytes of the whole packet. */
static inline uint32_t
mqtt_frame_size(const struct mqtt_frame *frame)
{
	return frame->header_len + frame->remaining;
}

/* What is behind the fixed header of a whole packet. */
struct span mqtt_frame_body(const struct mqtt_frame *frame, struct span packet);

/*
 * May this side send this type at all?  CONNECT is what a client of unknown
 * level may send.  5.0 alone knows AUTH, and DISCONNECT from a broker.
 */
enum mqtt_rule mqtt_frame_check_type(uint8_t type, struct mqtt_sender from);

/*
 * The flags nibble: reserved bits as they must be; for PUBLISH no QoS 3 and no
 * DUP at QoS 0.  MQTT 3.1 forbids only QoS 3: it calls the bits of most types
 * "not used" and lets SUBSCRIBE, UNSUBSCRIBE and PUBREL have DUP, so at level 3
 * they are free.  CONNECT's are judged by mqtt_connect_decode, which knows the
 * level.
 */
enum mqtt_rule mqtt_frame_check_flags(
    const struct mqtt_frame *frame, struct mqtt_sender from);

/* Write `value` (at most MQTT_REMAINING_MAX) to `bytes`; how many it took. */
uint8_t mqtt_varint_put(uint8_t bytes[4], uint32_t value);

/* "CONNECT"; "reserved" for 0. */
const char *mqtt_type_name(uint8_t type);

/* "3.1", "3.1.1", "5.0"; "unknown". */
const char *mqtt_level_name(uint8_t level);

#endif
