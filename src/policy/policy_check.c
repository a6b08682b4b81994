#include "policy_check.h"

#include "policy_explain.h"
#include "policy_private.h"

#include "mqtt_topic.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 160 };

struct checker {
	const struct policy_check *check;
	const struct policy *policy;
	bool *skipped; /* rules that were found to have no effect */
	struct policy_known *known; /* check's, in the order of names */
	int count;
};

struct place {
	size_t line, column;
};

__attribute__((format(printf, 5, 6))) static void
tell(struct checker *c, struct place place, const char *code,
    const char *remedy, const char *format, ...)
{
	struct policy_finding finding = {.line = place.line,
	    .column = place.column,
	    .code = code,
	    .remedy = remedy};
	va_list args;

	va_start(args, format);
	vsnprintf(finding.cause, sizeof finding.cause, format, args);
	va_end(args);
	c->count++;
	c->check->on_finding(&finding, c->check->arg);
}

static struct place
place_of_rule(const struct policy_rule *rule)
{
	return (struct place){rule->line, rule->column};
}

static struct place
place_of_path(const struct checker *c, const char *path)
{
	struct conf_mark mark = conf_mark_of(&c->policy->conf, path);

	return (struct place){mark.line, mark.column};
}

/* ---- rules that others make superfluous ---- */

/* The set that a rule is in; 0: in none that counts. */
static uint32_t
root_of(const struct policy *p, const struct policy_rule *rule,
    enum policy_acl_set set)
{
	switch (rule->kind) {
	case POLICY_RULE_PUBLISH:
	case POLICY_RULE_SUBSCRIBE:
		return p->roles[rule->owner].roots[rule->kind];
	case POLICY_RULE_TOPIC:
		return p->acl_users[rule->owner].roots[set];
	case POLICY_RULE_PROTECT:
	case POLICY_RULE_PATTERN:
		break;
	}
	return 0;
}

/* One of the other rules by which all that it reaches is reached anyway. */
static uint32_t
shadow_in(struct checker *c, uint32_t rule, uint32_t root)
{
	const struct policy_names nobody = {.identity = {0}};
	const struct policy *p = c->policy;
	struct policy_look look;

	/* In an acl_file's topic lines % is a character like others. */
	policy_trie_look_filter(&p->trie, span_of_str(p->rules[rule].text),
	    p->rules[rule].kind == POLICY_RULE_TOPIC ? &nobody : NULL, &look);
	look.skipped = c->skipped;
	return policy_trie_covers(&p->trie, &root, 1, &look);
}

static uint32_t
shadow_of_topic(struct checker *c, uint32_t rule)
{
	static const struct {
		const char *access;
		enum policy_acl_set sets[2];
		size_t count;
	} rows[] = {
	    {"read", {POLICY_ACL_READ}, 1},
	    {"write", {POLICY_ACL_WRITE}, 1},
	    {"readwrite", {POLICY_ACL_READ, POLICY_ACL_WRITE}, 2},
	    {"deny", {POLICY_ACL_DENY}, 1},
	};
	const struct policy_rule *r = &c->policy->rules[rule];
	uint32_t found =
	    shadow_in(c, rule, root_of(c->policy, r, POLICY_ACL_DENY));
	size_t i = 0;

	if (found != POLICY_NO_RULE)
		return found;
	while (strcmp(rows[i].access, r->access) != 0)
		i++;
	for (size_t n = 0; n < rows[i].count; n++) {
		found =
		    shadow_in(c, rule, root_of(c->policy, r, rows[i].sets[n]));
		if (found == POLICY_NO_RULE)
			return found;
	}
	return found;
}

static uint32_t
shadow_of(struct checker *c, uint32_t rule)
{
	const struct policy_rule *r = &c->policy->rules[rule];
	uint32_t found = POLICY_NO_RULE;

	c->skipped[rule] = true;
	if (r->kind == POLICY_RULE_TOPIC)
		found = shadow_of_topic(c, rule);
	else if (root_of(c->policy, r, POLICY_ACL_READ) != 0)
		found =
		    shadow_in(c, rule, root_of(c->policy, r, POLICY_ACL_READ));
	c->skipped[rule] = found != POLICY_NO_RULE;
	return found;
}

/* From the last to the first: of two that do the same the first one stays. */
static bool
check_shadows(struct checker *c)
{
	const struct policy *p = c->policy;
	uint32_t *shadows = calloc(p->rule_count + 1, sizeof *shadows);
	char text[SHOWN_MAX], other[SHOWN_MAX];

	if (shadows == NULL)
		return false;
	for (uint32_t i = p->rule_count; i-- > 0;)
		shadows[i] = shadow_of(c, i);
	for (uint32_t i = 0; i < p->rule_count; i++) {
		if (shadows[i] == POLICY_NO_RULE)
			continue;
		tell(c, place_of_rule(&p->rules[i]), "shadowed",
		    "take it out, or correct it",
		    "`%s` has no effect beside line %zu, `%s`",
		    policy_rule_text(&p->rules[i], text, sizeof text),
		    p->rules[shadows[i]].line,
		    policy_rule_text(
			&p->rules[shadows[i]], other, sizeof other));
	}
	free(shadows);
	return true;
}

/* ---- rules that match nothing ---- */

/* Whether no client id that the role allows can stand for %c. */
static bool
lacks_client_id(const struct policy_role *role)
{
	for (size_t i = 0; i < role->client_id_count; i++)
		if (strpbrk(role->client_ids[i], "/+#") == NULL &&
		    role->client_ids[i][0] != '$')
			return false;
	return role->client_id_count > 0;
}

static void
check_template(struct checker *c, const struct policy_rule *rule)
{
	if (strstr(rule->text, "%c") == NULL ||
	    !lacks_client_id(&c->policy->roles[rule->owner]))
		return;
	tell(c, place_of_rule(rule), "never-matches",
	    "let the role's client_ids have none of / + #, nor $ in front",
	    "`%s` can never match: no client id of role %s can be a level of "
	    "a topic",
	    rule->text, rule->role);
}

static void
check_acl_topic(struct checker *c, const struct policy_rule *rule)
{
	static const char share[] = "$share", system[] = "$SYS";
	const struct policy_acl_user *user = &c->policy->acl_users[rule->owner];

	if (rule->kind == POLICY_RULE_TOPIC &&
	    (user->name == NULL || !str_is_name(span_of_str(user->name))))
		tell(c, place_of_rule(rule), "never-matches",
		    user->name == NULL
			? "put it behind a `user` line"
			: "a name has 1 to 64 of A-Z a-z 0-9 . _ -",
		    user->name == NULL
			? "the line is for clients without a user name, and "
			  "there are none: each key has an identity"
			: "the line is for a user whose name no identity can "
			  "have");
	else if (rule->kind == POLICY_RULE_TOPIC &&
		 (strstr(rule->text, "%u") != NULL ||
		     strstr(rule->text, "%c") != NULL))
		tell(c, place_of_rule(rule), "literal-pattern",
		    "begin the line with `pattern`",
		    "%%u and %%c mean nothing in a `topic` line");
	else if (rule->kind == POLICY_RULE_PATTERN &&
		 strstr(rule->text, "%u") == NULL &&
		 strstr(rule->text, "%c") == NULL)
		tell(c, place_of_rule(rule), "pattern-for-all",
		    "see whether everybody is meant",
		    "a `pattern` line without %%u and %%c is for every "
		    "identity, whatever `user` line stands above it");
	if (strncmp(rule->text, share, strlen(share)) == 0 ||
	    (strncmp(rule->text, system, strlen(system)) == 0 &&
		strcmp(rule->access, "write") == 0 &&
		!mqtt_topic_overlaps(span_of_str(rule->text),
		    span_of_str("$SYS/broker/connection/+/state"))))
		tell(c, place_of_rule(rule), "never-matches", "take it out",
		    "mosquitto keeps these topics for itself, whatever the "
		    "line says");
}

static void
check_rules(struct checker *c)
{
	for (uint32_t i = 0; i < c->policy->rule_count; i++) {
		const struct policy_rule *rule = &c->policy->rules[i];

		if (rule->kind <= POLICY_RULE_SUBSCRIBE)
			check_template(c, rule);
		else if (rule->kind >= POLICY_RULE_TOPIC)
			check_acl_topic(c, rule);
	}
}

/* What %i and %c stand for is not known: a + in the level's place is no less.
 */
static void
widen(const char *template, char *filter)
{
	for (;;) {
		size_t len = strcspn(template, "/");
		bool is_open = memchr(template, '%', len) != NULL;

		memcpy(filter, is_open ? "+" : template, is_open ? 1 : len);
		filter += is_open ? 1 : len;
		*filter++ = template[len];
		if (template[len] == '\0')
			return;
		template += len + 1;
	}
}

static bool
overlaps(const char *template, const char *topics)
{
	char *filter = malloc(strlen(template) + 1);
	bool does = true;

	if (filter != NULL) {
		widen(template, filter);
		does = mqtt_topic_overlaps(
		    span_of_str(filter), span_of_str(topics));
	}
	free(filter);
	return does;
}

/* Whether anybody may publish to some of these topics. */
static bool
is_published(const struct policy *p, const struct policy_rule *topics)
{
	for (uint32_t i = 0; i < p->rule_count; i++)
		if (p->rules[i].kind == POLICY_RULE_PUBLISH &&
		    overlaps(p->rules[i].text, topics->text))
			return true;
	return false;
}

static void
check_protected(struct checker *c)
{
	for (uint32_t i = 0; i < c->policy->rule_count; i++) {
		const struct policy_rule *rule = &c->policy->rules[i];

		if (rule->kind == POLICY_RULE_PROTECT &&
		    !is_published(c->policy, rule))
			tell(c, place_of_rule(rule), "never-matches",
			    "let a role publish there, or take it out",
			    "`%s` is protected, but no role may publish to any "
			    "of it",
			    rule->text);
	}
}

/* ---- roles and names ---- */

static bool
is_held(const struct checker *c, size_t role)
{
	const struct policy *p = c->policy;

	for (size_t i = 0; i < p->member_count; i++)
		if (p->members[i].name_count > 0 &&
		    policy_roles_has(&p->members[i].set, role))
			return true;
	for (size_t i = 0; i < c->check->known_count; i++)
		if (span_is(c->check->known[i].role, p->roles[role].name))
			return true;
	return false;
}

static void
check_roles(struct checker *c)
{
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < c->policy->role_count; i++) {
		if (c->check->known == NULL || is_held(c, i))
			continue;
		snprintf(path, sizeof path, "roles[%zu].name", i);
		tell(c, place_of_path(c, path), "role-unused",
		    "give it to somebody under `identities` or in a key's "
		    "line, or take it out",
		    "nobody has the role %s", c->policy->roles[i].name);
	}
}

static int
compare_known(const void *a, const void *b)
{
	struct span x = ((const struct policy_known *)a)->identity;
	struct span y = ((const struct policy_known *)b)->identity;
	int order = memcmp(x.data, y.data, x.len < y.len ? x.len : y.len);

	return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

/* False where memory fails. */
static bool
sort_known(struct checker *c)
{
	size_t count = c->check->known_count;

	c->known = calloc(count + 1, sizeof *c->known);
	if (c->known == NULL)
		return false;
	for (size_t i = 0; i < count; i++)
		c->known[i] = c->check->known[i];
	qsort(c->known, count, sizeof *c->known, compare_known);
	return true;
}

static bool
is_known(const struct checker *c, const char *pattern)
{
	struct policy_known wanted = {.identity = span_of_str(pattern)};

	/* An authority comes first in their order. */
	if (c->check->known_count > 0 && c->known[0].identity.len == 0)
		return true;
	if (strchr(pattern, '*') == NULL)
		return bsearch(&wanted, c->known, c->check->known_count,
			   sizeof wanted, compare_known) != NULL;
	for (size_t i = 0; i < c->check->known_count; i++)
		if (policy_pattern_fits(
			pattern, (struct span){0}, c->check->known[i].identity))
			return true;
	return false;
}

static void
check_members(struct checker *c)
{
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < c->policy->member_count; i++) {
		const struct policy_member *member = &c->policy->members[i];

		for (size_t n = 0; n < member->name_count; n++) {
			/* Whoever will be let in is meant by all. */
			if (strcmp(member->names[n], "*") == 0 ||
			    is_known(c, member->names[n]))
				continue;
			snprintf(path, sizeof path,
			    "identities[%zu].names[%zu]", i, n);
			tell(c, place_of_path(c, path), "no-key",
			    "let its key in, or take the name out",
			    "there is no key for %s", member->names[n]);
		}
	}
	/* The first one is of clients without a name. */
	for (size_t i = 1; i < c->policy->acl_user_count; i++) {
		const struct policy_acl_user *user = &c->policy->acl_users[i];

		if (str_is_name(span_of_str(user->name)) &&
		    !is_known(c, user->name))
			tell(c, (struct place){user->line, 1}, "no-key",
			    "let its key in, or take the lines out",
			    "there is no key for %s", user->name);
	}
}

static void
check_keys(struct checker *c)
{
	for (size_t i = 0; i < c->check->known_count; i++) {
		const struct policy_known *known = &c->check->known[i];

		if (known->role.len > 0 &&
		    !policy_has_role(c->policy, known->role))
			tell(c, (struct place){0, 0}, "role-unknown",
			    "write the role under `roles`, or correct the "
			    "key's line",
			    "%s%.*s has role %.*s, which the policy does not "
			    "know",
			    known->identity.len > 0 ? "the key of "
						    : "an authority's line",
			    (int)known->identity.len,
			    (const char *)known->identity.data,
			    (int)known->role.len,
			    (const char *)known->role.data);
	}
}

int
policy_check(const struct policy_check *check)
{
	struct checker c = {.check = check, .policy = check->policy};

	c.skipped = calloc(check->policy->rule_count + 1, sizeof *c.skipped);
	if (c.skipped == NULL || !sort_known(&c) || !check_shadows(&c)) {
		c.count = -1;
	} else {
		check_rules(&c);
		check_protected(&c);
		check_roles(&c);
		if (check->known != NULL)
			check_members(&c);
		if (check->policy->format == POLICY_YAML)
			check_keys(&c);
	}
	free(c.known);
	free(c.skipped);
	return c.count;
}
