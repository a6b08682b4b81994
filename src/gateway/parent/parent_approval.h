#ifndef KAYA_PARENT_APPROVAL_H
#define KAYA_PARENT_APPROVAL_H

/*
 * What the modules of the parent that decide about commands share.
 *
 *	parent_approval          the table, and who waits for an end
 *	parent_approval_desk     what the child asks
 *	parent_approval_record   audit and log
 *	parent_approval_tell     results: to publishers, to who listens
 *	parent_approval_request  pending, approve, deny
 */

#include "access.h"
#include "monitor_approval.h"
#include "parent_private.h"

/*
 * Somebody who is to be told how a command ended: who agreed to it, or
 * published it the second time.
 */
struct approval_waiter {
	struct approval_waiter *next;
	char id[APPROVAL_ID_DIGITS + 1];
	struct desk *desk; /* NULL: at the control socket */
	uint64_t ticket; /* of the connection, or of the control client */
	uint32_t number; /* of the question, in its connection */
};

struct approvals {
	struct parent *parent;
	struct approval_table *table;
	struct loop_timer *timer; /* of what is due next */
	struct approval_waiter *waiters;
};

/* A sentence without full stop: why, by whom. */
enum { APPROVAL_SENTENCE_SIZE = 320 };
const char *parent_approval_sentence(
    const struct approval_command *command, char text[APPROVAL_SENTENCE_SIZE]);

/* Answer a question of the child's: its own number, in the connection of that
 * ticket. */
void parent_approval_answer_desk(struct desk *desk, uint64_t ticket,
    uint32_t number, enum approval_cause cause, const char *text);

/* Call after anything was done to the table: the next deadline. */
void parent_approval_arm(struct approvals *approvals);

/*
 * Have somebody told how the command `id` ends, which it does later.  False
 * where memory fails: he is told nothing.
 */
bool parent_approval_wait(
    struct approvals *approvals, const struct approval_waiter *waiter);

/* Forget him.  False where he is not there: he was told. */
bool parent_approval_unwait(
    struct approvals *approvals, const struct approval_waiter *waiter);

/*
 * Tell him what came of his word: `command`'s state, or, where that is HELD
 * still, its cause.  `silent`: the gateway that should have said so, and did
 * not; else NULL.
 */
void parent_approval_tell_waiter(struct approvals *approvals,
    const struct approval_waiter *waiter,
    const struct approval_command *command, const char *silent);

/* At the control socket: why his word changed nothing. */
void parent_approval_refuse(struct parent *parent, uint64_t ticket,
    const struct approval_command *command, const char *silent);

/* ---- parent_approval_record ---- */

/*
 * approval_events.record: RELEASED and DENIED are on the disk before this
 * returns true; the others are written, and on it within a second.
 */
bool parent_approval_record(void *arg, const struct approval_command *command,
    const struct approval_change *change);

/* Not held, or not agreed to: `what` is the word for it. */
struct approval_refused {
	const char *what;
	struct span identity, rule, topic, id;
	enum approval_cause cause;
};
void parent_approval_record_refused(
    struct approvals *approvals, const struct approval_refused *refused);

/* approval_events.permit. */
void parent_approval_record_permit(
    void *arg, const struct approval_permit *permit, enum approval_cause cause);

/* ---- parent_approval_tell ---- */

/* A command is held, or has ended: to everybody who may hear of it.
 * `gateway`: where it is held, NULL: here. */
void parent_approval_tell_held(struct approvals *approvals,
    const struct approval_command *command, const char *gateway);
/* The same of an end, but for its publisher, whom its own gateway tells. */
void parent_approval_tell_pending_ended(struct approvals *approvals,
    const struct approval_command *command, const char *gateway);
void parent_approval_tell_ended(
    struct approvals *approvals, const struct approval_command *command);

/* A publish was refused before it was held: to its publisher. */
void parent_approval_tell_refused(
    struct approvals *approvals, const struct approval_refused *refused);

/* The members of a command that people want to see, without braces. */
void parent_approval_put_command(
    const struct approval_command *command, struct buf *json);

#endif
