/* What a walk may hold, and what becomes of it without memory. */

#include "walking.h"

/* How many more allocations succeed; -1: all (linked with --wrap=malloc). */
static int allocations_left = -1;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *
__wrap_malloc(size_t size)
{
	if (allocations_left == 0)
		return NULL;
	if (allocations_left > 0)
		allocations_left--;
	return __real_malloc(size);
}

static void
test_what_is_too_large_to_hold_is_a_fault_at_once(void **state)
{
	struct mqtt_walk w;
	struct record r = {.frames = 0};

	mqtt_walk_init(&w, MQTT_FROM_CLIENT, &mqtt_limits_default);
	drain(&w, span_of("\x10\xff\xff\xff\x7f", 5), &r);
	assert_int_equal(r.fault.rule, MQTT_RULE_TOO_LARGE);
	assert_int_equal(mqtt_walk_held(&w), 0);
	mqtt_walk_fini(&w);
}

static void
test_what_is_held_grows_with_what_came_not_with_what_is_said(void **state)
{
	struct mqtt_walk up, down;
	struct record r = {.frames = 0};

	start(&up, &down, 4);
	/* A SUBSCRIBE that says it has 200,000 bytes. */
	drain(&up, span_of("\x82\xc0\x9a\x0c\0\1\0\1a\0", 10), &r);
	assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
	assert_true(mqtt_walk_held(&up) < 1024);
	mqtt_walk_fini(&up);
}

static void
test_without_memory_a_cut_frame_ends_the_walk(void **state)
{
	struct make stream = {.len = 0};
	int failed = 0;

	make_stream(&stream, 5);
	for (int n = 0;; n++) {
		struct mqtt_walk w;
		struct record r = {.frames = 0};

		mqtt_walk_init(&w, MQTT_FROM_CLIENT, &mqtt_limits_default);
		allocations_left = n;
		for (size_t i = 0; i < stream.len; i++)
			drain(&w, span_of(stream.data + i, 1), &r);
		allocations_left = -1;
		/* What came out before is what came in. */
		assert_memory_equal(r.out.data, stream.data, r.out.len);
		assert_int_equal(mqtt_walk_held(&w), 0);
		mqtt_walk_fini(&w);
		if (r.end == MQTT_WALK_NEED_MORE)
			break;
		assert_int_equal(r.end, MQTT_WALK_NO_MEMORY);
		failed++;
	}
	assert_true(failed > 5);
}

static void
test_whole_frames_need_no_memory_at_all(void **state)
{
	struct make stream = {.len = 0};
	struct mqtt_walk w;
	struct record r = {.frames = 0};

	make_stream(&stream, 5);
	mqtt_walk_init(&w, MQTT_FROM_CLIENT, &mqtt_limits_default);
	allocations_left = 0;
	drain(&w, make_span(&stream), &r);
	allocations_left = -1;
	assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
	assert_int_equal(r.out.len, stream.len);
	mqtt_walk_fini(&w);
}

static void
test_a_payload_of_the_greatest_size_streams_through(void **state)
{
	static const uint8_t zeros[65536];
	const uint64_t payload = MQTT_REMAINING_MAX - 3;
	struct mqtt_walk up, down;
	struct mqtt_walk_item item;
	uint64_t sent = 0, out = 0;
	struct span in = span_of("\x30\xff\xff\xff\x7f\0\1t", 8);

	start(&up, &down, 4);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_FORWARD);
	while (sent < payload) {
		uint64_t left = payload - sent;

		in = span_of(zeros, left < sizeof zeros ? left : sizeof zeros);
		sent += in.len;
		assert_int_equal(
		    mqtt_walk_next(&up, &in, &item), MQTT_WALK_FORWARD);
		assert_ptr_equal(item.bytes.data, zeros);
		out += item.bytes.len;
	}
	assert_int_equal(out, payload);
	assert_true(mqtt_walk_is_between(&up));
	in = span_of("\xc0\0", 2);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_FORWARD);
	mqtt_walk_fini(&up);
}

static void
test_the_caps_are_kept_to_the_byte(void **state)
{
	struct make connect = {.len = 0}, publish = {.len = 0};
	struct mqtt_limits limits = {0};

	make_connect(&connect, 4, "client");
	make_publish(&publish, 4, 0, "a/b/c", "a payload beyond every cap");
	for (int slack = -1; slack <= 0; slack++) {
		struct mqtt_walk w;
		struct record r = {.frames = 0};

		limits.connect_max = (uint32_t)((int)connect.len + slack);
		mqtt_walk_init(&w, MQTT_FROM_CLIENT, &limits);
		drain(&w, make_span(&connect), &r);
		assert_int_equal(r.fault.rule,
		    slack < 0 ? MQTT_RULE_TOO_LARGE : MQTT_RULE_NONE);
		limits.connect_max = (uint32_t)connect.len;
		limits.hold_max = (uint32_t)(2 + 2 + 5 + slack);
		mqtt_walk_init(&w, MQTT_FROM_CLIENT, &limits);
		drain(&w, make_span(&connect), &r);
		drain(&w, make_span(&publish), &r);
		assert_int_equal(r.fault.rule,
		    slack < 0 ? MQTT_RULE_TOO_LARGE : MQTT_RULE_NONE);
		mqtt_walk_fini(&w);
	}
}

static void
test_the_largest_whole_publish_is_a_packet_the_next_a_head(void **state)
{
	struct make publish = {.len = 0};

	make_publish(&publish, 4, 0, "a", "payload");
	for (int slack = -1; slack <= 0; slack++) {
		struct mqtt_limits limits = mqtt_limits_default;
		struct mqtt_walk up, down;
		struct record r = {.frames = 0};

		start(&up, &down, 4);
		limits.whole_max = (uint32_t)((int)publish.len + slack);
		up.limits = &limits;
		mqtt_walk_set_mask(&up, MQTT_MASK(MQTT_PUBLISH));
		drain(&up, make_span(&publish), &r);
		assert_int_equal(r.packets, slack == 0);
		assert_int_equal(r.heads, slack == -1);
		mqtt_walk_fini(&up);
	}
}

static void
test_a_cap_comes_before_what_lies_behind_it(void **state)
{
	const struct mqtt_limits limits = {100, 20, 20};
	struct make publish = {.len = 0};

	/* The wildcard is seen only where the cap would be passed. */
	make_publish(&publish, 4, 0, "a/topic/of/some/length/#", "");
	for (size_t cut = 0; cut <= publish.len; cut++) {
		struct mqtt_walk up, down;
		struct record r = {.frames = 0};

		start(&up, &down, 4);
		up.limits = &limits;
		if (drain(&up, span_of(publish.data, cut), &r) ==
		    MQTT_WALK_NEED_MORE)
			drain(&up,
			    span_of(publish.data + cut, publish.len - cut), &r);
		assert_int_equal(r.fault.rule, MQTT_RULE_TOO_LARGE);
		mqtt_walk_fini(&up);
	}
}

static void
test_the_largest_packet_passes_and_one_byte_more_is_refused(void **state)
{
	struct make publish = {.len = 0};

	make_publish(&publish, 4, 0, "a", "payload");
	for (int slack = -1; slack <= 0; slack++) {
		struct mqtt_limits limits = mqtt_limits_default;
		struct mqtt_walk up, down;
		struct record r = {.frames = 0};

		start(&up, &down, 4);
		limits.packet_max = (uint32_t)((int)publish.len + slack);
		up.limits = &limits;
		drain(&up, make_span(&publish), &r);
		assert_int_equal(r.fault.rule,
		    slack < 0 ? MQTT_RULE_PACKET_SIZE : MQTT_RULE_NONE);
		mqtt_walk_fini(&up);
	}
}

static void
test_an_idle_walk_is_small(void **state)
{
	assert_true(sizeof(struct mqtt_walk) <= 48);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_too_large_to_hold_is_a_fault_at_once),
	    cmocka_unit_test(
		test_what_is_held_grows_with_what_came_not_with_what_is_said),
	    cmocka_unit_test(test_without_memory_a_cut_frame_ends_the_walk),
	    cmocka_unit_test(test_whole_frames_need_no_memory_at_all),
	    cmocka_unit_test(
		test_a_payload_of_the_greatest_size_streams_through),
	    cmocka_unit_test(test_the_caps_are_kept_to_the_byte),
	    cmocka_unit_test(
		test_the_largest_whole_publish_is_a_packet_the_next_a_head),
	    cmocka_unit_test(test_a_cap_comes_before_what_lies_behind_it),
	    cmocka_unit_test(
		test_the_largest_packet_passes_and_one_byte_more_is_refused),
	    cmocka_unit_test(test_an_idle_walk_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
