#include "ssh_conn_private.h"

#include "sha256.h"

#include <assert.h>
#include <stdlib.h>

void
ssh_exchange_free(struct ssh_exchange *exchange)
{
	if (exchange == NULL)
		return;
	buf_fini(&exchange->client_init);
	buf_fini(&exchange->server_init);
	buf_fini(&exchange->share);
	buf_fini_wipe(&exchange->secret);
	buf_fini(&exchange->deferred);
	explicit_bzero(exchange, sizeof *exchange);
	free(exchange);
}

void
ssh_exchange_start(struct ssh_conn *conn)
{
	struct ssh_exchange *exchange = calloc(1, sizeof *exchange);
	struct buf *out;

	if (exchange == NULL) {
		ssh_conn_break(conn, "out of memory");
		return;
	}
	buf_init(&exchange->client_init, SSH_PACKET_MAX);
	buf_init(&exchange->server_init, SSH_PACKET_MAX);
	buf_init(&exchange->share, SSH_PACKET_MAX);
	buf_init(&exchange->secret, SSH_PACKET_MAX);
	buf_init(&exchange->deferred, SSH_DEFERRED_MAX);
	ssh_kexinit_encode(conn, &exchange->server_init);
	if (exchange->server_init.failed) {
		ssh_exchange_free(exchange);
		ssh_conn_break(conn, "out of memory or of random numbers");
		return;
	}
	conn->exchange = exchange;
	/* A peer must not hold an exchange open for ever. */
	if (conn->is_accepted)
		conn->deadline_ms = conn->now_ms + conn->setup->login_grace_ms;
	out = ssh_packet_begin(conn, SSH_MSG_KEXINIT);
	wire_put_bytes(out, span_of(buf_span(&exchange->server_init).data + 1,
				buf_len(&exchange->server_init) - 1));
	ssh_packet_end(conn, out);
}

void
ssh_exchange_check(struct ssh_conn *conn)
{
	uint64_t max = conn->setup->rekey_bytes;

	if (conn->state != SSH_STATE_OPEN || conn->exchange != NULL)
		return;
	if ((max > 0 && (conn->key_in >= max || conn->key_out >= max)) ||
	    conn->packets_in >= SSH_REKEY_PACKETS ||
	    conn->packets_out >= SSH_REKEY_PACKETS)
		ssh_exchange_start(conn);
}

void
ssh_conn_rekey(struct ssh_conn *conn)
{
	if (conn->state == SSH_STATE_OPEN && conn->exchange == NULL)
		ssh_exchange_start(conn);
}

void
ssh_exchange_on_kexinit(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	if (conn->exchange == NULL) {
		ssh_exchange_start(conn);
		if (conn->exchange == NULL)
			return;
	}
	if (!ssh_kexinit_negotiate(conn, message))
		return;
	if (conn->key_exchanges == 0 && conn->is_strict &&
	    conn->packets_in != 1) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "KEXINIT was not the first packet, in spite of strict key "
		    "exchange");
		return;
	}
	wire_put_bytes(&conn->exchange->client_init, message->payload);
	if (conn->exchange->client_init.failed) {
		ssh_conn_break(conn, "out of memory");
		return;
	}
	conn->resume =
	    conn->state == SSH_STATE_KEXINIT ? SSH_STATE_SERVICE : conn->state;
	ssh_state_set(conn, SSH_STATE_ECDH_INIT);
}

/* RFC 4253 section 8, RFC 5656 section 4: the exchange hash. */
static bool
make_hash(struct ssh_conn *conn, struct span client_share)
{
	struct ssh_exchange *x = conn->exchange;
	struct buf text;
	bool is_made;

	buf_init(&text, (size_t)4 * SSH_PACKET_MAX);
	/* In one piece, so that the secret does not stay behind on the heap. */
	(void)buf_reserve(&text,
	    1024 + buf_len(&x->client_init) + buf_len(&x->server_init) +
		conn->setup->host_keys[x->choice.host_key].len +
		client_share.len + buf_len(&x->share) + buf_len(&x->secret));
	wire_put_cstring32(&text, conn->client_version);
	wire_put_cstring32(&text, conn->setup->version);
	wire_put_string32(&text, buf_span(&x->client_init));
	wire_put_string32(&text, buf_span(&x->server_init));
	wire_put_string32(&text, conn->setup->host_keys[x->choice.host_key]);
	wire_put_string32(&text, client_share);
	wire_put_string32(&text, buf_span(&x->share));
	wire_put_bytes(&text, buf_span(&x->secret));
	is_made = !text.failed && sha256_of(buf_span(&text), x->hash) == 0;
	buf_fini_wipe(&text);
	return is_made;
}

static void
on_share(
    struct ssh_conn *conn, struct span client_share, struct ssh_event *event)
{
	struct ssh_exchange *x = conn->exchange;

	switch (ssh_kex_reply(
	    conn->engine, x->choice.kex, client_share, &x->share, &x->secret)) {
	case SSH_KEX_OK:
		break;
	case SSH_KEX_BAD_SHARE:
		ssh_conn_fail(conn, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
		    "the client's share is no good for %s",
		    ssh_kex_name(x->choice.kex));
		return;
	case SSH_KEX_FAILED:
		ssh_conn_break(conn, "libcrypto could not exchange keys");
		return;
	}
	if (!make_hash(conn, client_share)) {
		ssh_conn_break(conn, "out of memory");
		return;
	}
	buf_fini(&x->client_init);
	buf_fini(&x->server_init);
	if (conn->key_exchanges == 0)
		memcpy(conn->session_id, x->hash, sizeof x->hash);
	ssh_state_set(conn, SSH_STATE_SIGNING);
	event->kind = SSH_EVENT_SIGN;
	event->sign.host_key = x->choice.host_key;
	event->sign.algorithm =
	    ssh_host_algorithm_name(x->choice.host_algorithm);
	event->sign.hash = span_of(x->hash, sizeof x->hash);
}

void
ssh_exchange_on_ecdh_init(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	struct span body = message->body, client_share;

	if (!wire_take_string32(&body, &client_share) || body.len > 0)
		ssh_message_malformed(conn, message);
	else
		on_share(conn, client_share, event);
}

/* RFC 4253 section 7.2.  The letters are those of IV, key and MAC key. */
static int
derive(struct ssh_conn *conn, uint8_t cipher, uint8_t mac,
    const char letters[3], struct ssh_direction *direction)
{
	struct ssh_exchange *x = conn->exchange;
	struct span secret = buf_span(&x->secret);
	struct span session = span_of(conn->session_id, SSH_KEX_HASH_BYTES);
	const struct ssh_cipher_facts *facts = ssh_cipher_facts(cipher);

	*direction = (struct ssh_direction){.cipher = cipher, .mac = mac};
	if (ssh_kex_derive(secret, x->hash, session, letters[0], direction->iv,
		facts->iv_bytes) != 0 ||
	    ssh_kex_derive(secret, x->hash, session, letters[1], direction->key,
		facts->key_bytes) != 0)
		return -1;
	if (mac == SSH_MAC_NONE)
		return 0;
	return ssh_kex_derive(secret, x->hash, session, letters[2],
	    direction->mac_key, ssh_mac_facts(mac)->key_bytes);
}

/* Send NEWKEYS under the old keys; what follows goes under the new ones. */
static bool
send_newkeys(struct ssh_conn *conn)
{
	struct ssh_exchange *x = conn->exchange;
	struct ssh_direction next;
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_NEWKEYS);
	bool is_derived;

	ssh_packet_end(conn, out);
	is_derived = derive(conn, x->choice.cipher_out, x->choice.mac_out,
			 "BDF", &next) == 0 &&
		     derive(conn, x->choice.cipher_in, x->choice.mac_in, "ACE",
			 &x->next_in) == 0;
	if (!is_derived)
		ssh_conn_break(conn, "libcrypto could not derive keys");
	else if (conn->state != SSH_STATE_GONE) {
		next.sequence = conn->is_strict ? 0 : conn->out.sequence;
		conn->out = next;
		conn->key_out = 0;
		conn->packets_out = 0;
		x->has_sent_newkeys = true;
	}
	explicit_bzero(&next, sizeof next);
	buf_fini_wipe(&x->secret);
	return x->has_sent_newkeys;
}

/* RFC 8308: which user key signatures we verify. */
static void
send_ext_info(struct ssh_conn *conn)
{
	struct span plain = span_of_str(ssh_key_signature_algorithms());
	struct span certified = span_of_str(ssh_certificate_algorithms());
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_EXT_INFO);

	wire_put_u32(out, 1);
	wire_put_cstring32(out, "server-sig-algs");
	wire_put_u32(out, (uint32_t)(plain.len + 1 + certified.len));
	wire_put_bytes(out, plain);
	wire_put_u8(out, ',');
	wire_put_bytes(out, certified);
	ssh_packet_end(conn, out);
}

void
ssh_conn_signed(struct ssh_conn *conn, struct span signature, uint64_t now_ms)
{
	struct ssh_exchange *x = conn->exchange;
	struct buf *out;

	conn->now_ms = now_ms;
	if (conn->state == SSH_STATE_GONE)
		return;
	assert(conn->state == SSH_STATE_SIGNING);
	if (signature.len == 0) {
		ssh_conn_fail(conn, SSH_DISCONNECT_KEY_EXCHANGE_FAILED,
		    "the host key could not sign");
		return;
	}
	out = ssh_packet_begin(conn, SSH_MSG_KEX_ECDH_REPLY);
	wire_put_string32(out, conn->setup->host_keys[x->choice.host_key]);
	wire_put_string32(out, buf_span(&x->share));
	wire_put_string32(out, signature);
	ssh_packet_end(conn, out);
	if (!send_newkeys(conn))
		return;
	ssh_state_set(conn, SSH_STATE_NEWKEYS);
	if (conn->key_exchanges == 0 && conn->wants_ext_info)
		send_ext_info(conn);
	ssh_packet_flush(conn);
	ssh_channel_flush(conn);
	conn->tells_writable = conn->is_accepted;
}

void
ssh_exchange_on_newkeys(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	struct ssh_exchange *x = conn->exchange;

	if (message->body.len > 0) {
		ssh_message_malformed(conn, message);
		return;
	}
	x->next_in.sequence = conn->is_strict ? 0 : conn->in.sequence;
	conn->in = x->next_in;
	conn->choice = x->choice;
	conn->key_in = 0;
	conn->packets_in = 0;
	conn->key_exchanges++;
	ssh_exchange_free(x);
	conn->exchange = NULL;
	ssh_state_set(conn, conn->resume);
}
