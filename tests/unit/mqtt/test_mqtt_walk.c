#include "walking.h"

static void
test_a_stream_comes_out_as_it_went_in_at_every_cut(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make stream = {.len = 0};

		make_stream(&stream, level);
		for (size_t cut = 0; cut <= stream.len; cut++) {
			struct mqtt_walk w;
			struct record r = {.frames = 0};

			mqtt_walk_init(
			    &w, MQTT_FROM_CLIENT, &mqtt_limits_default);
			drain(&w, span_of(stream.data, cut), &r);
			drain(&w, span_of(stream.data + cut, stream.len - cut),
			    &r);
			assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
			assert_true(
			    span_equal(make_span(&r.out), make_span(&stream)));
			assert_int_equal(r.packets, 1);
			assert_int_equal(r.frames, 8);
			assert_int_equal(r.publishes, 3);
			assert_string_equal(r.topic, "\xc3\xa9/level");
			assert_int_equal(mqtt_walk_level(&w), level);
			assert_int_equal(mqtt_walk_held(&w), 0);
			mqtt_walk_fini(&w);
		}
	}
}

static void
test_a_stream_comes_out_as_it_went_in_byte_by_byte(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make stream = {.len = 0};
		struct mqtt_walk w;
		struct record r = {.frames = 0};

		make_stream(&stream, level);
		mqtt_walk_init(&w, MQTT_FROM_CLIENT, &mqtt_limits_default);
		for (size_t i = 0; i < stream.len; i++)
			drain(&w, span_of(stream.data + i, 1), &r);
		assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
		assert_true(span_equal(make_span(&r.out), make_span(&stream)));
		mqtt_walk_fini(&w);
	}
}

static void
test_whole_frames_are_given_out_as_one_span(void **state)
{
	struct make stream = {.len = 0};
	struct mqtt_walk up, down;
	struct record r = {.frames = 0};

	start(&up, &down, 4);
	for (int i = 0; i < 20; i++)
		make_publish(&stream, 4, 0, "a/b", "0123456789");
	drain(&up, make_span(&stream), &r);
	assert_int_equal(r.forwards, 1);
	assert_int_equal(r.frames, 20);
	mqtt_walk_fini(&up);
}

static void
test_nothing_is_given_out_before_the_head_was_seen(void **state)
{
	struct make stream = {.len = 0};
	size_t head = 2 + 2 + 3;

	make_publish(&stream, 4, 0, "a/b", "payload");
	for (size_t cut = 0; cut < stream.len; cut++) {
		struct mqtt_walk up, down;
		struct record r = {.frames = 0};

		start(&up, &down, 4);
		drain(&up, span_of(stream.data, cut), &r);
		assert_int_equal(r.out.len, cut < head ? 0 : cut);
		assert_int_equal(mqtt_walk_is_between(&up), cut < head);
		mqtt_walk_fini(&up);
	}
}

static void
test_a_publish_in_the_mask_is_given_whole(void **state)
{
	struct make stream = {.len = 0};
	struct mqtt_walk up, down;
	struct mqtt_walk_item item;
	struct span in;

	start(&up, &down, 5);
	mqtt_walk_set_mask(&up, MQTT_MASK(MQTT_PUBLISH));
	make_publish(&stream, 5, 2, "a/b", "payload");
	in = span_of(stream.data, 6);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_NEED_MORE);
	in = span_of(stream.data + 6, stream.len - 6);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_PACKET);
	assert_true(span_equal(item.bytes, make_span(&stream)));
	assert_true(span_is(item.publish.topic, "a/b"));
	assert_int_equal(item.publish.packet_id, 7);
	assert_int_equal(item.publish.payload_len, 7);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_NEED_MORE);
	mqtt_walk_fini(&up);
}

static void
test_a_large_publish_is_decided_by_its_head_and_then_skipped(void **state)
{
	static const struct mqtt_limits small = {1000, 1000, 20};
	struct make first = {.len = 0}, second = {.len = 0};
	struct mqtt_walk up, down;
	struct mqtt_walk_item item;
	struct record r = {.frames = 0};
	struct span in;

	start(&up, &down, 4);
	up.limits = &small;
	mqtt_walk_set_mask(&up, MQTT_MASK(MQTT_PUBLISH));
	make_publish(&first, 4, 0, "a/b", "a payload of thirty-odd characters");
	make_publish(&second, 4, 0, "a/c", "small");
	in = span_of(first.data, 10);
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_HEAD);
	assert_int_equal(item.bytes.len, 7);
	assert_int_equal(item.publish.payload_len, first.len - 7);
	assert_false(mqtt_walk_is_between(&up));
	mqtt_walk_skip(&up);
	assert_true(mqtt_walk_is_between(&up));
	assert_int_equal(mqtt_walk_next(&up, &in, &item), MQTT_WALK_NEED_MORE);
	drain(&up, span_of(first.data + 10, first.len - 10), &r);
	drain(&up, make_span(&second), &r);
	assert_int_equal(r.packets, 1);
	assert_true(span_equal(make_span(&r.out), make_span(&second)));
	mqtt_walk_fini(&up);
}

static void
test_the_brokers_walk_learns_the_level(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct mqtt_walk up, down;
		struct make stream = {.len = 0};
		struct record r = {.frames = 0};

		start(&up, &down, level);
		make_connack(&stream, level);
		make_publish(&stream, level, 1, "t", "p");
		drain(&down, make_span(&stream), &r);
		assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
		assert_int_equal(r.frames, 2);
		assert_int_equal(mqtt_walk_level(&down), level);
		mqtt_walk_fini(&down);
	}
}

static void
test_a_fault_stands_and_what_came_before_it_is_given_out(void **state)
{
	struct make stream = {.len = 0};
	struct mqtt_walk up, down;
	struct record r = {.frames = 0};

	start(&up, &down, 4);
	make_publish(&stream, 4, 0, "fine", "p");
	make_publish(&stream, 4, 0, "not/#", "p");
	drain(&up, make_span(&stream), &r);
	assert_int_equal(r.end, MQTT_WALK_MALFORMED);
	assert_int_equal(r.out.len, 2 + 2 + 4 + 1);
	assert_int_equal(r.fault.rule, MQTT_RULE_TOPIC_WILDCARD);
	assert_int_equal(r.fault.level, 4);
	assert_int_equal(r.fault.type, MQTT_PUBLISH);
	assert_int_equal(
	    drain(&up, span_of("\xc0\0", 2), &r), MQTT_WALK_MALFORMED);
	assert_int_equal(r.fault.rule, MQTT_RULE_TOPIC_WILDCARD);
}

static void
test_the_first_byte_of_another_protocol_is_enough(void **state)
{
	struct mqtt_walk w;
	struct record r = {.frames = 0};

	mqtt_walk_init(&w, MQTT_FROM_CLIENT, &mqtt_limits_default);
	drain(&w, span_of("G", 1), &r);
	assert_int_equal(r.fault.rule, MQTT_RULE_FIRST_CONNECT);
	mqtt_walk_fini(&w);
}

static void
test_extended_authentication_is_followed(void **state)
{
	static const char connect[] =
	    "\x10\x12\0\4MQTT\5\2\0\x3c\4\x15\0\1x\0\1c";
	static const char auth[] = "\xf0\6\x18\4\x15\0\1x";
	struct mqtt_walk up, down;
	struct make connack = {.len = 0};
	struct record r = {.frames = 0};

	mqtt_walk_init(&up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&down, MQTT_FROM_BROKER, &mqtt_limits_default);
	drain(&up, span_of(connect, sizeof connect - 1), &r);
	mqtt_walk_learn(&down, &up);
	assert_int_equal(drain(&down, span_of(auth, sizeof auth - 1), &r),
	    MQTT_WALK_NEED_MORE);
	assert_int_equal(drain(&up, span_of(auth, sizeof auth - 1), &r),
	    MQTT_WALK_NEED_MORE);
	make_connack(&connack, 5);
	assert_false(mqtt_walk_is_open(&down));
	assert_int_equal(
	    drain(&down, make_span(&connack), &r), MQTT_WALK_NEED_MORE);
	assert_true(mqtt_walk_is_open(&down));
	assert_int_equal(r.frames, 4);
	mqtt_walk_fini(&up);
	mqtt_walk_fini(&down);
}

static void
test_bits_that_3_1_leaves_free_are_free(void **state)
{
	struct mqtt_walk up, down;
	struct record r = {.frames = 0};

	start(&up, &down, 3);
	/* SUBSCRIBE and PUBREL again (DUP), upper bits of the QoS byte, PINGREQ
	 * with flags, DUP at QoS 0, a length in more bytes than it needs */
	drain(&up, span_of("\x8a\6\0\1\0\1a\x40", 8), &r);
	drain(&up, span_of("\x6a\2\0\1\xc1\0\x38\x83\0\0\1t", 12), &r);
	assert_int_equal(r.end, MQTT_WALK_NEED_MORE);
	assert_int_equal(r.frames, 4);
	mqtt_walk_fini(&up);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_stream_comes_out_as_it_went_in_at_every_cut),
	    cmocka_unit_test(
		test_a_stream_comes_out_as_it_went_in_byte_by_byte),
	    cmocka_unit_test(test_whole_frames_are_given_out_as_one_span),
	    cmocka_unit_test(
		test_nothing_is_given_out_before_the_head_was_seen),
	    cmocka_unit_test(test_a_publish_in_the_mask_is_given_whole),
	    cmocka_unit_test(
		test_a_large_publish_is_decided_by_its_head_and_then_skipped),
	    cmocka_unit_test(test_the_brokers_walk_learns_the_level),
	    cmocka_unit_test(
		test_a_fault_stands_and_what_came_before_it_is_given_out),
	    cmocka_unit_test(test_the_first_byte_of_another_protocol_is_enough),
	    cmocka_unit_test(test_extended_authentication_is_followed),
	    cmocka_unit_test(test_bits_that_3_1_leaves_free_are_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
