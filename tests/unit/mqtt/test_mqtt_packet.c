#include "mqtt_packet.h"

#include "make.h"
#include "mqtt_property.h"
#include "mqtt_publish.h"
#include "mqtt_reason.h"

#define B(bytes) span_of(bytes, sizeof bytes - 1)

static struct mqtt_sender
from(uint8_t side, uint8_t level)
{
	return (struct mqtt_sender){side, level};
}

static void
test_connack_is_read_at_every_level(void **state)
{
	struct mqtt_connack c;

	assert_int_equal(
	    mqtt_connack_decode(B("\1\0"), from(MQTT_FROM_BROKER, 4), &c),
	    MQTT_RULE_NONE);
	assert_true(c.session_present && c.code == 0);
	assert_int_equal(
	    mqtt_connack_decode(B("\0\5"), from(MQTT_FROM_BROKER, 4), &c),
	    MQTT_RULE_NONE);
	assert_true(!c.session_present && c.code == 5);
	/* 3.1 does not use the first byte */
	assert_int_equal(
	    mqtt_connack_decode(B("\xff\2"), from(MQTT_FROM_BROKER, 3), &c),
	    MQTT_RULE_NONE);
	assert_true(!c.session_present && c.code == 2);
	assert_int_equal(mqtt_connack_decode(B("\0\x87\4\x1f\0\1t"),
			     from(MQTT_FROM_BROKER, 5), &c),
	    MQTT_RULE_NONE);
	assert_int_equal(c.code, 0x87);
	assert_int_equal(c.properties.len, 4);
}

static void
test_an_old_broker_may_refuse_5_0_as_3_1_1_does(void **state)
{
	struct mqtt_connack c;
	struct mqtt_sender s = from(MQTT_FROM_BROKER, 5);

	assert_int_equal(mqtt_connack_decode(B("\0\1"), s, &c), MQTT_RULE_NONE);
	assert_int_equal(c.code, MQTT_UNSUPPORTED_VERSION);
	assert_int_equal(
	    mqtt_connack_decode(B("\0\5"), s, &c), MQTT_RULE_CONNACK_CODE);
	assert_int_equal(
	    mqtt_connack_decode(B("\0\0"), s, &c), MQTT_RULE_PROPERTY_LENGTH);
}

static void
test_acks_are_read_in_their_short_and_long_forms(void **state)
{
	struct mqtt_ack a;
	struct mqtt_sender s = from(MQTT_FROM_CLIENT, 5);

	assert_int_equal(mqtt_ack_decode(MQTT_PUBACK, B("\x12\x34"),
			     from(MQTT_FROM_CLIENT, 4), &a),
	    MQTT_RULE_NONE);
	assert_true(a.packet_id == 0x1234 && a.code == 0);
	assert_int_equal(
	    mqtt_ack_decode(MQTT_PUBACK, B("\x12\x34"), s, &a), MQTT_RULE_NONE);
	assert_true(a.packet_id == 0x1234 && a.code == 0);
	assert_int_equal(
	    mqtt_ack_decode(MQTT_PUBREC, B("\0\1\x87"), s, &a), MQTT_RULE_NONE);
	assert_true(a.code == 0x87 && a.properties.len == 0);
	assert_int_equal(mqtt_ack_decode(MQTT_PUBCOMP, B("\0\1\x92\0"), s, &a),
	    MQTT_RULE_NONE);
	assert_int_equal(
	    mqtt_ack_decode(MQTT_PUBREL, B("\0\1\x92\4\x1f\0\1t"), s, &a),
	    MQTT_RULE_NONE);
	assert_true(a.code == 0x92 && a.properties.len == 4);
}

static void
test_filters_are_read_one_by_one(void **state)
{
	static const char old[] = "\0\x09\0\3a/#\2\0\1b\0";
	static const char new[] = "\0\x09\2\x0b\7\0\3a/#\x2e\0\1b\0";

	for (uint8_t level = 3; level <= 5; level++) {
		struct span body = level == 5 ? B(new) : B(old), filter;
		struct mqtt_subscribe s;
		uint8_t options;

		assert_int_equal(mqtt_subscribe_decode(MQTT_SUBSCRIBE, body,
				     from(MQTT_FROM_CLIENT, level), &s),
		    MQTT_RULE_NONE);
		assert_int_equal(s.packet_id, 9);
		assert_int_equal(s.count, 2);
		assert_int_equal(s.properties.len, level == 5 ? 2 : 0);
		assert_true(mqtt_subscribe_next(
		    MQTT_SUBSCRIBE, &s.filters, &filter, &options));
		assert_true(span_is(filter, "a/#"));
		assert_int_equal(options, level == 5 ? 0x2e : 2);
		assert_true(mqtt_subscribe_next(
		    MQTT_SUBSCRIBE, &s.filters, &filter, &options));
		assert_true(span_is(filter, "b"));
		assert_false(mqtt_subscribe_next(
		    MQTT_SUBSCRIBE, &s.filters, &filter, &options));
	}
}

static void
test_unsubscribe_has_filters_alone(void **state)
{
	struct mqtt_subscribe s;
	struct span filter;
	uint8_t options = 9;

	assert_int_equal(
	    mqtt_subscribe_decode(MQTT_UNSUBSCRIBE, B("\0\1\0\1a\0\1b"),
		from(MQTT_FROM_CLIENT, 4), &s),
	    MQTT_RULE_NONE);
	assert_int_equal(s.count, 2);
	assert_true(mqtt_subscribe_next(
	    MQTT_UNSUBSCRIBE, &s.filters, &filter, &options));
	assert_true(span_is(filter, "a") && options == 0);
}

static void
test_suback_keeps_its_codes(void **state)
{
	struct mqtt_suback s;

	for (uint8_t level = 3; level <= 4; level++) {
		assert_int_equal(
		    mqtt_suback_decode(MQTT_SUBACK, B("\0\1\0\1\2\x80"),
			from(MQTT_FROM_BROKER, level), &s),
		    MQTT_RULE_NONE);
		assert_int_equal(s.codes.len, 4);
	}
	assert_int_equal(mqtt_suback_decode(MQTT_SUBACK, B("\0\1\0\2\x9e"),
			     from(MQTT_FROM_BROKER, 5), &s),
	    MQTT_RULE_NONE);
	assert_memory_equal(s.codes.data, "\2\x9e", 2);
	assert_int_equal(mqtt_suback_decode(MQTT_UNSUBACK, B("\0\1\0\0\x11"),
			     from(MQTT_FROM_BROKER, 5), &s),
	    MQTT_RULE_NONE);
	assert_int_equal(mqtt_suback_decode(MQTT_UNSUBACK, B("\0\1"),
			     from(MQTT_FROM_BROKER, 4), &s),
	    MQTT_RULE_NONE);
	assert_int_equal(s.codes.len, 0);
}

static void
test_disconnect_and_auth_may_leave_out_what_is_zero(void **state)
{
	struct mqtt_sender s = from(MQTT_FROM_CLIENT, 5);
	struct mqtt_end e;

	assert_int_equal(
	    mqtt_end_decode(MQTT_DISCONNECT, B(""), s, &e), MQTT_RULE_NONE);
	assert_int_equal(e.code, 0);
	assert_int_equal(
	    mqtt_end_decode(MQTT_DISCONNECT, B("\4"), s, &e), MQTT_RULE_NONE);
	assert_int_equal(e.code, 4);
	assert_int_equal(
	    mqtt_end_decode(MQTT_DISCONNECT, B("\0\5\x11\0\0\0\0"), s, &e),
	    MQTT_RULE_NONE);
	assert_int_equal(e.properties.len, 5);
	assert_int_equal(
	    mqtt_end_decode(MQTT_AUTH, B(""), s, &e), MQTT_RULE_NONE);
	assert_int_equal(
	    mqtt_end_decode(MQTT_AUTH, B("\x18\4\x15\0\1m"), s, &e),
	    MQTT_RULE_NONE);
	assert_int_equal(e.code, 0x18);
}

/* What is sound whole, and where it may end early and still be sound. */
static const struct {
	uint8_t type;
	uint8_t level;
	const char *body;
	size_t len;
	uint32_t sound_at; /* a bit for each such length */
} bodies[] = {
#define ROW(type, level, body, sound)                                          \
	{                                                                      \
		MQTT_##type, level, body, sizeof body - 1, sound               \
	}
    ROW(CONNACK, 4, "\0\0", 0),
    ROW(CONNACK, 5, "\0\0\3\x21\0\1", 0),
    ROW(PUBACK, 4, "\0\1", 0),
    ROW(PUBACK, 5, "\0\1\x10\4\x1f\0\1t", 1 << 2 | 1 << 3),
    ROW(PUBREL, 5, "\0\1\x92\4\x1f\0\1t", 1 << 2 | 1 << 3),
    ROW(SUBSCRIBE, 4, "\0\1\0\3a/b\1\0\1c\1", 1 << 8),
    ROW(SUBSCRIBE, 5, "\0\1\2\x0b\1\0\3a/b\1\0\1c\1", 1 << 11),
    ROW(SUBACK, 4, "\0\1\0\1", 1 << 3),
    ROW(SUBACK, 5, "\0\1\4\x1f\0\1t\0\1", 1 << 8),
    ROW(UNSUBSCRIBE, 4, "\0\1\0\3a/b\0\1c", 1 << 7),
    ROW(UNSUBACK, 4, "\0\1", 0),
    ROW(UNSUBACK, 5, "\0\1\0\0\x11", 1 << 4),
    ROW(DISCONNECT, 5, "\x04\4\x1f\0\1t", 1 << 0 | 1 << 1),
    ROW(AUTH, 5, "\x18\4\x15\0\1m", 1 << 0),
#undef ROW
};

static void
test_cut_off_anywhere_they_are_refused(void **state)
{
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		for (size_t len = 0; len <= bodies[i].len; len++) {
			struct mqtt_frame frame = {.type = bodies[i].type,
			    .header_len = 2,
			    .remaining = (uint32_t)len};
			bool client = bodies[i].type == MQTT_SUBSCRIBE ||
				      bodies[i].type == MQTT_UNSUBSCRIBE;
			enum mqtt_rule rule = mqtt_packet_check(&frame,
			    span_of(bodies[i].body, len),
			    from(client ? MQTT_FROM_CLIENT : MQTT_FROM_BROKER,
				bodies[i].level));
			bool sound = len == bodies[i].len ||
				     (bodies[i].sound_at >> len & 1) != 0;

			if ((rule == MQTT_RULE_NONE) != sound)
				fail_msg("%s of %s cut at %zu: %s",
				    mqtt_type_name(bodies[i].type),
				    mqtt_level_name(bodies[i].level), len,
				    mqtt_rule_text(rule));
		}
	}
}

static void
test_a_publish_is_read_at_every_level(void **state)
{
	for (uint8_t level = 3; level <= 5; level++) {
		struct make m = {.len = 0};
		struct mqtt_frame frame;
		struct mqtt_publish p;
		uint32_t need;

		make_publish(&m, level, 0x0d, "a/b", "payload");
		mqtt_frame_parse(make_span(&m), &frame);
		assert_int_equal(mqtt_publish_head(make_span(&m), &frame,
				     from(MQTT_FROM_BROKER, level), &p, &need),
		    MQTT_RULE_NONE);
		assert_int_equal(need, 0);
		assert_true(p.qos == 2 && p.dup && p.retain);
		assert_int_equal(p.packet_id, 7);
		assert_true(span_is(p.topic, "a/b"));
		assert_int_equal(p.payload_len, 7);
		assert_int_equal(p.head_len + p.payload_len, m.len);
	}
}

static void
test_an_alias_stands_for_the_topic(void **state)
{
	struct mqtt_frame frame;
	struct mqtt_publish p;
	uint32_t need;
	struct span packet = B("\x30\7\0\0\3\x23\1\2x");

	mqtt_frame_parse(packet, &frame);
	assert_int_equal(mqtt_publish_head(packet, &frame,
			     from(MQTT_FROM_CLIENT, 5), &p, &need),
	    MQTT_RULE_NONE);
	assert_int_equal(p.topic.len, 0);
	assert_int_equal(p.topic_alias, 0x102);
	assert_int_equal(p.payload_len, 1);
}

/* It asks for the next field's end, never past the head, and gets there. */
static void
test_a_publish_head_asks_for_what_it_needs(void **state)
{
	struct make body = {.len = 0}, m = {.len = 0};
	struct mqtt_frame frame;
	struct mqtt_publish p;
	uint32_t need = 0, last = 0;
	size_t have, head;
	unsigned rounds = 0;

	make_text(&body, "a/b");
	make_bytes(&body, B("\0\7\4\x03\0\1t"));
	head = 2 + body.len;
	make_bytes(&body, B("payload"));
	make_frame(&m, 0x32, &body);
	mqtt_frame_parse(make_span(&m), &frame);
	for (have = 2; have < m.len; have = need) {
		assert_int_equal(
		    mqtt_publish_head(span_of(m.data, have), &frame,
			from(MQTT_FROM_CLIENT, 5), &p, &need),
		    MQTT_RULE_NONE);
		if (need == 0)
			break;
		assert_true(need > have && need > last && need <= head);
		last = need;
		rounds++;
	}
	assert_int_equal(need, 0);
	assert_int_equal(have, head);
	assert_int_equal(p.head_len, head);
	assert_int_equal(rounds, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_connack_is_read_at_every_level),
	    cmocka_unit_test(test_an_old_broker_may_refuse_5_0_as_3_1_1_does),
	    cmocka_unit_test(test_acks_are_read_in_their_short_and_long_forms),
	    cmocka_unit_test(test_filters_are_read_one_by_one),
	    cmocka_unit_test(test_unsubscribe_has_filters_alone),
	    cmocka_unit_test(test_suback_keeps_its_codes),
	    cmocka_unit_test(
		test_disconnect_and_auth_may_leave_out_what_is_zero),
	    cmocka_unit_test(test_cut_off_anywhere_they_are_refused),
	    cmocka_unit_test(test_a_publish_is_read_at_every_level),
	    cmocka_unit_test(test_an_alias_stands_for_the_topic),
	    cmocka_unit_test(test_a_publish_head_asks_for_what_it_needs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
