#ifndef KAYA_AUDIT_H
#define KAYA_AUDIT_H

/*
 * audit: what was decided, one JSON line each, in a file that shows whether it
 * was altered.
 *
 *	{"seq":7,"time":"2026-03-01T12:00:00.123Z","event":"release",...,
 *	 "prev":"<hash of line 6>","hash":"<SHA-256 of this line before it>"}
 *
 * The file is only ever appended to, and has one writer.  FILE.head, beside
 * it, says how far the chain had come when it was last on the disk, so that a
 * cut at the end is found.  At its greatest size the file is set aside as
 * FILE.<number of its first line> and a new one goes on with the chain.
 * audit_verify.h is the reader; doc/design.md says what the chain proves.
 *
 * Whoever acts on a decision writes it first, AUDIT_DURABLE, and acts only
 * where that gave 0: a line that was torn by a crash was never acted upon.
 *
 * All calls may come from any thread; each may wait for the disk, but for
 * audit_begin, audit_put_* and AUDIT_SOON, which wait for no more than write(2)
 * does.  Wherever a `struct audit *` goes in, NULL is an audit that is off:
 * everything is written at once, nowhere.
 */

#include "audit_line.h"
#include "buf.h"
#include "err.h"

struct audit;

struct audit_options {
	const char *file;
	uint64_t max_bytes; /* a larger file is set aside; 0: never */
	uint64_t keep; /* how many that were set aside; 0: all */
};

/*
 * Open or begin `options->file` (mode 0600).  All of it is verified: a line
 * torn at its end is overwritten by one that says so; a file that is damaged
 * otherwise is set aside as it is, FILE.damaged-N, and the new one begins with
 * a line that says what was found.  A full disk is no failure: the audit is
 * not writable then, until there is room.
 *
 * NULL and `err` where there cannot be one: no folder, no right, a file that
 * others may write, or that another process has open (ERR_TAKEN).
 */
struct audit *audit_open(const struct audit_options *options, struct err *err);

/* Everything to the disk.  NULL is fine. */
void audit_close(struct audit *audit);

/* ---- writing ---- */

/*
 * A line being put together; lives on the caller's stack, and goes into
 * exactly one audit_commit or audit_drop.
 *
 *	struct audit_entry entry;
 *
 *	audit_begin(&entry, "approve");
 *	audit_put_str(&entry, "identity", name);
 *	if (audit_commit(audit, &entry, AUDIT_DURABLE, err) != 0)
 *		... nothing is done
 */
struct audit_entry {
	struct buf fields;
};

/* `event`: a word of a-z and "-". */
void audit_begin(struct audit_entry *entry, const char *event);

/*
 * Add a member.  `key`: a word of a-z, 0-9 and "_", each once, and none of
 * seq, time, event, prev, hash.  A text that does not stand there whole (more
 * than AUDIT_VALUE_MAX bytes as JSON has it, or not UTF-8) is followed by
 * KEY_bytes and KEY_sha256, of what it was.  Of a NULL text there is no member.
 */
void audit_put_str(
    struct audit_entry *entry, const char *key, const char *value);
void audit_put_span(
    struct audit_entry *entry, const char *key, struct span value);
void audit_put_u64(struct audit_entry *entry, const char *key, uint64_t value);
/* As lower-case hex digits; at most AUDIT_HEX_MAX bytes. */
void audit_put_hex(
    struct audit_entry *entry, const char *key, struct span value);

enum { AUDIT_VALUE_MAX = 512, AUDIT_HEX_MAX = 64 };

enum audit_when {
	AUDIT_SOON, /* written now, on the disk in a second at the latest */
	AUDIT_DURABLE /* on the disk when audit_commit returns */
};

/*
 * Write the line; the entry is spent.  0, or -1 and `err` where it was not
 * written (full disk, no memory): then it is counted, and the first line that
 * can be written again says how many are missing.
 */
int audit_commit(struct audit *audit, struct audit_entry *entry,
    enum audit_when when, struct err *err);

/* Forget an entry. */
void audit_drop(struct audit_entry *entry);

/*
 * Whether what was last tried could be written; where it could not, it is
 * tried again now.  For refusing early: the word that counts is
 * audit_commit's.
 */
bool audit_is_writable(struct audit *audit);

/*
 * Set the file aside and go on in a new one.  0, or -1 and `err`: it goes on
 * in the old one.
 */
int audit_rotate(struct audit *audit, struct err *err);

/*
 * Go on in a new file where the old one was moved away by somebody else
 * (logrotate(8)); this is also looked for once a second while lines come.
 * Results as audit_rotate.
 */
int audit_follow(struct audit *audit, struct err *err);

/*
 * The last line that is written.  To be noted where whoever may write the file
 * may not: audit itself logs it (event=audit-head) when it opens and closes,
 * and once an hour while lines come.
 */
void audit_head(struct audit *audit, struct audit_mark *head);

#endif
