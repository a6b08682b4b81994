#ifndef KAYA_ENROLL_PROOF_H
#define KAYA_ENROLL_PROOF_H

/*
 * enroll_proof: what a key can and cannot do, by trying it: a message out and
 * back through the tunnel; and shell, pty, command, sftp, another target and
 * listening at the server (TCP, UNIX socket), each of which must be refused.
 */

#include "finding.h"
#include "link.h"

enum enroll_strictness {
	ENROLL_LENIENT, /* what no line can refuse is a warning */
	ENROLL_STRICT /* it is a fault */
};

struct enroll_proof {
	struct link_options link; /* that logs in by the key in question */
	const char *dest; /* as a command has it: "[--state DIR] NAME" */
	const char *target_host; /* the broker */
	uint16_t target_port;
	const char *broker_user, *broker_password; /* NULL: none */
	const char *key_file, *known_hosts; /* for the ssh program */
	/* Has a shell there, for what a trial would leave; NULL: nothing. */
	struct link *login;
	/* What to put in place of what was found; "" where nobody knows. */
	const char *remedy;
	enum enroll_strictness strictness;
};

/*
 * Add a row for each trial to `findings`: a thing that should be refused and
 * is not is a fault, with proof->remedy.  -1 and `err` where the key does not
 * get in at all: nothing was tried then.
 */
int enroll_proof_run(const struct enroll_proof *proof,
    struct findings *findings, struct err *err);

#endif
