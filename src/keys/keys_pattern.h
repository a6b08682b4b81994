#ifndef KAYA_KEYS_PATTERN_H
#define KAYA_KEYS_PATTERN_H

/* keys_pattern: `*` and `?` as ssh has them (PATTERNS in ssh_config(5)). */

#include "span.h"

enum keys_pattern_case { KEYS_PATTERN_EXACT, KEYS_PATTERN_ANY_CASE };

/* Whether `text` fits: `*` is any run of characters, `?` any one. */
bool keys_pattern_fits(
    struct span text, struct span pattern, enum keys_pattern_case letters);

enum keys_pattern_result {
	KEYS_PATTERN_NO_MATCH,
	KEYS_PATTERN_MATCH,
	KEYS_PATTERN_DENIED /* by one with `!` before it, which wins anywhere */
};

/* The same of a list with commas; letters' case counts. */
enum keys_pattern_result keys_pattern_list(
    struct span text, struct span patterns);

/* Cut the first item off a list with commas.  False at its end. */
bool keys_pattern_next(struct span *patterns, struct span *item);

#endif
