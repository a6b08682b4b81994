#include "peer.h"

#include <stdlib.h>

enum { BIG = 64 * 1024 * 1024 };

/* ---- keys ---- */

static EVP_PKEY *
ed25519_from_seed(uint8_t first)
{
	uint8_t seed[32];

	memset(seed, first, sizeof seed);
	return EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed, sizeof seed);
}

static void
put_ed25519_blob(EVP_PKEY *pkey, struct buf *blob)
{
	uint8_t raw[32];
	size_t len = sizeof raw;

	assert_int_equal(EVP_PKEY_get_raw_public_key(pkey, raw, &len), 1);
	wire_put_cstring32(blob, "ssh-ed25519");
	wire_put_string32(blob, span_of(raw, len));
}

void
peer_put_signature(EVP_PKEY *pkey, struct span message, struct buf *blob)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t raw[64];
	size_t len = sizeof raw;

	assert_int_equal(EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey), 1);
	assert_int_equal(
	    EVP_DigestSign(ctx, raw, &len, message.data, message.len), 1);
	EVP_MD_CTX_free(ctx);
	wire_put_cstring32(blob, "ssh-ed25519");
	wire_put_string32(blob, span_of(raw, len));
}

/* ---- life ---- */

void
peer_init_setup(struct peer *p, const struct peer_options *options,
    const struct ssh_setup *setup)
{
	struct err err = ERR_INIT;

	*p = (struct peer){.now_ms = 1000, .answer = SSH_AUTH_ALLOW};
	if (options != NULL)
		p->options = *options;
	for (size_t i = 0; i < PEER_CHANNELS; i++)
		buf_init(&p->received[i], BIG);
	buf_init(&p->host_blob, 1000);
	buf_init(&p->user_blob, 1000);
	buf_init(&p->to_server, BIG);
	buf_init(&p->inbox, BIG);
	buf_init(&p->from_server, BIG);
	buf_init(&p->said, BIG);
	buf_init(&p->client_init, BIG);
	buf_init(&p->server_init, BIG);
	buf_init(&p->server_version, 1000);
	buf_init(&p->message, BIG);
	buf_init(&p->payload, BIG);
	p->host_pkey = ed25519_from_seed(1);
	p->user_pkey = ed25519_from_seed(2);
	put_ed25519_blob(p->host_pkey, &p->host_blob);
	put_ed25519_blob(p->user_pkey, &p->user_blob);
	p->setup = *setup;
	p->setup.host_keys[0] = buf_span(&p->host_blob);
	p->setup.host_key_count = 1;
	p->engine = ssh_engine_new(&err);
	p->own_engine = ssh_engine_new(&err);
	assert_non_null(p->engine);
	assert_non_null(p->own_engine);
	p->conn = ssh_conn_new(&p->setup, p->engine, p->now_ms);
	assert_non_null(p->conn);
}

void
peer_init(struct peer *p, const struct peer_options *options)
{
	struct ssh_setup setup;

	ssh_setup_init(&setup);
	peer_init_setup(p, options, &setup);
}

void
peer_fini(struct peer *p)
{
	ssh_conn_free(p->conn);
	ssh_engine_free(p->engine);
	ssh_engine_free(p->own_engine);
	EVP_PKEY_free(p->host_pkey);
	EVP_PKEY_free(p->user_pkey);
	EVP_PKEY_free(p->share);
	for (size_t i = 0; i < PEER_CHANNELS; i++)
		buf_fini(&p->received[i]);
	buf_fini(&p->host_blob);
	buf_fini(&p->user_blob);
	buf_fini(&p->to_server);
	buf_fini(&p->inbox);
	buf_fini(&p->from_server);
	buf_fini(&p->said);
	buf_fini(&p->client_init);
	buf_fini(&p->server_init);
	buf_fini(&p->server_version);
	buf_fini(&p->message);
	buf_fini(&p->payload);
}

bool
peer_try(struct peer *p, void (*talk)(struct peer *p))
{
	p->is_trying = true;
	if (setjmp(p->end) != 0) {
		p->is_trying = false;
		return false;
	}
	talk(p);
	p->is_trying = false;
	return true;
}

/* ---- the gateway's side ---- */

static void
enter(const struct peer *p)
{
	if (p->enter != NULL)
		p->enter();
}

static void
leave(const struct peer *p)
{
	if (p->leave != NULL)
		p->leave();
}

static void
note_event(struct peer *p, const struct ssh_event *event)
{
	struct peer_event *note = &p->events[p->event_count];

	assert_true(p->event_count < PEER_EVENTS);
	p->event_count++;
	*note =
	    (struct peer_event){.kind = event->kind, .channel = event->channel};
	if (event->kind == SSH_EVENT_GONE) {
		note->reason = event->gone.reason;
		note->by_peer = event->gone.by_peer;
		(void)span_to_str(span_of_str(event->gone.why), note->text,
		    sizeof note->text);
	} else if (event->kind == SSH_EVENT_SIGN) {
		note->channel = (uint32_t)event->sign.host_key;
		(void)span_to_str(span_of_str(event->sign.algorithm),
		    note->text, sizeof note->text);
	} else if (event->kind == SSH_EVENT_OPEN) {
		(void)span_to_str(
		    event->open.host, note->text, sizeof note->text);
	} else if (event->kind == SSH_EVENT_AUTH) {
		note->is_proof = event->auth.is_proof;
		(void)span_to_str(
		    event->auth.user, note->text, sizeof note->text);
		if (event->auth.certificate != NULL)
			(void)span_to_str(event->auth.certificate->key_id,
			    note->key_id, sizeof note->key_id);
	} else if (event->kind == SSH_EVENT_REPLY) {
		assert_true(
		    span_equal(event->reply.blob, buf_span(&p->user_blob)));
		(void)span_to_str(
		    event->reply.text, note->text, sizeof note->text);
	}
}

static void
on_event(struct peer *p, const struct ssh_event *event)
{
	struct buf signature;

	note_event(p, event);
	switch (event->kind) {
	case SSH_EVENT_SIGN:
		if (p->is_slow_signer)
			break;
		buf_init(&signature, 1000);
		peer_put_signature(p->host_pkey, event->sign.hash, &signature);
		enter(p);
		ssh_conn_signed(p->conn, buf_span(&signature), p->now_ms);
		leave(p);
		buf_fini(&signature);
		break;
	case SSH_EVENT_AUTH:
	case SSH_EVENT_REPLY:
		if (p->is_slow_judge)
			break;
		enter(p);
		ssh_conn_auth_answer(p->conn, p->answer, &p->terms, p->now_ms);
		leave(p);
		break;
	case SSH_EVENT_OPEN:
		if (p->is_slow_opener)
			break;
		enter(p);
		ssh_conn_open_confirm(p->conn, event->channel);
		leave(p);
		break;
	case SSH_EVENT_DATA:
		wire_put_bytes(
		    &p->received[event->channel % PEER_CHANNELS], event->data);
		if (p->is_slow_reader)
			break;
		enter(p);
		ssh_conn_consumed(p->conn, event->channel, event->data.len);
		leave(p);
		break;
	default:
		break;
	}
}

/* One read of a gateway: the bytes stand in memory of exactly their size. */
static void
step_all(struct peer *p)
{
	size_t len = buf_len(&p->inbox);
	uint8_t *bytes = malloc(len + 1);
	struct ssh_input in = {.data = bytes, .len = len};
	struct ssh_event event;

	assert_non_null(bytes);
	bytes = realloc(bytes, len == 0 ? 1 : len);
	in.data = bytes;
	if (len > 0)
		memcpy(bytes, buf_span(&p->inbox).data, len);
	do {
		enter(p);
		ssh_conn_step(p->conn, &in, p->now_ms, &event);
		leave(p);
		if (event.kind != SSH_EVENT_NONE)
			on_event(p, &event);
	} while (event.kind != SSH_EVENT_NONE && event.kind != SSH_EVENT_GONE);
	buf_truncate(&p->inbox, 0);
	if (event.kind != SSH_EVENT_GONE)
		wire_put_bytes(&p->inbox, span_of(in.data, in.len));
	free(bytes);
}

static void
collect_output(struct peer *p)
{
	struct buf *output = ssh_conn_output(p->conn);

	wire_put_bytes(&p->from_server, buf_span(output));
	buf_consume(output, buf_len(output));
}

void
peer_run(struct peer *p)
{
	do {
		size_t len = buf_len(&p->to_server);

		if (p->chunk > 0 && len > p->chunk)
			len = p->chunk;
		if (p->split_at > p->handed_over &&
		    len > p->split_at - p->handed_over)
			len = p->split_at - p->handed_over;
		if (p->cut_at > p->handed_over &&
		    len > p->cut_at - p->handed_over)
			len = p->cut_at - p->handed_over;
		wire_put_bytes(
		    &p->inbox, span_of(buf_span(&p->to_server).data, len));
		buf_consume(&p->to_server, len);
		p->handed_over += len;
		step_all(p);
		collect_output(p);
		if (p->is_trying && (p->handed_over == p->cut_at ||
					peer_event(p, SSH_EVENT_GONE) != NULL))
			longjmp(p->end, 1);
	} while (buf_len(&p->to_server) > 0);
}

/* ---- packets ---- */

void
peer_say_raw(struct peer *p, struct span bytes)
{
	wire_put_bytes(&p->to_server, bytes);
	wire_put_bytes(&p->said, bytes);
}

struct buf *
peer_begin(struct peer *p, uint8_t number)
{
	buf_truncate(&p->payload, 0);
	wire_put_u8(&p->payload, number);
	return &p->payload;
}

void
peer_send_it(struct peer *p)
{
	peer_send(p, buf_span(&p->payload));
}

void
peer_say(struct peer *p, struct span payload)
{
	size_t padding = ssh_cipher_padding(&p->out, payload.len);
	size_t tag = ssh_cipher_tag_bytes(&p->out);
	size_t length = 1 + payload.len + padding;
	uint8_t *packet = calloc(1, 4 + length + tag);

	assert_non_null(packet);
	wire_poke_u32(packet, (uint32_t)length);
	packet[4] = (uint8_t)padding;
	if (payload.len > 0)
		memcpy(packet + 5, payload.data, payload.len);
	assert_int_equal(
	    ssh_cipher_seal(p->own_engine, &p->out, packet, (uint32_t)length),
	    0);
	peer_say_raw(p, span_of(packet, 4 + length + tag));
	free(packet);
}

void
peer_send(struct peer *p, struct span payload)
{
	peer_say(p, payload);
	peer_run(p);
}

void
peer_send_byte(struct peer *p, uint8_t number)
{
	peer_send(p, span_of(&number, 1));
}

uint8_t
peer_read(struct peer *p)
{
	struct span from = buf_span(&p->from_server);
	size_t tag = ssh_cipher_tag_bytes(&p->in), total;
	uint8_t *packet, number;
	uint32_t length;

	buf_fini(&p->message);
	if (from.len == 0)
		return 0;
	assert_true(from.len >= ssh_cipher_head_bytes(&p->in));
	packet = p->from_server.mem + p->from_server.head;
	assert_int_equal(
	    ssh_cipher_length(p->own_engine, &p->in, packet, &length), 0);
	total = 4 + (size_t)length + tag;
	assert_true(from.len >= total); /* the server sends whole ones */
	assert_true(total <= SSH_PACKET_MAX);
	assert_int_equal(
	    ssh_cipher_open(p->own_engine, &p->in, packet, length), 0);
	assert_true(packet[4] >= 4);
	wire_put_bytes(
	    &p->message, span_of(packet + 5, length - 1 - packet[4]));
	number = packet[5];
	buf_consume(&p->from_server, total);
	if (number == SSH_MSG_KEXINIT) {
		peer_on_kexinit(p);
	} else if (number == SSH_MSG_KEX_ECDH_REPLY) {
		peer_on_reply(p);
	} else if (number == SSH_MSG_NEWKEYS) {
		assert_true(p->has_next);
		p->next_in.sequence = p->is_strict ? 0 : p->in.sequence;
		p->in = p->next_in;
	}
	return number;
}

struct span
peer_expect(struct peer *p, uint8_t number)
{
	struct span body;
	uint8_t got = peer_read(p);

	if (got != number) {
		const struct peer_event *gone = peer_event(p, SSH_EVENT_GONE);

		fail_msg("message %u (%s) where %u was expected; %s", got,
		    got == 0			    ? "silence"
		    : ssh_message_name(got) == NULL ? "?"
						    : ssh_message_name(got),
		    number, gone == NULL ? "alive" : gone->text);
	}
	if (number == 0)
		return span_of(NULL, 0);
	body = buf_span(&p->message);
	body.data++;
	body.len--;
	return body;
}

void
peer_expect_silence(struct peer *p)
{
	peer_expect(p, 0);
}
