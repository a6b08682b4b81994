/*
 * The same stream, cut in two different random ways, gives the same bytes, the
 * same packets to decide on and the same end; and what goes out is what came
 * in.  The last four bytes of the input choose side, level, mask and cuts, so
 * that recorded streams (tests/unit/mqtt/data) are good seeds as they are.
 */

#include <stdio.h>
#include <stdlib.h>

#include "mqtt_walk.h"

enum { OPTIONS = 4, HOLD_MAX = 300, WHOLE_MAX = 100, DECISIONS_MAX = 5000 };

static const struct mqtt_limits limits = {
    .connect_max = 200, .hold_max = HOLD_MAX, .whole_max = WHOLE_MAX};

struct run {
	struct buf out;
	size_t decisions;
	uint32_t decision[DECISIONS_MAX]; /* type, and bytes of the item */
	enum mqtt_walk_result end;
	struct mqtt_fault fault;
	uint32_t frames;
	bool skipped;
	bool between;
	size_t held;
};

static void
require(bool truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "broken: %s\n", what);
		abort();
	}
}

/* One step of a small generator; good enough to cut by. */
static uint32_t
next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 16;
}

static void
take_item(struct mqtt_walk *w, struct run *r, const struct mqtt_walk_item *item)
{
	bool skip = r->end == MQTT_WALK_HEAD && item->publish.topic.len % 2;

	r->frames += item->frames;
	if (r->end != MQTT_WALK_FORWARD && r->decisions < DECISIONS_MAX)
		r->decision[r->decisions++] = (uint32_t)item->frame.type << 28 |
					      (uint32_t)item->bytes.len;
	if (r->end == MQTT_WALK_PACKET)
		require(item->bytes.len == mqtt_frame_size(&item->frame),
		    "a packet is whole");
	if (!skip)
		buf_append(&r->out, item->bytes.data, item->bytes.len);
	else
		mqtt_walk_skip(w);
	r->skipped |= skip;
}

static void
run(struct mqtt_walk *w, struct span in, uint32_t seed, uint32_t size,
    struct run *r)
{
	struct mqtt_walk_item item;

	while (in.len > 0) {
		size_t len = 1 + next_random(&seed) % size;
		struct span part =
		    span_of(in.data, len < in.len ? len : in.len);

		in = span_of(in.data + part.len, in.len - part.len);
		while ((r->end = mqtt_walk_next(w, &part, &item)) !=
		       MQTT_WALK_NEED_MORE) {
			r->fault = item.fault;
			if (r->end == MQTT_WALK_MALFORMED)
				return;
			require(item.bytes.len > 0, "no empty item");
			take_item(w, r, &item);
		}
		require(part.len == 0, "all is used up");
		require(mqtt_walk_held(w) <= 2 * HOLD_MAX, "the cap is kept");
	}
	r->between = mqtt_walk_is_between(w);
}

static struct mqtt_walk
start(const uint8_t *options)
{
	static const struct mqtt_limits *l = &limits;
	struct mqtt_walk up, down;

	mqtt_walk_init(&up, MQTT_FROM_CLIENT, l);
	mqtt_walk_init(&down, MQTT_FROM_BROKER, l);
	if ((options[0] & 0x40) != 0) {
		mqtt_walk_set_mask(&up, 0xffff);
		mqtt_walk_set_mask(&down, 0xffff);
	} else if ((options[0] & 0x20) != 0) {
		mqtt_walk_set_mask(&up, MQTT_MASK(MQTT_PUBLISH));
		mqtt_walk_set_mask(&down, MQTT_MASK(MQTT_PUBLISH));
	}
	if ((options[0] & 0x80) == 0)
		return up;
	up.from.level = (uint8_t)(MQTT_31 + options[0] % 3);
	mqtt_walk_learn(&down, &up);
	return down;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run runs[2];
	struct span in;

	if (size < OPTIONS)
		return 0;
	in = span_of(data, size - OPTIONS);
	for (int i = 0; i < 2; i++) {
		const uint8_t *options = data + size - OPTIONS;
		struct mqtt_walk w = start(options);

		memset(&runs[i], 0, sizeof runs[i]);
		buf_init(&runs[i].out, size);
		run(&w, in, options[1 + i] + 1u,
		    i == 0 ? 1 + options[3] % 64u : 4096, &runs[i]);
		mqtt_walk_fini(&w);
	}
	require(runs[0].end == runs[1].end, "same end");
	require(runs[0].fault.rule == runs[1].fault.rule, "same rule");
	require(runs[0].frames == runs[1].frames, "same frames");
	require(runs[0].between == runs[1].between, "same place");
	require(runs[0].decisions == runs[1].decisions &&
		    memcmp(runs[0].decision, runs[1].decision,
			sizeof runs[0].decision) == 0,
	    "same decisions");
	require(span_equal(buf_span(&runs[0].out), buf_span(&runs[1].out)),
	    "same bytes");
	require(!runs[0].out.failed, "no more out than in");
	if (!runs[0].skipped)
		require(span_equal(buf_span(&runs[0].out),
			    span_of(data, buf_len(&runs[0].out))),
		    "out is what came in");
	buf_fini(&runs[0].out);
	buf_fini(&runs[1].out);
	return 0;
}
