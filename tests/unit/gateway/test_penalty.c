#include "penalty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct penalty table;

static int
empty(void **state)
{
	memset(&table, 0, sizeof table);
	return 0;
}

static uint64_t
refuse(uint32_t source, uint64_t key, uint64_t now_ms)
{
	const struct penalty_refusal refusal = {.source = source,
	    .key = key,
	    .now_ms = now_ms,
	    .free = 3,
	    .max_ms = 1000};

	return penalty_count(&table, &refusal);
}

static void
test_the_same_wrong_key_is_told_ever_later_up_to_the_most(void **state)
{
	static const uint64_t expected[] = {
	    0, 0, 0, 100, 200, 400, 800, 1000, 1000};

	for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
		assert_int_equal(refuse(7, 42, 5000), expected[i]);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(refuse(7, 42, 5000), 1000);
}

static void
test_a_refusal_that_is_taken_back_counts_no_more(void **state)
{
	const struct penalty_refusal refusal = {
	    .source = 7, .key = 42, .now_ms = 5000};

	for (int i = 0; i < 100; i++) {
		assert_int_equal(refuse(7, 42, 5000), 0);
		penalty_forgive(&table, &refusal);
	}
	/* Nothing is ever owed. */
	penalty_forgive(&table, &refusal);
	for (int i = 0; i < 3; i++)
		assert_int_equal(refuse(7, 42, 5000), 0);
	assert_int_equal(refuse(7, 42, 5000), 100);
}

static void
test_another_key_of_the_address_is_free_until_there_are_many(void **state)
{
	for (int i = 0; i < 5; i++)
		refuse(7, 42, 5000);
	assert_int_equal(refuse(7, 43, 5000), 0);
	for (uint64_t key = 100; key < 106; key++)
		assert_int_equal(refuse(7, key, 5000), 0);
	/* Twelve in all: four times three. */
	assert_int_equal(refuse(7, 200, 5000), 100);
}

static void
test_another_address_is_free(void **state)
{
	for (int i = 0; i < 50; i++)
		refuse(7, 42, 5000);
	assert_int_equal(refuse(8, 42, 5000), 0);
	assert_int_equal(refuse(8, 43, 5000), 0);
}

static void
test_time_forgives(void **state)
{
	for (int i = 0; i < 5; i++)
		refuse(7, 42, 30000);
	assert_int_equal(refuse(7, 42, 30000), 400);
	/* Six become three, and one more. */
	assert_int_equal(refuse(7, 42, 90000), 100);
	assert_int_equal(refuse(7, 42, 90000 + 40 * 60000), 0);
	assert_int_equal(refuse(7, 42, UINT64_MAX), 0);
}

/* Whenever it began: no minute of the clock's cuts a count in two. */
static void
test_a_count_stands_for_a_minute(void **state)
{
	for (int i = 0; i < 5; i++)
		refuse(7, 42, 119900);
	assert_int_equal(refuse(7, 42, 120100), 400);
	assert_int_equal(refuse(7, 42, 178900), 800);
	assert_int_equal(refuse(7, 42, 179100), 100);
	assert_int_equal(refuse(7, 42, 238900), 200);
	assert_int_equal(refuse(7, 42, 239100), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(
		test_a_refusal_that_is_taken_back_counts_no_more, empty),
	    cmocka_unit_test_setup(
		test_the_same_wrong_key_is_told_ever_later_up_to_the_most,
		empty),
	    cmocka_unit_test_setup(
		test_another_key_of_the_address_is_free_until_there_are_many,
		empty),
	    cmocka_unit_test_setup(test_another_address_is_free, empty),
	    cmocka_unit_test_setup(test_time_forgives, empty),
	    cmocka_unit_test_setup(test_a_count_stands_for_a_minute, empty),
	};

	return cmocka_run_group_tests_name("penalty", tests, NULL, NULL);
}
