#include "peer.h"

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

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(every_cipher_goes_with_every_mac),
	    TEST(each_direction_has_algorithms_of_its_own),
	    TEST(the_clients_order_decides),
	    TEST(nothing_in_common_is_told_by_name),
	    TEST(only_what_can_be_done_is_offered),
	    TEST(an_rsa_host_key_signs_by_sha2_only),
	    TEST(a_kexinit_cut_anywhere_is_malformed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
