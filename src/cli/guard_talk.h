#ifndef KAYA_GUARD_TALK_H
#define KAYA_GUARD_TALK_H

/*
 * guard_talk: a conversation with guards (kaya-guard(5)) through the broker:
 * what kaya request, pending, approve, deny and permit have in common.
 */

#include "client.h"
#include "guard_message.h"

enum guard_heard {
	GUARD_HEARD_ANSWER, /* to a question of ours */
	GUARD_HEARD_RESULT, /* of any command of that actuator's */
	GUARD_HEARD_PENDING, /* one waits for its second signature */
	GUARD_HEARD_COUNT
};

struct guard_talk {
	struct client client;
	const struct client_options *options;
	char actuator[STR_NAME_MAX + 1]; /* "+": all of them */
	char request[17]; /* our word, random */
	json_t *heard[GUARD_HEARD_COUNT]; /* arrays, the oldest first */
	bool is_ready;
};

/*
 * Connect, and subscribe to what the guard of `actuator` (NULL: all guards)
 * says.  -1 and `err`; guard_talk_stop must follow in either case.
 */
int guard_talk_start(struct guard_talk *talk,
    const struct client_options *options, const char *actuator,
    struct err *err);
void guard_talk_stop(struct guard_talk *talk);

/* Put a question to the guard; `ask->request` is set. */
int guard_talk_ask(
    struct guard_talk *talk, struct guard_ask *ask, struct err *err);

/*
 * The next that was heard of this kind, the caller's to give back; NULL where
 * nothing came by `until_ms` (clock_monotonic_ms; err->code is ERR_NONE then),
 * or the connection is lost.
 */
json_t *guard_talk_next(struct guard_talk *talk, enum guard_heard kind,
    uint64_t until_ms, struct err *err);

/* Ask, and wait for the answer, which says that it was done: else NULL. */
json_t *guard_talk_do(
    struct guard_talk *talk, struct guard_ask *ask, struct err *err);

/* A member's text; "" where there is none. */
const char *guard_talk_text(const json_t *message, const char *name);

/* What a report says was refused, denied ...: -1 and `err`. */
int guard_talk_refusal(const json_t *report, struct err *err);

/* ---- signing ---- */

struct guard_hand {
	const char *key; /* --sign-key; NULL: the first of --key */
	const char *statement; /* --statement: it is written there */
	const char *signature; /* --signature: somebody else puts it there */
};

/*
 * Sign for `namespace` what an offer says, by its hand, and write what was to
 * be written.  A signature of somebody else's is waited for until `until_ms`.
 */
int guard_hand_sign(const struct guard_hand *hand,
    const struct client_options *options, const char *namespace,
    struct span statement, uint64_t until_ms, struct buf *text,
    struct err *err);

/* Take one of GUARD_HAND_OPTIONS; false where it is none. */
bool guard_hand_take(
    const struct cmd_reader *reader, int id, struct guard_hand *hand);

enum { GUARD_HAND_KEY = 500, GUARD_HAND_STATEMENT, GUARD_HAND_SIGNATURE };

#define GUARD_HAND_OPTIONS                                                     \
	{GUARD_HAND_KEY, "sign-key", "FILE",                                   \
	    "sign by this key, or KEY-cert.pub (that of --key)"},              \
	    {GUARD_HAND_STATEMENT, "statement", "FILE",                        \
		"write what is signed there, and the signature to FILE.sig"},  \
	{                                                                      \
		GUARD_HAND_SIGNATURE, "signature", "FILE",                     \
		    "sign nothing: wait for the signature in this file"        \
	}

#endif
