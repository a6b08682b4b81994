#include "server_clock.h"
#include "server_holes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/timex.h>

#include <cmocka.h>

static const struct server_hole hole = {"openssh-server", "CVE-2024-6387",
    "8.5", "9.8", {"1:9.2p1-2+deb12u3"}, "what"};

static enum server_hole_state
judge(const char *upstream, const char *revision, bool named)
{
	const struct server_hole_evidence evidence = {
	    .upstream = upstream, .revision = revision, .named = named};

	return server_hole_judge(&hole, &evidence);
}

static void
test_versions_are_compared_number_by_number(void **state)
{
	assert_true(server_version_compare("9.10p1", "9.9p2") > 0);
	assert_true(server_version_compare("8.4p1", "8.5") < 0);
	assert_true(server_version_compare("9.8p1", "9.8") > 0);
	assert_true(server_version_compare("2.0.9", "2.0.16") < 0);
	assert_int_equal(server_version_compare("2.0.16", "2.0.16"), 0);
	assert_true(server_version_compare("10.0p1", "9.8") > 0);
}

static void
test_the_upstream_part_is_between_epoch_and_revision(void **state)
{
	char text[64];

	assert_string_equal(
	    server_version_upstream("1:9.2p1-2+deb12u3", text, sizeof text),
	    "9.2p1");
	assert_string_equal(
	    server_version_upstream("2.0.11-1.2", text, sizeof text), "2.0.11");
	assert_string_equal(
	    server_version_upstream("2022.83", text, sizeof text), "2022.83");
}

static void
test_versions_outside_of_the_range_are_not_affected(void **state)
{
	assert_int_equal(
	    judge("8.4p1", "1:8.4p1-5", false), SERVER_HOLE_NOT_AFFECTED);
	assert_int_equal(judge("9.8p1", NULL, false), SERVER_HOLE_NOT_AFFECTED);
	assert_int_equal(
	    judge("10.0p1", "1:10.0p1-7", false), SERVER_HOLE_NOT_AFFECTED);
}

static void
test_a_mended_revision_has_no_hole(void **state)
{
	assert_int_equal(
	    judge("9.2p1", "1:9.2p1-2+deb12u3", false), SERVER_HOLE_MENDED);
	assert_int_equal(
	    judge("9.2p1", "1:9.2p1-2+deb12u10", false), SERVER_HOLE_MENDED);
}

static void
test_an_older_revision_of_that_release_has_it(void **state)
{
	assert_int_equal(
	    judge("9.2p1", "1:9.2p1-2+deb12u2", false), SERVER_HOLE_OPEN);
	assert_int_equal(judge("9.2p1", "1:9.2p1-2", false), SERVER_HOLE_OPEN);
}

static void
test_a_changelog_that_names_it_is_evidence_enough(void **state)
{
	assert_int_equal(judge("9.2p1", "1:9.2p1-2", true), SERVER_HOLE_NAMED);
}

static void
test_of_another_release_nothing_is_claimed(void **state)
{
	assert_int_equal(judge("9.6p1", "1:9.6p1-3ubuntu13.4", false),
	    SERVER_HOLE_NOT_KNOWN);
	assert_int_equal(
	    judge("9.2p1", "1:9.2p1-3", false), SERVER_HOLE_NOT_KNOWN);
}

static void
test_without_a_package_the_version_decides(void **state)
{
	assert_int_equal(judge("9.2p1", NULL, false), SERVER_HOLE_OPEN);
}

static void
test_every_revision_of_the_table_is_in_its_range(void **state)
{
	for (const struct server_hole *one = server_holes; one->package != NULL;
	     one++)
		for (size_t i = 0; i < 4 && one->revisions[i] != NULL; i++) {
			char upstream[64];
			struct server_hole_evidence evidence = {
			    .upstream = server_version_upstream(
				one->revisions[i], upstream, sizeof upstream),
			    .revision = one->revisions[i]};

			assert_int_equal(server_hole_judge(one, &evidence),
			    SERVER_HOLE_MENDED);
			assert_string_equal(
			    server_hole_mended(one, one->revisions[i]),
			    one->revisions[i]);
		}
}

/* ---- the clock ---- */

enum { BUILT_S = 1700000000, YEAR_S = 365 * 86400 };

static void
test_a_clock_that_is_kept_right_is_well(void **state)
{
	assert_int_equal(
	    server_clock_judge(BUILT_S + YEAR_S, BUILT_S, TIME_OK, 0),
	    SERVER_CLOCK_OK);
}

static void
test_a_clock_that_nobody_keeps_is_told(void **state)
{
	assert_int_equal(
	    server_clock_judge(BUILT_S, BUILT_S, TIME_ERROR, STA_UNSYNC),
	    SERVER_CLOCK_UNSYNCHRONISED);
}

static void
test_a_year_that_cannot_be_is_a_fault(void **state)
{
	assert_int_equal(
	    server_clock_judge(86400, BUILT_S, TIME_ERROR, STA_UNSYNC),
	    SERVER_CLOCK_PAST);
	assert_int_equal(server_clock_judge(BUILT_S + (int64_t)30 * YEAR_S,
			     BUILT_S, TIME_OK, 0),
	    SERVER_CLOCK_FUTURE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_versions_are_compared_number_by_number),
	    cmocka_unit_test(
		test_the_upstream_part_is_between_epoch_and_revision),
	    cmocka_unit_test(
		test_versions_outside_of_the_range_are_not_affected),
	    cmocka_unit_test(test_a_mended_revision_has_no_hole),
	    cmocka_unit_test(test_an_older_revision_of_that_release_has_it),
	    cmocka_unit_test(test_a_changelog_that_names_it_is_evidence_enough),
	    cmocka_unit_test(test_of_another_release_nothing_is_claimed),
	    cmocka_unit_test(test_without_a_package_the_version_decides),
	    cmocka_unit_test(test_every_revision_of_the_table_is_in_its_range),
	    cmocka_unit_test(test_a_clock_that_is_kept_right_is_well),
	    cmocka_unit_test(test_a_clock_that_nobody_keeps_is_told),
	    cmocka_unit_test(test_a_year_that_cannot_be_is_a_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
