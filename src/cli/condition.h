#ifndef KAYA_CONDITION_H
#define KAYA_CONDITION_H

/* condition: what has to hold here for kaya permit to sign. */

#include "err.h"
#include "span.h"

#include <stdbool.h>

enum { CONDITION_MAX = 16 };

enum condition_kind {
	CONDITION_COMMAND, /* it ends with status 0, within 5 s */
	CONDITION_FILE, /* all it holds is this, white space at its end apart */
	CONDITION_TIME /* of day, by this machine's clock and time zone */
};

struct condition {
	enum condition_kind kind;
	const char *text; /* the command; of the file: the path, and =VALUE */
	unsigned from_min, to_min; /* of the day; `to` is not in it */
};

/* All of them have to hold. */
struct conditions {
	struct condition list[CONDITION_MAX];
	size_t count;
};

/* Add one.  ERR_USAGE where the text is none, or there are too many. */
int condition_add(struct conditions *conditions, enum condition_kind kind,
    const char *text, struct err *err);

/*
 * What a command may want to know: KAYA_ID, KAYA_TOPIC, KAYA_PAYLOAD.  No
 * condition of a command holds for what it cannot be told: a payload with a
 * zero in it.
 */
struct condition_about {
	const char *id;
	struct span topic, payload;
};

/*
 * Whether all hold now, in the order they were added; `why` says which one
 * does not.
 */
bool condition_holds(const struct conditions *conditions,
    const struct condition_about *about, char *why, size_t size);

#endif
