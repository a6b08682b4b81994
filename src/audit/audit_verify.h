#ifndef KAYA_AUDIT_VERIFY_H
#define KAYA_AUDIT_VERIFY_H

/*
 * audit_verify: whether an audit file is as it was written.  Pure: bytes in, a
 * report out.
 *
 * The chain shows that nothing was altered, taken out, put in or moved by
 * somebody who could not write the whole rest of the file anew.  Against him,
 * and against a cut at the end, there is the head that was noted elsewhere.
 */

#include "audit_line.h"

/* kind, word, what it means. */
#define AUDIT_FINDINGS(X)                                                      \
	X(AUDIT_WHOLE, "whole", "every line is as it was written")             \
	X(AUDIT_ALTERED, "altered",                                            \
	    "this line is not what was written, or does not follow from the "  \
	    "one before it")                                                   \
	X(AUDIT_REMOVED, "removed", "lines before this one are missing")       \
	X(AUDIT_REORDERED, "reordered",                                        \
	    "this line does not stand in its place, or stands twice")          \
	X(AUDIT_CUT, "cut", "lines are missing at the end")                    \
	X(AUDIT_TORN, "torn",                                                  \
	    "the last line was never written to its end, so what it says was " \
	    "never acted upon")

enum audit_finding {
#define X(finding, word, text) finding,
	AUDIT_FINDINGS(X)
#undef X
	    AUDIT_FINDINGS_COUNT
};

const char *audit_finding_word(enum audit_finding finding);
const char *audit_finding_text(enum audit_finding finding);

struct audit_report {
	enum audit_finding finding; /* the first */
	size_t line; /* where it is, from 1; 0 for AUDIT_WHOLE */
	uint64_t count; /* of lines that are good, from the front */
	size_t good_bytes; /* that they take */
	uint64_t first_seq; /* 0: none */
	struct span first_time, last_time; /* into the bytes */
	struct audit_mark last; /* after the last good one */
	bool has_head; /* the head given is among the good ones */
};

/*
 * Verify the bytes of one file.
 *
 * `after`: where the file set aside before it ended; NULL: it is not known,
 * and the first line is taken for what it says.
 * `head`: a mark that was noted when the file was this far or less far; seq 0
 * where only the hash was.  NULL: there is none, and a cut at the end of whole
 * lines is not found.  A head older than the first line is not looked for.
 */
void audit_verify(struct span bytes, const struct audit_mark *after,
    const struct audit_mark *head, struct audit_report *report);

#endif
