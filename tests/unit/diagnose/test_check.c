#include "check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const struct check_word words[] = {
    {"host", "broker.example"}, {"port", "22"}, {"nothing", NULL}, {0}};

static void
assert_filled(const char *template, const char *wanted)
{
	char text[64];

	check_fill(template, words, text, sizeof text);
	assert_string_equal(text, wanted);
}

static void
test_words_in_braces_are_filled_in(void **state)
{
	assert_filled("{host} port {port}", "broker.example port 22");
	assert_filled("{host}{port}", "broker.example22");
	assert_filled("plain", "plain");
	assert_filled("", "");
	assert_filled(NULL, "");
}

static void
test_words_that_nobody_gave_are_left_out(void **state)
{
	assert_filled("a {nothing}b", "a b");
	assert_filled("a {unheard}b", "a b");
	assert_filled("{hos}|{hostt}|{}", "||");
}

static void
test_a_brace_that_is_never_closed_stays(void **state)
{
	assert_filled("a {host", "a {host");
}

static void
test_a_text_is_cut_at_any_size_and_always_ends(void **state)
{
	static const char whole[] = "broker.example port 22";

	for (size_t size = 1; size <= sizeof whole; size++) {
		char text[sizeof whole + 1];

		memset(text, '#', sizeof text);
		check_fill("{host} port {port}", words, text, size);
		assert_int_equal(strlen(text), size - 1);
		assert_memory_equal(text, whole, size - 1);
		assert_int_equal(text[size], '#');
	}
}

static void
test_a_fact_becomes_the_finding_of_its_row(void **state)
{
	static const struct check_row rows[] = {
	    {1, FINDING_OK, ERR_NONE, NULL, "{host} answers", NULL, NULL},
	    {2, FINDING_FAULT, ERR_UNREACHABLE, "port-closed",
		"{host}: refused", "nothing listens", "try {port}"},
	};
	struct finding finding = {.layer = "tcp"};

	assert_true(check_judge(rows, 2, 2, words, &finding));
	assert_int_equal(finding.state, FINDING_FAULT);
	assert_int_equal(finding.status, ERR_UNREACHABLE);
	assert_string_equal(finding.code, "port-closed");
	assert_string_equal(finding.seen, "broker.example: refused");
	assert_string_equal(finding.cause, "nothing listens");
	assert_string_equal(finding.remedy, "try 22");
	assert_string_equal(finding.layer, "tcp");
	assert_true(check_judge(rows, 2, 1, words, &finding));
	assert_string_equal(finding.code, "");
	assert_string_equal(finding.cause, "");
	assert_false(check_judge(rows, 2, 3, words, &finding));
}

static enum check_next
go_on(void *arg, struct findings *findings)
{
	strcat(arg, "g");
	return CHECK_GO_ON;
}

static enum check_next
stop(void *arg, struct findings *findings)
{
	strcat(arg, "s");
	return CHECK_STOP;
}

static void
test_the_first_stop_ends_the_walk_but_for_what_is_always_looked_at(void **state)
{
	static const struct check checks[] = {
	    {"a", go_on, CHECK_IN_ORDER},
	    {"b", stop, CHECK_IN_ORDER},
	    {"c", go_on, CHECK_IN_ORDER},
	    {"d", go_on, CHECK_ALWAYS},
	    {"e", stop, CHECK_IN_ORDER},
	};
	char trace[16] = "";

	checks_run(checks, 5, trace, NULL);
	assert_string_equal(trace, "gsg");
}

static void
test_a_remedy_that_does_not_fit_is_no_other_one(void **state)
{
	static const struct check_row rows[] = {{1, FINDING_FAULT, ERR_FAILED,
	    "code", "seen", "cause", "mv {path} {path}.old"}};
	char path[FINDING_TEXT / 2];
	const struct check_word long_words[] = {{"path", path}, {0}};
	static struct finding finding;

	memset(path, 'a', sizeof path - 1);
	path[sizeof path - 1] = '\0';
	assert_true(check_judge(rows, 1, 1, long_words, &finding));
	assert_null(strstr(finding.remedy, "mv"));
	assert_non_null(strstr(finding.remedy, "too long"));
	path[sizeof path / 2] = '\0';
	assert_true(check_judge(rows, 1, 1, long_words, &finding));
	assert_non_null(strstr(finding.remedy, "aaa.old"));
}

static void
assert_typed(const char *path, const char *wanted)
{
	char text[24];

	assert_string_equal(check_typed(path, text, sizeof text), wanted);
}

static void
test_a_path_is_typed_as_one_word_or_not_at_all(void **state)
{
	assert_typed("/etc/a", "/etc/a");
	assert_typed("/a b;c", "'/a b;c'");
	assert_typed("/a'b", "'/a'\\''b'");
	assert_typed("/a\nb", "FILE");
	assert_typed("/a\033[2J", "FILE");
	assert_typed("/a/path/that/does/not/fit", "FILE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_words_in_braces_are_filled_in),
	    cmocka_unit_test(test_words_that_nobody_gave_are_left_out),
	    cmocka_unit_test(test_a_brace_that_is_never_closed_stays),
	    cmocka_unit_test(test_a_text_is_cut_at_any_size_and_always_ends),
	    cmocka_unit_test(test_a_fact_becomes_the_finding_of_its_row),
	    cmocka_unit_test(test_a_remedy_that_does_not_fit_is_no_other_one),
	    cmocka_unit_test(test_a_path_is_typed_as_one_word_or_not_at_all),
	    cmocka_unit_test(
		test_the_first_stop_ends_the_walk_but_for_what_is_always_looked_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
