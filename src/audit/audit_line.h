#ifndef KAYA_AUDIT_LINE_H
#define KAYA_AUDIT_LINE_H

/*
 * audit_line: the form of one line of an audit file.  Pure.
 *
 *	{"seq":N,"time":"...","event":"..." MEMBERS ,"prev":"H","hash":"H"}
 *
 * `hash` is the SHA-256 of all that stands before `,"hash"`, so that a shell
 * can say it too:
 *
 *	sed -n '7s/,"hash":.*$//p' FILE | tr -d '\n' | sha256sum
 */

#include "clock.h"
#include "span.h"

enum {
	AUDIT_HASH_SIZE = 65, /* 64 hex digits and an end */
	AUDIT_FIELDS_MAX = 8192, /* bytes of event and members */
	AUDIT_LINE_MAX = AUDIT_FIELDS_MAX + 320, /* with the newline */
};

/* Where a chain stands: after line `seq`, whose hash is `hash`. */
struct audit_mark {
	uint64_t seq;
	char hash[AUDIT_HASH_SIZE];
};

/* Where a chain begins: seq 0, and as hash 64 zeros. */
extern const struct audit_mark audit_mark_begin;

bool audit_mark_is_same(const struct audit_mark *a, const struct audit_mark *b);

/* 64 lower-case hex digits. */
bool audit_hash_is(struct span text);

/*
 * Write the line that follows `mark` into `line`, newline included, and move
 * `mark` on to it.  `fields`: `"event":"..."` and the members.  The length.
 */
size_t audit_line_encode(struct span fields, const char *time,
    struct audit_mark *mark, char line[AUDIT_LINE_MAX]);

struct audit_line {
	struct audit_mark mark;
	struct span time, event, prev; /* into the text */
	struct span members; /* event and what follows it, up to prev */
};

/*
 * Read a line (without its newline).  False where it is not of that form, or
 * its hash is not its own.
 */
bool audit_line_parse(struct span text, struct audit_line *line);

#endif
