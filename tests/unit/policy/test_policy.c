/* Roles and what they permit. */

#include "make.h"

static const char plant[] =
    "roles:\n" /* 1 */
    "  - name: sensor\n"
    "    publish:\n"
    "      - \"sensors/%i/#\"\n" /* 4 */
    "      - \"shadow/%c/state\"\n"
    "    subscribe: [\"commands/%i/+\", \"news/#\"]\n" /* 6 */
    "    qos: 1\n"
    "    payload: 100B\n"
    "  - name: keeper\n"
    "    publish: \"sensors/+/status\"\n" /* 10 */
    "    retain: yes\n"
    "    subscribe: [\"#\"]\n"
    "  - name: half\n"
    "    subscribe: [\"half/a\", \"half/+/#\", \"half\", \"$SYS/#\"]\n"
    "identities:\n"
    "  - {names: [\"pump-*\", meter], roles: sensor}\n"
    "  - {names: pump-1, roles: [keeper]}\n"
    "  - {names: clerk, roles: half}\n";

static int
begin(void **state)
{
	*state = make_policy(plant);
	return 0;
}

static int
end(void **state)
{
	policy_free(*state);
	return 0;
}

static void
test_who_has_no_role_may_do_nothing(void **state)
{
	struct policy_who who = make_who(*state, "stranger", "x");

	assert_int_equal(
	    may_publish(&who, "sensors/stranger/a"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "news/a"), POLICY_REFUSED);
	assert_int_equal(may_read(&who, "news/a"), POLICY_REFUSED);
}

static void
test_an_identity_publishes_below_its_own_name_only(void **state)
{
	struct policy_who who = make_who(*state, "pump-7", "x");

	assert_int_equal(may_publish(&who, "sensors/pump-7"), POLICY_ALLOWED);
	assert_int_equal(
	    may_publish(&who, "sensors/pump-7/a/b"), POLICY_ALLOWED);
	assert_int_equal(
	    may_publish(&who, "sensors/pump-70/a"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "sensors/pump-/a"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "sensors/%i/a"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "sensors"), POLICY_REFUSED);
}

static void
test_a_role_in_the_keys_line_counts_as_one_in_the_file(void **state)
{
	struct policy_who who;

	policy_who_init(&who, *state, span_of_str("x"), span_of_str("half"));
	assert_int_equal(may_subscribe(&who, "half"), POLICY_ALLOWED);
	policy_who_init(&who, *state, span_of_str("x"), span_of_str("unknown"));
	assert_int_equal(may_subscribe(&who, "half"), POLICY_REFUSED);
}

static void
test_what_is_no_name_has_no_role(void **state)
{
	static const char *const names[] = {"", "pump-+", "pump-#", "pump-/",
	    "pump-1/#", "pump-\x01", "pump-*"};
	struct policy_who who;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		policy_who_init(
		    &who, *state, span_of_str(names[i]), span_of_str("sensor"));
		assert_int_equal(may_subscribe(&who, "news/a"), POLICY_REFUSED);
	}
}

static void
test_with_two_roles_it_may_do_what_either_permits(void **state)
{
	struct policy_who who = make_who(*state, "pump-1", "x");

	assert_int_equal(may_publish(&who, "sensors/pump-1/a"), POLICY_ALLOWED);
	assert_int_equal(
	    may_publish(&who, "sensors/other/status"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "anything/#"), POLICY_ALLOWED);
}

static enum policy_verdict
publish(const struct policy *policy, const char *name, const char *topic,
    struct policy_message message, const struct policy_rule **why)
{
	struct policy_who who = make_who(policy, name, "c");

	message.topic = span_of_str(topic);
	return policy_publish(&who, &message, why);
}

static void
test_qos_retain_and_size_are_limited(void **state)
{
	const struct policy *p = *state;
	const struct policy_rule *why;

	assert_int_equal(
	    publish(p, "meter", "sensors/meter/a",
		(struct policy_message){.qos = 1, .size = 100}, &why),
	    POLICY_ALLOWED);
	assert_int_equal(publish(p, "meter", "sensors/meter/a",
			     (struct policy_message){.qos = 2}, &why),
	    POLICY_QOS);
	assert_int_equal(why->line, 4);
	assert_int_equal(
	    publish(p, "meter", "sensors/meter/a",
		(struct policy_message){.is_retained = true}, &why),
	    POLICY_RETAIN);
	assert_int_equal(publish(p, "meter", "sensors/meter/a",
			     (struct policy_message){.size = 101}, &why),
	    POLICY_SIZE);
}

static void
test_a_limit_of_one_role_is_none_of_the_other(void **state)
{
	const struct policy_rule *why;
	struct policy_message message = {
	    .qos = 2, .is_retained = true, .size = 1000};

	assert_int_equal(
	    publish(*state, "pump-1", "sensors/pump-1/status", message, &why),
	    POLICY_ALLOWED);
	assert_string_equal(why->role, "keeper");
	assert_int_equal(
	    publish(*state, "pump-1", "sensors/pump-1/other", message, &why),
	    POLICY_QOS);
	assert_string_equal(why->role, "sensor");
}

static void
test_the_rule_that_decided_is_told(void **state)
{
	const struct policy_rule *why;

	assert_int_equal(publish(*state, "meter", "sensors/meter/a",
			     (struct policy_message){.qos = 0}, &why),
	    POLICY_ALLOWED);
	assert_int_equal(why->line, 4);
	assert_int_equal(why->column, 9);
	assert_string_equal(why->role, "sensor");
	assert_string_equal(why->text, "sensors/%i/#");
	assert_int_equal(publish(*state, "meter", "elsewhere",
			     (struct policy_message){.qos = 0}, &why),
	    POLICY_REFUSED);
	assert_null(why);
}

static void
test_what_is_no_topic_name_is_refused(void **state)
{
	struct policy_who who = make_who(*state, "pump-1", "x");

	assert_int_equal(
	    may_publish(&who, "sensors/+/status"), POLICY_TOPIC_INVALID);
	assert_int_equal(may_publish(&who, ""), POLICY_TOPIC_INVALID);
	assert_int_equal(may_read(&who, "a/#"), POLICY_TOPIC_INVALID);
	assert_int_equal(may_subscribe(&who, "a/#/b"), POLICY_TOPIC_INVALID);
	assert_int_equal(may_subscribe(&who, "a\xff"), POLICY_TOPIC_INVALID);
}

static void
test_a_subscription_is_granted_only_whole(void **state)
{
	struct policy_who who = make_who(*state, "pump-7", "x");

	assert_int_equal(
	    may_subscribe(&who, "commands/pump-7/a"), POLICY_ALLOWED);
	assert_int_equal(
	    may_subscribe(&who, "commands/pump-7/+"), POLICY_ALLOWED);
	assert_int_equal(
	    may_subscribe(&who, "commands/pump-7/#"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "commands/+/a"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "commands/#"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "#"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "news"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "news/#"), POLICY_ALLOWED);
}

static void
test_filters_together_cover_what_none_of_them_does(void **state)
{
	struct policy_who who = make_who(*state, "clerk", "x");

	assert_int_equal(may_subscribe(&who, "half/#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "half/b/#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "+/#"), POLICY_REFUSED);
}

static void
test_a_shared_subscription_is_judged_by_its_filter(void **state)
{
	struct policy_who who = make_who(*state, "pump-7", "x");

	assert_int_equal(
	    may_subscribe(&who, "$share/g/news/#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "$share/g/#"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "$share/news/a"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "$share/g"), POLICY_TOPIC_INVALID);
	assert_int_equal(
	    may_subscribe(&who, "$share//a"), POLICY_TOPIC_INVALID);
	assert_int_equal(
	    may_subscribe(&who, "$share/+/news"), POLICY_TOPIC_INVALID);
}

static void
test_a_wildcard_in_front_reaches_nothing_of_the_system(void **state)
{
	struct policy_who keeper = make_who(*state, "pump-1", "x");
	struct policy_who clerk = make_who(*state, "clerk", "x");

	assert_int_equal(may_subscribe(&keeper, "#"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&keeper, "$SYS/#"), POLICY_REFUSED);
	assert_int_equal(
	    may_subscribe(&keeper, "$share/g/$SYS/#"), POLICY_REFUSED);
	assert_int_equal(may_read(&keeper, "$SYS/a"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&clerk, "$SYS/a/+"), POLICY_ALLOWED);
	assert_int_equal(may_read(&clerk, "$SYS/a"), POLICY_ALLOWED);
}

/* Whatever a policy permits. */
static void
test_what_gateways_say_to_each_other_is_for_no_client(void **state)
{
	struct policy *policies[] = {
	    make_policy("roles: [{name: all, publish: '#', subscribe: '#'}]\n"
			"identities: [{names: '*', roles: all}]\n"),
	    make_acl("pattern readwrite #\n"),
	};

	for (size_t i = 0; i < 2; i++) {
		struct policy_who who = make_who(policies[i], "ann", "ann");
		static const char *const topics[] = {
		    "kaya/gateway", "kaya/gateway/", "kaya/gateway/north"};
		uint8_t qos = 1;

		for (size_t k = 0; k < 3; k++) {
			const struct policy_message message = {
			    .topic = span_of_str(topics[k])};

			assert_int_equal(policy_publish(&who, &message, NULL),
			    POLICY_RESERVED);
			assert_int_equal(
			    policy_deliver(&who, span_of_str(topics[k]), NULL),
			    POLICY_RESERVED);
		}
		assert_int_equal(policy_subscribe(&who,
				     span_of_str("kaya/gateway/#"), &qos, NULL),
		    POLICY_RESERVED);
		assert_int_equal(
		    policy_subscribe(&who,
			span_of_str("$share/g/kaya/gateway/+"), &qos, NULL),
		    POLICY_RESERVED);
		/* Wider ones do not reach there: see policy_deliver. */
		assert_int_equal(
		    policy_subscribe(&who, span_of_str("#"), &qos, NULL),
		    POLICY_ALLOWED);
		assert_int_equal(
		    policy_deliver(&who, span_of_str("kaya/gateways"), NULL),
		    POLICY_ALLOWED);
		policy_free(policies[i]);
	}
}

static void
test_a_subscription_gets_the_qos_that_its_role_permits(void **state)
{
	struct policy_who who = make_who(*state, "pump-7", "x");
	uint8_t qos = 2;

	assert_int_equal(
	    policy_subscribe(&who, span_of_str("news/a"), &qos, NULL),
	    POLICY_ALLOWED);
	assert_int_equal(qos, 1);
	who = make_who(*state, "pump-1", "x");
	qos = 2;
	assert_int_equal(
	    policy_subscribe(&who, span_of_str("news/a"), &qos, NULL),
	    POLICY_ALLOWED);
	assert_int_equal(qos, 2);
}

static void
test_a_client_id_stands_for_itself_and_widens_nothing(void **state)
{
	static const char *const hostile[] = {
	    "+", "#", "a/b", "", "$SYS", "/", "a#", "a\x01"};
	struct policy_who who = make_who(*state, "meter", "meter-1");
	char topic[64];

	assert_int_equal(
	    may_publish(&who, "shadow/meter-1/state"), POLICY_ALLOWED);
	assert_int_equal(
	    may_publish(&who, "shadow/other/state"), POLICY_REFUSED);
	for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++) {
		who = make_who(*state, "meter", hostile[i]);
		snprintf(topic, sizeof topic, "shadow/%s/state", hostile[i]);
		assert_int_not_equal(may_publish(&who, topic), POLICY_ALLOWED);
		assert_int_equal(
		    may_publish(&who, "shadow/x/state"), POLICY_REFUSED);
	}
}

static void
test_without_an_accepted_client_id_nothing_of_it_matches(void **state)
{
	struct policy_who who;

	policy_who_init(&who, *state, span_of_str("meter"), (struct span){0});
	assert_int_equal(may_publish(&who, "shadow//state"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "sensors/meter/a"), POLICY_ALLOWED);
}

/* ---- %i and %c within a level ---- */

static void
test_a_name_may_be_part_of_a_level(void **state)
{
	struct policy *policy =
	    make_policy("roles:\n"
			"  - name: r\n"
			"    publish: [\"dev-%i-%c/x\", \"%i%i\"]\n"
			"    subscribe: [\"%c/#\"]\n"
			"identities: [{names: ab, roles: r}]\n");
	struct policy_who who = make_who(policy, "ab", "C");

	assert_int_equal(may_publish(&who, "dev-ab-C/x"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "dev-ab-/x"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "dev-ab-CC/x"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "abab"), POLICY_ALLOWED);
	assert_int_equal(may_publish(&who, "aba"), POLICY_REFUSED);
	assert_int_equal(may_subscribe(&who, "C/+/x"), POLICY_ALLOWED);
	assert_int_equal(may_subscribe(&who, "+/x"), POLICY_REFUSED);
	who = make_who(policy, "ab", "$SYS");
	assert_int_equal(may_subscribe(&who, "$SYS/#"), POLICY_REFUSED);
	policy_free(policy);
}

/* ---- protected topics ---- */

static const char valves[] =
    "roles:\n"
    "  - {name: operator, publish: [\"plant/#\"], retain: yes}\n"
    "  - {name: sensor, publish: [\"plant/#\"]}\n"
    "  - {name: chief, publish: [\"plant/+/valve\"]}\n"
    "  - {name: supervisor}\n"
    "identities:\n"
    "  - {names: ann, roles: operator}\n"
    "  - {names: eve, roles: sensor}\n"
    "  - {names: carl, roles: chief}\n"
    "  - {names: bob, roles: supervisor}\n"
    "approval:\n"
    "  - name: valves\n"
    "    topics: \"plant/+/valve\"\n"
    "    from: operator\n"
    "    by: supervisor\n"
    "    safe_state: [off, \"0\"]\n"
    "    break_glass: chief\n";

static struct policy_message
command(const char *payload)
{
	return (struct policy_message){
	    .size = strlen(payload), .payload = span_of_str(payload)};
}

static void
test_a_protected_topic_needs_approval(void **state)
{
	struct policy *p = make_policy(valves);
	struct policy_message retained = command("on");
	const struct policy_rule *why;

	retained.is_retained = true;
	assert_int_equal(
	    publish(p, "ann", "plant/1/valve", command("on"), &why),
	    POLICY_APPROVAL);
	assert_string_equal(why->approval->name, "valves");
	assert_int_equal(why->line, 13);
	assert_int_equal(publish(p, "ann", "plant/1/lamp", command("on"), &why),
	    POLICY_ALLOWED);
	assert_int_equal(publish(p, "ann", "plant/1/valve", retained, &why),
	    POLICY_PROTECTED_RETAIN);
	assert_int_equal(
	    publish(p, "eve", "plant/1/valve", command("on"), &why),
	    POLICY_PROTECTED_FROM);
	assert_int_equal(
	    publish(p, "carl", "plant/1/valve", command("on"), &why),
	    POLICY_BREAK_GLASS);
	assert_int_equal(
	    publish(p, "bob", "plant/1/valve", command("on"), &why),
	    POLICY_REFUSED);
	policy_free(p);
}

static void
test_a_safe_state_never_needs_approval(void **state)
{
	struct policy *p = make_policy(valves);
	struct policy_message unseen = command("off");
	const struct policy_rule *why;

	assert_int_equal(
	    publish(p, "ann", "plant/1/valve", command("off"), NULL),
	    POLICY_ALLOWED);
	assert_int_equal(publish(p, "eve", "plant/1/valve", command("0"), &why),
	    POLICY_ALLOWED);
	assert_true(policy_is_safe_state(POLICY_ALLOWED, why));
	assert_int_equal(publish(p, "eve", "plant/1/lamp", command("0"), &why),
	    POLICY_ALLOWED);
	assert_false(policy_is_safe_state(POLICY_ALLOWED, why));
	assert_int_equal(
	    publish(p, "ann", "plant/1/valve", command("off "), NULL),
	    POLICY_APPROVAL);
	assert_int_equal(publish(p, "ann", "plant/1/valve", command(""), NULL),
	    POLICY_APPROVAL);
	unseen.payload = (struct span){0};
	assert_int_equal(
	    publish(p, "ann", "plant/1/valve", unseen, NULL), POLICY_APPROVAL);
	policy_free(p);
}

static void
test_where_two_publish_the_same_both_may_ask(void **state)
{
	struct policy *p = make_policy(
	    "roles:\n"
	    "  - {name: asks, publish: t}\n"
	    "  - {name: agrees, publish: t}\n"
	    "  - {name: other, publish: t}\n"
	    "identities:\n"
	    "  - {names: ann, roles: asks}\n"
	    "  - {names: bob, roles: agrees}\n"
	    "  - {names: cy, roles: other}\n"
	    "approval:\n"
	    "  - {name: a, topics: t, from: asks, by: agrees, mode: twice}\n");

	assert_int_equal(
	    publish(p, "ann", "t", command("on"), NULL), POLICY_APPROVAL);
	assert_int_equal(
	    publish(p, "bob", "t", command("on"), NULL), POLICY_APPROVAL);
	assert_int_equal(
	    publish(p, "cy", "t", command("on"), NULL), POLICY_PROTECTED_FROM);
	policy_free(p);
}

static void
test_permits_are_found_by_their_topic(void **state)
{
	struct policy *p =
	    make_policy("roles: [{name: r, publish: '#'}]\n"
			"approval:\n"
			"  - {name: a, topics: a, by: r, mode: permissive,\n"
			"     permit_topic: p}\n"
			"  - {name: b, topics: b, by: r}\n"
			"  - {name: c, topics: c, by: r, mode: permissive,\n"
			"     permit_topic: p}\n");
	size_t place = 0;

	assert_string_equal(
	    policy_permit_next(p, span_of_str("p"), &place)->name, "a");
	assert_string_equal(
	    policy_permit_next(p, span_of_str("p"), &place)->name, "c");
	assert_null(policy_permit_next(p, span_of_str("p"), &place));
	place = 0;
	assert_null(policy_permit_next(p, span_of_str("a"), &place));
	assert_string_equal(
	    policy_approval_named(p, span_of_str("b"))->topics[0], "b");
	assert_null(policy_approval_named(p, span_of_str("d")));
	policy_free(p);
}

static void
test_roles_of_an_approval_are_known(void **state)
{
	struct policy *p = make_policy(valves);
	const struct policy_approval *approval =
	    policy_approval_of(p, span_of_str("plant/9/valve"));
	struct policy_who ann = make_who(p, "ann", "x");
	struct policy_who bob = make_who(p, "bob", "x");

	assert_non_null(approval);
	assert_null(policy_approval_of(p, span_of_str("plant/9/lamp")));
	assert_null(policy_approval_of(p, span_of_str("plant/+/valve")));
	assert_true(policy_approval_has(&ann, approval, POLICY_PART_FROM));
	assert_false(policy_approval_has(&ann, approval, POLICY_PART_BY));
	assert_true(policy_approval_has(&bob, approval, POLICY_PART_BY));
	assert_int_equal(approval->within_ms, 30000);
	assert_int_equal(approval->mode, POLICY_HOLD);
	policy_free(p);
}

int
main(void)
{
#define PLANT(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
	    PLANT(test_who_has_no_role_may_do_nothing),
	    PLANT(test_an_identity_publishes_below_its_own_name_only),
	    PLANT(test_a_role_in_the_keys_line_counts_as_one_in_the_file),
	    PLANT(test_what_is_no_name_has_no_role),
	    PLANT(test_with_two_roles_it_may_do_what_either_permits),
	    PLANT(test_qos_retain_and_size_are_limited),
	    PLANT(test_a_limit_of_one_role_is_none_of_the_other),
	    PLANT(test_the_rule_that_decided_is_told),
	    PLANT(test_what_is_no_topic_name_is_refused),
	    PLANT(test_a_subscription_is_granted_only_whole),
	    PLANT(test_filters_together_cover_what_none_of_them_does),
	    PLANT(test_a_shared_subscription_is_judged_by_its_filter),
	    PLANT(test_a_wildcard_in_front_reaches_nothing_of_the_system),
	    cmocka_unit_test(
		test_what_gateways_say_to_each_other_is_for_no_client),
	    PLANT(test_a_subscription_gets_the_qos_that_its_role_permits),
	    PLANT(test_a_client_id_stands_for_itself_and_widens_nothing),
	    PLANT(test_without_an_accepted_client_id_nothing_of_it_matches),
	    cmocka_unit_test(test_a_name_may_be_part_of_a_level),
	    cmocka_unit_test(test_a_protected_topic_needs_approval),
	    cmocka_unit_test(test_a_safe_state_never_needs_approval),
	    cmocka_unit_test(test_where_two_publish_the_same_both_may_ask),
	    cmocka_unit_test(test_permits_are_found_by_their_topic),
	    cmocka_unit_test(test_roles_of_an_approval_are_known),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
