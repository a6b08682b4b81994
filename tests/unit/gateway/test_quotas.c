#include "quotas.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { THREADS = 4, TRIES = 1000, RATE = 300, INTERVAL_MS = 1000 };

static const struct policy_who who = {
    .rate = RATE, .rate_interval_ms = INTERVAL_MS};

static int
setup(void **state)
{
	*state = quotas_new();
	return *state == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	quotas_free(*state);
	return 0;
}

static struct quota *
enter(struct quotas *quotas, const char *name, uint64_t now_ms)
{
	struct quota *quota = quotas_enter(quotas, span_of_str(name), now_ms);

	assert_non_null(quota);
	return quota;
}

static unsigned
take_all(struct quota *quota, uint64_t now_ms)
{
	unsigned count = 0;

	while (quotas_take_message(quota, &who, now_ms))
		count++;
	return count;
}

static void
test_two_connections_of_an_identity_have_one_quota(void **state)
{
	struct quota *one = enter(*state, "ann", 0);
	struct quota *two = enter(*state, "ann", 0);
	struct quota *other = enter(*state, "abe", 0);

	assert_ptr_equal(one, two);
	assert_int_equal(take_all(one, 0), RATE);
	assert_int_equal(take_all(two, 0), 0);
	assert_int_equal(take_all(other, 0), RATE);
	quotas_leave(one, 0);
	quotas_leave(two, 0);
	quotas_leave(other, 0);
}

static void
test_who_comes_back_finds_what_he_left(void **state)
{
	struct quota *quota = enter(*state, "ann", 0);

	assert_int_equal(take_all(quota, 0), RATE);
	quotas_leave(quota, 1);
	quota = enter(*state, "ann", INTERVAL_MS / 2);
	assert_int_equal(take_all(quota, INTERVAL_MS / 2), RATE / 2);
	quotas_leave(quota, INTERVAL_MS / 2);
}

static void
test_who_has_left_is_forgotten_once_it_is_full_again(void **state)
{
	struct quota *quota = enter(*state, "ann", 0);

	/* Who did nothing, at once. */
	quotas_leave(quota, 0);
	assert_int_equal(quotas_count(*state), 0);
	quota = enter(*state, "ann", 0);
	assert_true(quotas_take_message(quota, &who, 10));
	quotas_leave(quota, 11);
	assert_int_equal(quotas_count(*state), 1);
	/* By whoever comes into the same list; here himself, leaving again. */
	quota = enter(*state, "ann", 10 + INTERVAL_MS);
	quotas_leave(quota, 10 + INTERVAL_MS);
	assert_int_equal(quotas_count(*state), 0);
}

static void
test_questions_come_so_many_at_once_and_then_one_by_one(void **state)
{
	struct quota *quota = enter(*state, "ann", 0);
	unsigned count = 0;

	while (quotas_take_question(quota, 0))
		count++;
	assert_int_equal(count, QUOTA_QUESTIONS);
	assert_false(quotas_take_question(quota, QUOTA_QUESTION_EACH_MS - 1));
	assert_true(quotas_take_question(quota, QUOTA_QUESTION_EACH_MS));
	assert_false(quotas_take_question(quota, QUOTA_QUESTION_EACH_MS));
	/* They are no messages. */
	assert_int_equal(take_all(quota, QUOTA_QUESTION_EACH_MS), RATE);
	quotas_leave(quota, 0);
}

struct taker {
	struct quotas *quotas;
	unsigned taken;
};

static void *
take_some(void *arg)
{
	struct taker *taker = arg;

	for (int i = 0; i < TRIES; i++) {
		struct quota *quota =
		    quotas_enter(taker->quotas, span_of_str("ann"), 0);

		taker->taken += quotas_take_message(quota, &who, 0);
		quotas_leave(quota, 0);
	}
	return NULL;
}

static void
test_threads_have_one_quota(void **state)
{
	pthread_t threads[THREADS];
	struct taker takers[THREADS];
	unsigned taken = 0;

	for (int i = 0; i < THREADS; i++) {
		takers[i] = (struct taker){.quotas = *state};
		assert_int_equal(
		    pthread_create(&threads[i], NULL, take_some, &takers[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		taken += takers[i].taken;
	}
	assert_int_equal(taken, RATE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_two_connections_of_an_identity_have_one_quota),
	    TEST(test_who_comes_back_finds_what_he_left),
	    TEST(test_who_has_left_is_forgotten_once_it_is_full_again),
	    TEST(test_questions_come_so_many_at_once_and_then_one_by_one),
	    TEST(test_threads_have_one_quota),
	};

	return cmocka_run_group_tests_name("quotas", tests, NULL, NULL);
}
