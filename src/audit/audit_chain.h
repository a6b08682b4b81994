#ifndef KAYA_AUDIT_CHAIN_H
#define KAYA_AUDIT_CHAIN_H

/*
 * audit_chain: the files of one audit log, verified as one chain.  Pure.
 */

#include "audit_verify.h"

struct audit_chain_file {
	const char *name;
	struct span bytes; /* the caller's */
	struct audit_report report; /* comes out; spans into the bytes */
};

/* A head that was noted, and what became of it. */
struct audit_chain_head {
	struct audit_mark mark; /* seq 0: only the hash is known */
	enum audit_chain_seen {
		AUDIT_CHAIN_HEAD_THERE, /* a line has this hash */
		AUDIT_CHAIN_HEAD_OLDER, /* than all lines that are here */
		AUDIT_CHAIN_HEAD_GONE /* the finding is its */
	} seen;
};

struct audit_chain {
	struct audit_chain_file *files; /* are put in their order */
	size_t file_count;
	struct audit_chain_head *heads;
	size_t head_count;

	/* What comes out. */
	enum audit_finding finding; /* the first */
	size_t file; /* the index of it; of the last one where all is whole */
	size_t line; /* in that file, from 1 */
	uint64_t count; /* of lines that are good, from the front */
};

/* The first line's number, 0 where it has none that is good. */
uint64_t audit_chain_first(struct span bytes);

/*
 * The name of the file that this one goes on from, as its first line has it;
 * empty where it names none.
 */
struct span audit_chain_from(struct span bytes);

/* Verify all of it: each file, that each follows the one before, the heads. */
void audit_chain_verify(struct audit_chain *chain);

/* Read what a head file holds (seq and hash); false where it is no such. */
bool audit_chain_read_head(struct span text, struct audit_mark *mark);

#endif
