#include "pubkey.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <stdio.h>
#include <cmocka.h>

static const struct {
	const char *base64;
	enum pubkey_type type;
	unsigned bits;
	const char *fingerprint;
} samples[] = {
    {KEY_ED_BASE64, PUBKEY_ED25519, 256, KEY_ED_FINGERPRINT},
    {KEY_EC256_BASE64, PUBKEY_ECDSA_256, 256, KEY_EC256_FINGERPRINT},
    {KEY_EC384_BASE64, PUBKEY_ECDSA_384, 384, KEY_EC384_FINGERPRINT},
    {KEY_EC521_BASE64, PUBKEY_ECDSA_521, 521, KEY_EC521_FINGERPRINT},
    {KEY_RSA2048_BASE64, PUBKEY_RSA, 2048, KEY_RSA2048_FINGERPRINT},
    {KEY_RSA1024_BASE64, PUBKEY_RSA, 1024, KEY_RSA1024_FINGERPRINT},
    {KEY_DSA_BASE64, PUBKEY_DSA, 1024, KEY_DSA_FINGERPRINT},
    {KEY_SK_ED_BASE64, PUBKEY_SK_ED25519, 256, KEY_SK_ED_FINGERPRINT},
    {KEY_SK_EC_BASE64, PUBKEY_SK_ECDSA, 256, KEY_SK_EC_FINGERPRINT},
};

enum { SAMPLES = sizeof samples / sizeof samples[0] };

static struct span
blob_of(const char *base64, uint8_t blob[PUBKEY_MAX_BYTES])
{
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str(base64), blob, PUBKEY_MAX_BYTES, &len),
	    PUBKEY_GOOD);
	return span_of(blob, len);
}

static void
test_every_type_is_read_with_its_bits(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct pubkey key;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct span b = blob_of(samples[i].base64, blob);

		assert_int_equal(
		    pubkey_read(b, samples[i].type, &key), PUBKEY_GOOD);
		assert_int_equal(key.type, samples[i].type);
		assert_int_equal(key.bits, samples[i].bits);
		assert_int_equal(
		    pubkey_read(b, PUBKEY_UNKNOWN, &key), PUBKEY_GOOD);
		assert_int_equal(key.type, samples[i].type);
	}
}

static void
test_fingerprints_are_those_of_ssh_keygen(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES], digest[PUBKEY_DIGEST_BYTES];
	char text[PUBKEY_FINGERPRINT_SIZE];

	for (size_t i = 0; i < SAMPLES; i++) {
		pubkey_digest(blob_of(samples[i].base64, blob), digest);
		pubkey_fingerprint(digest, text);
		assert_string_equal(text, samples[i].fingerprint);
	}
}

static void
test_a_nameless_key_is_named_after_its_digest(void **state)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char text[PUBKEY_IDENTITY_SIZE];

	for (size_t i = 0; i < sizeof digest; i++)
		digest[i] = (uint8_t)(0xa0 + i);
	pubkey_identity(digest, text);
	assert_string_equal(text, "key-a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
}

static void
test_a_blob_cut_anywhere_is_no_key(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct pubkey key;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct span b = blob_of(samples[i].base64, blob);

		for (size_t len = 0; len < b.len; len++) {
			/* A copy of its own, so that a reader past it is seen
			 */
			uint8_t *copy = malloc(len + 1);

			memcpy(copy, b.data, len);
			assert_int_equal(pubkey_read(span_of(copy, len),
					     samples[i].type, &key),
			    PUBKEY_CUT_OFF);
			free(copy);
		}
	}
}

static void
test_a_blob_with_more_behind_it_is_no_key(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct pubkey key;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct span b = blob_of(samples[i].base64, blob);

		blob[b.len] = 0;
		assert_int_equal(pubkey_read(span_of(blob, b.len + 1),
				     samples[i].type, &key),
		    PUBKEY_TRAILING);
	}
}

static void
test_a_blob_of_another_type_says_which(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct pubkey key;

	assert_int_equal(
	    pubkey_read(blob_of(KEY_EC256_BASE64, blob), PUBKEY_ED25519, &key),
	    PUBKEY_OTHER_TYPE);
	assert_int_equal(key.type, PUBKEY_ECDSA_256);
}

static void
test_a_curve_that_belies_its_type_is_malformed(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct span b = blob_of(KEY_EC256_BASE64, blob);
	struct pubkey key;

	/* "nistp256", the second string, made "nistp384" */
	memcpy(blob + 4 + 19 + 4 + 5, "384", 3);
	assert_int_equal(
	    pubkey_read(b, PUBKEY_ECDSA_256, &key), PUBKEY_MALFORMED);
}

static void
test_a_compressed_point_is_malformed(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct span b = blob_of(KEY_EC256_BASE64, blob);
	struct pubkey key;

	blob[b.len - 65] = 2;
	assert_int_equal(
	    pubkey_read(b, PUBKEY_ECDSA_256, &key), PUBKEY_MALFORMED);
}

static void
test_a_negative_or_padded_modulus_is_malformed(void **state)
{
	static const uint8_t negative[] = {0, 0, 0, 7, 's', 's', 'h', '-', 'r',
	    's', 'a', 0, 0, 0, 1, 3, 0, 0, 0, 1, 0x80};
	static const uint8_t padded[] = {0, 0, 0, 7, 's', 's', 'h', '-', 'r',
	    's', 'a', 0, 0, 0, 1, 3, 0, 0, 0, 2, 0, 0x7f};
	struct pubkey key;

	assert_int_equal(
	    pubkey_read(span_of(negative, sizeof negative), PUBKEY_RSA, &key),
	    PUBKEY_MALFORMED);
	assert_int_equal(
	    pubkey_read(span_of(padded, sizeof padded), PUBKEY_RSA, &key),
	    PUBKEY_MALFORMED);
}

static void
test_a_padded_number_is_the_same_number(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES], padded[PUBKEY_MAX_BYTES];
	struct span b = blob_of(KEY_RSA2048_BASE64, blob);
	size_t exponent = 4 + 7;
	struct pubkey key;
	struct buf out;

	/* 65537 with two zeros before it */
	memcpy(padded, b.data, exponent + 4);
	padded[exponent + 3] += 2;
	memset(padded + exponent + 4, 0, 2);
	memcpy(
	    padded + exponent + 6, b.data + exponent + 4, b.len - exponent - 4);
	assert_int_equal(
	    pubkey_read(span_of(padded, b.len + 2), PUBKEY_RSA, &key),
	    PUBKEY_MALFORMED);
	buf_init(&out, PUBKEY_MAX_BYTES);
	assert_true(pubkey_tidy(span_of(padded, b.len + 2), &out));
	assert_true(span_equal(buf_span(&out), b));
	buf_fini(&out);
}

static void
test_every_sample_is_tidy(void **state)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct buf out;

	for (size_t i = 0; i < SAMPLES; i++) {
		struct span b = blob_of(samples[i].base64, blob);

		buf_init(&out, PUBKEY_MAX_BYTES);
		assert_true(pubkey_tidy(b, &out));
		assert_true(span_equal(buf_span(&out), b));
		buf_fini(&out);
	}
}

static void
test_base64_passes_over_a_carriage_return_only_as_sshd_does(void **state)
{
	uint8_t blob[16];
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str("QUJD\r"), blob, 16, &len), PUBKEY_GOOD);
	assert_int_equal(len, 3);
	assert_int_equal(pubkey_decode(span_of_str("QUJ D"), blob, 16, &len),
	    PUBKEY_BAD_BASE64);
	assert_int_equal(pubkey_decode(span_of_str("QUJDR"), blob, 16, &len),
	    PUBKEY_BAD_BASE64);
}

static void
test_base64_stops_at_the_room_it_is_given(void **state)
{
	uint8_t *blob = malloc(3);
	size_t len;

	assert_int_equal(
	    pubkey_decode(span_of_str("QUJD"), blob, 3, &len), PUBKEY_GOOD);
	assert_int_equal(pubkey_decode(span_of_str("QUJDQUJD"), blob, 3, &len),
	    PUBKEY_TOO_LONG);
	free(blob);
}

static void
test_words_name_types_both_ways(void **state)
{
	for (enum pubkey_type t = PUBKEY_ED25519; t < PUBKEY_TYPE_COUNT; t++)
		assert_int_equal(
		    pubkey_type_of_word(span_of_str(pubkey_type_word(t))), t);
	assert_int_equal(
	    pubkey_type_of_word(span_of_str("rsa-sha2-512")), PUBKEY_RSA);
	assert_int_equal(
	    pubkey_type_of_word(span_of_str("SSH-RSA")), PUBKEY_UNKNOWN);
	assert_true(pubkey_type_is_certificate(PUBKEY_RSA_CERT));
	assert_false(pubkey_type_is_certificate(PUBKEY_SK_ECDSA));
	assert_true(pubkey_type_is_token(PUBKEY_SK_ED25519));
	assert_false(pubkey_type_is_token(PUBKEY_ED25519));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_type_is_read_with_its_bits),
	    cmocka_unit_test(test_fingerprints_are_those_of_ssh_keygen),
	    cmocka_unit_test(test_a_nameless_key_is_named_after_its_digest),
	    cmocka_unit_test(test_a_blob_cut_anywhere_is_no_key),
	    cmocka_unit_test(test_a_blob_with_more_behind_it_is_no_key),
	    cmocka_unit_test(test_a_blob_of_another_type_says_which),
	    cmocka_unit_test(test_a_curve_that_belies_its_type_is_malformed),
	    cmocka_unit_test(test_a_compressed_point_is_malformed),
	    cmocka_unit_test(test_a_negative_or_padded_modulus_is_malformed),
	    cmocka_unit_test(test_a_padded_number_is_the_same_number),
	    cmocka_unit_test(test_every_sample_is_tidy),
	    cmocka_unit_test(
		test_base64_passes_over_a_carriage_return_only_as_sshd_does),
	    cmocka_unit_test(test_base64_stops_at_the_room_it_is_given),
	    cmocka_unit_test(test_words_name_types_both_ways),
	};

	return cmocka_run_group_tests_name("pubkey", tests, NULL, NULL);
}
