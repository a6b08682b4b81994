#include "peer.h"

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

/* ---- versions ---- */

static void
test_version_lines_of_ssh_2_are_taken(void **state)
{
	static char longest[256];
	const char *lines[] = {
	    "SSH-2.0-x\r\n",
	    "SSH-2.0-x\n",
	    "SSH-2.0-\r\n",
	    "SSH-1.99-old and new\r\n",
	    "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n",
	    longest,
	};
	struct peer p;

	memset(longest, 'x', 255);
	memcpy(longest, "SSH-2.0-", 8);
	memcpy(longest + 253, "\r\n", 2);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		peer_init(&p, &(struct peer_options){.version = lines[i]});
		peer_login(&p);
		peer_fini(&p);
	}
}

static void
test_other_versions_are_refused_with_the_code_for_it(void **state)
{
	static const char *const lines[] = {
	    "SSH-1.5-x\r\n",
	    "SSH-2.1-x\r\n",
	    "SSH-20-x\r\n",
	    "SSH-\r\n",
	    "SSH-2.0-tab\there\r\n",
	    "SSH-2.0-caf\xc3\xa9\r\n",
	    "SSH-2.0-x\r\r\n",
	};
	struct peer p;

	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
		peer_init(&p, NULL);
		peer_say_raw(&p, span_of_str(lines[i]));
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(
		    &p, SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED);
		peer_fini(&p);
	}
}

static void
test_who_speaks_no_ssh_gets_a_line_to_read(void **state)
{
	static const char line[] = "This is an SSH server.\r\n";
	static uint8_t endless[300];
	const struct span words[] = {
	    span_of_str("GET / HTTP/1.0\r\n"),
	    span_of_str("\r\n"),
	    span_of_str("SSI"),
	    span_of_str("a banner before it\r\nSSH-2.0-x\r\n"),
	    span_of("\x10\x1c\0\4MQTT", 8), /* a CONNECT */
	    span_of("\x16\3\1", 3), /* a TLS ClientHello */
	    span_of("\0", 1),
	    span_of(endless, 255),
	};
	struct peer p;

	memset(endless, 'x', sizeof endless);
	memcpy(endless, "SSH-2.0-", 8);
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		struct span from;

		peer_init(&p, NULL);
		peer_say_raw(&p, words[i]);
		peer_run(&p);
		assert_int_equal(peer_event(&p, SSH_EVENT_GONE)->reason,
		    SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED);
		from = buf_span(&p.from_server);
		assert_memory_equal(
		    from.data + from.len - strlen(line), line, strlen(line));
		peer_fini(&p);
	}
}

static void
test_a_line_that_may_still_end_is_waited_for(void **state)
{
	static uint8_t endless[254];
	struct peer p;

	memset(endless, 'x', sizeof endless);
	memcpy(endless, "SSH-2.0-", 8);
	peer_init(&p, NULL);
	peer_say_raw(&p, span_of(endless, sizeof endless));
	peer_run(&p);
	assert_int_equal(p.event_count, 0);
	assert_int_equal(buf_len(&p.inbox), sizeof endless);
	peer_fini(&p);
}

/* ---- algorithms ---- */

static const char *const ciphers[] = {
    "chacha20-poly1305@openssh.com",
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "aes128-ctr",
};
static const char *const macs[] = {
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
};
enum { CIPHERS = 5, MACS = 4, ETM_MACS = 2 };

/* Log in, and have 1,000 bytes each way. */
static void
talk(struct peer *p)
{
	static const uint8_t zeroes[1000];
	struct span body, data;
	uint32_t id;

	peer_login(p);
	id = peer_open_channel(p);
	peer_send_data(p, id, span_of(zeroes, sizeof zeroes));
	assert_int_equal(buf_len(&p->received[id]), sizeof zeroes);
	assert_int_equal(
	    ssh_conn_send(p->conn, id, span_of(zeroes, sizeof zeroes)),
	    sizeof zeroes);
	peer_run(p);
	body = peer_expect(p, SSH_MSG_CHANNEL_DATA);
	assert_true(wire_take_u32(&body, &id));
	assert_true(wire_take_string32(&body, &data));
	assert_true(span_equal(data, span_of(zeroes, sizeof zeroes)));
}

static void
test_every_cipher_goes_with_every_mac(void **state)
{
	struct ssh_setup setup;
	struct ssh_conn_facts facts;
	struct peer p;

	ssh_setup_init(&setup);
	setup.legacy_macs = true;
	for (size_t c = 0; c < CIPHERS; c++) {
		for (size_t m = 0; m < MACS; m++) {
			peer_init_setup(&p,
			    &(struct peer_options){
				.cipher_in = ciphers[c],
				.cipher_out = ciphers[c],
				.mac_in = macs[m],
				.mac_out = macs[m],
			    },
			    &setup);
			talk(&p);
			ssh_conn_facts(p.conn, &facts);
			assert_string_equal(facts.cipher_in, ciphers[c]);
			assert_string_equal(
			    facts.mac_out, c < 3 ? "implicit" : macs[m]);
			peer_fini(&p);
		}
	}
}

static void
test_each_direction_has_algorithms_of_its_own(void **state)
{
	struct peer p;

	peer_init(&p, &(struct peer_options){
			  .cipher_in = "aes128-ctr",
			  .mac_in = "hmac-sha2-512-etm@openssh.com",
			  .cipher_out = "aes256-gcm@openssh.com",
			  .mac_out = "none",
		      });
	talk(&p);
	peer_fini(&p);
	peer_init(&p, &(struct peer_options){
			  .cipher_in = "chacha20-poly1305@openssh.com",
			  .mac_in = "",
			  .cipher_out = "aes256-ctr",
			  .mac_out = "hmac-sha2-256-etm@openssh.com",
		      });
	talk(&p);
	peer_fini(&p);
}

static void
test_the_clients_order_decides(void **state)
{
	struct ssh_conn_facts facts;
	struct peer p;

	peer_init(
	    &p, &(struct peer_options){
		    .kex = "sntrup761x25519-sha512@openssh.com,"
			   "curve25519-sha256@libssh.org,curve25519-sha256",
		    .cipher_in = "aes128-ctr,chacha20-poly1305@openssh.com",
		});
	peer_handshake(&p);
	ssh_conn_facts(p.conn, &facts);
	assert_string_equal(facts.kex, "curve25519-sha256@libssh.org");
	assert_string_equal(facts.cipher_in, "aes128-ctr");
	assert_string_equal(facts.cipher_out, "chacha20-poly1305@openssh.com");
	assert_false(facts.is_strict);
	peer_fini(&p);
}

static void
test_nothing_in_common_is_told_by_name(void **state)
{
	static const struct {
		struct peer_options options;
		const char *why;
	} cases[] = {
	    {{.kex = "diffie-hellman-group1-sha1"},
		"no key exchange in common; the client offers "
		"diffie-hellman-group1-sha1"},
	    {{.kex = ""}, "no key exchange in common; the client offers "},
	    {{.kex = ",,"}, "no key exchange in common; the client offers ,,"},
	    {{.host_key = "ssh-rsa,ssh-dss"},
		"no host key algorithm in common; the client offers "
		"ssh-rsa,ssh-dss"},
	    {{.cipher_in = "aes128-cbc"},
		"no cipher in common; the client offers aes128-cbc"},
	    {{.cipher_out = "3des-cbc,none"},
		"no cipher in common; the client offers 3des-cbc,none"},
	    {{.cipher_in = "aes128-ctr", .mac_in = "hmac-sha2-256"},
		"no MAC in common; the client offers hmac-sha2-256"},
	    {{.cipher_out = "aes128-ctr", .mac_out = "hmac-sha1"},
		"no MAC in common; the client offers hmac-sha1"},
	    {{.compression = "zlib@openssh.com"},
		"no compression in common; the client offers "
		"zlib@openssh.com"},
	};
	struct peer p;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		peer_init(&p, &cases[i].options);
		peer_say_version(&p);
		peer_say_kexinit(&p);
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_KEY_EXCHANGE_FAILED);
		assert_string_equal(
		    peer_event(&p, SSH_EVENT_GONE)->text, cases[i].why);
		peer_fini(&p);
	}
}

/* The names of one list of the server's KEXINIT. */
static struct span
offered(struct peer *p, size_t list)
{
	struct span body, names, cookie;

	peer_read_version(p);
	body = peer_expect(p, SSH_MSG_KEXINIT);
	assert_true(wire_take_bytes(&body, 16, &cookie));
	for (size_t i = 0; i <= list; i++)
		assert_true(wire_take_string32(&body, &names));
	return names;
}

static void
test_only_what_can_be_done_is_offered(void **state)
{
	struct peer p;

	peer_init(&p, NULL);
	peer_run(&p);
	assert_true(span_is(offered(&p, 0),
	    ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256)
		? "mlkem768x25519-sha256,curve25519-sha256,"
		  "curve25519-sha256@libssh.org,kex-strict-s-v00@openssh.com"
		: "curve25519-sha256,curve25519-sha256@libssh.org,"
		  "kex-strict-s-v00@openssh.com"));
	peer_fini(&p);
	peer_init(&p, NULL);
	peer_run(&p);
	assert_true(span_is(offered(&p, 4),
	    "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com"));
	peer_fini(&p);
	peer_init(&p, NULL);
	peer_run(&p);
	assert_true(span_is(offered(&p, 6), "none"));
	peer_fini(&p);
}

static void
test_an_rsa_host_key_signs_by_sha2_only(void **state)
{
	static const uint8_t rsa[] = "\0\0\0\7ssh-rsa\0\0\0\3\1\0\1";
	struct ssh_setup setup;
	struct ssh_event event;
	struct ssh_input in = {0};
	struct peer p;

	peer_init(&p, &(struct peer_options){
			  .host_key = "ssh-rsa,rsa-sha2-256,ssh-ed25519"});
	setup = p.setup;
	setup.host_keys[1] = span_of(rsa, sizeof rsa - 1);
	setup.host_key_count = 2;
	ssh_conn_free(p.conn);
	p.conn = ssh_conn_new(&setup, p.engine, p.now_ms);
	p.is_slow_signer = true;
	peer_say_version(&p);
	peer_say_kexinit(&p);
	peer_say_ecdh_init(&p);
	peer_run(&p);
	assert_string_equal(
	    peer_event(&p, SSH_EVENT_SIGN)->text, "rsa-sha2-256");
	assert_int_equal(peer_event(&p, SSH_EVENT_SIGN)->channel, 1);
	assert_true(
	    span_is(offered(&p, 1), "ssh-ed25519,rsa-sha2-512,rsa-sha2-256"));
	/* While it is waited for nothing else happens. */
	assert_true(ssh_conn_is_waiting(p.conn));
	ssh_conn_step(p.conn, &in, p.now_ms, &event);
	assert_int_equal(event.kind, SSH_EVENT_NONE);
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

	if (ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256))
		skip(); /* then curve25519 is never the right guess */
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
	assert_true(span_is(value, ssh_key_signature_algorithms()));
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
test_a_kexinit_cut_anywhere_is_malformed(void **state)
{
	struct peer p;
	size_t len = 100;

	for (size_t cut = 1; cut < len; cut++) {
		peer_init(&p, NULL);
		peer_say_version(&p);
		peer_say_kexinit(&p);
		len = buf_len(&p.client_init);
		buf_truncate(&p.to_server, 0);
		peer_say_version(&p);
		p.out.sequence = 0;
		peer_say(&p, span_of(buf_span(&p.client_init).data, cut));
		peer_run(&p);
		peer_read_version(&p);
		peer_expect_gone(&p, SSH_DISCONNECT_PROTOCOL_ERROR);
		assert_string_equal(
		    peer_event(&p, SSH_EVENT_GONE)->text, "malformed KEXINIT");
		peer_fini(&p);
	}
	assert_true(len > 300);
}

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_keys_are_exchanged_and_what_was_agreed_can_be_told),
	    cmocka_unit_test(test_version_lines_of_ssh_2_are_taken),
	    cmocka_unit_test(
		test_other_versions_are_refused_with_the_code_for_it),
	    cmocka_unit_test(test_who_speaks_no_ssh_gets_a_line_to_read),
	    cmocka_unit_test(test_a_line_that_may_still_end_is_waited_for),
	    cmocka_unit_test(test_every_cipher_goes_with_every_mac),
	    cmocka_unit_test(test_each_direction_has_algorithms_of_its_own),
	    cmocka_unit_test(test_the_clients_order_decides),
	    cmocka_unit_test(test_nothing_in_common_is_told_by_name),
	    cmocka_unit_test(test_only_what_can_be_done_is_offered),
	    cmocka_unit_test(test_an_rsa_host_key_signs_by_sha2_only),
	    cmocka_unit_test(test_a_wrongly_guessed_packet_is_skipped),
	    cmocka_unit_test(test_a_rightly_guessed_packet_is_used),
	    cmocka_unit_test(test_only_one_packet_is_skipped_for_a_wrong_guess),
	    cmocka_unit_test(test_without_strict_a_stray_ignore_is_borne),
	    cmocka_unit_test(
		test_under_strict_kexinit_must_be_the_first_packet),
	    cmocka_unit_test(
		test_under_strict_the_sequence_begins_again_at_newkeys),
	    cmocka_unit_test(
		test_ext_info_tells_the_signatures_that_are_verified),
	    cmocka_unit_test(test_ext_info_goes_to_nobody_who_did_not_ask),
	    cmocka_unit_test(test_a_kexinit_cut_anywhere_is_malformed),
	    cmocka_unit_test(test_a_share_that_is_none_is_refused),
	    cmocka_unit_test(test_a_host_key_that_cannot_sign_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
