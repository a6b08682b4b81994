#ifndef KAYA_GUARD_MESSAGE_H
#define KAYA_GUARD_MESSAGE_H

/*
 * guard_message: what is said to a guard and by it, as JSON (kaya-guard(5)).
 * Every topic is plain; nothing is retained.
 *
 *	kaya/guard/NAME/ask             to the guard: struct guard_ask
 *	kaya/guard/all/ask              the same to all guards: to list
 *	kaya/guard/NAME/answer/REQUEST  its answer
 *	kaya/guard/NAME/pending         each command that waits for its second
 *	                                signature
 *	kaya/guard/NAME/result          what became of each command
 */

#include "guard.h"

#include <jansson.h>

#define GUARD_ROOM "kaya/guard/"

enum {
	GUARD_MESSAGE_MAX = 64 << 10, /* bytes of one to a guard */
	GUARD_NAME_TOPIC_MAX = 256
};

enum guard_do {
	GUARD_DO_ASK, /* topic, payload: a challenge, please */
	GUARD_DO_SIGN, /* id, signature */
	GUARD_DO_DENY, /* the same, GUARD_DENIES */
	GUARD_DO_LIST, /* what waits; with id: that one, signed or not */
	GUARD_DO_COUNT
};

struct guard_ask {
	enum guard_do what;
	struct span request; /* the asker's word, comes back in the answer */
	struct span topic, payload, id, signature;
	/* ours */
	json_t *json; /* owns the spans */
	uint8_t *bytes; /* of a payload in base64 */
};

/*
 * Read a message to a guard.  False, and `ask` holds nothing but what it could
 * read of `request`, where it is no such message.  To be given to
 * guard_ask_fini in either case.
 */
bool guard_ask_parse(struct span message, struct guard_ask *ask);
void guard_ask_fini(struct guard_ask *ask);

/* Write it.  Look at out->failed. */
void guard_ask_put(const struct guard_ask *ask, struct buf *out);

/*
 * A payload as the message has it: "payload" where it is text, else
 * "payload_base64".  `*bytes` is the caller's to free, NULL for text.  False
 * where there is none, or both.
 */
bool guard_payload_take(
    const json_t *message, struct span *payload, uint8_t **bytes);

/* ---- what a guard says; look at out->failed ---- */

/* A challenge. */
void guard_put_challenge(
    const struct guard_command *command, uint64_t now_ms, struct buf *out);

/*
 * What became of a message or a command: `word` is "signed", "released",
 * "denied", "expired", "refused" ...  `command` and `request` may be NULL.
 */
struct guard_report {
	const char *word;
	const struct guard_command *command;
	const struct guard_outcome *outcome;
	struct span request;
	struct span topic; /* where there is no command; may be empty */
};
void guard_put_report(const struct guard_report *report, struct buf *out);

/* One command that waits. */
void guard_put_pending(
    const struct guard_command *command, uint64_t now_ms, struct buf *out);

/* "kaya/guard/NAME/WHAT" */
void guard_topic(
    char text[GUARD_NAME_TOPIC_MAX], const char *name, const char *what);

#endif
