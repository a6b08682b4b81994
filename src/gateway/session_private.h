#ifndef KAYA_SESSION_PRIVATE_H
#define KAYA_SESSION_PRIVATE_H

/*
 * What the modules behind session.h share.  Nobody else includes it.
 *
 *	session          states, deadlines, reading, writing, the end
 *	session_auth     who is let in
 *	session_report   the log's and the status's view of it
 */

#include "session.h"

/* Checks that the state may follow, logs, arms its deadline. */
void session_set_state(struct session *session, enum session_state state);

/* A key is offered or proven (SSH_EVENT_AUTH): answer. */
void session_on_auth(struct session *session, const struct ssh_event *event);

/* The time has come to tell the refusal that waits. */
void session_tell_refusal(struct session *session);

/* The key was proven (SSH_EVENT_ACCEPTED). */
void session_on_accepted(struct session *session);

#endif
