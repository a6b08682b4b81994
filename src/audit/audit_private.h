#ifndef KAYA_AUDIT_PRIVATE_H
#define KAYA_AUDIT_PRIVATE_H

/*
 * What the modules behind audit.h share.  Nobody else includes it.
 *
 *	audit          commit, the thread that syncs, lines that were lost
 *	audit_entry    a line's members
 *	audit_file     one file being written, and its head
 *	audit_open     what stands there already
 *	audit_rotate   from one file to the next
 */

#include "audit.h"

#include <limits.h>
#include <pthread.h>

/* A file that is written; by offset, so that what failed is overwritten. */
struct audit_file {
	int fd; /* -1: there is none yet */
	uint64_t end; /* bytes in it that are good */
	uint64_t first_seq; /* of its first line; 0: it has none */
	struct audit_mark last; /* where the chain is */
};

struct audit {
	int folder_fd;
	char path[PATH_MAX]; /* as it was given, for people */
	char base[NAME_MAX + 1];
	uint64_t max_bytes, keep;

	pthread_mutex_t lock; /* over all that follows */
	pthread_cond_t wake;
	pthread_t syncer;
	bool has_syncer, is_ending;

	struct audit_file file;
	int head_fd; /* locked: one writer */
	struct audit_mark noted; /* what the head file says */
	bool is_dirty; /* lines wait to be synced */
	uint64_t logged_ms; /* when the head was last logged; 0: never */
	uint64_t no_rotation_before; /* bytes: the last try failed */

	bool is_broken; /* the last write failed */
	uint64_t lost; /* lines since then */
	struct err cause;
	/* For a file that could not be begun yet. */
	char from[NAME_MAX + 1];
	const char *why;
};

enum { AUDIT_NAME_SIZE = NAME_MAX + 1, AUDIT_BASE_MAX = NAME_MAX - 48 };

/* ---- audit_file ---- */

/* Append a line; not synced.  -1 and `err`, and the file as it was. */
int audit_file_write(
    struct audit_file *file, struct span fields, struct err *err);

/* Whether it failed for want of room: it can be tried again later. */
bool audit_is_full(const struct err *err);

int audit_file_sync(const struct audit_file *file, struct err *err);

/*
 * Put `mark` into the head file and sync it.  `audit->noted` says what is in
 * it.
 */
int audit_note_head(
    struct audit *audit, const struct audit_mark *mark, struct err *err);

enum audit_head_state { AUDIT_HEAD_NONE, AUDIT_HEAD_GOOD, AUDIT_HEAD_BAD };

/* Read a head file. */
enum audit_head_state audit_read_head(int fd, struct audit_mark *mark);

/* Log where the chain is. */
void audit_log_head(struct audit *audit);

/* ---- audit_rotate ---- */

/*
 * Begin `audit->file` anew in the place of a file that is not there or empty:
 * `from` is the name of the one before (NULL: there is none, or it is not
 * known), `why` a word.  -1 and `err`: nothing has changed.
 */
int audit_begin_file(
    struct audit *audit, const char *from, const char *why, struct err *err);

/* Set the file aside (or see that somebody did) and begin the next. */
int audit_next_file(struct audit *audit, const char *why, struct err *err);

/* Whether our path leads to another file, or to none. */
bool audit_was_moved(const struct audit *audit);

/* What a file is called that is set aside; `kind` stands before the number. */
void audit_aside_name(const struct audit *audit, const char *kind,
    uint64_t number, char name[AUDIT_NAME_SIZE]);

/* Rename the file, never over another. */
int audit_set_aside(struct audit *audit, const char *name, struct err *err);

/* The newest that was set aside, "" for none. */
void audit_newest_name(const struct audit *audit, char name[AUDIT_NAME_SIZE]);

/* ---- audit ---- */

/*
 * Write a line, and count it where that fails.  For those that hold the lock.
 * The entry is not spent.
 */
int audit_write(struct audit *audit, const struct audit_entry *entry,
    enum audit_when when, struct err *err);

/* The last write failed: no line is written until one can be. */
void audit_put_off(struct audit *audit, const struct err *err);

int audit_start_syncer(struct audit *audit, struct err *err);

/* ---- audit_open ---- */

/* All but the file, whose thread has ended. */
void audit_free(struct audit *audit);

#endif
