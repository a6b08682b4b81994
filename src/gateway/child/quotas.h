#ifndef KAYA_QUOTAS_H
#define KAYA_QUOTAS_H

/*
 * quotas: how much an identity does in so much time, by all its connections in
 * all threads together.
 *
 * One of them is there for each identity that was asked about, while it has a
 * connection that holds it, and then until it is full again: who comes back
 * finds what he has left.  Calls may come from any thread.
 */

#include "policy_rate.h"

struct quotas;
struct quota;

enum {
	/* Questions to those who decide: so many at once, and then one more in
	 * each interval.  An honest one costs the parent a wait for its disk.
	 */
	QUOTA_QUESTIONS = 64,
	QUOTA_QUESTION_EACH_MS = 50,
};

/* NULL where memory fails. */
struct quotas *quotas_new(void);

/* Everybody must have left.  NULL is fine. */
void quotas_free(struct quotas *quotas);

/* That of an identity, to be left again.  NULL where memory fails. */
struct quota *quotas_enter(
    struct quotas *quotas, struct span identity, uint64_t now_ms);
/* NULL is fine. */
void quotas_leave(struct quota *quota, uint64_t now_ms);

/*
 * One more message, of so many as the roles of `who` permit; one more question.
 * False: too many, and nothing is counted.
 */
bool quotas_take_message(
    struct quota *quota, const struct policy_who *who, uint64_t now_ms);
bool quotas_take_question(struct quota *quota, uint64_t now_ms);

/* How many there are, for tests. */
size_t quotas_count(struct quotas *quotas);

#endif
