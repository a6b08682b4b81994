/* Whose client id is whose. */

#include "make.h"

static const char fleet[] = "roles:\n"
			    "  - name: strict\n"
			    "    client_ids: [\"%i\", \"%i-*-x\"]\n"
			    "  - name: free\n"
			    "identities:\n"
			    "  - {names: [pump, pump-7, a.b], roles: free}\n"
			    "  - {names: \"s*\", roles: strict}\n";

static bool
has_keyed(const void *arg, struct span name)
{
	return span_is(name, arg);
}

static enum policy_client_id_result
ask(const struct policy *policy, const char *identity, const char *id,
    struct span *owner)
{
	struct policy_identities keyed = {has_keyed, "keyed"};
	struct policy_who who;

	policy_who_init(&who, policy, span_of_str(identity), (struct span){0});
	return policy_client_id(&who, span_of_str(id), &keyed, owner);
}

static void
test_an_id_belongs_to_the_longest_name_that_it_begins_with(void **state)
{
	static const struct {
		const char *identity, *id, *owner;
		bool is_allowed;
	} rows[] = {
	    {"pump", "pump", "pump", true},
	    {"pump", "pump-1", "pump", true},
	    {"pump", "pump-7", "pump-7", false},
	    {"pump", "pump-7-x", "pump-7", false},
	    {"pump", "pump-7/x", "pump-7", false},
	    {"pump", "pump-70", "pump", true},
	    {"pump-7", "pump-7", "pump-7", true},
	    {"pump-7", "pump-7:2", "pump-7", true},
	    {"pump-7", "pump", "pump", false},
	    {"pump-7", "pump_x", "pump", false},
	    {"pump-7", "pumps", "", true},
	    {"pump-7", "pump\xc3\xa9", "", true},
	    {"pump-7", "mosq-AbCdEf", "", true},
	    {"pump-7", "", "", true},
	    {"pump-7", "keyed", "keyed", false},
	    {"pump-7", "keyed 1", "keyed", false},
	    {"keyed", "keyed-1", "keyed", true},
	    {"x", "a.b.c", "a.b", false},
	    {"x", "a.c", "", true},
	    {"x", "\x00", "", true},
	    {"a", "Pump", "", true},
	};
	struct policy *policy = make_policy(fleet);

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span owner;
		enum policy_client_id_result result =
		    ask(policy, rows[i].identity, rows[i].id, &owner);

		if ((result == POLICY_CLIENT_ID_ALLOWED) !=
			rows[i].is_allowed ||
		    !span_is(owner, rows[i].owner))
			fail_msg("%s as %s: %d, of %.*s", rows[i].identity,
			    rows[i].id, result, (int)owner.len,
			    (const char *)owner.data);
		if (!rows[i].is_allowed)
			assert_int_equal(result, POLICY_CLIENT_ID_OF_ANOTHER);
	}
	policy_free(policy);
}

static void
test_a_role_may_ask_for_a_pattern(void **state)
{
	struct policy *policy = make_policy(fleet);

	assert_int_equal(
	    ask(policy, "s1", "s1", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "s1", "s1-77-x", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "s1", "s1--x", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "s1", "s1-x", NULL), POLICY_CLIENT_ID_PATTERN);
	assert_int_equal(
	    ask(policy, "s1", "mosq-1", NULL), POLICY_CLIENT_ID_PATTERN);
	assert_int_equal(ask(policy, "s1", "", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "s1", "keyed", NULL), POLICY_CLIENT_ID_OF_ANOTHER);
	policy_free(policy);
}

static void
test_stars_take_as_much_as_they_must(void **state)
{
	struct policy *policy =
	    make_policy("roles: [{name: r, client_ids: \"*ab*%i*c\"}]\n"
			"identities: [{names: x, roles: r}]\n");

	assert_int_equal(
	    ask(policy, "x", "aabxxc", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "x", "abxcac", NULL), POLICY_CLIENT_ID_ALLOWED);
	assert_int_equal(
	    ask(policy, "x", "abc", NULL), POLICY_CLIENT_ID_PATTERN);
	assert_int_equal(
	    ask(policy, "x", "abxcca", NULL), POLICY_CLIENT_ID_PATTERN);
	policy_free(policy);
}

static void
test_a_refused_id_leaves_none_behind(void **state)
{
	struct policy *policy =
	    make_policy("roles: [{name: r, publish: \"%c\"}]\n"
			"identities: [{names: [x, y], roles: r}]\n");
	struct policy_who who = make_who(policy, "x", "first");

	assert_int_equal(may_publish(&who, "first"), POLICY_ALLOWED);
	assert_int_equal(policy_client_id(&who, span_of_str("y-1"), NULL, NULL),
	    POLICY_CLIENT_ID_OF_ANOTHER);
	assert_int_equal(may_publish(&who, "first"), POLICY_REFUSED);
	assert_int_equal(may_publish(&who, "y-1"), POLICY_REFUSED);
	policy_free(policy);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_an_id_belongs_to_the_longest_name_that_it_begins_with),
	    cmocka_unit_test(test_a_role_may_ask_for_a_pattern),
	    cmocka_unit_test(test_stars_take_as_much_as_they_must),
	    cmocka_unit_test(test_a_refused_id_leaves_none_behind),
	};

	return cmocka_run_group_tests_name(
	    "policy_client_id", tests, NULL, NULL);
}
