#ifndef KAYA_MONITOR_APPROVAL_H
#define KAYA_MONITOR_APPROVAL_H

/*
 * monitor_approval: the payloads of the messages about commands that need two
 * people (monitor.h).  Pure.
 */

#include "approval.h"
#include "buf.h"
#include "monitor.h"
#include "pubkey.h"

/* MONITOR_QUESTION, MONITOR_PERMIT, MONITOR_NOT_HELD: who wants what. */
struct monitor_question {
	uint32_t number; /* of it, in its connection */
	uint8_t qos;
	uint8_t policy[PUBKEY_DIGEST_BYTES]; /* that it was judged by */
	uint64_t within_ms; /* 0: the rule's */
	uint64_t bytes; /* of payload */
	uint8_t digest[APPROVAL_DIGEST_BYTES]; /* of the payload */
	struct span identity, role; /* the role of its key's line, or empty */
	struct span rule; /* name; empty: none */
	struct span topic;
	bool is_text; /* `text` is the payload, and can be shown */
	struct span text; /* APPROVAL_TEXT_MAX at most */
};

void monitor_question_put(
    const struct monitor_question *question, struct buf *out);
/* Spans point into `in`.  False where it is none. */
bool monitor_question_take(struct span in, struct monitor_question *question);

/* MONITOR_DECIDED. */
enum monitor_decision { MONITOR_LET_GO, MONITOR_ANSWER };
struct monitor_decided {
	uint32_t number;
	uint8_t code; /* ANSWER: of MQTT 5.0 */
	uint64_t until_ms; /* LET_GO: by CLOCK_MONOTONIC, not from then on */
	struct span text; /* ANSWER: a sentence */
};
void monitor_decided_put(
    const struct monitor_decided *decided, struct buf *out);
bool monitor_decided_take(struct span in, struct monitor_decided *decided);

/* MONITOR_TELL. */
struct monitor_told {
	struct span identity; /* whose result it is; empty: everybody's */
	struct span rule;
	struct span json;
};
void monitor_told_put(const struct monitor_told *told, struct buf *out);
bool monitor_told_take(struct span in, struct monitor_told *told);

#endif
