#include "ssh_conn_private.h"

#include "sha256.h"

#include <assert.h>
#include <stdlib.h>

/* A publickey request that is being judged. */
struct ssh_auth {
	struct buf text; /* session id and payload: what is signed */
	size_t signed_len; /* of `text` */
	struct span user, algorithm, blob, signature; /* within `text` */
	enum ssh_key_verdict verdict; /* of ssh_key_check */
	bool is_proof;
	/* What ssh_certificate_parse says, where the algorithm is one's. */
	bool is_certificate;
	enum ssh_certificate_verdict certified;
	struct ssh_certificate certificate;
};

void
ssh_auth_free(struct ssh_auth *auth)
{
	if (auth == NULL)
		return;
	buf_fini(&auth->text);
	ssh_certificate_fini(&auth->certificate);
	free(auth);
}

static void
forget_request(struct ssh_conn *conn)
{
	ssh_auth_free(conn->auth);
	conn->auth = NULL;
}

void
ssh_auth_on_service_request(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	struct span body = message->body, name;
	struct buf *out;

	if (!wire_take_string32(&body, &name) || body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (!span_is(name, "ssh-userauth")) {
		ssh_conn_fail(conn, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    "only the service ssh-userauth can be asked for here");
		return;
	}
	out = ssh_packet_begin(conn, SSH_MSG_SERVICE_ACCEPT);
	wire_put_string32(out, name);
	ssh_packet_end(conn, out);
	if (conn->state == SSH_STATE_SERVICE)
		ssh_state_set(conn, SSH_STATE_AUTH);
}

void
ssh_auth_send_failure(struct ssh_conn *conn, enum ssh_success success)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_USERAUTH_FAILURE);

	wire_put_cstring32(
	    out, conn->proven == NULL ? "publickey" : "keyboard-interactive");
	wire_put_u8(out, success == SSH_SUCCESS_PARTIAL);
	ssh_packet_end(conn, out);
}

/* A try that failed: not a mere probe. */
void
ssh_auth_fail_try(struct ssh_conn *conn)
{
	if (++conn->tries >= conn->setup->max_auth_tries)
		ssh_conn_fail(conn, SSH_DISCONNECT_NO_MORE_AUTH_METHODS,
		    "%u tries to authenticate failed", conn->tries);
	else
		ssh_auth_send_failure(conn, SSH_SUCCESS_NONE);
}

/*
 * RFC 4252 section 7.  The request's text is kept with the session id before
 * it, as the signature has it; the spans point into that.
 */
static bool
parse_publickey(const struct ssh_conn *conn, struct ssh_auth *auth)
{
	struct span text = buf_span(&auth->text), skipped;
	uint8_t has_signature;

	if (!wire_take_bytes(&text, 4 + SSH_KEX_HASH_BYTES + 1, &skipped) ||
	    !wire_take_string32(&text, &auth->user) ||
	    !wire_take_string32(&text, &skipped) || /* service */
	    !wire_take_string32(&text, &skipped) || /* method */
	    !wire_take_u8(&text, &has_signature) ||
	    !wire_take_string32(&text, &auth->algorithm) ||
	    !wire_take_string32(&text, &auth->blob))
		return false;
	auth->is_proof = has_signature != 0;
	auth->signed_len = buf_len(&auth->text) - text.len;
	if (auth->is_proof && !wire_take_string32(&text, &auth->signature))
		return false;
	return text.len == 0;
}

/* What the signature is by: the key, or that which the certificate certifies.
 */
static void
find_key(const struct ssh_auth *auth, struct span *algorithm, struct span *key)
{
	*algorithm = auth->algorithm;
	*key = auth->blob;
	if (!auth->is_certificate)
		return;
	*algorithm = span_of_str(auth->certificate.algorithm);
	*key = buf_span(&auth->certificate.key);
}

static void
judge_key(struct ssh_auth *auth)
{
	auth->is_certificate = ssh_certificate_is(auth->algorithm);
	if (!auth->is_certificate) {
		auth->verdict = ssh_key_check(auth->algorithm, auth->blob);
		return;
	}
	auth->certified = ssh_certificate_parse(
	    auth->algorithm, auth->blob, &auth->certificate);
	if (auth->certified != SSH_CERTIFICATE_GOOD)
		auth->verdict = SSH_KEY_UNSUPPORTED;
}

static void
on_publickey(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct ssh_auth *auth = calloc(1, sizeof *auth);

	if (auth == NULL) {
		ssh_conn_break(conn, "out of memory");
		return;
	}
	conn->auth = auth;
	buf_init(&auth->text, 2 * SSH_PACKET_MAX);
	wire_put_string32(
	    &auth->text, span_of(conn->session_id, SSH_KEX_HASH_BYTES));
	wire_put_bytes(&auth->text, message->payload);
	if (auth->text.failed) {
		forget_request(conn);
		ssh_conn_break(conn, "out of memory");
		return;
	}
	if (!parse_publickey(conn, auth)) {
		forget_request(conn);
		ssh_message_malformed(conn, message);
		return;
	}
	judge_key(auth);
	if (auth->certified == SSH_CERTIFICATE_NO_MEMORY) {
		forget_request(conn);
		ssh_conn_break(conn, "out of memory");
		return;
	}
	ssh_state_set(conn, SSH_STATE_ASKED);
	event->kind = SSH_EVENT_AUTH;
	event->auth.user = auth->user;
	event->auth.algorithm = auth->algorithm;
	event->auth.blob = auth->blob;
	event->auth.is_proof = auth->is_proof;
	event->auth.verdict = auth->verdict;
	event->auth.certified = auth->certified;
	event->auth.certificate =
	    auth->certificate.algorithm == NULL ? NULL : &auth->certificate;
}

void
ssh_auth_on_request(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, user, service, method;

	if (conn->is_accepted)
		return;
	if (!wire_take_string32(&body, &user) ||
	    !wire_take_string32(&body, &service) ||
	    !wire_take_string32(&body, &method)) {
		ssh_message_malformed(conn, message);
		return;
	}
	if (!span_is(service, "ssh-connection")) {
		ssh_conn_fail(conn, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE,
		    "there is no service but ssh-connection");
		return;
	}
	if (++conn->auth_requests > SSH_AUTH_REQUESTS_MAX)
		ssh_conn_fail(conn, SSH_DISCONNECT_NO_MORE_AUTH_METHODS,
		    "%u requests to authenticate, and none was good",
		    SSH_AUTH_REQUESTS_MAX);
	else if (conn->proven != NULL)
		ssh_auth_question_on_request(conn, message,
		    &(struct ssh_proven_request){user, method, body});
	else if (span_is(method, "none"))
		ssh_auth_send_failure(conn, SSH_SUCCESS_NONE);
	else if (span_is(method, "publickey") && user.len <= SSH_USER_MAX)
		on_publickey(conn, message, event);
	else
		ssh_auth_fail_try(conn);
}

static void
send_pk_ok(struct ssh_conn *conn, const struct ssh_auth *auth)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_USERAUTH_PK_OK);

	wire_put_string32(out, auth->algorithm);
	wire_put_string32(out, auth->blob);
	ssh_packet_end(conn, out);
}

/*
 * Once for each certificate: most clients ask first whether it would do, and
 * then prove it.  Where memory fails it is verified twice.
 */
static bool
is_certified(struct ssh_conn *conn, const struct ssh_auth *auth)
{
	uint8_t digest[SSH_KEX_HASH_BYTES];

	if (!auth->is_certificate)
		return true;
	if (sha256_of(auth->blob, digest) != 0)
		return false;
	if (conn->certified != NULL &&
	    memcmp(conn->certified, digest, sizeof digest) == 0)
		return true;
	if (ssh_certificate_verify(&auth->certificate) != SSH_CERTIFICATE_GOOD)
		return false;
	if (conn->certified == NULL)
		conn->certified = malloc(sizeof digest);
	if (conn->certified != NULL)
		memcpy(conn->certified, digest, sizeof digest);
	return true;
}

static enum ssh_auth_outcome
check_proof(const struct ssh_auth *auth, const struct ssh_auth_terms *terms)
{
	static const struct ssh_auth_terms defaults;
	struct ssh_key_presence presence = {0};
	struct span message =
	    span_of(buf_span(&auth->text).data, auth->signed_len);
	struct span algorithm, key;

	if (terms == NULL)
		terms = &defaults;
	find_key(auth, &algorithm, &key);
	if (ssh_key_verify(algorithm, key, auth->signature, message,
		&presence) != SSH_KEY_GOOD)
		return SSH_AUTH_BAD_SIGNATURE;
	if (!presence.is_token)
		return SSH_AUTH_ACCEPTED;
	if (!presence.touched && !terms->no_touch_required)
		return SSH_AUTH_NOT_TOUCHED;
	if (!presence.verified && terms->verify_required)
		return SSH_AUTH_NOT_VERIFIED;
	return SSH_AUTH_ACCEPTED;
}

static enum ssh_auth_outcome
judge(struct ssh_conn *conn, const struct ssh_auth *auth,
    const struct ssh_auth_terms *terms)
{
	if (!is_certified(conn, auth))
		return SSH_AUTH_NOT_CERTIFIED;
	return auth->is_proof ? check_proof(auth, terms) : SSH_AUTH_SAID_SO;
}

static void
accept(struct ssh_conn *conn)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_USERAUTH_SUCCESS);

	ssh_packet_end(conn, out);
	free(conn->certified);
	conn->certified = NULL;
	conn->is_accepted = true;
	conn->tells_accepted = true;
	ssh_state_set(conn, SSH_STATE_OPEN);
}

/* From now on the key is one of two parts. */
static enum ssh_auth_outcome
prove(struct ssh_conn *conn, const struct ssh_question *question)
{
	conn->proven =
	    ssh_proven_new(conn->auth->user, conn->auth->blob, question);
	if (conn->proven == NULL) {
		ssh_conn_break(conn, "out of memory");
		return SSH_AUTH_REFUSED;
	}
	ssh_state_set(conn, SSH_STATE_AUTH);
	ssh_auth_send_failure(conn, SSH_SUCCESS_PARTIAL);
	return SSH_AUTH_PROVEN;
}

static void
fail(struct ssh_conn *conn, enum ssh_auth_outcome outcome)
{
	ssh_state_set(conn, SSH_STATE_AUTH);
	if (outcome == SSH_AUTH_SAID_SO)
		send_pk_ok(conn, conn->auth);
	else if (conn->auth->is_proof)
		ssh_auth_fail_try(conn);
	else
		ssh_auth_send_failure(conn, SSH_SUCCESS_NONE);
}

enum ssh_auth_outcome
ssh_conn_auth_answer(struct ssh_conn *conn, enum ssh_auth_answer answer,
    const struct ssh_auth_terms *terms, uint64_t now_ms)
{
	struct ssh_auth *auth = conn->auth;
	enum ssh_auth_outcome outcome = SSH_AUTH_REFUSED;

	conn->now_ms = now_ms;
	if (conn->state == SSH_STATE_GONE)
		return outcome;
	assert(conn->state == SSH_STATE_ASKED);
	if (auth == NULL) {
		ssh_auth_question_refuse(conn);
		return outcome;
	}
	/* Whatever the caller thinks of a key that cannot be used. */
	if (answer != SSH_AUTH_REFUSE && auth->verdict == SSH_KEY_GOOD)
		outcome = judge(conn, auth, terms);
	if (outcome == SSH_AUTH_ACCEPTED && answer == SSH_AUTH_QUESTION)
		outcome = prove(conn, terms->question);
	else if (outcome == SSH_AUTH_ACCEPTED)
		accept(conn);
	else
		fail(conn, outcome);
	forget_request(conn);
	return outcome;
}

void
ssh_conn_banner(struct ssh_conn *conn, const char *text)
{
	struct buf *out;

	if (conn->is_accepted ||
	    (conn->state != SSH_STATE_AUTH && conn->state != SSH_STATE_ASKED))
		return;
	out = ssh_packet_begin(conn, SSH_MSG_USERAUTH_BANNER);
	wire_put_cstring32(out, text);
	wire_put_cstring32(out, "");
	ssh_packet_end(conn, out);
}
