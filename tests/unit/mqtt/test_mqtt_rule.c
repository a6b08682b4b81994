#include "mqtt_rule.h"

#include "make.h"
#include "mqtt_walk.h"

/* Where in a connection the bytes of a row come. */
enum place {
	FRESH, /* from the client, nothing before */
	UP, /* from the client, behind a CONNECT of the row's level */
	UP_AUTH, /* the same, CONNECT having named an authentication method */
	DOWN_FRESH, /* from a broker that had no CONNECT */
	DOWN, /* from the broker, its first bytes */
	DOWN_OPEN /* from the broker, behind a CONNACK that accepts */
};

#define B(bytes)		bytes, sizeof bytes - 1
#define CONNECT_311(len, flags) "\x10" len "\0\4MQTT\4" flags "\0\x3c"
#define CONNECT_50(len)		"\x10" len "\0\4MQTT\5\2\0\x3c"

/* Each breaks the rule named, and none before it. */
static const struct row {
	enum mqtt_rule rule;
	enum place place;
	uint8_t level;
	const char *bytes;
	size_t len;
} rows[] = {
    {MQTT_RULE_FIRST_CONNECT, FRESH, 4, B("\xc0\0")},
    {MQTT_RULE_FIRST_CONNECT, FRESH, 4, B("GET / HTTP/1.1\r\n")},
    {MQTT_RULE_REMAINING_LENGTH, FRESH, 4, B("\x10\xff\xff\xff\xff")},
    {MQTT_RULE_TOO_LARGE, FRESH, 4, B("\x10\xff\xff\xff\x7f")},
    {MQTT_RULE_TOO_LARGE, UP, 4, B("\x82\xff\xff\xff\x7f")},
    {MQTT_RULE_TOO_LARGE, UP, 5, B("\x30\xff\xff\xff\x7f\0\1t\xff\xff\x7f")},
    {MQTT_RULE_PROTOCOL_NAME, FRESH, 4, B("\x10\x0d\0\4MQTX\4\2\0\x3c\0\1c")},
    {MQTT_RULE_PROTOCOL_LEVEL, FRESH, 4, B("\x10\x0d\0\4MQTT\6\2\0\x3c\0\1c")},
    {MQTT_RULE_PROTOCOL_LEVEL, FRESH, 4, B("\x10\x0d\0\4MQTT\3\2\0\x3c\0\1c")},
    {MQTT_RULE_LENGTH, FRESH, 4, B("\x10\6\0\4MQTT")},
    {MQTT_RULE_FLAGS, FRESH, 4, B("\x11\x0d\0\4MQTT\4\2\0\x3c\0\1c")},
    {MQTT_RULE_VARINT_LONG, FRESH, 5, B("\x10\x8e\0\0\4MQTT\5\2\0\x3c\0\0\1c")},
    {MQTT_RULE_CONNECT_RESERVED, FRESH, 4,
	B(CONNECT_311("\x0d", "\3") "\0\1c")},
    {MQTT_RULE_WILL_QOS_3, FRESH, 4, B(CONNECT_311("\x0d", "\x1e") "\0\1c")},
    {MQTT_RULE_WILL_QOS_ALONE, FRESH, 4,
	B(CONNECT_311("\x0d", "\x0a") "\0\1c")},
    {MQTT_RULE_WILL_RETAIN_ALONE, FRESH, 4,
	B(CONNECT_311("\x0d", "\x22") "\0\1c")},
    {MQTT_RULE_PASSWORD_ALONE, FRESH, 4,
	B(CONNECT_311("\x10", "\x42") "\0\1c\0\1p")},
    {MQTT_RULE_CLIENT_ID_MISSING, FRESH, 4, B(CONNECT_311("\x0a", "\2"))},
    {MQTT_RULE_CLIENT_ID_MISSING, FRESH, 4,
	B(CONNECT_311("\x0d", "\2") "\0\2c")},
    {MQTT_RULE_CLIENT_ID_TEXT, FRESH, 4,
	B(CONNECT_311("\x0d", "\2") "\0\1\xff")},
    {MQTT_RULE_TEXT_NULL, FRESH, 4, B(CONNECT_311("\x0d", "\2") "\0\1\0")},
    {MQTT_RULE_CLIENT_ID_EMPTY, FRESH, 4, B(CONNECT_311("\x0c", "\0") "\0\0")},
    {MQTT_RULE_CLIENT_ID_EMPTY_31, FRESH, 3,
	B("\x10\x0e\0\6MQIsdp\3\2\0\x3c\0\0")},
    {MQTT_RULE_WILL_MISSING, FRESH, 4, B(CONNECT_311("\x0d", "\6") "\0\1c")},
    {MQTT_RULE_WILL_MISSING, FRESH, 4,
	B(CONNECT_311("\x10", "\6") "\0\1c\0\1t")},
    {MQTT_RULE_WILL_TOPIC_TEXT, FRESH, 4,
	B(CONNECT_311("\x12", "\6") "\0\1c\0\1\xff\0\0")},
    {MQTT_RULE_WILL_TOPIC_EMPTY, FRESH, 4,
	B(CONNECT_311("\x11", "\6") "\0\1c\0\0\0\0")},
    {MQTT_RULE_WILL_TOPIC_WILDCARD, FRESH, 4,
	B(CONNECT_311("\x12", "\6") "\0\1c\0\1#\0\0")},
    {MQTT_RULE_USER_NAME_MISSING, FRESH, 4,
	B(CONNECT_311("\x0d", "\x82") "\0\1c")},
    {MQTT_RULE_USER_NAME_TEXT, FRESH, 4,
	B(CONNECT_311("\x10", "\x82") "\0\1c\0\1\xff")},
    {MQTT_RULE_PASSWORD_MISSING, FRESH, 4,
	B(CONNECT_311("\x10", "\xc2") "\0\1c\0\1u")},
    {MQTT_RULE_SURPLUS, FRESH, 4, B(CONNECT_311("\x0e", "\2") "\0\1cx")},
    {MQTT_RULE_AUTH_DATA_ALONE, FRESH, 5,
	B(CONNECT_50("\x12") "\4\x16\0\1x\0\1c")},
    /* any packet */
    {MQTT_RULE_SECOND_CONNECT, UP, 4, B(CONNECT_311("\x0d", "\2") "\0\1c")},
    {MQTT_RULE_TYPE_RESERVED, UP, 4, B("\0\0")},
    {MQTT_RULE_TYPE_RESERVED, UP, 4, B("\xf0\0")},
    {MQTT_RULE_TYPE_SENDER, UP, 4, B("\x20\2\0\0")},
    {MQTT_RULE_TYPE_SENDER, UP, 4, B("\xd0\0")},
    {MQTT_RULE_TYPE_SENDER, DOWN_OPEN, 4, B("\xe0\0")},
    {MQTT_RULE_TYPE_SENDER, DOWN_OPEN, 5, B("\xc0\0")},
    {MQTT_RULE_FLAGS, UP, 4, B("\xc1\0")},
    {MQTT_RULE_FLAGS, UP, 5, B("\x42\2\0\1")},
    {MQTT_RULE_FLAGS_PUBREL, UP, 4, B("\x60\2\0\1")},
    {MQTT_RULE_FLAGS_SUBSCRIBE, UP, 4, B("\x80\6\0\1\0\1a\0")},
    {MQTT_RULE_FLAGS_UNSUBSCRIBE, UP, 4, B("\xa0\5\0\1\0\1a")},
    {MQTT_RULE_FLAGS_DISCONNECT, UP, 4, B("\xe1\0")},
    {MQTT_RULE_FLAGS_AUTH, UP_AUTH, 5, B("\xf1\0")},
    {MQTT_RULE_VARINT_LONG, UP, 5, B("\xc0\x80\0")},
    {MQTT_RULE_VARINT_LONG, UP, 5, B("\x30\5\0\1t\x80\0")},
    {MQTT_RULE_VARINT_LONG, UP, 5, B("\x82\x0a\0\1\3\x0b\x81\0\0\1a\0")},
    {MQTT_RULE_LENGTH, UP, 4, B("\x40\1\0")},
    {MQTT_RULE_LENGTH, UP, 4, B("\x30\2\0\1")},
    {MQTT_RULE_LENGTH, UP, 4, B("\x32\4\0\1t\0")},
    {MQTT_RULE_LENGTH, UP, 4, B("\x82\5\0\1\0\1a")},
    {MQTT_RULE_SURPLUS, UP, 4, B("\xc0\1x")},
    {MQTT_RULE_SURPLUS, UP, 4, B("\x40\3\0\1x")},
    {MQTT_RULE_SURPLUS, UP, 5, B("\x40\5\0\1\0\0x")},
    {MQTT_RULE_PACKET_ID_ZERO, UP, 4, B("\x40\2\0\0")},
    {MQTT_RULE_PACKET_ID_ZERO, UP, 4, B("\x32\5\0\1t\0\0")},
    {MQTT_RULE_PACKET_ID_ZERO, UP, 5, B("\x82\7\0\0\0\0\1a\0")},
    /* order */
    {MQTT_RULE_BROKER_FIRST, DOWN_FRESH, 4, B("\x20\2\0\0")},
    {MQTT_RULE_FIRST_CONNACK, DOWN, 4, B("\xd0\0")},
    {MQTT_RULE_SECOND_CONNACK, DOWN_OPEN, 4, B("\x20\2\0\0")},
    {MQTT_RULE_AFTER_REFUSAL, DOWN, 4, B("\x20\2\0\5\xd0\0")},
    {MQTT_RULE_AFTER_DISCONNECT, UP, 4, B("\xe0\0\xc0\0")},
    {MQTT_RULE_AFTER_DISCONNECT, DOWN_OPEN, 5, B("\xe0\1\x8b\xd0\0")},
    {MQTT_RULE_AUTH_UNASKED, UP, 5, B("\xf0\0")},
    /* CONNACK */
    {MQTT_RULE_CONNACK_FLAGS, DOWN, 4, B("\x20\2\2\0")},
    {MQTT_RULE_CONNACK_SESSION, DOWN, 4, B("\x20\2\1\5")},
    {MQTT_RULE_CONNACK_CODE, DOWN, 4, B("\x20\2\0\6")},
    {MQTT_RULE_CONNACK_CODE, DOWN, 5, B("\x20\3\0\5\0")},
    /* PUBLISH */
    {MQTT_RULE_DUP_QOS_0, UP, 4, B("\x38\3\0\1t")},
    {MQTT_RULE_QOS_3, UP, 3, B("\x36\5\0\1t\0\1")},
    {MQTT_RULE_TOPIC_TEXT, UP, 4, B("\x30\4\0\2\xc3\x28")},
    {MQTT_RULE_TEXT_NULL, UP, 4, B("\x30\4\0\2t\0")},
    {MQTT_RULE_TOPIC_WILDCARD, UP, 4, B("\x30\3\0\1+")},
    {MQTT_RULE_TOPIC_EMPTY, UP, 4, B("\x30\2\0\0")},
    {MQTT_RULE_TOPIC_EMPTY, UP, 5, B("\x30\3\0\0\0")},
    {MQTT_RULE_TOPIC_ALIAS_ZERO, UP, 5, B("\x30\7\0\1t\3\x23\0\0")},
    {MQTT_RULE_RESPONSE_TOPIC_WILDCARD, UP, 5, B("\x30\x08\0\1t\4\x08\0\1+")},
    {MQTT_RULE_SUBSCRIPTION_ID_SENDER, UP, 5, B("\x30\6\0\1t\2\x0b\1")},
    /* reason codes */
    {MQTT_RULE_PUBACK_CODE, UP, 5, B("\x40\3\0\1\1")},
    {MQTT_RULE_PUBREC_CODE, UP, 5, B("\x50\3\0\1\1")},
    {MQTT_RULE_PUBREL_CODE, UP, 5, B("\x62\3\0\1\x10")},
    {MQTT_RULE_PUBCOMP_CODE, UP, 5, B("\x70\3\0\1\x10")},
    {MQTT_RULE_DISCONNECT_CODE, UP, 5, B("\xe0\1\1")},
    {MQTT_RULE_AUTH_CODE, UP_AUTH, 5, B("\xf0\1\1")},
    {MQTT_RULE_AUTH_METHOD_MISSING, UP_AUTH, 5, B("\xf0\1\x18")},
    /* SUBSCRIBE, UNSUBSCRIBE and their answers */
    {MQTT_RULE_SUBSCRIBE_EMPTY, UP, 4, B("\x82\2\0\1")},
    {MQTT_RULE_SUBSCRIBE_EMPTY, UP, 5, B("\x82\3\0\1\0")},
    {MQTT_RULE_SUBSCRIBE_TEXT, UP, 4, B("\x82\6\0\1\0\1\xff\0")},
    {MQTT_RULE_SUBSCRIBE_OPTIONS, UP, 4, B("\x82\6\0\1\0\1a\4")},
    {MQTT_RULE_SUBSCRIBE_OPTIONS, UP, 5, B("\x82\7\0\1\0\0\1a\x40")},
    {MQTT_RULE_SUBSCRIBE_QOS_3, UP, 4, B("\x82\6\0\1\0\1a\3")},
    {MQTT_RULE_SUBSCRIBE_QOS_3, UP, 5, B("\x82\7\0\1\0\0\1a\3")},
    {MQTT_RULE_RETAIN_HANDLING_3, UP, 5, B("\x82\7\0\1\0\0\1a\x30")},
    {MQTT_RULE_NO_LOCAL_SHARED, UP, 5, B("\x82\x10\0\1\0\0\x0a$share/g/a\4")},
    {MQTT_RULE_UNSUBSCRIBE_EMPTY, UP, 4, B("\xa2\2\0\1")},
    {MQTT_RULE_UNSUBSCRIBE_TEXT, UP, 4, B("\xa2\5\0\1\0\1\xff")},
    {MQTT_RULE_SUBACK_EMPTY, DOWN_OPEN, 4, B("\x90\2\0\1")},
    {MQTT_RULE_SUBACK_CODE, DOWN_OPEN, 4, B("\x90\3\0\1\3")},
    {MQTT_RULE_UNSUBACK_EMPTY, DOWN_OPEN, 5, B("\xb0\3\0\1\0")},
    {MQTT_RULE_UNSUBACK_CODE, DOWN_OPEN, 5, B("\xb0\4\0\1\0\1")},
    /* filters */
    {MQTT_RULE_FILTER_EMPTY, UP, 4, B("\x82\5\0\1\0\0\0")},
    {MQTT_RULE_FILTER_HASH, UP, 4, B("\x82\x08\0\1\0\3#/a\0")},
    {MQTT_RULE_FILTER_HASH, UP, 4, B("\xa2\6\0\1\0\2a#")},
    {MQTT_RULE_FILTER_PLUS, UP, 4, B("\x82\7\0\1\0\2+a\0")},
    {MQTT_RULE_SHARE_NAME, UP, 5, B("\x82\x0f\0\1\0\0\x09$share//a\0")},
    {MQTT_RULE_SHARE_FILTER, UP, 5, B("\x82\x0e\0\1\0\0\x08$share/g\0")},
    {MQTT_RULE_SHARE_FILTER, UP, 5, B("\x82\x10\0\1\0\0\x0a$share/+/a\0")},
    /* properties */
    {MQTT_RULE_PROPERTY_LENGTH, UP, 5, B("\x30\4\0\1t\1")},
    {MQTT_RULE_PROPERTY_LENGTH, UP, 5, B("\x30\5\0\1t\1\1")},
    {MQTT_RULE_PROPERTY_LENGTH, UP, 5, B("\x40\4\0\1\0\1")},
    {MQTT_RULE_PROPERTY_LENGTH, UP, 5, B("\x30\x08\0\1t\xff\xff\xff\xff\1")},
    {MQTT_RULE_PROPERTY_UNKNOWN, UP, 5, B("\x30\6\0\1t\2\x7f\0")},
    {MQTT_RULE_PROPERTY_PACKET, UP, 5, B("\x30\6\0\1t\2\x17\1")},
    {MQTT_RULE_PROPERTY_TWICE, UP, 5, B("\x30\x08\0\1t\4\1\0\1\0")},
    {MQTT_RULE_PROPERTY_VALUE, UP, 5, B("\x30\6\0\1t\2\1\2")},
    {MQTT_RULE_PROPERTY_VALUE, DOWN_OPEN, 5, B("\x30\6\0\1t\2\x0b\0")},
    {MQTT_RULE_PROPERTY_TEXT, UP, 5, B("\x30\x08\0\1t\4\3\0\1\xff")},
    {MQTT_RULE_PROPERTY_PAIR, UP, 5, B("\x30\x0a\0\1t\6\x26\0\1\xff\0\0")},
    {MQTT_RULE_PROPERTY_PAIR, UP, 5, B("\x30\x0a\0\1t\6\x26\0\0\0\1\xff")},
    {MQTT_RULE_TEXT_NULL, UP, 5, B("\x30\x08\0\1t\4\3\0\1\0")},
    {MQTT_RULE_SESSION_EXPIRY_SENDER, DOWN_OPEN, 5,
	B("\xe0\7\0\5\x11\0\0\0\1")},
};

enum { ROWS = sizeof rows / sizeof rows[0] };

/* Feed `bytes`; false once the walk has found a fault. */
static bool
feed(struct mqtt_walk *w, struct span bytes, struct mqtt_fault *fault)
{
	struct mqtt_walk_item item;

	for (;;) {
		enum mqtt_walk_result r = mqtt_walk_next(w, &bytes, &item);

		if (r == MQTT_WALK_NEED_MORE)
			return true;
		*fault = item.fault;
		if (r == MQTT_WALK_MALFORMED)
			return false;
		assert_int_not_equal(r, MQTT_WALK_NO_MEMORY);
	}
}

/* A walk at the place where the row's bytes come. */
static struct mqtt_walk
at_place(const struct row *row)
{
	static const char with_auth[] = CONNECT_50("\x12") "\4\x15\0\1x\0\1c";
	struct mqtt_walk up, down;
	struct mqtt_fault fault;
	struct make connect = {.len = 0}, connack = {.len = 0};

	mqtt_walk_init(&up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&down, MQTT_FROM_BROKER, &mqtt_limits_default);
	if (row->place == FRESH)
		return up;
	if (row->place == DOWN_FRESH)
		return down;
	make_connect(&connect, row->level, "c");
	assert_true(feed(&up,
	    row->place == UP_AUTH ? span_of(with_auth, sizeof with_auth - 1)
				  : make_span(&connect),
	    &fault));
	mqtt_walk_learn(&down, &up);
	make_connack(&connack, row->level);
	if (row->place == DOWN_OPEN)
		assert_true(feed(&down, make_span(&connack), &fault));
	return row->place == UP || row->place == UP_AUTH ? up : down;
}

static void
check_fault(const struct row *row, size_t index, struct mqtt_fault fault)
{
	if (fault.rule != row->rule)
		fail_msg("row %zu: %s, not %s", index,
		    mqtt_rule_text(fault.rule), mqtt_rule_text(row->rule));
}

static void
test_every_row_breaks_its_rule_however_it_is_cut(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		/* cut == len: byte by byte */
		for (size_t cut = 0; cut <= row->len; cut++) {
			struct mqtt_walk w = at_place(row);
			struct mqtt_fault fault = {0};
			bool sound = true;
			size_t at = 0;

			while (sound && at < row->len) {
				size_t len = cut == row->len ? 1
					     : at == 0 && cut > 0
						 ? cut
						 : row->len - at;

				sound = feed(
				    &w, span_of(row->bytes + at, len), &fault);
				at += len;
			}
			check_fault(row, i, fault);
			assert_int_equal(mqtt_walk_held(&w), 0);
			mqtt_walk_fini(&w);
		}
	}
}

static void
test_every_rule_is_broken_by_some_row(void **state)
{
	for (int rule = 1; rule < MQTT_RULE_COUNT; rule++) {
		size_t i = 0;

		/* Off by default: test_mqtt_walk_limits has it. */
		if (rule == MQTT_RULE_PACKET_SIZE)
			continue;
		while (i < ROWS && rows[i].rule != (enum mqtt_rule)rule)
			i++;
		if (i == ROWS)
			fail_msg("nothing breaks: %s", mqtt_rule_text(rule));
	}
}

static void
test_every_rule_has_an_id_where_it_can_be_broken(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		const char *id = mqtt_rule_id(rows[i].rule, rows[i].level);

		if (id[0] == '\0')
			fail_msg("no id at level %u: %s", rows[i].level,
			    mqtt_rule_text(rows[i].rule));
	}
}

static void
test_every_rule_has_a_sentence_and_a_reason_code(void **state)
{
	for (int rule = 1; rule < MQTT_RULE_COUNT; rule++) {
		const char *text = mqtt_rule_text(rule);

		assert_true(strlen(text) > 10);
		assert_int_not_equal(text[strlen(text) - 1], '.');
		assert_true(mqtt_rule_reason(rule) >= 0x80);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_breaks_its_rule_however_it_is_cut),
	    cmocka_unit_test(test_every_rule_is_broken_by_some_row),
	    cmocka_unit_test(test_every_rule_has_an_id_where_it_can_be_broken),
	    cmocka_unit_test(test_every_rule_has_a_sentence_and_a_reason_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
