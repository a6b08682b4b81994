/* Who may ask the gateway itself for what. */

#include "make.h"

static const char POLICY[] =
    "roles:\n"
    "  - {name: looker, control: status}\n"
    "  - {name: porter, control: [invite]}\n"
    "  - {name: bouncer, control: revoke}\n"
    "  - {name: all, control: [revoke, status, invite]}\n"
    "  - {name: device, publish: '#'}\n"
    "identities:\n"
    "  - {names: [ann], roles: looker}\n"
    "  - {names: bob, roles: [device, porter]}\n"
    "  - {names: cy, roles: [bouncer, looker]}\n"
    "  - {names: root, roles: all}\n"
    "  - {names: 'pump-*', roles: device}\n"
    "approval:\n"
    "  - {name: a, topics: a, by: bouncer}\n"
    "  - {name: b, topics: b, by: [device, looker]}\n";

/* The first letters of what `identity` may, with `role` of its key's line. */
static const char *
may(const struct policy *policy, const char *identity, const char *role)
{
	static char text[8];
	struct policy_who who;
	size_t len = 0;

	policy_who_init(&who, policy, span_of_str(identity), span_of_str(role));
	if (policy_may_control(&who, POLICY_CONTROL_STATUS))
		text[len++] = 's';
	if (policy_may_control(&who, POLICY_CONTROL_INVITE))
		text[len++] = 'i';
	if (policy_may_control(&who, POLICY_CONTROL_REVOKE))
		text[len++] = 'r';
	if (policy_may_agree(&who))
		text[len++] = 'a';
	text[len] = '\0';
	return text;
}

static void
test_each_word_of_a_role_gives_that_and_no_other(void **state)
{
	struct policy *policy = make_policy(POLICY);

	assert_string_equal(may(policy, "ann", ""), "sa");
	assert_string_equal(may(policy, "bob", ""), "ia");
	assert_string_equal(may(policy, "cy", ""), "sra");
	assert_string_equal(may(policy, "root", ""), "sir");
	policy_free(policy);
}

static void
test_who_has_no_such_role_may_ask_nothing(void **state)
{
	struct policy *policy = make_policy(POLICY);

	assert_string_equal(may(policy, "eve", ""), "");
	/* A pattern gives a role; this one may agree, and ask nothing else. */
	assert_string_equal(may(policy, "pump-7", ""), "a");
	assert_string_equal(may(policy, "eve", "nosuchrole"), "");
	/* Names are compared letter by letter, and whole. */
	assert_string_equal(may(policy, "Root", ""), "");
	assert_string_equal(may(policy, "root2", ""), "");
	policy_free(policy);
}

static void
test_the_role_of_a_keys_line_counts(void **state)
{
	struct policy *policy = make_policy(POLICY);

	assert_string_equal(may(policy, "eve", "porter"), "i");
	assert_string_equal(may(policy, "ann", "porter"), "sia");
	policy_free(policy);
}

static void
test_what_is_no_name_may_nothing_by_whatever_role(void **state)
{
	struct policy *policy = make_policy(POLICY);

	assert_string_equal(may(policy, "", "all"), "");
	assert_string_equal(may(policy, "ro/ot", "all"), "");
	assert_string_equal(may(policy, "+", "all"), "");
	policy_free(policy);
}

static void
test_a_file_without_roles_gives_nothing(void **state)
{
	struct policy *policy = make_acl("user root\ntopic readwrite #\n");

	assert_string_equal(may(policy, "root", "all"), "");
	policy_free(policy);
}

static void
test_another_word_is_a_fault_with_its_place(void **state)
{
	struct told told;

	assert_null(make_try("roles: [{name: a, control: [status, shell]}]\n",
	    POLICY_YAML, &told));
	assert_int_equal(told.count, 1);
	assert_non_null(strstr(told.where, "p.yaml:1:"));
	assert_non_null(strstr(told.what, "shell"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_word_of_a_role_gives_that_and_no_other),
	    cmocka_unit_test(test_who_has_no_such_role_may_ask_nothing),
	    cmocka_unit_test(test_the_role_of_a_keys_line_counts),
	    cmocka_unit_test(test_what_is_no_name_may_nothing_by_whatever_role),
	    cmocka_unit_test(test_a_file_without_roles_gives_nothing),
	    cmocka_unit_test(test_another_word_is_a_fault_with_its_place),
	};

	return cmocka_run_group_tests_name("policy_control", tests, NULL, NULL);
}
