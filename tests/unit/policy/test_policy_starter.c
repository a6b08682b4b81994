/* The starter is a sound policy, and the committed documents are up to date. */

#include "documents.h"
#include "make.h"

#include "policy_check.h"
#include "policy_private.h"
#include "policy_starter.h"

#include <stdlib.h>

static void
test_the_committed_starter_is_the_one_built_in(void **state)
{
	document_check(SOURCE_ROOT "/packaging/policy.starter.yaml",
	    span_of_str(policy_starter), "policy-doc");
}

static void
test_the_manual_is_what_the_table_makes(void **state)
{
	document_check_manual(SOURCE_ROOT "/doc/kaya-policy.5.scd",
	    policy_doc_manual, "policy-doc");
}

static void
on_finding(const struct policy_finding *finding, void *arg)
{
	fail_msg("line %zu: %s", finding->line, finding->cause);
}

static void
check_sound(const struct policy *policy)
{
	struct policy_check check = {
	    .policy = policy, .on_finding = on_finding};

	assert_int_equal(policy_check(&check), 0);
}

static void
test_by_the_starter_who_has_a_key_may_do_all_but_the_systems(void **state)
{
	struct policy *policy = make_policy(policy_starter);
	struct policy_who who = make_who(policy, "anybody", "mosq-1");
	struct policy_message message = {.topic = span_of_str("a/b"),
	    .qos = 2,
	    .is_retained = true,
	    .size = 256 << 20};

	check_sound(policy);
	assert_int_equal(policy_publish(&who, &message, NULL), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "$SYS/#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "$kaya/#"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "$SYS/x"), POLICY_REFUSED);
	policy_free(policy);
}

/* What the comment at its end says, without the comment's marks. */
static void
test_the_stricter_policy_in_the_starter_is_sound(void **state)
{
	const char *at = strstr(policy_starter, "# roles:");
	char *text = calloc(1, strlen(policy_starter));
	struct policy *policy;
	struct policy_who pump;
	size_t len = 0;

	assert_non_null(at);
	assert_non_null(text);
	while (*at == '#') {
		size_t line = strcspn(at, "\n") + 1, mark = line > 2 ? 2 : 1;

		memcpy(text + len, at + mark, line - mark);
		len += line - mark;
		at += line;
	}
	policy = make_policy(text);
	pump = make_who(policy, "pump-7", "pump-7-a");
	check_sound(policy);
	assert_int_equal(
	    may_publish(&pump, "devices/pump-7/x"), POLICY_ALLOWED);
	assert_int_equal(
	    may_publish(&pump, "devices/pump-8/x"), POLICY_REFUSED);
	assert_int_equal(
	    may_subscribe(&pump, "commands/pump-7/#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&pump, "commands/#"), POLICY_REFUSED);
	policy_free(policy);
	free(text);
}

static void
test_every_word_has_a_sentence_and_says_what_is_without_it(void **state)
{
	document_check_words(policy_keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_committed_starter_is_the_one_built_in),
	    cmocka_unit_test(test_the_manual_is_what_the_table_makes),
	    cmocka_unit_test(
		test_by_the_starter_who_has_a_key_may_do_all_but_the_systems),
	    cmocka_unit_test(test_the_stricter_policy_in_the_starter_is_sound),
	    cmocka_unit_test(
		test_every_word_has_a_sentence_and_says_what_is_without_it),
	};

	return cmocka_run_group_tests_name("policy_starter", tests, NULL, NULL);
}
