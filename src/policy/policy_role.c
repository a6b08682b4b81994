#include "policy_private.h"

#include "str.h"

int
policy_role_index(const struct policy *policy, struct span name)
{
	for (size_t i = 0; i < policy->role_count; i++)
		if (span_is(name, policy->roles[i].name))
			return (int)i;
	return -1;
}

bool
policy_has_role(const struct policy *policy, struct span role)
{
	return policy_role_index(policy, role) >= 0;
}

/* ---- patterns ---- */

/* Take what one element of the pattern, no *, stands for off `text`. */
static bool
take_one(const char **pattern, struct span identity, struct span *text)
{
	struct span part = span_of(*pattern, 1);

	*pattern += 1;
	if (part.data[0] == '%' && **pattern == 'i') {
		*pattern += 1;
		part = identity;
	}
	if (part.len > text->len ||
	    (part.len > 0 && memcmp(part.data, text->data, part.len) != 0))
		return false;
	*text = span_of(text->data + part.len, text->len - part.len);
	return true;
}

/*
 * Where it fails behind a *, the * takes one character more: as each * takes
 * as little as it can, the ones before never have to be tried again.
 */
bool
policy_pattern_fits(const char *pattern, struct span identity, struct span text)
{
	const char *star = NULL;
	struct span from = text;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			from = text;
		} else if (*pattern == '\0' && text.len == 0) {
			return true;
		} else if (*pattern == '\0' ||
			   !take_one(&pattern, identity, &text)) {
			if (star == NULL || from.len == 0)
				return false;
			from = span_of(from.data + 1, from.len - 1);
			text = from;
			pattern = star;
		}
	}
}

/* ---- who ---- */

static void
join(struct policy_roles *roles, const struct policy_roles *more)
{
	for (size_t i = 0; i < POLICY_ROLE_WORDS; i++)
		roles->bits[i] |= more->bits[i];
}

/* The most that any of its roles permits. */
static void
find_rate(struct policy_who *who)
{
	const struct policy *p = who->policy;
	bool is_first = true;

	for (int i = policy_roles_next(&who->roles, 0); i >= 0;
	     i = policy_roles_next(&who->roles, (size_t)i + 1)) {
		const struct policy_role *role = &p->roles[i];

		if (role->rate == 0) {
			who->rate = 0;
			return;
		}
		if (is_first || role->rate * who->rate_interval_ms >
				    who->rate * role->rate_interval_ms) {
			who->rate = role->rate;
			who->rate_interval_ms = role->rate_interval_ms;
		}
		is_first = false;
	}
}

void
policy_who_init(struct policy_who *who, const struct policy *policy,
    struct span identity, struct span role)
{
	const struct policy_name *name;
	int index;

	*who = (struct policy_who){.policy = policy, .rate_interval_ms = 1000};
	if (!str_is_name(identity))
		return;
	who->names.identity = identity;
	name = policy_find_name(policy, identity);
	if (name != NULL) {
		who->roles = name->roles;
		who->acl_user = name->acl_user;
	}
	for (size_t i = 0; i < policy->pattern_count; i++)
		if (policy_pattern_fits(
			policy->patterns[i].text, (struct span){0}, identity))
			join(&who->roles, &policy->patterns[i].roles);
	index = policy_role_index(policy, role);
	if (index >= 0)
		policy_roles_add(&who->roles, (size_t)index);
	find_rate(who);
}

/* ---- client ids ---- */

static bool
is_word(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c >= 0x80;
}

/* An acl_file's users may have names that no identity has. */
static bool
has_name(const struct policy *policy, struct span text)
{
	return policy_find_name(policy, text) != NULL && str_is_name(text);
}

struct span
policy_client_id_owner(const struct policy *policy, struct span id,
    const struct policy_identities *identities)
{
	size_t len = id.len < STR_NAME_MAX ? id.len : STR_NAME_MAX;

	for (; len > 0; len--) {
		struct span front = span_of(id.data, len);

		if (len < id.len && is_word(id.data[len]))
			continue;
		if ((policy != NULL && has_name(policy, front)) ||
		    (identities != NULL &&
			identities->has(identities->arg, front)))
			return front;
	}
	return (struct span){0};
}

/* None of the roles asks for a pattern, or one of those asked for fits. */
static bool
is_as_asked(const struct policy_who *who, struct span id)
{
	bool is_asked = false;

	for (int i = policy_roles_next(&who->roles, 0); i >= 0;
	     i = policy_roles_next(&who->roles, (size_t)i + 1)) {
		const struct policy_role *role = &who->policy->roles[i];

		for (size_t n = 0; n < role->client_id_count; n++) {
			if (policy_pattern_fits(
				role->client_ids[n], who->names.identity, id))
				return true;
			is_asked = true;
		}
	}
	return !is_asked;
}

/* Whether %c may stand for it: a level of its own, and no system's. */
static bool
is_level(struct span id)
{
	if (id.len == 0 || id.data[0] == '$')
		return false;
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] < 0x20 || id.data[i] == 0x7f ||
		    strchr("/+#", id.data[i]) != NULL)
			return false;
	return true;
}

enum policy_client_id_result
policy_client_id(struct policy_who *who, struct span client_id,
    const struct policy_identities *identities, struct span *owner)
{
	struct span whose =
	    policy_client_id_owner(who->policy, client_id, identities);

	who->client_id = (struct span){0};
	who->names.client_id = (struct span){0};
	if (owner != NULL)
		*owner = whose;
	if (whose.len > 0 && !span_equal(whose, who->names.identity))
		return POLICY_CLIENT_ID_OF_ANOTHER;
	if (client_id.len > 0 && !is_as_asked(who, client_id))
		return POLICY_CLIENT_ID_PATTERN;
	who->client_id = client_id;
	if (is_level(client_id))
		who->names.client_id = client_id;
	return POLICY_CLIENT_ID_ALLOWED;
}

/* ---- the gateway itself ---- */

bool
policy_may_control(const struct policy_who *who, enum policy_control what)
{
	for (int i = policy_roles_next(&who->roles, 0); i >= 0;
	     i = policy_roles_next(&who->roles, (size_t)i + 1)) {
		const struct policy_role *role = &who->policy->roles[i];

		for (size_t n = 0; n < role->control_count; n++)
			if (role->control[n] == what)
				return true;
	}
	return false;
}

bool
policy_may_agree(const struct policy_who *who)
{
	for (size_t i = 0; i < who->policy->approval_count; i++)
		if (policy_approval_has(
			who, &who->policy->approvals[i], POLICY_PART_BY))
			return true;
	return false;
}
