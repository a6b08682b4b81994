#include "keyring.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW 1893456000 /* 2030-01-01 */

static struct keyring_fault last;
static char last_text[4][256];
static size_t faults;

static void
on_fault(void *arg, const struct keyring_fault *fault)
{
	assert_ptr_equal(arg, &last);
	last = *fault;
	snprintf(last_text[0], 256, "%s", fault->file);
	snprintf(last_text[1], 256, "%s", fault->code);
	snprintf(last_text[2], 256, "%s", fault->cause);
	snprintf(last_text[3], 256, "%s", fault->remedy);
	faults++;
}

static struct keyring *
ring_of(const char *text)
{
	const struct keyring_file file = {"keys", span_of_str(text)};
	struct keyring *ring;

	faults = 0;
	ring = keyring_new(
	    &(struct keyring_source){
		.files = &file, .count = 1, .report = on_fault, .arg = &last},
	    NULL);
	assert_non_null(ring);
	return ring;
}

static enum keyring_result
admit(const struct keyring *ring, const char *base64, const char *client,
    struct keyring_verdict *v)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct netaddr addr;
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str(base64), blob, sizeof blob, &len),
	    PUBKEY_GOOD);
	assert_true(netaddr_parse(span_of_str(client), &addr));
	return keyring_admit(ring, span_of(blob, len), &addr, NOW, v);
}

static enum keyring_open
may_open(const char *options, const char *host, uint16_t port)
{
	struct keyring_verdict v;
	enum keyring_open result;
	struct keyring *ring;
	char text[1024];

	snprintf(text, sizeof text, "%s " KEY_ED, options);
	ring = ring_of(text);
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "::1", &v), KEYRING_ADMITTED);
	result = keyring_may_open(ring, v.entry, span_of_str(host), port);
	assert_int_equal(v.may_forward, result != KEYRING_NO_FORWARDING);
	keyring_unref(ring);
	return result;
}

static void
test_a_key_enters_under_the_name_its_line_gives(void **state)
{
	struct keyring *ring =
	    ring_of("environment=\"KAYA_ID=pump-7\","
		    "environment=\"KAYA_ROLE=valve\" " KEY_ED "\n");
	struct keyring_verdict v;
	char name[STR_NAME_MAX + 1];

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.1", &v), KEYRING_ADMITTED);
	assert_string_equal(v.identity, "pump-7");
	assert_string_equal(v.role, "valve");
	assert_string_equal(v.file, "keys");
	assert_int_equal(v.line, 1);
	assert_string_equal(keyring_identity(ring, v.entry, name), "pump-7");
	assert_string_equal(keyring_role(ring, v.entry), "valve");
	assert_int_equal(faults, 0);
	keyring_unref(ring);
}

static void
test_a_nameless_key_enters_under_its_digest(void **state)
{
	struct keyring *ring = ring_of(KEY_ED "\n");
	struct keyring_verdict v;
	char hex[2 * PUBKEY_DIGEST_BYTES + 1];

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.1", &v), KEYRING_ADMITTED);
	str_hex(
	    span_of(keyring_digest(ring, v.entry), PUBKEY_DIGEST_BYTES), hex);
	assert_int_equal(strncmp(v.identity, "key-", 4), 0);
	assert_int_equal(strlen(v.identity), 36);
	assert_int_equal(strncmp(v.identity + 4, hex, 32), 0);
	assert_string_equal(v.role, "");
	keyring_unref(ring);
}

static void
test_a_key_that_no_line_has_is_unknown(void **state)
{
	struct keyring *ring = ring_of(KEY_ED "\n"), *empty = ring_of("");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_ED2_BASE64, "10.0.0.1", &v), KEYRING_UNKNOWN);
	assert_int_equal(
	    admit(empty, KEY_ED_BASE64, "10.0.0.1", &v), KEYRING_UNKNOWN);
	assert_string_equal(v.role, "");
	keyring_unref(ring);
	keyring_unref(empty);
}

static void
test_the_first_line_that_admits_decides(void **state)
{
	struct keyring *ring =
	    ring_of("from=\"10.0.0.1\",environment=\"KAYA_ID=a\" " KEY_ED
		    "\n" KEY_ED2 "\n"
		    "environment=\"KAYA_ID=b\" " KEY_ED "\n"
		    "environment=\"KAYA_ID=c\" " KEY_ED "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.1", &v), KEYRING_ADMITTED);
	assert_string_equal(v.identity, "a");
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.2", &v), KEYRING_ADMITTED);
	assert_string_equal(v.identity, "b");
	assert_int_equal(v.line, 3);
	assert_int_equal(keyring_stats(ring).lines, 4);
	assert_int_equal(keyring_stats(ring).keys, 2);
	keyring_unref(ring);
}

static void
test_a_refusal_says_why(void **state)
{
	struct keyring *ring = ring_of(
	    "from=\"10.0.0.0/8,!10.0.0.9\" " KEY_ED "\n"
	    "expiry-time=\"20290101Z\",environment=\"KAYA_ID=x\" " KEY_ED2 "\n"
	    "from=\"10.0.0.1/8\" " KEY_EC256 "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "192.0.2.1", &v), KEYRING_REFUSED);
	assert_string_equal(
	    v.why, "the line's from list does not hold 192.0.2.1");
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.9", &v), KEYRING_REFUSED);
	assert_string_equal(v.why, "the line's from list forbids 10.0.0.9");
	assert_int_equal(
	    admit(ring, KEY_EC256_BASE64, "10.0.0.1", &v), KEYRING_REFUSED);
	assert_string_equal(v.why,
	    "the line's from list is faulty and holds nobody, "
	    "not even 10.0.0.1");
	assert_int_equal(
	    admit(ring, KEY_ED2_BASE64, "10.0.0.1", &v), KEYRING_REFUSED);
	assert_string_equal(
	    v.why, "the line's expiry-time was 2029-01-01T00:00:00Z");
	assert_string_equal(v.identity, "x");
	assert_int_equal(v.line, 2);
	keyring_unref(ring);
}

static void
test_a_line_expires_after_its_last_second(void **state)
{
	struct keyring *ring =
	    ring_of("expiry-time=\"20300101Z\" " KEY_ED "\n"
		    "expiry-time=\"20291231235959Z\" " KEY_ED2 "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "::1", &v), KEYRING_ADMITTED);
	assert_int_equal(
	    admit(ring, KEY_ED2_BASE64, "::1", &v), KEYRING_REFUSED);
	keyring_unref(ring);
}

static void
test_void_lines_are_reported_and_left_out(void **state)
{
	struct keyring *ring =
	    ring_of("# comment\n\nno-such " KEY_ED "\n" KEY_ED2 "\n");
	struct keyring_verdict v;

	assert_int_equal(faults, 1);
	assert_int_equal(last.line, 3);
	assert_int_equal(last.column, 1);
	assert_string_equal(last_text[0], "keys");
	assert_string_equal(last_text[1], "option-unknown");
	assert_string_equal(last_text[2], "no option is called \"no-such\"");
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "::1", &v), KEYRING_UNKNOWN);
	assert_int_equal(keyring_stats(ring).void_lines, 1);
	keyring_unref(ring);
}

static void
test_a_pasted_private_key_is_reported_once(void **state)
{
	struct keyring *ring =
	    ring_of("-----BEGIN OPENSSH PRIVATE KEY-----\n"
		    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB\n"
		    "-----END OPENSSH PRIVATE KEY-----\n" KEY_ED "\n");

	assert_int_equal(faults, 1);
	assert_int_equal(last.line, 1);
	assert_string_equal(last_text[1], "private-key");
	assert_int_equal(keyring_stats(ring).lines, 1);
	keyring_unref(ring);
}

static void
test_bad_names_void_the_line(void **state)
{
	static const char *const bad[] = {"KAYA_ID=a/b",
	    "KAYA_ID=", "KAYA_ID=+", "KAYA_ROLE=a b", "KAYA_ROLE="};
	char text[256];

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct keyring *ring;

		snprintf(
		    text, sizeof text, "environment=\"%s\" " KEY_ED, bad[i]);
		ring = ring_of(text);
		assert_int_equal(faults, 1);
		assert_string_equal(last_text[1],
		    strncmp(bad[i], "KAYA_ID", 7) == 0 ? "identity" : "role");
		assert_int_equal(keyring_stats(ring).lines, 0);
		keyring_unref(ring);
	}
}

static void
test_weak_keys_are_void(void **state)
{
	struct keyring *ring =
	    ring_of(KEY_RSA1024 "\n" KEY_DSA "\n" KEY_RSA2048 "\n");

	assert_int_equal(faults, 2);
	assert_int_equal(keyring_stats(ring).lines, 1);
	assert_string_equal(last_text[1], "dsa");
	keyring_unref(ring);
}

static void
test_an_authority_line_admits_no_plain_key(void **state)
{
	struct keyring *ring = ring_of("cert-authority " KEY_ED "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "::1", &v), KEYRING_UNKNOWN);
	assert_int_equal(keyring_stats(ring).authorities, 1);
	keyring_unref(ring);
}

static void
test_forwarding_follows_restrict(void **state)
{
	assert_int_equal(may_open("pty", "h", 1), KEYRING_MAY_OPEN);
	assert_int_equal(may_open("restrict", "h", 1), KEYRING_NO_FORWARDING);
	assert_int_equal(may_open("restrict,permitopen=\"h:1\"", "h", 1),
	    KEYRING_NO_FORWARDING);
	assert_int_equal(
	    may_open("no-port-forwarding", "h", 1), KEYRING_NO_FORWARDING);
	assert_int_equal(
	    may_open("restrict,port-forwarding", "h", 1), KEYRING_MAY_OPEN);
}

static void
test_permitopen_names_what_may_be_opened(void **state)
{
	const char *o = "permitopen=\"broker:1883\",permitopen=\"*:8883\","
			"permitopen=\"[2001:db8::1]:*\"";

	assert_int_equal(may_open(o, "broker", 1883), KEYRING_MAY_OPEN);
	assert_int_equal(may_open(o, "broker", 22), KEYRING_NOT_PERMITTED);
	assert_int_equal(may_open(o, "Broker", 1883), KEYRING_NOT_PERMITTED);
	assert_int_equal(may_open(o, "other", 1883), KEYRING_NOT_PERMITTED);
	assert_int_equal(may_open(o, "other", 8883), KEYRING_MAY_OPEN);
	assert_int_equal(may_open(o, "2001:db8::1", 5), KEYRING_MAY_OPEN);
	assert_int_equal(may_open(o, "", 1883), KEYRING_NOT_PERMITTED);
}

static void
test_three_spellings_of_loopback_are_one_host(void **state)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "::1"};
	static const char *const permits[] = {"permitopen=\"localhost:1883\"",
	    "permitopen=\"127.0.0.1:1883\"", "permitopen=\"[::1]:1883\""};

	for (size_t i = 0; i < 3; i++) {
		for (size_t k = 0; k < 3; k++)
			assert_int_equal(may_open(permits[i], names[k], 1883),
			    KEYRING_MAY_OPEN);
		assert_int_equal(may_open(permits[i], "localhost", 22),
		    KEYRING_NOT_PERMITTED);
		assert_int_equal(may_open(permits[i], "127.0.0.2", 1883),
		    KEYRING_NOT_PERMITTED);
	}
}

static void
test_options_of_tokens_are_handed_on(void **state)
{
	struct keyring *ring = ring_of("no-touch-required " KEY_SK_ED "\n"
				       "verify-required " KEY_SK_EC "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit(ring, KEY_SK_ED_BASE64, "::1", &v), KEYRING_ADMITTED);
	assert_false(v.touch_required || v.verify_required);
	assert_int_equal(
	    admit(ring, KEY_SK_EC_BASE64, "::1", &v), KEYRING_ADMITTED);
	assert_true(v.touch_required && v.verify_required);
	keyring_unref(ring);
}

static void
test_several_files_are_one_ring_in_their_order(void **state)
{
	const struct keyring_file files[] = {
	    {"one", span_of_str("from=\"10.0.0.1\" " KEY_ED)},
	    {"two", span_of_str("")},
	    {"three", span_of_str("\n\n" KEY_ED "\nx\n")},
	};
	struct keyring_verdict v;
	struct keyring *ring;

	faults = 0;
	ring = keyring_new(
	    &(struct keyring_source){
		.files = files, .count = 3, .report = on_fault, .arg = &last},
	    NULL);
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.1", &v), KEYRING_ADMITTED);
	assert_string_equal(v.file, "one");
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "10.0.0.2", &v), KEYRING_ADMITTED);
	assert_string_equal(v.file, "three");
	assert_int_equal(v.line, 3);
	assert_int_equal(faults, 1);
	assert_string_equal(last_text[0], "three");
	assert_int_equal(last.line, 4);
	keyring_unref(ring);
}

static void
test_a_key_can_be_asked_for_again_by_its_digest(void **state)
{
	struct keyring *old = ring_of(KEY_ED "\n"),
		       *new = ring_of(KEY_ED2 "\nrestrict " KEY_ED "\n");
	struct netaddr client = {.family = 4};
	struct keyring_verdict a, b;

	assert_int_equal(
	    admit(old, KEY_ED_BASE64, "::1", &a), KEYRING_ADMITTED);
	assert_int_equal(keyring_admit_digest(new, keyring_digest(old, a.entry),
			     &client, NOW, &b),
	    KEYRING_ADMITTED);
	assert_int_equal(b.line, 2);
	assert_false(b.may_forward);
	keyring_unref(old);
	keyring_unref(new);
}

/* A line with a key of its own, made up from a number. */
static size_t
made_up_line(char *text, size_t size, unsigned i)
{
	static const uint8_t head[] = {0, 0, 0, 11, 's', 's', 'h', '-', 'e',
	    'd', '2', '5', '5', '1', '9', 0, 0, 0, 32};
	uint8_t blob[51] = {0};
	char base64[69];

	memcpy(blob, head, sizeof head);
	memcpy(blob + sizeof head, &i, sizeof i);
	str_base64_encode(span_of(blob, sizeof blob), base64);
	return (size_t)snprintf(text, size,
	    "restrict,port-forwarding,permitopen=\"127.0.0.1:1883\","
	    "environment=\"KAYA_ID=device-%u\" ssh-ed25519 %s d\n",
	    i, base64);
}

static void
test_ten_thousand_lines_stay_small_and_each_is_found(void **state)
{
	enum { LINES = 10000 };
	char *text = malloc(LINES * 256), name[32];
	struct netaddr client = {.family = 4};
	struct keyring_verdict v;
	struct keyring_stats stats;
	struct keyring *ring;
	size_t len = 0;

	for (unsigned i = 0; i < LINES; i++)
		len += made_up_line(text + len, 256, i);
	text[len] = '\0';
	ring = ring_of(text);
	stats = keyring_stats(ring);
	assert_int_equal(stats.lines, LINES);
	assert_int_equal(stats.keys, LINES);
	assert_true(stats.bytes / LINES < 90);
	for (unsigned i = 0; i < LINES; i++) {
		uint8_t digest[PUBKEY_DIGEST_BYTES];

		memcpy(digest, keyring_digest(ring, i), sizeof digest);
		assert_int_equal(
		    keyring_admit_digest(ring, digest, &client, NOW, &v),
		    KEYRING_ADMITTED);
		snprintf(name, sizeof name, "device-%u", i);
		assert_string_equal(v.identity, name);
		assert_int_equal(v.entry, i);
	}
	keyring_unref(ring);
	free(text);
}

static void
test_different_options_are_kept_apart_and_equal_ones_once(void **state)
{
	enum { LINES = 300 };
	char *text = malloc(LINES * 300 + 1);
	struct netaddr client = {.family = 4};
	struct keyring_verdict v;
	struct keyring *ring;
	size_t len = 0;

	for (unsigned i = 0; i < LINES; i++) {
		len += (size_t)snprintf(
		    text + len, 300, "permitopen=\"h:%u\",", i + 1);
		len += made_up_line(text + len, 250, i);
	}
	ring = ring_of(text);
	assert_int_equal(faults, 0);
	for (unsigned i = 0; i < LINES; i++) {
		uint8_t digest[PUBKEY_DIGEST_BYTES];

		memcpy(digest, keyring_digest(ring, i), sizeof digest);
		keyring_admit_digest(ring, digest, &client, NOW, &v);
		for (uint16_t port = 1; port <= LINES; port += 7)
			assert_int_equal(keyring_may_open(ring, v.entry,
					     span_of_str("h"), port),
			    port == i + 1 ? KEYRING_MAY_OPEN
					  : KEYRING_NOT_PERMITTED);
	}
	keyring_unref(ring);
	free(text);
}

static void
test_a_ring_lives_until_the_last_lets_go(void **state)
{
	struct keyring *ring = ring_of(KEY_ED "\n");
	struct keyring_verdict v;

	assert_ptr_equal(keyring_ref(ring), ring);
	keyring_unref(ring);
	assert_int_equal(
	    admit(ring, KEY_ED_BASE64, "::1", &v), KEYRING_ADMITTED);
	keyring_unref(ring);
	keyring_unref(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_key_enters_under_the_name_its_line_gives),
	    cmocka_unit_test(test_a_nameless_key_enters_under_its_digest),
	    cmocka_unit_test(test_a_key_that_no_line_has_is_unknown),
	    cmocka_unit_test(test_the_first_line_that_admits_decides),
	    cmocka_unit_test(test_a_refusal_says_why),
	    cmocka_unit_test(test_a_line_expires_after_its_last_second),
	    cmocka_unit_test(test_void_lines_are_reported_and_left_out),
	    cmocka_unit_test(test_a_pasted_private_key_is_reported_once),
	    cmocka_unit_test(test_bad_names_void_the_line),
	    cmocka_unit_test(test_weak_keys_are_void),
	    cmocka_unit_test(test_an_authority_line_admits_no_plain_key),
	    cmocka_unit_test(test_forwarding_follows_restrict),
	    cmocka_unit_test(test_permitopen_names_what_may_be_opened),
	    cmocka_unit_test(test_three_spellings_of_loopback_are_one_host),
	    cmocka_unit_test(test_options_of_tokens_are_handed_on),
	    cmocka_unit_test(test_several_files_are_one_ring_in_their_order),
	    cmocka_unit_test(test_a_key_can_be_asked_for_again_by_its_digest),
	    cmocka_unit_test(
		test_ten_thousand_lines_stay_small_and_each_is_found),
	    cmocka_unit_test(
		test_different_options_are_kept_apart_and_equal_ones_once),
	    cmocka_unit_test(test_a_ring_lives_until_the_last_lets_go),
	};

	return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
