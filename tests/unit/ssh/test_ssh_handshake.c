#include "peer.h"

#include <stdio.h>

static void
test_keys_are_exchanged_and_what_was_agreed_can_be_told(void **state)
{
	struct peer p;
	struct ssh_conn_facts facts;

	peer_init(&p, NULL);
	ssh_conn_facts(p.conn, &facts);
	assert_string_equal(facts.kex, "none");
	assert_string_equal(facts.client_version, "");
	peer_login(&p);
	ssh_conn_facts(p.conn, &facts);
	assert_string_equal(facts.kex, "curve25519-sha256");
	assert_string_equal(facts.host_key, "ssh-ed25519");
	assert_string_equal(facts.cipher_in, "chacha20-poly1305@openssh.com");
	assert_string_equal(facts.mac_in, "implicit");
	assert_string_equal(facts.client_version, "SSH-2.0-peer_1 \"test\"");
	assert_string_equal(facts.state, "open");
	assert_true(facts.is_strict);
	assert_int_equal(facts.key_exchanges, 1);
	peer_fini(&p);
}

/* ---- guesses ---- */

static void
finish(struct peer *p)
{
	peer_run(p);
	peer_read_version(p);
	peer_expect(p, SSH_MSG_KEXINIT);
	peer_expect(p, SSH_MSG_KEX_ECDH_REPLY);
	peer_expect(p, SSH_MSG_NEWKEYS);
	peer_say_newkeys(p);
	peer_run(p);
	assert_null(peer_event(p, SSH_EVENT_GONE));
}

static void
test_a_wrongly_guessed_packet_is_skipped(void **state)
{
	static const struct peer_options guesses[] = {
	    {.kex = "diffie-hellman-group14-sha256,curve25519-sha256",
		.first_follows = 1},
	    {.kex = "diffie-hellman-group14-sha256," PEER_DEFAULT_KEX,
		.first_follows = 1},
	    {.host_key = "ecdsa-sha2-nistp256,ssh-ed25519",
		.first_follows = 255},
	};
	static const uint8_t numbers[] = {30, 31, 34, 49};
	struct peer p;

	for (size_t i = 0; i < sizeof guesses / sizeof guesses[0]; i++) {
		for (size_t n = 0; n < sizeof numbers; n++) {
			peer_init(&p, &guesses[i]);
			peer_say_version(&p);
			peer_say_kexinit(&p);
			peer_say(&p, span_of(&numbers[n], 1));
			peer_say_ecdh_init(&p);
			finish(&p);
			peer_fini(&p);
		}
	}
}

static void
test_a_rightly_guessed_packet_is_used(void **state)
{
	struct peer p;

	if (ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256)) {
		print_message("libcrypto here has ML-KEM-768: curve25519 is "
			      "never the right guess\n");
		skip();
	}
	peer_init(&p, &(struct peer_options){.first_follows = 1});
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	finish(&p);
	peer_fini(&p);
}

static void
test_only_one_packet_is_skipped_for_a_wrong_guess(void **state)
{
	static const uint8_t junk[] = {30, 0, 0, 0, 1, 1};
	struct peer p;

	peer_init(
	    &p, &(struct peer_options){.first_follows = 1,
		    .kex = "diffie-hellman-group14-sha256,curve25519-sha256"});
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_say(&p, span_of(junk, sizeof junk));
	peer_say(&p, span_of(junk, sizeof junk));
	peer_run(&p);
	peer_read_version(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
	peer_fini(&p);
}

/* ---- strict key exchange, ext-info ---- */

static const uint8_t ignore[] = {SSH_MSG_IGNORE, 0, 0, 0, 1, 'x'};

static void
test_without_strict_a_stray_ignore_is_borne(void **state)
{
	struct peer p;

	peer_init(&p, &(struct peer_options){.kex = "curve25519-sha256"});
	peer_say_version(&p);
	peer_say(&p, span_of(ignore, sizeof ignore));
	peer_say_kexinit(&p);
	peer_say(&p, span_of(ignore, sizeof ignore));
	peer_say_ecdh_init(&p);
	finish(&p);
	/* The sequence numbers went on, on both sides. */
	peer_send(&p, span_of(ignore, sizeof ignore));
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	assert_int_equal(p.out.sequence, 6);
	peer_fini(&p);
}

static void
test_under_strict_kexinit_must_be_the_first_packet(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_say_version(&p);
	peer_say(&p, span_of(ignore, sizeof ignore));
	peer_say_kexinit(&p);
	peer_run(&p);
	peer_read_version(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
	peer_fini(&p);
}

static void
test_under_strict_the_sequence_begins_again_at_newkeys(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_handshake(&p);
	assert_true(p.is_strict);
	assert_int_equal(p.out.sequence, 0);
	assert_int_equal(p.in.sequence, 1); /* EXT_INFO */
	peer_send(&p, span_of(ignore, sizeof ignore));
	assert_null(peer_event(&p, SSH_EVENT_GONE));
	peer_fini(&p);
}

static void
test_ext_info_tells_the_signatures_that_are_verified(void **state)
{
	struct span body, name, value;
	char both[1024];
	uint32_t count;
	struct peer p;

	peer_init(
	    &p, &(struct peer_options){.kex = "curve25519-sha256,ext-info-c"});
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	finish(&p);
	body = peer_expect(&p, SSH_MSG_EXT_INFO);
	assert_true(wire_take_u32(&body, &count));
	assert_int_equal(count, 1);
	assert_true(wire_take_string32(&body, &name));
	assert_true(span_is(name, "server-sig-algs"));
	assert_true(wire_take_string32(&body, &value));
	snprintf(both, sizeof both, "%s,%s", ssh_key_signature_algorithms(),
	    ssh_certificate_algorithms());
	assert_true(span_is(value, both));
	assert_int_equal(body.len, 0);
	peer_fini(&p);
}

static void
test_ext_info_goes_to_nobody_who_did_not_ask(void **state)
{
	struct peer p;

	peer_init(&p, &(struct peer_options){.kex = "curve25519-sha256"});
	peer_handshake(&p); /* which expects silence behind it */
	peer_fini(&p);
}

/* ---- what is no key exchange ---- */

static void
test_a_share_that_is_none_is_refused(void **state)
{
	static const uint8_t zeroes[33];
	static const size_t lens[] = {0, 1, 31, 32, 33};
	struct peer p;

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		peer_init(&p, NULL);
		peer_say_version(&p);
		peer_say_kexinit(&p);
		wire_put_string32(peer_begin(&p, SSH_MSG_KEX_ECDH_INIT),
		    span_of(zeroes, lens[i]));
		peer_send_it(&p);
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
		peer_fini(&p);
	}
}

static void
test_a_host_key_that_cannot_sign_ends_it(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	p.is_slow_signer = true;
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	peer_run(&p);
	ssh_conn_signed(p.conn, span_of(NULL, 0), p.now_ms);
	peer_run(&p);
	peer_read_version(&p);
	peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
	/* An answer that comes too late does no harm. */
	ssh_conn_signed(p.conn, span_of_str("late"), p.now_ms);
	peer_run(&p);
	peer_expect_silence(&p);
	peer_fini(&p);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(keys_are_exchanged_and_what_was_agreed_can_be_told),
	    TEST(a_wrongly_guessed_packet_is_skipped),
	    TEST(a_rightly_guessed_packet_is_used),
	    TEST(only_one_packet_is_skipped_for_a_wrong_guess),
	    TEST(without_strict_a_stray_ignore_is_borne),
	    TEST(under_strict_kexinit_must_be_the_first_packet),
	    TEST(under_strict_the_sequence_begins_again_at_newkeys),
	    TEST(ext_info_tells_the_signatures_that_are_verified),
	    TEST(ext_info_goes_to_nobody_who_did_not_ask),
	    TEST(a_share_that_is_none_is_refused),
	    TEST(a_host_key_that_cannot_sign_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
