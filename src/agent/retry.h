#ifndef KAYA_RETRY_H
#define KAYA_RETRY_H

/*
 * retry: how long to wait before the next attempt: exponential backoff with
 * full jitter, so that a thousand devices that lost the same gateway do not
 * come back in the same second.
 */

#include <stdint.h>

enum {
	RETRY_FIRST_MS = 1000,
	RETRY_LAST_MS = 60000,
	RETRY_STEADY_MS = 60000, /* a link that lived so long starts afresh */
};

struct retry {
	unsigned failures; /* in a row */
};

/*
 * The attempt failed, or the link broke after `lived_ms`: wait for a time
 * between 0 and a bound that doubles from 1 s to 60 s.  `random` is any.
 */
uint64_t retry_after_failure(
    struct retry *retry, uint64_t lived_ms, uint64_t random);

#endif
