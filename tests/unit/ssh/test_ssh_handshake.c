#include "peer.h"

#include <stdio.h>

static void
test_keys_are_exchanged_and_a_message_goes_round(void **state)
{
	struct peer p;
	struct ssh_conn_facts facts;

	peer_init(&p, NULL);
	peer_login(&p);
	ssh_conn_facts(p.conn, &facts);
	assert_string_equal(facts.kex, "curve25519-sha256");
	assert_string_equal(facts.cipher_in, "chacha20-poly1305@openssh.com");
	assert_string_equal(facts.mac_in, "implicit");
	assert_string_equal(facts.client_version, "SSH-2.0-peer_1 \"test\"");
	assert_string_equal(facts.state, "open");
	assert_true(facts.is_strict);
	assert_int_equal(facts.key_exchanges, 1);
	peer_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys_are_exchanged_and_a_message_goes_round),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
