#include "str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_escape_lets_nothing_dangerous_through(void **state)
{
	static const uint8_t bad[] = {'a', '"', '\\', '\n', 0x1b, 0x00, 0xc3,
	    0xa9, 0xff, 0xc2, 0x9b, 'z'};
	char text[128];

	str_escape(span_of(bad, sizeof bad), text, sizeof text);
	assert_string_equal(
	    text, "a\\\"\\\\\\n\\x1b\\x00\xc3\xa9\\xff\\xc2\\x9bz");
}

static void
test_escape_shows_what_turns_text_round_or_has_no_shape(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
	    {"a\xe2\x80\xae"
	     "b",
		"a\\xe2\\x80\\xaeb"},
	    {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},
	    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
	    {"\xd8\x9c", "\\xd8\\x9c"},
	    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
	    {"\xe2\x80\xa7", "\xe2\x80\xa7"},
	    {"\xe9\x96\x8b", "\xe9\x96\x8b"},
	};
	char text[64];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_string_equal(
		    str_escape(span_of_str(rows[i].bytes), text, sizeof text),
		    rows[i].text);
}

static void
test_escape_cuts_with_dots_and_never_overruns(void **state)
{
	for (size_t size = 1; size < 40; size++) {
		char *text = malloc(size);

		str_escape(
		    span_of_str("abc\ndef\x01ghi and more of it"), text, size);
		assert_true(strlen(text) < size);
		if (size >= 4 && size < 30)
			assert_string_equal(text + strlen(text) - 3, "...");
		free(text);
	}
}

static void
test_nearest_finds_the_word_that_was_meant(void **state)
{
	static const char *const words[] = {
	    "permitopen", "restrict", "listen", "log", NULL};

	assert_string_equal(str_nearest("permit-open", words), "permitopen");
	assert_string_equal(str_nearest("lisen", words), "listen");
	assert_string_equal(str_nearest("RESTRICT", words), "restrict");
	assert_null(str_nearest("zebra", words));
}

static void
test_names_are_what_topics_can_bear(void **state)
{
	char name[STR_NAME_MAX + 2];

	assert_true(str_is_name(span_of_str("Pump-7.a_b")));
	assert_false(str_is_name(span_of_str("")));
	assert_false(str_is_name(span_of_str("a/b")));
	assert_false(str_is_name(span_of_str("a+")));
	assert_false(str_is_name(span_of_str("\xc3\xa9")));
	memset(name, 'a', sizeof name);
	assert_true(str_is_name(span_of(name, STR_NAME_MAX)));
	assert_false(str_is_name(span_of(name, STR_NAME_MAX + 1)));
}

static void
test_numbers_are_whole_and_in_range(void **state)
{
	uint64_t n;

	assert_true(str_to_u64(span_of_str("65535"), 1, 65535, &n));
	assert_int_equal(n, 65535);
	assert_false(str_to_u64(span_of_str("65536"), 1, 65535, &n));
	assert_false(str_to_u64(span_of_str("0"), 1, 65535, &n));
	assert_false(str_to_u64(span_of_str(""), 0, 1, &n));
	assert_false(str_to_u64(span_of_str("-1"), 0, 1, &n));
	assert_false(str_to_u64(span_of_str("1x"), 0, 10, &n));
	assert_true(
	    str_to_u64(span_of_str("18446744073709551615"), 0, UINT64_MAX, &n));
	assert_false(
	    str_to_u64(span_of_str("18446744073709551616"), 0, UINT64_MAX, &n));
}

static void
test_base64_round_trips_and_has_one_text_per_value(void **state)
{
	uint8_t in[50], out[50];
	char text[80];

	for (size_t len = 0; len < sizeof in; len++) {
		for (size_t i = 0; i < len; i++)
			in[i] = (uint8_t)(i * 37 + len);
		str_base64_encode(span_of(in, len), text);
		assert_int_equal(
		    str_base64_decode(span_of_str(text), out, sizeof out), len);
		assert_memory_equal(in, out, len);
	}
	assert_int_equal(str_base64_decode(span_of_str("QUI="), out, 50), 2);
	assert_int_equal(str_base64_decode(span_of_str("QUJ="), out, 50), -1);
	assert_int_equal(str_base64_decode(span_of_str("QQ=="), out, 50), 1);
	assert_int_equal(str_base64_decode(span_of_str("QQ="), out, 50), -1);
	assert_int_equal(str_base64_decode(span_of_str("Q==="), out, 50), -1);
	assert_int_equal(str_base64_decode(span_of_str("QUJD"), out, 2), -1);
	assert_int_equal(str_base64_decode(span_of_str("Q!JD"), out, 50), -1);
	assert_int_equal(str_base64_decode(span_of_str("=QJD"), out, 50), -1);
}

static void
test_host_port_knows_brackets(void **state)
{
	char host[64];
	uint16_t port;

	assert_true(str_split_host_port(span_of_str("a:22"), host, 64, &port));
	assert_string_equal(host, "a");
	assert_int_equal(port, 22);
	assert_true(
	    str_split_host_port(span_of_str("[::1]:1883"), host, 64, &port));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 1883);
	assert_true(str_split_host_port(span_of_str("::1"), host, 64, &port));
	assert_string_equal(host, "::1");
	assert_int_equal(port, 0);
	assert_true(str_split_host_port(span_of_str("a"), host, 64, &port));
	assert_int_equal(port, 0);
	assert_false(str_split_host_port(span_of_str("a:"), host, 64, &port));
	assert_false(str_split_host_port(span_of_str("a:0"), host, 64, &port));
	assert_false(str_split_host_port(span_of_str("[::1"), host, 64, &port));
	assert_false(
	    str_split_host_port(span_of_str("[::1]x"), host, 64, &port));
	assert_false(str_split_host_port(span_of_str(":22"), host, 64, &port));
	assert_false(str_split_host_port(span_of_str(""), host, 64, &port));
}

static void
test_what_is_shown_as_it_is(void **state)
{
	static const char *const shown[] = {
	    "", "pump 7", "\"a\\b\"", "caf\u00e9", "\u868a\u5e33"};
	static const char *const not_shown[] = {"\033[2J", "a\nb", "\x7f",
	    "\xff", "\xc2\x9b", "a\u202eb", "\u200b"};

	for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
		assert_true(str_is_shown(span_of_str(shown[i])));
	for (size_t i = 0; i < sizeof not_shown / sizeof not_shown[0]; i++)
		assert_false(str_is_shown(span_of_str(not_shown[i])));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_shown_as_it_is),
	    cmocka_unit_test(test_escape_lets_nothing_dangerous_through),
	    cmocka_unit_test(
		test_escape_shows_what_turns_text_round_or_has_no_shape),
	    cmocka_unit_test(test_escape_cuts_with_dots_and_never_overruns),
	    cmocka_unit_test(test_nearest_finds_the_word_that_was_meant),
	    cmocka_unit_test(test_names_are_what_topics_can_bear),
	    cmocka_unit_test(test_numbers_are_whole_and_in_range),
	    cmocka_unit_test(
		test_base64_round_trips_and_has_one_text_per_value),
	    cmocka_unit_test(test_host_port_knows_brackets),
	};

	return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
