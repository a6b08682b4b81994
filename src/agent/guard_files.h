#ifndef KAYA_GUARD_FILES_H
#define KAYA_GUARD_FILES_H

/*
 * guard_files: the guard's file, its allowed_signers and its revoked_keys,
 * read, and read anew when they change.  Only their owner may be able to write
 * them.
 */

#include "guard_rules.h"

#include <sys/stat.h>

/* A file as stat(2) saw it; one that is not there, too. */
struct guard_file_seen {
	int error;
	struct stat st;
};

struct guard_files_seen {
	struct guard_file_seen rules, signers, revoked;
};

struct guard_files {
	const char *file; /* borrowed */
	struct guard_rules *rules;
	struct guard_files_seen seen;
	bool is_sound; /* false: what is on the disk now cannot be used */
	uint64_t tried_ms; /* when it was last read */
};

/* Read them.  -1 and `err`, the first fault; all of them have been logged. */
int guard_files_open(
    struct guard_files *files, const char *file, struct err *err);
void guard_files_close(struct guard_files *files);

enum guard_files_result {
	GUARD_FILES_SAME,
	/* `rules` are new ones; `*old` is to be freed when nobody has it. */
	GUARD_FILES_CHANGED,
	/* They changed and cannot be used (logged, once): the rules of before
	 * hold, and nobody's signature counts, until they are mended. */
	GUARD_FILES_BROKEN
};

/*
 * Look whether they changed, by stat(2); read them where they did.  Broken
 * ones are tried again each second: a folder's right may have been mended.
 */
enum guard_files_result guard_files_look(
    struct guard_files *files, struct guard_rules **old);

#endif
