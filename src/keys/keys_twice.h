#ifndef KAYA_KEYS_TWICE_H
#define KAYA_KEYS_TWICE_H

/*
 * keys_twice: keys and identities that stand on more than one line.  A part
 * of keys_judge; nobody else includes it.
 */

#include "keys_judge.h"

/* Start with all zero but `files` and `findings`. */
struct keys_twice {
	const struct keys_judge_file *files; /* that are read together */
	struct keys_findings *findings; /* of each of them */
	size_t file; /* whose lines are being added */
	struct keys_twice_line *lines;
	size_t count;
	size_t cap;
};

/* Remember a line with a key, whose text must stand.  -1: no memory. */
int keys_twice_add(struct keys_twice *twice,
    const struct authorized_keys_line *line, size_t number);

/* Add a finding for each line that repeats one before it.  -1: no memory. */
int keys_twice_judge(struct keys_twice *twice);

void keys_twice_fini(struct keys_twice *twice);

/* A new finding at the end of the list, or NULL.  (In keys_judge.c.) */
struct keys_finding *keys_findings_add(struct keys_findings *findings);

#endif
