#include "mqtt_encode.h"

#include "make.h"
#include "mqtt_packet.h"
#include "mqtt_property.h"

enum { ROOM = 70000 };

static const struct mqtt_sender broker_50 = {MQTT_FROM_BROKER, MQTT_50};

/* Encode and compare with the bytes that the standard asks for. */
static void
check_bytes(const struct mqtt_answer *a, const char *bytes, size_t len)
{
	struct buf out;

	buf_init(&out, ROOM);
	assert_int_equal(mqtt_encode_answer(a, &out), MQTT_ENCODED);
	assert_int_equal(buf_len(&out), len);
	assert_memory_equal(buf_span(&out).data, bytes, len);
	buf_fini(&out);
}
#define CHECK(answer, bytes) check_bytes(&answer, bytes, sizeof bytes - 1)

static void
check_not_said(const struct mqtt_answer *a)
{
	struct buf out;

	buf_init(&out, ROOM);
	assert_int_equal(mqtt_encode_answer(a, &out), MQTT_NOT_SAID);
	assert_int_equal(buf_len(&out), 0);
	buf_fini(&out);
}

static void
test_a_refusal_is_said_as_each_level_says_it(void **state)
{
	static const struct {
		uint8_t reason;
		uint8_t return_code;
	} rows[] = {
	    {MQTT_UNSUPPORTED_VERSION, 1},
	    {MQTT_CLIENT_ID_NOT_VALID, 2},
	    {MQTT_SERVER_UNAVAILABLE, 3},
	    {MQTT_BAD_USER_NAME_OR_PASSWORD, 4},
	    {MQTT_NOT_AUTHORIZED, 5},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (uint8_t level = 3; level <= 5; level++) {
			struct mqtt_answer a = {.type = MQTT_CONNACK,
			    .level = level,
			    .code = rows[i].reason};
			char old[] = {0x20, 2, 0, (char)rows[i].return_code};
			char new[] = {0x20, 3, 0, (char)rows[i].reason, 0};

			if (level == 5)
				check_bytes(&a, new, sizeof new);
			else
				check_bytes(&a, old, sizeof old);
		}
	}
}

static void
test_before_the_level_is_known_a_refusal_is_that_of_3_1_1(void **state)
{
	struct mqtt_answer a = {
	    .type = MQTT_CONNACK, .code = MQTT_UNSUPPORTED_VERSION};

	CHECK(a, "\x20\2\0\1");
}

static void
test_an_acceptance_is_said_at_every_level(void **state)
{
	struct mqtt_answer old = {.type = MQTT_CONNACK, .level = MQTT_311};
	struct mqtt_answer new = {.type = MQTT_CONNACK, .level = MQTT_50};

	CHECK(old, "\x20\2\0\0");
	CHECK(new, "\x20\3\0\0\0");
}

static void
test_acks_carry_a_code_from_5_0_on(void **state)
{
	struct mqtt_answer a = {.type = MQTT_PUBACK,
	    .level = MQTT_50,
	    .code = MQTT_NOT_AUTHORIZED,
	    .packet_id = 0x1234};

	CHECK(a, "\x40\3\x12\x34\x87");
	a.code = MQTT_SUCCESS;
	CHECK(a, "\x40\2\x12\x34");
	a.level = MQTT_311;
	CHECK(a, "\x40\2\x12\x34");
	a.type = MQTT_PUBREC;
	CHECK(a, "\x50\2\x12\x34");
	a.type = MQTT_PUBREL;
	CHECK(a, "\x62\2\x12\x34");
	a.type = MQTT_PUBCOMP;
	CHECK(a, "\x70\2\x12\x34");
	a.code = MQTT_NOT_AUTHORIZED;
	check_not_said(&a);
}

static void
test_suback_says_failure_as_far_as_the_level_can(void **state)
{
	static const uint8_t codes[] = {1, MQTT_NOT_AUTHORIZED, 2};
	struct mqtt_answer a = {.type = MQTT_SUBACK,
	    .level = MQTT_50,
	    .packet_id = 9,
	    .codes = {codes, sizeof codes}};

	CHECK(a, "\x90\6\0\x09\0\1\x87\2");
	a.level = MQTT_311;
	CHECK(a, "\x90\5\0\x09\1\x80\2");
	a.level = MQTT_31;
	check_not_said(&a);
	a.codes.len = 1;
	CHECK(a, "\x90\3\0\x09\1");
	a.codes.len = 0;
	check_not_said(&a);
}

static void
test_unsuback_has_codes_from_5_0_on(void **state)
{
	static const uint8_t codes[] = {0, MQTT_NOT_AUTHORIZED};
	struct mqtt_answer a = {.type = MQTT_UNSUBACK,
	    .level = MQTT_50,
	    .packet_id = 9,
	    .codes = {codes, sizeof codes}};

	CHECK(a, "\xb0\5\0\x09\0\0\x87");
	a.level = MQTT_311;
	CHECK(a, "\xb0\2\0\x09");
}

static void
test_disconnect_is_a_brokers_from_5_0_on(void **state)
{
	struct mqtt_answer a = {.type = MQTT_DISCONNECT,
	    .level = MQTT_50,
	    .code = MQTT_ADMINISTRATIVE_ACTION};

	CHECK(a, "\xe0\1\x98");
	a.code = 0;
	CHECK(a, "\xe0\0");
	a.level = MQTT_311;
	check_not_said(&a);
}

static void
test_a_ping_is_answered(void **state)
{
	struct mqtt_answer a = {.type = MQTT_PINGRESP, .level = MQTT_50};

	CHECK(a, "\xd0\0");
	a.level = MQTT_31;
	CHECK(a, "\xd0\0");
}

static void
test_a_reason_string_is_read_back(void **state)
{
	struct mqtt_answer a = {.type = MQTT_DISCONNECT,
	    .level = MQTT_50,
	    .code = MQTT_NOT_AUTHORIZED,
	    .text = span_of_str("the policy says no")};
	struct mqtt_frame frame;
	struct mqtt_end end;
	struct mqtt_property p;
	struct buf out;

	buf_init(&out, ROOM);
	assert_int_equal(mqtt_encode_answer(&a, &out), MQTT_ENCODED);
	mqtt_frame_parse(buf_span(&out), &frame);
	assert_int_equal(
	    mqtt_end_decode(MQTT_DISCONNECT,
		mqtt_frame_body(&frame, buf_span(&out)), broker_50, &end),
	    MQTT_RULE_NONE);
	assert_int_equal(end.code, MQTT_NOT_AUTHORIZED);
	assert_true(mqtt_property_find(end.properties, MQTT_REASON_STRING, &p));
	assert_true(span_is(p.text, "the policy says no"));
	buf_fini(&out);
}

static void
test_a_reason_string_is_left_out_where_the_client_takes_no_more(void **state)
{
	struct mqtt_answer a = {.type = MQTT_CONNACK,
	    .level = MQTT_50,
	    .code = MQTT_NOT_AUTHORIZED,
	    .text = span_of_str("0123456789"),
	    .packet_max = 18};

	CHECK(a, "\x20\x10\0\x87\x0d\x1f\0\x0a"
		 "0123456789");
	a.packet_max = 17;
	CHECK(a, "\x20\3\0\x87\0");
}

static void
test_a_code_that_is_not_the_packets_is_not_said(void **state)
{
	struct mqtt_answer a = {
	    .type = MQTT_CONNACK, .level = MQTT_50, .code = 0x8b};

	check_not_said(&a);
	a.level = MQTT_311;
	a.code = MQTT_PROTOCOL_ERROR;
	check_not_said(&a);
	a.type = MQTT_CONNECT;
	check_not_said(&a);
}

static void
test_codes_are_for_answers_with_a_code_for_each_filter(void **state)
{
	static const uint8_t codes[] = {0, 1};
	struct mqtt_answer a = {.type = MQTT_PUBACK,
	    .level = MQTT_50,
	    .packet_id = 1,
	    .codes = {codes, sizeof codes}};

	CHECK(a, "\x40\2\0\1");
	a.code = MQTT_NOT_AUTHORIZED;
	CHECK(a, "\x40\3\0\1\x87");
}

static void
test_where_there_is_no_room_nothing_is_appended(void **state)
{
	struct mqtt_answer a = {.type = MQTT_CONNACK, .level = MQTT_311};
	struct buf out;

	for (size_t max = 0; max < 4; max++) {
		buf_init(&out, max);
		assert_int_equal(mqtt_encode_answer(&a, &out), MQTT_NO_ROOM);
		assert_int_equal(buf_len(&out), 0);
		buf_fini(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_refusal_is_said_as_each_level_says_it),
	    cmocka_unit_test(
		test_before_the_level_is_known_a_refusal_is_that_of_3_1_1),
	    cmocka_unit_test(test_an_acceptance_is_said_at_every_level),
	    cmocka_unit_test(test_acks_carry_a_code_from_5_0_on),
	    cmocka_unit_test(test_suback_says_failure_as_far_as_the_level_can),
	    cmocka_unit_test(test_unsuback_has_codes_from_5_0_on),
	    cmocka_unit_test(test_disconnect_is_a_brokers_from_5_0_on),
	    cmocka_unit_test(test_a_ping_is_answered),
	    cmocka_unit_test(test_a_reason_string_is_read_back),
	    cmocka_unit_test(
		test_a_reason_string_is_left_out_where_the_client_takes_no_more),
	    cmocka_unit_test(test_a_code_that_is_not_the_packets_is_not_said),
	    cmocka_unit_test(
		test_codes_are_for_answers_with_a_code_for_each_filter),
	    cmocka_unit_test(test_where_there_is_no_room_nothing_is_appended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
