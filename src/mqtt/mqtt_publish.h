#ifndef KAYA_MQTT_PUBLISH_H
#define KAYA_MQTT_PUBLISH_H

/*
 * mqtt_publish: a PUBLISH (3.1.1 and 5.0 section 3.3) up to where its payload
 * begins.  The payload, up to 256 MiB, is never looked at.
 *
 *	| fixed header | topic | packet id | properties | payload ... |
 *	 <----------------- head ---------------------->
 */

#include "buf.h"

#include "mqtt_frame.h"

struct mqtt_publish {
	uint8_t qos;
	bool dup;
	bool retain;
	uint16_t packet_id; /* 0 at QoS 0 */
	uint16_t topic_alias; /* 5.0; 0: none */
	uint32_t head_len; /* bytes from the fixed header to the payload */
	uint32_t payload_len;
	struct span topic; /* empty only where there is a topic alias */
	struct span properties; /* 5.0; without the length before them */
};

/*
 * Read and check the head of the PUBLISH at the front of `in`, whose fixed
 * header `frame` was parsed and checked.  Three outcomes:
 *
 *	a rule      it is broken by what is there
 *	NONE, need  `*need` > in.len: nothing can be said until that many bytes
 *	            of the packet are there (there may be another need then)
 *	NONE        `*need` is 0: `publish` is complete, its spans point into
 *	            `in`
 *
 * Bytes are asked for and checked field by field, so the outcome for the same
 * bytes is the same however they came.
 */
enum mqtt_rule mqtt_publish_head(struct span in, const struct mqtt_frame *frame,
    struct mqtt_sender from, struct mqtt_publish *publish, uint32_t *need);

/*
 * Append `packet`, which `publish` was read from (its head, and as much of its
 * payload as lies behind it), with `topic` in its topic's place: for one whose
 * alias the receiver was never told.  False, and nothing of use appended, where
 * it would be larger than MQTT allows or `out` cannot take it.
 */
bool mqtt_publish_put_topic(const struct mqtt_frame *frame,
    const struct mqtt_publish *publish, struct span packet, struct span topic,
    struct buf *out);

#endif
