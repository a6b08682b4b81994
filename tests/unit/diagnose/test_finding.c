#include "finding.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct finding ok = {
    .layer = "dns", .code = "", .seen = "broker is 192.0.2.7"};
static const struct finding warning = {.layer = "tcp",
    .state = FINDING_WARNING,
    .code = "one-family",
    .seen = "half of it",
    .cause = "only IPv4 answers",
    .remedy = "say -4"};
static const struct finding fault = {.layer = "auth",
    .state = FINDING_FAULT,
    .code = "refused",
    .status = ERR_REFUSED,
    .seen = "no key",
    .cause = "the \"key\" is not there",
    .remedy = "kaya keys add"};

/* What a list of these prints, and its exit status. */
static char *
print(const struct finding *const *items, enum findings_form form,
    enum findings_causes causes, int *status)
{
	struct findings findings;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	findings_init(&findings, out, form, causes);
	for (; *items != NULL; items++)
		findings_add(&findings, *items);
	*status = findings_end(&findings);
	findings_fini(&findings);
	fclose(out);
	return text;
}

static void
test_each_finding_is_a_line_and_the_first_fault_is_told_at_the_end(void **state)
{
	const struct finding *items[] = {&ok, &warning, &fault, &fault, NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_TEXT, FINDINGS_FIRST_CAUSE, &status);

	assert_string_equal(text, "ok         dns         broker is 192.0.2.7\n"
				  "warning    tcp         half of it\n"
				  "fault      auth        no key\n"
				  "fault      auth        no key\n"
				  "\n"
				  "cause:  the \"key\" is not there\n"
				  "remedy: kaya keys add\n");
	assert_int_equal(status, 4);
	free(text);
}

static void
test_a_warning_is_told_and_is_no_failure(void **state)
{
	const struct finding *items[] = {&ok, &warning, NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_TEXT, FINDINGS_FIRST_CAUSE, &status);

	assert_non_null(strstr(text, "\ncause:  only IPv4 answers\n"));
	assert_int_equal(status, 0);
	free(text);
}

static void
test_nothing_is_said_at_the_end_where_all_is_well(void **state)
{
	const struct finding *items[] = {&ok, NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_TEXT, FINDINGS_FIRST_CAUSE, &status);

	assert_string_equal(
	    text, "ok         dns         broker is 192.0.2.7\n");
	assert_int_equal(status, 0);
	free(text);
}

static void
test_every_cause_stands_below_its_line_where_that_is_asked(void **state)
{
	const struct finding *items[] = {&warning, &fault, NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_TEXT, FINDINGS_EVERY_CAUSE, &status);

	assert_string_equal(text,
	    "warning    tcp         half of it\n"
	    "           cause:  only IPv4 answers\n"
	    "           remedy: say -4\n"
	    "fault      auth        no key\n"
	    "           cause:  the \"key\" is not there\n"
	    "           remedy: kaya keys add\n");
	free(text);
}

static void
test_json_names_the_layer_of_the_first_fault(void **state)
{
	const struct finding *items[] = {&ok, &fault, NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_JSON, FINDINGS_FIRST_CAUSE, &status);

	assert_string_equal(text,
	    "{\"ok\":false, \"status\":4, \"layer\":\"auth\", "
	    "\"code\":\"refused\",\n"
	    " \"cause\":\"the \\\"key\\\" is not there\",\n"
	    " \"remedy\":\"kaya keys add\",\n"
	    " \"findings\":[\n"
	    "    {\"layer\":\"dns\", \"state\":\"ok\", \"code\":null,\n"
	    "     \"seen\":\"broker is 192.0.2.7\",\n"
	    "     \"cause\":null,\n"
	    "     \"remedy\":null},\n"
	    "    {\"layer\":\"auth\", \"state\":\"fault\", \"code\":"
	    "\"refused\",\n"
	    "     \"seen\":\"no key\",\n"
	    "     \"cause\":\"the \\\"key\\\" is not there\",\n"
	    "     \"remedy\":\"kaya keys add\"}\n"
	    "]}\n");
	assert_int_equal(status, 4);
	free(text);
}

static void
test_an_empty_list_is_sound_json_too(void **state)
{
	const struct finding *items[] = {NULL};
	int status;
	char *text =
	    print(items, FINDINGS_AS_JSON, FINDINGS_FIRST_CAUSE, &status);

	assert_non_null(strstr(text, "{\"ok\":true, \"status\":0, "
				     "\"layer\":null"));
	assert_non_null(strstr(text, "\"findings\":[\n]}\n"));
	free(text);
}

static void
test_a_fault_without_a_status_of_its_own_ends_with_1(void **state)
{
	struct finding bare = fault;
	const struct finding *items[] = {&bare, NULL};
	int status;

	bare.status = ERR_NONE;
	free(print(items, FINDINGS_AS_TEXT, FINDINGS_FIRST_CAUSE, &status));
	assert_int_equal(status, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_each_finding_is_a_line_and_the_first_fault_is_told_at_the_end),
	    cmocka_unit_test(test_a_warning_is_told_and_is_no_failure),
	    cmocka_unit_test(test_nothing_is_said_at_the_end_where_all_is_well),
	    cmocka_unit_test(
		test_every_cause_stands_below_its_line_where_that_is_asked),
	    cmocka_unit_test(test_json_names_the_layer_of_the_first_fault),
	    cmocka_unit_test(test_an_empty_list_is_sound_json_too),
	    cmocka_unit_test(
		test_a_fault_without_a_status_of_its_own_ends_with_1),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
