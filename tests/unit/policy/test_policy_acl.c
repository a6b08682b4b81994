/* mosquitto's acl_file, as mosquitto 2.0 enforces it. */

#include "make.h"

static void
test_lines_of_a_user_are_his_alone(void **state)
{
	struct policy *p = make_acl("topic anonymous/#\n"
				    "user ann\n"
				    "topic a/#\n"
				    "topic read r\n"
				    "topic write w\n"
				    "user  bob smith \n"
				    "topic read b/x y\n"
				    "user ann\n"
				    "topic readwrite two words\n");
	struct policy_who ann = make_who(p, "ann", "c");
	struct policy_who bob = make_who(p, "bob", "c");

	assert_int_equal(may_publish(&ann, "a/b"), POLICY_ALLOWED);
	assert_int_equal(may_read(&ann, "a"), POLICY_ALLOWED);
	assert_int_equal(may_read(&ann, "r"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&ann, "r"), POLICY_REFUSED);
	assert_int_equal(may_publish(&ann, "w"), POLICY_ALLOWED);
	assert_int_equal(may_read(&ann, "w"), POLICY_REFUSED);
	assert_int_equal(may_publish(&ann, "two words"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&ann, "anonymous/x"), POLICY_REFUSED);
	assert_int_equal(may_publish(&bob, "a/b"), POLICY_REFUSED);
	policy_free(p);
}

static void
test_deny_comes_first_wherever_it_stands(void **state)
{
	struct policy *p = make_acl("user ann\n"
				    "topic a/#\n"
				    "topic deny a/secret\n"
				    "topic deny x\n"
				    "pattern deny b/%c\n"
				    "topic b/#\n"
				    "pattern readwrite c/#\n"
				    "pattern deny c/%u/#\n"
				    "pattern x\n");
	struct policy_who ann = make_who(p, "ann", "k");
	struct policy_who bob = make_who(p, "bob", "k");

	assert_int_equal(may_publish(&ann, "a/b"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&ann, "a/secret"), POLICY_DENIED);
	assert_int_equal(may_read(&ann, "a/secret"), POLICY_DENIED);
	/* What the own lines permit, no pattern denies. */
	assert_int_equal(may_publish(&ann, "b/k"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&ann, "c/x"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&ann, "c/ann"), POLICY_DENIED);
	assert_int_equal(may_publish(&bob, "c/ann"), POLICY_ALLOWED);
	/* What the own lines deny, no pattern permits. */
	assert_int_equal(may_publish(&ann, "x"), POLICY_DENIED);
	assert_int_equal(may_publish(&bob, "x"), POLICY_ALLOWED);
	policy_free(p);
}

static void
test_patterns_take_names_anywhere(void **state)
{
	struct policy *p = make_acl("pattern a/%c/#\n"
				    "pattern pre%upost/+/x\n"
				    "pattern %u\n"
				    "pattern read q/%c%u\n"
				    "pattern end/%\n");
	struct policy_who who = make_who(p, "ann", "C");

	assert_int_equal(may_publish(&who, "a/C"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "a/C/d/e"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "a/c"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "a/CC"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "preannpost/1/x"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "preannpost//x"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "preannpost/1"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "ann"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "ann/"), POLICY_REFUSED);
	assert_int_equal(may_read(&who, "q/Cann"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "end/%"), POLICY_ALLOWED);
	who = make_who(p, "ann", "x/y");
	assert_int_equal(may_publish(&who, "a/x/y/z"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "a/x"), POLICY_REFUSED);
	policy_free(p);
}

static void
test_a_client_id_with_wildcards_gets_nothing_by_pattern(void **state)
{
	static const char *const ids[] = {"+", "#", "a+b", ""};
	struct policy *p = make_acl("user ann\ntopic own\n"
				    "pattern %c/#\npattern any/#\n");

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct policy_who who = make_who(p, "ann", ids[i]);

		assert_int_equal(may_publish(&who, "x/y"), POLICY_REFUSED);
		assert_int_equal(may_publish(&who, "own"), POLICY_ALLOWED);
		assert_int_equal(may_publish(&who, "any/x"),
		    ids[i][0] == '\0' ? POLICY_ALLOWED : POLICY_REFUSED);
	}
	policy_free(p);
}

static void
test_what_mosquitto_keeps_for_itself_is_denied(void **state)
{
	struct policy *p = make_acl("user ann\n"
				    "topic #\n"
				    "topic $SYS/#\n"
				    "topic $share/#\n"
				    "topic $x/#\n");
	struct policy_who who = make_who(p, "ann", "c");

	assert_int_equal(may_publish(&who, "$SYS/x"), POLICY_DENIED);
	assert_int_equal(may_publish(&who, "$SYSTEM"), POLICY_DENIED);
	assert_int_equal(may_read(&who, "$SYS/x"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "$SYS/broker/connection/b/state"),
	    POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "$share/x"), POLICY_DENIED);
	assert_int_equal(may_read(&who, "$share/x"), POLICY_DENIED);
	assert_int_equal(may_publish(&who, "$x/y"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "$y/y"), POLICY_REFUSED);
	policy_free(p);
}

static void
test_every_subscription_is_granted_and_checked_at_delivery(void **state)
{
	struct policy *p = make_acl("user ann\ntopic read a\n");
	struct policy_who who = make_who(p, "ann", "c");

	assert_true(policy_filters_at_delivery(p));
	assert_int_equal(may_subscribe(&who, "#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "b"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "b#"), POLICY_TOPIC_INVALID);
	assert_int_equal(may_read(&who, "b"), POLICY_REFUSED);
	policy_free(p);
}

static void
test_the_line_that_decided_is_told(void **state)
{
	struct policy *p = make_acl("user ann\n"
				    "\n"
				    "topic deny  a/#\n"
				    "pattern read x/%u\n");
	struct policy_who who = make_who(p, "ann", "c");
	const struct policy_rule *why;

	assert_int_equal(
	    policy_deliver(&who, span_of_str("a/b"), &why), POLICY_DENIED);
	assert_int_equal(why->line, 3);
	assert_int_equal(why->column, 13);
	assert_string_equal(why->text, "a/#");
	assert_int_equal(
	    policy_deliver(&who, span_of_str("x/ann"), &why), POLICY_ALLOWED);
	assert_int_equal(why->line, 4);
	assert_int_equal(
	    policy_deliver(&who, span_of_str("q"), &why), POLICY_REFUSED);
	assert_null(why);
	policy_free(p);
}

static void
test_faults_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *where, *what;
	} rows[] = {
	    {"topics a\n", "p.yaml:1:1", "unknown word \"topics\""},
	    {"\n\ntopic\n", "p.yaml:3:6", "the topic is missing"},
	    {"topic rad a\n", "p.yaml:1:7", "unknown access \"rad\""},
	    {"topic a b\n", "p.yaml:1:7", "unknown access \"a\""},
	    {"user\n", "p.yaml:1:1", "the user's name is missing"},
	    {"topic read a/#/b\n", "p.yaml:1:12",
		"# is not the last level of its topic filter"},
	    {"pattern x/%u+\n", "p.yaml:1:9",
		"+ does not fill its level of the topic filter"},
	    {"topic\tread a\n", "p.yaml:1:1",
		"unknown word \"topic\\x09read\""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct told told;

		assert_null(make_try(rows[i].text, POLICY_ACL, &told));
		assert_int_equal(told.count, 1);
		assert_string_equal(told.what, rows[i].what);
		assert_string_equal(told.where, rows[i].where);
		assert_int_not_equal(told.hint[0], '\0');
	}
}

static void
test_a_lone_access_word_is_a_topic(void **state)
{
	struct policy *p = make_acl("user ann\ntopic read\n");
	struct policy_who who = make_who(p, "ann", "c");

	assert_int_equal(may_publish(&who, "read"), POLICY_ALLOWED);
	policy_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_of_a_user_are_his_alone),
	    cmocka_unit_test(test_deny_comes_first_wherever_it_stands),
	    cmocka_unit_test(test_patterns_take_names_anywhere),
	    cmocka_unit_test(
		test_a_client_id_with_wildcards_gets_nothing_by_pattern),
	    cmocka_unit_test(test_what_mosquitto_keeps_for_itself_is_denied),
	    cmocka_unit_test(
		test_every_subscription_is_granted_and_checked_at_delivery),
	    cmocka_unit_test(test_the_line_that_decided_is_told),
	    cmocka_unit_test(test_faults_are_told_with_their_place),
	    cmocka_unit_test(test_a_lone_access_word_is_a_topic),
	};

	return cmocka_run_group_tests_name("policy_acl", tests, NULL, NULL);
}
