#ifndef KAYA_GUARD_RULES_H
#define KAYA_GUARD_RULES_H

/*
 * guard_rules: what a guard protects, and who has to agree: its file
 * (kaya-guard(5)) and the allowed_signers file beside it.
 */

#include "allowed_signers.h"
#include "conf.h"

enum { GUARD_OUTSTANDING_MAX = 16, GUARD_RULES_MAX = 256 };

enum guard_part { GUARD_REQUEST, GUARD_APPROVE, GUARD_PERMIT, GUARD_PARTS };

struct guard_role {
	const char *name;
	const char **principals; /* names, and patterns with * and ? */
	size_t principal_count;
};

struct guard_rule {
	const char *name; /* for logs and audit */
	const char **topics; /* filters */
	size_t topic_count;
	const char **safe_state; /* payloads that pass at once */
	size_t safe_state_count;
	const char **roles[GUARD_PARTS]; /* who may do which part */
	size_t role_counts[GUARD_PARTS];
	uint64_t within_ms; /* from a challenge's issue to its end */
};

struct guard_rules {
	const char *actuator;
	const char *signers_file;
	const char *revoked_file; /* NULL: none */
	const char *audit_file;
	struct conf_address broker; /* as the server is to reach it */
	const char *user; /* NULL: none */
	const char *password_file; /* NULL: none */
	const char *client_id; /* NULL: made up */
	struct guard_role *roles;
	size_t role_count;
	struct guard_rule *rules;
	size_t rule_count;
	/* ours */
	struct conf conf; /* owns all text */
	struct allowed_signers signers;
	struct revoked_keys *revoked; /* NULL: none */
};

/* The words of kaya-guard(5); `target` is a struct guard_rules. */
extern const struct conf_key guard_keys[];

/*
 * Read the guard's file.  NULL where it has a fault (all of them have been
 * told) or memory fails (told too).
 */
struct guard_rules *guard_rules_new(
    const char *file, struct span bytes, conf_fault_fn on_fault, void *arg);
void guard_rules_free(struct guard_rules *rules); /* NULL is fine */

/*
 * Take `bytes` as the signers from now on.  -1, and those of before kept,
 * where the file has a fault (told), or does not say who signs: a key that
 * may sign commands stands for exactly one principal, by name.
 * `lone_line` is the first line with a cert-authority whose key alone could
 * make both who sign for some rule; 0: there is none.
 */
int guard_rules_take_signers(struct guard_rules *rules, const char *file,
    struct span bytes, allowed_signers_fault_fn *on_fault, void *arg,
    size_t *lone_line);

/*
 * Take `bytes` of `rules->revoked_file` as what is revoked from now on.  -1,
 * and `err`, where they are no such list.
 */
int guard_rules_take_revoked(
    struct guard_rules *rules, struct span bytes, struct err *err);

enum guard_judgement {
	GUARD_OPEN, /* no rule protects the topic */
	GUARD_SAFE, /* one does, and the payload is of the safe state */
	GUARD_PROTECTED /* it needs two */
};

/*
 * A message on `topic`; `payload` is NULL where it is not there as a whole:
 * then it is of no safe state.  `*rule` is what protects it, or NULL.
 */
enum guard_judgement guard_rules_judge(const struct guard_rules *rules,
    struct span topic, const struct span *payload,
    const struct guard_rule **rule);

/* Whether the principal has a role that may do that part. */
bool guard_rules_may(const struct guard_rules *rules,
    const struct guard_rule *rule, enum guard_part part, struct span principal);

#endif
