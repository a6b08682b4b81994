#include "ssh_armor.h"
#include "ssh_sig.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char purpose[] = "kaya-test";
static const struct span message = {(const uint8_t *)"open the valve\n", 15};

static struct ssh_host_key *key;
static struct buf blob; /* of a good signature of `message` */

static int
set_up(void **state)
{
	key = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	buf_init(&blob, SSH_SIG_BLOB_MAX);
	return key == NULL ||
		       ssh_sig_sign(key, purpose, message, &blob, NULL) != 0
		   ? -1
		   : 0;
}

static int
tear_down(void **state)
{
	ssh_host_key_free(key);
	buf_fini(&blob);
	return 0;
}

static enum ssh_sig_verdict
judge(struct span bytes)
{
	struct ssh_key_presence presence;
	enum ssh_sig_verdict verdict;
	struct ssh_sig sig;

	verdict = ssh_sig_parse(bytes, &sig);
	if (verdict == SSH_SIG_GOOD)
		verdict = ssh_sig_verify(&sig, purpose, message, &presence);
	return verdict;
}

static void
test_a_signature_is_good_for_its_message_and_namespace_alone(void **state)
{
	struct ssh_key_presence presence;
	struct ssh_sig sig;

	assert_int_equal(judge(buf_span(&blob)), SSH_SIG_GOOD);
	assert_int_equal(ssh_sig_parse(buf_span(&blob), &sig), SSH_SIG_GOOD);
	assert_true(span_equal(sig.key, ssh_host_key_blob(key)));
	assert_int_equal(ssh_sig_verify(&sig, "kaya-tests", message, &presence),
	    SSH_SIG_OTHER_NAMESPACE);
	assert_int_equal(ssh_sig_verify(&sig, purpose,
			     span_of(message.data, message.len - 1), &presence),
	    SSH_SIG_BAD);
	assert_int_equal(
	    ssh_sig_verify(&sig, purpose, span_of(NULL, 0), &presence),
	    SSH_SIG_BAD);
}

static void
test_whatever_is_cut_off_is_malformed(void **state)
{
	for (size_t len = 0; len < buf_len(&blob); len++)
		assert_int_equal(judge(span_of(buf_span(&blob).data, len)),
		    SSH_SIG_MALFORMED);
}

static void
test_a_byte_too_much_is_malformed(void **state)
{
	struct buf longer;

	buf_init(&longer, SSH_SIG_BLOB_MAX);
	wire_put_bytes(&longer, buf_span(&blob));
	wire_put_u8(&longer, 0);
	assert_int_equal(judge(buf_span(&longer)), SSH_SIG_MALFORMED);
	buf_fini(&longer);
}

static void
test_no_bit_can_be_changed(void **state)
{
	uint8_t copy[512];

	assert_true(buf_len(&blob) <= sizeof copy);
	for (size_t i = 0; i < 8 * buf_len(&blob); i++) {
		memcpy(copy, buf_span(&blob).data, buf_len(&blob));
		copy[i / 8] ^= (uint8_t)(1u << i % 8);
		if (judge(span_of(copy, buf_len(&blob))) == SSH_SIG_GOOD)
			fail_msg("good with bit %zu changed", i);
	}
}

/* A blob of these fields, with the good signature. */
static enum ssh_sig_verdict
judge_fields(uint32_t version, const char *reserved, const char *hash)
{
	enum ssh_sig_verdict verdict;
	struct ssh_sig sig;
	struct buf other;

	assert_int_equal(ssh_sig_parse(buf_span(&blob), &sig), SSH_SIG_GOOD);
	buf_init(&other, SSH_SIG_BLOB_MAX);
	wire_put_bytes(&other, span_of_str("SSHSIG"));
	wire_put_u32(&other, version);
	wire_put_string32(&other, sig.key);
	wire_put_string32(&other, sig.namespace);
	wire_put_cstring32(&other, reserved);
	wire_put_cstring32(&other, hash);
	wire_put_string32(&other, sig.signature);
	verdict = judge(buf_span(&other));
	buf_fini(&other);
	return verdict;
}

static void
test_what_is_not_known_is_not_taken(void **state)
{
	assert_int_equal(judge_fields(1, "", "sha512"), SSH_SIG_GOOD);
	assert_int_equal(judge_fields(0, "", "sha512"), SSH_SIG_OTHER_VERSION);
	assert_int_equal(judge_fields(2, "", "sha512"), SSH_SIG_OTHER_VERSION);
	assert_int_equal(judge_fields(1, "x", "sha512"), SSH_SIG_UNSUPPORTED);
	assert_int_equal(judge_fields(1, "", "sha1"), SSH_SIG_UNSUPPORTED);
	assert_int_equal(judge_fields(1, "", "sha256"), SSH_SIG_BAD);
}

static void
test_each_verdict_has_its_words(void **state)
{
	for (int i = SSH_SIG_GOOD; i <= SSH_SIG_NO_MEMORY; i++)
		assert_true(
		    ssh_sig_verdict_text((enum ssh_sig_verdict)i)[0] != '\0');
}

/* ---- the armour ---- */

static enum ssh_armor_result
open_text(const char *text, struct buf *bytes)
{
	buf_fini(bytes);
	return ssh_armor_open(span_of_str(text), SSH_SIG_ARMOR, bytes);
}

#define BEGIN "-----BEGIN SSH SIGNATURE-----"
#define END   "-----END SSH SIGNATURE-----"

static void
test_armour_is_opened_as_it_was_closed(void **state)
{
	for (size_t len = 0; len < buf_len(&blob); len++) {
		struct span part = span_of(buf_span(&blob).data, len);
		struct buf text, bytes;

		buf_init(&text, SSH_SIG_FILE_MAX);
		buf_init(&bytes, SSH_SIG_BLOB_MAX);
		ssh_armor_close(part, SSH_SIG_ARMOR, &text);
		assert_false(text.failed);
		assert_true(ssh_armor_begins(buf_span(&text), SSH_SIG_ARMOR));
		assert_int_equal(
		    ssh_armor_open(buf_span(&text), SSH_SIG_ARMOR, &bytes),
		    SSH_ARMOR_GOOD);
		assert_true(span_equal(buf_span(&bytes), part));
		buf_fini(&text);
		buf_fini(&bytes);
	}
}

static void
test_armour_that_is_none_is_told(void **state)
{
	static const struct {
		const char *text;
		enum ssh_armor_result result;
	} rows[] = {
	    {BEGIN "\nYWJj\n" END "\n", SSH_ARMOR_GOOD},
	    {"\r\n" BEGIN "\r\nYW\r\nJj\r\n" END "\r\n \n", SSH_ARMOR_GOOD},
	    {"", SSH_ARMOR_NO_BEGIN},
	    {"-----BEGIN SSH SIGNATURE", SSH_ARMOR_NO_BEGIN},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\nYWJj\n" END,
		SSH_ARMOR_NO_BEGIN},
	    {BEGIN, SSH_ARMOR_NO_END},
	    {BEGIN "\nYWJj\n", SSH_ARMOR_NO_END},
	    {BEGIN "\nYWJj\n" END "\nYWJj\n", SSH_ARMOR_NO_END},
	    {BEGIN "\nYWJj\n" END "\n" BEGIN "\nYWJj\n" END, SSH_ARMOR_NO_END},
	    {BEGIN "\nYWJ\n" END, SSH_ARMOR_BAD_BASE64},
	    {BEGIN "\nYW!j\n" END, SSH_ARMOR_BAD_BASE64},
	    {BEGIN "\nYW==YW==\n" END, SSH_ARMOR_BAD_BASE64},
	};
	struct buf bytes;

	buf_init(&bytes, SSH_SIG_BLOB_MAX);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    open_text(rows[i].text, &bytes), rows[i].result);
		if (rows[i].result == SSH_ARMOR_GOOD)
			assert_true(span_is(buf_span(&bytes), "abc"));
	}
	buf_fini(&bytes);
}

static void
test_a_file_longer_than_any_signature_is_not_read(void **state)
{
	uint8_t *text = malloc(SSH_SIG_FILE_MAX + 1);
	struct ssh_sig sig;
	struct buf bytes;

	assert_non_null(text);
	memset(text, ' ', SSH_SIG_FILE_MAX + 1);
	buf_init(&bytes, SSH_SIG_BLOB_MAX);
	assert_int_equal(ssh_sig_parse_file(
			     span_of(text, SSH_SIG_FILE_MAX + 1), &bytes, &sig),
	    SSH_SIG_MALFORMED);
	assert_int_equal(buf_len(&bytes), 0);
	buf_fini(&bytes);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_signature_is_good_for_its_message_and_namespace_alone),
	    cmocka_unit_test(test_whatever_is_cut_off_is_malformed),
	    cmocka_unit_test(test_a_byte_too_much_is_malformed),
	    cmocka_unit_test(test_no_bit_can_be_changed),
	    cmocka_unit_test(test_what_is_not_known_is_not_taken),
	    cmocka_unit_test(test_each_verdict_has_its_words),
	    cmocka_unit_test(test_armour_is_opened_as_it_was_closed),
	    cmocka_unit_test(test_armour_that_is_none_is_told),
	    cmocka_unit_test(test_a_file_longer_than_any_signature_is_not_read),
	};

	return cmocka_run_group_tests_name("ssh_sig", tests, set_up, tear_down);
}
