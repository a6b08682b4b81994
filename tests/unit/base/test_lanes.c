/* Each against the same done byte by byte, in memory of just that size. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lanes.h"

enum { LEN_MAX = 3 * LANES };

static void
test_a_byte_is_found_at_each_place(void **state)
{
	/* 80 and ae differ from . and / by a borrow and the highest bit. */
	static const uint8_t others[] = {'x', 0, '.', '0', 0xae, 0xaf, 0xff};

	for (size_t len = 0; len <= LEN_MAX; len++) {
		uint8_t *bytes = malloc(len + 1);

		for (size_t o = 0; o < sizeof others; o++) {
			memset(bytes + 1, others[o], len);
			for (size_t at = 0; at <= len; at++) {
				struct span text = span_of(bytes + 1, len);

				assert_int_equal(
				    lanes_index(text, at, '/'), len);
				if (at == len)
					break;
				bytes[1 + at] = '/';
				for (size_t from = 0; from <= len; from++)
					assert_int_equal(
					    lanes_index(text, from, '/'),
					    from <= at ? at : len);
				bytes[1 + at] = others[o];
			}
		}
		free(bytes);
	}
}

static void
test_the_first_of_two_is_found(void **state)
{
	uint8_t bytes[LEN_MAX];

	for (size_t a = 0; a < LEN_MAX; a++)
		for (size_t b = a; b < LEN_MAX; b++) {
			memset(bytes, '.', LEN_MAX);
			bytes[a] = bytes[b] = '/';
			assert_int_equal(
			    lanes_index(span_of(bytes, LEN_MAX), 0, '/'), a);
		}
}

static void
test_what_is_behind_the_end_is_zero(void **state)
{
	for (size_t len = 0; len <= LEN_MAX; len++) {
		uint8_t *bytes = malloc(len + 1);
		struct span text = span_of(bytes + 1, len);

		for (size_t i = 0; i < len; i++)
			bytes[1 + i] = (uint8_t)(0xf0 - i);
		for (size_t at = 0; at <= len; at++) {
			uint64_t want = 0;

			for (size_t i = 0; i < LANES && at + i < len; i++)
				want |= (uint64_t)text.data[at + i] << 8 * i;
			assert_int_equal(lanes_at(text, at), want);
		}
		free(bytes);
	}
}

static void
test_what_is_before_a_byte_is_all_that_is_kept(void **state)
{
	const uint64_t text = lanes_load((const uint8_t *)"abcdefgh");

	for (size_t i = 0; i < LANES; i++) {
		uint64_t found = lanes_find(text, (uint8_t)('a' + i));
		uint8_t kept[LANES + 1] = "abcdefgh";

		memset(kept + i, 0, LANES - i);
		assert_int_equal(lanes_first(found), i);
		assert_int_equal(text & lanes_before(found), lanes_load(kept));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_byte_is_found_at_each_place),
	    cmocka_unit_test(test_the_first_of_two_is_found),
	    cmocka_unit_test(test_what_is_behind_the_end_is_zero),
	    cmocka_unit_test(test_what_is_before_a_byte_is_all_that_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
