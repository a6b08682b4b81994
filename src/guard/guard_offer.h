#ifndef KAYA_GUARD_OFFER_H
#define KAYA_GUARD_OFFER_H

/*
 * guard_offer: a command as a guard tells it to whoever is to sign it: read,
 * and held against its id, so that nobody in between can show one thing under
 * the id of another.
 */

#include "guard_statement.h"

#include <jansson.h>

enum { GUARD_LEFT_MAX_MS = 3600 * 1000 }; /* no rule gives more */

struct guard_offer {
	char id[GUARD_ID_SIZE];
	char actuator[STR_NAME_MAX + 1];
	struct buf statement; /* what is to be signed */
	struct span topic, payload; /* good while the JSON is */
	char by[129]; /* who has signed already; "" */
	uint64_t left_ms; /* at most GUARD_LEFT_MAX_MS, whatever is said */
	uint8_t *bytes; /* of a payload in base64 */
};

/*
 * Read a challenge (for `topic` and `payload`, which are what was asked for)
 * or, both NULL, a command that waits.  False where it is none, or its id is
 * not that of what it says.  To be given to guard_offer_fini in either case.
 */
bool guard_offer_take(const json_t *message, const struct span *topic,
    const struct span *payload, struct guard_offer *offer);
void guard_offer_fini(struct guard_offer *offer);

#endif
