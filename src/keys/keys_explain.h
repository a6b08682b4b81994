#ifndef KAYA_KEYS_EXPLAIN_H
#define KAYA_KEYS_EXPLAIN_H

/*
 * keys_explain: why a line of authorized_keys lets nobody in, in words for the
 * person who wrote it, and the line that was meant.  The parser says where it
 * stopped; this looks at what stands there.
 *
 * What might be a piece of a key, public or private, is never repeated in
 * cause or remedy: they go to logs.
 */

#include "authorized_keys.h"
#include "buf.h"

enum { KEYS_SENTENCE_SIZE = 256 };

struct keys_reason {
	const char *code; /* a word for logs and --json: "comma-before-key" */
	size_t column; /* from 1, in bytes */
	char cause[KEYS_SENTENCE_SIZE]; /* one sentence without full stop */
	char remedy[KEYS_SENTENCE_SIZE]; /* one sentence without full stop */
};

/*
 * `line` is VOID, and its text still stands.  Where it is clear how this one
 * fault is mended, the line with it mended is appended to `meant` (which may
 * be NULL); other faults may remain in it.
 */
void keys_explain(const struct authorized_keys_line *line,
    struct keys_reason *reason, struct buf *meant);

/*
 * Mend a VOID line fault by fault: true, and the line that was meant in
 * `meant`, where that ends in a line with a key.  It may hold an LF, where one
 * line was meant to be two.
 */
bool keys_repair(const struct authorized_keys_line *line, struct buf *meant);

/* "-----BEGIN" and its like: the first line of a block that is no key line. */
enum keys_block {
	KEYS_BLOCK_NONE,
	KEYS_BLOCK_PRIVATE, /* OpenSSH's, or PEM */
	KEYS_BLOCK_PUTTY, /* PuTTY's private key file */
	KEYS_BLOCK_SSH2, /* RFC 4716's public key */
	KEYS_BLOCK_PUBLIC, /* PEM's public key */
	KEYS_BLOCK_OTHER
};

enum keys_block keys_block_begins(struct span line);

/*
 * Move on, as authorized_keys_next_line does, behind the last line of such a
 * block: it is one fault, whatever its lines look like.  A block that is never
 * ended ends before the first line that holds a key.  `scratch` is overwritten.
 */
void keys_block_skip(struct span file, size_t *at, size_t *number,
    enum keys_block block, struct authorized_keys_line *scratch);

#endif
