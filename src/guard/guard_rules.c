#include "guard_rules.h"

#include "guard_signer.h"
#include "guard_statement.h"
#include "keys_pattern.h"
#include "mqtt_frame.h"
#include "mqtt_topic.h"
#include "revoked_keys.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const part_words[GUARD_PARTS] = {
    [GUARD_REQUEST] = "request",
    [GUARD_APPROVE] = "approve",
    [GUARD_PERMIT] = "permit",
};

/* ---- the file ---- */

static const struct guard_role *
role_of(const struct guard_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->role_count; i++)
		if (strcmp(rules->roles[i].name, name) == 0)
			return &rules->roles[i];
	return NULL;
}

static void
check_roles(struct conf_teller *teller, const struct guard_rules *rules)
{
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < rules->role_count; i++) {
		const char *name = rules->roles[i].name;

		snprintf(path, sizeof path, "roles[%zu].name", i);
		if (role_of(rules, name) != &rules->roles[i])
			conf_tell(teller, path, "give one another name",
			    "there are two roles `%s`", name);
	}
}

static bool
overlaps(const struct guard_rule *rule, struct span topic)
{
	for (size_t i = 0; i < rule->topic_count; i++)
		if (mqtt_topic_overlaps(span_of_str(rule->topics[i]), topic))
			return true;
	return false;
}

static void
check_topics(
    struct conf_teller *teller, const struct guard_rules *rules, size_t index)
{
	const struct guard_rule *rule = &rules->rules[index];
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < rule->topic_count; i++) {
		struct span topic = span_of_str(rule->topics[i]);

		snprintf(
		    path, sizeof path, "protect[%zu].topics[%zu]", index, i);
		if (mqtt_topic_check_filter(topic, MQTT_50,
			MQTT_RULE_TOPIC_TEXT) != MQTT_RULE_NONE ||
		    rule->topics[i][0] == '$') {
			conf_tell(teller, path,
			    "write levels with / between, + for one and # for "
			    "all that follow",
			    "`%s` is no topic filter of a device's",
			    rule->topics[i]);
			continue;
		}
		for (size_t other = 0; other < index; other++)
			if (overlaps(&rules->rules[other], topic))
				conf_tell(teller, path,
				    "make them have no topic in common",
				    "some of these topics are protected by "
				    "`%s` too",
				    rules->rules[other].name);
	}
}

static void
check_rule(
    struct conf_teller *teller, const struct guard_rules *rules, size_t index)
{
	const struct guard_rule *rule = &rules->rules[index];
	char path[CONF_PATH_MAX];

	check_topics(teller, rules, index);
	for (enum guard_part part = 0; part < GUARD_PARTS; part++) {
		for (size_t i = 0; i < rule->role_counts[part]; i++) {
			const char *name = rule->roles[part][i];

			snprintf(path, sizeof path, "protect[%zu].%s[%zu]",
			    index, part_words[part], i);
			if (role_of(rules, name) == NULL)
				conf_tell(teller, path, "add it under `roles`",
				    "there is no role `%s`", name);
		}
	}
	snprintf(path, sizeof path, "protect[%zu].request", index);
	if (rule->role_counts[GUARD_APPROVE] == 0 &&
	    rule->role_counts[GUARD_PERMIT] == 0)
		conf_tell(teller, path, "add `approve` or `permit`",
		    "nobody may give the second signature of `%s`", rule->name);
}

static void
check(struct conf_teller *teller, const struct guard_rules *rules)
{
	if (strcmp(rules->actuator, "all") == 0)
		conf_tell(teller, "actuator", "choose another name",
		    "`all` stands for all guards");
	if (rules->password_file != NULL && rules->user == NULL)
		conf_tell(teller, "password_file", "add `user`",
		    "a password without a user name is none");
	check_roles(teller, rules);
	for (size_t i = 0; i < rules->rule_count; i++)
		check_rule(teller, rules, i);
}

struct guard_rules *
guard_rules_new(
    const char *file, struct span bytes, conf_fault_fn on_fault, void *arg)
{
	struct guard_rules *rules = calloc(1, sizeof *rules);
	struct conf_teller teller = {.on_fault = on_fault, .arg = arg};
	struct conf_input input = {.file = file,
	    .bytes = bytes,
	    .keys = guard_keys,
	    .target = rules,
	    .on_fault = on_fault,
	    .arg = arg};
	struct conf_fault fault = {.file = file, .err = ERR_INIT};

	if (rules == NULL ||
	    conf_defaults(&rules->conf, guard_keys, rules) != 0) {
		err_set(&fault.err, ERR_NOMEM, "no memory to read the rules");
		err_where(&fault.err, "%s", file);
		on_fault(&fault, arg);
		guard_rules_free(rules);
		return NULL;
	}
	if (conf_load(&rules->conf, &input) == 0) {
		teller.conf = &rules->conf;
		check(&teller, rules);
		if (teller.count == 0)
			return rules;
	}
	guard_rules_free(rules);
	return NULL;
}

void
guard_rules_free(struct guard_rules *rules)
{
	if (rules == NULL)
		return;
	allowed_signers_fini(&rules->signers);
	revoked_keys_free(rules->revoked);
	conf_fini(&rules->conf);
	free(rules);
}

/* ---- who signs ---- */

struct signers_check {
	const char *file;
	allowed_signers_fault_fn *on_fault;
	void *arg;
	size_t faults;
};

static void tell(struct signers_check *check, size_t line, const char *hint,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
static void
tell(struct signers_check *check, size_t line, const char *hint,
    const char *format, ...)
{
	struct err err = ERR_INIT;
	char what[256];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof what, format, args);
	va_end(args);
	err_set(&err, ERR_CONFIG, "%s", what);
	err_where(&err, "%s:%zu", check->file, line);
	err_hint(&err, "%s", hint);
	check->faults++;
	check->on_fault(&err, check->arg);
}

static bool
is_for(const struct allowed_signer *signer, const char *namespace)
{
	return signer->namespaces.data == NULL ||
	       keys_pattern_list(span_of_str(namespace), signer->namespaces) ==
		   KEYS_PATTERN_MATCH;
}

static bool
may_sign_commands(const struct allowed_signer *signer)
{
	return !signer->is_authority &&
	       (is_for(signer, GUARD_SIGNS) || is_for(signer, GUARD_DENIES));
}

/* One key, one name: else one person could be two. */
static void
check_signers(struct signers_check *check, const struct allowed_signers *all)
{
	for (size_t i = 0; i < all->count; i++) {
		const struct allowed_signer *signer = &all->list[i];

		if (!may_sign_commands(signer))
			continue;
		if (!guard_signer_is_name(signer->principals))
			tell(check, signer->line,
			    "write one name, or namespaces=\"...\" without "
			    "kaya-command where the line is for other purposes",
			    "it does not say who the key's holder is");
		for (size_t k = 0; k < i; k++) {
			const struct allowed_signer *other = &all->list[k];

			if (may_sign_commands(other) &&
			    span_equal(other->key, signer->key) &&
			    !span_equal(other->principals, signer->principals))
				tell(check, signer->line,
				    "leave the key under the name of the one "
				    "person who has it",
				    "the key stands in line %zu under another "
				    "name",
				    other->line);
		}
	}
}

/* ---- authorities ---- */

/* May it certify one of the role?  Of a role's patterns: it is assumed. */
static bool
may_make(const struct allowed_signer *authority, const struct guard_role *role)
{
	for (size_t i = 0; role != NULL && i < role->principal_count; i++) {
		struct span principal = span_of_str(role->principals[i]);

		if (!guard_signer_is_name(principal) ||
		    keys_pattern_list(principal, authority->principals) ==
			KEYS_PATTERN_MATCH)
			return true;
	}
	return false;
}

static bool
may_make_part(const struct guard_rules *rules,
    const struct allowed_signer *authority, const struct guard_rule *rule,
    enum guard_part part)
{
	for (size_t i = 0; i < rule->role_counts[part]; i++)
		if (may_make(authority, role_of(rules, rule->roles[part][i])))
			return true;
	return false;
}

/* The line of one that alone could make both who sign; 0: there is none. */
static size_t
find_lone_authority(
    const struct guard_rules *rules, const struct allowed_signers *signers)
{
	for (size_t i = 0; i < signers->count; i++) {
		const struct allowed_signer *each = &signers->list[i];

		if (!each->is_authority || !is_for(each, GUARD_SIGNS))
			continue;
		for (size_t k = 0; k < rules->rule_count; k++) {
			const struct guard_rule *rule = &rules->rules[k];

			if (may_make_part(rules, each, rule, GUARD_REQUEST) &&
			    (may_make_part(rules, each, rule, GUARD_APPROVE) ||
				may_make_part(rules, each, rule, GUARD_PERMIT)))
				return each->line;
		}
	}
	return 0;
}

int
guard_rules_take_signers(struct guard_rules *rules, const char *file,
    struct span bytes, allowed_signers_fault_fn *on_fault, void *arg,
    size_t *lone_line)
{
	struct signers_check check = {
	    .file = file, .on_fault = on_fault, .arg = arg};
	struct allowed_signers signers;

	if (allowed_signers_parse(&signers, bytes, file, on_fault, arg) != 0)
		return -1;
	check_signers(&check, &signers);
	if (check.faults > 0) {
		allowed_signers_fini(&signers);
		return -1;
	}
	*lone_line = find_lone_authority(rules, &signers);
	allowed_signers_fini(&rules->signers);
	rules->signers = signers;
	return 0;
}

int
guard_rules_take_revoked(
    struct guard_rules *rules, struct span bytes, struct err *err)
{
	struct conf_fault fault = {.file = rules->revoked_file};
	struct revoked_keys *revoked =
	    revoked_keys_new(rules->revoked_file, bytes, &fault);

	if (revoked == NULL) {
		*err = fault.err;
		return -1;
	}
	revoked_keys_free(rules->revoked);
	rules->revoked = revoked;
	return 0;
}

/* ---- verdicts ---- */

static bool
protects(const struct guard_rule *rule, struct span topic)
{
	for (size_t i = 0; i < rule->topic_count; i++)
		if (mqtt_topic_matches(span_of_str(rule->topics[i]), topic))
			return true;
	return false;
}

static bool
is_safe(const struct guard_rule *rule, struct span payload)
{
	for (size_t i = 0; i < rule->safe_state_count; i++)
		if (span_is(payload, rule->safe_state[i]))
			return true;
	return false;
}

enum guard_judgement
guard_rules_judge(const struct guard_rules *rules, struct span topic,
    const struct span *payload, const struct guard_rule **rule)
{
	*rule = NULL;
	for (size_t i = 0; i < rules->rule_count; i++) {
		if (!protects(&rules->rules[i], topic))
			continue;
		*rule = &rules->rules[i];
		return payload != NULL && is_safe(*rule, *payload)
			   ? GUARD_SAFE
			   : GUARD_PROTECTED;
	}
	return GUARD_OPEN;
}

static bool
is_in(const struct guard_role *role, struct span principal)
{
	for (size_t i = 0; role != NULL && i < role->principal_count; i++)
		if (keys_pattern_fits(principal,
			span_of_str(role->principals[i]), KEYS_PATTERN_EXACT))
			return true;
	return false;
}

bool
guard_rules_may(const struct guard_rules *rules, const struct guard_rule *rule,
    enum guard_part part, struct span principal)
{
	for (size_t i = 0; i < rule->role_counts[part]; i++)
		if (is_in(role_of(rules, rule->roles[part][i]), principal))
			return true;
	return false;
}
