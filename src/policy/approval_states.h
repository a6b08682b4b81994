#ifndef KAYA_APPROVAL_STATES_H
#define KAYA_APPROVAL_STATES_H

/*
 * approval_states: the states of a command that needs a second person, and
 * the ways between them.
 *
 * Two read this table: the code, and the model that is searched through
 * whole (doc/model/approval.pml).  So it holds directives of the
 * preprocessor and nothing else, and what is true of the one is true of the
 * other.
 */

/* state, its name in logs, audit and answers */
#define APPROVAL_STATES(X)                                                     \
	X(APPROVAL_FREE, "free") /* no command has this place */               \
	X(APPROVAL_HELD, "held") /* waits for a different identity */          \
	X(APPROVAL_RELEASED, "released") /* let out, once */                   \
	X(APPROVAL_DENIED, "denied") /* somebody said no */                    \
	X(APPROVAL_EXPIRED, "expired") /* nobody agreed in time */             \
	X(APPROVAL_LOST, "lost") /* its publisher's connection is gone */      \
	X(APPROVAL_SUPERSEDED, "superseded") /* a stop came after it */        \
	X(APPROVAL_REVOKED, "revoked") /* another policy is in force */        \
	X(APPROVAL_UNKNOWN, "unknown") /* nobody says whether it got out */

/* from, to: whatever is not here never happens */
#define APPROVAL_TRANSITIONS(X)                                                \
	X(APPROVAL_FREE, APPROVAL_HELD)                                        \
	X(APPROVAL_HELD, APPROVAL_RELEASED)                                    \
	X(APPROVAL_HELD, APPROVAL_DENIED)                                      \
	X(APPROVAL_HELD, APPROVAL_EXPIRED)                                     \
	X(APPROVAL_HELD, APPROVAL_LOST)                                        \
	X(APPROVAL_HELD, APPROVAL_SUPERSEDED)                                  \
	X(APPROVAL_HELD, APPROVAL_REVOKED)                                     \
	/* let go, and its owner found that it cannot get out any more */      \
	X(APPROVAL_RELEASED, APPROVAL_EXPIRED)                                 \
	X(APPROVAL_RELEASED, APPROVAL_LOST)                                    \
	X(APPROVAL_RELEASED, APPROVAL_SUPERSEDED)                              \
	X(APPROVAL_RELEASED, APPROVAL_REVOKED)                                 \
	/* let go, and its owner has not said in time what came of it */       \
	X(APPROVAL_RELEASED, APPROVAL_UNKNOWN)                                 \
	/* once its outcome was told */                                        \
	X(APPROVAL_RELEASED, APPROVAL_FREE)                                    \
	X(APPROVAL_DENIED, APPROVAL_FREE)                                      \
	X(APPROVAL_EXPIRED, APPROVAL_FREE)                                     \
	X(APPROVAL_LOST, APPROVAL_FREE)                                        \
	X(APPROVAL_SUPERSEDED, APPROVAL_FREE)                                  \
	X(APPROVAL_REVOKED, APPROVAL_FREE)                                     \
	X(APPROVAL_UNKNOWN, APPROVAL_FREE)

#endif
