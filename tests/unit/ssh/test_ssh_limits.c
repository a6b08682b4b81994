/*
 * Time, memory and output: what a connection may have of each.
 */

#include "peer.h"

#include <malloc.h>
#include <stdlib.h>

static const uint8_t bytes[SSH_DATA_MAX];

static void
init(struct peer *p, void (*change)(struct ssh_setup *setup))
{
	struct ssh_setup setup;

	ssh_setup_init(&setup);
	change(&setup);
	peer_init_setup(p, NULL, &setup);
}

/* ---- time ---- */

static void
login_in_10_s(struct ssh_setup *setup)
{
	setup->login_grace_ms = 10000;
	setup->rekey_ms = 50000;
}

static void
pass(struct peer *p, uint64_t ms)
{
	p->now_ms += ms;
	if (p->now_ms >= ssh_conn_deadline_ms(p->conn))
		ssh_conn_on_deadline(p->conn, p->now_ms);
	peer_run(p);
}

static void
test_who_does_not_log_in_in_time_is_cut_off(void **state)
{
	uint8_t packet[16];
	struct peer p;

	/* Before a byte has come. */
	init(&p, login_in_10_s);
	assert_int_equal(ssh_conn_deadline_ms(p.conn), p.now_ms + 10000);
	pass(&p, 9999);
	assert_int_equal(p.event_count, 0);
	ssh_conn_on_deadline(p.conn, p.now_ms); /* early: nothing */
	peer_run(&p);
	assert_int_equal(p.event_count, 0);
	pass(&p, 1);
	peer_read_version(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	peer_fini(&p);
	/* In the middle of a key exchange. */
	init(&p, login_in_10_s);
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_run(&p);
	pass(&p, 10000);
	peer_read_version(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	peer_fini(&p);
	/* Slowly, byte by byte: each of them buys no time. */
	init(&p, login_in_10_s);
	peer_handshake(&p);
	peer_say(&p, span_of("\2\0\0\0\4drip", 9)); /* IGNORE */
	memcpy(packet, buf_span(&p.to_server).data, sizeof packet);
	buf_truncate(&p.to_server, 0);
	for (int i = 0; i < 9; i++) {
		peer_say_raw(&p, span_of(packet + i, 1));
		pass(&p, 1000);
	}
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	pass(&p, 1000);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	peer_fini(&p);
	/* While the gateway still thinks about the key. */
	init(&p, login_in_10_s);
	p.is_slow_judge = true;
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){0});
	pass(&p, 10000);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	ssh_conn_auth_answer(p.conn, SSH_AUTH_ALLOW, NULL, p.now_ms);
	peer_run(&p);
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	peer_fini(&p);
	/* A rekey in between does not put it off. */
	init(&p, login_in_10_s);
	peer_to_auth(&p);
	pass(&p, 9000);
	peer_rekey(&p);
	pass(&p, 1000);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	peer_fini(&p);
}

static void
test_keys_grow_old(void **state)
{
	struct peer p;

	init(&p, login_in_10_s);
	peer_to_auth(&p);
	pass(&p, 5000);
	peer_send_auth(&p, &(struct peer_proof){0});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	assert_int_equal(ssh_conn_deadline_ms(p.conn), p.now_ms + 50000);
	pass(&p, 49999);
	peer_expect_silence(&p);
	pass(&p, 1);
	peer_expect(&p, SSH_MSG_KEXINIT);
	/* A client that has not seen it yet may still talk; not for ever. */
	assert_int_equal(ssh_conn_deadline_ms(p.conn), p.now_ms + 10000);
	pass(&p, 9000);
	peer_say_kexinit(&p);
	peer_finish_exchange(&p);
	assert_int_equal(ssh_conn_deadline_ms(p.conn), p.now_ms + 50000);
	pass(&p, 50000);
	peer_expect(&p, SSH_MSG_KEXINIT);
	pass(&p, 10000);
	peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
	peer_fini(&p);
}

static void
test_a_rekey_that_the_peer_began_must_end_too(void **state)
{
	struct peer p;

	init(&p, login_in_10_s);
	peer_login(&p);
	peer_say_kexinit(&p);
	peer_run(&p);
	pass(&p, 9999);
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	pass(&p, 1);
	peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
	peer_fini(&p);
}

static void
without_rekey(struct ssh_setup *setup)
{
	setup->rekey_ms = 0;
	setup->rekey_bytes = 0;
}

static void
test_without_rekey_there_is_no_deadline(void **state)
{
	struct peer p;

	init(&p, without_rekey);
	peer_login(&p);
	assert_int_equal(ssh_conn_deadline_ms(p.conn), UINT64_MAX);
	peer_fini(&p);
}

/* ---- output ---- */

static void
with_little_output(struct ssh_setup *setup)
{
	setup->output_max = 100000;
}

static void
test_writable_ends_where_half_the_output_is_full(void **state)
{
	size_t sent = 0, writable;
	struct peer p;

	init(&p, with_little_output);
	peer_login(&p);
	assert_int_equal(peer_open_channel(&p), 0);
	while ((writable = ssh_conn_writable(p.conn, 0)) > 0) {
		size_t len =
		    ssh_conn_send(p.conn, 0, span_of(bytes, sizeof bytes));

		assert_int_equal(
		    len, writable < sizeof bytes ? writable : sizeof bytes);
		sent += len;
	}
	assert_true(sent >= 50000);
	assert_true(buf_len(ssh_conn_output(p.conn)) < 90000);
	peer_run(&p); /* it is written out */
	assert_true(ssh_conn_writable(p.conn, 0) > 0);
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_fini(&p);
}

/* One byte a packet costs fifty in the output: they count. */
static void
test_tiny_packets_do_not_burst_the_output(void **state)
{
	size_t writable;
	struct peer p;

	init(&p, with_little_output);
	peer_login(&p);
	peer_send_open(
	    &p, 100, &(struct peer_open){.window = UINT32_MAX, .max = 1});
	peer_expect(&p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	writable = ssh_conn_writable(p.conn, 0);
	assert_true(writable > 100 && writable < sizeof bytes);
	assert_int_equal(
	    ssh_conn_send(p.conn, 0, span_of(bytes, sizeof bytes)), writable);
	assert_true(buf_len(ssh_conn_output(p.conn)) < 90000);
	peer_run(&p);
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_fini(&p);
}

/* A peer that asks and asks, and does not read. */
static void
test_who_does_not_read_is_cut_off(void **state)
{
	struct ssh_event event = {.kind = SSH_EVENT_NONE};
	struct buf *out;
	struct peer p;
	int count = 0;

	init(&p, with_little_output);
	peer_login(&p);
	out = peer_begin(&p, SSH_MSG_GLOBAL_REQUEST);
	wire_put_cstring32(out, "tcpip-forward");
	wire_put_u8(out, 1);
	while (event.kind != SSH_EVENT_GONE) {
		struct ssh_input in;

		buf_truncate(&p.to_server, 0);
		peer_say(&p, buf_span(out));
		in.data = p.to_server.mem + p.to_server.head;
		in.len = buf_len(&p.to_server);
		ssh_conn_step(p.conn, &in, p.now_ms, &event);
		assert_true(++count < 10000);
	}
	assert_int_equal(event.gone.reason, SSH_DISCONNECT_CONNECTION_LOST);
	assert_string_equal(
	    event.gone.why, "the peer does not read what it is sent");
	assert_true(buf_len(ssh_conn_output(p.conn)) <= 100000);
	assert_true(buf_len(ssh_conn_output(p.conn)) > 60000);
	peer_fini(&p);
}

/* ---- memory ---- */

static size_t
size_of(const void *memory)
{
	return memory == NULL ? 0 : malloc_usable_size((void *)memory) + 8;
}

static void
test_an_idle_connection_is_small(void **state)
{
	size_t size;
	struct peer p;

	peer_init(&p, NULL);
	peer_login(&p);
	assert_int_equal(peer_open_channel(&p), 0);
	peer_send_data(&p, 0, span_of(bytes, 1000));
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of(bytes, 1000)), 1000);
	peer_run(&p);
	/* What it had for a while has been given back. */
	assert_null(p.conn->exchange);
	assert_null(p.conn->auth);
	assert_null(p.conn->output.mem);
	size = size_of(p.conn) + size_of(p.conn->channels) +
	       size_of(p.conn->client_version);
	if (size > 900)
		fail_msg("%zu bytes", size);
	/* And the last channel gives back the table. */
	ssh_conn_close(p.conn, 0);
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 0);
	assert_null(p.conn->channels);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(who_does_not_log_in_in_time_is_cut_off),
	    TEST(keys_grow_old),
	    TEST(a_rekey_that_the_peer_began_must_end_too),
	    TEST(without_rekey_there_is_no_deadline),
	    TEST(writable_ends_where_half_the_output_is_full),
	    TEST(tiny_packets_do_not_burst_the_output),
	    TEST(who_does_not_read_is_cut_off),
	    TEST(an_idle_connection_is_small),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
