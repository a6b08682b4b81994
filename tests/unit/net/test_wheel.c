#include "wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_a_deadline_is_met_late_by_a_tick_at_most_and_never_early(void **state)
{
	for (uint64_t delay = 0; delay < 200000; delay += 777) {
		struct wheel wheel;
		struct wheel_node node = {0};
		uint64_t now = 12345, deadline = now + delay;

		wheel_init(&wheel, now);
		wheel_set(&wheel, &node, deadline);
		while (wheel_next_due(&wheel, now) == NULL) {
			assert_true(now < deadline + 2 * WHEEL_TICK_MS);
			now += WHEEL_TICK_MS / 2;
		}
		assert_true(now >= deadline);
		assert_int_equal(wheel.count, 0);
	}
}

static void
test_moved_and_cleared_nodes_do_not_fire(void **state)
{
	struct wheel wheel;
	struct wheel_node a = {0}, b = {0};

	wheel_init(&wheel, 0);
	wheel_set(&wheel, &a, 1000);
	wheel_set(&wheel, &b, 1000);
	wheel_set(&wheel, &a, 5000);
	wheel_clear(&wheel, &b);
	wheel_clear(&wheel, &b);
	assert_null(wheel_next_due(&wheel, 4999));
	assert_ptr_equal(wheel_next_due(&wheel, 5200), &a);
	assert_null(wheel_next_due(&wheel, 100000));
	wheel_set(&wheel, &a, UINT64_MAX);
	assert_int_equal(wheel.count, 0);
}

static void
test_a_long_sleep_finds_all_that_is_due(void **state)
{
	enum { COUNT = 2000 };
	struct wheel wheel;
	struct wheel_node *nodes = calloc(COUNT, sizeof *nodes);
	size_t found = 0;

	wheel_init(&wheel, 0);
	for (size_t i = 0; i < COUNT; i++)
		wheel_set(&wheel, &nodes[i], i * 100);
	while (wheel_next_due(&wheel, 10000000) != NULL)
		found++;
	assert_int_equal(found, COUNT);
	free(nodes);
}

static void
test_nodes_may_be_freed_between_two_that_are_due(void **state)
{
	struct wheel wheel;
	struct wheel_node a = {0}, b = {0}, *first, *other;

	wheel_init(&wheel, 0);
	wheel_set(&wheel, &a, 10);
	wheel_set(&wheel, &b, 20);
	first = wheel_next_due(&wheel, 1000);
	other = first == &a ? &b : &a;
	wheel_clear(&wheel, other);
	assert_null(wheel_next_due(&wheel, 1000));
	assert_int_equal(wheel.count, 0);
}

static void
test_it_knows_when_it_must_be_turned_next(void **state)
{
	struct wheel wheel;
	struct wheel_node near = {0}, far = {0};
	uint64_t turns = 0;

	wheel_init(&wheel, 1000);
	assert_int_equal(wheel_wake_ms(&wheel), UINT64_MAX);
	wheel_set(&wheel, &far, 6000 + 10ull * WHEEL_SLOTS * WHEEL_TICK_MS);
	wheel_set(&wheel, &near, 2050);
	assert_int_equal(wheel_wake_ms(&wheel), wheel_met_ms(2050));
	assert_ptr_equal(wheel_next_due(&wheel, wheel_met_ms(2050)), &near);
	/* Far deadlines cost a turn a round, not one a tick. */
	for (;; turns++) {
		uint64_t wake = wheel_wake_ms(&wheel);

		assert_true(wake <= wheel_met_ms(far.deadline_ms));
		if (wheel_next_due(&wheel, wake) == &far)
			break;
	}
	assert_true(turns <= 11);
	assert_int_equal(wheel_wake_ms(&wheel), UINT64_MAX);
}

static void
test_a_wheel_that_stood_still_is_never_woken_too_late(void **state)
{
	struct wheel wheel;
	struct wheel_node node = {0};

	wheel_init(&wheel, 0);
	wheel_set(&wheel, &node, 1000000);
	assert_true(wheel_wake_ms(&wheel) <= wheel_met_ms(1000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_deadline_is_met_late_by_a_tick_at_most_and_never_early),
	    cmocka_unit_test(test_moved_and_cleared_nodes_do_not_fire),
	    cmocka_unit_test(test_a_long_sleep_finds_all_that_is_due),
	    cmocka_unit_test(test_nodes_may_be_freed_between_two_that_are_due),
	    cmocka_unit_test(test_it_knows_when_it_must_be_turned_next),
	    cmocka_unit_test(
		test_a_wheel_that_stood_still_is_never_woken_too_late),
	};

	return cmocka_run_group_tests_name("wheel", tests, NULL, NULL);
}
