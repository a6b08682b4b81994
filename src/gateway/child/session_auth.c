#include "pipe.h"
#include "session_private.h"

#include "clock.h"
#include "pubkey.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	PROBES_MAX = 16, /* connections of one key */
	LATE_SHARE_OF_GRACE = 3, /* a good key behind wrong ones gets in */
};

void
session_key_digest(
    const struct ssh_event *event, uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	const struct ssh_certificate *certificate = event->auth.certificate;

	pubkey_digest(certificate != NULL ? buf_span(&certificate->key)
					  : event->auth.blob,
	    digest);
}

/* What is offered, for the log: the answer takes the event's spans with it. */
struct offer {
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char algorithm[64]; /* of those that are served none is longer */
	char user[SSH_USER_MAX];
	size_t algorithm_len, user_len;
};

static size_t
keep(char *room, size_t size, struct span text)
{
	size_t len = text.len < size ? text.len : size;

	memcpy(room, text.data, len);
	return len;
}

static void
keep_offer(struct offer *offer, const struct ssh_event *event)
{
	session_key_digest(event, offer->digest);
	offer->algorithm_len = keep(
	    offer->algorithm, sizeof offer->algorithm, event->auth.algorithm);
	offer->user_len =
	    keep(offer->user, sizeof offer->user, event->auth.user);
}

static void
log_refusal(const struct session *session, const struct offer *offer,
    const char *why, uint64_t wait_ms)
{
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
	struct witness witness;

	atomic_fetch_add(&session->worker->counts->refused, 1);
	session_witness(
	    &witness, WITNESS_REFUSE, LOG_LEVEL_INFO, &session->who, "refuse");
	pubkey_fingerprint(offer->digest, fingerprint);
	witness_str(&witness, "offered", fingerprint);
	witness_span(&witness, "algorithm",
	    span_of(offer->algorithm, offer->algorithm_len));
	witness_span(&witness, "user", span_of(offer->user, offer->user_len));
	if (session->certificate != NULL)
		session_certificate_tell(session->certificate, &witness);
	witness_str(&witness, "why", why);
	if (wait_ms > 0)
		witness_u64(&witness, "told_after_ms", wait_ms);
	witness_send(&witness, &session->worker->monitor);
}

static struct penalty_refusal
refusal_of(const struct session *session, uint64_t key)
{
	const struct settings_limits *limits = &session->setup->settings.limits;

	return (struct penalty_refusal){.source = session->source,
	    .key = key,
	    .now_ms = worker_now_ms(session->worker),
	    .free = limits->refusals,
	    .max_ms = limits->refusal_delay_ms};
}

uint64_t
session_count_refusal(
    struct session *session, const uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	struct penalty_refusal refusal;

	memcpy(&session->refused, digest, sizeof session->refused);
	refusal = refusal_of(session, session->refused);
	return penalty_count(&session->worker->counts->penalty, &refusal);
}

/*
 * Most clients show the key itself before its certificate, each time that they
 * connect: a fleet behind one address would be late for it.
 */
static void
forgive(const struct session *session)
{
	struct penalty_refusal refusal = refusal_of(session, session->refused);

	if (session->certificate != NULL && session->refused != 0 &&
	    memcmp(&session->refused, session->who.key,
		sizeof session->refused) == 0)
		penalty_forgive(&session->worker->counts->penalty, &refusal);
}

/* How long this refusal waits from now on; 0: it is to be told at once. */
static uint64_t
begin_waiting(
    struct session *session, const uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	uint64_t left_ms = session->setup->settings.limits.login_grace_ms /
			   LATE_SHARE_OF_GRACE;
	uint64_t wait_ms = session_count_refusal(session, digest);

	left_ms = session->late_ms < left_ms ? left_ms - session->late_ms : 0;
	if (wait_ms > left_ms)
		wait_ms = left_ms;
	if (wait_ms == 0 ||
	    !worker_begin_late(session->worker, session->source))
		return 0;
	session->is_late = true;
	session->late_ms += (uint32_t)wait_ms;
	session->due_ms = worker_now_ms(session->worker) + wait_ms;
	return wait_ms;
}

void
session_tell_refusal(struct session *session)
{
	/* Only who is asked for a code stays late. */
	if (session->codes > 0) {
		session_enroll_tell_refusal(session);
		return;
	}
	session->due_ms = 0;
	session->is_late = false;
	worker_end_late(session->worker, session->source);
	ssh_conn_auth_answer(session->conn, SSH_AUTH_REFUSE, NULL,
	    worker_now_ms(session->worker));
}

const char *
session_unusable(const struct ssh_event *event)
{
	if (event->auth.certified != SSH_CERTIFICATE_GOOD)
		return ssh_certificate_text(event->auth.certified);
	switch (event->auth.verdict) {
	case SSH_KEY_GOOD:
		return NULL;
	case SSH_KEY_TOO_WEAK:
		return "an RSA key below 2,048 bits";
	case SSH_KEY_MALFORMED:
		return "it is no key";
	case SSH_KEY_UNSUPPORTED:
	case SSH_KEY_BAD_SIGNATURE:
		break;
	}
	return "an algorithm that is not served, or not with this key";
}

/* ---- who may come in ---- */

static const char *
judge_key(const struct session *session, const struct keyring *ring,
    const uint8_t digest[PUBKEY_DIGEST_BYTES], struct keyring_verdict *verdict)
{
	switch (keyring_admit_digest(
	    ring, digest, &session->who.address, clock_wall_s(), verdict)) {
	case KEYRING_ADMITTED:
		return NULL;
	case KEYRING_UNKNOWN:
		return "no line has this key";
	case KEYRING_REFUSED:
		break;
	}
	return verdict->why;
}

static const char *
judge_certificate(struct session *session, const struct ssh_event *event,
    struct keyring_verdict *verdict)
{
	const struct ssh_certificate *certificate = event->auth.certificate;
	const struct session_certificate_asker asker = {
	    .address = &session->who.address,
	    .user = event->auth.user,
	    .now_s = clock_wall_s()};
	const char *why = session_certificate_check(certificate, &asker);

	if (session->certificate == NULL)
		return "no memory";
	if (why != NULL)
		return why;
	why = session_certificate_judge(
	    session->certificate, session->worker->snapshot, &asker, verdict);
	/* Both have to say that the token need not be touched. */
	verdict->touch_required |= !certificate->no_touch_required;
	verdict->verify_required |= certificate->verify_required;
	return why;
}

/* The first second in which it lets nobody in any more. */
static int64_t
end_of(const struct session *session, const struct keyring_verdict *verdict)
{
	int64_t end = INT64_MAX;

	if (verdict->expires_s != 0 && verdict->expires_s < INT64_MAX)
		end = verdict->expires_s + 1;
	if (session->certificate != NULL &&
	    session->certificate->valid_before_s < (uint64_t)end)
		end = (int64_t)session->certificate->valid_before_s;
	return end;
}

/* Who it is, if the proof holds; NULL, or why not. */
static const char *
admit(struct session *session, const struct ssh_event *event,
    const uint8_t digest[PUBKEY_DIGEST_BYTES], struct keyring_verdict *verdict)
{
	struct session_who *who = &session->who;
	const char *why = session_unusable(event);

	free(session->certificate);
	session->certificate =
	    event->auth.certificate == NULL
		? NULL
		: session_certificate_new(event->auth.certificate);
	if (why == NULL && event->auth.certificate != NULL)
		why = judge_certificate(session, event, verdict);
	else if (why == NULL)
		why = judge_key(
		    session, session->worker->snapshot->ring, digest, verdict);
	if (why != NULL || !event->auth.is_proof)
		return why;
	free(who->identity);
	who->identity = strdup(verdict->identity);
	memcpy(who->key, digest, sizeof who->key);
	session->entry = verdict->entry;
	session->ends_s = end_of(session, verdict);
	return who->identity == NULL ? "no memory" : NULL;
}

const char *
session_auth_fault(enum ssh_auth_outcome outcome)
{
	static const char *const faults[] = {
	    [SSH_AUTH_REFUSED] = "refused",
	    [SSH_AUTH_BAD_SIGNATURE] = "the signature is not this key's",
	    [SSH_AUTH_NOT_CERTIFIED] =
		"the authority's signature of the certificate does not match",
	    [SSH_AUTH_NOT_TOUCHED] = "the token was not touched",
	    [SSH_AUTH_NOT_VERIFIED] =
		"the token asked for neither PIN nor fingerprint",
	};

	return faults[outcome];
}

void
session_on_auth(struct session *session, const struct ssh_event *event)
{
	uint64_t wait_ms;
	struct keyring_verdict verdict = {.why = ""};
	const char *why;
	enum ssh_auth_outcome outcome;
	struct ssh_auth_terms terms;
	struct offer offer;

	if (session_is_for_enrolling(event->auth.user)) {
		session_enroll_on_auth(session, event);
		return;
	}
	keep_offer(&offer, event);
	why = admit(session, event, offer.digest, &verdict);
	terms = (struct ssh_auth_terms){
	    .no_touch_required = !verdict.touch_required,
	    .verify_required = verdict.verify_required,
	};
	wait_ms = why == NULL ? 0 : begin_waiting(session, offer.digest);
	if (wait_ms > 0) {
		log_refusal(session, &offer, why, wait_ms);
		return;
	}
	outcome = ssh_conn_auth_answer(session->conn,
	    why == NULL ? SSH_AUTH_ALLOW : SSH_AUTH_REFUSE, &terms,
	    worker_now_ms(session->worker));
	if (outcome == SSH_AUTH_ACCEPTED) {
		session->who.has_key = true;
		forgive(session);
	}
	if (outcome == SSH_AUTH_ACCEPTED || outcome == SSH_AUTH_SAID_SO)
		return;
	if (outcome == SSH_AUTH_BAD_SIGNATURE)
		(void)session_count_refusal(session, session->who.key);
	log_refusal(session, &offer,
	    why != NULL ? why : session_auth_fault(outcome), 0);
}

/* The connections before of this key may be half dead. */
static void
probe_others(struct session *session)
{
	struct worker *worker = session->worker;
	struct roster_place others[PROBES_MAX];
	size_t count;

	session->roster = (struct roster_node){
	    .key = session->who.key,
	    .identity = session->who.identity,
	    .ticket = session->ticket,
	    .worker = worker->index,
	};
	count = roster_enter(
	    worker->team->roster, &session->roster, others, PROBES_MAX);
	for (size_t i = 0; i < count; i++)
		worker_probe(worker, &others[i]);
	if (session->certificate != NULL)
		session_certificate_enter(session->certificate,
		    worker->team->names, session->who.identity);
}

void
session_on_accepted(struct session *session)
{
	struct ssh_conn_facts facts;
	struct witness witness;

	session->heard_ms = worker_now_ms(session->worker);
	session_set_state(session, SESSION_OPEN);
	atomic_fetch_add(&session->worker->counts->accepted, 1);
	probe_others(session);
	session_witness(
	    &witness, WITNESS_CONNECT, LOG_LEVEL_INFO, &session->who, "accept");
	ssh_conn_facts(session->conn, &facts);
	if (session->certificate != NULL)
		session_certificate_tell(session->certificate, &witness);
	witness_str(&witness, "client", facts.client_version);
	witness_str(&witness, "kex", facts.kex);
	witness_str(&witness, "cipher", facts.cipher_in);
	witness_send(&witness, &session->worker->monitor);
}

/* As it came in: by the same key or certificate, under the same name. */
static const char *
judge(const struct session *session, const struct snapshot *snapshot,
    struct keyring_verdict *verdict)
{
	const struct session_who *who = &session->who;
	const struct session_certificate_asker asker = {
	    .address = &who->address,
	    .user = span_of_str(who->identity),
	    .now_s = clock_wall_s()};
	const char *why =
	    session->certificate != NULL
		? session_certificate_judge(
		      session->certificate, snapshot, &asker, verdict)
		: judge_key(session, snapshot->ring, who->key, verdict);

	if (why == NULL && strcmp(verdict->identity, who->identity) != 0)
		why = "its line gives it another name";
	return why;
}

bool
session_judge_again(struct session *session, const struct snapshot *snapshot)
{
	static const char gone[] = "the key is not let in any more";
	struct keyring_verdict verdict;
	const char *why = judge(session, snapshot, &verdict);
	char said[sizeof gone + 2 + sizeof verdict.why];

	if (why == NULL) {
		session->entry = verdict.entry;
		session->ends_s = end_of(session, &verdict);
		return true;
	}
	/* The peer is told no more than that. */
	snprintf(said, sizeof said, "%s: %s", gone, why);
	session->said = strdup(said);
	session_disconnect(session, SSH_DISCONNECT_BY_APPLICATION, gone);
	return false;
}

void
session_on_snapshot(struct session *session, struct snapshot *snapshot)
{
	if (session->state == SESSION_OPEN &&
	    session_judge_again(session, snapshot))
		pipes_on_snapshot(session);
}
