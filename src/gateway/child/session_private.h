#ifndef KAYA_SESSION_PRIVATE_H
#define KAYA_SESSION_PRIVATE_H

/*
 * What the modules behind session.h share.  Nobody else includes it.
 *
 *	session          states, deadlines, writing, beginning and end
 *	session_turn     reading, and what comes of it
 *	session_auth     who is let in
 *	session_enroll   who wants to be, by a code
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

/* Why what is shown cannot be used by anybody; NULL: it can. */
const char *session_unusable(const struct ssh_event *event);

/* The digest of the key that is shown, or certified by what is shown. */
void session_key_digest(
    const struct ssh_event *event, uint8_t digest[PUBKEY_DIGEST_BYTES]);

/*
 * OPEN: judge it again, by the keyring and the clock.  True where it may stay;
 * else it is being disconnected.
 */
bool session_judge_again(
    struct session *session, const struct snapshot *snapshot);

/* An outcome other than ACCEPTED, SAID_SO or PROVEN, in words. */
const char *session_auth_fault(enum ssh_auth_outcome outcome);

/* Count a refusal of this key; how late it is to be told. */
uint64_t session_count_refusal(
    struct session *session, const uint8_t digest[PUBKEY_DIGEST_BYTES]);

/* Whether it is the user who comes to have a key let in. */
bool session_is_for_enrolling(struct span user);

/* The same as session_on_auth and session_tell_refusal, for that user. */
void session_enroll_on_auth(
    struct session *session, const struct ssh_event *event);
void session_enroll_tell_refusal(struct session *session);

/* A code was typed (SSH_EVENT_REPLY). */
void session_on_reply(struct session *session, const struct ssh_event *event);

/* The key was proven (SSH_EVENT_ACCEPTED). */
void session_on_accepted(struct session *session);

#endif
