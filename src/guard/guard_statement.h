#ifndef KAYA_GUARD_STATEMENT_H
#define KAYA_GUARD_STATEMENT_H

/*
 * guard_statement: what the two of them sign: one command, for one actuator,
 * once.
 *
 *	kaya-command v1
 *	actuator: valve-1
 *	topic: plant/valve-1/set
 *	payload-sha256: 8d5a...
 *	payload: open
 *	challenge: 5f0c...
 *
 * These six lines and no other byte, each with its newline: a person can read
 * them, and ssh-keygen -Y sign signs the file as it is.  Topic and payload
 * are escaped (str_escape), so that no byte of theirs can make a line of its
 * own, or look like what it is not.  The challenge is the guard's: random, of
 * this command alone.
 *
 * A command's id is its actuator's name and the beginning of the SHA-256 of
 * its statement: what was shown under an id is what is signed under it.
 */

#include "buf.h"
#include "err.h"
#include "span.h"
#include "str.h"

#define GUARD_SIGNS  "kaya-command" /* the namespace of who agrees */
#define GUARD_DENIES "kaya-deny" /* of who does not */

enum {
	GUARD_CHALLENGE_BYTES = 32,
	GUARD_TOPIC_MAX = 512, /* bytes */
	GUARD_PAYLOAD_MAX = 4096, /* bytes */
	GUARD_STATEMENT_MAX = 4 * (GUARD_TOPIC_MAX + GUARD_PAYLOAD_MAX) + 512,
	GUARD_ID_SIZE = STR_NAME_MAX + 1 + 16 + 1 /* terminated */
};

struct guard_statement {
	struct span actuator; /* its name */
	struct span topic, payload;
	struct span challenge; /* GUARD_CHALLENGE_BYTES */
};

/*
 * Append it, and write its id.  False where a part of it is longer than it may
 * be, or memory fails.
 */
bool guard_statement_put(const struct guard_statement *statement,
    struct buf *out, char id[GUARD_ID_SIZE]);

/* The actuator's name in an id; false where the text is no such id. */
bool guard_id_actuator(struct span id, struct span *actuator);

#endif
