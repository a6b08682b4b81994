#ifndef KAYA_KEYS_JUDGE_H
#define KAYA_KEYS_JUDGE_H

/*
 * keys_judge: read a whole authorized_keys file and say what in it does not do
 * what it looks like, for a stock sshd and for kayad.
 */

#include "err.h"
#include "keys_explain.h"
#include "span.h"

enum keys_severity {
	KEYS_NOTE, /* harmless; worth knowing */
	KEYS_WARNING, /* allows more, or less, than it looks */
	KEYS_ERROR, /* lets in, but does not do what it is there for */
	KEYS_VOID /* lets nobody in */
};

/* "note", "warning", "error", "void". */
const char *keys_severity_name(enum keys_severity severity);

struct keys_finding {
	size_t line; /* from 1 */
	size_t column; /* from 1, in bytes */
	enum keys_severity severity;
	const char *code; /* a word: "comma-before-key" */
	char cause[KEYS_SENTENCE_SIZE]; /* a sentence without full stop */
	char remedy[KEYS_SENTENCE_SIZE]; /* a sentence without full stop */
	const char
	    *sshd; /* what sshd makes of it; "" where nothing is to add */
	/*
	 * The line that was meant, terminated, or NULL where nobody can know.
	 * It holds an LF where one line was meant to be two.
	 */
	char *meant;
	size_t
	    replaces; /* how many lines, this one first, `meant` stands for */
};

struct keys_findings {
	struct keys_finding *items; /* in the order of the lines */
	size_t count;
	size_t cap;
};

/*
 * Judge `file` as of `now_s` (seconds since 1970).  0 and the findings, to be
 * given to keys_findings_fini; -1 and `err` where memory fails.
 */
int keys_judge(struct span file, int64_t now_s, struct keys_findings *findings,
    struct err *err);

/*
 * The same for `count` files that are read together, as kayad reads a folder:
 * what stands in two of them is found too.  `findings` has one for each file;
 * on -1 none of them holds anything.
 */
struct keys_judge_file {
	const char *name; /* as findings about other files call it */
	struct span bytes;
};
int keys_judge_together(const struct keys_judge_file *files, size_t count,
    int64_t now_s, struct keys_findings *findings, struct err *err);

void keys_findings_fini(struct keys_findings *findings);

/* The gravest severity among them; KEYS_NOTE where there are none. */
enum keys_severity keys_findings_worst(const struct keys_findings *findings);

#endif
