#include "slots.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_an_answer_never_reaches_the_successor(void **state)
{
	struct slots slots = {0};
	int first, second;
	uint64_t a, b;

	a = slots_add(&slots, &first);
	assert_ptr_equal(slots_find(&slots, a), &first);
	slots_remove(&slots, a);
	b = slots_add(&slots, &second);
	assert_null(slots_find(&slots, a));
	assert_ptr_equal(slots_find(&slots, b), &second);
	slots_remove(&slots, a);
	assert_ptr_equal(slots_find(&slots, b), &second);
	slots_fini(&slots);
}

static void
test_no_ticket_is_zero_and_foreign_ones_find_nothing(void **state)
{
	struct slots slots = {0};
	int things[300];
	uint64_t tickets[300];

	assert_null(slots_find(&slots, 0));
	assert_null(slots_find(&slots, UINT64_MAX));
	slots_remove(&slots, 12345);
	for (int i = 0; i < 300; i++) {
		tickets[i] = slots_add(&slots, &things[i]);
		assert_true(tickets[i] != 0);
	}
	for (int i = 0; i < 300; i += 2)
		slots_remove(&slots, tickets[i]);
	for (int i = 0; i < 300; i++)
		assert_ptr_equal(slots_find(&slots, tickets[i]),
		    i % 2 == 0 ? NULL : &things[i]);
	slots_fini(&slots);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_answer_never_reaches_the_successor),
	    cmocka_unit_test(
		test_no_ticket_is_zero_and_foreign_ones_find_nothing),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
