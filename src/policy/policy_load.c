/* kaya-policy(5): read, judged, and made into sets of filters. */

#include "policy_private.h"

#include "mqtt_frame.h"
#include "mqtt_topic.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>

enum { SHOWN_MAX = 96 };

struct loader {
	struct policy *policy;
	struct conf_teller teller;
	bool lacks_memory;
};

static const char *const set_words[] = {
    [POLICY_PUBLISH] = "publish", [POLICY_SUBSCRIBE] = "subscribe"};

/* ---- filters ---- */

/* Whether each % has a meaning. */
static bool
is_template_sound(struct span filter)
{
	for (size_t i = 0; i < filter.len; i++) {
		if (filter.data[i] != '%')
			continue;
		if (i + 1 == filter.len ||
		    (filter.data[i + 1] != 'i' && filter.data[i + 1] != 'c'))
			return false;
		i++;
	}
	return true;
}

/* Tells what is wrong with it. */
static bool
is_filter(struct loader *l, const char *path, const char *text)
{
	struct span filter = span_of_str(text), group, rest;
	enum mqtt_rule broken =
	    mqtt_topic_check_filter(filter, MQTT_311, MQTT_RULE_TOPIC_TEXT);

	if (broken != MQTT_RULE_NONE) {
		conf_tell(&l->teller, path,
		    "a wildcard fills its level, and # is the last one", "%s",
		    mqtt_rule_text(broken));
		return false;
	}
	if (mqtt_topic_share(filter, &group, &rest) != MQTT_SHARE_NONE) {
		conf_tell(&l->teller, path,
		    "write the filter alone: it stands for shared "
		    "subscriptions too",
		    "$share does not belong into a rule");
		return false;
	}
	if (filter.len > POLICY_FILTER_MAX_BYTES ||
	    policy_trie_levels(filter) > POLICY_LEVELS_MAX) {
		conf_tell(&l->teller, path, "use # for what lies deeper",
		    "the filter has more than %d levels", POLICY_LEVELS_MAX);
		return false;
	}
	if (!is_template_sound(filter)) {
		conf_tell(&l->teller, path,
		    "write %%i for the identity, %%c for the client id; for a "
		    "%% itself there is +",
		    "a %% has no meaning here");
		return false;
	}
	return true;
}

/* A filter of a role, or of an approval. */
struct entry {
	const char *path;
	const char *text;
	enum policy_rule_kind kind;
	uint32_t root;
	const struct policy_role *role; /* NULL: of an approval */
	const struct policy_approval *approval;
};

static void
add_filter(struct loader *l, const struct entry *entry)
{
	struct policy *p = l->policy;
	struct conf_mark mark = conf_mark_of(&p->conf, entry->path);
	struct span text = span_of_str(entry->text);
	struct policy_rule rule = {.line = mark.line,
	    .column = mark.column,
	    .kind = entry->kind,
	    .text = entry->text,
	    .approval = entry->approval};
	struct policy_trie_filter filter = {
	    .text = text, .kind = POLICY_TRIE_TEMPLATES};
	uint32_t other;

	if (entry->role != NULL) {
		rule.role = entry->role->name;
		rule.owner = (uint32_t)(entry->role - p->roles);
	}
	filter.rule = policy_add_rule(p, &rule);
	if (filter.rule == POLICY_NO_RULE) {
		l->lacks_memory = true;
		return;
	}
	switch (policy_trie_add(&p->trie, entry->root, &filter, &other)) {
	case POLICY_TRIE_ADDED:
		break;
	case POLICY_TRIE_TWICE:
		/* The first one answers; policy_check tells of the second. */
		break;
	case POLICY_TRIE_NO_MEMORY:
		l->lacks_memory = true;
		break;
	}
}

/* ---- roles ---- */

static void
load_filters(struct loader *l, size_t index, enum policy_action set)
{
	struct policy_role *role = &l->policy->roles[index];
	char path[CONF_PATH_MAX];
	struct entry entry = {
	    .path = path, .kind = (enum policy_rule_kind)set, .role = role};

	role->roots[set] = policy_trie_root(&l->policy->trie);
	if (role->roots[set] == 0) {
		l->lacks_memory = true;
		return;
	}
	entry.root = role->roots[set];
	for (size_t i = 0; i < role->filter_counts[set]; i++) {
		snprintf(path, sizeof path, "roles[%zu].%s[%zu]", index,
		    set_words[set], i);
		entry.text = role->filters[set][i];
		if (entry.text != NULL && is_filter(l, path, entry.text))
			add_filter(l, &entry);
	}
}

static void
check_patterns(struct loader *l, size_t index)
{
	const struct policy_role *role = &l->policy->roles[index];
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < role->client_id_count; i++) {
		struct span text = span_of_str(role->client_ids[i]);

		snprintf(
		    path, sizeof path, "roles[%zu].client_ids[%zu]", index, i);
		for (size_t at = 0; at < text.len; at++) {
			if (text.data[at] != '%')
				continue;
			if (++at < text.len && text.data[at] == 'i')
				continue;
			conf_tell(&l->teller, path,
			    "write %%i for the identity, or * for any text",
			    "a %% has no meaning here");
			break;
		}
	}
}

static void
load_roles(struct loader *l)
{
	struct policy *p = l->policy;
	char path[CONF_PATH_MAX];

	if (p->role_count > POLICY_ROLES_MAX) {
		conf_tell(&l->teller, "roles", "share roles between identities",
		    "there are more than %d roles", POLICY_ROLES_MAX);
		return;
	}
	for (size_t i = 0; i < p->role_count; i++) {
		int first = policy_role_index(p, span_of_str(p->roles[i].name));

		if ((size_t)first != i) {
			snprintf(path, sizeof path, "roles[%zu].name", i);
			conf_tell(&l->teller, path,
			    "put both into one, or give one another name",
			    "there are two roles `%s`", p->roles[i].name);
		}
		load_filters(l, i, POLICY_PUBLISH);
		load_filters(l, i, POLICY_SUBSCRIBE);
		check_patterns(l, i);
	}
}

static void
tell_no_role(struct loader *l, const char *path, const char *name)
{
	const char *names[POLICY_ROLES_MAX + 1], *nearest;
	char hint[160] = "write it under `roles`";
	size_t count = 0;

	for (; count < l->policy->role_count; count++)
		names[count] = l->policy->roles[count].name;
	names[count] = NULL;
	nearest = str_nearest(name, names);
	if (nearest != NULL)
		snprintf(hint, sizeof hint, "did you mean `%s`?", nearest);
	conf_tell(&l->teller, path, hint, "there is no role `%s`", name);
}

/* Tell of each that is no role; the set of the others. */
static struct policy_roles
role_set(struct loader *l, const char *path, const char **names, size_t count)
{
	struct policy_roles set = {{0}};
	char place[CONF_PATH_MAX];

	for (size_t i = 0; i < count; i++) {
		int index = policy_role_index(l->policy, span_of_str(names[i]));

		if (index >= 0) {
			policy_roles_add(&set, (size_t)index);
			continue;
		}
		snprintf(place, sizeof place, "%s[%zu]", path, i);
		tell_no_role(l, place, names[i]);
	}
	return set;
}

/* ---- identities ---- */

/* A name, with * allowed. */
static bool
is_member(const char *text)
{
	char plain[STR_NAME_MAX + 1];
	size_t len = strlen(text);

	if (len > STR_NAME_MAX)
		return false;
	for (size_t i = 0; i <= len; i++)
		plain[i] = text[i] == '*' ? 'a' : text[i];
	return str_is_name(span_of_str(plain));
}

static void
add_member(struct loader *l, const char *text, const struct policy_roles *set)
{
	struct policy *p = l->policy;
	struct policy_name *name;

	if (strchr(text, '*') != NULL) {
		p->patterns[p->pattern_count++] =
		    (struct policy_pattern){text, *set};
		return;
	}
	name = policy_add_name(p, span_of_str(text));
	if (name == NULL) {
		l->lacks_memory = true;
		return;
	}
	for (size_t i = 0; i < POLICY_ROLE_WORDS; i++)
		name->roles.bits[i] |= set->bits[i];
}

static bool
has_pattern_places(struct loader *l)
{
	size_t count = 1;

	for (size_t i = 0; i < l->policy->member_count; i++)
		count += l->policy->members[i].name_count;
	l->policy->patterns = calloc(count, sizeof *l->policy->patterns);
	l->lacks_memory = l->lacks_memory || l->policy->patterns == NULL;
	return l->policy->patterns != NULL;
}

static void
load_members(struct loader *l)
{
	char path[CONF_PATH_MAX];

	if (!has_pattern_places(l))
		return;
	for (size_t i = 0; i < l->policy->member_count; i++) {
		struct policy_member *member = &l->policy->members[i];

		snprintf(path, sizeof path, "identities[%zu].roles", i);
		member->set =
		    role_set(l, path, member->roles, member->role_count);
		for (size_t n = 0; n < member->name_count; n++) {
			if (is_member(member->names[n])) {
				add_member(l, member->names[n], &member->set);
				continue;
			}
			snprintf(path, sizeof path,
			    "identities[%zu].names[%zu]", i, n);
			conf_tell(&l->teller, path,
			    "write 1 to 64 of A-Z a-z 0-9 . _ -, and * for any "
			    "run of them",
			    "`%s` is no name of an identity", member->names[n]);
		}
	}
}

/* ---- approval ---- */

static void
check_overlap(
    struct loader *l, const char *path, size_t index, const char *text)
{
	const struct policy_approval *others = l->policy->approvals;
	char hint[160];

	for (size_t i = 0; i < index; i++) {
		for (size_t t = 0; t < others[i].topic_count; t++) {
			if (!mqtt_topic_overlaps(span_of_str(text),
				span_of_str(others[i].topics[t])))
				continue;
			snprintf(hint, sizeof hint,
			    "make `%.40s` and `%.40s` have no topic in common",
			    text, others[i].topics[t]);
			conf_tell(&l->teller, path, hint,
			    "some of these topics are protected by `%s` too",
			    others[i].name);
			return;
		}
	}
}

static void
load_topics(struct loader *l, size_t index)
{
	struct policy_approval *approval = &l->policy->approvals[index];
	char path[CONF_PATH_MAX];
	struct entry entry = {
	    .path = path, .kind = POLICY_RULE_PROTECT, .approval = approval};

	approval->root = policy_trie_root(&l->policy->trie);
	entry.root = approval->root;
	l->lacks_memory = l->lacks_memory || approval->root == 0;
	if (l->lacks_memory)
		return;
	for (size_t i = 0; i < approval->topic_count; i++) {
		snprintf(
		    path, sizeof path, "approval[%zu].topics[%zu]", index, i);
		entry.text = approval->topics[i];
		if (!is_filter(l, path, entry.text))
			continue;
		if (strchr(entry.text, '%') != NULL)
			conf_tell(&l->teller, path, "use + in its place",
			    "%%i and %%c have no meaning here");
		check_overlap(l, path, index, entry.text);
		add_filter(l, &entry);
	}
}

static void
check_permit(struct loader *l, size_t index)
{
	const struct policy_approval *approval = &l->policy->approvals[index];
	bool has_topic = approval->permit_topic != NULL;
	char path[CONF_PATH_MAX];

	snprintf(path, sizeof path, "approval[%zu].%s", index,
	    has_topic ? "permit_topic" : "mode");
	if (approval->mode == POLICY_PERMISSIVE && !has_topic)
		conf_tell(&l->teller, path, "add `permit_topic`",
		    "nothing says which topic gives the permit");
	else if (approval->mode != POLICY_PERMISSIVE && has_topic)
		conf_tell(&l->teller, path, "write `mode: permissive`",
		    "it has no meaning in this mode");
	else if (has_topic &&
		 mqtt_topic_check_name(span_of_str(approval->permit_topic),
		     MQTT_RULE_TOPIC_TEXT) != MQTT_RULE_NONE)
		conf_tell(&l->teller, path, "write one topic, without + and #",
		    "it is no name of a topic");
}

static void
load_approvals(struct loader *l)
{
	struct policy *p = l->policy;
	char path[CONF_PATH_MAX];

	for (size_t i = 0; i < p->approval_count; i++) {
		struct policy_approval *approval = &p->approvals[i];

		for (size_t n = 0; n < i; n++) {
			if (strcmp(approval->name, p->approvals[n].name) != 0)
				continue;
			snprintf(path, sizeof path, "approval[%zu].name", i);
			conf_tell(&l->teller, path, "give one another name",
			    "there are two rules `%s`", approval->name);
		}
		snprintf(path, sizeof path, "approval[%zu].from", i);
		role_set(l, path, approval->from, approval->from_count);
		snprintf(path, sizeof path, "approval[%zu].by", i);
		role_set(l, path, approval->by, approval->by_count);
		snprintf(path, sizeof path, "approval[%zu].break_glass", i);
		role_set(l, path, approval->break_glass,
		    approval->break_glass_count);
		load_topics(l, i);
		check_permit(l, i);
	}
}

/* ---- the whole ---- */

int
policy_load(struct policy *policy, const struct policy_source *source)
{
	struct loader l = {.policy = policy,
	    .teller = {
		.conf = &policy->conf,
		.on_fault = source->on_fault,
		.arg = source->arg,
	    }};
	struct conf_input input = {.file = source->file,
	    .bytes = source->bytes,
	    .keys = policy_keys,
	    .target = policy,
	    .on_fault = source->on_fault,
	    .arg = source->arg};

	if (conf_load(&policy->conf, &input) != 0)
		return -1;
	policy->file = policy->conf.file;
	load_roles(&l);
	if (l.teller.count == 0 && !l.lacks_memory)
		load_members(&l);
	if (l.teller.count == 0 && !l.lacks_memory)
		load_approvals(&l);
	if (l.lacks_memory)
		policy_tell_no_memory(source);
	return l.teller.count == 0 && !l.lacks_memory ? 0 : -1;
}
