#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

/* The clock that is shown. */
static struct timespec shown;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int
__wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	*now = shown;
	return 0;
}

static void
assert_text(time_t second, long ns, const char *expected)
{
	char text[CLOCK_TEXT_SIZE];

	memset(text, 'x', sizeof text);
	shown = (struct timespec){.tv_sec = second, .tv_nsec = ns};
	clock_wall_text(text);
	assert_string_equal(text, expected);
}

static void
test_the_text_of_a_moment(void **state)
{
	assert_text(1772366400, 123999999, "2026-03-01T12:00:00.123Z");
	/* The same second, later; another second; one before. */
	assert_text(1772366400, 999000000, "2026-03-01T12:00:00.999Z");
	assert_text(1772366401, 0, "2026-03-01T12:00:01.000Z");
	assert_text(1772366399, 7000000, "2026-03-01T11:59:59.007Z");
	assert_text(0, 60000000, "1970-01-01T00:00:00.060Z");
}

static void
test_milliseconds(void **state)
{
	shown = (struct timespec){.tv_sec = 5, .tv_nsec = 1999999};
	assert_int_equal(clock_monotonic_ms(), 5001);
	assert_int_equal(clock_boot_ms(), 5001);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_text_of_a_moment),
	    cmocka_unit_test(test_milliseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
