#include "ssh_key.h"
#include "vectors.h"
#include "wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

/* A vector as bytes, to be spoilt. */
struct sample {
	struct span algorithm, message;
	uint8_t blob[VECTOR_BYTES_MAX], signature[VECTOR_BYTES_MAX];
	size_t blob_len, signature_len;
};

static void
make_sample(const struct vector *vector, struct sample *sample)
{
	sample->algorithm = span_of_str(vector->algorithm);
	sample->message = span_of_str(vector->message);
	sample->blob_len = from_hex(vector->blob, sample->blob);
	sample->signature_len = from_hex(vector->signature, sample->signature);
}

static enum ssh_key_verdict
verify(const struct sample *sample)
{
	struct ssh_key_presence presence;

	return ssh_key_verify(sample->algorithm,
	    span_of(sample->blob, sample->blob_len),
	    span_of(sample->signature, sample->signature_len), sample->message,
	    &presence);
}

static enum ssh_key_verdict
check(const struct sample *sample)
{
	return ssh_key_check(
	    sample->algorithm, span_of(sample->blob, sample->blob_len));
}

static void
test_signatures_by_another_hand_are_good(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;

		make_sample(&vectors[i], &sample);
		assert_int_equal(check(&sample), SSH_KEY_GOOD);
		assert_int_equal(verify(&sample), SSH_KEY_GOOD);
	}
}

static void
test_a_token_says_whether_it_was_touched_and_by_whom(void **state)
{
	size_t tokens = 0;

	for (size_t i = 0; i < VECTORS; i++) {
		struct ssh_key_presence presence = {
		    true, !(vectors[i].flags & 1), !(vectors[i].flags & 4)};
		struct sample sample;

		make_sample(&vectors[i], &sample);
		assert_int_equal(
		    ssh_key_verify(sample.algorithm,
			span_of(sample.blob, sample.blob_len),
			span_of(sample.signature, sample.signature_len),
			sample.message, &presence),
		    SSH_KEY_GOOD);
		assert_int_equal(presence.is_token, vectors[i].is_token);
		assert_int_equal(presence.touched, (vectors[i].flags & 1) != 0);
		assert_int_equal(
		    presence.verified, (vectors[i].flags & 4) != 0);
		tokens += vectors[i].is_token ? 1 : 0;
	}
	assert_int_equal(tokens, 6);
}

static void
test_another_message_is_a_bad_signature(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;

		make_sample(&vectors[i], &sample);
		sample.message = span_of_str("another message");
		assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
		sample.message = span_of(NULL, 0);
		assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
	}
}

static void
test_a_change_of_any_byte_of_a_signature_makes_it_bad(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;

		make_sample(&vectors[i], &sample);
		for (size_t k = 0; k < sample.signature_len; k++) {
			sample.signature[k] ^= (uint8_t)(1 << k % 8);
			assert_int_equal(
			    verify(&sample), SSH_KEY_BAD_SIGNATURE);
			sample.signature[k] ^= (uint8_t)(1 << k % 8);
		}
	}
}

static void
test_a_change_of_any_byte_of_a_key_is_noticed(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;

		make_sample(&vectors[i], &sample);
		for (size_t k = 0; k < sample.blob_len; k++) {
			sample.blob[k] ^= (uint8_t)(1 << k % 8);
			assert_int_not_equal(verify(&sample), SSH_KEY_GOOD);
			sample.blob[k] ^= (uint8_t)(1 << k % 8);
		}
	}
}

static void
test_a_signature_cut_anywhere_is_bad(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;
		size_t whole;

		make_sample(&vectors[i], &sample);
		whole = sample.signature_len;
		for (size_t len = 0; len < whole; len++) {
			sample.signature_len = len;
			assert_int_equal(
			    verify(&sample), SSH_KEY_BAD_SIGNATURE);
		}
		sample.signature_len = whole + 1;
		sample.signature[whole] = 0;
		assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
	}
}

static void
test_a_blob_cut_anywhere_is_malformed(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		struct sample sample;
		size_t whole;

		make_sample(&vectors[i], &sample);
		whole = sample.blob_len;
		for (size_t len = 0; len < whole; len++) {
			sample.blob_len = len;
			assert_int_equal(check(&sample), SSH_KEY_MALFORMED);
			assert_int_equal(verify(&sample), SSH_KEY_MALFORMED);
		}
		sample.blob_len = whole + 1;
		sample.blob[whole] = 0;
		assert_int_equal(check(&sample), SSH_KEY_MALFORMED);
		assert_int_equal(verify(&sample), SSH_KEY_MALFORMED);
	}
}

static void
test_a_key_of_another_type_is_unsupported(void **state)
{
	for (size_t i = 0; i < VECTORS; i++) {
		for (size_t k = 0; k < VECTORS; k++) {
			struct sample sample, other;
			bool rsa = strstr(vectors[i].algorithm, "rsa-sha2") ==
				       vectors[i].algorithm &&
				   strstr(vectors[k].algorithm, "rsa-sha2") ==
				       vectors[k].algorithm;

			make_sample(&vectors[i], &sample);
			make_sample(&vectors[k], &other);
			if (rsa || strcmp(vectors[i].algorithm,
				       vectors[k].algorithm) == 0)
				continue;
			sample.algorithm = other.algorithm;
			assert_int_equal(check(&sample), SSH_KEY_UNSUPPORTED);
			assert_int_equal(verify(&sample), SSH_KEY_UNSUPPORTED);
		}
	}
}

static void
test_the_algorithm_inside_must_be_the_one_that_was_named(void **state)
{
	struct sample sample;

	make_sample(find_vector("rsa-sha2-512"), &sample);
	sample.algorithm = span_of_str("rsa-sha2-256");
	assert_int_equal(check(&sample), SSH_KEY_GOOD);
	assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
	/* And with the name changed it is no signature of that hash. */
	memcpy(sample.signature + 4, "rsa-sha2-256", 12);
	assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
}

static void
test_what_we_do_not_verify_is_unsupported(void **state)
{
	static const char *const names[] = {"", "ssh-rsa", "ssh-dss",
	    "ssh-ed448", "ssh-ed2551", "ssh-ed25519 ", "SSH-ED25519",
	    "ssh-ed25519-cert-v01@openssh.com", "none"};
	struct sample sample;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		make_sample(&vectors[0], &sample);
		sample.algorithm = span_of_str(names[i]);
		assert_int_equal(check(&sample), SSH_KEY_UNSUPPORTED);
		assert_int_equal(verify(&sample), SSH_KEY_UNSUPPORTED);
	}
	make_sample(find_vector("rsa-sha2-256"), &sample);
	sample.algorithm = span_of_str("ssh-rsa");
	assert_int_equal(check(&sample), SSH_KEY_UNSUPPORTED);
}

static void
test_every_algorithm_that_we_announce_has_a_vector(void **state)
{
	struct span list = span_of_str(ssh_key_signature_algorithms());
	size_t count = 0;

	assert_int_equal(strncmp(ssh_key_signature_algorithms(), "ssh-ed25519,",
			     strlen("ssh-ed25519,")),
	    0);
	while (list.len > 0) {
		const uint8_t *comma = memchr(list.data, ',', list.len);
		size_t len =
		    comma == NULL ? list.len : (size_t)(comma - list.data);
		char name[64];

		assert_true(
		    span_to_str(span_of(list.data, len), name, sizeof name));
		find_vector(name);
		count++;
		list.data += comma == NULL ? len : len + 1;
		list.len -= comma == NULL ? len : len + 1;
	}
	assert_int_equal(count, 8);
}

/* An RSA blob whose modulus has `bits` bits, with `e` as it stands. */
static enum ssh_key_verdict
check_rsa(size_t bits, struct span e, uint8_t last)
{
	uint8_t modulus[3000] = {0};
	size_t len = (bits + 7) / 8;
	enum ssh_key_verdict verdict;
	struct buf blob;

	modulus[0] = (uint8_t)(1 << (bits - 1) % 8);
	modulus[len - 1] |= last;
	buf_init(&blob, 10000);
	wire_put_cstring32(&blob, "ssh-rsa");
	wire_put_string32(&blob, e);
	wire_put_mpint(&blob, span_of(modulus, len));
	assert_false(blob.failed);
	verdict = ssh_key_check(span_of_str("rsa-sha2-256"), buf_span(&blob));
	buf_fini(&blob);
	return verdict;
}

static void
test_rsa_is_taken_from_2048_to_16384_bits(void **state)
{
	const struct span e = span_of("\x01\0\x01", 3);

	assert_int_equal(check_rsa(1024, e, 1), SSH_KEY_TOO_WEAK);
	assert_int_equal(check_rsa(2047, e, 1), SSH_KEY_TOO_WEAK);
	assert_int_equal(check_rsa(2048, e, 1), SSH_KEY_GOOD);
	assert_int_equal(check_rsa(16384, e, 1), SSH_KEY_GOOD);
	assert_int_equal(check_rsa(16385, e, 1), SSH_KEY_UNSUPPORTED);
}

static void
test_rsa_numbers_that_cannot_be_are_refused(void **state)
{
	static const struct {
		struct span e;
		uint8_t last;
		enum ssh_key_verdict verdict;
	} rows[] = {
	    {{(const uint8_t *)"\x03", 1}, 1, SSH_KEY_GOOD},
	    {{(const uint8_t *)"\x7f\0\0\0\0\0\0\x01", 8}, 1, SSH_KEY_GOOD},
	    {{(const uint8_t *)"\x01\0\0\0\0\0\0\0\x01", 9}, 1,
		SSH_KEY_UNSUPPORTED},
	    {{(const uint8_t *)"\x03", 1}, 0, SSH_KEY_MALFORMED}, /* even n */
	    {{(const uint8_t *)"\x04", 1}, 1, SSH_KEY_MALFORMED},
	    {{(const uint8_t *)"\x01", 1}, 1, SSH_KEY_MALFORMED},
	    {{(const uint8_t *)"", 0}, 1, SSH_KEY_MALFORMED},
	    {{(const uint8_t *)"\0", 1}, 1, SSH_KEY_MALFORMED},
	    {{(const uint8_t *)"\x83", 1}, 1, SSH_KEY_MALFORMED}, /* < 0 */
	    {{(const uint8_t *)"\0\x03", 2}, 1, SSH_KEY_MALFORMED},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_int_equal(
		    check_rsa(2048, rows[i].e, rows[i].last), rows[i].verdict);
}

static enum ssh_key_verdict
check_ecdsa(const char *curve, struct span point)
{
	enum ssh_key_verdict verdict;
	struct buf blob;

	buf_init(&blob, 1000);
	wire_put_cstring32(&blob, "ecdsa-sha2-nistp256");
	wire_put_cstring32(&blob, curve);
	wire_put_string32(&blob, point);
	verdict =
	    ssh_key_check(span_of_str("ecdsa-sha2-nistp256"), buf_span(&blob));
	buf_fini(&blob);
	return verdict;
}

static void
test_points_that_are_not_on_the_curve_are_malformed(void **state)
{
	struct sample sample;
	struct span point;
	uint8_t bytes[65];

	make_sample(find_vector("ecdsa-sha2-nistp256"), &sample);
	point = span_of(sample.blob + sample.blob_len - 65, 65);
	assert_int_equal(check_ecdsa("nistp256", point), SSH_KEY_GOOD);
	assert_int_equal(check_ecdsa("nistp384", point), SSH_KEY_MALFORMED);
	memcpy(bytes, point.data, 65);
	bytes[64] ^= 1;
	assert_int_equal(
	    check_ecdsa("nistp256", span_of(bytes, 65)), SSH_KEY_MALFORMED);
	/* Compressed, hybrid, and the point at infinity. */
	memcpy(bytes, point.data, 65);
	bytes[0] = (uint8_t)(2 + (bytes[64] & 1));
	assert_int_equal(
	    check_ecdsa("nistp256", span_of(bytes, 33)), SSH_KEY_MALFORMED);
	bytes[0] = (uint8_t)(bytes[0] + 4);
	assert_int_equal(
	    check_ecdsa("nistp256", span_of(bytes, 65)), SSH_KEY_MALFORMED);
	assert_int_equal(
	    check_ecdsa("nistp256", span_of("", 1)), SSH_KEY_MALFORMED);
	memset(bytes, 0, sizeof bytes);
	bytes[0] = 4;
	assert_int_equal(
	    check_ecdsa("nistp256", span_of(bytes, 65)), SSH_KEY_MALFORMED);
}

static void
test_ecdsa_numbers_that_cannot_be_are_bad(void **state)
{
	static const uint8_t ff[VECTOR_BYTES_MAX] = {0x7f, 0xff};
	static const struct {
		struct span r, s;
	} rows[] = {
	    {{NULL, 0}, {ff, 1}}, /* 0 */
	    {{ff, 1}, {NULL, 0}},
	    {{ff, 33}, {ff, 1}}, /* longer than the field */
	    {{ff, 1}, {ff, 33}}, {{ff, 32}, {ff, 32}}, /* fits, and is wrong */
	    {{(const uint8_t *)"\0\x01", 2}, {ff, 1}}, /* not the shortest */
	    {{(const uint8_t *)"\xff", 1}, {ff, 1}}, /* negative */
	};
	struct sample sample;

	make_sample(find_vector("ecdsa-sha2-nistp256"), &sample);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf numbers, signature;
		struct ssh_key_presence presence;

		buf_init(&numbers, 3 * VECTOR_BYTES_MAX);
		buf_init(&signature, 3 * VECTOR_BYTES_MAX);
		wire_put_string32(&numbers, rows[i].r);
		wire_put_string32(&numbers, rows[i].s);
		wire_put_cstring32(&signature, "ecdsa-sha2-nistp256");
		wire_put_string32(&signature, buf_span(&numbers));
		assert_int_equal(
		    ssh_key_verify(sample.algorithm,
			span_of(sample.blob, sample.blob_len),
			buf_span(&signature), sample.message, &presence),
		    SSH_KEY_BAD_SIGNATURE);
		buf_fini(&numbers);
		buf_fini(&signature);
	}
}

static void
test_a_signature_of_another_length_is_bad(void **state)
{
	static const uint8_t zeroes[VECTOR_BYTES_MAX];
	static const struct {
		const char *algorithm;
		size_t len;
	} rows[] = {
	    {"ssh-ed25519", 0},
	    {"ssh-ed25519", 63},
	    {"ssh-ed25519", 65},
	    {"ssh-ed25519", VECTOR_BYTES_MAX},
	    {"sk-ssh-ed25519@openssh.com", 65},
	    {"rsa-sha2-256", 0},
	    {"rsa-sha2-256", 257},
	    {"rsa-sha2-256", VECTOR_BYTES_MAX},
	    {"ecdsa-sha2-nistp256", 0},
	    {"ecdsa-sha2-nistp256", 8},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct ssh_key_presence presence;
		struct sample sample;
		struct buf signature;

		make_sample(find_vector(rows[i].algorithm), &sample);
		buf_init(&signature, 2 * VECTOR_BYTES_MAX);
		wire_put_cstring32(&signature, rows[i].algorithm);
		wire_put_string32(&signature, span_of(zeroes, rows[i].len));
		if (strncmp(rows[i].algorithm, "sk-", 3) == 0)
			wire_put_bytes(&signature, span_of(zeroes, 5));
		assert_int_equal(
		    ssh_key_verify(sample.algorithm,
			span_of(sample.blob, sample.blob_len),
			buf_span(&signature), sample.message, &presence),
		    SSH_KEY_BAD_SIGNATURE);
		buf_fini(&signature);
	}
}

static void
test_ed25519_as_rfc_8032_shows_it(void **state)
{
	/* Section 7.1, TEST 3. */
	struct vector vector = {.algorithm = "ssh-ed25519",
	    .message = "\xaf\x82",
	    .blob = "0000000b7373682d6564323535313900000020"
		    "fc51cd8e6218a1a38da47ed00230f058"
		    "0816ed13ba3303ac5deb911548908025",
	    .signature = "0000000b7373682d6564323535313900000040"
			 "6291d657deec24024827e69c3abe01a3"
			 "0ce548a284743a445e3680d7db5ac3ac"
			 "18ff9b538d16f290ae67f760984dc659"
			 "4a7c15e9716ed28dc027beceea1ec40a"};
	struct sample sample;

	make_sample(&vector, &sample);
	assert_int_equal(verify(&sample), SSH_KEY_GOOD);
}

static void
test_an_ed25519_signature_has_one_form(void **state)
{
	/* The group's order, little-endian (RFC 8032 section 5.1). */
	static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63,
	    0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
	    0x14, [31] = 0x10};
	struct sample sample;
	unsigned carry = 0;
	uint8_t *s;

	make_sample(find_vector("ssh-ed25519"), &sample);
	assert_int_equal(verify(&sample), SSH_KEY_GOOD);
	s = sample.signature + sample.signature_len - 32;
	for (size_t i = 0; i < 32; i++) {
		carry += s[i] + order[i];
		s[i] = (uint8_t)carry;
		carry >>= 8;
	}
	assert_int_equal(carry, 0);
	assert_int_equal(verify(&sample), SSH_KEY_BAD_SIGNATURE);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures_by_another_hand_are_good),
	    cmocka_unit_test(
		test_a_token_says_whether_it_was_touched_and_by_whom),
	    cmocka_unit_test(test_another_message_is_a_bad_signature),
	    cmocka_unit_test(
		test_a_change_of_any_byte_of_a_signature_makes_it_bad),
	    cmocka_unit_test(test_a_change_of_any_byte_of_a_key_is_noticed),
	    cmocka_unit_test(test_a_signature_cut_anywhere_is_bad),
	    cmocka_unit_test(test_a_blob_cut_anywhere_is_malformed),
	    cmocka_unit_test(test_a_key_of_another_type_is_unsupported),
	    cmocka_unit_test(
		test_the_algorithm_inside_must_be_the_one_that_was_named),
	    cmocka_unit_test(test_what_we_do_not_verify_is_unsupported),
	    cmocka_unit_test(
		test_every_algorithm_that_we_announce_has_a_vector),
	    cmocka_unit_test(test_rsa_is_taken_from_2048_to_16384_bits),
	    cmocka_unit_test(test_rsa_numbers_that_cannot_be_are_refused),
	    cmocka_unit_test(
		test_points_that_are_not_on_the_curve_are_malformed),
	    cmocka_unit_test(test_ecdsa_numbers_that_cannot_be_are_bad),
	    cmocka_unit_test(test_a_signature_of_another_length_is_bad),
	    cmocka_unit_test(test_ed25519_as_rfc_8032_shows_it),
	    cmocka_unit_test(test_an_ed25519_signature_has_one_form),
	};

	return cmocka_run_group_tests_name("ssh_key", tests, NULL, NULL);
}
