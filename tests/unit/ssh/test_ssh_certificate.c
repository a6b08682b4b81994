/*
 * Certificates: by ssh-keygen, of each kind of key and by each kind of
 * authority; and by hand, with each field wrong in turn.
 */

#include "certify.h"
#include "../keygen.h"
#include "ssh_certificate.h"
#include "ssh_key.h"
#include "vectors.h"

enum { ED25519, RSA };

static struct ssh_host_key *keys[2];

static int
set_up(void **state)
{
	for (int i = 0; i < 2; i++) {
		keys[i] =
		    ssh_host_key_generate((enum ssh_host_key_type)i, NULL);
		if (keys[i] == NULL)
			return -1;
	}
	return keygen_begin();
}

static int
tear_down(void **state)
{
	ssh_host_key_free(keys[ED25519]);
	ssh_host_key_free(keys[RSA]);
	return keygen_end();
}

/* ---- by ssh-keygen ---- */

static const struct kind {
	const char *key; /* the vector's algorithm */
	const char *word; /* in its .pub file */
	const char *certificate;
} kinds[] = {
    {"ssh-ed25519", "ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com"},
    {"ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256",
	"ecdsa-sha2-nistp256-cert-v01@openssh.com"},
    {"ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384",
	"ecdsa-sha2-nistp384-cert-v01@openssh.com"},
    {"ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521",
	"ecdsa-sha2-nistp521-cert-v01@openssh.com"},
    {"rsa-sha2-256", "ssh-rsa", "rsa-sha2-256-cert-v01@openssh.com"},
    {"rsa-sha2-512", "ssh-rsa", "rsa-sha2-512-cert-v01@openssh.com"},
    {"sk-ssh-ed25519@openssh.com", "sk-ssh-ed25519@openssh.com",
	"sk-ssh-ed25519-cert-v01@openssh.com"},
    {"sk-ecdsa-sha2-nistp256@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com",
	"sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"},
};

enum { KINDS = sizeof kinds / sizeof kinds[0] };

/* The kind's key as user.pub; its blob. */
static struct span
write_public(const struct kind *kind)
{
	static uint8_t blob[VECTOR_BYTES_MAX];
	static char digits[2 * VECTOR_BYTES_MAX], line[3 * VECTOR_BYTES_MAX];
	size_t len = from_hex(find_vector(kind->key)->blob, blob);

	str_base64_encode(span_of(blob, len), digits);
	snprintf(line, sizeof line, "%s %s\n", kind->word, digits);
	write_file("user.pub", span_of_str(line));
	return span_of(blob, len);
}

/* The blob that `ssh-keygen -s ca OPTIONS` makes of user.pub. */
static struct span
sign(const char *options)
{
	assert_int_equal(run("rm -f user-cert.pub && ssh-keygen -q -s ca %s "
			     "user.pub >/dev/null 2>&1",
			     options),
	    0);
	return blob_of(read_file("user-cert.pub"));
}

static void
assert_verdict(
    enum ssh_certificate_verdict is, enum ssh_certificate_verdict expected)
{
	if (is != expected)
		fail_msg("\"%s\", not \"%s\"", ssh_certificate_text(is),
		    ssh_certificate_text(expected));
}

/* Of an ed25519 key, by an ed25519 authority, with these options. */
static enum ssh_certificate_verdict
parse_signed(const char *options, struct ssh_certificate *c)
{
	write_public(&kinds[0]);
	return ssh_certificate_parse(
	    span_of_str(kinds[0].certificate), sign(options), c);
}

static void
test_each_kind_of_key_by_each_kind_of_authority_is_good(void **state)
{
	static const char *const authorities[] = {"-N '' -t ed25519",
	    "-N '' -t ecdsa -b 256", "-N '' -t ecdsa -b 384",
	    "-N '' -t ecdsa -b 521", "-N '' -t rsa -b 2048"};

	need_ssh_keygen();
	for (size_t a = 0; a < sizeof authorities / sizeof authorities[0];
	     a++) {
		uint8_t authority[KEYGEN_FILE_MAX];
		struct span blob;
		size_t authority_len;

		make_key_file("ca", authorities[a]);
		blob = blob_of(read_file("ca.pub"));
		memcpy(authority, blob.data, authority_len = blob.len);
		for (size_t i = 0; i < KINDS; i++) {
			struct ssh_certificate c;
			struct span key = write_public(&kinds[i]);

			assert_verdict(
			    ssh_certificate_parse(
				span_of_str(kinds[i].certificate),
				sign("-I 'pump 7' -n pump-7,x -z 9"), &c),
			    SSH_CERTIFICATE_GOOD);
			assert_verdict(
			    ssh_certificate_verify(&c), SSH_CERTIFICATE_GOOD);
			assert_string_equal(c.algorithm, kinds[i].key);
			assert_true(span_equal(buf_span(&c.key), key));
			assert_true(span_equal(
			    c.authority, span_of(authority, authority_len)));
			assert_int_equal(c.serial, 9);
			assert_true(span_is(c.key_id, "pump 7"));
			assert_true(span_equal(c.principals,
			    span_of("\0\0\0\6pump-7\0\0\0\1x", 15)));
			ssh_certificate_fini(&c);
		}
	}
}

static void
test_rsa_authorities_sign_by_sha2_alone(void **state)
{
	static const struct {
		const char *options;
		enum ssh_certificate_verdict verdict;
	} rows[] = {
	    {"-t rsa-sha2-512 -I i -n p", SSH_CERTIFICATE_GOOD},
	    {"-t rsa-sha2-256 -I i -n p", SSH_CERTIFICATE_GOOD},
	    {"-t ssh-rsa -I i -n p", SSH_CERTIFICATE_AUTHORITY},
	};

	struct ssh_certificate c;

	need_ssh_keygen();
	make_key_file("ca", "-N '' -t rsa -b 2048");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_verdict(
		    parse_signed(rows[i].options, &c), rows[i].verdict);
		assert_verdict(ssh_certificate_verify(&c),
		    i < 2 ? SSH_CERTIFICATE_GOOD : SSH_CERTIFICATE_FORGED);
		ssh_certificate_fini(&c);
	}
	make_key_file("ca", "-N '' -t rsa -b 1024");
	assert_verdict(
	    parse_signed("-I i -n p", &c), SSH_CERTIFICATE_AUTHORITY);
	ssh_certificate_fini(&c);
}

static void
test_what_ssh_keygen_restricts_is_read(void **state)
{
	static const struct {
		const char *options;
		enum ssh_certificate_verdict verdict;
		bool may_forward, verify_required, no_touch_required;
		const char *source_address;
	} rows[] = {
	    {"-n p", SSH_CERTIFICATE_GOOD, true, false, false, NULL},
	    {"-n p -O clear", SSH_CERTIFICATE_GOOD, false, false, false, NULL},
	    {"-n p -O clear -O permit-port-forwarding", SSH_CERTIFICATE_GOOD,
		true, false, false, NULL},
	    {"-n p -O no-port-forwarding", SSH_CERTIFICATE_GOOD, false, false,
		false, NULL},
	    {"-n p -O force-command=/bin/true", SSH_CERTIFICATE_GOOD, true,
		false, false, NULL},
	    {"-n p -O source-address=10.0.0.0/8,::1/128", SSH_CERTIFICATE_GOOD,
		true, false, false, "10.0.0.0/8,::1/128"},
	    {"-n p -O verify-required", SSH_CERTIFICATE_GOOD, true, true, false,
		NULL},
	    {"-n p -O no-touch-required", SSH_CERTIFICATE_GOOD, true, false,
		true, NULL},
	    {"-n p -O extension:colour@example.com=red", SSH_CERTIFICATE_GOOD,
		true, false, false, NULL},
	    {"-n p -O critical:colour@example.com=red",
		SSH_CERTIFICATE_CRITICAL, true, false, false, NULL},
	    {"-n p -O critical:colour@example.com", SSH_CERTIFICATE_CRITICAL,
		true, false, false, NULL},
	    {"-h -n p", SSH_CERTIFICATE_OF_HOST, false, false, false, NULL},
	    {"", SSH_CERTIFICATE_NO_PRINCIPALS, true, false, false, NULL},
	};

	need_ssh_keygen();
	make_key_file("ca", "-N '' -t ed25519");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ssh_certificate c;
		char options[200];

		snprintf(options, sizeof options, "-I '' %s", rows[i].options);
		assert_verdict(parse_signed(options, &c), rows[i].verdict);
		assert_int_equal(c.may_forward, rows[i].may_forward);
		assert_int_equal(c.verify_required, rows[i].verify_required);
		assert_int_equal(
		    c.no_touch_required, rows[i].no_touch_required);
		if (rows[i].source_address == NULL)
			assert_null(c.source_address.data);
		else
			assert_true(
			    span_is(c.source_address, rows[i].source_address));
		/* Whatever is wrong with it can be logged. */
		assert_string_equal(c.algorithm, "ssh-ed25519");
		ssh_certificate_fini(&c);
	}
}

static void
test_a_certificate_is_valid_from_its_first_second_to_before_its_last(
    void **state)
{
	struct ssh_certificate c;

	need_ssh_keygen();
	make_key_file("ca", "-N '' -t ed25519");
	assert_verdict(
	    parse_signed("-I i -n p -V 20270101000000Z:20270201000000Z", &c),
	    SSH_CERTIFICATE_GOOD);
	assert_int_equal(c.valid_after_s, 1798761600);
	assert_int_equal(c.valid_before_s, 1801440000);
	assert_verdict(
	    ssh_certificate_check_time(&c, -1), SSH_CERTIFICATE_NOT_YET);
	assert_verdict(ssh_certificate_check_time(&c, 1798761599),
	    SSH_CERTIFICATE_NOT_YET);
	assert_verdict(
	    ssh_certificate_check_time(&c, 1798761600), SSH_CERTIFICATE_GOOD);
	assert_verdict(
	    ssh_certificate_check_time(&c, 1801439999), SSH_CERTIFICATE_GOOD);
	assert_verdict(ssh_certificate_check_time(&c, 1801440000),
	    SSH_CERTIFICATE_EXPIRED);
	ssh_certificate_fini(&c);
	assert_verdict(parse_signed("-I i -n p -V always:forever", &c),
	    SSH_CERTIFICATE_GOOD);
	assert_true(c.valid_before_s == SSH_CERTIFICATE_FOREVER);
	assert_verdict(
	    ssh_certificate_check_time(&c, -1), SSH_CERTIFICATE_GOOD);
	assert_verdict(
	    ssh_certificate_check_time(&c, INT64_MAX), SSH_CERTIFICATE_GOOD);
	ssh_certificate_fini(&c);
}

/* ---- by hand ---- */

#define CERT_ED25519 "ssh-ed25519-cert-v01@openssh.com"
#define CERT_RSA     "rsa-sha2-512-cert-v01@openssh.com"

/* A good one, to be changed: of keys[ED25519], by keys[RSA] or itself. */
static struct certify
start(int authority)
{
	return certify_start(CERT_ED25519, ssh_host_key_blob(keys[ED25519]),
	    keys[authority], authority == RSA ? "rsa-sha2-512" : "ssh-ed25519");
}

static void
assert_certify(const struct certify *what, enum ssh_certificate_verdict verdict)
{
	struct ssh_certificate c;
	struct buf out;

	assert_verdict(ssh_certificate_parse(
			   span_of_str(CERT_ED25519), certify(what, &out), &c),
	    verdict);
	if (verdict == SSH_CERTIFICATE_GOOD)
		assert_verdict(
		    ssh_certificate_verify(&c), SSH_CERTIFICATE_GOOD);
	if (verdict == SSH_CERTIFICATE_MALFORMED ||
	    verdict == SSH_CERTIFICATE_UNSUPPORTED)
		assert_null(c.algorithm);
	ssh_certificate_fini(&c);
	buf_fini(&out);
}

#define BYTES(text) span_of(text, sizeof text - 1)

/* One field of a certificate, and what comes of it. */
struct spoilt {
	const char *title;
	struct span value;
	enum ssh_certificate_verdict verdict;
};

static void
test_principals_are_strings_and_some_but_not_too_many(void **state)
{
	static const struct spoilt rows[] = {
	    {"cut off", {(const uint8_t *)"\0\0\0\6pump", 8},
		SSH_CERTIFICATE_MALFORMED},
	    {"half a length", {(const uint8_t *)"\0\0\0\1p\0\0", 7},
		SSH_CERTIFICATE_MALFORMED},
	    {"a zero byte", {(const uint8_t *)"\0\0\0\3p\0q", 7},
		SSH_CERTIFICATE_MALFORMED},
	    {"none", {(const uint8_t *)"", 0}, SSH_CERTIFICATE_NO_PRINCIPALS},
	    {"an empty one", {(const uint8_t *)"\0\0\0\0", 4},
		SSH_CERTIFICATE_GOOD},
	};
	struct certify what = start(ED25519);
	struct buf many;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		what.principals = rows[i].value;
		assert_certify(&what, rows[i].verdict);
	}
	buf_init(&many, CERTIFY_MAX);
	for (int i = 0; i < SSH_CERTIFICATE_PRINCIPALS_MAX; i++)
		wire_put_cstring32(&many, "p");
	what.principals = buf_span(&many);
	assert_certify(&what, SSH_CERTIFICATE_GOOD);
	wire_put_cstring32(&many, "p");
	what.principals = buf_span(&many);
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
	buf_fini(&many);
}

static void
test_options_are_whole_and_none_stands_twice(void **state)
{
#define VERIFY	"\0\0\0\17verify-required\0\0\0\0"
#define SOURCE	"\0\0\0\16source-address\0\0\0\13\0\0\0\7"
#define FORWARD "\0\0\0\26permit-port-forwarding\0\0\0\0"
	static const struct spoilt critical[] = {
	    {"a flag", {(const uint8_t *)VERIFY, sizeof VERIFY - 1},
		SSH_CERTIFICATE_GOOD},
	    {"a flag twice",
		{(const uint8_t *)VERIFY VERIFY, 2 * (sizeof VERIFY - 1)},
		SSH_CERTIFICATE_MALFORMED},
	    {"a flag with a value",
		{(const uint8_t *)"\0\0\0\17verify-required\0\0\0\1x", 24},
		SSH_CERTIFICATE_MALFORMED},
	    {"a value",
		{(const uint8_t *)SOURCE "1.2.3.4", sizeof SOURCE - 1 + 7},
		SSH_CERTIFICATE_GOOD},
	    {"a value cut off",
		{(const uint8_t *)SOURCE "1.2.3.4", sizeof SOURCE - 1 + 6},
		SSH_CERTIFICATE_MALFORMED},
	    {"a value and more",
		{(const uint8_t *)"\0\0\0\16source-address\0\0\0\14\0\0\0\7"
				  "1.2.3.4x",
		    sizeof SOURCE - 1 + 8},
		SSH_CERTIFICATE_MALFORMED},
	    {"a value that is no string",
		{(const uint8_t *)"\0\0\0\16source-address\0\0\0\1x", 23},
		SSH_CERTIFICATE_MALFORMED},
	    {"a value missing",
		{(const uint8_t *)"\0\0\0\16source-address\0\0\0\0", 22},
		SSH_CERTIFICATE_MALFORMED},
	    {"unknown", {(const uint8_t *)"\0\0\0\1x\0\0\0\0", 9},
		SSH_CERTIFICATE_CRITICAL},
	    {"unknown, the case of a known one",
		{(const uint8_t *)"\0\0\0\17Verify-required\0\0\0\0", 23},
		SSH_CERTIFICATE_CRITICAL},
	    {"unknown, then malformed",
		{(const uint8_t *)"\0\0\0\1x\0\0\0\0\0", 10},
		SSH_CERTIFICATE_MALFORMED},
	};
	struct certify what = start(ED25519);

	for (size_t i = 0; i < sizeof critical / sizeof critical[0]; i++) {
		what.critical = critical[i].value;
		assert_certify(&what, critical[i].verdict);
	}
	what = start(ED25519);
	what.extensions = BYTES(FORWARD);
	assert_certify(&what, SSH_CERTIFICATE_GOOD);
	what.extensions = BYTES(FORWARD FORWARD);
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
	what.extensions = BYTES("\0\0\0\1x\0\0\0\0" FORWARD);
	assert_certify(&what, SSH_CERTIFICATE_GOOD);
	what.extensions = BYTES("\0\0\0\1x\0\0\0");
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
}

static void
test_other_fields_that_are_wrong_are_refused(void **state)
{
	struct certify what = start(ED25519);

	what.user = 0;
	assert_certify(&what, SSH_CERTIFICATE_OF_HOST);
	what.user = 3;
	assert_certify(&what, SSH_CERTIFICATE_OF_HOST);
	what = start(ED25519);
	what.key_id = BYTES("pump\0007");
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
	what = start(ED25519);
	what.trailing = BYTES("x");
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
	what = start(ED25519);
	what.reserved = BYTES("for later");
	assert_certify(&what, SSH_CERTIFICATE_GOOD);
	what = start(RSA);
	assert_certify(&what, SSH_CERTIFICATE_GOOD);
	what.type = "ssh-rsa-cert-v01@openssh.com";
	assert_certify(&what, SSH_CERTIFICATE_UNSUPPORTED);
	what = start(ED25519);
	/* A point of 31 bytes. */
	what.fields = BYTES("\0\0\0\0370123456789012345678901234567890");
	assert_certify(&what, SSH_CERTIFICATE_KEY);
}

static void
test_an_authority_is_a_plain_key_that_can_sign(void **state)
{
	struct certify what = start(ED25519);
	struct buf inner;

	what.authority_blob = certify(&what, &inner);
	assert_certify(&what, SSH_CERTIFICATE_NESTED);
	buf_fini(&inner);
	what.authority_blob = BYTES("\0\0\0\7ssh-dss\0\0\0\0");
	assert_certify(&what, SSH_CERTIFICATE_AUTHORITY);
	what.authority_blob = BYTES("\0\0\0\7ssh");
	assert_certify(&what, SSH_CERTIFICATE_MALFORMED);
	/* Another's signature: sound, but not its. */
	what.authority_blob = ssh_host_key_blob(keys[RSA]);
	assert_certify(&what, SSH_CERTIFICATE_AUTHORITY);
}

static void
test_an_algorithm_that_is_not_a_certificates_is_none(void **state)
{
	struct certify what = start(ED25519);
	struct ssh_certificate c;
	struct span blob;
	struct buf out;

	blob = certify(&what, &out);
	assert_true(ssh_certificate_is(span_of_str(CERT_RSA)));
	assert_false(ssh_certificate_is(span_of_str("ssh-ed25519")));
	/* The name of a type, whose signatures would be by SHA-1. */
	assert_false(
	    ssh_certificate_is(span_of_str("ssh-rsa-cert-v01@openssh.com")));
	assert_verdict(
	    ssh_certificate_parse(span_of_str("ssh-ed25519"), blob, &c),
	    SSH_CERTIFICATE_UNSUPPORTED);
	assert_verdict(ssh_certificate_parse(span_of_str(CERT_RSA), blob, &c),
	    SSH_CERTIFICATE_UNSUPPORTED);
	assert_verdict(ssh_certificate_parse(span_of_str(CERT_ED25519),
			   ssh_host_key_blob(keys[ED25519]), &c),
	    SSH_CERTIFICATE_UNSUPPORTED);
	buf_fini(&out);
}

static void
test_a_certificate_that_is_cut_off_anywhere_is_malformed(void **state)
{
	for (int authority = 0; authority < 2; authority++) {
		struct certify what = start(authority);
		struct ssh_certificate c;
		struct span blob;
		struct buf out;

		what.critical = BYTES(VERIFY);
		what.extensions = BYTES(FORWARD);
		blob = certify(&what, &out);
		for (size_t len = 0; len < blob.len; len++) {
			/* Memory of its own, for the sanitizers to guard. */
			uint8_t *copy = malloc(len + 1);

			assert_non_null(copy);
			memcpy(copy, blob.data, len);
			assert_verdict(
			    ssh_certificate_parse(span_of_str(CERT_ED25519),
				span_of(copy, len), &c),
			    SSH_CERTIFICATE_MALFORMED);
			free(copy);
		}
		buf_fini(&out);
	}
}

static void
test_a_change_of_any_byte_is_found(void **state)
{
	struct certify what = start(ED25519);
	struct ssh_certificate c;
	struct buf out;

	what.critical = BYTES(VERIFY);
	what.extensions = BYTES(FORWARD);
	certify(&what, &out);
	for (size_t i = 0; i < buf_len(&out); i++) {
		enum ssh_certificate_verdict verdict;

		out.mem[out.head + i] ^= 0x04;
		verdict = ssh_certificate_parse(
		    span_of_str(CERT_ED25519), buf_span(&out), &c);
		if (verdict == SSH_CERTIFICATE_GOOD)
			assert_verdict(
			    ssh_certificate_verify(&c), SSH_CERTIFICATE_FORGED);
		ssh_certificate_fini(&c);
		out.mem[out.head + i] ^= 0x04;
	}
	assert_verdict(ssh_certificate_parse(
			   span_of_str(CERT_ED25519), buf_span(&out), &c),
	    SSH_CERTIFICATE_GOOD);
	assert_verdict(ssh_certificate_verify(&c), SSH_CERTIFICATE_GOOD);
	ssh_certificate_fini(&c);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_each_kind_of_key_by_each_kind_of_authority_is_good),
	    cmocka_unit_test(test_rsa_authorities_sign_by_sha2_alone),
	    cmocka_unit_test(test_what_ssh_keygen_restricts_is_read),
	    cmocka_unit_test(
		test_a_certificate_is_valid_from_its_first_second_to_before_its_last),
	    cmocka_unit_test(
		test_principals_are_strings_and_some_but_not_too_many),
	    cmocka_unit_test(test_options_are_whole_and_none_stands_twice),
	    cmocka_unit_test(test_other_fields_that_are_wrong_are_refused),
	    cmocka_unit_test(test_an_authority_is_a_plain_key_that_can_sign),
	    cmocka_unit_test(
		test_an_algorithm_that_is_not_a_certificates_is_none),
	    cmocka_unit_test(
		test_a_certificate_that_is_cut_off_anywhere_is_malformed),
	    cmocka_unit_test(test_a_change_of_any_byte_is_found),
	};

	return cmocka_run_group_tests_name(
	    "ssh_certificate", tests, set_up, tear_down);
}
