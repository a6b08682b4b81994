#ifndef KAYA_POLICY_EXPLAIN_H
#define KAYA_POLICY_EXPLAIN_H

/* policy_explain: verdicts in words, for whoever wrote the file. */

#include "policy.h"

struct policy_question {
	const struct policy_who *who;
	enum policy_action action;
	struct span topic; /* or filter */
	enum policy_verdict verdict; /* what the answer was */
	const struct policy_rule *why;
};

/*
 * One sentence without a full stop: "role sensor lets pump-7 publish to a/b",
 * "pump-7 has no role".  Topics are escaped.  Returns `text`.
 */
const char *policy_explain(
    const struct policy_question *question, char *text, size_t size);

/* A rule as the file has it: "publish: sensors/%i/#", "topic deny a/b". */
const char *policy_rule_text(
    const struct policy_rule *rule, char *text, size_t size);

/*
 * The rules by which `who` may read a part of what a filter that was refused
 * reaches, at most `max` of them.  How many were found.
 */
size_t policy_partial(const struct policy_who *who, struct span filter,
    const struct policy_rule **rules, size_t max);

/* The names of the roles that it has, with commas; "none". */
const char *policy_roles_text(
    const struct policy_who *who, char *text, size_t size);

#endif
