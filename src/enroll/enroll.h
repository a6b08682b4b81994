#ifndef KAYA_ENROLL_H
#define KAYA_ENROLL_H

/*
 * enroll: let this machine in at a server, by a key that is for that alone,
 * write down how it gets there, and prove what the key can and cannot do.
 *
 * A stock sshd: one login by what the user has puts a line into the account's
 * authorized_keys.  kayad: a code that was made there lets the key in.
 */

#include "enroll_proof.h"

struct enroll_options {
	struct link_options link; /* dest; keys: the user's own */
	const char *code; /* of `kaya invite`; NULL: by the user's login */
	const char *identity; /* what the key stands for; NULL: this host */
	const char *from; /* addresses that it may come from; NULL: any */
	const char *target_host; /* the broker as the server reaches it */
	uint16_t target_port;
	const char *broker_user, *broker_password; /* NULL: none */
	enum enroll_strictness strictness;
};

/*
 * Enroll: at kayad where there is a code, else at a stock sshd.  A row for each
 * step and each trial goes to `findings`; -1 and `err` where a step failed, and
 * then nothing of a later one was done.  Doing it again mends what is missing:
 * the key is kept, its line is replaced.
 */
int enroll_run(const struct enroll_options *options, struct findings *findings,
    struct err *err);

/*
 * Undo it: take the key's line out at the server, by the user's own login, say
 * which sessions live on, forget the record, move the key aside.  At a kayad
 * only the latter: a fault says what is to be done there.  On -1 nothing was
 * changed here.
 */
int enroll_revoke(const struct enroll_options *options,
    struct findings *findings, struct err *err);

#endif
