#include "make.h"

#include "policy_rate.h"

static size_t
take_all(
    struct policy_rate *rate, const struct policy_who *who, uint64_t now_ms)
{
	size_t count = 0;

	while (count < 1000 && policy_rate_take(rate, who, now_ms))
		count++;
	return count;
}

static void
test_as_many_as_the_rate_come_at_once_and_then_one_by_one(void **state)
{
	struct policy_who who = {.rate = 5, .rate_interval_ms = 1000};
	struct policy_rate rate = {.is_begun = false};

	assert_int_equal(take_all(&rate, &who, 77), 5);
	assert_int_equal(policy_rate_wait_ms(&rate, &who, 77), 200);
	assert_int_equal(take_all(&rate, &who, 276), 0);
	assert_int_equal(take_all(&rate, &who, 277), 1);
	assert_int_equal(take_all(&rate, &who, 777), 2);
	assert_int_equal(take_all(&rate, &who, 100000), 5);
}

static void
test_fractions_are_not_lost(void **state)
{
	struct policy_who who = {.rate = 3, .rate_interval_ms = 1000};
	struct policy_rate rate = {.is_begun = false};
	size_t count = 0;

	take_all(&rate, &who, 0);
	for (uint64_t now = 1; now <= 100000; now++)
		count += take_all(&rate, &who, now);
	assert_int_equal(count, 300);
}

static void
test_a_clock_that_goes_back_brings_nothing(void **state)
{
	struct policy_who who = {.rate = 2, .rate_interval_ms = 1000};
	struct policy_rate rate = {.is_begun = false};

	assert_int_equal(take_all(&rate, &who, 5000), 2);
	assert_int_equal(take_all(&rate, &who, 10), 0);
	assert_int_equal(take_all(&rate, &who, 5000), 0);
	assert_int_equal(take_all(&rate, &who, 6000), 2);
}

static void
test_the_largest_rate_and_interval_do_not_overflow(void **state)
{
	struct policy_who who = {.rate = 1000000, .rate_interval_ms = 86400000};
	struct policy_rate rate = {.is_begun = false};

	assert_int_equal(take_all(&rate, &who, 0), 1000);
	assert_true(policy_rate_take(&rate, &who, UINT64_MAX));
}

static void
test_without_a_limit_all_pass(void **state)
{
	struct policy_who who = {.rate = 0};
	struct policy_rate rate = {.is_begun = false};

	assert_int_equal(take_all(&rate, &who, 0), 1000);
	assert_int_equal(policy_rate_wait_ms(&rate, &who, 0), 0);
}

static void
test_of_several_roles_the_most_generous_counts(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - {name: slow, rate: 60, rate_interval: 1m}\n"
			"  - {name: fast, rate: 2}\n"
			"  - {name: free}\n"
			"identities:\n"
			"  - {names: [a, b, c], roles: slow}\n"
			"  - {names: [b, c], roles: fast}\n"
			"  - {names: [c], roles: free}\n");
	struct policy_who who = make_who(policy, "a", "");

	assert_int_equal(who.rate, 60);
	assert_int_equal(who.rate_interval_ms, 60000);
	who = make_who(policy, "b", "");
	assert_int_equal(who.rate, 2);
	assert_int_equal(who.rate_interval_ms, 1000);
	who = make_who(policy, "c", "");
	assert_int_equal(who.rate, 0);
	policy_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_as_many_as_the_rate_come_at_once_and_then_one_by_one),
	    cmocka_unit_test(test_fractions_are_not_lost),
	    cmocka_unit_test(test_a_clock_that_goes_back_brings_nothing),
	    cmocka_unit_test(
		test_the_largest_rate_and_interval_do_not_overflow),
	    cmocka_unit_test(test_without_a_limit_all_pass),
	    cmocka_unit_test(test_of_several_roles_the_most_generous_counts),
	};

	return cmocka_run_group_tests_name("policy_rate", tests, NULL, NULL);
}
