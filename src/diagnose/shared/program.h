#ifndef KAYA_PROGRAM_H
#define KAYA_PROGRAM_H

/* program: run another program and read what it says. */

#include "buf.h"

enum { PROGRAM_OUTPUT_MAX = 16 << 20 };

struct program {
	struct buf out; /* what it wrote; a zero byte ends it */
	struct buf said; /* the same of its diagnostics */
	int status; /* its exit status; 127: not found; -1: it was ended */
};

/*
 * Run `words` (NULL-ended; found by PATH and the folders of administrators),
 * with nothing to read and in English, for at most `ms`.  False where it could
 * not be started, did not end, or wrote more than PROGRAM_OUTPUT_MAX.  To be
 * given to program_fini in any case.
 */
bool program_run(struct program *program, const char *const *words, int ms);
void program_fini(struct program *program);

/* Both as C strings, "" where empty; good until program_fini. */
const char *program_out(const struct program *program);
const char *program_said(const struct program *program);

/* Whether there is such a program. */
bool program_is_there(const char *name);

#endif
