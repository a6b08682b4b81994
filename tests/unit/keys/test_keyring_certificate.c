/* Who comes in by a cert-authority line, and as whom. */

#include "keyring.h"
#include "sample_keys.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#define NOW 1893456000 /* 2030-01-01 */

static char told[256];

static void
on_fault(void *arg, const struct keyring_fault *fault)
{
	snprintf(told, sizeof told, "%zu:%zu %s: %s", fault->line,
	    fault->column, fault->code, fault->cause);
}

static struct keyring *
ring_of(const char *text)
{
	const struct keyring_file file = {"keys", span_of_str(text)};
	struct keyring *ring;

	told[0] = '\0';
	ring = keyring_new(
	    &(struct keyring_source){
		.files = &file, .count = 1, .report = on_fault, .arg = NULL},
	    NULL);
	assert_non_null(ring);
	return ring;
}

static void
digest_of(const char *base64, uint8_t digest[PUBKEY_DIGEST_BYTES])
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str(base64), blob, sizeof blob, &len),
	    PUBKEY_GOOD);
	pubkey_digest(span_of(blob, len), digest);
}

/* A certificate by KEY_ED with these principals, between commas. */
static enum keyring_result
admit_from(const struct keyring *ring, const char *principals, const char *user,
    const char *client, struct keyring_verdict *v)
{
	struct keyring_certificate certificate = {.user = span_of_str(user)};
	struct netaddr addr;
	struct buf packed;
	enum keyring_result result;

	digest_of(KEY_ED_BASE64, certificate.authority);
	buf_init(&packed, 4096);
	for (const char *p = principals; *p != '\0';) {
		size_t len = strcspn(p, ",");

		wire_put_string32(&packed, span_of(p, len));
		p += len + (p[len] == ',' ? 1 : 0);
	}
	certificate.principals = buf_span(&packed);
	assert_true(netaddr_parse(span_of_str(client), &addr));
	result = keyring_admit_certificate(ring, &certificate, &addr, NOW, v);
	buf_fini(&packed);
	return result;
}

static enum keyring_result
admit(const struct keyring *ring, const char *principals, const char *user,
    struct keyring_verdict *v)
{
	return admit_from(ring, principals, user, "10.0.0.1", v);
}

static void
test_the_name_is_one_of_the_principals(void **state)
{
	static const struct {
		const char *line, *principals, *user;
		const char
		    *identity; /* or, where it is refused, a part of why */
		enum keyring_result result;
	} rows[] = {
	    /* The user name, or the only one. */
	    {"", "pump-7", "pump-7", "pump-7", KEYRING_ADMITTED},
	    {"", "pump-7", "root", "pump-7", KEYRING_ADMITTED},
	    {"", "pump-7", "", "pump-7", KEYRING_ADMITTED},
	    {"", "ann,pump-7", "pump-7", "pump-7", KEYRING_ADMITTED},
	    {"", "pump-7,ann", "ann", "ann", KEYRING_ADMITTED},
	    {"", "pump-7,pump-7", "x", "pump-7", KEYRING_ADMITTED},
	    {"", "ann,pump-7", "root", "user name root is none of them",
		KEYRING_REFUSED},
	    {"", "ann,pump-7", "Ann", "user name Ann is none of them",
		KEYRING_REFUSED},
	    {"", "ann,pump-7", "a\nb", "user name a\\nb is none of them",
		KEYRING_REFUSED},
	    /* What stands in the line narrows, as far as to one. */
	    {",principals=\"pump-7\"", "pump-7", "x", "pump-7",
		KEYRING_ADMITTED},
	    {",principals=\"pump-7,pump-8\"", "ann,pump-8", "x", "pump-8",
		KEYRING_ADMITTED},
	    {",principals=\"pump-7\"", "ann,pump-7", "ann", "pump-7",
		KEYRING_ADMITTED},
	    {",principals=\"pump-7,ann\"", "ann,pump-7,x", "ann", "ann",
		KEYRING_ADMITTED},
	    {",principals=\"pump-7,ann\"", "ann,pump-7,x", "x",
		"user name x is none of them", KEYRING_REFUSED},
	    {",principals=\"pump-7\"", "pump", "pump",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\"pump-7\"", "pump-77", "pump-77",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\"pump-7\"", "PUMP-7", "pump-7",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\"ann,,pump-7\"", "ann", "ann", "ann",
		KEYRING_ADMITTED},
	    {",principals=\"ann,,pump-7\"", "pump-7", "pump-7",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\"pump-7, ann\"", "ann", "ann",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\"\"", "pump-7", "pump-7",
		"none of the line's principals", KEYRING_REFUSED},
	    {",principals=\",\"", "", "", "none of the line's principals",
		KEYRING_REFUSED},
	    /* Names are checked before they come near a topic. */
	    {"", "pump/7", "x", "the principal pump/7 cannot be an identity",
		KEYRING_REFUSED},
	    {"", "#", "#", "cannot be an identity", KEYRING_REFUSED},
	    {"", "ann@example.com", "ann", "cannot be an identity",
		KEYRING_REFUSED},
	    {"", "a\nb", "x", "the principal a\\nb cannot be an identity",
		KEYRING_REFUSED},
	    {"",
		"0123456789012345678901234567890123456789012345678901234567890"
		"123",
		"x",
		"0123456789012345678901234567890123456789012345678901234567890"
		"123",
		KEYRING_ADMITTED},
	    {"",
		"0123456789012345678901234567890123456789012345678901234567890"
		"1234",
		"x", "cannot be an identity", KEYRING_REFUSED},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct keyring_verdict v;
		struct keyring *ring;
		char text[400];

		snprintf(text, sizeof text, "cert-authority%s " KEY_ED,
		    rows[i].line);
		ring = ring_of(text);
		assert_int_equal(
		    admit(ring, rows[i].principals, rows[i].user, &v),
		    rows[i].result);
		if (rows[i].result == KEYRING_ADMITTED)
			assert_string_equal(v.identity, rows[i].identity);
		else if (strstr(v.why, rows[i].identity) == NULL)
			fail_msg("%s: %s", rows[i].principals, v.why);
		keyring_unref(ring);
	}
}

static enum keyring_result
admit_key(const struct keyring *ring, struct keyring_verdict *v)
{
	const struct netaddr client = {.family = 4};
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	digest_of(KEY_ED_BASE64, digest);
	return keyring_admit_digest(ring, digest, &client, NOW, v);
}

static void
test_a_key_and_an_authority_never_stand_in_for_each_other(void **state)
{
	struct keyring *ring = ring_of("cert-authority " KEY_ED "\n");
	struct keyring_verdict v;

	assert_int_equal(admit_key(ring, &v), KEYRING_UNKNOWN);
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_ADMITTED);
	assert_int_equal(keyring_stats(ring).lines, 0);
	assert_int_equal(keyring_stats(ring).keys, 0);
	assert_int_equal(keyring_stats(ring).authorities, 1);
	assert_true(keyring_is_authority(ring, v.entry));
	keyring_unref(ring);
	ring = ring_of(KEY_ED "\n");
	assert_int_equal(admit_key(ring, &v), KEYRING_ADMITTED);
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_UNKNOWN);
	keyring_unref(ring);
	/* Both at once, each by its own line. */
	ring = ring_of("cert-authority " KEY_ED
		       "\nenvironment=\"KAYA_ID=dan\" " KEY_ED "\n");
	assert_int_equal(admit_key(ring, &v), KEYRING_ADMITTED);
	assert_int_equal(v.line, 2);
	assert_string_equal(v.identity, "dan");
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_ADMITTED);
	assert_int_equal(v.line, 1);
	keyring_unref(ring);
}

static void
test_options_of_the_line_hold_for_its_certificates(void **state)
{
	struct keyring *ring = ring_of(
	    "cert-authority,from=\"10.0.0.0/8\",expiry-time=\"20310101Z\","
	    "restrict,port-forwarding,permitopen=\"a:1\",verify-required,"
	    "no-touch-required,environment=\"KAYA_ROLE=pump\" " KEY_ED "\n");
	struct keyring_verdict v;

	assert_int_equal(
	    admit_from(ring, "a", "a", "192.0.2.1", &v), KEYRING_REFUSED);
	assert_non_null(strstr(v.why, "192.0.2.1"));
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_ADMITTED);
	assert_string_equal(v.role, "pump");
	assert_string_equal(keyring_role(ring, v.entry), "pump");
	assert_true(v.verify_required && !v.touch_required && v.may_forward);
	assert_int_equal(v.expires_s, 1924992000);
	assert_int_equal(keyring_may_open(ring, v.entry, span_of_str("a"), 1),
	    KEYRING_MAY_OPEN);
	assert_int_equal(keyring_may_open(ring, v.entry, span_of_str("a"), 2),
	    KEYRING_NOT_PERMITTED);
	keyring_unref(ring);
	ring = ring_of("cert-authority,expiry-time=\"20291231Z\" " KEY_ED);
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_REFUSED);
	assert_non_null(strstr(v.why, "expiry-time"));
	keyring_unref(ring);
}

static void
test_a_line_that_refuses_leaves_it_to_the_next(void **state)
{
	struct keyring *ring =
	    ring_of("cert-authority,principals=\"a\" " KEY_ED "\n"
		    "cert-authority,principals=\"b\","
		    "environment=\"KAYA_ROLE=second\" " KEY_ED "\n");
	struct keyring_verdict v;

	assert_int_equal(admit(ring, "b", "x", &v), KEYRING_ADMITTED);
	assert_int_equal(v.line, 2);
	assert_string_equal(v.role, "second");
	assert_int_equal(admit(ring, "c", "x", &v), KEYRING_REFUSED);
	assert_int_equal(v.line, 2);
	keyring_unref(ring);
}

static void
test_a_name_for_all_certificates_is_a_fault(void **state)
{
	struct keyring *ring = ring_of(
	    "cert-authority,environment=\"KAYA_ID=fleet\" " KEY_ED "\n");
	struct keyring_verdict v;

	assert_string_equal(told,
	    "1:37 identity: KAYA_ID on a cert-authority line would give all "
	    "its certificates one name");
	assert_int_equal(admit(ring, "a", "a", &v), KEYRING_UNKNOWN);
	keyring_unref(ring);
}

static void
test_names_of_authorities_are_nobodys(void **state)
{
	struct keyring *ring = ring_of("cert-authority " KEY_ED "\n" KEY_ED2);
	char name[STR_NAME_MAX + 1];

	assert_string_equal(keyring_identity(ring, 0, name), "");
	assert_true(keyring_has_identity(
	    ring, span_of_str(keyring_identity(ring, 1, name))));
	assert_false(keyring_has_identity(ring, span_of_str("")));
	assert_false(keyring_is_authority(ring, 1));
	keyring_unref(ring);
}

#define TEST(name) cmocka_unit_test(test_##name)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_name_is_one_of_the_principals),
	    TEST(a_key_and_an_authority_never_stand_in_for_each_other),
	    TEST(options_of_the_line_hold_for_its_certificates),
	    TEST(a_line_that_refuses_leaves_it_to_the_next),
	    TEST(a_name_for_all_certificates_is_a_fault),
	    TEST(names_of_authorities_are_nobodys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
