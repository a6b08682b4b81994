#include "err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
test_text_names_place_cause_and_remedy(void **state)
{
	struct err err = ERR_INIT;
	char text[512];

	assert_int_equal(
	    err_set(&err, ERR_CONFIG, "unknown word \"%s\"", "lisen"), -1);
	err_hint(&err, "write listen");
	err_where(&err, "kayad.conf:%d:%d", 3, 1);
	err_wrap(&err, "configuration");
	assert_string_equal(err_text(&err, text, sizeof text),
	    "kayad.conf:3:1: configuration: unknown word \"lisen\"\n"
	    "  remedy: write listen");
}

static void
test_errno_is_told_and_kept(void **state)
{
	struct err err = ERR_INIT;

	errno = ENOENT;
	err_set_errno(&err, ERR_SYSTEM, "open %s", "x");
	assert_int_equal(err.os_errno, ENOENT);
	assert_string_equal(err.what, "open x: No such file or directory");
}

static void
test_the_innermost_place_stays(void **state)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_FAILED, "x");
	err_where(&err, "inner");
	err_where(&err, "outer");
	assert_string_equal(err.where, "inner");
}

static void
test_every_code_that_a_user_can_cause_has_a_hint(void **state)
{
	for (int code = ERR_FAILED + 1; code < ERR_CODES_COUNT; code++) {
		assert_true(strlen(err_default_hint(code)) > 0);
		assert_true(strlen(err_name(code)) > 0);
		assert_in_range(err_exit_status(code), 1, 5);
	}
}

static void
test_long_texts_are_cut_not_overrun(void **state)
{
	struct err err = ERR_INIT;
	char big[2000];

	memset(big, 'x', sizeof big);
	big[sizeof big - 1] = '\0';
	err_set(&err, ERR_FAILED, "%s", big);
	err_wrap(&err, "%s", big);
	assert_int_equal(strlen(err.what), sizeof err.what - 1);
	/* And nobody need ask for the details. */
	assert_int_equal(err_set(NULL, ERR_FAILED, "x"), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text_names_place_cause_and_remedy),
	    cmocka_unit_test(test_errno_is_told_and_kept),
	    cmocka_unit_test(test_the_innermost_place_stays),
	    cmocka_unit_test(test_every_code_that_a_user_can_cause_has_a_hint),
	    cmocka_unit_test(test_long_texts_are_cut_not_overrun),
	};

	return cmocka_run_group_tests_name("err", tests, NULL, NULL);
}
