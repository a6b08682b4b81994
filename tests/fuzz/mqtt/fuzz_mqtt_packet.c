/*
 * Any packet, read at every level and from both sides.  A CONNECT that is
 * sound stays itself when it is written again, and sound when it is edited; a
 * packet that is refused is refused by every reader alike.
 */

#include <stdio.h>
#include <stdlib.h>

#include "mqtt_connect.h"
#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_property.h"
#include "mqtt_publish.h"

enum { ROOM = 1 << 20 };

static void
require(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "broken: %s\n", what);
		abort();
	}
}

static void
read_properties(struct span properties)
{
	struct mqtt_property p;
	size_t before = properties.len;

	while (mqtt_property_next(&properties, &p)) {
		require(properties.len < before, "properties come to an end");
		before = properties.len;
	}
	require(properties.len == 0, "checked properties are read to the end");
}

/* Write it again with `edits` and read that. */
static void
rewrite(const struct mqtt_connect *c, const struct mqtt_connect_edits *edits,
    struct mqtt_connect *again, struct buf *out)
{
	struct mqtt_frame frame;

	buf_init(out, ROOM);
	require(mqtt_connect_rewrite(c, edits, out), "it can be written");
	require(mqtt_frame_parse(buf_span(out), &frame) == MQTT_FRAME_READY &&
		    mqtt_frame_size(&frame) == buf_len(out),
	    "it is one packet");
	require(
	    mqtt_connect_decode(&frame, mqtt_frame_body(&frame, buf_span(out)),
		again) == MQTT_RULE_NONE,
	    "it is sound");
}

static void
check_connect(const struct mqtt_frame *frame, struct span packet)
{
	const struct mqtt_connect_edits none = {0};
	const struct mqtt_connect_edits edits = {
	    .user_name = {MQTT_SET, span_of_str("pump-7")},
	    .password = {MQTT_DROP, {0}},
	};
	struct mqtt_connect c, again;
	struct span body = mqtt_frame_body(frame, packet);
	struct buf out;

	if (mqtt_connect_decode(frame, body, &c) != MQTT_RULE_NONE)
		return;
	read_properties(c.properties);
	read_properties(c.will_properties);
	rewrite(&c, &none, &again, &out);
	/* 3.1 may set flags for fields that are not there: they go. */
	if (c.level != MQTT_31)
		require(buf_len(&out) > 2 &&
			    span_equal(
				mqtt_frame_body(
				    &(struct mqtt_frame){
					.header_len =
					    (uint8_t)(buf_len(&out) - body.len),
					.remaining = (uint32_t)body.len},
				    buf_span(&out)),
				body),
		    "unedited it is what it was");
	buf_fini(&out);
	rewrite(&c, &edits, &again, &out);
	require(span_is(again.user_name, "pump-7") && !again.has_password &&
		    span_equal(again.will, c.will) &&
		    span_equal(again.settings, c.settings) &&
		    span_equal(again.client_id, c.client_id),
	    "edits change what they name");
	buf_fini(&out);
}

static void
check_subscribe(uint8_t type, struct span body, struct mqtt_sender from)
{
	struct mqtt_subscribe s;
	struct span filter;
	uint8_t options;
	unsigned count = 0;

	if (mqtt_subscribe_decode(type, body, from, &s) != MQTT_RULE_NONE)
		return;
	read_properties(s.properties);
	while (mqtt_subscribe_next(type, &s.filters, &filter, &options)) {
		require(filter.len > 0, "no empty filter");
		count++;
	}
	require(s.filters.len == 0, "checked filters are read to the end");
	require(count == s.count || s.count == UINT16_MAX, "all are counted");
}

static void
check_publish(
    const struct mqtt_frame *frame, struct span packet, struct mqtt_sender from)
{
	struct mqtt_publish p;
	uint32_t need;
	enum mqtt_rule rule = mqtt_publish_head(packet, frame, from, &p, &need);

	require(need == 0, "a whole packet needs no more");
	if (rule != MQTT_RULE_NONE)
		return;
	require(p.head_len + p.payload_len == packet.len, "head and payload");
	require(p.topic.len > 0 || p.topic_alias > 0, "a topic or an alias");
	read_properties(p.properties);
}

/* An answer with text and codes from the input is read back as sound. */
static void
check_answer(struct span in, struct mqtt_sender from)
{
	struct mqtt_answer a = {.level = from.level, .packet_id = 1};
	struct mqtt_frame frame;
	struct buf out;

	if (in.len < 2)
		return;
	a.type = in.data[0] & 0x0f;
	a.code = in.data[1];
	a.packet_max = in.data[0] >> 4;
	a.codes = span_of(in.data + 2, in.len - 2);
	buf_init(&out, ROOM);
	if (mqtt_encode_answer(&a, &out) == MQTT_ENCODED) {
		from.side = MQTT_FROM_BROKER;
		require(mqtt_frame_parse(buf_span(&out), &frame) ==
				MQTT_FRAME_READY &&
			    mqtt_frame_check_type(frame.type, from) ==
				MQTT_RULE_NONE &&
			    mqtt_frame_check_flags(&frame, from) ==
				MQTT_RULE_NONE &&
			    mqtt_packet_check(&frame,
				mqtt_frame_body(&frame, buf_span(&out)),
				from) == MQTT_RULE_NONE,
		    "what is written is sound");
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span packet = span_of(data, size);
	struct mqtt_frame frame;

	for (uint8_t level = MQTT_31; level <= MQTT_50; level++)
		check_answer(
		    packet, (struct mqtt_sender){MQTT_FROM_BROKER, level});
	if (mqtt_frame_parse(packet, &frame) != MQTT_FRAME_READY ||
	    size < mqtt_frame_size(&frame))
		return 0;
	packet.len = mqtt_frame_size(&frame);
	if (frame.type == MQTT_CONNECT)
		check_connect(&frame, packet);
	for (uint8_t level = MQTT_31; level <= MQTT_50; level++) {
		for (uint8_t side = 0; side < 2; side++) {
			struct mqtt_sender from = {side, level};
			struct span body = mqtt_frame_body(&frame, packet);

			if (frame.type == MQTT_PUBLISH)
				check_publish(&frame, packet, from);
			else if (frame.type == MQTT_SUBSCRIBE ||
				 frame.type == MQTT_UNSUBSCRIBE)
				check_subscribe(frame.type, body, from);
			else
				mqtt_packet_check(&frame, body, from);
		}
	}
	return 0;
}
