#ifndef KAYA_POLICY_PRIVATE_H
#define KAYA_POLICY_PRIVATE_H

/* policy_private: what a policy is made of.  For policy's own files alone. */

#include "policy.h"

enum { POLICY_SETS = 2 }; /* publish and subscribe */

/* A role, as the file has it, and what became of it. */
struct policy_role {
	const char *name;
	const char **filters[POLICY_SETS];
	size_t filter_counts[POLICY_SETS];
	uint32_t qos;
	bool retain;
	uint64_t payload_bytes;
	uint32_t rate; /* 0: no limit */
	uint64_t rate_interval_ms;
	const char **client_ids;
	size_t client_id_count;
	enum policy_control *control;
	size_t control_count;

	uint32_t roots[POLICY_SETS];
};

/* Who has which roles, as the file has it. */
struct policy_member {
	const char **names; /* names, and patterns with * */
	size_t name_count;
	const char **roles;
	size_t role_count;

	struct policy_roles set;
};

/* A place of the hash table of names. */
struct policy_name {
	struct span text; /* data NULL: empty */
	struct policy_roles roles; /* of YAML */
	uint32_t acl_user; /* of an acl_file */
};

struct policy_pattern {
	const char *text;
	struct policy_roles roles;
};

/* What an acl_file says of one user, or by `pattern` of all. */
enum policy_acl_set {
	POLICY_ACL_DENY,
	POLICY_ACL_READ,
	POLICY_ACL_WRITE,
	POLICY_ACL_SETS
};
struct policy_acl_user {
	const char *name; /* NULL: anonymous clients */
	size_t line; /* of its first `user` line */
	uint32_t roots[POLICY_ACL_SETS];
};
struct policy_acl_pattern {
	const char *text;
	unsigned sets; /* bits of enum policy_acl_set */
	uint32_t rule;
};

struct policy {
	enum policy_format format;
	const char *file;
	struct conf conf; /* owns all text */
	struct policy_trie trie;
	struct policy_rule *rules;
	uint32_t rule_count, rule_cap;

	struct policy_role *roles;
	size_t role_count;
	struct policy_member *members;
	size_t member_count;
	struct policy_approval *approvals;
	size_t approval_count;

	struct policy_name *names; /* a hash table */
	size_t name_count, name_cap;
	struct policy_pattern *patterns;
	size_t pattern_count;

	struct policy_acl_user *acl_users; /* the first: anonymous clients */
	size_t acl_user_count, acl_user_cap;
	struct policy_acl_pattern *acl_patterns; /* deny before the others */
	size_t acl_pattern_count, acl_pattern_cap;
};

/* The words of kaya-policy(5); `target` is a struct policy. */
extern const struct conf_key policy_keys[];

/* ---- policy_build.c ---- */

/* Keep a rule; its number, or POLICY_NO_RULE where memory fails. */
uint32_t policy_add_rule(struct policy *policy, const struct policy_rule *rule);

/* The place of that name, made where it is missing; NULL: no memory. */
struct policy_name *policy_add_name(struct policy *policy, struct span text);

/* The place of that name, or NULL. */
const struct policy_name *policy_find_name(
    const struct policy *policy, struct span text);

/* Tell the source's listener that memory fails. */
void policy_tell_no_memory(const struct policy_source *source);

/* `items` with room for one more of `size` bytes; NULL: no memory. */
void *policy_grown(void *items, size_t *cap, size_t count, size_t size);

/* ---- policy_load.c, policy_acl.c ---- */

/* Read the file into a policy that is all zero but for format and conf. */
int policy_load(struct policy *policy, const struct policy_source *source);
int policy_acl_load(struct policy *policy, const struct policy_source *source);

/* As policy_publish and policy_deliver, the topic being valid. */
enum policy_verdict policy_acl_verdict(const struct policy_who *who,
    struct span topic, enum policy_acl_set access,
    const struct policy_rule **why);

/* ---- policy_role.c ---- */

/* The index of the role, or -1. */
int policy_role_index(const struct policy *policy, struct span name);

static inline void
policy_roles_add(struct policy_roles *roles, size_t index)
{
	roles->bits[index / 64] |= UINT64_C(1) << index % 64;
}

static inline bool
policy_roles_has(const struct policy_roles *roles, size_t index)
{
	return (roles->bits[index / 64] >> index % 64 & 1) != 0;
}

/* The first role of the set from `index` on; -1: none. */
static inline int
policy_roles_next(const struct policy_roles *roles, size_t index)
{
	while (index < POLICY_ROLES_MAX) {
		uint64_t bits = roles->bits[index / 64] >> index % 64;

		if (bits != 0)
			return (int)index + __builtin_ctzll(bits);
		index = (index / 64 + 1) * 64;
	}
	return -1;
}

/* `text` fits `pattern`: * is any run of characters, %i the identity. */
bool policy_pattern_fits(
    const char *pattern, struct span identity, struct span text);

#endif
