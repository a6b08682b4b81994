#ifndef KAYA_POLICY_RATE_H
#define KAYA_POLICY_RATE_H

/*
 * policy_rate: so many messages in so much time, counted by a bucket that the
 * caller keeps for an identity, so that more sessions are not more messages.
 *
 * A full bucket holds as many messages as an interval may have, so that many
 * may come at once; it fills evenly.
 */

#include "policy.h"

/* All zero: never asked, which is full. */
struct policy_rate {
	uint64_t at_ms; /* of the last filling */
	uint64_t left; /* parts of messages: see policy_rate.c */
	bool is_begun;
};

/*
 * Take a message out.  False where none is left: refuse it, or take nothing
 * more from the client for policy_rate_wait_ms.  `now_ms` is of a clock that
 * never goes back (where it does, no time has passed).  Without a limit it is
 * always true.
 */
bool policy_rate_take(
    struct policy_rate *rate, const struct policy_who *who, uint64_t now_ms);

/* Until the next policy_rate_take is true, had nothing else been taken. */
uint64_t policy_rate_wait_ms(const struct policy_rate *rate,
    const struct policy_who *who, uint64_t now_ms);

#endif
