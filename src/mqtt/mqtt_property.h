#ifndef KAYA_MQTT_PROPERTY_H
#define KAYA_MQTT_PROPERTY_H

/*
 * mqtt_property: the properties of MQTT 5.0 (section 2.2.2, table 2-4).
 *
 *	+------------------+----+-------+----+-------+ ...
 *	| length (varint)  | id | value | id | value |
 *	+------------------+----+-------+----+-------+ ...
 */

#include <stdbool.h>

#include "mqtt_frame.h"

enum mqtt_property_kind {
	MQTT_KIND_NONE, /* no such property */
	MQTT_KIND_BYTE,
	MQTT_KIND_U16,
	MQTT_KIND_U32,
	MQTT_KIND_VARINT,
	MQTT_KIND_TEXT,
	MQTT_KIND_BINARY,
	MQTT_KIND_PAIR
};

enum mqtt_property_id {
	MQTT_PAYLOAD_FORMAT_INDICATOR = 0x01,
	MQTT_MESSAGE_EXPIRY_INTERVAL = 0x02,
	MQTT_CONTENT_TYPE = 0x03,
	MQTT_RESPONSE_TOPIC = 0x08,
	MQTT_CORRELATION_DATA = 0x09,
	MQTT_SUBSCRIPTION_IDENTIFIER = 0x0b,
	MQTT_SESSION_EXPIRY_INTERVAL = 0x11,
	MQTT_ASSIGNED_CLIENT_IDENTIFIER = 0x12,
	MQTT_SERVER_KEEP_ALIVE = 0x13,
	MQTT_AUTHENTICATION_METHOD = 0x15,
	MQTT_AUTHENTICATION_DATA = 0x16,
	MQTT_REQUEST_PROBLEM_INFORMATION = 0x17,
	MQTT_WILL_DELAY_INTERVAL = 0x18,
	MQTT_REQUEST_RESPONSE_INFORMATION = 0x19,
	MQTT_RESPONSE_INFORMATION = 0x1a,
	MQTT_SERVER_REFERENCE = 0x1c,
	MQTT_REASON_STRING = 0x1f,
	MQTT_RECEIVE_MAXIMUM = 0x21,
	MQTT_TOPIC_ALIAS_MAXIMUM = 0x22,
	MQTT_TOPIC_ALIAS = 0x23,
	MQTT_MAXIMUM_QOS = 0x24,
	MQTT_RETAIN_AVAILABLE = 0x25,
	MQTT_USER_PROPERTY = 0x26,
	MQTT_MAXIMUM_PACKET_SIZE = 0x27,
	MQTT_WILDCARD_SUBSCRIPTION_AVAILABLE = 0x28,
	MQTT_SUBSCRIPTION_IDENTIFIER_AVAILABLE = 0x29,
	MQTT_SHARED_SUBSCRIPTION_AVAILABLE = 0x2a,
	MQTT_PROPERTY_IDS
};

struct mqtt_property {
	uint8_t id; /* enum mqtt_property_id */
	uint8_t kind; /* enum mqtt_property_kind */
	uint32_t number; /* of the first four kinds */
	struct span text; /* a string, bytes, or a pair's name */
	struct span value; /* a pair's value */
};

/*
 * Take the properties' length and the properties from the front of `in`,
 * checked whole: known, of this packet (MQTT_WILL: of the will), well-formed,
 * none twice that must not be, no forbidden value.  `*properties` is what
 * stands behind the length and lives as long as the input.
 */
enum mqtt_rule mqtt_property_take(struct span *in, uint8_t packet,
    struct mqtt_sender from, struct span *properties);

/* The same for what stands behind the length. */
enum mqtt_rule mqtt_property_check(
    struct span properties, uint8_t packet, struct mqtt_sender from);

/*
 * The next property at the front of checked `properties`, which moves on;
 * false at their end.
 */
bool mqtt_property_next(struct span *properties, struct mqtt_property *found);

/* The first property `id` of checked `properties`; false where it is not. */
bool mqtt_property_find(
    struct span properties, uint8_t id, struct mqtt_property *found);

/*
 * What is known of property `id`: its name as the standard has it (NULL: there
 * is no such property), its kind, and the set of packets that may carry it.
 */
struct mqtt_property_row {
	const char *name;
	uint8_t kind; /* enum mqtt_property_kind */
	uint8_t bound; /* enum mqtt_property_bound */
	uint16_t packets; /* MQTT_MASK of each, MQTT_WILL being bit 0 */
	uint16_t repeats_in; /* where it may stand more than once */
};
enum mqtt_property_bound {
	MQTT_BOUND_NONE,
	MQTT_BOUND_FLAG, /* 0 or 1 */
	MQTT_BOUND_NOT_ZERO
};
const struct mqtt_property_row *mqtt_property_row(uint8_t id);

#endif
