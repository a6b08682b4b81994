#ifndef KAYA_CONF_VALUE_H
#define KAYA_CONF_VALUE_H

/* conf_value: one scalar between text and value.  For conf alone. */

#include "conf.h"

/*
 * Read `text` as `key` has it into `value`, of key->size bytes; what it
 * points to lives in `arena`.  `folder` is what relative paths start from:
 * "" or ending in a slash.  -1 and `err` (cause and hint, no place) where the
 * key does not allow it.
 */
struct conf_value_input {
	struct arena *arena;
	const struct conf_key *key;
	const char *folder;
	struct span text;
};
int conf_value_parse(
    const struct conf_value_input *input, void *value, struct err *err);

#endif
