/*
 * Every message number in every state: what comes of it.  What is expected
 * stands here once more, in words of its own, and not in those of
 * ssh_message.c.
 */

#include "peer.h"

enum outcome {
	TAKEN, /* it goes on */
	UNKNOWN, /* UNIMPLEMENTED, and it goes on */
	ENDS /* DISCONNECT, with the message's name */
};

/* ---- the way into each state ---- */

static void
say_until_ecdh(struct peer *p)
{
	peer_say_version(p);
	peer_say_kexinit(p);
	peer_run(p);
	peer_read_version(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

static void
to_kexinit(struct peer *p)
{
	peer_say_version(p);
	peer_run(p);
	peer_read_version(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

static void
say_until_newkeys(struct peer *p)
{
	peer_say_ecdh_init(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEX_ECDH_REPLY);
	peer_expect(p, SSH_MSG_NEWKEYS);
	if (p->options.kex == NULL && !p->has_session_id)
		peer_expect(p, SSH_MSG_EXT_INFO);
}

static void
to_newkeys(struct peer *p)
{
	say_until_ecdh(p);
	say_until_newkeys(p);
	while (peer_read(p) != 0) /* EXT_INFO */
		;
}

static void
to_open(struct peer *p)
{
	peer_login(p);
	assert_int_equal(peer_open_channel(p), 0);
}

static void
to_open_with_keepalive(struct peer *p)
{
	to_open(p);
	ssh_conn_keepalive(p->conn);
	peer_run(p);
	peer_expect(p, SSH_MSG_GLOBAL_REQUEST);
}

static void
to_our_kexinit(struct peer *p)
{
	to_open(p);
	ssh_conn_rekey(p->conn);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

static void
to_second_ecdh(struct peer *p)
{
	to_open(p);
	peer_say_kexinit(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

static void
to_second_newkeys(struct peer *p)
{
	to_second_ecdh(p);
	say_until_newkeys(p);
}

/* A later exchange before anybody is let in. */
static void
to_second_ecdh_in_auth(struct peer *p)
{
	peer_to_auth(p);
	peer_say_kexinit(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

static void
to_second_ecdh_in_question(struct peer *p)
{
	peer_to_question(p);
	peer_say_kexinit(p);
	peer_run(p);
	peer_expect(p, SSH_MSG_KEXINIT);
}

/* ---- what is expected ---- */

static const uint8_t known[] = {1, 2, 3, 4, 5, 6, 7, 20, 21, 30, 31, 50, 51, 52,
    53, 60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100, 0};

#define PLAIN "curve25519-sha256,ext-info-c"

/* The numbers that are taken, ended by 0; all others that are known end it. */
static const struct {
	const char *name;
	void (*go)(struct peer *p);
	const char *kex;
	enum outcome unknown;
	uint8_t taken[24];
} cases[] = {
    {"first KEXINIT", to_kexinit, NULL, UNKNOWN, {1, 2, 3, 4, 20}},
    {"first ECDH_INIT", say_until_ecdh, PLAIN, UNKNOWN, {1, 2, 3, 4, 30}},
    {"first ECDH_INIT, strict", say_until_ecdh, NULL, ENDS, {1, 30}},
    {"first NEWKEYS", to_newkeys, PLAIN, UNKNOWN, {1, 2, 3, 4, 21}},
    {"first NEWKEYS, strict", to_newkeys, NULL, ENDS, {1, 21}},
    {"service", peer_handshake, NULL, UNKNOWN, {1, 2, 3, 4, 5, 7, 20}},
    {"auth", peer_to_auth, NULL, UNKNOWN, {1, 2, 3, 4, 5, 7, 20, 50}},
    {"ECDH_INIT in auth", to_second_ecdh_in_auth, NULL, UNKNOWN,
	{1, 2, 3, 4, 30}},
    {"key proven as a part", peer_prove_part, NULL, UNKNOWN,
	{1, 2, 3, 4, 5, 7, 20, 50}},
    {"question", peer_to_question, NULL, UNKNOWN,
	{1, 2, 3, 4, 5, 7, 20, 50, 61}},
    {"ECDH_INIT in question", to_second_ecdh_in_question, NULL, UNKNOWN,
	{1, 2, 3, 4, 30}},
    {"open", to_open, NULL, UNKNOWN,
	{1, 2, 3, 4, 20, 50, 80, 90, 93, 94, 95, 96, 97, 98}},
    {"open, keepalive", to_open_with_keepalive, NULL, UNKNOWN,
	{1, 2, 3, 4, 20, 50, 80, 81, 82, 90, 93, 94, 95, 96, 97, 98}},
    {"our KEXINIT", to_our_kexinit, NULL, UNKNOWN,
	{1, 2, 3, 4, 20, 50, 80, 90, 93, 94, 95, 96, 97, 98}},
    /* Some clients write on while keys change. */
    {"later ECDH_INIT", to_second_ecdh, NULL, UNKNOWN,
	{1, 2, 3, 4, 30, 80, 90, 93, 94, 95, 96, 97, 98}},
    {"later NEWKEYS", to_second_newkeys, PLAIN, UNKNOWN,
	{1, 2, 3, 4, 21, 80, 90, 93, 94, 95, 96, 97, 98}},
    {"later NEWKEYS, strict", to_second_newkeys, NULL, UNKNOWN,
	{1, 2, 3, 4, 21, 80, 90, 93, 94, 95, 96, 97, 98}},
};
enum { CASES = sizeof cases / sizeof cases[0] };

static enum outcome
expected(size_t i, uint8_t number)
{
	if (strchr((const char *)cases[i].taken, number) != NULL)
		return TAKEN;
	if (strchr((const char *)known, number) != NULL)
		return ENDS;
	return cases[i].unknown;
}

/* ---- a message as it should be ---- */

static void
put_body(struct peer *p, uint8_t number, struct buf *out)
{
	static const uint8_t share[32] = {9};

	switch (number) {
	case SSH_MSG_DISCONNECT:
		wire_put_u32(out, 11);
		wire_put_cstring32(out, "bye");
		wire_put_cstring32(out, "");
		break;
	case SSH_MSG_UNIMPLEMENTED:
		wire_put_u32(out, 3);
		break;
	case SSH_MSG_SERVICE_REQUEST:
		wire_put_cstring32(out, "ssh-userauth");
		break;
	case SSH_MSG_KEXINIT:
		if (buf_len(&p->client_init) == 0) {
			peer_say_kexinit(p);
			buf_truncate(&p->to_server, 0);
			p->out.sequence--;
		}
		wire_put_bytes(out, span_of(buf_span(&p->client_init).data + 1,
					buf_len(&p->client_init) - 1));
		break;
	case SSH_MSG_KEX_ECDH_INIT:
		wire_put_string32(out, span_of(share, sizeof share));
		break;
	case SSH_MSG_USERAUTH_REQUEST:
		wire_put_cstring32(
		    out, p->answer == SSH_AUTH_QUESTION ? "enroll" : "dan");
		wire_put_cstring32(out, "ssh-connection");
		wire_put_cstring32(out, "none");
		break;
	case SSH_MSG_USERAUTH_INFO_RESPONSE:
		wire_put_u32(out, 1);
		wire_put_cstring32(out, "a code");
		break;
	case SSH_MSG_GLOBAL_REQUEST:
		wire_put_cstring32(out, "x@y");
		wire_put_u8(out, 0);
		break;
	case SSH_MSG_CHANNEL_OPEN:
		wire_put_cstring32(out, "session");
		wire_put_u32(out, 0);
		wire_put_u32(out, 0);
		wire_put_u32(out, 0);
		break;
	case SSH_MSG_CHANNEL_WINDOW_ADJUST:
	case SSH_MSG_CHANNEL_DATA: /* of no bytes */
	case SSH_MSG_CHANNEL_EOF:
	case SSH_MSG_CHANNEL_CLOSE:
	case SSH_MSG_CHANNEL_REQUEST:
	case SSH_MSG_CHANNEL_EXTENDED_DATA:
		wire_put_u32(out, 0); /* the channel */
		if (number == SSH_MSG_CHANNEL_EXTENDED_DATA)
			wire_put_u32(out, 1);
		if (number != SSH_MSG_CHANNEL_EOF &&
		    number != SSH_MSG_CHANNEL_CLOSE)
			wire_put_u32(out, 0);
		if (number == SSH_MSG_CHANNEL_REQUEST)
			wire_put_u8(out, 0);
		break;
	default:
		break;
	}
}

static void
check_unknown(struct peer *p, uint32_t sequence)
{
	struct span body;
	uint32_t rejected;

	body = peer_expect(p, SSH_MSG_UNIMPLEMENTED);
	assert_true(wire_take_u32(&body, &rejected));
	assert_int_equal(rejected, sequence);
	peer_expect_silence(p);
}

static void
try_one(size_t i, uint8_t number)
{
	enum outcome outcome = expected(i, number);
	const char *name = ssh_message_name(number);
	const struct peer_event *gone;
	uint32_t sequence;
	struct peer p;

	peer_init(&p, &(struct peer_options){.kex = cases[i].kex});
	cases[i].go(&p);
	put_body(&p, number, peer_begin(&p, number));
	sequence = p.out.sequence;
	peer_send_it(&p);
	gone = peer_event(&p, SSH_EVENT_GONE);
	if (outcome == ENDS) {
		if (gone == NULL)
			fail_msg("%u goes on (%s)", number, cases[i].name);
		if (strstr(gone->text, name == NULL ? "message" : name) == NULL)
			fail_msg("%u: %s", number, gone->text);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	} else if (number == SSH_MSG_DISCONNECT) {
		assert_non_null(gone);
		assert_true(gone->by_peer);
		assert_int_equal(gone->reason, 11);
		assert_string_equal(gone->text, "bye");
		peer_expect_silence(&p);
	} else {
		if (gone != NULL)
			fail_msg(
			    "%u (%s): %s", number, cases[i].name, gone->text);
		assert_int_equal(buf_len(&p.inbox), 0);
		if (outcome == UNKNOWN)
			check_unknown(&p, sequence);
	}
	peer_fini(&p);
}

static void
test_every_number_in_every_state(void **state)
{
	for (size_t i = 0; i < CASES; i++)
		for (unsigned number = 1; number <= 255; number++)
			try_one(i, (uint8_t)number);
}

static void
test_number_0_is_no_message(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_login(&p);
	peer_send_byte(&p, 0);
	check_unknown(&p, p.out.sequence - 1);
	peer_fini(&p);
}

static void
test_nothing_is_read_while_an_answer_is_waited_for(void **state)
{
	struct peer p;
	size_t left;

	peer_init(&p, NULL);
	p.is_slow_judge = true;
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){0});
	assert_int_equal(buf_len(&p.inbox), 0);
	assert_true(ssh_conn_is_waiting(p.conn));
	peer_send_byte(&p, SSH_MSG_CHANNEL_SUCCESS); /* would end it */
	left = buf_len(&p.inbox);
	assert_true(left > 0);
	peer_run(&p);
	assert_int_equal(buf_len(&p.inbox), left);
	assert_int_equal(p.event_count, 2); /* SIGN, AUTH */
	ssh_conn_auth_answer(p.conn, SSH_AUTH_ALLOW, NULL, p.now_ms);
	peer_run(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_after_the_end_nothing_is_said_or_heard(void **state)
{
	struct peer p;
	uint32_t id;

	peer_init(&p, NULL);
	peer_login(&p);
	id = peer_open_channel(&p);
	ssh_conn_disconnect(
	    p.conn, SSH_DISCONNECT_BY_APPLICATION, "closing time");
	peer_run(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	assert_string_equal(
	    peer_event(&p, SSH_EVENT_GONE)->text, "closing time");
	assert_int_equal(ssh_conn_deadline_ms(p.conn), UINT64_MAX);
	assert_int_equal(ssh_conn_writable(p.conn, id), 0);
	assert_int_equal(
	    ssh_conn_send(p.conn, id, span_of_str("into the void")), 0);
	ssh_conn_send_eof(p.conn, id);
	ssh_conn_keepalive(p.conn);
	ssh_conn_rekey(p.conn);
	ssh_conn_banner(p.conn, "nobody");
	ssh_conn_close(p.conn, id);
	ssh_conn_disconnect(p.conn, SSH_DISCONNECT_PROTOCOL_ERROR, "again");
	peer_run(&p);
	peer_expect_silence(&p);
	assert_string_equal(
	    peer_event(&p, SSH_EVENT_GONE)->text, "closing time");
	peer_fini(&p);
}

static void
test_the_peers_last_words_are_escaped_and_cut(void **state)
{
	struct ssh_event event;
	struct ssh_input in = {0};
	struct buf *out;
	struct peer p;

	peer_init(&p, NULL);
	peer_login(&p);
	out = peer_begin(&p, SSH_MSG_DISCONNECT);
	wire_put_u32(out, 99); /* no such code */
	wire_put_u32(out, 2000);
	for (size_t i = 0; i < 2000; i++)
		wire_put_u8(out, i == 0 ? 0x1b : 'x');
	peer_send_it(&p);
	ssh_conn_step(p.conn, &in, p.now_ms, &event);
	assert_int_equal(event.kind, SSH_EVENT_GONE);
	assert_true(event.gone.by_peer);
	assert_int_equal(event.gone.reason, SSH_DISCONNECT_BY_APPLICATION);
	assert_memory_equal(event.gone.why, "\\x1bxxx", 7);
	assert_true(strlen(event.gone.why) < 256);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_number_in_every_state),
	    TEST(number_0_is_no_message),
	    TEST(nothing_is_read_while_an_answer_is_waited_for),
	    TEST(after_the_end_nothing_is_said_or_heard),
	    TEST(the_peers_last_words_are_escaped_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
