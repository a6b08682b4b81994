#ifndef KAYA_MQTT_WALK_H
#define KAYA_MQTT_WALK_H

/*
 * mqtt_walk: follow one direction of one MQTT connection, frame by frame,
 * without copying it.
 *
 *	         client                                    broker
 *	            |----- struct mqtt_walk up (from client) --->|
 *	            |<---- struct mqtt_walk down (from broker) --|
 *
 * The caller reads bytes, hands them over as they came, cut anywhere, and is
 * told what to do with them, one result at a time:
 *
 *	struct span in = what was read;
 *	for (;;) {
 *		switch (mqtt_walk_next(&walk, &in, &item)) {
 *		case MQTT_WALK_FORWARD:   write item.bytes; continue
 *		case MQTT_WALK_PACKET:    decide; write item.bytes, or another
 *		                          packet in its place, or nothing;
 *		                          continue
 *		case MQTT_WALK_HEAD:      decide; write item.bytes and continue,
 *		                          or mqtt_walk_skip(&walk) and continue
 *		case MQTT_WALK_NEED_MORE: all of `in` is used up; read on
 *		case MQTT_WALK_MALFORMED: item.fault; end the connection
 *		case MQTT_WALK_NO_MEMORY: end the connection
 *		}
 *	}
 *
 * What it promises:
 * - Every frame is checked (mqtt_rule.h): the fixed header, its place in the
 *   order of packets, and all of the rest but a PUBLISH's payload.  No byte of
 *   a frame is given out before the checked part of it was seen and is sound,
 *   and what is given out, in order, is what came in.
 * - Whole frames that need no decision are given out as one span, as many as
 *   lie in `in`, so that one read makes one write.
 * - The results depend on the bytes alone, never on how they were cut (but for
 *   how FORWARD bytes are divided into spans).
 * - Payloads are never copied.  Only the checked part of a frame that was cut
 *   is gathered in memory of the walk's own, which grows with what really came,
 *   is capped, and is given back once it was used: an idle walk owns no heap.
 *
 * Pure: no I/O, no time.  Not for two threads at once.
 */

#include "buf.h"
#include "mqtt_frame.h"
#include "mqtt_publish.h"

/* Bytes that one walk may hold or pass; shared, may be const. */
struct mqtt_limits {
	uint32_t connect_max; /* a CONNECT */
	uint32_t hold_max; /* a PUBLISH's head, any other packet */
	uint32_t whole_max; /* a PUBLISH in the mask that is given as PACKET;
			       larger ones are given as HEAD */
	uint32_t packet_max; /* any packet, all told; 0: no limit */
};

/* 64 KiB, 256 KiB, 256 KiB, none. */
extern const struct mqtt_limits mqtt_limits_default;

/* Which rule was broken, where. */
struct mqtt_fault {
	enum mqtt_rule rule;
	uint8_t level; /* for mqtt_rule_id */
	uint8_t type; /* of the packet, for mqtt_type_name */
};

enum mqtt_walk_result {
	/* All of `in` is used up; come back with more. */
	MQTT_WALK_NEED_MORE,
	/* `bytes` are to be passed on as they are: whole frames, or more of a
	 * PUBLISH's payload. */
	MQTT_WALK_FORWARD,
	/* `bytes` are one whole packet of a type in the mask.  `frame` is its
	 * header; for a PUBLISH `publish` is filled in. */
	MQTT_WALK_PACKET,
	/* `bytes` are a PUBLISH in the mask up to its payload, which follows
	 * as FORWARD, or not at all after mqtt_walk_skip.  `frame` and
	 * `publish` are filled in. */
	MQTT_WALK_HEAD,
	/* The rule in `fault` is broken.  The walk is at its end: it says the
	 * same again whatever it is given. */
	MQTT_WALK_MALFORMED,
	/* A cut frame could not be held.  The walk is at its end. */
	MQTT_WALK_NO_MEMORY
};

/* Spans point into `in` or into the walk, and are good until the next call. */
struct mqtt_walk_item {
	struct span bytes;
	uint32_t frames; /* that begin in `bytes` */
	uint32_t publishes; /* of these are a PUBLISH */
	struct span topic; /* of the last PUBLISH; empty: none, or an alias */
	struct mqtt_fault fault; /* of MALFORMED */
	struct mqtt_frame frame; /* of PACKET and HEAD, else not to be read */
	struct mqtt_publish publish; /* of those that are a PUBLISH */
};

struct mqtt_walk {
	struct buf *held; /* the checked part of a cut frame, NULL mostly */
	const struct mqtt_limits *limits;
	uint32_t payload_left; /* of the PUBLISH that was begun */
	uint16_t mask; /* MQTT_MASK of each type to decide on */
	struct mqtt_sender from;
	uint8_t state;
	uint8_t bits;
	uint8_t fault_rule;
	uint8_t fault_type;
};

/*
 * A walk at the start of a connection, for what `side` sends.  From a client
 * CONNECT is in the mask from the start, from a broker nothing is.  `limits`
 * are borrowed for the walk's life.
 */
void mqtt_walk_init(struct mqtt_walk *walk, enum mqtt_side side,
    const struct mqtt_limits *limits);

/* Give back what it holds.  The walk must be initialised anew to be used. */
void mqtt_walk_fini(struct mqtt_walk *walk);

/*
 * Decide on these types from the next frame on: the union of MQTT_MASK(type).
 * CONNECT stays in a client's mask.
 */
void mqtt_walk_set_mask(struct mqtt_walk *walk, uint16_t mask);

/*
 * Tell the broker's walk what the client's CONNECT settled: the level and
 * whether extended authentication was asked for.  To be called when the
 * CONNECT was given out, before the broker's first byte is walked: a byte from
 * a broker that had no CONNECT is a fault.
 */
void mqtt_walk_learn(struct mqtt_walk *broker, const struct mqtt_walk *client);

/*
 * The next result for the bytes at the front of `in`, which moves on past
 * what was used.  To be called until NEED_MORE, even with `in` empty.
 */
enum mqtt_walk_result mqtt_walk_next(
    struct mqtt_walk *walk, struct span *in, struct mqtt_walk_item *item);

/* Swallow the payload that follows the HEAD that was just given. */
void mqtt_walk_skip(struct mqtt_walk *walk);

/*
 * Do the bytes given out so far end between two frames?  Only then may the
 * caller put a packet of its own into this direction.
 */
bool mqtt_walk_is_between(const struct mqtt_walk *walk);

/* The level that CONNECT fixed; MQTT_LEVEL_UNKNOWN before. */
static inline uint8_t
mqtt_walk_level(const struct mqtt_walk *walk)
{
	return walk->from.level;
}

/*
 * Has the packet that opens the connection passed: a client's CONNECT, a
 * broker's CONNACK that accepted?  No longer so after DISCONNECT.
 */
bool mqtt_walk_is_open(const struct mqtt_walk *walk);

/* Bytes of heap that it holds now. */
size_t mqtt_walk_held(const struct mqtt_walk *walk);

#endif
