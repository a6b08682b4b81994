#include "settings_read.h"

#include "pubkey.h"

/* A real key, and the same with its last letter changed in a wrong way. */
#define KEY                                                                    \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void
check_told(const char *text, const char *what)
{
	struct read r;

	read_text(&r, text);
	assert_int_equal(r.result, -1);
	if (strstr(r.faults, what) == NULL)
		fail_msg("%s", r.faults);
	settings_fini(&r.s);
}

static void
test_others_are_named_with_their_keys(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	const char *why;
	struct read r;
	size_t len;

	read_text(&r, "gateway:\n"
		      "  name: north\n"
		      "  peers:\n"
		      "    - {name: south, host_key: '" KEY " a comment'}\n"
		      "    - {name: west, host_key: \"" KEY "\"}\n");
	assert_string_equal(r.faults, "");
	assert_string_equal(r.s.gateway.name, "north");
	assert_int_equal(r.s.gateway.peer_count, 2);
	assert_string_equal(r.s.gateway.peers[0].name, "south");
	assert_true(settings_peer_key(&r.s.gateway.peers[0], blob, &len, &why));
	assert_int_equal(len, 51);
	settings_fini(&r.s);
}

static void
test_what_is_no_host_key_is_told_with_its_place(void **state)
{
	check_told("gateway: {name: n, peers: [{name: s, host_key: nonsense}]}",
	    "gateway.peers[0].host_key: it is no public key");
	check_told("gateway: {name: n, peers: [{name: s, host_key: "
		   "'ssh-dss AAAA'}]}",
	    "a gateway's host key is Ed25519 or RSA");
	check_told("gateway: {name: n, peers: [{name: s, host_key: "
		   "'ssh-ed25519 AAAA'}]}",
	    "its base64 is not that of a key of this type");
	check_told("gateway: {name: n, peers: [{name: s}]}", "host_key");
}

static void
test_names_are_one_for_each(void **state)
{
	check_told("gateway: {peers: [{name: s, host_key: '" KEY "'}]}",
	    "others cannot know a gateway that has no name");
	check_told("gateway: {name: s, peers: [{name: s, host_key: '" KEY
		   "'}]}",
	    "this is gateway.name again");
	check_told("gateway: {name: n, peers: [{name: s, host_key: '" KEY
		   "'}, {name: s, host_key: '" KEY "'}]}",
	    "gateway.peers[0] is called s too");
	check_told("gateway: {name: 'a/b'}", "gateway");
	check_told("gateway: {name: n, secret_file: /x}",
	    "nobody would send this secret");
}

static void
test_what_makes_other_gateways_is_known(void **state)
{
	static const char *const texts[] = {
	    "gateway: {name: n, peers: [{name: s, host_key: '" KEY "'}]}",
	    "gateway: {name: n}",
	    "gateway: {name: n, username: u, peers: [{name: s, host_key: '" KEY
	    "'}]}",
	    "gateway: {name: n, peers: [{name: t, host_key: '" KEY "'}]}",
	};
	struct read a, b;

	for (size_t i = 0; i < 4; i++)
		for (size_t k = 0; k < 4; k++) {
			read_text(&a, texts[i]);
			read_text(&b, texts[k]);
			assert_int_equal(
			    settings_same_gateways(&a.s, &b.s), i == k);
			settings_fini(&a.s);
			settings_fini(&b.s);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_others_are_named_with_their_keys),
	    cmocka_unit_test(test_what_is_no_host_key_is_told_with_its_place),
	    cmocka_unit_test(test_names_are_one_for_each),
	    cmocka_unit_test(test_what_makes_other_gateways_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
