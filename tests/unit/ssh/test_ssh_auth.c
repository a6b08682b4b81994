#include "peer.h"

#include "sha256.h"

static void
test_a_key_that_is_allowed_proves_itself(void **state)
{
	const struct peer_event *auth;
	struct peer p;

	peer_init(&p, NULL);
	peer_login(&p);
	auth = peer_event(&p, SSH_EVENT_AUTH);
	assert_true(auth->is_proof);
	assert_string_equal(auth->text, "dan");
	peer_fini(&p);
}

static void
test_a_probe_is_answered_by_the_key_that_would_do(void **state)
{
	struct span body, algorithm, blob;
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){.is_probe = true});
	assert_false(peer_event(&p, SSH_EVENT_AUTH)->is_proof);
	body = peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	assert_true(wire_take_string32(&body, &algorithm));
	assert_true(wire_take_string32(&body, &blob));
	assert_int_equal(body.len, 0);
	assert_true(span_is(algorithm, "ssh-ed25519"));
	assert_true(span_equal(blob, buf_span(&p.user_blob)));
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	/* A probe lets nobody in: what follows is still out of place. */
	peer_send_byte(&p, SSH_MSG_CHANNEL_OPEN);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
expect_failure(struct peer *p)
{
	struct span body, methods;
	uint8_t partial;

	body = peer_expect(p, SSH_MSG_USERAUTH_FAILURE);
	assert_true(wire_take_string32(&body, &methods));
	assert_true(wire_take_u8(&body, &partial));
	assert_int_equal(body.len, 0);
	assert_true(span_is(methods, "publickey"));
	assert_int_equal(partial, 0);
	peer_expect_silence(p);
}

static void
test_a_key_that_is_refused_is_told_the_method_that_is_left(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.answer = SSH_AUTH_REFUSE;
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){.is_probe = true});
	expect_failure(&p);
	peer_send_auth(&p, &(struct peer_proof){0});
	expect_failure(&p);
	/* The next key may be a better one. */
	p.answer = SSH_AUTH_ALLOW;
	peer_send_auth(&p, &(struct peer_proof){0});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	peer_fini(&p);
}

static void
send_method(struct peer *p, const char *method)
{
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_REQUEST);

	wire_put_cstring32(out, "dan");
	wire_put_cstring32(out, "ssh-connection");
	wire_put_cstring32(out, method);
	peer_send_it(p);
}

static void
test_the_method_none_only_tells_what_there_is(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	for (int i = 0; i < 50; i++) {
		send_method(&p, "none");
		expect_failure(&p);
	}
	assert_null(peer_event(&p, SSH_EVENT_AUTH));
	peer_fini(&p);
}

static void
test_a_wrong_signature_lets_nobody_in(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){.is_damaged = true});
	assert_int_equal(peer_count(&p, SSH_EVENT_AUTH), 1);
	expect_failure(&p);
	assert_null(peer_event(&p, SSH_EVENT_ACCEPTED));
	peer_fini(&p);
}

static void
test_a_signature_over_another_session_lets_nobody_in(void **state)
{
	uint8_t other[32];
	struct peer p, q;

	peer_init(&q, NULL);
	peer_to_auth(&q);
	memcpy(other, q.session_id, sizeof other);
	peer_fini(&q);
	peer_init(&p, NULL);
	peer_to_auth(&p);
	assert_memory_not_equal(other, p.session_id, sizeof other);
	peer_send_auth(&p,
	    &(struct peer_proof){.session_id = span_of(other, sizeof other)});
	expect_failure(&p);
	peer_fini(&p);
}

/* After a rekey the session id is still that of the first exchange. */
static void
test_the_session_id_outlives_a_key_exchange(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_rekey(&p);
	assert_memory_not_equal(p.session_id, p.hash, 32);
	peer_send_auth(&p, &(struct peer_proof){0});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	peer_fini(&p);
}

static void
test_a_signature_by_another_algorithm_name_is_refused(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	/* Whatever the gateway says: the key cannot sign by it. */
	peer_send_auth(&p, &(struct peer_proof){.algorithm = "rsa-sha2-256"});
	assert_int_equal(peer_count(&p, SSH_EVENT_AUTH), 1);
	expect_failure(&p);
	peer_send_auth(
	    &p, &(struct peer_proof){.algorithm = "ssh-dss", .is_probe = true});
	expect_failure(&p);
	peer_fini(&p);
}

static void
test_tries_that_fail_are_counted(void **state)
{
	struct ssh_setup setup;
	struct peer p;

	ssh_setup_init(&setup);
	setup.max_auth_tries = 4;
	peer_init_setup(&p, NULL, &setup);
	peer_to_auth(&p);
	for (int i = 0; i < 10; i++) { /* probes are none */
		p.answer = SSH_AUTH_REFUSE;
		peer_send_auth(&p, &(struct peer_proof){.is_probe = true});
		expect_failure(&p);
	}
	peer_send_auth(&p, &(struct peer_proof){0}); /* refused */
	expect_failure(&p);
	p.answer = SSH_AUTH_ALLOW;
	peer_send_auth(&p, &(struct peer_proof){.is_damaged = true});
	expect_failure(&p);
	send_method(&p, "password");
	expect_failure(&p);
	send_method(&p, "keyboard-interactive");
	peer_expect_gone(&p, SSH_DISCONNECT_NO_MORE_AUTH_METHODS);
	peer_fini(&p);
}

static void
test_questions_without_end_are_ended(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	for (int i = 0; i < SSH_AUTH_REQUESTS_MAX; i++) {
		send_method(&p, "none");
		expect_failure(&p);
	}
	send_method(&p, "none");
	peer_expect_gone(&p, SSH_DISCONNECT_NO_MORE_AUTH_METHODS);
	peer_fini(&p);
}

static void
test_after_success_further_requests_are_passed_over(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_login(&p);
	peer_forget_events(&p);
	peer_send_auth(&p, &(struct peer_proof){.is_damaged = true});
	send_method(&p, "none");
	peer_expect_silence(&p);
	assert_int_equal(p.event_count, 0);
	(void)peer_open_channel(&p);
	peer_fini(&p);
}

static void
test_the_user_name_may_change_between_requests(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send_auth(
	    &p, &(struct peer_proof){.user = "eve", .is_probe = true});
	peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	assert_string_equal(peer_event(&p, SSH_EVENT_AUTH)->text, "eve");
	peer_send_auth(&p, &(struct peer_proof){.user = ""});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	assert_string_equal(peer_event(&p, SSH_EVENT_AUTH)->text, "");
	peer_fini(&p);
}

static void
test_a_user_name_without_measure_is_not_asked_about(void **state)
{
	static char name[SSH_USER_MAX + 2];
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	memset(name, 'x', SSH_USER_MAX + 1);
	peer_send_auth(
	    &p, &(struct peer_proof){.user = name, .is_probe = true});
	expect_failure(&p);
	assert_null(peer_event(&p, SSH_EVENT_AUTH));
	name[SSH_USER_MAX] = '\0';
	peer_send_auth(
	    &p, &(struct peer_proof){.user = name, .is_probe = true});
	peer_expect(&p, SSH_MSG_USERAUTH_PK_OK);
	peer_fini(&p);
}

static void
test_other_services_end_it_with_the_code_for_it(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_handshake(&p);
	wire_put_cstring32(
	    peer_begin(&p, SSH_MSG_SERVICE_REQUEST), "ssh-connection");
	peer_send_it(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE);
	peer_fini(&p);
	peer_init(&p, NULL);
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){.service = "ssh-shell"});
	peer_expect_gone(&p, SSH_DISCONNECT_SERVICE_NOT_AVAILABLE);
	peer_fini(&p);
}

static void
test_the_service_may_be_asked_for_before_each_try(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_to_auth(&p);
	for (int i = 0; i < 3; i++) {
		wire_put_cstring32(
		    peer_begin(&p, SSH_MSG_SERVICE_REQUEST), "ssh-userauth");
		peer_send_it(&p);
		peer_expect(&p, SSH_MSG_SERVICE_ACCEPT);
	}
	peer_send_auth(&p, &(struct peer_proof){0});
	peer_expect(&p, SSH_MSG_USERAUTH_SUCCESS);
	peer_fini(&p);
}

static void
test_a_banner_goes_out_before_the_answer(void **state)
{
	struct span body, text;
	struct peer p;

	peer_init(&p, NULL);
	p.is_slow_judge = true;
	ssh_conn_banner(p.conn, "too early");
	peer_to_auth(&p);
	peer_send_auth(&p, &(struct peer_proof){0});
	ssh_conn_banner(p.conn, "your key has expired\r\n");
	ssh_conn_auth_answer(p.conn, SSH_AUTH_REFUSE, NULL, p.now_ms);
	peer_run(&p);
	body = peer_expect(&p, SSH_MSG_USERAUTH_BANNER);
	assert_true(wire_take_string32(&body, &text));
	assert_true(span_is(text, "your key has expired\r\n"));
	expect_failure(&p);
	peer_fini(&p);
}

/*
 * A FIDO key's answer, made by hand: sk-ssh-ed25519@openssh.com over
 * SHA-256(application), flags, counter, SHA-256(message) (PROTOCOL.u2f).
 */
static void
send_sk_proof(struct peer *p, uint8_t flags)
{
	static const char type[] = "sk-ssh-ed25519@openssh.com";
	struct buf *out = peer_begin(p, SSH_MSG_USERAUTH_REQUEST);
	struct buf blob, text, signature, raw;
	struct span user = buf_span(&p->user_blob), name, point;
	uint8_t hash[32];

	assert_true(wire_take_string32(&user, &name));
	assert_true(wire_take_string32(&user, &point));
	buf_init(&blob, 1000);
	buf_init(&text, 1000);
	buf_init(&signature, 1000);
	buf_init(&raw, 1000);
	wire_put_cstring32(&blob, type);
	wire_put_string32(&blob, point);
	wire_put_cstring32(&blob, "ssh:");
	wire_put_cstring32(out, "dan");
	wire_put_cstring32(out, "ssh-connection");
	wire_put_cstring32(out, "publickey");
	wire_put_u8(out, 1);
	wire_put_cstring32(out, type);
	wire_put_string32(out, buf_span(&blob));
	wire_put_string32(&text, span_of(p->session_id, 32));
	wire_put_bytes(&text, buf_span(out));
	assert_int_equal(sha256_of(span_of_str("ssh:"), hash), 0);
	wire_put_bytes(&raw, span_of(hash, sizeof hash));
	wire_put_u8(&raw, flags);
	wire_put_u32(&raw, 7);
	assert_int_equal(sha256_of(buf_span(&text), hash), 0);
	wire_put_bytes(&raw, span_of(hash, sizeof hash));
	buf_truncate(&text, 0);
	peer_put_signature(p->user_pkey, buf_span(&raw), &text);
	wire_put_cstring32(&signature, type);
	wire_put_string32(&signature, span_of(text.mem + 4 + 11 + 4, 64));
	wire_put_u8(&signature, flags);
	wire_put_u32(&signature, 7);
	wire_put_string32(out, buf_span(&signature));
	peer_send_it(p);
	buf_fini(&blob);
	buf_fini(&text);
	buf_fini(&signature);
	buf_fini(&raw);
}

static void
test_a_token_must_be_touched_and_verified_as_the_terms_say(void **state)
{
	static const struct {
		uint8_t flags; /* 1: touched, 4: verified */
		struct ssh_auth_terms terms;
		uint8_t answer;
	} cases[] = {
	    {1, {0}, SSH_MSG_USERAUTH_SUCCESS},
	    {5, {0}, SSH_MSG_USERAUTH_SUCCESS},
	    {0, {0}, SSH_MSG_USERAUTH_FAILURE},
	    {4, {0}, SSH_MSG_USERAUTH_FAILURE},
	    {0, {.no_touch_required = true}, SSH_MSG_USERAUTH_SUCCESS},
	    {1, {.verify_required = true}, SSH_MSG_USERAUTH_FAILURE},
	    {4, {.verify_required = true}, SSH_MSG_USERAUTH_FAILURE},
	    {5, {.verify_required = true}, SSH_MSG_USERAUTH_SUCCESS},
	    {4, {.no_touch_required = true, .verify_required = true},
		SSH_MSG_USERAUTH_SUCCESS},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct peer p;

		peer_init(&p, NULL);
		p.terms = cases[i].terms;
		peer_to_auth(&p);
		send_sk_proof(&p, cases[i].flags);
		peer_expect(&p, cases[i].answer);
		peer_fini(&p);
	}
}

static void
test_no_terms_mean_touch_and_no_verification(void **state)
{
	struct peer p;

	for (uint8_t flags = 0; flags < 2; flags++) {
		peer_init(&p, NULL);
		p.is_slow_judge = true;
		peer_to_auth(&p);
		send_sk_proof(&p, flags);
		ssh_conn_auth_answer(p.conn, SSH_AUTH_ALLOW, NULL, p.now_ms);
		peer_run(&p);
		peer_expect(&p, flags == 0 ? SSH_MSG_USERAUTH_FAILURE
					   : SSH_MSG_USERAUTH_SUCCESS);
		peer_fini(&p);
	}
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_key_that_is_allowed_proves_itself),
	    TEST(a_probe_is_answered_by_the_key_that_would_do),
	    TEST(a_key_that_is_refused_is_told_the_method_that_is_left),
	    TEST(the_method_none_only_tells_what_there_is),
	    TEST(a_wrong_signature_lets_nobody_in),
	    TEST(a_signature_over_another_session_lets_nobody_in),
	    TEST(the_session_id_outlives_a_key_exchange),
	    TEST(a_signature_by_another_algorithm_name_is_refused),
	    TEST(tries_that_fail_are_counted),
	    TEST(questions_without_end_are_ended),
	    TEST(after_success_further_requests_are_passed_over),
	    TEST(the_user_name_may_change_between_requests),
	    TEST(a_user_name_without_measure_is_not_asked_about),
	    TEST(other_services_end_it_with_the_code_for_it),
	    TEST(the_service_may_be_asked_for_before_each_try),
	    TEST(a_banner_goes_out_before_the_answer),
	    TEST(a_token_must_be_touched_and_verified_as_the_terms_say),
	    TEST(no_terms_mean_touch_and_no_verification),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
