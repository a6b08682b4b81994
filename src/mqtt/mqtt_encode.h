#ifndef KAYA_MQTT_ENCODE_H
#define KAYA_MQTT_ENCODE_H

/*
 * mqtt_encode: the packets that a gateway answers with in a broker's place: a
 * refusal of CONNECT, the acknowledgement of what it did not pass on, the
 * reason why it ends the connection; and messages of its own.  (A CONNECT is
 * written by mqtt_connect_rewrite.)
 */

#include "buf.h"
#include "mqtt_frame.h"
#include "mqtt_reason.h"

struct mqtt_answer {
	uint8_t type; /* see mqtt_encode_answer */
	uint8_t level; /* enum mqtt_level; unknown is written as 3.1.1 */
	uint8_t code; /* reason code of 5.0, at every level */
	uint16_t packet_id; /* of what is answered; not of CONNACK etc. */
	struct span codes; /* SUBACK, UNSUBACK: a reason code for each filter */
	struct span text; /* 5.0: reason string for a person; may be empty */
	uint32_t packet_max; /* 5.0: the receiver's Maximum Packet Size; 0:
				none.  `text` is left out where it would pass
				it (MQTT-3.2.2-19 and its like) */
};

enum mqtt_encode_result {
	MQTT_ENCODED,
	/* That level has no such packet, or no way to say that code: end the
	 * connection without it (MQTT-3.2.2-6, MQTT-3.3.5-2). */
	MQTT_NOT_SAID,
	MQTT_NO_ROOM /* `out` cannot take it; nothing was appended */
};

/*
 * Append an answer to `out`:
 *
 *	CONNACK         no session; before 5.0 the return code that is meant
 *	PUBACK PUBREC PUBREL PUBCOMP
 *	                before 5.0 they can only say yes
 *	SUBACK          3.1.1 knows one failure for all, 3.1 none
 *	UNSUBACK        codes from 5.0 on
 *	PINGRESP
 *	DISCONNECT      from 5.0 on, as a broker sends it
 *
 * A client that set Request Problem Information to 0 may be sent `text` in
 * CONNACK and DISCONNECT only (MQTT-3.1.2-29).
 */
enum mqtt_encode_result mqtt_encode_answer(
    const struct mqtt_answer *answer, struct buf *out);

/* A PUBLISH at QoS 0, not retained. */
struct mqtt_message {
	uint8_t level; /* enum mqtt_level */
	struct span topic, payload;
	uint32_t subscription_id; /* 5.0; 0: none */
	uint32_t packet_max; /* 5.0: the receiver's; 0: none */
};

/*
 * Append it to `out`.  MQTT_NOT_SAID where the receiver takes none so large
 * (MQTT-3.1.2-24).
 */
enum mqtt_encode_result mqtt_encode_message(
    const struct mqtt_message *message, struct buf *out);

#endif
