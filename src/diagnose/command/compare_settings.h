#ifndef KAYA_COMPARE_SETTINGS_H
#define KAYA_COMPARE_SETTINGS_H

/* compare_settings: where two answers of `ssh -G` differ, the gravest first. */

#include "ssh_settings.h"

struct compare_difference {
	const char *word; /* borrowed */
	char first[1024]; /* all values, parted by ", "; "" where it is not set
			   */
	char second[1024];
};

enum { COMPARE_DIFFERENCES_MAX = 128 };

/* How many; at most `max` are filled.  Pure. */
size_t compare_settings(const struct ssh_settings *first,
    const struct ssh_settings *second, struct compare_difference *differences,
    size_t max);

#endif
