#include "mqtt_text.h"

#include "make.h"

enum { CODE_POINTS = 0x110000 };

static unsigned
scan(const char *bytes, size_t len)
{
	return mqtt_text_scan(span_of(bytes, len));
}

/* Encode by the bits of RFC 3629's section 3, without judging. */
static size_t
encode(uint32_t c, size_t len, uint8_t *out)
{
	static const uint8_t lead[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

	for (size_t i = len; i > 1; i--) {
		out[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
		c >>= 6;
	}
	out[0] = (uint8_t)(lead[len] | c);
	return len;
}

static size_t
shortest(uint32_t c)
{
	return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static void
test_every_code_point_in_its_shortest_form_is_text(void **state)
{
	for (uint32_t c = 1; c < CODE_POINTS; c++) {
		uint8_t bytes[4];
		bool surrogate = c >= 0xd800 && c <= 0xdfff;
		unsigned found = mqtt_text_scan(
		    span_of(bytes, encode(c, shortest(c), bytes)));

		if (surrogate)
			assert_int_equal(found, MQTT_TEXT_ILL_FORMED);
		else
			assert_int_equal(found,
			    c == '+' || c == '#' ? MQTT_TEXT_WILDCARD : 0);
	}
}

static void
test_no_code_point_in_a_longer_form_is_text(void **state)
{
	for (uint32_t c = 0; c < 0x10000; c++) {
		uint8_t bytes[4];

		for (size_t len = shortest(c) + 1; len <= 4; len++)
			assert_int_equal(mqtt_text_scan(span_of(
					     bytes, encode(c, len, bytes))),
			    MQTT_TEXT_ILL_FORMED);
	}
}

static void
test_nothing_above_the_last_code_point_is_text(void **state)
{
	for (uint32_t c = CODE_POINTS; c < 0x200000; c += 0x111) {
		uint8_t bytes[4];

		assert_int_equal(
		    mqtt_text_scan(span_of(bytes, encode(c, 4, bytes))),
		    MQTT_TEXT_ILL_FORMED);
	}
}

static void
test_no_character_is_cut_off(void **state)
{
	static const char *const texts[] = {
	    "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\xa6\x9f"};

	for (size_t i = 0; i < 3; i++) {
		for (size_t len = 1; len < strlen(texts[i]); len++)
			assert_int_equal(
			    scan(texts[i], len), MQTT_TEXT_ILL_FORMED);
		assert_int_equal(scan(texts[i], strlen(texts[i])), 0);
	}
}

/* Each byte, at each place of a text longer than two words. */
static void
test_each_byte_is_seen_at_each_place(void **state)
{
	for (size_t len = 1; len <= 20; len++) {
		for (size_t at = 0; at < len; at++) {
			for (unsigned byte = 0; byte < 256; byte++) {
				uint8_t text[20];
				unsigned want = byte == 0 ? MQTT_TEXT_NULL
						: byte == '+' || byte == '#'
						    ? MQTT_TEXT_WILDCARD
						: byte >= 0x80
						    ? MQTT_TEXT_ILL_FORMED
						    : 0;

				memset(text, 'x', sizeof text);
				text[at] = (uint8_t)byte;
				assert_int_equal(
				    mqtt_text_scan(span_of(text, len)), want);
			}
		}
	}
}

static void
test_a_check_names_the_rule(void **state)
{
	assert_int_equal(
	    mqtt_text_check(span_of_str("fine +#"), MQTT_RULE_CLIENT_ID_TEXT),
	    MQTT_RULE_NONE);
	assert_int_equal(
	    mqtt_text_check(span_of("a\0", 2), MQTT_RULE_CLIENT_ID_TEXT),
	    MQTT_RULE_TEXT_NULL);
	assert_int_equal(
	    mqtt_text_check(span_of("a\xff", 2), MQTT_RULE_CLIENT_ID_TEXT),
	    MQTT_RULE_CLIENT_ID_TEXT);
	assert_int_equal(
	    mqtt_text_check(span_of(NULL, 0), MQTT_RULE_CLIENT_ID_TEXT),
	    MQTT_RULE_NONE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_every_code_point_in_its_shortest_form_is_text),
	    cmocka_unit_test(test_no_code_point_in_a_longer_form_is_text),
	    cmocka_unit_test(test_nothing_above_the_last_code_point_is_text),
	    cmocka_unit_test(test_no_character_is_cut_off),
	    cmocka_unit_test(test_each_byte_is_seen_at_each_place),
	    cmocka_unit_test(test_a_check_names_the_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
