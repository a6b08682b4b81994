#include "session_private.h"

#include "clock.h"
#include "pubkey.h"

#include <stdlib.h>

static void
refuse_key(
    struct session *session, const struct ssh_event *event, const char *why)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
	struct log_line line;

	atomic_fetch_add(&session->worker->counts->refused, 1);
	if (session_log(&line, LOG_LEVEL_INFO, session, "refuse")) {
		pubkey_digest(event->auth.blob, digest);
		pubkey_fingerprint(digest, fingerprint);
		log_str(&line, "offered", fingerprint);
		log_span(&line, "user", event->auth.user);
		log_str(&line, "why", why);
		log_end(&line);
	}
	ssh_conn_auth_answer(session->conn, SSH_AUTH_REFUSE, NULL,
	    worker_now_ms(session->worker));
}

void
session_on_auth(struct session *session, const struct ssh_event *event)
{
	const struct keyring *ring = session->worker->snapshot->ring;
	struct keyring_verdict verdict;
	struct ssh_auth_terms terms;

	switch (keyring_admit(
	    ring, event->auth.blob, &session->peer, clock_wall_s(), &verdict)) {
	case KEYRING_ADMITTED:
		break;
	case KEYRING_UNKNOWN:
		refuse_key(session, event, "no line has this key");
		return;
	case KEYRING_REFUSED:
		refuse_key(session, event, verdict.why);
		return;
	}
	if (event->auth.is_proof) {
		/* Who it is, if the proof holds. */
		free(session->identity);
		session->identity = strdup(verdict.identity);
		if (session->identity == NULL) {
			refuse_key(session, event, "no memory");
			return;
		}
		memcpy(session->key, keyring_digest(ring, verdict.entry),
		    sizeof session->key);
		session->has_key = true;
		session->entry = verdict.entry;
	}
	terms = (struct ssh_auth_terms){
	    .no_touch_required = !verdict.touch_required,
	    .verify_required = verdict.verify_required,
	};
	ssh_conn_auth_answer(session->conn, SSH_AUTH_ALLOW, &terms,
	    worker_now_ms(session->worker));
}

void
session_on_accepted(struct session *session)
{
	struct ssh_conn_facts facts;
	struct log_line line;

	session->heard_ms = worker_now_ms(session->worker);
	session_set_state(session, SESSION_OPEN);
	atomic_fetch_add(&session->worker->counts->accepted, 1);
	if (!session_log(&line, LOG_LEVEL_INFO, session, "accept"))
		return;
	ssh_conn_facts(session->conn, &facts);
	log_str(&line, "client", facts.client_version);
	log_str(&line, "kex", facts.kex);
	log_str(&line, "cipher", facts.cipher_in);
	log_end(&line);
}

void
session_on_snapshot(struct session *session, struct snapshot *snapshot)
{
	struct keyring_verdict verdict;

	if (session->state != SESSION_OPEN)
		return;
	if (keyring_admit_digest(snapshot->ring, session->key, &session->peer,
		clock_wall_s(), &verdict) != KEYRING_ADMITTED ||
	    strcmp(verdict.identity, session->identity) != 0)
		session_disconnect(session, SSH_DISCONNECT_BY_APPLICATION,
		    "the key is not let in any more");
	else
		session->entry = verdict.entry;
}
