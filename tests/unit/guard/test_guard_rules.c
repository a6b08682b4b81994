#include "people.h"

static struct err last;
static size_t faults;

static void
note(const struct conf_fault *fault, void *arg)
{
	if (faults++ == 0)
		last = fault->err;
}

static void
note_signers(const struct err *fault, void *arg)
{
	if (faults++ == 0)
		last = *fault;
}

static void
test_topics_and_payloads_are_judged(void **state)
{
	static const struct {
		const char *topic, *payload; /* NULL: not there as a whole */
		enum guard_judgement judgement;
		const char *rule;
	} rows[] = {
	    {"plant/valve-1", "open", GUARD_PROTECTED, "valve"},
	    {"plant/valve-1/set", "open", GUARD_PROTECTED, "valve"},
	    {"plant/valve-1/set", "close", GUARD_SAFE, "valve"},
	    {"plant/valve-1/set", "0", GUARD_SAFE, "valve"},
	    {"plant/valve-1/set", "close ", GUARD_PROTECTED, "valve"},
	    {"plant/valve-1/set", "Close", GUARD_PROTECTED, "valve"},
	    {"plant/valve-1/set", "", GUARD_PROTECTED, "valve"},
	    {"plant/valve-1/set", NULL, GUARD_PROTECTED, "valve"},
	    {"plant/pump/1", "close", GUARD_PROTECTED, "pump"},
	    {"plant/pump", "on", GUARD_OPEN, NULL},
	    {"plant/pump/1/x", "on", GUARD_OPEN, NULL},
	    {"Plant/valve-1/set", "open", GUARD_OPEN, NULL},
	    {"$plant/valve-1/set", "open", GUARD_OPEN, NULL},
	};
	struct guard_rules *rules = people_read();

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct guard_rule *rule;
		struct span payload = {0};
		enum guard_judgement judgement;

		if (rows[i].payload != NULL)
			payload = span_of_str(rows[i].payload);
		judgement = guard_rules_judge(rules, span_of_str(rows[i].topic),
		    rows[i].payload != NULL ? &payload : NULL, &rule);
		assert_int_equal(judgement, rows[i].judgement);
		if (rows[i].rule == NULL)
			assert_null(rule);
		else
			assert_string_equal(rule->name, rows[i].rule);
	}
	guard_rules_free(rules);
}

#define START "actuator: v\nallowed_signers: s\naudit: a\n"
#define ROLE  "roles: [{name: r, principals: ann}]\n"

static void
test_a_fault_is_told_with_its_place_and_a_remedy(void **state)
{
	static const struct {
		const char *text, *what;
	} rows[] = {
	    {"", "actuator"},
	    {"actuator: all\nallowed_signers: s\naudit: a\n" ROLE
	     "protect: [{name: p, topics: t, request: r, approve: r}]\n",
		"all guards"},
	    {START ROLE
		"protect: [{name: p, topics: t, request: x, approve: r}]\n",
		"no role `x`"},
	    {START ROLE "protect: [{name: p, topics: t, request: r}]\n",
		"second signature"},
	    {START ROLE "protect: [{name: p, topics: \"a/#/b\", request: r, "
			"approve: r}]\n",
		"no topic filter"},
	    {START ROLE "protect: [{name: p, topics: \"$SYS/#\", request: r, "
			"approve: r}]\n",
		"no topic filter"},
	    {START ROLE "protect: [{name: p, topics: [a/+], request: r, "
			"approve: r}, {name: q, topics: [+/b], request: r, "
			"approve: r}]\n",
		"protected by `p`"},
	    {START "roles: [{name: r, principals: a}, {name: r, principals: "
		   "b}]\nprotect: [{name: p, topics: t, request: r, approve: "
		   "r}]\n",
		"two roles"},
	    {START ROLE "password_file: f\nprotect: [{name: p, topics: t, "
			"request: r, approve: r}]\n",
		"without a user"},
	    {START ROLE "protct: 1\n", "protct"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		faults = 0;
		err_clear(&last);
		assert_null(guard_rules_new(
		    "g.yaml", span_of_str(rows[i].text), note, NULL));
		assert_true(faults > 0);
		if (strstr(last.what, rows[i].what) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", last.what,
			    rows[i].what);
		assert_non_null(strstr(last.where, "g.yaml"));
		assert_string_not_equal(last.hint, "");
	}
}

static int
take(struct guard_rules *rules, const char *format, size_t *lone_line)
{
	char text[2048], base64[2][256];

	for (int i = 0; i < 2; i++)
		str_base64_encode(
		    ssh_host_key_blob(people_keys[i == 0 ? EVE : ANN]),
		    base64[i]);
	/* %1$s is eve's key, %2$s ann's. */
	snprintf(text, sizeof text, format, base64[0], base64[1]);
	faults = 0;
	err_clear(&last);
	return guard_rules_take_signers(
	    rules, "signers", span_of_str(text), note_signers, NULL, lone_line);
}

static void
test_a_key_that_signs_commands_is_one_persons(void **state)
{
	static const char for_a_denial[] =
	    "eve ssh-ed25519 %1$s\ncarl namespaces=\"kaya-deny\" ssh-ed25519 "
	    "%1$s\n%2$.0s";
	static const char *const bad[] = {
	    "carl,eve ssh-ed25519 %1$s\n%2$.0s",
	    "eve* ssh-ed25519 %1$s\n%2$.0s",
	    "*,!carl ssh-ed25519 %1$s\n%2$.0s",
	    "eve ssh-ed25519 %1$s\ncarl ssh-ed25519 %1$s\n%2$.0s",
	    for_a_denial,
	    "eve ssh-ed25519\n%1$.0s%2$.0s",
	};
	struct guard_rules *rules = people_read();
	size_t lone_line, before = rules->signers.count;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(take(rules, bad[i], &lone_line), -1);
		assert_true(faults > 0);
		assert_non_null(strstr(last.where, "signers:"));
		assert_string_not_equal(last.hint, "");
		/* Those of before are still there. */
		assert_int_equal(rules->signers.count, before);
	}
	assert_int_equal(take(rules,
			     "eve ssh-ed25519 %1$s\neve ssh-ed25519 %2$s\n"
			     "* namespaces=\"git\" ssh-ed25519 %1$s\n"
			     "*@x cert-authority ssh-ed25519 %1$s\n",
			     &lone_line),
	    0);
	assert_int_equal(lone_line, 0);
	assert_int_equal(rules->signers.count, 4);
	guard_rules_free(rules);
}

static void
test_an_authority_that_could_make_both_is_told(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} rows[] = {
	    {"* cert-authority ssh-ed25519 %1$s\n%2$.0s", 1},
	    {"ann,bob cert-authority ssh-ed25519 %1$s\n%2$.0s", 1},
	    {"dora cert-authority ssh-ed25519 %1$s\n%2$.0s", 1},
	    {"x cert-authority ssh-ed25519 %1$s\n%2$.0s", 0},
	    {"* cert-authority,namespaces=\"git\" ssh-ed25519 %1$s\n%2$.0s", 0},
	    {"* ssh-ed25519 %2$s\n%1$.0s", SIZE_MAX},
	};
	struct guard_rules *rules = people_read();
	size_t line = 0;

	/* Only people: patterns of devices would be taken for anybody. */
	rules->rules[0].role_counts[GUARD_PERMIT] = 0;
	rules->rule_count = 1;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		int result = take(rules, rows[i].text, &line);

		assert_int_equal(result, rows[i].line == SIZE_MAX ? -1 : 0);
		if (result == 0)
			assert_int_equal(line, rows[i].line);
	}
	rules->rule_count = 2;
	guard_rules_free(rules);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_topics_and_payloads_are_judged),
	    cmocka_unit_test(test_a_fault_is_told_with_its_place_and_a_remedy),
	    cmocka_unit_test(test_a_key_that_signs_commands_is_one_persons),
	    cmocka_unit_test(test_an_authority_that_could_make_both_is_told),
	};

	return cmocka_run_group_tests_name(
	    "guard_rules", tests, people_set_up, people_tear_down);
}
