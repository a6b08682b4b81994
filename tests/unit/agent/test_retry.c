#include "retry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void
test_the_bound_doubles_from_one_second_to_sixty(void **state)
{
	static const uint64_t bounds[] = {
	    1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
	struct retry retry = {0};

	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
		struct retry same = retry;

		/* The jitter is full: from nothing to the bound itself. */
		assert_int_equal(retry_after_failure(&same, 0, 0), 0);
		assert_int_equal(
		    retry_after_failure(&retry, 0, bounds[i]), bounds[i]);
		assert_in_range(retry_after_failure(&same, 0, UINT64_MAX), 0,
		    2 * bounds[i]);
	}
}

static void
test_a_link_that_lived_starts_afresh_and_one_that_died_at_once_does_not(
    void **state)
{
	struct retry retry = {0};

	for (int i = 0; i < 20; i++)
		retry_after_failure(&retry, 100, 7);
	assert_int_equal(retry_after_failure(&retry, 100, 60000), 60000);
	assert_int_equal(
	    retry_after_failure(&retry, RETRY_STEADY_MS, 1000), 1000);
	assert_int_equal(retry.failures, 1);
}

static void
test_failures_without_end_do_not_overflow(void **state)
{
	struct retry retry = {.failures = UINT32_MAX};

	assert_in_range(
	    retry_after_failure(&retry, 0, UINT64_MAX), 0, RETRY_LAST_MS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_bound_doubles_from_one_second_to_sixty),
	    cmocka_unit_test(
		test_a_link_that_lived_starts_afresh_and_one_that_died_at_once_does_not),
	    cmocka_unit_test(test_failures_without_end_do_not_overflow),
	};

	return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
