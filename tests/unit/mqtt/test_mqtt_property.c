#include "mqtt_property.h"

#include "make.h"

static const struct mqtt_sender client = {MQTT_FROM_CLIENT, MQTT_50};
static const struct mqtt_sender broker = {MQTT_FROM_BROKER, MQTT_50};

/*
 * Table 2-4 of the standard, typed off anew: identifier, a value, and which
 * packets may carry it.  C connect, c connack, P publish, W will, A the four
 * acknowledgements of a publish, S subscribe, s suback, U unsubscribe, u
 * unsuback, D disconnect, H auth.
 */
static const struct {
	uint8_t id;
	const char *value;
	size_t len;
	const char *packets;
} table[] = {
#define ROW(id, value, packets)                                                \
	{                                                                      \
		id, value, sizeof value - 1, packets                           \
	}
    ROW(1, "\1", "PW"),
    ROW(2, "\0\0\0\1", "PW"),
    ROW(3, "\0\1t", "PW"),
    ROW(8, "\0\1t", "PW"),
    ROW(9, "\0\1\xff", "PW"),
    ROW(11, "\1", "PS"),
    ROW(17, "\0\0\0\1", "CcD"),
    ROW(18, "\0\1t", "c"),
    ROW(19, "\0\1", "c"),
    ROW(21, "\0\1t", "CcH"),
    ROW(22, "\0\1\xff", "CcH"),
    ROW(23, "\1", "C"),
    ROW(24, "\0\0\0\1", "W"),
    ROW(25, "\1", "C"),
    ROW(26, "\0\1t", "c"),
    ROW(28, "\0\1t", "cD"),
    ROW(31, "\0\1t", "cAsuDH"),
    ROW(33, "\0\1", "Cc"),
    ROW(34, "\0\1", "Cc"),
    ROW(35, "\0\1", "P"),
    ROW(36, "\1", "c"),
    ROW(37, "\1", "c"),
    ROW(38, "\0\1k\0\1v", "CcPWAsSuUDH"),
    ROW(39, "\0\0\0\1", "Cc"),
    ROW(40, "\1", "c"),
    ROW(41, "\1", "c"),
    ROW(42, "\1", "c"),
#undef ROW
};

enum { ROWS = sizeof table / sizeof table[0] };

static const char letters[MQTT_TYPES] = {[MQTT_WILL] = 'W',
    [MQTT_CONNECT] = 'C',
    [MQTT_CONNACK] = 'c',
    [MQTT_PUBLISH] = 'P',
    [MQTT_PUBACK] = 'A',
    [MQTT_PUBREC] = 'A',
    [MQTT_PUBREL] = 'A',
    [MQTT_PUBCOMP] = 'A',
    [MQTT_SUBSCRIBE] = 'S',
    [MQTT_SUBACK] = 's',
    [MQTT_UNSUBSCRIBE] = 'U',
    [MQTT_UNSUBACK] = 'u',
    [MQTT_PINGREQ] = '-',
    [MQTT_PINGRESP] = '-',
    [MQTT_DISCONNECT] = 'D',
    [MQTT_AUTH] = 'H'};

/* Row `i` as it stands in a packet; authentication data needs its method. */
static struct span
make_row(struct make *m, size_t i)
{
	m->len = 0;
	if (table[i].id == MQTT_AUTHENTICATION_DATA)
		make_text(make_u8(m, MQTT_AUTHENTICATION_METHOD), "m");
	make_u8(m, table[i].id);
	make_bytes(m, span_of(table[i].value, table[i].len));
	return make_span(m);
}

/* A broker may send it in a PUBLISH, but only a client in a DISCONNECT. */
static struct mqtt_sender
sender_of(uint8_t packet)
{
	return packet == MQTT_DISCONNECT ? client : broker;
}

static void
test_each_property_goes_where_the_standard_lets_it(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		for (uint8_t packet = 0; packet < MQTT_TYPES; packet++) {
			struct make m;
			bool may =
			    strchr(table[i].packets, letters[packet]) != NULL;
			enum mqtt_rule rule = mqtt_property_check(
			    make_row(&m, i), packet, sender_of(packet));

			assert_int_equal(rule,
			    may ? MQTT_RULE_NONE : MQTT_RULE_PROPERTY_PACKET);
		}
	}
}

static void
test_there_are_no_other_properties(void **state)
{
	size_t row = 0;

	for (unsigned id = 0; id < 256; id++) {
		const uint8_t bytes[8] = {(uint8_t)id};

		if (row < ROWS && table[row].id == id) {
			assert_non_null(mqtt_property_row((uint8_t)id)->name);
			row++;
			continue;
		}
		assert_null(mqtt_property_row((uint8_t)id)->name);
		assert_int_equal(mqtt_property_check(
				     span_of(bytes, 8), MQTT_CONNACK, broker),
		    MQTT_RULE_PROPERTY_UNKNOWN);
	}
	assert_int_equal(row, ROWS);
}

static void
test_twice_only_where_it_may(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		for (uint8_t packet = 0; packet < MQTT_TYPES; packet++) {
			struct make m, twice = {.len = 0};
			struct span once = make_row(&m, i);
			bool may =
			    table[i].id == MQTT_USER_PROPERTY ||
			    (table[i].id == MQTT_SUBSCRIPTION_IDENTIFIER &&
				packet == MQTT_PUBLISH);

			if (strchr(table[i].packets, letters[packet]) == NULL)
				continue;
			make_bytes(make_bytes(&twice, once), once);
			assert_int_equal(mqtt_property_check(make_span(&twice),
					     packet, sender_of(packet)),
			    may ? MQTT_RULE_NONE : MQTT_RULE_PROPERTY_TWICE);
		}
	}
}

static void
test_values_that_must_not_be(void **state)
{
	static const uint8_t flags[] = {1, 23, 25, 36, 37, 40, 41, 42};
	static const uint8_t not_zero_u16[] = {33};
	static const uint8_t zeros[5] = {MQTT_MAXIMUM_PACKET_SIZE};

	for (size_t i = 0; i < sizeof flags; i++) {
		uint8_t packet = flags[i] == 1	 ? MQTT_PUBLISH
				 : flags[i] < 26 ? MQTT_CONNECT
						 : MQTT_CONNACK;

		for (unsigned value = 0; value < 256; value++) {
			uint8_t bytes[] = {flags[i], (uint8_t)value};

			assert_int_equal(mqtt_property_check(
					     span_of(bytes, 2), packet, broker),
			    value < 2 ? MQTT_RULE_NONE
				      : MQTT_RULE_PROPERTY_VALUE);
		}
	}
	for (size_t i = 0; i < sizeof not_zero_u16; i++) {
		uint8_t bytes[] = {not_zero_u16[i], 0, 0};

		assert_int_equal(mqtt_property_check(
				     span_of(bytes, 3), MQTT_CONNECT, client),
		    MQTT_RULE_PROPERTY_VALUE);
	}
	assert_int_equal(
	    mqtt_property_check(span_of(zeros, 5), MQTT_CONNECT, client),
	    MQTT_RULE_PROPERTY_VALUE);
}

static void
test_cut_off_anywhere_they_are_refused(void **state)
{
	for (size_t i = 0; i < ROWS; i++) {
		for (uint8_t packet = 0; packet < MQTT_TYPES; packet++) {
			struct make m;
			struct span row = make_row(&m, i);

			if (strchr(table[i].packets, letters[packet]) == NULL)
				continue;
			for (size_t len = row.len - table[i].len; len < row.len;
			     len++)
				assert_int_equal(
				    mqtt_property_check(span_of(row.data, len),
					packet, sender_of(packet)),
				    MQTT_RULE_PROPERTY_LENGTH);
		}
	}
}

static void
test_their_length_is_taken_and_checked(void **state)
{
	static const char bytes[] = "\2\x01\x01rest";
	struct span in, properties;

	in = span_of(bytes, sizeof bytes - 1);
	assert_int_equal(
	    mqtt_property_take(&in, MQTT_PUBLISH, client, &properties),
	    MQTT_RULE_NONE);
	assert_int_equal(properties.len, 2);
	assert_true(span_is(in, "rest"));
	for (size_t len = 0; len < 3; len++) {
		in = span_of(bytes, len);
		assert_int_equal(
		    mqtt_property_take(&in, MQTT_PUBLISH, client, &properties),
		    MQTT_RULE_PROPERTY_LENGTH);
	}
	in = span_of("\x80\0", 2);
	assert_int_equal(
	    mqtt_property_take(&in, MQTT_PUBLISH, client, &properties),
	    MQTT_RULE_VARINT_LONG);
}

static void
test_values_are_read(void **state)
{
	struct make m = {.len = 0};
	struct mqtt_property p;
	struct span all;

	make_u8(make_u8(&m, MQTT_PAYLOAD_FORMAT_INDICATOR), 1);
	make_u16(make_u8(&m, MQTT_TOPIC_ALIAS), 0x1234);
	make_u16(make_u16(make_u8(&m, MQTT_MESSAGE_EXPIRY_INTERVAL), 0x1234),
	    0x5678);
	make_u8(make_u8(make_u8(&m, MQTT_SUBSCRIPTION_IDENTIFIER), 0x81), 1);
	make_text(make_u8(&m, MQTT_CONTENT_TYPE), "text");
	make_text(make_text(make_u8(&m, MQTT_USER_PROPERTY), "k"), "v");
	all = make_span(&m);
	assert_int_equal(
	    mqtt_property_check(all, MQTT_PUBLISH, broker), MQTT_RULE_NONE);
	assert_true(mqtt_property_next(&all, &p) && p.number == 1);
	assert_true(mqtt_property_next(&all, &p) && p.number == 0x1234);
	assert_true(mqtt_property_next(&all, &p) && p.number == 0x12345678);
	assert_true(mqtt_property_next(&all, &p) && p.number == 129);
	assert_true(mqtt_property_next(&all, &p) && span_is(p.text, "text"));
	assert_true(mqtt_property_next(&all, &p) && span_is(p.text, "k") &&
		    span_is(p.value, "v"));
	assert_false(mqtt_property_next(&all, &p));
	assert_true(mqtt_property_find(make_span(&m), MQTT_CONTENT_TYPE, &p));
	assert_true(span_is(p.text, "text"));
	assert_false(mqtt_property_find(make_span(&m), MQTT_REASON_STRING, &p));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_each_property_goes_where_the_standard_lets_it),
	    cmocka_unit_test(test_there_are_no_other_properties),
	    cmocka_unit_test(test_twice_only_where_it_may),
	    cmocka_unit_test(test_values_that_must_not_be),
	    cmocka_unit_test(test_cut_off_anywhere_they_are_refused),
	    cmocka_unit_test(test_their_length_is_taken_and_checked),
	    cmocka_unit_test(test_values_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
