#include "mqtt_request.h"

#include "make.h"
#include "mqtt_connect.h"
#include "mqtt_packet.h"
#include "mqtt_publish.h"

enum { ROOM = 1000 };

static void
check(struct buf *out, const char *bytes, size_t len)
{
	assert_false(out->failed);
	assert_int_equal(buf_len(out), len);
	assert_memory_equal(buf_span(out).data, bytes, len);
	buf_fini(out);
	buf_init(out, ROOM);
}
#define CHECK(out, bytes) check(&out, bytes, sizeof(bytes) - 1)

static void
test_each_packet_is_as_the_standard_has_it(void **state)
{
	struct mqtt_request_connect connect = {.level = MQTT_311,
	    .keep_alive_s = 30,
	    .client_id = span_of_str("me"),
	    .user = span_of_str("u"),
	    .password = span_of_str("pw")};
	struct buf out;

	buf_init(&out, ROOM);
	mqtt_put_connect(&connect, &out);
	CHECK(out, "\x10\x15\0\4MQTT\4\xc2\0\x1e\0\2me\0\1u\0\2pw");
	connect.level = MQTT_50;
	connect.password = span_of(NULL, 0);
	mqtt_put_connect(&connect, &out);
	CHECK(out, "\x10\x12\0\4MQTT\5\x82\0\x1e\0\0\2me\0\1u");
	mqtt_put_subscribe(MQTT_311, 7, span_of_str("a/#"), 1, &out);
	CHECK(out, "\x82\x08\0\7\0\3a/#\1");
	mqtt_put_subscribe(MQTT_50, 7, span_of_str("a/#"), 2, &out);
	CHECK(out, "\x82\x09\0\7\0\0\3a/#\2");
	mqtt_put_publish(MQTT_311, 9, span_of_str("t"), span_of_str("x"), &out);
	CHECK(out, "\x32\x06\0\1t\0\x09x");
	mqtt_put_publish(MQTT_50, 0, span_of_str("t"), span_of_str("x"), &out);
	CHECK(out, "\x30\x05\0\1t\0x");
	mqtt_put_pingreq(&out);
	CHECK(out, "\xc0\0");
	buf_fini(&out);
}

static void
test_a_password_without_a_user_is_not_sent(void **state)
{
	const struct mqtt_request_connect connect = {
	    .level = MQTT_311, .password = span_of_str("pw")};
	struct mqtt_connect read;
	struct mqtt_frame frame;
	struct buf out;

	buf_init(&out, ROOM);
	mqtt_put_connect(&connect, &out);
	assert_int_equal(
	    mqtt_frame_parse(buf_span(&out), &frame), MQTT_FRAME_READY);
	assert_int_equal(mqtt_connect_decode(&frame,
			     mqtt_frame_body(&frame, buf_span(&out)), &read),
	    MQTT_RULE_NONE);
	assert_false(read.has_user_name);
	assert_false(read.has_password);
	assert_true(read.clean);
	buf_fini(&out);
}

static void
test_what_does_not_fit_is_a_failure(void **state)
{
	static char large[ROOM];
	struct buf out;

	buf_init(&out, ROOM);
	mqtt_put_publish(
	    MQTT_311, 9, span_of_str("t"), span_of(large, sizeof large), &out);
	assert_true(out.failed);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_packet_is_as_the_standard_has_it),
	    cmocka_unit_test(test_a_password_without_a_user_is_not_sent),
	    cmocka_unit_test(test_what_does_not_fit_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
