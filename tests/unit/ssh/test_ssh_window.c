#include "peer.h"

static const uint8_t bytes[2 * SSH_DATA_MAX];

/* ---- our window ---- */

static void
test_data_up_to_the_window_is_taken_and_more_is_not(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1000, 1);
	p.is_slow_reader = true;
	id = peer_open_channel(&p);
	peer_send_data(&p, id, span_of(bytes, 600));
	peer_send_data(&p, id, span_of(bytes, 0));
	peer_send_data(&p, id, span_of(bytes, 400));
	assert_int_equal(buf_len(&p.received[id]), 1000);
	peer_send_data(&p, id, span_of(bytes, 0));
	assert_int_equal(peer_count(&p, SSH_EVENT_DATA), 2);
	peer_expect_silence(&p);
	peer_send_data(&p, id, span_of(bytes, 1));
	assert_int_equal(buf_len(&p.received[id]), 1000);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
expect_adjust(struct peer *p, uint32_t more)
{
	struct span body = peer_expect(p, SSH_MSG_CHANNEL_WINDOW_ADJUST);
	uint32_t value;

	assert_true(wire_take_u32(&body, &value) && value == 100);
	assert_true(wire_take_u32(&body, &value));
	assert_int_equal(value, more);
	assert_int_equal(body.len, 0);
}

static void
test_what_is_consumed_is_given_back_half_a_window_at_a_time(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1000, 1);
	p.is_slow_reader = true;
	id = peer_open_channel(&p);
	peer_send_data(&p, id, span_of(bytes, 1000));
	ssh_conn_consumed(p.conn, id, 499);
	peer_run(&p);
	peer_expect_silence(&p);
	ssh_conn_consumed(p.conn, id, 1);
	ssh_conn_consumed(p.conn, id, 400);
	peer_run(&p);
	expect_adjust(&p, 500);
	peer_expect_silence(&p);
	peer_send_data(&p, id, span_of(bytes, 500));
	ssh_conn_consumed(p.conn, id, 600);
	peer_run(&p);
	expect_adjust(&p, 1000);
	peer_send_data(&p, id, span_of(bytes, 1000));
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_fini(&p);
}

static void
test_a_stream_of_many_windows_goes_through(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1000, 1);
	id = peer_open_channel(&p);
	for (int i = 0; i < 100; i++)
		peer_send_data(&p, id, span_of(bytes, 333));
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	assert_int_equal(buf_len(&p.received[id]), 33300);
	peer_fini(&p);
}

static void
test_after_eof_no_window_is_given_back(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1000, 1);
	p.is_slow_reader = true;
	id = peer_open_channel(&p);
	peer_send_data(&p, id, span_of(bytes, 1000));
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, id);
	ssh_conn_consumed(p.conn, id, 1000);
	peer_run(&p);
	peer_expect_silence(&p);
	peer_fini(&p);
}

static void
test_the_largest_data_is_taken_and_a_byte_more_is_not(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1 << 20, 1);
	id = peer_open_channel(&p);
	peer_send_data(&p, id, span_of(bytes, SSH_DATA_MAX));
	assert_int_equal(buf_len(&p.received[id]), SSH_DATA_MAX);
	peer_send_data(&p, id, span_of(bytes, SSH_DATA_MAX + 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_extended_data_is_dropped_within_the_window(void **state)
{
	struct peer p;
	uint32_t id;

	peer_login_with(&p, 1000, 1);
	id = peer_open_channel(&p);
	peer_send_extended(&p, id, span_of(bytes, 1000));
	assert_null(peer_event(&p, SSH_EVENT_DATA));
	expect_adjust(&p, 1000);
	peer_send_extended(&p, id, span_of(bytes, 1001));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

/* ---- the peer's window ---- */

static void
test_no_more_is_sent_than_the_peers_window(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 10, SSH_DATA_MAX);
	assert_int_equal(ssh_conn_writable(p.conn, 0), 10);
	assert_int_equal(
	    ssh_conn_send(p.conn, 0, span_of("0123456789abc", 13)), 10);
	assert_int_equal(ssh_conn_writable(p.conn, 0), 0);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of("abc", 3)), 0);
	peer_run(&p);
	assert_true(span_is(peer_expect_data(&p), "0123456789"));
	peer_expect_silence(&p);
	peer_send_adjust(&p, 0, 2);
	assert_int_equal(peer_event(&p, SSH_EVENT_WRITABLE)->channel, 0);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of("abc", 3)), 2);
	peer_run(&p);
	assert_true(span_is(peer_expect_data(&p), "ab"));
	peer_fini(&p);
}

static void
test_packets_are_no_larger_than_the_peer_takes(void **state)
{
	static const uint32_t maxima[] = {
	    1, 2, 7, 1000, SSH_DATA_MAX, SSH_DATA_MAX + 1, UINT32_MAX};

	for (size_t i = 0; i < sizeof maxima / sizeof maxima[0]; i++) {
		size_t sent, got = 0;
		struct peer p;

		peer_login_with(&p, 1000, 1);
		peer_open_with(&p, 100000, maxima[i]);
		sent = ssh_conn_writable(p.conn, 0);
		if (sent > sizeof bytes)
			sent = sizeof bytes;
		assert_true(sent >= 1000);
		assert_int_equal(
		    ssh_conn_send(p.conn, 0, span_of(bytes, sent)), sent);
		peer_run(&p);
		assert_null(peer_event(&p, SSH_EVENT_GONE));
		while (got < sent) {
			struct span data = peer_expect_data(&p);

			assert_true(data.len > 0 && data.len <= maxima[i]);
			assert_true(data.len <= SSH_DATA_MAX);
			got += data.len;
		}
		assert_int_equal(got, sent);
		peer_fini(&p);
	}
}

static void
test_a_window_past_32_bits_ends_it(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, UINT32_MAX - 1, SSH_DATA_MAX);
	peer_send_adjust(&p, 0, 1);
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_send_adjust(&p, 0, 1);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(data_up_to_the_window_is_taken_and_more_is_not),
	    TEST(what_is_consumed_is_given_back_half_a_window_at_a_time),
	    TEST(a_stream_of_many_windows_goes_through),
	    TEST(after_eof_no_window_is_given_back),
	    TEST(the_largest_data_is_taken_and_a_byte_more_is_not),
	    TEST(extended_data_is_dropped_within_the_window),
	    TEST(no_more_is_sent_than_the_peers_window),
	    TEST(packets_are_no_larger_than_the_peer_takes),
	    TEST(a_window_past_32_bits_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
