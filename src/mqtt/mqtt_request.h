#ifndef KAYA_MQTT_REQUEST_H
#define KAYA_MQTT_REQUEST_H

/*
 * mqtt_request: the packets that a client begins with: CONNECT, SUBSCRIBE,
 * PUBLISH, PINGREQ; for what we say to a broker ourselves.  (What answers a
 * packet: mqtt_encode.h.)
 *
 * Each appends one packet to `out`: look at out->failed.
 */

#include "buf.h"
#include "mqtt_frame.h"

struct mqtt_request_connect {
	uint8_t level; /* MQTT_311 or MQTT_50 */
	uint16_t keep_alive_s;
	struct span client_id;
	/* data NULL: none.  A password without a user name is left out: before
	 * 5.0 it may not be sent (MQTT-3.1.2-22). */
	struct span user, password;
};

/* With a clean session, without a will. */
void mqtt_put_connect(
    const struct mqtt_request_connect *connect, struct buf *out);

/* One filter, at `qos` at most. */
void mqtt_put_subscribe(uint8_t level, uint16_t packet_id, struct span filter,
    uint8_t qos, struct buf *out);

/* At QoS 1; `packet_id` 0: at QoS 0.  Not retained. */
void mqtt_put_publish(uint8_t level, uint16_t packet_id, struct span topic,
    struct span payload, struct buf *out);

void mqtt_put_pingreq(struct buf *out);

#endif
