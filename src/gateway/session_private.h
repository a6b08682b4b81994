#ifndef KAYA_SESSION_PRIVATE_H
#define KAYA_SESSION_PRIVATE_H

/*
 * What the modules behind session.h share.  Nobody else includes it.
 *
 *	session          states, deadlines, writing, beginning and end
 *	session_turn     reading, and what comes of it
 *	session_auth     who is let in
 *	session_report   the log's and the status's view of it
 */

#include "session.h"

/* Checks that the state may follow, logs, arms its deadline. */
void session_set_state(struct session *session, enum session_state state);

/* Close the socket, let the pipes go, and be freed when this turn is over. */
void session_end(struct session *session);

/* Go on with input that had to wait for an answer, or with none at all. */
void session_resume(struct session *session);

/* The socket is ready (loop_fd_fn). */
void session_on_ready(void *arg, unsigned ready);

/* A key is offered or proven (SSH_EVENT_AUTH): answer. */
void session_on_auth(struct session *session, const struct ssh_event *event);

/* The time has come to tell the refusal that waits. */
void session_tell_refusal(struct session *session);

/* The key was proven (SSH_EVENT_ACCEPTED). */
void session_on_accepted(struct session *session);

#endif
