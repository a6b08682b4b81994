#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_what_is_put_is_taken(void **state)
{
	struct buf b;
	struct span in, s;
	uint8_t a;
	uint16_t c;
	uint32_t d;
	uint64_t e;

	buf_init(&b, 1000);
	wire_put_u8(&b, 0xfe);
	wire_put_u16(&b, 0xfedc);
	wire_put_u32(&b, 0xfedcba98);
	wire_put_u64(&b, 0xfedcba9876543210);
	wire_put_cstring32(&b, "abc");
	wire_put_string16(&b, span_of_str("de"));
	assert_false(b.failed);
	in = buf_span(&b);
	assert_true(wire_take_u8(&in, &a) && a == 0xfe);
	assert_true(wire_take_u16(&in, &c) && c == 0xfedc);
	assert_true(wire_take_u32(&in, &d) && d == 0xfedcba98);
	assert_true(wire_take_u64(&in, &e) && e == 0xfedcba9876543210);
	assert_true(wire_take_string32(&in, &s) && span_is(s, "abc"));
	assert_true(wire_take_string16(&in, &s) && span_is(s, "de"));
	assert_int_equal(in.len, 0);
	assert_false(wire_take_u8(&in, &a));
	buf_fini(&b);
}

static void
test_what_is_short_is_refused_and_left_alone(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 3, 'a', 'b'};
	struct span in, s;

	for (size_t len = 0; len <= sizeof bytes; len++) {
		in = span_of(bytes, len);
		assert_false(wire_take_string32(&in, &s));
		assert_int_equal(in.len, len);
		assert_ptr_equal(in.data, bytes);
	}
	in = span_of("\xff\xff\xff\xff", 4);
	assert_false(wire_take_string32(&in, &s));
	in = span_of(NULL, 0);
	assert_true(wire_take_bytes(&in, 0, &s));
	assert_false(wire_take_bytes(&in, 1, &s));
}

static void
test_mpint_as_rfc_4251_shows_it(void **state)
{
	static const struct {
		struct span value, text;
	} rows[] = {
	    {{NULL, 0}, {(const uint8_t *)"\0\0\0\0", 4}},
	    {{(const uint8_t *)"\0\0", 2}, {(const uint8_t *)"\0\0\0\0", 4}},
	    {{(const uint8_t *)"\x09\xa3", 2},
		{(const uint8_t *)"\0\0\0\x02\x09\xa3", 6}},
	    {{(const uint8_t *)"\0\x80", 2},
		{(const uint8_t *)"\0\0\0\x02\0\x80", 6}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf b;

		buf_init(&b, 100);
		wire_put_mpint(&b, rows[i].value);
		assert_true(span_equal(buf_span(&b), rows[i].text));
		buf_fini(&b);
	}
}

static void
test_an_mpint_is_taken_back_as_it_was_put(void **state)
{
	static const struct {
		struct span text, value;
	} rows[] = {
	    {{(const uint8_t *)"\0\0\0\0", 4}, {NULL, 0}},
	    {{(const uint8_t *)"\0\0\0\x01\x7f", 5},
		{(const uint8_t *)"\x7f", 1}},
	    {{(const uint8_t *)"\0\0\0\x02\0\x80", 6},
		{(const uint8_t *)"\x80", 1}},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = rows[i].text, value;

		assert_true(wire_take_mpint(&in, &value));
		assert_true(span_equal(value, rows[i].value));
		assert_int_equal(in.len, 0);
	}
}

static void
test_an_mpint_that_is_negative_or_too_long_is_refused(void **state)
{
	static const struct span rows[] = {
	    {(const uint8_t *)"\0\0\0\x01\x80", 5}, /* negative */
	    {(const uint8_t *)"\0\0\0\x01\0", 5}, /* a longer 0 */
	    {(const uint8_t *)"\0\0\0\x02\0\x7f", 6}, /* a longer 127 */
	    {(const uint8_t *)"\0\0\0\x03\0\0\x80", 7},
	    {(const uint8_t *)"\0\0\0\x03\0\x80", 6}, /* cut off */
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span in = rows[i], value;

		assert_false(wire_take_mpint(&in, &value));
		assert_ptr_equal(in.data, rows[i].data);
		assert_int_equal(in.len, rows[i].len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_put_is_taken),
	    cmocka_unit_test(test_what_is_short_is_refused_and_left_alone),
	    cmocka_unit_test(test_mpint_as_rfc_4251_shows_it),
	    cmocka_unit_test(test_an_mpint_is_taken_back_as_it_was_put),
	    cmocka_unit_test(
		test_an_mpint_that_is_negative_or_too_long_is_refused),
	};

	return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
