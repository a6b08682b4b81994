#ifndef KAYA_KEYS_EXPLAIN_H
#define KAYA_KEYS_EXPLAIN_H

/*
 * keys_explain: why a line of authorized_keys lets nobody in, in words for the
 * person who wrote it.  The parser says where it stopped; this looks at what
 * stands there and says what was probably meant.
 */

#include "authorized_keys.h"

struct keys_reason {
	const char *code; /* a word for logs and --json: "comma-before-key" */
	size_t column; /* from 1, in bytes */
	char cause[256]; /* one sentence without full stop */
	char remedy[256]; /* one sentence without full stop */
};

/* `line` is VOID, and its text still stands. */
void keys_explain(
    const struct authorized_keys_line *line, struct keys_reason *reason);

#endif
