#ifndef KAYA_APPROVAL_H
#define KAYA_APPROVAL_H

/*
 * approval: commands that need two people, from the asking to the end.
 *
 *	FREE -> HELD -> RELEASED ------------------------------> FREE
 *	          |         |  (the publish went to the broker)
 *	          |         +--> LOST, SUPERSEDED, EXPIRED, REVOKED --> FREE
 *	          |         |  (it was let go, and never got out)
 *	          |         +--> UNKNOWN (nobody says which) ---------> FREE
 *	          +--> DENIED, EXPIRED, LOST, SUPERSEDED, REVOKED ----> FREE
 *
 * One table for a gateway, in one thread.  It decides, and holds no publish
 * itself: the publish stands in the MQTT connection that it came by (its
 * owner), and goes on only when the owner is told so, once.
 *
 * What is bound together when a command is held, and never changes: id, rule,
 * publisher, topic, digest and length of the payload, QoS, the time until, the
 * nonce.  Who agrees names the id, and so all of it.
 *
 * HELD becomes RELEASED in one place (approval_release), and only
 *	- by another identity than the publisher's, of the roles that the rule
 *	  names: who agrees, who publishes the same (twice), or who has given a
 *	  permit that lives (permissive); or by a role of break-glass,
 *	- before its time is over, and
 *	- after `record` has said that it stands in the audit.
 *
 * Pure: no I/O; time and random bytes are arguments.  The one thing borrowed is
 * the policy: the rules of commands and permits point into it, so that
 * approval_revoke comes before policy_free.
 */

#include "approval_states.h"
#include "policy.h"
#include "str.h"

enum {
	APPROVAL_COMMANDS_MAX = 1024,
	APPROVAL_COMMANDS_EACH = 16, /* HELD of one identity */
	APPROVAL_PERMITS_MAX = 1024,
	APPROVAL_TOPIC_MAX = 1024, /* bytes; of a longer one nothing is held */
	APPROVAL_TEXT_MAX = 1024, /* bytes of payload shown to people */
	APPROVAL_REASON_MAX = 160, /* bytes; what is longer is cut */
	APPROVAL_ID_DIGITS = 16, /* lower-case hex */
	APPROVAL_ID_BYTES = APPROVAL_ID_DIGITS / 2,
	APPROVAL_NONCE_BYTES = 32,
	APPROVAL_DIGEST_BYTES = 32, /* SHA-256 */
	APPROVAL_RANDOM_BYTES = APPROVAL_ID_BYTES + APPROVAL_NONCE_BYTES,
	/*
	 * What may go is out after so long, or never; and its owner has said
	 * which after so long, or nobody is told.  Who agreed has 10 s to hear
	 * of it (control.h).
	 */
	APPROVAL_GO_MS = 3000,
	APPROVAL_REPORT_MS = 5000
};

/* ---- words ---- */

enum approval_state {
#define X(state, name) state,
	APPROVAL_STATES(X)
#undef X
	    APPROVAL_STATE_COUNT
};

/*
 * cause, its name, a sentence's end.  The names above the line are those of
 * IEC 61850-7-2 (AddCause), where one fits.
 */
#define APPROVAL_CAUSES(X)                                                     \
	X(APPROVAL_NONE, "none", "done")                                       \
	X(APPROVAL_TIME_LIMIT, "time-limit-over", "nobody agreed in time")     \
	X(APPROVAL_CANCELLED, "abortion-by-cancel", "it was called off")       \
	X(APPROVAL_LINK_LOST, "abortion-by-communication-loss",                \
	    "the connection that it came by was lost")                         \
	X(APPROVAL_INTERLOCKED, "blocked-by-interlocking",                     \
	    "no permit of another identity is live")                           \
	X(APPROVAL_NOT_SELECTED, "not-selected",                               \
	    "no command of that id is waiting")                                \
	X(APPROVAL_NO_ACCESS, "no-access-authority",                           \
	    "none of its roles may do this")                                   \
	X(APPROVAL_ONE_OF_N, "1-of-n-control",                                 \
	    "another one is held for it already")                              \
	X(APPROVAL_IN_EXECUTION, "command-already-in-execution",               \
	    "it was let go already")                                           \
	X(APPROVAL_INCONSISTENT, "inconsistent-parameters",                    \
	    "that is no way to agree to this command")                         \
	X(APPROVAL_UNTOLD, "unknown",                                          \
	    "it was let go, and it is not known whether it got out")           \
	/* ---- ours */                                                        \
	X(APPROVAL_SAME_IDENTITY, "same-identity",                             \
	    "somebody else has to agree")                                      \
	X(APPROVAL_OVERTAKEN, "superseded",                                    \
	    "a safe state of the same topic came after it")                    \
	X(APPROVAL_TABLE_FULL, "table-full", "too many commands are held")     \
	X(APPROVAL_TOO_OFTEN, "too-often",                                     \
	    "this identity asks more often than is answered")                  \
	X(APPROVAL_TOO_LARGE, "too-large", "it is too large to be held")       \
	X(APPROVAL_AUDIT_FAILED, "audit-failed",                               \
	    "the audit cannot be written, and so nothing is let go")           \
	X(APPROVAL_POLICY_CHANGED, "policy-changed",                           \
	    "the policy was changed meanwhile")                                \
	X(APPROVAL_STOPPING, "gateway-stopping", "the gateway is being stopped")

enum approval_cause {
#define X(cause, name, text) cause,
	APPROVAL_CAUSES(X)
#undef X
	    APPROVAL_CAUSE_COUNT
};

const char *approval_state_name(enum approval_state state);
const char *approval_cause_name(enum approval_cause cause);
const char *approval_cause_text(enum approval_cause cause);

/* What an owner's report of EXPIRED, LOST, SUPERSEDED or REVOKED means; NONE of
 * any other state. */
enum approval_cause approval_cause_of(enum approval_state state);

/* The table of successors. */
bool approval_may_follow(enum approval_state state, enum approval_state next);

/* ---- commands ---- */

/* The connection that a publish, or a permit, came by. */
struct approval_owner {
	uint64_t ticket; /* of the connection, in its thread */
	uint32_t desk; /* the thread */
	uint32_t number; /* of the publish, in its connection */
};

struct approval_command {
	enum approval_state state;
	char id[APPROVAL_ID_DIGITS + 1];
	const struct policy_approval *rule; /* NULL: its policy is gone */
	char rule_name[STR_NAME_MAX + 1];
	char publisher[STR_NAME_MAX + 1];
	struct span topic;
	struct span text; /* the payload, for people; data NULL: not shown */
	uint8_t digest[APPROVAL_DIGEST_BYTES]; /* of the payload */
	uint8_t nonce[APPROVAL_NONCE_BYTES];
	uint64_t bytes; /* of payload */
	uint8_t qos;
	bool is_break_glass;
	bool may_ask, may_agree; /* its publisher, by the rule's roles */
	uint64_t since_ms, until_ms; /* let out before `until_ms`, or never */
	uint64_t report_ms; /* RELEASED: the owner has to have reported */
	struct approval_owner owner;
	/* Of how it left HELD: */
	enum approval_cause cause;
	char by[STR_NAME_MAX + 1]; /* who agreed or denied; "": nobody */
	char reason[APPROVAL_REASON_MAX + 1]; /* that who denied gave */
	void *memory; /* the table's own */
};

/* A change of state: what is about to be, and why. */
struct approval_change {
	enum approval_state next;
	enum approval_cause cause;
	const char *by; /* "": nobody */
	const char *reason; /* "": none */
};

struct approval_permit {
	const struct policy_approval *rule; /* NULL: free */
	char giver[STR_NAME_MAX + 1];
	uint64_t until_ms;
	struct approval_owner owner; /* its giver's connection; number 0 */
};

struct approval_events {
	/*
	 * Write it into the audit, before it happens.  Where this is false
	 * nothing becomes HELD or RELEASED; what ends a command ends it.
	 */
	bool (*record)(void *arg, const struct approval_command *command,
	    const struct approval_change *change);
	/* HELD: people can be asked. */
	void (*held)(void *arg, const struct approval_command *command);
	/* RELEASED: tell the owner to let it go, and to report. */
	void (*released)(void *arg, const struct approval_command *command);
	/* The end, state and cause say which; its place is free after this. */
	void (*ended)(void *arg, const struct approval_command *command);
	/* A permit began (cause NONE) or ended.  Not called for a renewal. */
	void (*permit)(void *arg, const struct approval_permit *permit,
	    enum approval_cause cause);
	void *arg;
};
/* None of them may call back into the table. */

struct approval_table;

/* NULL where memory fails. */
struct approval_table *approval_new(const struct approval_events *events);
/* Tells nobody.  NULL is fine. */
void approval_free(struct approval_table *table);

struct approval_request {
	const struct policy_who
	    *who; /* the publisher; its policy is in force */
	const struct policy_approval *rule; /* of that policy */
	struct span topic;
	struct span text; /* the payload, where it can be shown */
	const uint8_t *digest; /* of the payload */
	uint64_t bytes;
	uint8_t qos;
	bool is_break_glass;
	uint64_t within_ms; /* its own end, if before the rule's; 0: none */
	struct approval_owner owner;
	const uint8_t *random; /* APPROVAL_RANDOM_BYTES, for id and nonce */
};

enum approval_answer {
	APPROVAL_REFUSED, /* `*cause` says why; nothing is held */
	APPROVAL_IS_HELD, /* until somebody agrees */
	/* permissive, break-glass: it may go (`released` was called) */
	APPROVAL_IS_RELEASED,
	/* twice: it was the second; the first may go, this one has done its
	 * part and goes nowhere */
	APPROVAL_HAS_AGREED
};

/*
 * Somebody publishes to a protected topic.  `*command` (where not REFUSED) is
 * what is held or let go; of HAS_AGREED the first one.
 */
enum approval_answer approval_ask(struct approval_table *table,
    const struct approval_request *request, uint64_t now_ms,
    const struct approval_command **command, enum approval_cause *cause);

/*
 * `who`, by the policy in force, agrees to the command `id`, or denies it
 * (its publisher may call it off).  NONE: done; else why not, and the command
 * is as it was, but where its time is over.  `*command` (may be NULL) is the
 * command, or NULL where none is meant; good until the next call.
 */
enum approval_cause approval_agree(struct approval_table *table, struct span id,
    const struct policy_who *who, uint64_t now_ms,
    const struct approval_command **command);
enum approval_cause approval_deny(struct approval_table *table, struct span id,
    const struct policy_who *who, struct span reason, uint64_t now_ms);

/*
 * The owner says what became of a command: RELEASED: it went to the broker
 * (once it was told so); LOST, SUPERSEDED, EXPIRED, REVOKED: it never will.
 * False where that is no answer to what it was told, or too late: nothing is
 * done.
 */
bool approval_report(struct approval_table *table,
    const struct approval_owner *owner, enum approval_state state);

/* A connection is gone: its commands are lost, its permits end. */
void approval_lose(
    struct approval_table *table, const struct approval_owner *owner);

/* A safe state was published: what is held for the topic is out of date. */
void approval_stop(struct approval_table *table, struct span topic);

/*
 * All that is HELD, and every permit, ends (POLICY_CHANGED, STOPPING).  What is
 * RELEASED is its owner's to report; it forgets its rule.
 */
void approval_revoke(struct approval_table *table, enum approval_cause cause);

/*
 * The owners are gone, all of them, and will say nothing any more: what is HELD
 * is LOST, what is RELEASED is UNKNOWN, permits end.
 */
void approval_end(struct approval_table *table);

/* ---- permits ---- */

/*
 * `who` gives the permit of a rule, for the rule's time from now.  NONE, or why
 * not: NO_ACCESS, TABLE_FULL.
 */
enum approval_cause approval_permit(struct approval_table *table,
    const struct policy_approval *rule, const struct policy_who *who,
    const struct approval_owner *owner, uint64_t now_ms);

/* Another value was published: every permit of the rule ends. */
void approval_take_back(
    struct approval_table *table, const struct policy_approval *rule);

/* ---- time and lists ---- */

/* When approval_on_time is to be called next; UINT64_MAX: not at all. */
uint64_t approval_due_ms(const struct approval_table *table);
void approval_on_time(struct approval_table *table, uint64_t now_ms);

/* The command of that id, in any state but FREE; NULL: none. */
const struct approval_command *approval_look(
    const struct approval_table *table, struct span id);

/*
 * The next command that is not FREE, from place `*place` on (0 first), which
 * moves on; NULL: no more.
 */
const struct approval_command *approval_next(
    const struct approval_table *table, size_t *place);

#endif
