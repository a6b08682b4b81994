/*
 * Thousands of random scripts of a client and a broker with an access between
 * them: what goes out is what came in, minus what was refused, and no packet
 * id is lost or doubled (see access_world.h; fuzz_access looks further).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "access_world.h"

enum { SCRIPTS = 4000, SCRIPT_MAX = 600 };

static uint8_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint8_t)(*seed >> 24);
}

static struct span
random_script(uint32_t number, uint8_t *bytes)
{
	uint32_t seed = number * 2654435761u + 1;
	size_t len = number % SCRIPT_MAX;

	for (size_t i = 0; i < len; i++)
		bytes[i] = next_random(&seed);
	return span_of(bytes, len);
}

static void
test_what_goes_out_is_what_came_in_minus_what_was_refused(void **state)
{
	struct access_world_count count = {0};
	uint8_t bytes[SCRIPT_MAX];

	for (uint32_t i = 0; i < SCRIPTS; i++)
		access_world_run(random_script(i, bytes), &count);
	/* All of it happened, and often. */
	assert_true(count.passed > 10000 && count.refused > 10000);
	assert_true(count.delivered > 5000 && count.withheld > 5000);
	assert_true(count.subscribed > 5000 && count.merged > 1000);
	assert_true(count.flips > 1000);
	assert_true(count.asked > 5000 && count.let_go > 1000);
	assert_true(count.told > 100);
}

static void
test_whatever_is_sent_what_goes_out_is_mqtt(void **state)
{
	uint8_t bytes[SCRIPT_MAX];

	for (uint32_t i = 0; i < SCRIPTS; i++)
		access_world_run_hostile(random_script(i, bytes));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_what_goes_out_is_what_came_in_minus_what_was_refused),
	    cmocka_unit_test(test_whatever_is_sent_what_goes_out_is_mqtt),
	};

	return cmocka_run_group_tests_name("access_world", tests, NULL, NULL);
}
