#ifndef KAYA_MQTT_TRIP_H
#define KAYA_MQTT_TRIP_H

/*
 * mqtt_trip: an MQTT client that does one thing: it sends a message at QoS 1 to
 * itself.  No sockets: what is to be sent is in `out`, what came is fed.
 *
 *	CONNECTING --CONNACK 0--> ACCEPTED --mqtt_trip_send--> SUBSCRIBING
 *	--SUBACK--> PUBLISHING --PUBACK and the message itself--> BACK
 */

#include "buf.h"
#include "mqtt_reason.h"

enum mqtt_trip_state {
	MQTT_TRIP_CONNECTING,
	MQTT_TRIP_ACCEPTED,
	MQTT_TRIP_SUBSCRIBING,
	MQTT_TRIP_PUBLISHING,
	MQTT_TRIP_BACK,
	/* ends: `code` says why, of 3.1.1's CONNACK or of 5.0 */
	MQTT_TRIP_REFUSED, /* by CONNACK */
	/* by SUBACK or PUBACK, or a DISCONNECT (not authorized) in its place */
	MQTT_TRIP_NO_SUBSCRIBE,
	MQTT_TRIP_NO_PUBLISH,
	MQTT_TRIP_ENDED, /* by another DISCONNECT */
	MQTT_TRIP_NOT_MQTT /* what came is none */
};

enum { MQTT_TRIP_TOPIC_SIZE = 512 }; /* one byte for its end */

struct mqtt_trip {
	enum mqtt_trip_state state;
	uint8_t level; /* MQTT_311 or MQTT_50 */
	uint8_t code;
	bool acknowledged; /* the PUBACK is there */
	bool is_back; /* so is the message */
	struct buf in, out;
	char topic[MQTT_TRIP_TOPIC_SIZE];
	char payload[40];
};

struct mqtt_trip_words {
	const char *client_id;
	const char *user; /* NULL: none */
	const char *password; /* NULL: none */
	const char *topic;
	const char *payload; /* by which the message is known again */
};

/*
 * Begin: `out` holds a CONNECT.  Words are copied; a topic is shorter than
 * MQTT_TRIP_TOPIC_SIZE.
 */
void mqtt_trip_init(struct mqtt_trip *trip, enum mqtt_level level,
    const struct mqtt_trip_words *words);
void mqtt_trip_fini(struct mqtt_trip *trip);

/* ACCEPTED only: `out` gets the SUBSCRIBE, and then what follows. */
void mqtt_trip_send(struct mqtt_trip *trip);

/* What came from the broker.  The state that it leads to. */
enum mqtt_trip_state mqtt_trip_feed(struct mqtt_trip *trip, struct span bytes);

/* Whether nothing more will come of feeding. */
static inline bool
mqtt_trip_is_over(const struct mqtt_trip *trip)
{
	return trip->state >= MQTT_TRIP_BACK;
}

/* In words: the code's name in the standard, and the likely cause. */
const struct mqtt_reason *mqtt_trip_reason(const struct mqtt_trip *trip);

#endif
