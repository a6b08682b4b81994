#ifndef KAYA_DECIDE_H
#define KAYA_DECIDE_H

/* decide: what kaya approve and kaya deny have in common. */

#include "ask.h"
#include "guard_desk.h"

/* Rows for the options of both. */
#define DECIDE_OPTIONS ASK_OPTIONS, GUARD_DESK_SIGNS

struct decide {
	struct ask ask;
	struct guard_desk desk; /* where the id is of a guard's command */
	enum guard_do what; /* a guard's word */
	const char *verb; /* the gateway's: "approve", "deny" */
	const char *outcome; /* the one that is meant by it: "released" */
	const char *id; /* of the command */
	char reason[256]; /* for the log and the publisher; "": none */
};

/*
 * Read options and words, [DEST] ID [REASON ...], of which only deny takes a
 * reason.  0; or, told, the exit status, with `*is_over` true: 2, or 0 after
 * --help.
 */
int decide_read(struct decide *decide, const struct cmd *cmd, int argc,
    char **argv, bool *is_over);

/* Show the command, decide, tell the outcome; the exit status. */
int decide_run(struct decide *decide);

/* The command of that id among those that wait (borrowed), or NULL. */
const json_t *decide_find(const json_t *pending, const char *id);

/* A command that waits, for a person: topic and payload, who, by which rule. */
void decide_show(const json_t *command);

#endif
