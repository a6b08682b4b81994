/*
 * A hostile client, of two kinds.
 *
 * The first byte of the input chooses.  Below RAW_KINDS: what follows goes to
 * a fresh connection as it stands, in two pieces.  Above: a true client
 * (tests/unit/ssh/peer) logs in as far as the byte says, and the rest is a
 * list of deeds: packets of any content, sealed as they should be, among
 * calls of a gateway.  Whatever happens, the server says only whole, authentic
 * packets, nothing but the exchange between its KEXINIT and its NEWKEYS, and
 * nothing at all after DISCONNECT.
 */

#include "peer.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RAW_KINDS = 64 };

struct run {
	struct peer p;
	struct span deeds;
	bool is_gone;
	bool holds; /* the server is between KEXINIT and NEWKEYS */
	bool has_disconnected;
	bool in_exchange; /* the client has said KEXINIT, and no NEWKEYS */
	bool awaits_reply;
};

static uint8_t
take(struct run *r)
{
	uint8_t value = 0;

	(void)wire_take_u8(&r->deeds, &value);
	return value;
}

static struct span
take_some(struct run *r)
{
	struct span bytes;
	size_t len = take(r);

	if (len > r->deeds.len)
		len = r->deeds.len;
	(void)wire_take_bytes(&r->deeds, len, &bytes);
	return bytes;
}

/* ---- what the server said ---- */

static bool
may_be_said_while_keys_change(uint8_t number)
{
	return number <= SSH_MSG_DEBUG ||
	       (number >= SSH_MSG_KEXINIT && number < 50);
}

static void
listen(struct run *r)
{
	uint8_t number;

	while ((number = peer_read(&r->p)) != 0) {
		/* Who was told of a part is never let in. */
		if (number == SSH_MSG_USERAUTH_SUCCESS &&
		    r->p.conn->proven != NULL)
			abort();
		if (r->has_disconnected ||
		    (r->holds && !may_be_said_while_keys_change(number)))
			abort();
		if (number == SSH_MSG_KEXINIT) {
			if (r->holds)
				abort();
			r->holds = true;
		} else if (number == SSH_MSG_KEX_ECDH_REPLY) {
			r->awaits_reply = false;
		} else if (number == SSH_MSG_NEWKEYS) {
			r->holds = false;
		} else if (number == SSH_MSG_DISCONNECT) {
			r->has_disconnected = true;
		}
	}
	if (peer_event(&r->p, SSH_EVENT_GONE) != NULL)
		r->is_gone = true;
	else if (r->is_gone)
		abort(); /* it came back */
	peer_forget_events(&r->p);
}

/* ---- the client's deeds ---- */

static void
say_kexinit(struct run *r)
{
	static const char *const kinds[] = {NULL, "aes128-ctr",
	    "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com"};
	uint8_t choice = take(r);

	if (r->in_exchange)
		return;
	r->in_exchange = true;
	r->p.options.cipher_in = kinds[choice & 3];
	r->p.options.cipher_out = kinds[choice >> 2 & 3];
	r->p.options.first_follows = choice >> 4 & 1;
	if (r->p.options.first_follows)
		r->p.options.kex = "x,curve25519-sha256";
	peer_say_kexinit(&r->p);
}

static void
say_newkeys(struct run *r)
{
	if (!r->p.has_next || r->awaits_reply)
		return;
	peer_say_newkeys(&r->p);
	r->p.has_next = false;
	r->in_exchange = false;
}

static void
say_ecdh_init(struct run *r)
{
	if (r->awaits_reply || !r->in_exchange)
		return;
	peer_say_ecdh_init(&r->p);
	r->awaits_reply = true;
}

/* Any payload; but the exchange's own messages must be true ones. */
static void
say_any(struct run *r)
{
	struct span payload = take_some(r);
	uint8_t number = payload.len == 0 ? 0 : payload.data[0];

	if (number == SSH_MSG_KEXINIT)
		say_kexinit(r);
	else if (number == SSH_MSG_KEX_ECDH_INIT)
		say_ecdh_init(r);
	else if (number == SSH_MSG_NEWKEYS)
		say_newkeys(r);
	else
		peer_say(&r->p, payload);
}

static void
say_open(struct run *r)
{
	uint8_t window = take(r), max = take(r);

	peer_send_open(&r->p, take(r),
	    &(struct peer_open){
		.window = (uint32_t)window << 12,
		.max = (uint32_t)max << (max & 15),
	    });
}

/* ---- the gateway's deeds ---- */

static bool
any_channel(struct run *r, uint32_t *id)
{
	uint32_t after = take(r) % 4;

	return ssh_conn_next_channel(r->p.conn, after - 1, id) ||
	       ssh_conn_next_channel(r->p.conn, SSH_CHANNEL_ALL, id);
}

static void
answer_open(struct run *r)
{
	uint32_t id;

	if (!any_channel(r, &id) ||
	    r->p.conn->channels[id].state != SSH_CHANNEL_ASKED)
		return;
	if (take(r) % 4 != 0)
		ssh_conn_open_confirm(r->p.conn, id);
	else
		ssh_conn_open_refuse(
		    r->p.conn, id, SSH_OPEN_CONNECT_FAILED, "no");
}

static void
write_channel(struct run *r)
{
	static const uint8_t bytes[65536];
	size_t len = (size_t)take(r) << 8 | take(r), writable, sent;
	uint32_t id;

	if (!any_channel(r, &id))
		return;
	writable = ssh_conn_writable(r->p.conn, id);
	sent = ssh_conn_send(r->p.conn, id, span_of(bytes, len));
	if (sent > len || sent > writable)
		abort();
}

static void
consume(struct run *r)
{
	const struct ssh_channel *channel;
	uint32_t id, most;

	if (!any_channel(r, &id))
		return;
	channel = &r->p.conn->channels[id];
	most = r->p.setup.window_bytes - channel->receive_window -
	       channel->consumed;
	ssh_conn_consumed(r->p.conn, id, most * (take(r) % 4) / 3);
}

static void
end_channel(struct run *r)
{
	uint8_t how = take(r) % 3;
	uint32_t id;

	if (!any_channel(r, &id))
		return;
	if (how != 1)
		ssh_conn_send_eof(r->p.conn, id);
	if (how != 0)
		ssh_conn_close(r->p.conn, id);
}

static void
answer_what_waits(struct run *r)
{
	struct buf signature;

	if (r->p.conn->state == SSH_STATE_ASKED) {
		ssh_conn_auth_answer(r->p.conn,
		    take(r) % 4 != 0 ? r->p.answer : SSH_AUTH_REFUSE,
		    &r->p.terms, r->p.now_ms);
	} else if (r->p.conn->state == SSH_STATE_SIGNING) {
		buf_init(&signature, 1000);
		peer_put_signature(r->p.host_pkey,
		    span_of(r->p.conn->exchange->hash, SSH_KEX_HASH_BYTES),
		    &signature);
		ssh_conn_signed(r->p.conn, buf_span(&signature), r->p.now_ms);
		buf_fini(&signature);
	}
}

static void
change_manners(struct run *r)
{
	uint8_t manners = take(r);

	r->p.is_slow_signer = manners & 1;
	r->p.is_slow_judge = manners & 2;
	r->p.is_slow_opener = manners & 4;
	r->p.is_slow_reader = manners & 8;
	r->p.chunk = manners >> 4;
}

static void
pass_time(struct run *r)
{
	r->p.now_ms += (uint64_t)take(r) << 8;
	if (r->p.now_ms >= ssh_conn_deadline_ms(r->p.conn))
		ssh_conn_on_deadline(r->p.conn, r->p.now_ms);
}

static void
ask(struct run *r)
{
	switch (take(r) % 3) {
	case 0:
		ssh_conn_keepalive(r->p.conn);
		break;
	case 1:
		ssh_conn_rekey(r->p.conn);
		break;
	default:
		ssh_conn_banner(r->p.conn, "fuzz");
		break;
	}
}

static void
damage_stream(struct run *r)
{
	peer_say_raw(&r->p, take_some(r));
}

static void
send_auth(struct run *r)
{
	uint8_t kind = take(r);

	peer_send_auth(&r->p,
	    &(struct peer_proof){.is_probe = kind & 1, .is_damaged = kind & 2});
}

/* From now on a key is one of two parts, or all of it again. */
static void
change_parts(struct run *r)
{
	static const struct ssh_question question = {
	    .name = "", .instruction = "fuzz", .prompt = "code: "};

	r->p.terms.question = &question;
	r->p.answer = take(r) % 4 == 0 ? SSH_AUTH_ALLOW : SSH_AUTH_QUESTION;
}

static void
ask_for_question(struct run *r)
{
	peer_ask_for_question(&r->p, take(r) % 8 == 0 ? "enroll" : "dan");
}

static void
send_reply(struct run *r)
{
	struct buf *out = peer_begin(&r->p, SSH_MSG_USERAUTH_INFO_RESPONSE);

	wire_put_u32(out, take(r) % 8 == 0 ? take(r) : 1);
	wire_put_string32(out, take_some(r));
	peer_send_it(&r->p);
}

static void (*const deeds[])(struct run *r) = {
    say_any,
    say_kexinit,
    say_ecdh_init,
    say_newkeys,
    say_open,
    send_auth,
    answer_open,
    write_channel,
    consume,
    end_channel,
    answer_what_waits,
    change_manners,
    pass_time,
    ask,
    damage_stream,
    change_parts,
    ask_for_question,
    send_reply,
};
enum { DEEDS = sizeof deeds / sizeof deeds[0] };

static void
run_deeds(struct run *r)
{
	while (r->deeds.len > 0 && !r->is_gone) {
		deeds[take(r) % DEEDS](r);
		peer_run(&r->p);
		listen(r);
	}
	/* The gateway may still call; nothing comes of it. */
	if (r->is_gone) {
		write_channel(r);
		end_channel(r);
		ask(r);
		peer_run(&r->p);
		listen(r);
	}
}

/* ---- the two kinds ---- */

static void
setup_small(struct ssh_setup *setup)
{
	ssh_setup_init(setup);
	setup->window_bytes = 10000;
	setup->max_channels = 3;
	setup->rekey_bytes = 20000;
	setup->output_max = 200000;
}

static void
run_client(uint8_t kind, struct span rest)
{
	struct run r = {.deeds = rest};
	struct ssh_setup setup;

	setup_small(&setup);
	peer_init_setup(&r.p,
	    &(struct peer_options){
		.kex = kind & 1 ? "curve25519-sha256"
				: "curve25519-sha256" PEER_STRICT},
	    &setup);
	switch (kind >> 1 & 3) {
	case 0:
		peer_handshake(&r.p);
		break;
	case 1:
		peer_to_auth(&r.p);
		break;
	case 2:
		peer_login(&r.p);
		break;
	default:
		peer_login(&r.p);
		(void)peer_open_channel(&r.p);
		break;
	}
	r.p.has_next = false;
	peer_forget_events(&r.p);
	run_deeds(&r);
	peer_fini(&r.p);
}

static void
run_raw(uint8_t kind, struct span rest)
{
	struct ssh_setup setup;
	struct peer p;

	setup_small(&setup);
	peer_init_setup(&p, NULL, &setup);
	p.split_at = kind;
	peer_say_raw(&p, rest);
	peer_run(&p);
	peer_fini(&p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = span_of(data, size);
	uint8_t kind;

	if (!wire_take_u8(&in, &kind))
		return 0;
	if (kind < RAW_KINDS)
		run_raw(kind, in);
	else
		run_client(kind, in);
	return 0;
}
