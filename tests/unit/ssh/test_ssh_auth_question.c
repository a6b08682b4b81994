/*
 * A key that counts as one of two parts, and the question that is the other
 * (RFC 4252 section 5.1, RFC 4256).
 */

#include "peer.h"

static void
expect_failure(struct peer *p)
{
	struct span body, methods;
	uint8_t partial;

	body = peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
	assert_true(wire_take_string32(&body, &methods));
	assert_true(wire_take_u8(&body, &partial));
	assert_int_equal(body.len, 0);
	assert_true(span_is(methods, "keyboard-interactive"));
	assert_int_equal(partial, 0);
	peer_expect_silence(p);
}

static void
expect_failure_of_a_key(struct peer *p)
{
	struct span body, methods;

	body = peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
	assert_true(wire_take_string32(&body, &methods));
	assert_true(span_is(methods, "publickey"));
	peer_expect_silence(p);
}

static void
test_a_proven_key_is_asked_one_question(void **state)
{
	struct span body, name, instruction, language, prompt;
	uint32_t count;
	uint8_t echo;
	struct peer p;

	peer_init(&p, NULL);
	peer_prove_part(&p);
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	peer_ask_for_question(&p, "enroll");
	body = peer_expect(&p, SSH_MSG_USERAUTH_INFO_REQUEST);
	assert_true(wire_take_string32(&body, &name));
	assert_true(wire_take_string32(&body, &instruction));
	assert_true(wire_take_string32(&body, &language));
	assert_true(wire_take_u32(&body, &count));
	assert_true(wire_take_string32(&body, &prompt));
	assert_true(wire_take_u8(&body, &echo));
	assert_int_equal(body.len, 0);
	assert_true(span_is(name, "kaya"));
	assert_true(
	    span_is(instruction, "The key SHA256:... is about to be let in."));
	assert_int_equal(language.len, 0);
	assert_int_equal(count, 1);
	assert_true(span_is(prompt, PEER_PROMPT));
	assert_int_equal(echo, 0);
	peer_expect_silence(&p);
	peer_fini(&p);
}

static void
test_a_probe_is_told_that_the_key_would_do(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.answer = SSH_AUTH_QUESTION;
	peer_to_auth(&p);
	peer_send_auth(
	    &p, &(struct peer_proof){.user = "enroll", .is_probe = true});
	peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	/* It proves nothing: there is no question yet. */
	peer_ask_for_question(&p, "enroll");
	expect_failure_of_a_key(&p);
	peer_fini(&p);
}

static void
test_a_wrong_signature_is_no_part(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.answer = SSH_AUTH_QUESTION;
	peer_to_auth(&p);
	peer_send_auth(
	    &p, &(struct peer_proof){.user = "enroll", .is_damaged = true});
	expect_failure_of_a_key(&p);
	peer_ask_for_question(&p, "enroll");
	expect_failure_of_a_key(&p);
	peer_fini(&p);
}

static void
test_the_reply_comes_with_the_key_and_lets_nobody_in(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_question(&p);
	/* Whatever the caller says: a reply is no way in. */
	p.answer = SSH_AUTH_ALLOW;
	peer_send_reply(&p, "0f3k9q");
	assert_int_equal(peer_count(&p, SSH_EVENT_REPLY), 1);
	assert_string_equal(peer_event(&p, SSH_EVENT_REPLY)->text, "0f3k9q");
	expect_failure(&p);
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	peer_send_byte(&p, SSH_MSG_CHANNEL_OPEN);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_the_question_may_be_asked_again_until_the_tries_are_used_up(void **state)
{
	struct ssh_setup setup;
	struct peer p;

	ssh_setup_init(&setup);
	setup.max_auth_tries = 3;
	peer_init_setup(&p, NULL, &setup);
	peer_to_question(&p);
	for (int i = 0; i < 2; i++) {
		peer_send_reply(&p, "wrong");
		expect_failure(&p);
		peer_ask_for_question(&p, "enroll");
		peer_expect(&p, SSH_MSG_USERAUTH_INFO_REQUEST);
	}
	peer_send_reply(&p, "wrong");
	peer_expect_gone(&p, SSH_DISCONNECT_NO_MORE_AUTH_METHODS);
	assert_int_equal(peer_count(&p, SSH_EVENT_REPLY), 3);
	peer_fini(&p);
}

static void
test_input_waits_while_a_reply_is_judged(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_question(&p);
	p.is_slow_judge = true;
	peer_send_reply(&p, "a code");
	assert_true(ssh_conn_is_waiting(p.conn));
	peer_send_byte(&p, SSH_MSG_CHANNEL_SUCCESS); /* would end it */
	assert_true(buf_len(&p.inbox) > 0);
	peer_expect_silence(&p);
	ssh_conn_banner(p.conn, "no such code\r\n");
	ssh_conn_auth_answer(p.conn, SSH_AUTH_REFUSE, NULL, p.now_ms);
	peer_run(&p);
	peer_expect(&p, SSH_MSG_USERAUTH_BANNER);
	peer_expect(&p, SSH_MSG_USERAUTH_FAILURE);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_a_reply_may_be_answered_by_a_banner_and_the_end(void **state)
{
	struct span body, text;
	struct peer p;

	peer_init(&p, NULL);
	peer_to_question(&p);
	p.is_slow_judge = true;
	peer_send_reply(&p, "a code");
	ssh_conn_banner(p.conn, "kaya: enrolled as pump-7\r\n");
	ssh_conn_disconnect(
	    p.conn, SSH_DISCONNECT_BY_APPLICATION, "the key is let in");
	peer_run(&p);
	body = peer_expect(&p, SSH_MSG_USERAUTH_BANNER);
	assert_true(wire_take_string32(&body, &text));
	assert_true(span_is(text, "kaya: enrolled as pump-7\r\n"));
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	/* Too late, and harmless. */
	ssh_conn_auth_answer(p.conn, SSH_AUTH_REFUSE, NULL, p.now_ms);
	peer_expect_silence(&p);
	peer_fini(&p);
}

static void
send_method(struct peer *p, const char *user, const char *method)
{
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_REQUEST);

	wire_put_cstring32(out, user);
	wire_put_cstring32(out, "ssh-connection");
	wire_put_cstring32(out, method);
	peer_send_it(p);
}

static void
test_one_key_a_connection(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_prove_part(&p);
	p.answer = SSH_AUTH_ALLOW;
	peer_forget_events(&p);
	peer_send_auth(&p, &(struct peer_proof){.user = "enroll"});
	expect_failure(&p);
	peer_send_auth(
	    &p, &(struct peer_proof){.user = "enroll", .is_probe = true});
	expect_failure(&p);
	assert_int_equal(p.event_count, 0);
	peer_fini(&p);
}

static void
test_other_methods_are_refused_once_the_key_is_proven(void **state)
{
	static const char *const methods[] = {"none", "password", "hostbased"};
	struct peer p;

	peer_init(&p, NULL);
	peer_prove_part(&p);
	for (size_t i = 0; i < 3; i++) {
		send_method(&p, "enroll", methods[i]);
		expect_failure(&p);
	}
	peer_ask_for_question(&p, "enroll");
	peer_expect(&p, SSH_MSG_USERAUTH_INFO_REQUEST);
	/* In the reply's place, too: the question is given up. */
	send_method(&p, "enroll", "password");
	expect_failure(&p);
	peer_send_reply(&p, "to a question that is gone");
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	assert_null(peer_event(&p, SSH_EVENT_REPLY));
	peer_fini(&p);
}

static void
test_there_is_no_question_without_a_key(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.answer = SSH_AUTH_QUESTION;
	peer_to_auth(&p);
	peer_ask_for_question(&p, "enroll");
	expect_failure_of_a_key(&p);
	peer_send_reply(&p, "a code");
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	assert_null(peer_event(&p, SSH_EVENT_REPLY));
	peer_fini(&p);
}

static void
test_another_user_cannot_use_the_key_that_was_proven(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_prove_part(&p);
	peer_ask_for_question(&p, "dan");
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
	peer_init(&p, NULL);
	peer_to_question(&p);
	p.answer = SSH_AUTH_ALLOW;
	peer_send_auth(&p, &(struct peer_proof){.user = "dan"});
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	peer_fini(&p);
}

static void
send_replies(struct peer *p, uint32_t count)
{
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_INFO_RESPONSE);

	wire_put_u32(out, count);
	for (uint32_t i = 0; i < count; i++)
		wire_put_cstring32(out, "a code");
	peer_send_it(p);
}

static void
test_any_other_number_of_replies_is_a_try_that_failed(void **state)
{
	static const uint32_t counts[] = {0, 2, 100};

	for (size_t i = 0; i < 3; i++) {
		struct peer p;

		peer_init(&p, NULL);
		peer_to_question(&p);
		send_replies(&p, counts[i]);
		expect_failure(&p);
		assert_null(peer_event(&p, SSH_EVENT_REPLY));
		peer_fini(&p);
	}
}

static void
test_a_response_is_whole_or_malformed(void **state)
{
	static const uint8_t whole[] = "\x3d\0\0\0\1\0\0\0\6a code";
	static const uint8_t many[] = "\x3d\xff\xff\xff\xff\0\0\0\0";
	struct peer p;

	for (size_t len = 1; len <= sizeof whole; len++) {
		peer_init(&p, NULL);
		peer_to_question(&p);
		peer_send(&p, span_of(whole, len));
		if (len == sizeof whole - 1) {
			assert_int_equal(peer_count(&p, SSH_EVENT_REPLY), 1);
		} else { /* cut, or with a byte behind it */
			peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
			assert_null(peer_event(&p, SSH_EVENT_REPLY));
		}
		peer_fini(&p);
	}
	peer_init(&p, NULL);
	peer_to_question(&p);
	peer_send(&p, span_of(many, sizeof many - 1));
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_a_request_for_the_question_is_whole_or_malformed(void **state)
{
	static const uint8_t whole[] =
	    "\x32\0\0\0\6enroll\0\0\0\016ssh-connection"
	    "\0\0\0\024keyboard-interactive\0\0\0\0\0\0\0\3pam";
	enum { METHOD_END = 1 + 10 + 18 + 24 };

	for (size_t len = METHOD_END; len <= sizeof whole; len++) {
		struct peer p;

		peer_init(&p, NULL);
		peer_prove_part(&p);
		peer_send(&p, span_of(whole, len));
		if (len == sizeof whole - 1)
			peer_expect(&p, SSH_MSG_USERAUTH_INFO_REQUEST);
		else
			peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		peer_fini(&p);
	}
}

static void
whole_talk(struct peer *p)
{
	peer_to_question(p);
	peer_send_reply(p, "a code");
	expect_failure(p);
}

static void
test_the_talk_may_be_cut_in_two_anywhere(void **state)
{
	size_t len = 1;

	for (size_t at = 1; at <= len; at++) {
		struct peer p;

		peer_init(&p, NULL);
		p.split_at = at;
		whole_talk(&p);
		len = p.handed_over;
		peer_fini(&p);
	}
	assert_true(len > 500);
}

static void
test_the_talk_may_come_byte_by_byte(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.chunk = 1;
	whole_talk(&p);
	peer_fini(&p);
}

static void
test_new_keys_may_come_in_the_middle_of_the_question(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_question(&p);
	peer_rekey(&p);
	peer_send_reply(&p, "a code");
	assert_string_equal(peer_event(&p, SSH_EVENT_REPLY)->text, "a code");
	expect_failure(&p);
	peer_fini(&p);
}

static void
test_who_is_asked_has_longer_but_once(void **state)
{
	struct ssh_setup setup;
	uint64_t asked_ms;
	struct peer p;

	ssh_setup_init(&setup);
	setup.login_grace_ms = 30000;
	setup.question_ms = 100000;
	peer_init_setup(&p, NULL, &setup);
	peer_to_question(&p);
	asked_ms = p.now_ms;
	assert_int_equal(ssh_conn_deadline_ms(p.conn), asked_ms + 100000);
	p.now_ms += 60000;
	peer_send_reply(&p, "wrong");
	expect_failure(&p);
	peer_ask_for_question(&p, "enroll");
	peer_expect(&p, SSH_MSG_USERAUTH_INFO_REQUEST);
	assert_int_equal(ssh_conn_deadline_ms(p.conn), asked_ms + 100000);
	ssh_conn_on_deadline(p.conn, asked_ms + 100000);
	peer_run(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_BY_APPLICATION);
	peer_fini(&p);
}

/* Packets are decrypted in the caller's memory. */
static void
test_the_reply_is_wiped_from_the_packet_that_brought_it(void **state)
{
	struct ssh_event event;
	struct ssh_input in;
	uint8_t bytes[512];
	struct peer p;
	size_t len;

	peer_init(&p, NULL);
	peer_to_question(&p);
	peer_begin(&p, SSH_MSG_USERAUTH_INFO_RESPONSE);
	wire_put_u32(&p.payload, 1);
	wire_put_cstring32(&p.payload, "very secret");
	peer_say(&p, buf_span(&p.payload));
	len = buf_len(&p.to_server);
	assert_true(len < sizeof bytes);
	memcpy(bytes, buf_span(&p.to_server).data, len);
	buf_truncate(&p.to_server, 0);
	in = (struct ssh_input){bytes, len};
	ssh_conn_step(p.conn, &in, p.now_ms, &event);
	assert_int_equal(event.kind, SSH_EVENT_REPLY);
	assert_true(span_is(event.reply.text, "very secret"));
	assert_null(memmem(bytes, len, "very secret", 11));
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_proven_key_is_asked_one_question),
	    TEST(a_probe_is_told_that_the_key_would_do),
	    TEST(a_wrong_signature_is_no_part),
	    TEST(the_reply_comes_with_the_key_and_lets_nobody_in),
	    TEST(the_question_may_be_asked_again_until_the_tries_are_used_up),
	    TEST(input_waits_while_a_reply_is_judged),
	    TEST(a_reply_may_be_answered_by_a_banner_and_the_end),
	    TEST(one_key_a_connection),
	    TEST(other_methods_are_refused_once_the_key_is_proven),
	    TEST(there_is_no_question_without_a_key),
	    TEST(another_user_cannot_use_the_key_that_was_proven),
	    TEST(any_other_number_of_replies_is_a_try_that_failed),
	    TEST(a_response_is_whole_or_malformed),
	    TEST(a_request_for_the_question_is_whole_or_malformed),
	    TEST(the_talk_may_be_cut_in_two_anywhere),
	    TEST(the_talk_may_come_byte_by_byte),
	    TEST(new_keys_may_come_in_the_middle_of_the_question),
	    TEST(who_is_asked_has_longer_but_once),
	    TEST(the_reply_is_wiped_from_the_packet_that_brought_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
