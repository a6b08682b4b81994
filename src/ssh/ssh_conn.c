#include "ssh_conn_private.h"

#include "str.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { WHY_MAX = 256 };

void
ssh_setup_init(struct ssh_setup *setup)
{
	*setup = (struct ssh_setup){
	    .version = "SSH-2.0-kaya_" KAYA_VERSION,
	    .window_bytes = 256 * 1024,
	    .max_channels = 16,
	    .max_auth_tries = 6,
	    .login_grace_ms = 60 * 1000,
	    .question_ms = 120 * 1000,
	    .rekey_bytes = UINT64_C(1) << 30,
	    .rekey_ms = UINT64_C(60) * 60 * 1000,
	    .output_max = 512 * 1024,
	};
}

/* ---- states ---- */

#define TO(state) (1u << SSH_STATE_##state)

/* From everywhere the way to GONE is open. */
static const struct {
	const char *name;
	uint32_t successors; /* bits of enum ssh_state */
} states[SSH_STATE_COUNT] = {
    [SSH_STATE_VERSION] = {"version exchange", TO(KEXINIT)},
    [SSH_STATE_KEXINIT] = {"waiting for KEXINIT", TO(ECDH_INIT)},
    [SSH_STATE_ECDH_INIT] = {"waiting for KEX_ECDH_INIT", TO(SIGNING)},
    [SSH_STATE_SIGNING] = {"host key signs", TO(NEWKEYS)},
    [SSH_STATE_NEWKEYS] = {"waiting for NEWKEYS",
	TO(SERVICE) | TO(AUTH) | TO(QUESTION) | TO(OPEN)},
    [SSH_STATE_SERVICE] = {"waiting for SERVICE_REQUEST",
	TO(AUTH) | TO(ECDH_INIT)},
    [SSH_STATE_AUTH] = {"authentication",
	TO(ASKED) | TO(QUESTION) | TO(ECDH_INIT)},
    [SSH_STATE_ASKED] = {"key or reply is judged", TO(AUTH) | TO(OPEN)},
    [SSH_STATE_QUESTION] = {"waiting for a reply",
	TO(AUTH) | TO(ASKED) | TO(ECDH_INIT)},
    [SSH_STATE_OPEN] = {"open", TO(ECDH_INIT)},
    [SSH_STATE_GONE] = {"gone", 0},
};

const char *
ssh_state_name(enum ssh_state state)
{
	return states[state].name;
}

void
ssh_state_set(struct ssh_conn *conn, enum ssh_state state)
{
	const struct ssh_setup *setup = conn->setup;

	if (conn->state == SSH_STATE_GONE)
		return;
	assert(state == SSH_STATE_GONE ||
	       (states[conn->state].successors & 1u << state) != 0);
	conn->state = (uint8_t)state;
	/*
	 * Up to ACCEPTED the login grace stands, which began with the
	 * connection; an exchange arms its own when it starts.
	 */
	if (state == SSH_STATE_GONE)
		conn->deadline_ms = UINT64_MAX;
	else if (state == SSH_STATE_OPEN)
		conn->deadline_ms = setup->rekey_ms == 0
					? UINT64_MAX
					: conn->now_ms + setup->rekey_ms;
}

/* ---- the end ---- */

static void
go(struct ssh_conn *conn, enum ssh_disconnect reason, const char *why)
{
	if (conn->state == SSH_STATE_GONE)
		return;
	ssh_state_set(conn, SSH_STATE_GONE);
	conn->gone_reason = (uint8_t)reason;
	conn->why = strdup(why);
}

void
ssh_conn_break(struct ssh_conn *conn, const char *why)
{
	go(conn, SSH_DISCONNECT_CONNECTION_LOST, why);
}

static void
send_disconnect(
    struct ssh_conn *conn, enum ssh_disconnect reason, const char *why)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_DISCONNECT);

	wire_put_u32(out, reason);
	wire_put_cstring32(out, why);
	wire_put_cstring32(out, "");
	ssh_packet_end(conn, out);
}

void
ssh_conn_fail(
    struct ssh_conn *conn, enum ssh_disconnect reason, const char *format, ...)
{
	char why[WHY_MAX];
	va_list args;

	if (conn->state == SSH_STATE_GONE)
		return;
	va_start(args, format);
	vsnprintf(why, sizeof why, format, args);
	va_end(args);
	send_disconnect(conn, reason, why);
	go(conn, reason, why);
}

void
ssh_conn_disconnect(
    struct ssh_conn *conn, enum ssh_disconnect reason, const char *why)
{
	ssh_conn_fail(conn, reason, "%s", why);
}

void
ssh_conn_gone_by_peer(struct ssh_conn *conn, uint32_t reason, struct span why)
{
	char text[WHY_MAX];

	/* Only the codes of RFC 4253 have a meaning. */
	if (reason == 0 || reason > 15)
		reason = SSH_DISCONNECT_BY_APPLICATION;
	conn->is_gone_by_peer = true;
	go(conn, (enum ssh_disconnect)reason,
	    str_escape(why, text, sizeof text));
}

/* ---- life ---- */

struct ssh_conn *
ssh_conn_new(
    const struct ssh_setup *setup, struct ssh_engine *engine, uint64_t now_ms)
{
	struct ssh_conn *conn = calloc(1, sizeof *conn);

	if (conn == NULL)
		return NULL;
	conn->setup = setup;
	conn->engine = engine;
	conn->now_ms = now_ms;
	conn->grace_ms = setup->login_grace_ms;
	conn->deadline_ms = now_ms + conn->grace_ms;
	buf_init(&conn->output, setup->output_max);
	ssh_version_send(conn);
	ssh_exchange_start(conn);
	if (conn->state == SSH_STATE_GONE || conn->output.failed) {
		ssh_conn_free(conn);
		return NULL;
	}
	return conn;
}

void
ssh_conn_free(struct ssh_conn *conn)
{
	if (conn == NULL)
		return;
	buf_fini(&conn->output);
	ssh_exchange_free(conn->exchange);
	ssh_auth_free(conn->auth);
	ssh_proven_free(conn->proven);
	free(conn->certified);
	free(conn->channels);
	free(conn->client_version);
	free(conn->why);
	explicit_bzero(conn, sizeof *conn);
	free(conn);
}

struct buf *
ssh_conn_output(struct ssh_conn *conn)
{
	return &conn->output;
}

bool
ssh_conn_is_waiting(const struct ssh_conn *conn)
{
	return conn->state == SSH_STATE_SIGNING ||
	       conn->state == SSH_STATE_ASKED;
}

/* ---- the loop ---- */

/* Events that come from no message of the peer. */
static bool
take_pending(struct ssh_conn *conn, struct ssh_event *event)
{
	if (conn->state == SSH_STATE_GONE) {
		event->kind = SSH_EVENT_GONE;
		event->gone.reason = conn->gone_reason;
		event->gone.by_peer = conn->is_gone_by_peer;
		event->gone.why =
		    conn->why != NULL ? conn->why : "out of memory";
	} else if (conn->tells_accepted) {
		conn->tells_accepted = false;
		event->kind = SSH_EVENT_ACCEPTED;
	} else if (conn->tells_writable) {
		conn->tells_writable = false;
		event->kind = SSH_EVENT_WRITABLE;
		event->channel = SSH_CHANNEL_ALL;
	}
	return event->kind != SSH_EVENT_NONE;
}

void
ssh_conn_step(struct ssh_conn *conn, struct ssh_input *in, uint64_t now_ms,
    struct ssh_event *event)
{
	conn->now_ms = now_ms;
	*event = (struct ssh_event){.kind = SSH_EVENT_NONE};
	while (!take_pending(conn, event)) {
		struct span payload = {0};
		enum ssh_read result;

		if (ssh_conn_is_waiting(conn))
			return;
		if (conn->state == SSH_STATE_VERSION) {
			result = ssh_version_read(conn, in);
		} else {
			result = ssh_packet_read(conn, in, &payload);
			if (result == SSH_READ_DONE) {
				ssh_message_dispatch(conn, payload, event);
				ssh_exchange_check(conn);
			}
		}
		if (result == SSH_READ_MORE || event->kind != SSH_EVENT_NONE)
			return;
	}
}

uint64_t
ssh_conn_deadline_ms(const struct ssh_conn *conn)
{
	return conn->deadline_ms;
}

void
ssh_conn_on_deadline(struct ssh_conn *conn, uint64_t now_ms)
{
	conn->now_ms = now_ms;
	if (now_ms < conn->deadline_ms)
		return;
	if (!conn->is_accepted)
		ssh_conn_fail(conn, SSH_DISCONNECT_BY_APPLICATION,
		    "not authenticated within %u s (state: %s)",
		    (unsigned)(conn->grace_ms / 1000),
		    ssh_state_name(conn->state));
	else if (conn->exchange != NULL)
		ssh_conn_fail(conn, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
		    "no new keys within %u s (state: %s)",
		    conn->setup->login_grace_ms / 1000,
		    ssh_state_name(conn->state));
	else
		ssh_exchange_start(conn);
}

/* ---- what was agreed ---- */

static const char *
mac_name(uint8_t cipher, uint8_t mac)
{
	return ssh_cipher_facts(cipher)->is_aead ? "implicit"
						 : ssh_mac_facts(mac)->name;
}

void
ssh_conn_facts(const struct ssh_conn *conn, struct ssh_conn_facts *facts)
{
	const struct ssh_choice *choice = &conn->choice;

	*facts = (struct ssh_conn_facts){
	    .state = ssh_state_name(conn->state),
	    .kex = "none",
	    .cipher_in = "none",
	    .cipher_out = "none",
	    .mac_in = "none",
	    .mac_out = "none",
	    .host_key = "none",
	    .client_version =
		conn->client_version == NULL ? "" : conn->client_version,
	    .bytes_in = conn->data_in,
	    .bytes_out = conn->data_out,
	    .key_exchanges = conn->key_exchanges,
	    .is_strict = conn->is_strict,
	};
	if (conn->key_exchanges == 0)
		return;
	facts->kex = ssh_kex_name(choice->kex);
	facts->cipher_in = ssh_cipher_facts(choice->cipher_in)->name;
	facts->cipher_out = ssh_cipher_facts(choice->cipher_out)->name;
	facts->mac_in = mac_name(choice->cipher_in, choice->mac_in);
	facts->mac_out = mac_name(choice->cipher_out, choice->mac_out);
	facts->host_key = ssh_host_algorithm_name(choice->host_algorithm);
}
