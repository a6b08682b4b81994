#ifndef KAYA_TEST_MQTT_WALKING_H
#define KAYA_TEST_MQTT_WALKING_H

/* walking: a walk that is fed and whose results are written down. */

#include "make.h"
#include "mqtt_walk.h"

/* What a walk gave out for a stream. */
struct record {
	struct make out; /* every byte given out, in order */
	unsigned forwards;
	unsigned packets;
	unsigned heads;
	unsigned frames;
	unsigned publishes;
	char topic[64]; /* of the last of them that had one */
	enum mqtt_walk_result end;
	struct mqtt_fault fault;
};

static inline enum mqtt_walk_result
drain(struct mqtt_walk *w, struct span in, struct record *r)
{
	struct mqtt_walk_item item;

	for (;;) {
		r->end = mqtt_walk_next(w, &in, &item);
		r->frames += item.frames;
		r->publishes += item.publishes;
		if (item.topic.len > 0 && item.topic.len < sizeof r->topic) {
			memcpy(r->topic, item.topic.data, item.topic.len);
			r->topic[item.topic.len] = '\0';
		}
		switch (r->end) {
		case MQTT_WALK_FORWARD:
			assert_true(item.bytes.len > 0);
			r->forwards++;
			break;
		case MQTT_WALK_PACKET:
			r->packets++;
			break;
		case MQTT_WALK_HEAD:
			r->heads++;
			break;
		case MQTT_WALK_NEED_MORE:
			assert_int_equal(in.len, 0);
			return r->end;
		default:
			r->fault = item.fault;
			return r->end;
		}
		make_bytes(&r->out, item.bytes);
	}
}

static inline void
start(struct mqtt_walk *up, struct mqtt_walk *down, unsigned level)
{
	struct make connect = {.len = 0};
	struct record r = {.frames = 0};

	mqtt_walk_init(up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(down, MQTT_FROM_BROKER, &mqtt_limits_default);
	make_connect(&connect, level, "c");
	assert_int_equal(
	    drain(up, make_span(&connect), &r), MQTT_WALK_NEED_MORE);
	assert_int_equal(r.packets, 1);
	mqtt_walk_learn(down, up);
}

/* Some of everything a client sends at `level`. */
static inline void
make_stream(struct make *m, unsigned level)
{
	struct make body = {.len = 0};

	make_connect(m, level, "client");
	make_publish(m, level, 0, "a/b", "hello");
	make_publish(m, level, 3, "a/b/c", "");
	make_u16(&body, 9);
	if (level == 5)
		make_u8(&body, 0);
	make_u8(make_text(&body, "x/#"), 1);
	make_frame(m, 0x82, &body);
	make_bytes(m, span_of("\xc0\x00", 2));
	make_bytes(m, span_of("\x40\x02\x00\x01", 4));
	make_publish(m, level, 4, "\xc3\xa9/level", "pay\0load");
	make_bytes(m, span_of("\xe0\x00", 2));
}

#endif
