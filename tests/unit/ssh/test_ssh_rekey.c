#include "peer.h"

static const uint8_t bytes[40000];

static void
init(struct peer *p, uint64_t rekey_bytes)
{
	struct ssh_setup setup;

	ssh_setup_init(&setup);
	setup.rekey_bytes = rekey_bytes;
	peer_init_setup(p, NULL, &setup);
	peer_login(p);
	assert_int_equal(peer_open_channel(p), 0);
	peer_forget_events(p);
}

static uint32_t
exchanges(const struct peer *p)
{
	struct ssh_conn_facts facts;

	ssh_conn_facts(p->conn, &facts);
	return facts.key_exchanges;
}

static void
expect_text(struct peer *p, const char *text)
{
	assert_true(span_is(peer_expect_data(p), text));
}

static void
send_text(struct peer *p, const char *text)
{
	assert_int_equal(
	    ssh_conn_send(p->conn, 0, span_of_str(text)), strlen(text));
}

static void
send_keepalive(struct peer *p)
{
	struct buf *out = peer_begin(p, SSH_MSG_GLOBAL_REQUEST);

	wire_put_cstring32(out, "keepalive@openssh.com");
	wire_put_u8(out, 1);
	peer_send_it(p);
}

static void
test_either_side_may_ask_for_new_keys(void **state)
{
	struct peer p;

	init(&p, 0);
	peer_rekey(&p); /* the client asks */
	assert_int_equal(exchanges(&p), 2);
	ssh_conn_rekey(p.conn); /* the server asks */
	ssh_conn_rekey(p.conn); /* once */
	peer_run(&p);
	peer_rekey(&p);
	assert_int_equal(exchanges(&p), 3);
	peer_send_data(&p, 0, span_of_str("hither"));
	assert_true(span_is(buf_span(&p.received[0]), "hither"));
	send_text(&p, "thither");
	peer_run(&p);
	expect_text(&p, "thither");
	peer_expect_silence(&p);
	assert_int_equal(peer_count(&p, SSH_EVENT_WRITABLE), 2);
	peer_fini(&p);
}

static void
test_without_strict_the_sequence_goes_on(void **state)
{
	struct peer p;

	peer_init(&p, &(struct peer_options){.kex = "curve25519-sha256"});
	peer_login(&p);
	peer_rekey(&p);
	assert_int_equal(p.out.sequence, 8);
	assert_int_equal(peer_open_channel(&p), 0);
	peer_fini(&p);
}

/* Until the client has seen our KEXINIT it talks on. */
static void
test_what_comes_before_the_peers_kexinit_is_taken(void **state)
{
	struct peer p;

	init(&p, 0);
	ssh_conn_rekey(p.conn);
	peer_send_data(&p, 0, span_of_str("on its way"));
	assert_true(span_is(buf_span(&p.received[0]), "on its way"));
	send_keepalive(&p);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	assert_int_equal(peer_count(&p, SSH_EVENT_EOF), 1);
	peer_rekey(&p);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	peer_expect_silence(&p);
	peer_fini(&p);
}

/* As AsyncSSH 2.10 does, against RFC 4253 section 7.1. */
static void
test_data_within_a_later_exchange_is_taken(void **state)
{
	struct peer p;

	init(&p, 0);
	peer_say_kexinit(&p);
	peer_send_data(&p, 0, span_of_str("one "));
	peer_say_ecdh_init(&p);
	peer_send_data(&p, 0, span_of_str("two "));
	send_keepalive(&p);
	peer_expect(&p, SSH_MSG_KEXINIT);
	peer_expect(&p, SSH_MSG_KEX_ECDH_REPLY);
	peer_expect(&p, SSH_MSG_NEWKEYS);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	peer_say_newkeys(&p);
	peer_send_data(&p, 0, span_of_str("three"));
	assert_true(span_is(buf_span(&p.received[0]), "one two three"));
	peer_fini(&p);
}

static void
test_nothing_is_written_between_kexinit_and_newkeys(void **state)
{
	struct peer p;

	init(&p, 0);
	send_text(&p, "before");
	ssh_conn_rekey(p.conn);
	assert_int_equal(ssh_conn_writable(p.conn, 0), 0);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of_str("now")), 0);
	peer_run(&p);
	expect_text(&p, "before");
	/* Room in the window does not help. */
	peer_send_adjust(&p, 0, 10);
	assert_int_equal(ssh_conn_writable(p.conn, 0), 0);
	peer_forget_events(&p);
	peer_rekey(&p);
	assert_int_equal(
	    peer_event(&p, SSH_EVENT_WRITABLE)->channel, SSH_CHANNEL_ALL);
	assert_true(ssh_conn_writable(p.conn, 0) > 0);
	peer_fini(&p);
}

static void
test_between_newkeys_of_ours_and_of_theirs_data_flows(void **state)
{
	struct peer p;

	init(&p, 0);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	peer_run(&p);
	send_text(&p, "under new keys");
	peer_run(&p);
	peer_expect(&p, SSH_MSG_KEXINIT);
	peer_expect(&p, SSH_MSG_KEX_ECDH_REPLY);
	peer_expect(&p, SSH_MSG_NEWKEYS);
	expect_text(&p, "under new keys");
	/* A second exchange waits for the first to end. */
	ssh_conn_rekey(p.conn);
	peer_run(&p);
	peer_expect_silence(&p);
	peer_say_newkeys(&p);
	peer_send_data(&p, 0, span_of_str("likewise"));
	assert_true(span_is(buf_span(&p.received[0]), "likewise"));
	peer_fini(&p);
}

/* Everything that has to be said meanwhile is said after, in its order. */
static void
test_answers_wait_for_new_keys_in_order(void **state)
{
	struct span body;
	uint32_t id, more;
	struct peer p;

	init(&p, 0);
	p.is_slow_opener = true;
	p.is_slow_reader = true;
	peer_send_data(&p, 0, span_of(bytes, 30000));
	for (int i = 0; i < 7; i++)
		peer_send_data(&p, 0, span_of(bytes, 30000));
	ssh_conn_rekey(p.conn);
	peer_run(&p);
	send_keepalive(&p);
	peer_send_open(&p, 201, &(struct peer_open){.window = 5, .max = 1000});
	ssh_conn_open_confirm(p.conn, 1);
	peer_send_open(&p, 202, &(struct peer_open){.max = 1000});
	ssh_conn_open_refuse(
	    p.conn, 2, SSH_OPEN_CONNECT_FAILED, "no such broker");
	peer_send_open(&p, 203, &(struct peer_open){.type = "session"});
	ssh_conn_keepalive(p.conn);
	ssh_conn_consumed(p.conn, 0, 200000);
	ssh_conn_send_eof(p.conn, 1);
	ssh_conn_close(p.conn, 1);
	peer_send_byte(&p, 200); /* UNIMPLEMENTED need not wait */
	peer_expect(&p, SSH_MSG_KEXINIT);
	peer_expect(&p, SSH_MSG_UNIMPLEMENTED);
	peer_expect_silence(&p);
	peer_say_kexinit(&p);
	peer_finish_exchange(&p);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	body = peer_expect(&p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_true(wire_take_u32(&body, &id) && id == 201);
	body = peer_expect(&p, SSH_MSG_CHANNEL_OPEN_FAILURE);
	assert_true(wire_take_u32(&body, &id) && id == 202);
	body = peer_expect(&p, SSH_MSG_CHANNEL_OPEN_FAILURE);
	assert_true(wire_take_u32(&body, &id) && id == 203);
	peer_expect(&p, SSH_MSG_GLOBAL_REQUEST);
	body = peer_expect(&p, SSH_MSG_CHANNEL_EOF);
	assert_true(wire_take_u32(&body, &id) && id == 201);
	body = peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	assert_true(wire_take_u32(&body, &id) && id == 201);
	body = peer_expect(&p, SSH_MSG_CHANNEL_WINDOW_ADJUST);
	assert_true(wire_take_u32(&body, &id) && id == 100);
	assert_true(wire_take_u32(&body, &more) && more == 200000);
	peer_expect_silence(&p);
	peer_fini(&p);
}

/* Who never answers our KEXINIT cannot have us collect answers for ever. */
static void
test_answers_that_wait_have_a_limit(void **state)
{
	struct peer p;
	int count = 0;

	init(&p, 0);
	ssh_conn_rekey(p.conn);
	while (peer_event(&p, SSH_EVENT_GONE) == NULL) {
		send_keepalive(&p);
		assert_true(++count < SSH_DEFERRED_MAX);
	}
	assert_true(count > 1000);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_a_channel_closed_while_keys_change_is_closed_once(void **state)
{
	struct peer p;

	init(&p, 0);
	ssh_conn_rekey(p.conn);
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 0);
	ssh_conn_close(p.conn, 0);
	/* The id is free, and may be had again at once. */
	p.is_slow_opener = true;
	peer_send_open(&p, 300, &(struct peer_open){.max = 1000});
	assert_int_equal(peer_event(&p, SSH_EVENT_OPEN)->channel, 0);
	ssh_conn_open_confirm(p.conn, 0);
	peer_rekey(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_expect(&p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	peer_expect_silence(&p);
	peer_fini(&p);
}

/* ---- when new keys are due ---- */

static void
test_bytes_received_bring_new_keys(void **state)
{
	struct peer p;
	int count = 0;

	init(&p, 100000);
	while (peer_read(&p) != SSH_MSG_KEXINIT) {
		peer_send_data(&p, 0, span_of(bytes, 10000));
		assert_true(++count <= 10);
	}
	assert_true(count >= 9);
	peer_say_kexinit(&p);
	peer_finish_exchange(&p);
	assert_int_equal(exchanges(&p), 2);
	/* Counted anew. */
	for (int i = 0; i < 8; i++) {
		peer_send_data(&p, 0, span_of(bytes, 10000));
		assert_true(peer_read(&p) != SSH_MSG_KEXINIT);
	}
	peer_fini(&p);
}

static void
test_bytes_sent_bring_new_keys_in_the_middle_of_a_send(void **state)
{
	size_t sent;
	struct peer p;

	init(&p, 40000);
	sent = ssh_conn_send(p.conn, 0, span_of(bytes, sizeof bytes));
	assert_int_equal(sent, sizeof bytes);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of(bytes, 1)), 0);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_DATA);
	peer_expect(&p, SSH_MSG_CHANNEL_DATA);
	peer_rekey(&p);
	peer_fini(&p);
	init(&p, 30000);
	sent = ssh_conn_send(p.conn, 0, span_of(bytes, sizeof bytes));
	assert_int_equal(sent, SSH_DATA_MAX);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_DATA);
	peer_rekey(&p);
	assert_int_equal(peer_count(&p, SSH_EVENT_WRITABLE), 1);
	peer_fini(&p);
}

/* New keys all the time, and data both ways all the time. */
static void
test_streams_survive_rekeys_of_both_sides(void **state)
{
	size_t sent = 0, got = 0, said = 0;
	struct peer p;
	uint32_t count = 0;

	init(&p, 2000);
	while (got < 50000 || said < 50000) {
		struct span body, data;
		uint32_t id;

		if (sent < 50000)
			sent += ssh_conn_send(p.conn, 0, span_of(bytes, 500));
		if (said < 50000) {
			peer_send_data(&p, 0, span_of(bytes, 400));
			said += 400;
		} else {
			peer_run(&p);
		}
		switch (peer_read(&p)) {
		case SSH_MSG_CHANNEL_DATA:
			body = buf_span(&p.message);
			body.data++;
			body.len--;
			assert_true(wire_take_u32(&body, &id));
			assert_true(wire_take_string32(&body, &data));
			got += data.len;
			break;
		case SSH_MSG_KEXINIT:
			peer_say_kexinit(&p);
			peer_finish_exchange(&p);
			count++;
			break;
		default:
			/* Now and then the client asks as well. */
			if (said % 3600 == 0 && p.message.mem == NULL) {
				peer_rekey(&p);
				count++;
			}
			break;
		}
		assert_null(peer_event(&p, SSH_EVENT_GONE));
	}
	assert_int_equal(got, 50000);
	assert_int_equal(buf_len(&p.received[0]), 50000);
	assert_int_equal(exchanges(&p), count + 1);
	assert_true(count > 20);
	peer_fini(&p);
}

static void
test_the_packet_counter_brings_new_keys(void **state)
{
	struct peer p;

	init(&p, 0);
	p.conn->packets_in = SSH_REKEY_PACKETS - 2;
	send_keepalive(&p);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	peer_expect_silence(&p);
	send_keepalive(&p);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	peer_rekey(&p);
	assert_int_equal(p.conn->packets_in, 0);
	p.conn->packets_out = SSH_REKEY_PACKETS - 1;
	send_text(&p, "the last one");
	peer_run(&p);
	expect_text(&p, "the last one");
	peer_rekey(&p);
	peer_fini(&p);
}

/* ---- what may change, and what may not ---- */

static void
test_other_algorithms_may_be_agreed_on(void **state)
{
	struct ssh_conn_facts facts;
	struct peer p;

	init(&p, 0);
	p.options.cipher_in = "aes128-ctr";
	p.options.mac_in = "hmac-sha2-512-etm@openssh.com";
	p.options.cipher_out = "aes256-gcm@openssh.com";
	peer_rekey(&p);
	ssh_conn_facts(p.conn, &facts);
	assert_string_equal(facts.cipher_in, "aes128-ctr");
	assert_string_equal(facts.mac_in, "hmac-sha2-512-etm@openssh.com");
	assert_string_equal(facts.cipher_out, "aes256-gcm@openssh.com");
	peer_send_data(&p, 0, span_of_str("hither"));
	assert_true(span_is(buf_span(&p.received[0]), "hither"));
	send_text(&p, "thither");
	peer_run(&p);
	expect_text(&p, "thither");
	peer_fini(&p);
}

static void
test_a_later_kexinit_cannot_switch_strict_off_or_on(void **state)
{
	struct peer p;

	init(&p, 0);
	p.options.kex = "curve25519-sha256";
	peer_rekey(&p);
	assert_true(p.is_strict);
	assert_int_equal(p.out.sequence, 0);
	assert_int_equal(peer_open_channel(&p), 1);
	peer_fini(&p);
	peer_init(&p, &(struct peer_options){.kex = "curve25519-sha256"});
	peer_login(&p);
	p.options.kex = "curve25519-sha256,kex-strict-c-v00@openssh.com";
	peer_rekey(&p);
	assert_false(p.is_strict);
	assert_int_equal(peer_open_channel(&p), 0);
	peer_fini(&p);
}

static void
test_nothing_in_common_any_more_ends_it(void **state)
{
	struct peer p;

	init(&p, 0);
	p.options.cipher_in = "aes128-cbc";
	peer_say_kexinit(&p);
	peer_run(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
	peer_fini(&p);
}

static void
test_a_wrong_guess_is_skipped_later_too(void **state)
{
	static const uint8_t junk[] = {30, 1, 2, 3};
	struct peer p;

	init(&p, 0);
	p.options.kex = "diffie-hellman-group14-sha256,curve25519-sha256";
	p.options.first_follows = 1;
	peer_say_kexinit(&p);
	peer_say(&p, span_of(junk, sizeof junk));
	peer_run(&p);
	peer_expect(&p, SSH_MSG_KEXINIT);
	peer_finish_exchange(&p);
	assert_int_equal(exchanges(&p), 2);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(either_side_may_ask_for_new_keys),
	    TEST(without_strict_the_sequence_goes_on),
	    TEST(what_comes_before_the_peers_kexinit_is_taken),
	    TEST(data_within_a_later_exchange_is_taken),
	    TEST(nothing_is_written_between_kexinit_and_newkeys),
	    TEST(between_newkeys_of_ours_and_of_theirs_data_flows),
	    TEST(answers_wait_for_new_keys_in_order),
	    TEST(answers_that_wait_have_a_limit),
	    TEST(a_channel_closed_while_keys_change_is_closed_once),
	    TEST(bytes_received_bring_new_keys),
	    TEST(bytes_sent_bring_new_keys_in_the_middle_of_a_send),
	    TEST(streams_survive_rekeys_of_both_sides),
	    TEST(the_packet_counter_brings_new_keys),
	    TEST(other_algorithms_may_be_agreed_on),
	    TEST(a_later_kexinit_cannot_switch_strict_off_or_on),
	    TEST(nothing_in_common_any_more_ends_it),
	    TEST(a_wrong_guess_is_skipped_later_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
