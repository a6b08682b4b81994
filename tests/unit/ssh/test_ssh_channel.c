#include "peer.h"

static const uint8_t bytes[1000];

/* ---- open ---- */

static void
test_a_channel_is_opened_when_the_caller_says_so(void **state)
{
	const struct peer_event *open;
	struct span body;
	uint32_t value;
	struct peer p;

	peer_login_with(&p, 5000, 4);
	p.is_slow_opener = true;
	peer_send_open(&p, 77,
	    &(struct peer_open){.host = "broker", .window = 9, .max = 5});
	open = peer_event(&p, SSH_EVENT_OPEN);
	assert_string_equal(open->text, "broker");
	peer_expect_silence(&p);
	assert_int_equal(ssh_conn_writable(p.conn, open->channel), 0);
	ssh_conn_open_confirm(p.conn, open->channel);
	peer_run(&p);
	body = peer_expect(&p, SSH_MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_true(wire_take_u32(&body, &value) && value == 77);
	assert_true(wire_take_u32(&body, &value) && value == open->channel);
	assert_true(wire_take_u32(&body, &value) && value == 5000);
	assert_true(wire_take_u32(&body, &value) && value == SSH_DATA_MAX);
	assert_int_equal(body.len, 0);
	assert_int_equal(ssh_conn_writable(p.conn, open->channel), 9);
	peer_fini(&p);
}

static void
expect_refusal(
    struct peer *p, uint32_t id, enum ssh_open_failure reason, const char *why)
{
	struct span body, text, language;
	uint32_t value;

	body = peer_expect(p, SSH_MSG_CHANNEL_OPEN_FAILURE);
	assert_true(wire_take_u32(&body, &value) && value == id);
	assert_true(wire_take_u32(&body, &value));
	assert_int_equal(value, reason);
	assert_true(wire_take_string32(&body, &text));
	if (why != NULL)
		assert_true(span_is(text, why));
	assert_true(text.len > 0);
	assert_true(wire_take_string32(&body, &language));
	assert_int_equal(body.len, 0);
	peer_expect_silence(p);
}

static void
test_a_refusal_carries_its_reason(void **state)
{
	uint32_t id;
	struct peer p;

	peer_login_with(&p, 5000, 4);
	p.is_slow_opener = true;
	peer_send_open(&p, 1, &(struct peer_open){.max = 1});
	id = peer_event(&p, SSH_EVENT_OPEN)->channel;
	ssh_conn_open_refuse(
	    p.conn, id, SSH_OPEN_CONNECT_FAILED, "the broker is away");
	peer_run(&p);
	expect_refusal(&p, 1, SSH_OPEN_CONNECT_FAILED, "the broker is away");
	assert_false(ssh_conn_next_channel(p.conn, SSH_CHANNEL_ALL, &id));
	peer_fini(&p);
}

static void
test_closing_what_was_only_asked_for_refuses_it(void **state)
{
	struct peer p;

	peer_login_with(&p, 5000, 4);
	p.is_slow_opener = true;
	peer_send_open(&p, 1, &(struct peer_open){.max = 1});
	ssh_conn_close(p.conn, peer_event(&p, SSH_EVENT_OPEN)->channel);
	peer_run(&p);
	expect_refusal(&p, 1, SSH_OPEN_CONNECT_FAILED, NULL);
	peer_fini(&p);
}

static void
test_other_channels_are_refused_in_words(void **state)
{
	static const struct {
		const char *type;
		enum ssh_open_failure reason;
	} cases[] = {
	    {"session", SSH_OPEN_ADMINISTRATIVELY_PROHIBITED},
	    {"x11", SSH_OPEN_ADMINISTRATIVELY_PROHIBITED},
	    {"direct-streamlocal@openssh.com",
		SSH_OPEN_ADMINISTRATIVELY_PROHIBITED},
	    {"forwarded-tcpip", SSH_OPEN_UNKNOWN_CHANNEL_TYPE},
	    {"", SSH_OPEN_UNKNOWN_CHANNEL_TYPE},
	};
	struct peer p;

	peer_login_with(&p, 5000, 4);
	for (uint32_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		peer_send_open(
		    &p, i, &(struct peer_open){.type = cases[i].type});
		expect_refusal(&p, i, cases[i].reason, NULL);
	}
	peer_send_open(&p, 7, &(struct peer_open){.type = "session"});
	expect_refusal(&p, 7, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED,
	    "kayad carries MQTT only: no shell, no command, no files (use ssh "
	    "-N)");
	assert_null(peer_event(&p, SSH_EVENT_OPEN));
	peer_fini(&p);
}

static void
test_more_channels_than_allowed_are_refused(void **state)
{
	uint32_t id = SSH_CHANNEL_ALL, count = 0;
	struct peer p;

	peer_login_with(&p, 5000, 3);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(peer_open_channel(&p), i);
	peer_send_open(&p, 9, &(struct peer_open){.max = 1});
	expect_refusal(&p, 9, SSH_OPEN_RESOURCE_SHORTAGE, NULL);
	while (ssh_conn_next_channel(p.conn, id, &id))
		assert_int_equal(id, count++);
	assert_int_equal(count, 3);
	/* One that is closed on our side alone still counts. */
	ssh_conn_close(p.conn, 1);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_send_open(&p, 9, &(struct peer_open){.max = 1});
	expect_refusal(&p, 9, SSH_OPEN_RESOURCE_SHORTAGE, NULL);
	assert_true(ssh_conn_next_channel(p.conn, 0, &id) && id == 2);
	/* The peer's CLOSE frees its id. */
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 1);
	assert_int_equal(peer_open_channel(&p), 1);
	peer_fini(&p);
}

static void
test_packets_of_no_bytes_are_no_channel(void **state)
{
	struct peer p;

	peer_login_with(&p, 5000, 3);
	peer_send_open(&p, 9, &(struct peer_open){.window = 100, .max = 0});
	expect_refusal(&p, 9, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, NULL);
	peer_fini(&p);
}

static void
test_a_channel_keeps_the_callers_pointer(void **state)
{
	struct peer p;
	uint32_t a, b;

	peer_login_with(&p, 5000, 3);
	a = peer_open_channel(&p);
	assert_null(ssh_conn_channel_data(p.conn, a));
	ssh_conn_set_channel_data(p.conn, a, &a);
	b = peer_open_channel(&p);
	ssh_conn_set_channel_data(p.conn, b, &b);
	assert_ptr_equal(ssh_conn_channel_data(p.conn, a), &a);
	assert_ptr_equal(ssh_conn_channel_data(p.conn, b), &b);
	/* The next one with this id begins anew. */
	ssh_conn_close(p.conn, a);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, a);
	assert_int_equal(peer_open_channel(&p), a);
	assert_null(ssh_conn_channel_data(p.conn, a));
	peer_fini(&p);
}

/* ---- EOF and CLOSE ---- */

static void
test_eof_goes_each_way_on_its_own(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	assert_int_equal(peer_count(&p, SSH_EVENT_EOF), 1);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of("still", 5)), 5);
	ssh_conn_send_eof(p.conn, 0);
	ssh_conn_send_eof(p.conn, 0);
	assert_int_equal(ssh_conn_writable(p.conn, 0), 0);
	peer_run(&p);
	assert_true(span_is(peer_expect_data(&p), "still"));
	peer_expect(&p, SSH_MSG_CHANNEL_EOF);
	peer_expect_silence(&p);
	peer_fini(&p);
	/* And the other way round. */
	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	ssh_conn_send_eof(p.conn, 0);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_EOF);
	peer_send_data(&p, 0, span_of("still", 5));
	assert_true(span_is(buf_span(&p.received[0]), "still"));
	peer_send_adjust(&p, 0, 1); /* nobody wants to write any more */
	assert_null(peer_event(&p, SSH_EVENT_WRITABLE));
	peer_fini(&p);
}

static void
test_eof_twice_is_told_once(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	assert_int_equal(peer_count(&p, SSH_EVENT_EOF), 1);
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_fini(&p);
}

static void
test_data_after_eof_ends_it(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	peer_send_data(&p, 0, span_of("x", 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	peer_send_extended(&p, 0, span_of(bytes, 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_anything_after_close_ends_it(void **state)
{
	static const uint8_t numbers[] = {SSH_MSG_CHANNEL_WINDOW_ADJUST,
	    SSH_MSG_CHANNEL_DATA, SSH_MSG_CHANNEL_EOF, SSH_MSG_CHANNEL_CLOSE,
	    SSH_MSG_CHANNEL_REQUEST};

	for (size_t i = 0; i < sizeof numbers; i++) {
		struct peer p;

		peer_login_with(&p, 1000, 1);
		peer_open_with(&p, 1000, 1000);
		peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 0);
		assert_int_equal(peer_count(&p, SSH_EVENT_CLOSE), 1);
		assert_int_equal(ssh_conn_writable(p.conn, 0), 0);
		peer_send_channel(&p, numbers[i], 0);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
}

static void
test_what_was_sent_before_close_still_arrives(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	assert_int_equal(ssh_conn_send(p.conn, 0, span_of("last", 4)), 4);
	ssh_conn_send_eof(p.conn, 0);
	ssh_conn_close(p.conn, 0);
	peer_run(&p);
	assert_true(span_is(peer_expect_data(&p), "last"));
	peer_expect(&p, SSH_MSG_CHANNEL_EOF);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_expect_silence(&p);
	peer_fini(&p);
}

static void
test_close_is_answered_and_frees_the_id(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 0);
	peer_expect_silence(&p);
	ssh_conn_send_eof(p.conn, 0); /* too late: nothing */
	ssh_conn_close(p.conn, 0);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_expect_silence(&p);
	peer_send_data(&p, 0, span_of("x", 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

/* What was on its way when we closed. */
static void
test_after_our_close_the_peer_may_finish(void **state)
{
	struct buf *out;
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	ssh_conn_close(p.conn, 0);
	peer_forget_events(&p);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_CHANNEL_CLOSE);
	peer_send_data(&p, 0, span_of(bytes, 500));
	peer_send_extended(&p, 0, span_of(bytes, 300));
	peer_send_adjust(&p, 0, 10);
	out = peer_begin(&p, SSH_MSG_CHANNEL_REQUEST);
	wire_put_u32(out, 0);
	wire_put_cstring32(out, "exec");
	wire_put_u8(out, 1);
	peer_send_it(&p);
	peer_send_data(&p, 0, span_of(bytes, 200));
	peer_send_channel(&p, SSH_MSG_CHANNEL_EOF, 0);
	peer_send_channel(&p, SSH_MSG_CHANNEL_CLOSE, 0);
	peer_expect_silence(&p);
	assert_int_equal(p.event_count, 0);
	assert_int_equal(peer_open_channel(&p), 0);
	peer_fini(&p);
}

static void
test_after_our_close_the_window_still_counts(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	ssh_conn_close(p.conn, 0);
	peer_send_data(&p, 0, span_of(bytes, 1000));
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_send_data(&p, 0, span_of(bytes, 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_a_channel_that_is_not_there_ends_it(void **state)
{
	static const uint32_t ids[] = {0, 1, 2, 77, UINT32_MAX};

	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
		struct peer p;

		peer_login_with(&p, 1000, 3);
		p.is_slow_opener = true; /* 0 is asked for, not open */
		peer_send_open(&p, 1, &(struct peer_open){.max = 1});
		peer_send_data(&p, ids[i], span_of("x", 1));
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
}

/* ---- requests ---- */

static void
test_requests_on_a_channel_fail_if_they_want_an_answer(void **state)
{
	struct span body;
	struct buf *out;
	uint32_t id;
	struct peer p;

	peer_login_with(&p, 1000, 1);
	peer_open_with(&p, 1000, 1000);
	for (uint8_t want = 0; want < 2; want++) {
		out = peer_begin(&p, SSH_MSG_CHANNEL_REQUEST);
		wire_put_u32(out, 0);
		wire_put_cstring32(out, "winadj@putty.projects.tartarus.org");
		wire_put_u8(out, want);
		peer_send_it(&p);
	}
	body = peer_expect(&p, SSH_MSG_CHANNEL_FAILURE);
	assert_true(wire_take_u32(&body, &id) && id == 100);
	assert_int_equal(body.len, 0);
	peer_expect_silence(&p);
	peer_fini(&p);
}

static void
send_global(struct peer *p, const char *name, uint8_t want)
{
	struct buf *out = peer_begin(p, SSH_MSG_GLOBAL_REQUEST);

	wire_put_cstring32(out, name);
	wire_put_u8(out, want);
	wire_put_cstring32(out, "0.0.0.0");
	wire_put_u32(out, 1883);
	peer_send_it(p);
}

static void
test_global_requests_are_refused_but_for_harmless_ones(void **state)
{
	struct peer p;

	peer_login_with(&p, 1000, 1);
	send_global(&p, "keepalive@openssh.com", 1);
	peer_expect(&p, SSH_MSG_REQUEST_SUCCESS);
	send_global(&p, "tcpip-forward", 1);
	peer_expect(&p, SSH_MSG_REQUEST_FAILURE);
	send_global(&p, "streamlocal-forward@openssh.com", 1);
	peer_expect(&p, SSH_MSG_REQUEST_FAILURE);
	send_global(&p, "no-more-sessions@openssh.com", 0);
	send_global(&p, "keepalive@openssh.com", 0);
	send_global(&p, "tcpip-forward", 0);
	peer_expect_silence(&p);
	assert_int_equal(p.event_count, 3); /* of the login */
	peer_fini(&p);
}

static void
test_each_keepalive_has_its_answer(void **state)
{
	struct span body, name;
	uint8_t want;
	struct peer p;

	peer_login_with(&p, 1000, 1);
	ssh_conn_keepalive(p.conn);
	ssh_conn_keepalive(p.conn);
	peer_run(&p);
	for (int i = 0; i < 2; i++) {
		body = peer_expect(&p, SSH_MSG_GLOBAL_REQUEST);
		assert_true(wire_take_string32(&body, &name));
		assert_true(span_is(name, "keepalive@openssh.com"));
		assert_true(wire_take_u8(&body, &want) && want == 1);
	}
	peer_send_byte(&p, SSH_MSG_REQUEST_FAILURE);
	assert_int_equal(peer_count(&p, SSH_EVENT_ALIVE), 1);
	peer_send_byte(&p, SSH_MSG_REQUEST_SUCCESS);
	assert_int_equal(peer_count(&p, SSH_EVENT_ALIVE), 2);
	peer_send_byte(&p, SSH_MSG_REQUEST_SUCCESS);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_channel_is_opened_when_the_caller_says_so),
	    TEST(a_refusal_carries_its_reason),
	    TEST(closing_what_was_only_asked_for_refuses_it),
	    TEST(other_channels_are_refused_in_words),
	    TEST(more_channels_than_allowed_are_refused),
	    TEST(packets_of_no_bytes_are_no_channel),
	    TEST(a_channel_keeps_the_callers_pointer),
	    TEST(eof_goes_each_way_on_its_own),
	    TEST(eof_twice_is_told_once),
	    TEST(data_after_eof_ends_it),
	    TEST(anything_after_close_ends_it),
	    TEST(what_was_sent_before_close_still_arrives),
	    TEST(close_is_answered_and_frees_the_id),
	    TEST(after_our_close_the_peer_may_finish),
	    TEST(after_our_close_the_window_still_counts),
	    TEST(a_channel_that_is_not_there_ends_it),
	    TEST(requests_on_a_channel_fail_if_they_want_an_answer),
	    TEST(global_requests_are_refused_but_for_harmless_ones),
	    TEST(each_keepalive_has_its_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
