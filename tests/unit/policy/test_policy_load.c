/* A policy file's faults, each at its place. */

#include "make.h"

#include <stdlib.h>

static void
test_faults_are_told_with_their_place(void **state)
{
	static const struct {
		const char *text, *where, *what, *hint;
	} rows[] = {
	    {"role: []\n", "p.yaml:1:1", "unknown word `role`",
		"did you mean `roles`?"},
	    {"roles: [{publish: a}]\n", "p.yaml:1:9",
		"roles[0].name is missing", ""},
	    {"roles: [{name: a b}]\n", "p.yaml:1:16",
		"roles[0].name: \"a b\" is not a name", ""},
	    {"roles:\n  - {name: a, publish: [x, \"a/#/b\"]}\n", "p.yaml:2:28",
		"roles[0].publish[1]: # is not the last level of its topic "
		"filter",
		""},
	    {"roles: [{name: a, subscribe: \"x+\"}]\n", "p.yaml:1:30",
		"roles[0].subscribe[0]: + does not fill its level of the topic "
		"filter",
		""},
	    {"roles: [{name: a, publish: \"a/%u\"}]\n", "p.yaml:1:28",
		"roles[0].publish[0]: a % has no meaning here", ""},
	    {"roles: [{name: a, publish: \"a%\"}]\n", "p.yaml:1:28",
		"roles[0].publish[0]: a % has no meaning here", ""},
	    {"roles: [{name: a, subscribe: \"$share/g/a\"}]\n", "p.yaml:1:30",
		"roles[0].subscribe[0]: $share does not belong into a rule",
		""},
	    {"roles: [{name: a, client_ids: \"%c\"}]\n", "p.yaml:1:31",
		"roles[0].client_ids[0]: a % has no meaning here", ""},
	    {"roles: [{name: a}, {name: a}]\n", "p.yaml:1:27",
		"roles[1].name: there are two roles `a`", ""},
	    {"roles: [{name: a, qos: 3}]\n", "p.yaml:1:24",
		"roles[0].qos: 3 is too much", ""},
	    {"roles: [{name: sensor}]\n"
	     "identities: [{names: x, roles: [senser]}]\n",
		"p.yaml:2:33",
		"identities[0].roles[0]: there is no role `senser`",
		"did you mean `sensor`?"},
	    {"roles: [{name: r}]\nidentities: [{names: [a/b], roles: r}]\n",
		"p.yaml:2:23",
		"identities[0].names[0]: `a/b` is no name of an identity", ""},
	    {"roles: [{name: r}]\n"
	     "approval: [{name: v, topics: \"a/%i\", by: r}]\n",
		"p.yaml:2:30",
		"approval[0].topics[0]: %i and %c have no meaning here", ""},
	    {"roles: [{name: r}]\n"
	     "approval:\n"
	     "  - {name: v, topics: \"a/+/c\", by: r}\n"
	     "  - {name: w, topics: \"a/b/#\", by: r}\n",
		"p.yaml:4:23",
		"approval[1].topics[0]: some of these topics are protected by "
		"`v` too",
		""},
	    {"roles: [{name: r}]\n"
	     "approval: [{name: v, topics: a, by: q}]\n",
		"p.yaml:2:37", "approval[0].by[0]: there is no role `q`", ""},
	    {"roles: [{name: r}]\n"
	     "approval: [{name: v, topics: a, by: r, mode: permissive}]\n",
		"p.yaml:2:46",
		"approval[0].mode: nothing says which topic gives the permit",
		""},
	    {"roles: [{name: r}]\n"
	     "approval: [{name: v, topics: a, by: r, permit_topic: b}]\n",
		"p.yaml:2:54",
		"approval[0].permit_topic: it has no meaning in this mode", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct told told;

		assert_null(make_try(rows[i].text, POLICY_YAML, &told));
		assert_string_equal(told.where, rows[i].where);
		assert_string_equal(told.what, rows[i].what);
		assert_int_equal(told.count, 1);
		assert_int_not_equal(told.hint[0], '\0');
		if (rows[i].hint[0] != '\0')
			assert_string_equal(told.hint, rows[i].hint);
	}
}

static void
test_every_fault_is_told(void **state)
{
	struct told told;

	assert_null(make_try("roles:\n"
			     "  - {name: a, publish: [\"x+\", \"+y\"]}\n"
			     "  - {name: a, subscribe: \"#/\"}\n",
	    POLICY_YAML, &told));
	assert_int_equal(told.count, 4);
}

static void
test_an_empty_file_permits_nothing(void **state)
{
	static const char *const texts[] = {"", "roles:\n", "# nothing\n"};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		struct told told;
		struct policy *policy = make_try(texts[i], POLICY_YAML, &told);
		struct policy_who who;

		if (policy == NULL) {
			/* A word without a value is a fault. */
			assert_int_equal(told.count, 1);
			continue;
		}
		policy_who_init(
		    &who, policy, span_of_str("a"), (struct span){0});
		assert_int_equal(may_publish(&who, "a"), POLICY_REFUSED);
		assert_int_equal(may_subscribe(&who, "a"), POLICY_REFUSED);
		assert_int_equal(may_read(&who, "a"), POLICY_REFUSED);
		policy_free(policy);
	}
}

static void
test_a_file_is_known_by_its_first_word(void **state)
{
	static const struct {
		const char *text;
		enum policy_format format;
	} rows[] = {
	    {"", POLICY_YAML},
	    {"roles:\n", POLICY_YAML},
	    {"# topic a\nroles:\n", POLICY_YAML},
	    {"topic a", POLICY_ACL},
	    {"\n\r\n# x\n\n user ann\n", POLICY_ACL},
	    {"pattern read %u/#\n", POLICY_ACL},
	    {"topics: x\n", POLICY_YAML},
	    {"user: x\n", POLICY_YAML},
	    {"#", POLICY_YAML},
	    {"   ", POLICY_YAML},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(policy_guess_format(span_of_str(rows[i].text)),
		    rows[i].format);
}

/* As many identities as a file may have are found again. */
static void
test_thousands_of_names_keep_their_roles(void **state)
{
	enum { NAMES = 9000 };
	size_t size = NAMES * 16 + 256, len;
	char *text = malloc(size), name[16];
	struct policy *policy;

	assert_non_null(text);
	len = (size_t)snprintf(text, size,
	    "roles:\n"
	    "  - {name: even, publish: even}\n"
	    "  - {name: odd, publish: odd}\n"
	    "identities:\n");
	for (size_t half = 0; half < 2; half++) {
		len += (size_t)snprintf(text + len, size - len, "  - names:\n");
		for (size_t i = half; i < NAMES; i += 2)
			len += (size_t)snprintf(
			    text + len, size - len, "    - n%zu\n", i);
		len += (size_t)snprintf(text + len, size - len,
		    "    roles: %s\n", half == 0 ? "even" : "odd");
	}
	policy = make_policy(text);
	for (size_t i = 0; i < NAMES; i++) {
		struct policy_who who;

		snprintf(name, sizeof name, "n%zu", i);
		policy_who_init(
		    &who, policy, span_of_str(name), (struct span){0});
		assert_int_equal(may_publish(&who, "even"),
		    i % 2 == 0 ? POLICY_ALLOWED : POLICY_REFUSED);
		assert_int_equal(may_publish(&who, "odd"),
		    i % 2 == 0 ? POLICY_REFUSED : POLICY_ALLOWED);
	}
	policy_free(policy);
	free(text);
}

/* ---- memory ---- */

static size_t allowed = SIZE_MAX;

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);

static bool
is_allowed(void)
{
	if (allowed == 0)
		return false;
	if (allowed != SIZE_MAX)
		allowed--;
	return true;
}

void *
__wrap_malloc(size_t size)
{
	return is_allowed() ? __real_malloc(size) : NULL;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return is_allowed() ? __real_calloc(count, size) : NULL;
}

void *
__wrap_realloc(void *memory, size_t size)
{
	return is_allowed() ? __real_realloc(memory, size) : NULL;
}

static void
check_lack_of_memory(const char *text, enum policy_format format)
{
	struct policy *policy = NULL;
	size_t n = 0;

	while (policy == NULL) {
		struct told told;

		assert_true(n < 5000);
		allowed = n++;
		policy = make_try(text, format, &told);
		allowed = SIZE_MAX;
		assert_int_equal(policy == NULL, told.count > 0);
	}
	assert_true(n > 5);
	policy_free(policy);
}

static void
test_each_lack_of_memory_is_told(void **state)
{
	check_lack_of_memory("roles:\n"
			     "  - {name: a, publish: [\"x/%i\", \"y/+/#\"]}\n"
			     "identities: [{names: [a, \"b*\"], roles: a}]\n"
			     "approval: [{name: v, topics: q, by: a}]\n",
	    POLICY_YAML);
	check_lack_of_memory("topic a\nuser b\ntopic deny c/#\n"
			     "pattern read %u/#\n",
	    POLICY_ACL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_faults_are_told_with_their_place),
	    cmocka_unit_test(test_every_fault_is_told),
	    cmocka_unit_test(test_an_empty_file_permits_nothing),
	    cmocka_unit_test(test_a_file_is_known_by_its_first_word),
	    cmocka_unit_test(test_thousands_of_names_keep_their_roles),
	    cmocka_unit_test(test_each_lack_of_memory_is_told),
	};

	return cmocka_run_group_tests_name("policy_load", tests, NULL, NULL);
}
