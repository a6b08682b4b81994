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
	conf_fault_fn on_fault; /* told of all faults at the start */
};

/*
 * Run the gateway in the foreground until it is told to stop.  0 after an
 * orderly end; -1 and `err` where it cannot start or cannot go on.  Of a
 * configuration with faults `err` says only how many: they have been told.
 */
int parent_run(const struct parent_options *options, struct err *err);

#endif
