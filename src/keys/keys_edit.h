#ifndef KAYA_KEYS_EDIT_H
#define KAYA_KEYS_EDIT_H

/*
 * keys_edit: change an authorized_keys file as bytes in, bytes out.  Lines
 * that are not meant stay as they are, byte for byte.
 */

#include "authorized_keys.h"
#include "buf.h"
#include "err.h"
#include "str.h"

/* A whole file is shorter than this. */
enum { KEYS_EDIT_MAX_BYTES = 1 << 30 };

/*
 * The name that a line's key goes by at the gateway: its KAYA_ID, or what is
 * made of its digest; "" where its KAYA_ID is no name.
 */
enum { KEYS_IDENTITY_SIZE = STR_NAME_MAX + 1 };
const char *keys_identity(
    const struct authorized_keys_line *line, char text[KEYS_IDENTITY_SIZE]);

/* "SHA256:..." of a line's key. */
const char *keys_fingerprint(const struct authorized_keys_line *line,
    char text[PUBKEY_FINGERPRINT_SIZE]);

enum keys_clash {
	KEYS_CLASH_NONE,
	KEYS_CLASH_KEY, /* the same key stands there */
	KEYS_CLASH_IDENTITY /* another key goes by the same name */
};

/*
 * Whether `key` can come in under `identity`: the first line that is in its
 * way, the same key before another of that name.
 */
enum keys_clash keys_edit_find_clash(struct span file,
    const struct authorized_keys_line *key, const char *identity,
    size_t *number);

/*
 * Append `file`, and `line` behind it on a line of its own.  -1 where memory
 * fails.
 */
int keys_edit_append(
    struct span file, struct span line, struct buf *out, struct err *err);

/* A line that was taken out. */
struct keys_edit_removed {
	size_t number;
	bool was_void; /* what follows is of the line that was meant */
	enum pubkey_type type;
	char identity[KEYS_IDENTITY_SIZE];
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
};
typedef void keys_edit_removed_fn(
    void *arg, const struct keys_edit_removed *removed);

/*
 * Append `file` without the lines of `who`, an identity or a fingerprint
 * ("SHA256:..."), void ones that would let him in once mended included.  The
 * number of lines that are left out, or -1 where memory fails.
 */
long keys_edit_remove(struct span file, const char *who,
    keys_edit_removed_fn *fn, void *arg, struct buf *out, struct err *err);

/*
 * Append `file` with every line that keys_judge knows to mend mended, with LF
 * for CR LF, and with an end to its last line.  -1 where memory fails.
 */
int keys_edit_mend(
    struct span file, int64_t now_s, struct buf *out, struct err *err);

#endif
