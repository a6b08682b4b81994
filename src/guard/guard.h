#ifndef KAYA_GUARD_H
#define KAYA_GUARD_H

/*
 * guard: the actuator's judge: which commands are outstanding, and whether two
 * have signed one of them.
 *
 *	FREE --ask--> ISSUED --first signature--> SIGNED --second--> CONSUMED
 *	  ^              |                           |                  |
 *	  +--------------+-- time, denial, a stop, --+                  |
 *	  |                  other rules                                |
 *	  +------------------ delivered, or not ------------------------+
 *
 * A challenge is random, of one actuator, topic and payload, lives from its
 * issue for the rule's time, and is used up by the second signature before
 * anything is delivered.  At most GUARD_OUTSTANDING_MAX are outstanding.  None
 * outlives the struct, so none outlives a restart.
 *
 * The first signature is of a principal that may request, the second of
 * another one that may approve or permit; who that is, allowed_signers says.
 *
 * Pure: no I/O.  `now_ms` is a clock that never goes back and goes on while the
 * machine sleeps, `now_s` the wall clock, which decides on valid-after and
 * valid-before in allowed_signers and on nothing else.
 */

#include "guard_rules.h"
#include "guard_signer.h"
#include "guard_statement.h"

/* cause, its word, a sentence.  Where IEC 61850-7-3 (AddCause) has a name it
 * is that one. */
#define GUARD_CAUSES(X)                                                        \
	X(GUARD_CAUSE_NONE, "none", "done")                                    \
	X(GUARD_TIME_LIMIT_OVER, "time-limit-over",                            \
	    "the time for both signatures is over")                            \
	X(GUARD_CANCELLED, "abortion-by-cancel", "somebody who may denied it") \
	X(GUARD_COMMUNICATION_LOSS, "abortion-by-communication-loss",          \
	    "no local client of the actuator's could be given it")             \
	X(GUARD_INTERLOCKING, "blocked-by-interlocking",                       \
	    "no device gave its permission in time")                           \
	X(GUARD_NOT_SELECTED, "not-selected",                                  \
	    "there is no such command, or no longer")                          \
	X(GUARD_NO_ACCESS, "no-access-authority",                              \
	    "the signer's roles do not allow it")                              \
	X(GUARD_INCONSISTENT, "inconsistent-parameters",                       \
	    "the message is not as kaya-guard(5) has it")                      \
	X(GUARD_BLOCKED_BY_COMMAND, "blocked-by-command",                      \
	    "a stop came for its topic")                                       \
	X(GUARD_NOT_SUPPORTED, "not-supported",                                \
	    "the topic is not protected: publish to it")                       \
	X(GUARD_SAME_IDENTITY, "same-identity",                                \
	    "both signatures are of one person")                               \
	X(GUARD_BAD_SIGNATURE, "bad-signature", "the signature is not good")   \
	X(GUARD_TABLE_FULL, "table-full",                                      \
	    "as many commands are outstanding as there may be")                \
	X(GUARD_AUDIT_FAILED, "audit-failed", "the audit cannot be written")   \
	X(GUARD_POLICY_CHANGED, "policy-changed",                              \
	    "the guard's rules or signers have changed")                       \
	X(GUARD_NO_MEMORY, "no-memory", "the machine has no memory left")

enum guard_cause {
#define X(cause, name, text) cause,
	GUARD_CAUSES(X)
#undef X
	    GUARD_CAUSE_COUNT
};

const char *guard_cause_name(enum guard_cause cause);
const char *guard_cause_text(enum guard_cause cause);

enum guard_state {
	GUARD_FREE,
	GUARD_ISSUED, /* no signature yet */
	GUARD_SIGNED, /* the first one is here */
	GUARD_CONSUMED /* both are: to be delivered, or not, and finished */
};

enum { GUARD_REQUEST_MAX = 64 };

struct guard_command {
	enum guard_state state;
	const struct guard_rule *rule;
	char id[GUARD_ID_SIZE];
	char request[GUARD_REQUEST_MAX + 1]; /* the asker's word for it */
	uint8_t challenge[GUARD_CHALLENGE_BYTES];
	struct buf topic, payload, statement;
	uint64_t expires_ms;
	char by[2][GUARD_PRINCIPAL_MAX + 1]; /* who signed; "" */
	uint8_t first_key[SHA256_BYTES]; /* of who signed first */
};

/* What became of a message, or of a command. */
struct guard_outcome {
	enum guard_cause cause;
	char detail[160]; /* more than the cause says; may be "" */
	char
	    principal[GUARD_PRINCIPAL_MAX + 1]; /* whose signature; may be "" */
};

struct guard;

/* NULL where memory fails.  `rules` are borrowed. */
struct guard *guard_new(const struct guard_rules *rules);
void guard_free(struct guard *guard); /* NULL is fine */

struct guard_question {
	struct span request; /* 1 to GUARD_REQUEST_MAX of A-Z a-z 0-9 . _ - */
	struct span topic, payload;
};

/*
 * Issue a challenge of these random bytes.  NULL and the outcome's cause where
 * none is issued.  The same question with the same `request` gets the same
 * command again while it is ISSUED: it was delivered twice.
 */
const struct guard_command *guard_ask(struct guard *guard,
    const struct guard_question *question,
    const uint8_t random[GUARD_CHALLENGE_BYTES], uint64_t now_ms,
    struct guard_outcome *outcome);

enum guard_step {
	GUARD_STEP_REFUSED, /* nothing changed; the outcome says why */
	GUARD_STEP_FIRST, /* the first signature: it waits for the second */
	GUARD_STEP_DENIED, /* to be finished with GUARD_CANCELLED */
	GUARD_STEP_BOTH /* CONSUMED: deliver, then finish */
};

/* What a signature is given for. */
enum guard_will { GUARD_AGREES, GUARD_DISAGREES };

/*
 * A signature (the armoured text) for the command of that id.  `*command` is
 * what it is about, NULL where there is none; it is good until guard_finish or
 * the next call that may end commands.  One that is no good changes nothing,
 * however many come: who may not sign cannot end what others began.
 */
enum guard_step guard_sign(struct guard *guard, struct span id,
    enum guard_will will, struct span signature, uint64_t now_ms, int64_t now_s,
    struct guard_command **command, struct guard_outcome *outcome);

/* The command's slot is free again. */
void guard_finish(struct guard *guard, struct guard_command *command);

/*
 * Walk over what is outstanding: *at begins at 0; NULL at the end.  The one
 * that was given may be finished before the next call.
 */
struct guard_command *guard_next(struct guard *guard, size_t *at);

/* Why a command is over, if it is; GUARD_CAUSE_NONE while it is not. */
enum guard_cause guard_over(
    const struct guard_command *command, uint64_t now_ms);

/* The other rules hold from now on.  Nothing may be outstanding. */
void guard_change(struct guard *guard, const struct guard_rules *rules);

#endif
