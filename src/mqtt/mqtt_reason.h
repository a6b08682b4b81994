#ifndef KAYA_MQTT_REASON_H
#define KAYA_MQTT_REASON_H

/*
 * mqtt_reason: what a broker's answer means, and what most likely led to it.
 * The return codes of CONNACK in 3.1 and 3.1.1 (section 3.2.2.3) and the
 * reason codes of 5.0 (section 2.4, table 2-6).
 */

#include <stdbool.h>

#include "mqtt_frame.h"

enum mqtt_reason_code {
	MQTT_SUCCESS = 0x00,
	MQTT_UNSPECIFIED_ERROR = 0x80,
	MQTT_MALFORMED_PACKET = 0x81,
	MQTT_PROTOCOL_ERROR = 0x82,
	MQTT_UNSUPPORTED_VERSION = 0x84,
	MQTT_CLIENT_ID_NOT_VALID = 0x85,
	MQTT_BAD_USER_NAME_OR_PASSWORD = 0x86,
	MQTT_NOT_AUTHORIZED = 0x87,
	MQTT_SERVER_UNAVAILABLE = 0x88,
	MQTT_SERVER_BUSY = 0x89,
	MQTT_BANNED = 0x8a,
	MQTT_SERVER_SHUTTING_DOWN = 0x8b,
	MQTT_TOPIC_NAME_INVALID = 0x90,
	MQTT_PACKET_TOO_LARGE = 0x95,
	MQTT_QUOTA_EXCEEDED = 0x97,
	MQTT_ADMINISTRATIVE_ACTION = 0x98
};

struct mqtt_reason {
	uint8_t code;
	uint16_t packets; /* MQTT_MASK of each that may carry it; 5.0 */
	const char *name; /* in the standard's words */
	const char *cause; /* the likely one, a sentence without full stop */
};

/*
 * The row for `code` in a packet of `type` (CONNACK, PUBACK, SUBACK ...) at
 * `level`; NULL where that packet cannot carry it.  Before 5.0 only CONNACK
 * and SUBACK have codes.
 */
const struct mqtt_reason *mqtt_reason_find(
    uint8_t code, uint8_t type, uint8_t level);

/* May a packet of `type` carry `code` in 5.0?  Quick. */
bool mqtt_reason_fits(uint8_t code, uint8_t type);

/*
 * The return code of a CONNACK in 3.1 and 3.1.1 that says what a reason code
 * of 5.0 says, 1 to 5; 0 where none does, which means: close without CONNACK
 * (MQTT-3.2.2-6).
 */
uint8_t mqtt_reason_to_return_code(uint8_t reason);

#endif
