#ifndef KAYA_PARENT_H
#define KAYA_PARENT_H

/*
 * parent: the process that holds what the network must never touch: the
 * files, the host keys, the private broker's life, the way to the brokers.
 */

#include "err.h"
#include "settings.h"

struct parent_options {
	const char *configuration; /* a file, or NULL */
	const struct settings_overrides *overrides;
};

/*
 * Run the gateway in the foreground until it is told to stop.  0 after an
 * orderly end; -1 and `err` where it cannot start or cannot go on.
 */
int parent_run(const struct parent_options *options, struct err *err);

#endif
