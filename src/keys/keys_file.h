#ifndef KAYA_KEYS_FILE_H
#define KAYA_KEYS_FILE_H

/*
 * keys_file: authorized_keys on the disk: one file, or a folder of files as
 * kayad takes it.  The only part of this room that touches a file.
 *
 * A file is only ever put in another's place whole: whoever reads it finds
 * the old one or the new one, whatever happens meanwhile.
 */

#include "err.h"
#include "span.h"

#include <sys/stat.h>

struct keys_file {
	char *name; /* as people are told it */
	char *target; /* absolute, and no symbolic link; NULL: standard input */
	struct span bytes; /* ours until keys_files_close */
	bool exists; /* false: bytes are empty, `st` is of its folder */
	struct stat st; /* as it was read */
};

struct keys_files {
	struct keys_file *items; /* in the order of their names */
	size_t count;
	bool is_folder;
	char *path; /* as given */
	int lock_fd; /* -1: no lock is held */
};

enum keys_files_purpose {
	KEYS_FILES_READ,
	/*
	 * A file alone, and none that is too large to be written by hand: for
	 * what others may have put there.
	 */
	KEYS_FILES_READ_ONE,
	/* Holds a lock against another kaya until keys_files_close, and takes
	 * a file that is missing for an empty one. */
	KEYS_FILES_CHANGE,
	/* The same, for who cannot wait: -1 where another holds the lock. */
	KEYS_FILES_CHANGE_AT_ONCE,
	/* The same without a lock, for files that nobody else changes. */
	KEYS_FILES_OWN
};

/*
 * Read `path`: a file ("-": standard input), or every file in a folder but
 * those whose names begin with a dot or end with ~.  0, or -1 and `err`; then
 * there is nothing to close.
 */
int keys_files_open(struct keys_files *files, const char *path,
    enum keys_files_purpose purpose, struct err *err);
void keys_files_close(struct keys_files *files);

/*
 * The file of this name in a folder that was opened to be changed; one that
 * is not there is added as an empty one.  NULL and `err` where memory fails.
 * It may move items.
 */
struct keys_file *keys_files_entry(
    struct keys_files *files, const char *name, struct err *err);

/*
 * Whether others than its owner could write the file anyway, which
 * keys_file_replace refuses: -1 and `err`.
 */
int keys_file_check(const struct keys_file *file, struct err *err);

/*
 * Put `bytes` in the place of what the file was when it was read, with its
 * owner and mode (a new one: 0600, and by root's hand its folder's owner).
 * Refused where others than its owner could write it anyway, through a
 * symbolic link that is neither root's nor its owner's, and where somebody
 * else has changed it since.  On -1 and `err` the old file stands,
 * but for a folder that could not be synced, which `err` says.
 */
int keys_file_replace(
    const struct keys_file *file, struct span bytes, struct err *err);

/*
 * The same in two steps, for who has something to do between them.  Staging
 * writes the new file, whole and synced, under a name that nobody reads: NULL
 * and `err` for all that keys_file_replace may refuse or fail at before it
 * renames it.  Putting renames it.  `file` must outlive it.
 */
struct keys_staged;
struct keys_staged *keys_file_stage(
    const struct keys_file *file, struct span bytes, struct err *err);
int keys_staged_put(struct keys_staged *staged, struct err *err);
/* What was not put is removed.  NULL is fine. */
void keys_staged_free(struct keys_staged *staged);

/*
 * Write `bytes` to `name`, a plain name, beside the file and with its owner
 * and mode.  A file of that name is replaced.
 */
int keys_file_write_beside(const struct keys_file *file, const char *name,
    struct span bytes, struct err *err);

/* Why a file is not to be trusted: sshd's StrictModes. */
enum keys_file_risk {
	KEYS_FILE_OTHERS_WRITE, /* group or others may write here */
	KEYS_FILE_STICKY, /* so they may, as in /tmp, but not rename */
	KEYS_FILE_OTHER_OWNER /* belongs neither to root nor to the account */
};
struct keys_file_risk_at {
	enum keys_file_risk risk;
	const char *path; /* of the file or of a folder above it */
	const char *owner; /* of that: a name, or digits */
	const char *account; /* whose file it is */
};
typedef void keys_file_risk_fn(void *arg, const struct keys_file_risk_at *at);

/*
 * Tell `fn` of each risk, from the file up to the account's home or the root.
 * The account is the first owner on that way who is not root.
 */
void keys_file_risks(
    const struct keys_file *file, keys_file_risk_fn *fn, void *arg);

#endif
