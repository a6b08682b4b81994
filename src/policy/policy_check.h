#ifndef KAYA_POLICY_CHECK_H
#define KAYA_POLICY_CHECK_H

/*
 * policy_check: what a sound policy says that nobody can have meant: rules
 * without effect, roles that nobody has, names without a key.
 */

#include "policy.h"

/*
 * An identity that there is a key for, and the role in the key's line; or an
 * authority's line, which may let in whomever it names: nobody is missed then.
 */
struct policy_known {
	struct span identity; /* empty: an authority */
	struct span role; /* empty: none */
};

struct policy_finding {
	size_t line, column; /* 0: of no place in the policy's file */
	const char *code; /* one word, for --json */
	char cause[320]; /* one sentence, no full stop */
	const char *remedy;
};

typedef void (*policy_finding_fn)(
    const struct policy_finding *finding, void *arg);

struct policy_check {
	const struct policy *policy;
	/* NULL: the keys are not known, and nothing is said of them. */
	const struct policy_known *known;
	size_t known_count;
	policy_finding_fn on_finding;
	void *arg;
};

/* Tell of each.  How many, or -1 where memory fails. */
int policy_check(const struct policy_check *check);

#endif
