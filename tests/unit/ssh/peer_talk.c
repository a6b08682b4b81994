#include "peer.h"

enum { PAYLOAD_MAX = 256 * 1024 };

/* ---- events ---- */

const struct peer_event *
peer_event(const struct peer *p, enum ssh_event_kind kind)
{
	for (size_t i = p->event_count; i > 0; i--)
		if (p->events[i - 1].kind == kind)
			return &p->events[i - 1];
	return NULL;
}

size_t
peer_count(const struct peer *p, enum ssh_event_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < p->event_count; i++)
		count += p->events[i].kind == kind;
	return count;
}

void
peer_forget_events(struct peer *p)
{
	p->event_count = 0;
}

void
peer_expect_gone(struct peer *p, enum ssh_disconnect reason)
{
	const struct peer_event *gone = peer_event(p, SSH_EVENT_GONE);
	struct span body, why;
	uint32_t code;
	uint8_t number;

	assert_non_null(gone);
	do
		number = peer_read(p);
	while (number != 0 && number != SSH_MSG_DISCONNECT);
	assert_int_equal(number, SSH_MSG_DISCONNECT);
	body = buf_span(&p->message);
	assert_true(wire_take_u8(&body, &number));
	assert_true(wire_take_u32(&body, &code));
	assert_true(wire_take_string32(&body, &why));
	if (code != reason)
		fail_msg("DISCONNECT %u in place of %u: %.*s", code, reason,
		    (int)why.len, (const char *)why.data);
	assert_int_equal(gone->reason, reason);
	assert_false(gone->by_peer);
	assert_true(span_is(why, gone->text));
	assert_true(why.len > 0);
	peer_expect_silence(p);
}

/* ---- key exchange ---- */

void
peer_finish_exchange(struct peer *p)
{
	peer_say_ecdh_init(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEX_ECDH_REPLY);
	peer_expect(p, SSH_MSG_NEWKEYS);
	peer_say_newkeys(p);
	p->has_next = false;
	peer_run(p);
}

void
peer_handshake(struct peer *p)
{
	const char *kex = p->options.kex;

	peer_say_version(p);
	peer_say_kexinit(p);
	peer_run(p);
	peer_read_version(p);
	peer_expect(p, SSH_MSG_KEXINIT);
	peer_finish_exchange(p);
	if (kex == NULL || strstr(kex, "ext-info-c") != NULL)
		peer_expect(p, SSH_MSG_EXT_INFO);
	peer_expect_silence(p);
}

void
peer_rekey(struct peer *p)
{
	peer_say_kexinit(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
	peer_finish_exchange(p);
}

/* ---- authentication ---- */

void
peer_to_auth(struct peer *p)
{
	peer_handshake(p);
	wire_put_cstring32(
	    peer_begin(p, SSH_MSG_SERVICE_REQUEST), "ssh-userauth");
	peer_send_it(p);
	peer_expect(p, SSH_MSG_SERVICE_ACCEPT);
}

void
peer_send_auth(struct peer *p, const struct peer_proof *proof)
{
	struct span session = proof->session_id.len > 0
				  ? proof->session_id
				  : span_of(p->session_id, 32);
	const char *algorithm =
	    proof->algorithm == NULL ? "ssh-ed25519" : proof->algorithm;
	struct buf *payload = peer_begin(p, SSH_MSG_USERAUTH_REQUEST);
	struct buf text, signature;

	wire_put_cstring32(payload, proof->user == NULL ? "dan" : proof->user);
	wire_put_cstring32(payload,
	    proof->service == NULL ? "ssh-connection" : proof->service);
	wire_put_cstring32(payload, "publickey");
	wire_put_u8(payload, proof->is_probe ? 0 : 1);
	wire_put_cstring32(payload, algorithm);
	wire_put_string32(payload,
	    proof->blob.len > 0 ? proof->blob : buf_span(&p->user_blob));
	if (proof->is_probe) {
		peer_send_it(p);
		return;
	}
	buf_init(&text, PAYLOAD_MAX);
	buf_init(&signature, 1000);
	wire_put_string32(&text, session);
	wire_put_bytes(&text, buf_span(payload));
	peer_put_signature(p->user_pkey, buf_span(&text), &signature);
	if (proof->is_damaged)
		signature.mem[signature.tail - 1] ^= 1;
	wire_put_string32(payload, buf_span(&signature));
	buf_fini(&signature);
	buf_fini(&text);
	peer_send_it(p);
}

void
peer_login(struct peer *p)
{
	peer_to_auth(p);
	peer_send_auth(p, &(struct peer_proof){0});
	peer_expect(p, SSH_MSG_USERAUTH_SUCCESS);
	assert_int_equal(peer_count(p, SSH_EVENT_ACCEPTED), 1);
}

/* ---- a question ---- */

void
peer_prove_part(struct peer *p)
{
	static const struct ssh_question question = {.name = "kaya",
	    .instruction = "The key SHA256:... is about to be let in.",
	    .prompt = PEER_PROMPT};
	struct span body, methods;
	uint8_t partial;

	p->answer = SSH_AUTH_QUESTION;
	p->terms.question = &question;
	peer_to_auth(p);
	peer_send_auth(p, &(struct peer_proof){.user = "enroll"});
	body = peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
	assert_true(wire_take_string32(&body, &methods));
	assert_true(wire_take_u8(&body, &partial));
	assert_int_equal(body.len, 0);
	assert_true(span_is(methods, "keyboard-interactive"));
	assert_int_equal(partial, 1);
	peer_expect_silence(p);
}

void
peer_ask_for_question(struct peer *p, const char *user)
{
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_REQUEST);

	wire_put_cstring32(out, user);
	wire_put_cstring32(out, "ssh-connection");
	wire_put_cstring32(out, "keyboard-interactive");
	wire_put_cstring32(out, "");
	wire_put_cstring32(out, "");
	peer_send_it(p);
}

void
peer_to_question(struct peer *p)
{
	peer_prove_part(p);
	peer_ask_for_question(p, "enroll");
	peer_expect(p, SSH_MSG_USERAUTH_INFO_REQUEST);
}

void
peer_send_reply(struct peer *p, const char *reply)
{
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_INFO_RESPONSE);

	wire_put_u32(out, 1);
	wire_put_cstring32(out, reply);
	peer_send_it(p);
}

/* ---- channels ---- */

void
peer_login_with(struct peer *p, uint32_t window, uint32_t max_channels)
{
	struct ssh_setup setup;

	ssh_setup_init(&setup);
	setup.window_bytes = window;
	setup.max_channels = max_channels;
	peer_init_setup(p, NULL, &setup);
	peer_login(p);
}

void
peer_send_open(struct peer *p, uint32_t client_id, const struct peer_open *open)
{
	const char *type = open->type == NULL ? "direct-tcpip" : open->type;
	struct buf *payload = peer_begin(p, SSH_MSG_CHANNEL_OPEN);

	wire_put_cstring32(payload, type);
	wire_put_u32(payload, client_id);
	wire_put_u32(payload, open->window);
	wire_put_u32(payload, open->max);
	if (strcmp(type, "direct-tcpip") == 0) {
		wire_put_cstring32(
		    payload, open->host == NULL ? "127.0.0.1" : open->host);
		wire_put_u32(payload, 1883);
		wire_put_cstring32(payload, "127.0.0.1");
		wire_put_u32(payload, 40000);
	}
	peer_send_it(p);
}

uint32_t
peer_open_channel(struct peer *p)
{
	uint32_t client_id, id;
	struct span body;
	uint8_t number;

	peer_send_open(p, 100,
	    &(struct peer_open){.window = 1 << 20, .max = SSH_DATA_MAX});
	number = peer_read(p);
	if (p->is_trying && number == SSH_MSG_CHANNEL_OPEN_FAILURE)
		longjmp(p->end, 1);
	assert_int_equal(number, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	body = buf_span(&p->message);
	assert_true(wire_take_u8(&body, &number));
	assert_true(wire_take_u32(&body, &client_id));
	assert_true(wire_take_u32(&body, &id));
	assert_int_equal(client_id, 100);
	return id;
}

void
peer_send_data(struct peer *p, uint32_t channel, struct span data)
{
	struct buf *payload = peer_begin(p, SSH_MSG_CHANNEL_DATA);

	wire_put_u32(payload, channel);
	wire_put_string32(payload, data);
	peer_send_it(p);
}

void
peer_send_channel(struct peer *p, uint8_t number, uint32_t channel)
{
	uint8_t payload[5] = {number};

	wire_poke_u32(payload + 1, channel);
	peer_send(p, span_of(payload, sizeof payload));
}

void
peer_send_adjust(struct peer *p, uint32_t channel, uint32_t more)
{
	uint8_t payload[9] = {SSH_MSG_CHANNEL_WINDOW_ADJUST};

	wire_poke_u32(payload + 1, channel);
	wire_poke_u32(payload + 5, more);
	peer_send(p, span_of(payload, sizeof payload));
}

void
peer_send_extended(struct peer *p, uint32_t id, struct span data)
{
	struct buf *out = peer_begin(p, SSH_MSG_CHANNEL_EXTENDED_DATA);

	wire_put_u32(out, id);
	wire_put_u32(out, 1);
	wire_put_string32(out, data);
	peer_send_it(p);
}

void
peer_open_with(struct peer *p, uint32_t window, uint32_t max)
{
	peer_send_open(
	    p, 100, &(struct peer_open){.window = window, .max = max});
	peer_expect(p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
}

struct span
peer_expect_data(struct peer *p)
{
	struct span body = peer_expect(p, SSH_MSG_CHANNEL_DATA), data;
	uint32_t id;

	assert_true(wire_take_u32(&body, &id) && id == 100);
	assert_true(wire_take_string32(&body, &data));
	assert_int_equal(body.len, 0);
	return data;
}
