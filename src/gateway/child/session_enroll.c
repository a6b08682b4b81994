#include "session_private.h"

#include "clock.h"
#include "invite_code.h"
#include "pubkey.h"
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>

/*
 * The user `enroll`: nobody who is let in, but somebody who wants to be.  He
 * proves a key, is asked for the code of an invitation, and the parent judges
 * it; either way the connection ends.
 *
 * Who has proven a key and types takes nobody's place (worker_begin_late): it
 * may last.
 */

enum { CODES_MAX = 3 };

bool
session_is_for_enrolling(struct span user)
{
	return span_is(user, "enroll");
}

static bool
begin_log(
    struct log_line *line, const struct session *session, const char *event)
{
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];

	if (!session_log(line, LOG_LEVEL_INFO, &session->who, event))
		return false;
	pubkey_fingerprint(session->who.key, fingerprint);
	log_str(line, "offered", fingerprint);
	return true;
}

/* For the user, on the line that his ssh shows. */
static void
say(struct session *session, const char *sentence)
{
	char text[512];

	snprintf(text, sizeof text, "kaya: %s\r\n", sentence);
	ssh_conn_banner(session->conn, text);
}

/*
 * Who waits for an answer gets one before the end: libssh would wait for it in
 * vain, beyond the end, for as long as its own patience lasts.  The sentence
 * stands in the DISCONNECT, too: plink shows no banner that comes last.
 */
static void
end(struct session *session, enum ssh_disconnect reason, const char *sentence,
    const char *why)
{
	say(session, sentence);
	if (ssh_conn_is_waiting(session->conn))
		ssh_conn_auth_answer(session->conn, SSH_AUTH_REFUSE, NULL,
		    worker_now_ms(session->worker));
	ssh_conn_disconnect(session->conn, reason, sentence);
	session_disconnect(session, reason, why);
}

static void
refuse(struct session *session, const char *sentence, const char *why)
{
	struct log_line line;

	atomic_fetch_add(&session->worker->counts->refused, 1);
	if (begin_log(&line, session, "refuse")) {
		log_str(&line, "user", "enroll");
		log_str(&line, "why", why);
		log_end(&line);
	}
	end(session, SSH_DISCONNECT_NO_MORE_AUTH_METHODS, sentence, why);
}

static void
on_proven(struct session *session)
{
	struct log_line line;

	if (!worker_begin_late(session->worker, session->source)) {
		refuse(session,
		    "too many are coming in by code: try again in a minute",
		    "too many are coming in by code");
	} else {
		session->is_late = true;
		if (begin_log(&line, session, "enroll"))
			log_end(&line);
	}
}

void
session_enroll_on_auth(struct session *session, const struct ssh_event *event)
{
	char fingerprint[PUBKEY_FINGERPRINT_SIZE], instruction[160];
	const struct ssh_question question = {
	    .name = "kaya",
	    .instruction = instruction,
	    .prompt = "Invitation code: ",
	    /*
	     * It may be good for days; and who mistypes it is told so by its
	     * own check.
	     */
	    .echo = SSH_QUESTION_HIDDEN,
	};
	const struct ssh_auth_terms terms = {.question = &question};
	const char *why = session_unusable(event);
	bool is_proof = event->auth.is_proof;
	enum ssh_auth_outcome outcome;
	struct log_line line;

	session_key_digest(event, session->who.key);
	if (why == NULL && event->auth.certificate != NULL)
		why = "a certificate cannot be let in by a code: only its key";
	pubkey_fingerprint(session->who.key, fingerprint);
	snprintf(instruction, sizeof instruction,
	    "The key %s is about to be let in.", fingerprint);
	/* A key that cannot be used is refused there. */
	outcome = ssh_conn_auth_answer(session->conn,
	    why == NULL ? SSH_AUTH_QUESTION : SSH_AUTH_REFUSE, &terms,
	    worker_now_ms(session->worker));
	if (outcome == SSH_AUTH_PROVEN) {
		on_proven(session);
	} else if (outcome != SSH_AUTH_SAID_SO) {
		atomic_fetch_add(&session->worker->counts->refused, 1);
		if (is_proof)
			(void)session_count_refusal(session, session->who.key);
		if (begin_log(&line, session, "refuse")) {
			log_str(&line, "user", "enroll");
			log_str(&line, "why",
			    why != NULL ? why : session_auth_fault(outcome));
			log_end(&line);
		}
	}
}

/* ---- the code ---- */

/* Told at once, or late; and the last one ends it. */
static void
refuse_code(struct session *session, const char *sentence, uint64_t wait_ms)
{
	struct log_line line;

	atomic_fetch_add(&session->worker->counts->refused, 1);
	session->codes++;
	free(session->sentence);
	session->sentence = strdup(sentence);
	if (begin_log(&line, session, "refuse")) {
		log_str(&line, "user", "enroll");
		log_str(&line, "why", sentence);
		if (wait_ms > 0)
			log_u64(&line, "told_after_ms", wait_ms);
		log_end(&line);
	}
	if (wait_ms > 0)
		session->due_ms = worker_now_ms(session->worker) + wait_ms;
	else
		session_enroll_tell_refusal(session);
}

void
session_enroll_tell_refusal(struct session *session)
{
	const char *sentence =
	    session->sentence != NULL ? session->sentence : "no";

	session->due_ms = 0;
	if (session->codes >= CODES_MAX) {
		end(session, SSH_DISCONNECT_NO_MORE_AUTH_METHODS, sentence,
		    "no code was good");
		return;
	}
	say(session, sentence);
	ssh_conn_auth_answer(session->conn, SSH_AUTH_REFUSE, NULL,
	    worker_now_ms(session->worker));
}

static void
ask_parent(
    struct session *session, const struct invite_code *code, struct span blob)
{
	char address[NETADDR_TEXT_SIZE];
	struct buf payload;

	buf_init_secret(&payload, MONITOR_PAYLOAD_MAX);
	wire_put_cstring32(
	    &payload, netaddr_text(&session->who.address, address));
	wire_put_bytes(&payload, span_of(code->secret, sizeof code->secret));
	wire_put_bytes(&payload, span_of(code->host, sizeof code->host));
	wire_put_bytes(&payload, blob);
	if (payload.failed)
		refuse(
		    session, "this key is too large", "the key is too large");
	else
		monitor_send(&session->worker->monitor, MONITOR_ENROLL, 0,
		    session->ticket, buf_span(&payload), -1);
	buf_fini(&payload);
}

void
session_on_reply(struct session *session, const struct ssh_event *event)
{
	const struct snapshot *snapshot = session->worker->snapshot;
	struct keyring_verdict verdict;
	struct revoked_key key;
	struct invite_code code;
	char text[128];

	revoked_key_init(&key, event->reply.blob);
	if (revoked_keys_has(snapshot->revoked, &key)) {
		refuse(session, "this key is revoked: make another",
		    "the key is revoked");
		return;
	}

	/* As after an answer that was lost on its way. */
	if (keyring_admit_digest(snapshot->ring, session->who.key,
		&session->who.address, clock_wall_s(),
		&verdict) == KEYRING_ADMITTED) {
		snprintf(text, sizeof text, "this key is let in already, as %s",
		    verdict.identity);
		refuse(session, text, "the key is let in already");
		return;
	}
	switch (invite_code_parse(event->reply.text, &code)) {
	case INVITE_CODE_GOOD:
		ask_parent(session, &code, event->reply.blob);
		break;
	case INVITE_CODE_NONE:
		refuse_code(session,
		    "that is no code: it is 8 groups of 6 letters and digits",
		    0);
		break;
	case INVITE_CODE_SLIP:
		refuse_code(session, "the code was mistyped", 0);
		break;
	}
	explicit_bzero(&code, sizeof code);
}

void
session_on_enrolled(
    struct session *session, enum monitor_enrolled outcome, struct span said)
{
	char sentence[400];

	if (session->state != SESSION_HANDSHAKE || session->due_ms != 0 ||
	    !ssh_conn_is_waiting(session->conn))
		return;
	str_escape(said, sentence, sizeof sentence);
	switch (outcome) {
	case MONITOR_ENROLLED_IN:
		end(session, SSH_DISCONNECT_BY_APPLICATION, sentence,
		    "the key is let in");
		return;
	case MONITOR_ENROLLED_WRONG_CODE:
		refuse_code(session, sentence,
		    session_count_refusal(session, session->who.key));
		break;
	case MONITOR_ENROLLED_REFUSED:
		refuse(session, sentence, "the parent refuses it");
		return;
	}
	if (session->due_ms != 0)
		session_flush(session); /* arms the time to tell it */
	else if (session->state == SESSION_HANDSHAKE)
		session_resume(session);
}
