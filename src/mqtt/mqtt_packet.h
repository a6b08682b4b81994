#ifndef KAYA_MQTT_PACKET_H
#define KAYA_MQTT_PACKET_H

/*
 * mqtt_packet: the packets other than CONNECT and PUBLISH, read and checked.
 *
 * Each decoder takes the body of a whole packet (what stands behind the fixed
 * header), returns the rule that is broken or MQTT_RULE_NONE, and fills a
 * struct whose spans point into the body.
 */

#include <stdbool.h>

#include "mqtt_frame.h"

/*
 * Check a whole packet of any type: its fixed header (already checked by
 * mqtt_frame_check_*) and its body.
 */
enum mqtt_rule mqtt_packet_check(
    const struct mqtt_frame *frame, struct span body, struct mqtt_sender from);

/*
 * 3.1.1 and 5.0 section 3.2.  A broker that does not know 5.0 refuses it with a
 * CONNACK of 3.1.1, return code 1: that is sound at level 5 too, and read as
 * 5.0's MQTT_UNSUPPORTED_VERSION.
 */
struct mqtt_connack {
	bool session_present;
	uint8_t code; /* return code, in 5.0 reason code; 0: accepted */
	struct span properties;
};
enum mqtt_rule mqtt_connack_decode(
    struct span body, struct mqtt_sender from, struct mqtt_connack *connack);

/* PUBACK, PUBREC, PUBREL, PUBCOMP: sections 3.4 to 3.7. */
struct mqtt_ack {
	uint16_t packet_id;
	uint8_t code; /* 5.0; 0 where it was left out */
	struct span properties;
};
enum mqtt_rule mqtt_ack_decode(uint8_t type, struct span body,
    struct mqtt_sender from, struct mqtt_ack *ack);

/* SUBSCRIBE and UNSUBSCRIBE: sections 3.8 and 3.10. */
struct mqtt_subscribe {
	uint16_t packet_id;
	uint16_t count; /* of filters; UINT16_MAX stands for more */
	struct span properties;
	struct span filters; /* for mqtt_subscribe_next */
};
enum mqtt_rule mqtt_subscribe_decode(uint8_t type, struct span body,
    struct mqtt_sender from, struct mqtt_subscribe *subscribe);

/*
 * The next filter of a decoded SUBSCRIBE or UNSUBSCRIBE; moves `filters` on.
 * `*options` is SUBSCRIBE's byte (QoS in the low two bits), 0 for UNSUBSCRIBE.
 * False at the end.
 */
bool mqtt_subscribe_next(
    uint8_t type, struct span *filters, struct span *filter, uint8_t *options);

/* SUBACK and UNSUBACK: sections 3.9 and 3.11. */
struct mqtt_suback {
	uint16_t packet_id;
	struct span properties;
	struct span codes; /* one byte a filter; UNSUBACK: 5.0 only */
};
enum mqtt_rule mqtt_suback_decode(uint8_t type, struct span body,
    struct mqtt_sender from, struct mqtt_suback *suback);

/* DISCONNECT and AUTH: sections 3.14 and 3.15. */
struct mqtt_end {
	uint8_t code; /* 5.0; 0 where it was left out */
	struct span properties;
};
enum mqtt_rule mqtt_end_decode(uint8_t type, struct span body,
    struct mqtt_sender from, struct mqtt_end *end);

#endif
