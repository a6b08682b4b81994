#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
check(struct span text, const char *expected)
{
	struct buf out;

	buf_init(&out, 256);
	json_put_string(&out, text);
	assert_false(out.failed);
	assert_int_equal(buf_len(&out), strlen(expected));
	assert_memory_equal(buf_span(&out).data, expected, strlen(expected));
	buf_fini(&out);
}

static void
test_plain_text_stands_in_quotes(void **state)
{
	check(span_of_str("pump 7/a"), "\"pump 7/a\"");
	check(span_of_str(""), "\"\"");
	check(span_of_str("\xe8\x9a\x8a"), "\"\xe8\x9a\x8a\"");
}

static void
test_quotes_backslashes_and_controls_are_escaped(void **state)
{
	check(span_of_str("a\"b\\c"), "\"a\\\"b\\\\c\"");
	check(span_of("\n\0\x7f", 3), "\"\\u000a\\u0000\\u007f\"");
	check(span_of_str("\xc2\x85"), "\"\\u0085\"");
}

static void
test_what_is_no_utf_8_is_replaced_byte_by_byte(void **state)
{
	check(span_of_str("a\xff\xe8\x9a"), "\"a\\ufffd\\ufffd\\ufffd\"");
}

static void
test_no_text_is_null(void **state)
{
	struct buf out;

	buf_init(&out, 16);
	json_put_str(&out, NULL);
	json_put_str(&out, "x");
	assert_memory_equal(buf_span(&out).data, "null\"x\"", 7);
	buf_fini(&out);
}

static void
test_a_member_without_a_value_is_null(void **state)
{
	static const char wanted[] = "{\"a\":\"1\", \"b\":null, \"c\":null";
	struct buf out;

	buf_init(&out, 64);
	json_put_member(&out, "{", "a", "1");
	json_put_member(&out, ", ", "b", "");
	json_put_member(&out, ", ", "c", NULL);
	assert_int_equal(buf_len(&out), strlen(wanted));
	assert_memory_equal(buf_span(&out).data, wanted, strlen(wanted));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain_text_stands_in_quotes),
	    cmocka_unit_test(test_quotes_backslashes_and_controls_are_escaped),
	    cmocka_unit_test(test_what_is_no_utf_8_is_replaced_byte_by_byte),
	    cmocka_unit_test(test_no_text_is_null),
	    cmocka_unit_test(test_a_member_without_a_value_is_null),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
