#include "ssh_host_key.h"
#include "ssh_key.h"
#include "str.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FILE_MAX = 65536 };

static const char begin_line[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
static const char end_line[] = "\n-----END OPENSSH PRIVATE KEY-----\n";
static const char comment[] = "pump@plant";

/* One key of each type for all tests: RSA's take long to make. */
static struct ssh_host_key *keys[2];

static int
make_keys(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		keys[i] =
		    ssh_host_key_generate((enum ssh_host_key_type)i, NULL);
		if (keys[i] == NULL)
			return -1;
	}
	return 0;
}

static int
free_keys(void **state)
{
	ssh_host_key_free(keys[0]);
	ssh_host_key_free(keys[1]);
	return 0;
}

static struct buf
encode(const struct ssh_host_key *key)
{
	struct err err = ERR_INIT;
	struct buf file;

	buf_init(&file, FILE_MAX);
	assert_int_equal(ssh_host_key_encode(key, comment, &file, &err), 0);
	return file;
}

static struct ssh_host_key *
parse_text(const char *text)
{
	return ssh_host_key_parse(span_of_str(text), NULL);
}

/* Refused, with a cause that has `word` in it, and a remedy. */
static void
assert_refused(struct span file, const char *word)
{
	struct err err = ERR_INIT;
	struct ssh_host_key *key = ssh_host_key_parse(file, &err);

	assert_null(key);
	assert_int_not_equal(err.code, ERR_NONE);
	assert_string_not_equal(err.hint, "");
	if (strstr(err.what, word) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err.what, word);
}

/* What stands between a file's two lines, decoded. */
static size_t
open_envelope(struct span file, uint8_t *bytes)
{
	char digits[8192];
	size_t count = 0;
	long len;

	for (size_t i = strlen(begin_line); i < file.len - strlen(end_line);
	     i++)
		if (file.data[i] != '\n')
			digits[count++] = (char)file.data[i];
	len = str_base64_decode(span_of(digits, count), bytes, 8192);
	assert_true(len > 0);
	return (size_t)len;
}

static struct buf
close_envelope(struct span bytes)
{
	struct buf file;
	char *digits = malloc(4 * ((bytes.len + 2) / 3) + 1);

	assert_non_null(digits);
	buf_init(&file, FILE_MAX);
	str_base64_encode(bytes, digits);
	wire_put_bytes(&file, span_of_str(begin_line));
	wire_put_bytes(&file, span_of_str(digits));
	wire_put_bytes(&file, span_of_str(end_line));
	free(digits);
	return file;
}

static void
test_signatures_are_good_to_whoever_has_the_blob(void **state)
{
	static const struct {
		enum ssh_host_key_type type;
		const char *algorithm;
	} rows[] = {{SSH_HOST_KEY_ED25519, "ssh-ed25519"},
	    {SSH_HOST_KEY_RSA, "rsa-sha2-256"},
	    {SSH_HOST_KEY_RSA, "rsa-sha2-512"}};
	const struct span message = span_of_str("an exchange hash");

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		const struct ssh_host_key *key = keys[rows[i].type];
		struct ssh_key_presence presence;
		struct err err = ERR_INIT;
		struct buf signature;

		assert_int_equal(ssh_host_key_type(key), rows[i].type);
		buf_init(&signature, 4096);
		assert_int_equal(ssh_host_key_sign(key, rows[i].algorithm,
				     message, &signature, &err),
		    0);
		assert_int_equal(ssh_key_verify(span_of_str(rows[i].algorithm),
				     ssh_host_key_blob(key),
				     buf_span(&signature), message, &presence),
		    SSH_KEY_GOOD);
		assert_false(presence.is_token);
		buf_fini(&signature);
	}
}

static void
test_a_key_signs_by_its_own_algorithms_alone(void **state)
{
	static const struct {
		enum ssh_host_key_type type;
		const char *algorithm;
	} rows[] = {{SSH_HOST_KEY_ED25519, "rsa-sha2-256"},
	    {SSH_HOST_KEY_RSA, "ssh-ed25519"}, {SSH_HOST_KEY_RSA, "ssh-rsa"},
	    {SSH_HOST_KEY_RSA, ""}};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct err err = ERR_INIT;
		struct buf signature;

		buf_init(&signature, 4096);
		assert_int_equal(
		    ssh_host_key_sign(keys[rows[i].type], rows[i].algorithm,
			span_of_str("x"), &signature, &err),
		    -1);
		assert_int_equal(err.code, ERR_FAILED);
		assert_int_equal(buf_len(&signature), 0);
	}
}

static void
test_no_room_for_a_signature_is_an_error(void **state)
{
	struct err err = ERR_INIT;
	struct buf signature;

	buf_init(&signature, 50);
	assert_int_equal(ssh_host_key_sign(keys[SSH_HOST_KEY_ED25519],
			     "ssh-ed25519", span_of_str("x"), &signature, &err),
	    -1);
	assert_int_equal(err.code, ERR_NOMEM);
	buf_fini(&signature);
}

static void
test_two_keys_made_are_two(void **state)
{
	struct ssh_host_key *other =
	    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);

	assert_false(span_equal(ssh_host_key_blob(other),
	    ssh_host_key_blob(keys[SSH_HOST_KEY_ED25519])));
	ssh_host_key_free(other);
}

static void
test_a_file_holds_the_key_that_was_written(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct buf file = encode(keys[i]);
		struct err err = ERR_INIT;
		struct ssh_host_key *key =
		    ssh_host_key_parse(buf_span(&file), &err);

		assert_non_null(key);
		assert_int_equal(ssh_host_key_type(key), i);
		assert_true(span_equal(
		    ssh_host_key_blob(key), ssh_host_key_blob(keys[i])));
		ssh_host_key_free(key);
		buf_fini_wipe(&file);
	}
}

static void
test_a_file_that_went_through_windows_is_read(void **state)
{
	struct buf file = encode(keys[0]), other;
	struct span text = buf_span(&file);
	struct ssh_host_key *key;

	buf_init(&other, FILE_MAX);
	wire_put_bytes(&other, span_of_str("\r\n"));
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n')
			wire_put_u8(&other, '\r');
		wire_put_u8(&other, text.data[i]);
	}
	key = ssh_host_key_parse(buf_span(&other), NULL);
	assert_non_null(key);
	ssh_host_key_free(key);
	buf_fini(&file);
	buf_fini(&other);
}

static void
test_a_file_cut_anywhere_is_refused(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct buf file = encode(keys[i]);
		/* The last line break may be missing. */
		size_t whole = buf_len(&file) - 1;

		for (size_t len = 0; len < whole; len++)
			assert_refused(span_of(buf_span(&file).data, len), "");
		buf_fini(&file);
	}
}

static void
test_an_envelope_cut_anywhere_is_refused(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct buf file = encode(keys[i]);
		uint8_t bytes[8192];
		size_t whole = open_envelope(buf_span(&file), bytes);

		for (size_t len = 0; len < whole; len++) {
			struct buf cut = close_envelope(span_of(bytes, len));

			assert_refused(buf_span(&cut), "");
			buf_fini(&cut);
		}
		bytes[whole] = 0;
		buf_fini(&file);
		file = close_envelope(span_of(bytes, whole + 1));
		assert_refused(buf_span(&file), "damaged");
		buf_fini(&file);
	}
}

static void
test_a_change_of_any_byte_but_the_comment_is_noticed(void **state)
{
	for (size_t i = 0; i < 2; i++) {
		struct buf file = encode(keys[i]);
		uint8_t bytes[8192];
		size_t len = open_envelope(buf_span(&file), bytes);
		uint8_t *text = memmem(bytes, len, comment, strlen(comment));
		size_t at = (size_t)(text - bytes);

		assert_non_null(text);
		for (size_t k = 0; k < len; k++) {
			struct ssh_host_key *key;
			struct buf other;

			bytes[k] ^= (uint8_t)(1 << k % 8);
			other = close_envelope(span_of(bytes, len));
			key = ssh_host_key_parse(buf_span(&other), NULL);
			if ((key != NULL) !=
			    (k >= at && k < at + strlen(comment)))
				fail_msg("type %zu, byte %zu", i, k);
			ssh_host_key_free(key);
			buf_fini(&other);
			bytes[k] ^= (uint8_t)(1 << k % 8);
		}
		buf_fini(&file);
	}
}

static void
test_another_keys_public_part_is_noticed(void **state)
{
	struct ssh_host_key *other =
	    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	struct buf file = encode(keys[SSH_HOST_KEY_ED25519]);
	struct span theirs = ssh_host_key_blob(other);
	uint8_t bytes[8192], *at;
	size_t len = open_envelope(buf_span(&file), bytes);

	/* The first is the one outside. */
	at = memmem(bytes, len,
	    ssh_host_key_blob(keys[SSH_HOST_KEY_ED25519]).data, theirs.len);
	assert_non_null(at);
	memcpy(at, theirs.data, theirs.len);
	buf_fini(&file);
	file = close_envelope(span_of(bytes, len));
	assert_refused(buf_span(&file), "another key's");
	buf_fini(&file);
	ssh_host_key_free(other);
}

static void
test_a_private_part_out_of_step_with_the_blocks_is_refused(void **state)
{
	struct buf file = encode(keys[SSH_HOST_KEY_ED25519]);
	size_t blob = ssh_host_key_blob(keys[SSH_HOST_KEY_ED25519]).len;
	uint8_t bytes[8192], *length;
	size_t len = open_envelope(buf_span(&file), bytes);

	/* Three bytes of padding are there, two would do without blocks. */
	assert_int_equal(bytes[len - 1], 3);
	length = bytes + 15 + 8 + 8 + 4 + 4 + 4 + blob;
	assert_int_equal(wire_peek_u32(length) % 8, 0);
	wire_poke_u32(length, wire_peek_u32(length) - 1);
	buf_fini(&file);
	file = close_envelope(span_of(bytes, len - 1));
	assert_refused(buf_span(&file), "one key");
	buf_fini(&file);
}

static void
test_what_is_no_private_key_is_called_what_it_is(void **state)
{
	static const struct {
		const char *text, *word;
	} rows[] = {
	    {"", "no private key"},
	    {"hello", "no private key"},
	    {"ssh-ed25519 AAAA pump", "public key"},
	    {"ecdsa-sha2-nistp256 AAAA", "public key"},
	    {"sk-ssh-ed25519@openssh.com AAAA", "public key"},
	    {"PuTTY-User-Key-File-3: ssh-ed25519", "PuTTY"},
	    {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
		"damaged"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----", "END line"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\n"
	     "-----END OPENSSH PRIVATE KEY-----\n",
		"does not begin"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\nAA*A\n"
	     "-----END OPENSSH PRIVATE KEY-----\n",
		"base64"},
	    {"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n"
	     "-----END OPENSSH PRIVATE KEY-----\nmore\n",
		"END line"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_refused(span_of_str(rows[i].text), rows[i].word);
	assert_refused((struct span){0}, "no private key");
}

static void
test_a_file_beyond_all_measure_is_refused(void **state)
{
	static char text[FILE_MAX + 1];

	memset(text, 'A', sizeof text);
	memcpy(text, begin_line, strlen(begin_line));
	assert_refused(span_of(text, sizeof text), "larger");
}

/* An envelope with these words in it and, of no cipher, this private part. */
static void
assert_envelope_refused(
    const char *cipher, const char *kdf, uint32_t count, const char *word)
{
	struct buf bytes, file;

	buf_init(&bytes, 1000);
	wire_put_bytes(&bytes, span_of("openssh-key-v1", 15));
	wire_put_cstring32(&bytes, cipher);
	wire_put_cstring32(&bytes, kdf);
	wire_put_cstring32(&bytes, "");
	wire_put_u32(&bytes, count);
	wire_put_cstring32(&bytes, "blob");
	wire_put_string32(
	    &bytes, span_of("\0\0\0\1\0\0\0\1\0\0\0\7ssh-dss\0\0\0\0\0", 24));
	file = close_envelope(buf_span(&bytes));
	assert_refused(buf_span(&file), word);
	buf_fini(&file);
	buf_fini(&bytes);
}

static void
test_envelopes_that_are_not_for_us_are_refused(void **state)
{
	assert_envelope_refused("aes256-ctr", "bcrypt", 1, "encrypted");
	assert_envelope_refused("none", "bcrypt", 1, "encrypted");
	assert_envelope_refused("none", "none", 0, "one key");
	assert_envelope_refused("none", "none", 2, "one key");
	assert_envelope_refused("none", "none", 1, "ssh-dss");
}

static void
test_to_free_nothing_is_fine(void **state)
{
	ssh_host_key_free(NULL);
	assert_null(parse_text("nothing"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures_are_good_to_whoever_has_the_blob),
	    cmocka_unit_test(test_a_key_signs_by_its_own_algorithms_alone),
	    cmocka_unit_test(test_no_room_for_a_signature_is_an_error),
	    cmocka_unit_test(test_two_keys_made_are_two),
	    cmocka_unit_test(test_a_file_holds_the_key_that_was_written),
	    cmocka_unit_test(test_a_file_that_went_through_windows_is_read),
	    cmocka_unit_test(test_a_file_cut_anywhere_is_refused),
	    cmocka_unit_test(test_an_envelope_cut_anywhere_is_refused),
	    cmocka_unit_test(
		test_a_change_of_any_byte_but_the_comment_is_noticed),
	    cmocka_unit_test(test_another_keys_public_part_is_noticed),
	    cmocka_unit_test(
		test_a_private_part_out_of_step_with_the_blocks_is_refused),
	    cmocka_unit_test(test_what_is_no_private_key_is_called_what_it_is),
	    cmocka_unit_test(test_a_file_beyond_all_measure_is_refused),
	    cmocka_unit_test(test_envelopes_that_are_not_for_us_are_refused),
	    cmocka_unit_test(test_to_free_nothing_is_fine),
	};

	return cmocka_run_group_tests_name(
	    "ssh_host_key", tests, make_keys, free_keys);
}
