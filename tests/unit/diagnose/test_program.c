#include "program.h"

#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool
run(struct program *program, const char *script, int ms)
{
	const char *const words[] = {"sh", "-c", script, NULL};

	return program_run(program, words, ms);
}

static void
test_what_it_says_and_its_status_come_back(void **state)
{
	struct program program;

	assert_true(run(&program, "echo out; echo said >&2; exit 3", 20000));
	assert_string_equal(program_out(&program), "out\n");
	assert_string_equal(program_said(&program), "said\n");
	assert_int_equal(program.status, 3);
	program_fini(&program);
}

static void
test_one_that_does_not_end_is_ended(void **state)
{
	static const char *const scripts[] = {
	    "exec sleep 60", "exec >&- 2>&-; exec sleep 60"};

	for (size_t i = 0; i < 2; i++) {
		uint64_t begun = clock_monotonic_ms();
		struct program program;

		assert_false(run(&program, scripts[i], 200));
		assert_int_equal(program.status, -1);
		assert_true(clock_monotonic_ms() - begun < 30000);
		program_fini(&program);
	}
}

static void
test_a_part_of_what_it_says_is_not_taken_for_all(void **state)
{
	struct program program;

	assert_false(run(&program, "head -c 17000000 /dev/zero", 30000));
	assert_string_equal(program_out(&program), "");
	program_fini(&program);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_it_says_and_its_status_come_back),
	    cmocka_unit_test(test_one_that_does_not_end_is_ended),
	    cmocka_unit_test(test_a_part_of_what_it_says_is_not_taken_for_all),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
