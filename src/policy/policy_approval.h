#ifndef KAYA_POLICY_APPROVAL_H
#define KAYA_POLICY_APPROVAL_H

/*
 * policy_approval: which topics are protected, and who has to agree to what is
 * published there.  The rules alone: who has agreed is the gateway's to know.
 */

#include "conf.h"
#include "span.h"

/* Order: policy_table.c, mode_words. */
enum policy_approval_mode {
	POLICY_HOLD, /* held until a different identity agrees */
	POLICY_TWICE, /* two identities publish the same */
	POLICY_PERMISSIVE /* passes while another identity's permit is live */
};

struct policy_approval {
	const char *name; /* for logs and audit */
	const char **topics; /* filters */
	size_t topic_count;
	const char **from; /* roles that may ask; none: whoever may publish */
	size_t from_count;
	const char **by; /* roles that may agree */
	size_t by_count;
	const char **break_glass; /* roles that pass without */
	size_t break_glass_count;
	enum policy_approval_mode mode;
	uint64_t within_ms; /* from asking to agreeing; of a permit: its life */
	const char *permit_topic; /* of POLICY_PERMISSIVE; else NULL */
	const char *permit_value;
	const char **safe_state; /* payloads that pass at once */
	size_t safe_state_count;
	uint32_t root; /* policy's own: the set of topics */
};

struct policy;
struct policy_who;

enum policy_approval_part {
	POLICY_PART_FROM,
	POLICY_PART_BY,
	POLICY_PART_BREAK_GLASS
};

/* Whether one of the roles of `who` is named in that part of the rule. */
bool policy_approval_has(const struct policy_who *who,
    const struct policy_approval *approval, enum policy_approval_part part);

/* The rule that protects the topic (there is one at most), or NULL. */
const struct policy_approval *policy_approval_of(
    const struct policy *policy, struct span topic);

/* The rule of that name, or NULL. */
const struct policy_approval *policy_approval_named(
    const struct policy *policy, struct span name);

/*
 * The next rule whose permit `topic` gives, from place `*place` on (0 first),
 * which moves on; NULL: no more.
 */
const struct policy_approval *policy_permit_next(
    const struct policy *policy, struct span topic, size_t *place);

#endif
