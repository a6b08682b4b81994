/* What a sound policy says that nobody can have meant. */

#include "make.h"

#include "policy_check.h"

enum { FINDINGS_MAX = 16 };

struct findings {
	size_t count;
	struct policy_finding items[FINDINGS_MAX];
};

static void
on_finding(const struct policy_finding *finding, void *arg)
{
	struct findings *findings = arg;

	assert_true(findings->count < FINDINGS_MAX);
	assert_int_not_equal(finding->cause[0], '\0');
	assert_int_not_equal(finding->remedy[0], '\0');
	findings->items[findings->count++] = *finding;
}

/* `expected`: "LINE:CODE" of each finding, with blanks between. */
static void
check(const struct policy *policy, const struct policy_known *known,
    size_t known_count, const char *expected)
{
	struct findings findings = {.count = 0};
	struct policy_check question = {.policy = policy,
	    .known = known,
	    .known_count = known_count,
	    .on_finding = on_finding,
	    .arg = &findings};
	char text[1024] = "";
	int count = policy_check(&question);

	assert_int_equal(count, findings.count);
	for (size_t i = 0; i < findings.count; i++)
		snprintf(text + strlen(text), sizeof text - strlen(text),
		    "%s%zu:%s", i == 0 ? "" : " ", findings.items[i].line,
		    findings.items[i].code);
	assert_string_equal(text, expected);
}

static void
check_rules(const char *filters, const char *expected)
{
	char text[512];
	struct policy *policy;

	snprintf(text, sizeof text,
	    "roles:\n"
	    "  - name: r\n"
	    "    publish:\n%s",
	    filters);
	policy = make_policy(text);
	check(policy, NULL, 0, expected);
	policy_free(policy);
}

static void
test_a_rule_within_another_has_no_effect(void **state)
{
	check_rules("      - a/+\n      - a/b\n", "5:shadowed");
	check_rules("      - a/b\n      - \"#\"\n", "4:shadowed");
	check_rules(
	    "      - sensors/%i/x\n      - sensors/+/x\n", "4:shadowed");
	check_rules(
	    "      - sensors/%i/x\n      - sensors/%i/#\n", "4:shadowed");
	check_rules("      - sensors/%i/x\n      - sensors/%c/#\n", "");
	check_rules("      - $SYS/a\n      - \"#\"\n", "");
	check_rules("      - a\n      - b\n", "");
}

static void
test_of_two_that_are_the_same_one_is_told(void **state)
{
	check_rules("      - a/+\n      - a/+\n", "5:shadowed");
	check_rules("      - \"#\"\n      - \"+/#\"\n", "5:shadowed");
}

static void
test_a_rule_that_others_cover_together_has_no_effect(void **state)
{
	check_rules("      - a/#\n"
		    "      - a\n"
		    "      - a/+\n"
		    "      - a/+/+/#\n",
	    "5:shadowed 6:shadowed 7:shadowed");
	check_rules("      - a\n"
		    "      - a/+/#\n"
		    "      - a/#\n",
	    "6:shadowed");
}

static void
test_a_role_is_not_shadowed_by_another(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - {name: a, publish: \"#\", subscribe: x}\n"
			"  - {name: b, publish: x, subscribe: y}\n");

	check(policy, NULL, 0, "");
	policy_free(policy);
}

static void
test_names_and_roles_are_held_against_the_keys(void **state)
{
	static const struct policy_known known[] = {
	    {{(const uint8_t *)"pump-1", 6}, {0}},
	    {{(const uint8_t *)"ann", 3}, {(const uint8_t *)"keyed", 5}},
	    {{(const uint8_t *)"bob", 3}, {(const uint8_t *)"lost", 4}},
	};
	struct policy *policy = make_policy("roles:\n"
					    "  - {name: given}\n"
					    "  - {name: keyed}\n"
					    "  - {name: unused}\n"
					    "identities:\n"
					    "  - names:\n"
					    "      - ann\n"
					    "      - zoe\n"
					    "      - pump-*\n"
					    "      - meter-*\n"
					    "    roles: given\n");

	check(policy, known, 3,
	    "4:role-unused 8:no-key 10:no-key 0:role-unknown");
	check(policy, NULL, 0, "");
	policy_free(policy);
}

/* As the policy that kayad makes has it, before the first key is in. */
static void
test_whoever_comes_is_meant_where_nobody_is_in_yet(void **state)
{
	static const struct policy_known known[1];
	struct policy *policy = make_policy("roles:\n"
					    "  - {name: given}\n"
					    "identities:\n"
					    "  - names: \"*\"\n"
					    "    roles: given\n");

	check(policy, known, 0, "");
	policy_free(policy);
}

static void
test_where_there_is_an_authority_nobody_is_missed(void **state)
{
	static const struct policy_known known[] = {
	    {{(const uint8_t *)"ann", 3}, {0}},
	    {{(const uint8_t *)"", 0}, {(const uint8_t *)"lost", 4}},
	    {{(const uint8_t *)"", 0}, {(const uint8_t *)"given", 5}},
	};
	struct policy *policy = make_policy("roles:\n"
					    "  - {name: given}\n"
					    "  - {name: pumps}\n"
					    "identities:\n"
					    "  - names: [ann, zoe, pump-*]\n"
					    "    roles: pumps\n");

	check(policy, known, 3, "0:role-unknown");
	check(policy, known, 1, "2:role-unused 5:no-key 5:no-key");
	policy_free(policy);
}

static void
test_a_client_id_that_can_be_no_level_matches_nothing(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - name: a\n"
			"    client_ids: [\"x/%i\", \"$y\"]\n"
			"    publish: \"to/%c\"\n"
			"  - name: b\n"
			"    client_ids: [\"x/%i\", \"%i\"]\n"
			"    publish: \"to/%c\"\n");

	check(policy, NULL, 0, "4:never-matches");
	policy_free(policy);
}

static void
test_what_is_protected_must_be_published(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - {name: a, publish: \"plant/+/valve\"}\n"
			"approval:\n"
			"  - {name: v, topics: \"plant/1/valve\", by: a}\n"
			"  - {name: w, topics: \"plant/1/valves\", by: a}\n");

	check(policy, NULL, 0, "5:never-matches");
	policy_free(policy);
}

static void
test_a_name_in_a_rule_stands_for_one_level(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - {name: a, publish: [\"plant/%i/x-%c/on\"]}\n"
			"approval:\n"
			"  - {name: v, topics: \"plant/1/x/on\", by: a}\n"
			"  - {name: w, topics: \"plant/1/x/y/on\", by: a}\n"
			"  - {name: x, topics: \"plants/+/x/on\", by: a}\n"
			"  - {name: y, topics: \"valves/#\", by: a}\n");

	check(
	    policy, NULL, 0, "5:never-matches 6:never-matches 7:never-matches");
	policy_free(policy);
}

static void
test_lines_of_an_acl_file_without_effect_are_told(void **state)
{
	static const struct policy_known known[] = {
	    {{(const uint8_t *)"ann", 3}, {0}}};
	struct policy *policy = make_acl("topic a\n"
					 "user ann\n"
					 "topic deny x/#\n"
					 "topic x/1\n"
					 "topic read y/#\n"
					 "topic y/1\n"
					 "topic read y/2\n"
					 "topic write $SYS/a\n"
					 "topic $share/a\n"
					 "topic to/%u\n"
					 "user bob\n"
					 "topic z\n"
					 "user a b\n"
					 "topic z\n"
					 "pattern all\n");

	check(policy, known, 1,
	    "4:shadowed 7:shadowed 1:never-matches 8:never-matches "
	    "9:never-matches 10:literal-pattern 14:never-matches "
	    "15:pattern-for-all 11:no-key");
	policy_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_rule_within_another_has_no_effect),
	    cmocka_unit_test(test_of_two_that_are_the_same_one_is_told),
	    cmocka_unit_test(
		test_a_rule_that_others_cover_together_has_no_effect),
	    cmocka_unit_test(test_a_role_is_not_shadowed_by_another),
	    cmocka_unit_test(test_names_and_roles_are_held_against_the_keys),
	    cmocka_unit_test(
		test_whoever_comes_is_meant_where_nobody_is_in_yet),
	    cmocka_unit_test(test_where_there_is_an_authority_nobody_is_missed),
	    cmocka_unit_test(
		test_a_client_id_that_can_be_no_level_matches_nothing),
	    cmocka_unit_test(test_what_is_protected_must_be_published),
	    cmocka_unit_test(test_a_name_in_a_rule_stands_for_one_level),
	    cmocka_unit_test(test_lines_of_an_acl_file_without_effect_are_told),
	};

	return cmocka_run_group_tests_name("policy_check", tests, NULL, NULL);
}
