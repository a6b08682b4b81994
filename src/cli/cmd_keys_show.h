#ifndef KAYA_CMD_KEYS_SHOW_H
#define KAYA_CMD_KEYS_SHOW_H

/* cmd_keys_show: a finding, and a difference, as people read them. */

#include "keys_judge.h"

/*
 * Print one finding to stdout.  `source` is its line as it stands.  On a
 * terminal a line is cut to the window, with a caret under the place.
 */
void cmd_keys_show_finding(
    const char *file, const struct keys_finding *finding, struct span source);

/*
 * Print what differs, as diff -u does.  Lines that stay and hold no key are
 * named but not shown: they may be of a private key.  -1 where memory fails.
 */
struct cmd_keys_versions {
	const char *old_name;
	struct span old_bytes;
	const char *new_name;
	struct span new_bytes;
};
int cmd_keys_show_difference(
    const struct cmd_keys_versions *versions, struct err *err);

#endif
