/* Verdicts in words. */

#include "make.h"

#include "policy_explain.h"

static const char plant[] =
    "roles:\n"
    "  - {name: sensor, publish: \"s/%i/#\", subscribe: [\"c/%i/#\", n/a],\n"
    "     qos: 1, payload: 10B}\n"
    "  - {name: clerk, publish: [v, w], retain: yes}\n"
    "identities:\n"
    "  - {names: pump, roles: [sensor, clerk]}\n"
    "approval:\n"
    "  - {name: valves, topics: v, by: sensor, safe_state: off}\n";

static void
check(const struct policy_who *who, struct policy_question question,
    const char *sentence, const char *rule)
{
	char text[1024];

	question.who = who;
	assert_string_equal(
	    policy_explain(&question, text, sizeof text), sentence);
	if (rule == NULL)
		assert_null(question.why);
	else
		assert_string_equal(
		    policy_rule_text(question.why, text, sizeof text), rule);
}

static void
check_publish(const struct policy_who *who, struct policy_message message,
    const char *sentence, const char *rule)
{
	struct policy_question question = {
	    .action = POLICY_PUBLISH, .topic = message.topic};

	question.verdict = policy_publish(who, &message, &question.why);
	check(who, question, sentence, rule);
}

static struct policy_message
to(const char *topic)
{
	return (struct policy_message){.topic = span_of_str(topic)};
}

static void
test_each_verdict_has_its_sentence(void **state)
{
	struct policy *policy = make_policy(plant);
	struct policy_who pump = make_who(policy, "pump", "x");
	struct policy_who zoe = make_who(policy, "zoe", "x");
	struct policy_who none = make_who(policy, "a/b", "x");
	struct policy_message message = to("s/pump/t");

	check_publish(&pump, message,
	    "role sensor lets pump publish to s/pump/t", "publish: s/%i/#");
	message.qos = 2;
	check_publish(&pump, message, "role sensor permits QoS 1 at most",
	    "publish: s/%i/#");
	message.qos = 0;
	message.size = 11;
	check_publish(&pump, message,
	    "role sensor permits payloads of 10 bytes at most",
	    "publish: s/%i/#");
	message.size = 0;
	message.is_retained = true;
	check_publish(&pump, message, "role sensor does not permit to retain",
	    "publish: s/%i/#");
	check_publish(&pump, to("x\n"),
	    "no rule lets pump publish to x\\n (its roles: sensor, clerk)",
	    NULL);
	check_publish(&zoe, to("x"),
	    "zoe has no role: neither the policy nor the line of its key "
	    "gives it one",
	    NULL);
	check_publish(&none, to("x"),
	    "that is no name of an identity (1 to 64 of A-Z a-z 0-9 . _ -)",
	    NULL);
	check_publish(
	    &pump, to("a/+"), "\"a/+\" is no topic name of MQTT", NULL);
	check_publish(&pump, to("v"),
	    "v is protected by approval valves: somebody else has to agree",
	    "topics: v");
	message = to("v");
	message.payload = span_of_str("off");
	message.size = 3;
	check_publish(&pump, message,
	    "v is protected by approval valves, and this is a safe state",
	    "topics: v");
	policy_free(policy);
}

static void
test_an_acl_file_is_named_in_place_of_roles(void **state)
{
	struct policy *policy = make_acl("user ann\n"
					 "topic deny a\n"
					 "topic write b\n"
					 "pattern c/%u\n");
	struct policy_who ann = make_who(policy, "ann", "x");
	struct policy_question question = {.action = POLICY_SUBSCRIBE,
	    .topic = span_of_str("q"),
	    .verdict = POLICY_ALLOWED};

	check_publish(
	    &ann, to("a"), "the acl_file denies a to ann", "topic deny a");
	check_publish(&ann, to("b"), "the acl_file lets ann publish to b",
	    "topic write b");
	check_publish(&ann, to("c/ann"),
	    "the acl_file lets ann publish to c/ann", "pattern readwrite c/%u");
	check_publish(&ann, to("q"),
	    "no line of the acl_file lets ann publish to q", NULL);
	check_publish(&ann, to("$SYS/x"),
	    "mosquitto keeps such topics for itself, whatever the acl_file "
	    "says",
	    NULL);
	check(&ann, question,
	    "an acl_file grants every subscription, and what ann may not read "
	    "is left out when it is delivered",
	    NULL);
	policy_free(policy);
}

static void
test_the_rules_that_reach_a_part_are_found(void **state)
{
	struct policy *policy = make_policy(plant);
	struct policy_who pump = make_who(policy, "pump", "x");
	const struct policy_rule *rules[4];

	assert_int_equal(
	    policy_partial(&pump, span_of_str("c/+/x"), rules, 4), 1);
	assert_string_equal(rules[0]->text, "c/%i/#");
	assert_int_equal(policy_partial(&pump, span_of_str("#"), rules, 4), 2);
	assert_int_equal(policy_partial(&pump, span_of_str("#"), rules, 1), 1);
	assert_int_equal(
	    policy_partial(&pump, span_of_str("$share/g/+/a"), rules, 4), 1);
	assert_int_equal(
	    policy_partial(&pump, span_of_str("c/other/#"), rules, 4), 0);
	assert_int_equal(
	    policy_partial(&pump, span_of_str("s/#"), rules, 4), 0);
	policy_free(policy);
}

static void
test_every_verdict_has_a_name_and_a_text(void **state)
{
	for (int v = 0; v < POLICY_VERDICT_COUNT; v++) {
		assert_true(strlen(policy_verdict_name(v)) > 2);
		assert_true(strlen(policy_verdict_text(v)) > 5);
	}
	assert_int_equal(POLICY_REFUSED, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_verdict_has_its_sentence),
	    cmocka_unit_test(test_an_acl_file_is_named_in_place_of_roles),
	    cmocka_unit_test(test_the_rules_that_reach_a_part_are_found),
	    cmocka_unit_test(test_every_verdict_has_a_name_and_a_text),
	};

	return cmocka_run_group_tests_name("policy_explain", tests, NULL, NULL);
}
