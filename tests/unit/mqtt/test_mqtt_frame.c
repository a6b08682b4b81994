#include "mqtt_frame.h"

#include "make.h"

static void
test_lengths_go_round(void **state)
{
	static const uint32_t values[] = {
	    0, 1, 127, 128, 16383, 16384, 2097151, 2097152, MQTT_REMAINING_MAX};
	static const uint8_t lens[] = {1, 1, 1, 2, 2, 3, 3, 4, 4};

	for (size_t i = 0; i < sizeof lens; i++) {
		uint8_t bytes[4];
		uint8_t len = mqtt_varint_put(bytes, values[i]);
		struct span in = span_of(bytes, len);
		uint32_t value;

		assert_int_equal(len, lens[i]);
		assert_int_equal(mqtt_varint_len(values[i]), len);
		assert_int_equal(
		    mqtt_varint_take(&in, &value), MQTT_FRAME_READY);
		assert_int_equal(value, values[i]);
		assert_int_equal(in.len, 0);
	}
}

static void
test_lengths_as_the_standard_encodes_them(void **state)
{
	uint8_t bytes[4];

	assert_int_equal(mqtt_varint_put(bytes, 321), 2);
	assert_memory_equal(bytes, "\xc1\x02", 2);
	assert_int_equal(mqtt_varint_put(bytes, MQTT_REMAINING_MAX), 4);
	assert_memory_equal(bytes, "\xff\xff\xff\x7f", 4);
}

static void
test_a_length_cut_off_needs_more_and_moves_nothing(void **state)
{
	for (size_t len = 0; len < 4; len++) {
		struct span in = span_of("\xff\xff\xff\x7f", len);
		uint32_t value;

		assert_int_equal(
		    mqtt_varint_take(&in, &value), MQTT_FRAME_NEED_MORE);
		assert_int_equal(in.len, len);
	}
}

static void
test_a_length_of_five_bytes_is_malformed(void **state)
{
	struct span in = span_of("\x80\x80\x80\x80\x01", 5);
	struct mqtt_frame frame;
	uint32_t value;

	assert_int_equal(mqtt_varint_take(&in, &value), MQTT_FRAME_MALFORMED);
	assert_int_equal(in.len, 5);
	assert_int_equal(
	    mqtt_frame_parse(span_of("\x30\x80\x80\x80\x80\x01", 6), &frame),
	    MQTT_FRAME_MALFORMED);
	/* known as soon as the fourth byte of the length is there */
	assert_int_equal(
	    mqtt_frame_parse(span_of("\x30\x80\x80\x80\x80", 5), &frame),
	    MQTT_FRAME_MALFORMED);
}

static void
test_a_header_is_read_at_every_cut(void **state)
{
	static const char bytes[] = "\x3b\x80\x80\x01payload";
	struct mqtt_frame f = {0};

	for (size_t len = 0; len < 4; len++)
		assert_int_equal(mqtt_frame_parse(span_of(bytes, len), &f),
		    MQTT_FRAME_NEED_MORE);
	for (size_t len = 4; len < sizeof bytes; len++) {
		assert_int_equal(mqtt_frame_parse(span_of(bytes, len), &f),
		    MQTT_FRAME_READY);
		assert_int_equal(f.type, MQTT_PUBLISH);
		assert_int_equal(f.flags, 0x0b);
		assert_int_equal(f.header_len, 4);
		assert_int_equal(f.remaining, 16384);
		assert_int_equal(mqtt_frame_size(&f), 16388);
	}
}

static void
test_the_type_is_known_from_the_first_byte(void **state)
{
	struct mqtt_frame f = {0};

	assert_int_equal(
	    mqtt_frame_parse(span_of("\x82", 1), &f), MQTT_FRAME_NEED_MORE);
	assert_int_equal(f.type, MQTT_SUBSCRIBE);
	assert_int_equal(f.flags, 2);
}

/* Section 2.2.1 of 3.1.1 and 2.1.2 of 5.0, by type. */
static void
test_who_may_send_what(void **state)
{
	/* c: client, b: broker, 5: 5.0 only */
	static const char *const may[MQTT_TYPES] = {"", "c", "b", "cb", "cb",
	    "cb", "cb", "cb", "c", "b", "c", "b", "c", "b", "c", ""};
	static const char *const may_50[MQTT_TYPES] = {"", "c", "b", "cb", "cb",
	    "cb", "cb", "cb", "c", "b", "c", "b", "c", "b", "cb", "cb"};

	for (uint8_t type = 0; type < MQTT_TYPES; type++) {
		for (uint8_t level = 3; level <= 5; level++) {
			const char *who = level == 5 ? may_50[type] : may[type];
			struct mqtt_sender client = {MQTT_FROM_CLIENT, level};
			struct mqtt_sender broker = {MQTT_FROM_BROKER, level};
			enum mqtt_rule no = who[0] == '\0'
						? MQTT_RULE_TYPE_RESERVED
						: MQTT_RULE_TYPE_SENDER;

			assert_int_equal(mqtt_frame_check_type(type, client),
			    strchr(who, 'c') ? MQTT_RULE_NONE : no);
			assert_int_equal(mqtt_frame_check_type(type, broker),
			    strchr(who, 'b') ? MQTT_RULE_NONE : no);
		}
	}
}

static void
test_flags_are_what_they_must_be(void **state)
{
	for (uint8_t type = MQTT_PUBACK; type < MQTT_TYPES; type++) {
		uint8_t right = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE ||
					type == MQTT_UNSUBSCRIBE
				    ? 2
				    : 0;

		for (uint8_t flags = 0; flags < 16; flags++) {
			struct mqtt_frame f = {.type = type, .flags = flags};
			struct mqtt_sender from = {MQTT_FROM_CLIENT, 4};

			assert_int_equal(
			    mqtt_frame_check_flags(&f, from) == MQTT_RULE_NONE,
			    flags == right);
			from.level = 3;
			assert_int_equal(
			    mqtt_frame_check_flags(&f, from), MQTT_RULE_NONE);
		}
	}
}

static void
test_publish_flags(void **state)
{
	for (uint8_t flags = 0; flags < 16; flags++) {
		struct mqtt_frame f = {.type = MQTT_PUBLISH, .flags = flags};
		struct mqtt_sender from = {MQTT_FROM_BROKER, 5};
		unsigned qos = (flags >> 1) & 3;

		assert_int_equal(mqtt_frame_check_flags(&f, from),
		    qos == 3		     ? MQTT_RULE_QOS_3
		    : qos == 0 && flags >= 8 ? MQTT_RULE_DUP_QOS_0
					     : MQTT_RULE_NONE);
	}
}

static void
test_types_and_levels_have_names(void **state)
{
	assert_string_equal(mqtt_type_name(MQTT_CONNECT), "CONNECT");
	assert_string_equal(mqtt_type_name(MQTT_AUTH), "AUTH");
	assert_string_equal(mqtt_type_name(0), "reserved");
	assert_string_equal(mqtt_level_name(3), "3.1");
	assert_string_equal(mqtt_level_name(4), "3.1.1");
	assert_string_equal(mqtt_level_name(5), "5.0");
	assert_string_equal(mqtt_level_name(0), "unknown");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths_go_round),
	    cmocka_unit_test(test_lengths_as_the_standard_encodes_them),
	    cmocka_unit_test(
		test_a_length_cut_off_needs_more_and_moves_nothing),
	    cmocka_unit_test(test_a_length_of_five_bytes_is_malformed),
	    cmocka_unit_test(test_a_header_is_read_at_every_cut),
	    cmocka_unit_test(test_the_type_is_known_from_the_first_byte),
	    cmocka_unit_test(test_who_may_send_what),
	    cmocka_unit_test(test_flags_are_what_they_must_be),
	    cmocka_unit_test(test_publish_flags),
	    cmocka_unit_test(test_types_and_levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
