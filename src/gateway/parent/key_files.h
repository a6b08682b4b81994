#ifndef KAYA_KEY_FILES_H
#define KAYA_KEY_FILES_H

/*
 * key_files: the parent's reading of authorized_keys, one file or a folder of
 * files, and of host keys; and its watch over them.
 */

#include "loop.h"
#include "snapshot.h"
#include "ssh_host_key.h"

struct key_files {
	struct snapshot_file *files; /* name and bytes are ours */
	size_t count;
};

/*
 * Read `path` whole: a file, or every file in a folder in the order of their
 * names (those that begin with a dot or end with ~ are somebody's working
 * copies and passed over).  A file that others than its owner may write is
 * refused, as sshd refuses it.  0, or -1 and `err`; then `files` is empty.
 */
int key_files_read(struct key_files *files, const char *path, struct err *err);
void key_files_fini(struct key_files *files);

/*
 * Read a host key; where `make_missing` and the file is not there, make an
 * ed25519 key and its .pub beside it.  NULL and `err` on failure; a file that
 * others may read is refused.
 */
enum key_files_missing { KEY_FILES_MISSING_IS_FAULT, KEY_FILES_MAKE_MISSING };
struct ssh_host_key *key_files_host_key(
    const char *path, enum key_files_missing missing, struct err *err);

/*
 * All of `path`, a file that others than its owner may not write; its bytes are
 * the caller's to free().
 */
int key_files_text(const char *path, struct span *bytes, struct err *err);

/*
 * The first line of `path`, without its end, into `secret` (emptied first, to
 * be given to buf_fini_wipe).  -1 and `err` where there is none, it is longer
 * than an MQTT password may be, or others may read the file.
 */
int key_files_secret(const char *path, struct buf *secret, struct err *err);

/* ---- watching ---- */

struct key_files_watch;
typedef void key_files_fn(void *arg);

/*
 * Call `fn` some 100 ms after the last of a burst of changes to `path` (a file,
 * also one put in its place, or anything in a folder), and no more than 400 ms
 * after the first.  NULL and `err` where the system cannot watch.
 */
struct key_files_watch *key_files_watch_new(struct loop *loop, const char *path,
    key_files_fn *fn, void *arg, struct err *err);
void key_files_watch_free(struct key_files_watch *watch);

#endif
