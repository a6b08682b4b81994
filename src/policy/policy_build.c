/* A policy's memory: made, filled, given back. */

#include "policy_private.h"

#include "str.h"

#include <stdlib.h>

enum { FIRST_NAMES = 64, FIRST_ITEMS = 16 };

void *
policy_grown(void *items, size_t *cap, size_t count, size_t size)
{
	size_t more = *cap == 0 ? FIRST_ITEMS : *cap * 2;
	void *moved;

	if (count < *cap)
		return items;
	moved = realloc(items, more * size);
	if (moved != NULL)
		*cap = more;
	return moved;
}

uint32_t
policy_add_rule(struct policy *policy, const struct policy_rule *rule)
{
	size_t cap = policy->rule_cap;
	struct policy_rule *rules =
	    policy_grown(policy->rules, &cap, policy->rule_count, sizeof *rule);

	if (rules == NULL)
		return POLICY_NO_RULE;
	policy->rules = rules;
	policy->rule_cap = (uint32_t)cap;
	policy->rules[policy->rule_count] = *rule;
	return policy->rule_count++;
}

/* ---- names ---- */

/* FNV-1a: names are short, and those in the table are not hostile. */
static size_t
hash_of(struct span text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ text.data[i]) * 0x100000001b3u;
	return (size_t)(hash ^ hash >> 32);
}

static struct policy_name *
place_of(struct policy_name *names, size_t cap, struct span text)
{
	size_t at = hash_of(text) & (cap - 1);

	while (names[at].text.data != NULL && !span_equal(names[at].text, text))
		at = (at + 1) & (cap - 1);
	return &names[at];
}

struct policy_name *
policy_add_name(struct policy *policy, struct span text)
{
	size_t cap = policy->name_cap == 0 ? FIRST_NAMES : policy->name_cap * 2;
	struct policy_name *names, *place;

	if ((policy->name_count + 1) * 2 > policy->name_cap) {
		names = calloc(cap, sizeof *names);
		if (names == NULL)
			return NULL;
		for (size_t i = 0; i < policy->name_cap; i++)
			if (policy->names[i].text.data != NULL)
				*place_of(names, cap, policy->names[i].text) =
				    policy->names[i];
		free(policy->names);
		policy->names = names;
		policy->name_cap = cap;
	}
	place = place_of(policy->names, policy->name_cap, text);
	if (place->text.data == NULL) {
		place->text = text;
		policy->name_count++;
	}
	return place;
}

const struct policy_name *
policy_find_name(const struct policy *policy, struct span text)
{
	const struct policy_name *place;

	if (policy->name_cap == 0)
		return NULL;
	place = place_of(policy->names, policy->name_cap, text);
	return place->text.data == NULL ? NULL : place;
}

/* ---- the whole ---- */

void
policy_tell_no_memory(const struct policy_source *source)
{
	struct conf_fault fault = {.file = source->file, .err = ERR_INIT};

	err_set(&fault.err, ERR_NOMEM, "no memory to read the policy");
	err_where(&fault.err, "%s", source->file);
	if (source->on_fault != NULL)
		source->on_fault(&fault, source->arg);
}

struct policy *
policy_new(const struct policy_source *source)
{
	struct policy *policy = calloc(1, sizeof *policy);
	int result;

	if (policy == NULL) {
		policy_tell_no_memory(source);
		return NULL;
	}
	policy->format = source->format;
	result = source->format == POLICY_ACL ? policy_acl_load(policy, source)
					      : policy_load(policy, source);
	if (result == 0)
		return policy;
	policy_free(policy);
	return NULL;
}

void
policy_free(struct policy *policy)
{
	if (policy == NULL)
		return;
	policy_trie_fini(&policy->trie);
	conf_fini(&policy->conf);
	free(policy->rules);
	free(policy->names);
	free(policy->patterns);
	free(policy->acl_users);
	free(policy->acl_patterns);
	free(policy);
}

const char *
policy_file(const struct policy *policy)
{
	return policy->file;
}

bool
policy_filters_at_delivery(const struct policy *policy)
{
	return policy->format == POLICY_ACL;
}

/* The first word of the first line that says something. */
static struct span
first_word(struct span bytes)
{
	size_t at = 0, len = 0;

	while (at < bytes.len) {
		const uint8_t *end =
		    memchr(bytes.data + at, '\n', bytes.len - at);
		size_t stop =
		    end == NULL ? bytes.len : (size_t)(end - bytes.data);

		while (at < stop &&
		       (bytes.data[at] == ' ' || bytes.data[at] == '\r'))
			at++;
		if (at < stop && bytes.data[at] != '#')
			break;
		at = stop + 1;
	}
	while (at + len < bytes.len && bytes.data[at + len] > ' ')
		len++;
	return span_of(len == 0 ? NULL : bytes.data + at, len);
}

enum policy_format
policy_guess_format(struct span bytes)
{
	static const char *const words[] = {"user", "topic", "pattern"};
	struct span first = first_word(bytes);

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (span_is(first, words[i]))
			return POLICY_ACL;
	return POLICY_YAML;
}
