#include "mqtt_connect.h"

#include "make.h"

enum { ALL_FLAGS = 0xee }; /* user, password, will retain, QoS 1, will, clean */

static struct make *
make_full(struct make *m, unsigned level)
{
	struct make body = {.len = 0};

	make_text(&body, level == 3 ? "MQIsdp" : "MQTT");
	make_u16(make_u8(make_u8(&body, level), ALL_FLAGS), 300);
	if (level == 5)
		make_bytes(&body, span_of("\x05\x11\0\0\0\x0a", 6));
	make_text(&body, "the-client");
	if (level == 5)
		make_bytes(&body, span_of("\x05\x18\0\0\0\x01", 6));
	make_text(make_text(&body, "will/topic"), "will payload");
	return make_frame(m, 0x10, make_text(make_text(&body, "dan"), "word"));
}

static enum mqtt_rule
decode(struct span packet, struct mqtt_connect *c)
{
	struct mqtt_frame frame;

	assert_int_equal(mqtt_frame_parse(packet, &frame), MQTT_FRAME_READY);
	assert_int_equal(mqtt_frame_size(&frame), packet.len);
	return mqtt_connect_decode(&frame, mqtt_frame_body(&frame, packet), c);
}

static void
test_every_field_is_read_at_every_level(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make m = {.len = 0};
		struct mqtt_connect c;

		assert_int_equal(decode(make_span(make_full(&m, level)), &c),
		    MQTT_RULE_NONE);
		assert_int_equal(c.level, level);
		assert_true(c.clean && c.has_will && c.will_retain);
		assert_true(c.has_user_name && c.has_password && !c.bridge);
		assert_int_equal(c.will_qos, 1);
		assert_int_equal(c.keep_alive_s, 300);
		assert_true(span_is(c.client_id, "the-client"));
		assert_true(span_is(c.will_topic, "will/topic"));
		assert_true(span_is(c.will_payload, "will payload"));
		assert_true(span_is(c.user_name, "dan"));
		assert_true(span_is(c.password, "word"));
		assert_int_equal(c.properties.len, level == 5 ? 5 : 0);
		assert_int_equal(c.will_properties.len, level == 5 ? 5 : 0);
	}
}

static void
test_cut_off_anywhere_it_is_refused(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make m = {.len = 0};

		make_full(&m, level);
		for (size_t len = 2; len < m.len; len++) {
			struct mqtt_connect c;
			enum mqtt_rule rule;

			m.data[1] = (uint8_t)(len - 2);
			rule = decode(span_of(m.data, len), &c);
			/* 3.1 allows that user name and password are missing */
			if (level == 3 &&
			    (len == m.len - 6 || len == m.len - 6 - 5)) {
				assert_int_equal(rule, MQTT_RULE_NONE);
				assert_false(c.has_password);
			} else {
				assert_int_not_equal(rule, MQTT_RULE_NONE);
			}
		}
	}
}

static void
test_a_bridge_says_so_in_its_level(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make m = {.len = 0};
		struct mqtt_connect c;
		enum mqtt_rule rule;

		make_full(&m, level);
		m.data[level == 3 ? 10 : 8] |= 0x80;
		rule = decode(make_span(&m), &c);
		if (level == 5) {
			assert_int_equal(rule, MQTT_RULE_PROTOCOL_LEVEL);
			continue;
		}
		assert_int_equal(rule, MQTT_RULE_NONE);
		assert_int_equal(c.level, level);
		assert_true(c.bridge);
	}
}

static void
test_unedited_it_is_written_as_it_came(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct mqtt_connect_edits none = {0};
		struct mqtt_connect c;
		struct make m = {.len = 0};
		struct buf out;

		make_full(&m, level);
		if (level != 5)
			m.data[level == 3 ? 10 : 8] |= 0x80;
		assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_NONE);
		buf_init(&out, 4096);
		assert_true(mqtt_connect_rewrite(&c, &none, &out));
		assert_true(span_equal(buf_span(&out), make_span(&m)));
		buf_fini(&out);
	}
}

static void
test_the_user_name_is_set_and_the_password_taken_out(void **state)
{
	const struct mqtt_connect_edits edits = {
	    .user_name = {MQTT_SET, span_of_str("pump-7")},
	    .password = {MQTT_DROP, {0}},
	};

	for (unsigned level = 3; level <= 5; level++) {
		struct mqtt_connect before, after;
		struct make m = {.len = 0};
		struct buf out;

		make_full(&m, level);
		assert_int_equal(
		    decode(make_span(&m), &before), MQTT_RULE_NONE);
		buf_init(&out, 4096);
		assert_true(mqtt_connect_rewrite(&before, &edits, &out));
		assert_int_equal(
		    decode(buf_span(&out), &after), MQTT_RULE_NONE);
		assert_true(span_is(after.user_name, "pump-7"));
		assert_false(after.has_password);
		assert_int_equal(after.flags, before.flags & ~0x40);
		assert_true(span_equal(after.client_id, before.client_id));
		assert_true(span_equal(after.will, before.will));
		assert_true(span_equal(after.settings, before.settings));
		assert_true(span_equal(after.protocol, before.protocol));
		buf_fini(&out);
	}
}

static void
test_a_user_name_is_put_where_none_was(void **state)
{
	const struct mqtt_connect_edits edits = {
	    .client_id = {MQTT_SET, span_of_str("other-id")},
	    .user_name = {MQTT_SET, span_of_str("pump-7")},
	    .password = {MQTT_SET, span_of_str("secret")},
	};
	struct mqtt_connect before, after;
	struct make m = {.len = 0};
	struct buf out;

	make_connect(&m, 4, "c");
	assert_int_equal(decode(make_span(&m), &before), MQTT_RULE_NONE);
	buf_init(&out, 4096);
	assert_true(mqtt_connect_rewrite(&before, &edits, &out));
	assert_int_equal(decode(buf_span(&out), &after), MQTT_RULE_NONE);
	assert_true(span_is(after.client_id, "other-id"));
	assert_true(span_is(after.user_name, "pump-7"));
	assert_true(span_is(after.password, "secret"));
	buf_fini(&out);
}

static void
test_what_an_answer_must_heed_is_noted(void **state)
{
	struct make body = {.len = 0}, m = {.len = 0};
	struct mqtt_connect c;

	make_text(&body, "MQTT");
	make_u16(make_u8(make_u8(&body, 5), 0x02), 60);
	make_bytes(&body, span_of("\x0b\x27\0\0\1\0\x17\0\x15\0\1m", 12));
	make_frame(&m, 0x10, make_text(&body, ""));
	assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_NONE);
	assert_int_equal(c.packet_max, 256);
	assert_true(c.no_problem_information);
	assert_true(c.has_auth_method);
	m.len = 0;
	make_connect(&m, 5, "c");
	assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_NONE);
	assert_int_equal(c.packet_max, 0);
	assert_false(c.no_problem_information || c.has_auth_method);
}

static void
test_flags_that_3_1_leaves_free_are_kept(void **state)
{
	const struct mqtt_connect_edits none = {0};
	struct mqtt_connect c;
	struct make m = {.len = 0};
	struct buf out;

	make_full(&m, 3);
	m.data[0] = 0x18;
	m.data[11] |= 0x01;
	assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_NONE);
	buf_init(&out, 4096);
	assert_true(mqtt_connect_rewrite(&c, &none, &out));
	assert_true(span_equal(buf_span(&out), make_span(&m)));
	buf_fini(&out);
}

static void
test_the_level_is_known_though_the_rest_is_broken(void **state)
{
	for (unsigned level = 3; level <= 5; level++) {
		struct make m = {.len = 0};
		struct mqtt_connect c;

		make_full(&m, level);
		m.data[1] = (uint8_t)(m.data[1] + 1);
		make_u8(&m, 'x');
		assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_SURPLUS);
		assert_int_equal(c.level, level);
	}
}

static void
test_what_would_be_no_connect_is_not_written(void **state)
{
	static const uint8_t long_text[65536];
	const struct mqtt_connect_edits edits[] = {
	    {.client_id = {MQTT_DROP, {0}}},
	    {.user_name = {MQTT_DROP, {0}}},
	    {.user_name = {MQTT_SET, {long_text, sizeof long_text}}},
	    {.password = {MQTT_SET, {long_text, sizeof long_text}}},
	};
	struct mqtt_connect c;
	struct make m = {.len = 0};
	struct buf out;

	make_full(&m, 4);
	assert_int_equal(decode(make_span(&m), &c), MQTT_RULE_NONE);
	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
		assert_false(mqtt_connect_rewrite(&c, &edits[i], &out));
		assert_int_equal(buf_len(&out), 0);
	}
	buf_fini(&out);
	buf_init(&out, 20);
	assert_false(
	    mqtt_connect_rewrite(&c, &(struct mqtt_connect_edits){0}, &out));
	assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_field_is_read_at_every_level),
	    cmocka_unit_test(test_cut_off_anywhere_it_is_refused),
	    cmocka_unit_test(test_a_bridge_says_so_in_its_level),
	    cmocka_unit_test(test_unedited_it_is_written_as_it_came),
	    cmocka_unit_test(
		test_the_user_name_is_set_and_the_password_taken_out),
	    cmocka_unit_test(test_a_user_name_is_put_where_none_was),
	    cmocka_unit_test(test_what_an_answer_must_heed_is_noted),
	    cmocka_unit_test(test_flags_that_3_1_leaves_free_are_kept),
	    cmocka_unit_test(test_the_level_is_known_though_the_rest_is_broken),
	    cmocka_unit_test(test_what_would_be_no_connect_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
