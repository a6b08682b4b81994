#include "ssh_kex.h"
#include "wire.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { X25519 = 32, MLKEM_PUBLIC = 1184, MLKEM_CIPHERTEXT = 1088 };

static struct ssh_engine *engine;
static struct buf share, secret;

static int
make_bufs(void **state)
{
	engine = ssh_engine_new(NULL);
	assert_non_null(engine);
	buf_init(&share, 4096);
	buf_init(&secret, 4096);
	return 0;
}

static int
free_bufs(void **state)
{
	ssh_engine_free(engine);
	buf_fini(&share);
	buf_fini_wipe(&secret);
	return 0;
}

/* The client's half of X25519. */
static void
agree(EVP_PKEY *key, struct span theirs, uint8_t common[X25519])
{
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_X25519, NULL, theirs.data, theirs.len);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t len = X25519;

	assert_int_equal(theirs.len, X25519);
	assert_int_equal(EVP_PKEY_derive_init(ctx), 1);
	assert_int_equal(EVP_PKEY_derive_set_peer(ctx, peer), 1);
	assert_int_equal(EVP_PKEY_derive(ctx, common, &len), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(peer);
}

/* Alice's key of RFC 7748 section 6.1. */
static const uint8_t alice_private[X25519] = {0x77, 0x07, 0x6d, 0x0a, 0x73,
    0x18, 0xa5, 0x7d, 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45, 0xdf,
    0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a, 0xb1, 0x77, 0xfb, 0xa5, 0x1d,
    0xb9, 0x2c, 0x2a};
static const uint8_t alice_public[X25519] = {0x85, 0x20, 0xf0, 0x09, 0x89, 0x30,
    0xa7, 0x54, 0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a, 0x0d, 0xbf,
    0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4, 0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b,
    0x4e, 0x6a};

static void
test_both_sides_of_curve25519_come_to_the_same_secret(void **state)
{
	EVP_PKEY *alice = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_X25519, NULL, alice_private, X25519);

	/* Often enough to see secrets with their top bit set and not set. */
	for (size_t i = 0; i < 20; i++) {
		uint8_t common[X25519];
		struct buf expected;

		assert_int_equal(
		    ssh_kex_reply(engine,
			i % 2 == 0 ? SSH_KEX_CURVE25519_SHA256
				   : SSH_KEX_CURVE25519_SHA256_LIBSSH,
			span_of(alice_public, X25519), &share, &secret),
		    SSH_KEX_OK);
		agree(alice, buf_span(&share), common);
		buf_init(&expected, 100);
		wire_put_mpint(&expected, span_of(common, X25519));
		assert_true(span_equal(buf_span(&expected), buf_span(&secret)));
		buf_fini(&expected);
		buf_consume(&share, buf_len(&share));
		buf_consume(&secret, buf_len(&secret));
	}
	EVP_PKEY_free(alice);
}

static void
test_our_share_is_another_one_each_time(void **state)
{
	const struct span alice = span_of(alice_public, X25519);
	struct span both;

	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256, alice,
			&share, &secret),
		    SSH_KEX_OK);
	both = buf_span(&share);
	assert_int_equal(both.len, 2 * X25519);
	assert_memory_not_equal(both.data, both.data + X25519, X25519);
}

static void
test_points_that_give_zeroes_are_refused(void **state)
{
	/* Of order 1, 2, 4 and 8, and their other spellings above p. */
	static const uint8_t points[][X25519] = {
	    {0}, {1},
	    {0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c,
		0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8,
		0x00},
	    {0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
		0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58,
		0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11,
		0x57},
	    {0xec, [1 ... 30] = 0xff, [31] = 0x7f}, /* p - 1 */
	    {0xed, [1 ... 30] = 0xff, [31] = 0x7f}, /* p */
	    {0xee, [1 ... 30] = 0xff, [31] = 0x7f}, /* p + 1 */
	};

	for (size_t i = 0; i < sizeof points / sizeof points[0]; i++) {
		assert_int_equal(
		    ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256,
			span_of(points[i], X25519), &share, &secret),
		    SSH_KEX_BAD_SHARE);
		assert_int_equal(buf_len(&share), 0);
		assert_int_equal(buf_len(&secret), 0);
	}
}

static void
test_a_share_of_any_other_length_is_refused(void **state)
{
	static const uint8_t bytes[2000] = {9};

	for (size_t len = 0; len < sizeof bytes; len++) {
		if (len != X25519)
			assert_int_equal(
			    ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256,
				span_of(bytes, len), &share, &secret),
			    SSH_KEX_BAD_SHARE);
		if (len != MLKEM_PUBLIC + X25519 &&
		    ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256))
			assert_int_equal(
			    ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
				span_of(bytes, len), &share, &secret),
			    SSH_KEX_BAD_SHARE);
	}
	assert_int_equal(buf_len(&share), 0);
	assert_int_equal(buf_len(&secret), 0);
}

static void
test_no_room_for_the_answer_is_a_failure(void **state)
{
	const struct span alice = span_of(alice_public, X25519);
	struct buf small;

	buf_init(&small, X25519 - 1);
	assert_int_equal(ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256, alice,
			     &small, &secret),
	    SSH_KEX_FAILED);
	buf_fini(&small);
	assert_int_equal(ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256, alice,
			     &share, &small),
	    SSH_KEX_FAILED);
	buf_fini(&small);
}

/* A client's keys for the hybrid, and both halves of its share. */
struct hybrid {
	EVP_PKEY *mlkem, *x25519;
	uint8_t share[MLKEM_PUBLIC + X25519];
};

static void
make_hybrid(struct hybrid *client)
{
	size_t len = MLKEM_PUBLIC;

	if (!ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256)) {
		print_message("libcrypto here has no ML-KEM-768\n");
		skip();
	}
	client->mlkem = EVP_PKEY_Q_keygen(NULL, NULL, "ML-KEM-768");
	client->x25519 = EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_X25519, NULL, alice_private, X25519);
	assert_int_equal(
	    EVP_PKEY_get_raw_public_key(client->mlkem, client->share, &len), 1);
	assert_int_equal(len, MLKEM_PUBLIC);
	memcpy(client->share + MLKEM_PUBLIC, alice_public, X25519);
}

static void
free_hybrid(struct hybrid *client)
{
	EVP_PKEY_free(client->mlkem);
	EVP_PKEY_free(client->x25519);
}

static void
test_both_sides_of_the_hybrid_come_to_the_same_secret(void **state)
{
	struct hybrid client;
	uint8_t both[64], hash[SSH_KEX_HASH_BYTES];
	size_t len = 32;
	EVP_PKEY_CTX *ctx;
	struct span reply;
	struct buf expected;

	make_hybrid(&client);
	assert_int_equal(
	    ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
		span_of(client.share, sizeof client.share), &share, &secret),
	    SSH_KEX_OK);
	reply = buf_span(&share);
	assert_int_equal(reply.len, MLKEM_CIPHERTEXT + X25519);
	ctx = EVP_PKEY_CTX_new(client.mlkem, NULL);
	assert_int_equal(EVP_PKEY_decapsulate_init(ctx, NULL), 1);
	assert_int_equal(
	    EVP_PKEY_decapsulate(ctx, both, &len, reply.data, MLKEM_CIPHERTEXT),
	    1);
	EVP_PKEY_CTX_free(ctx);
	agree(client.x25519, span_of(reply.data + MLKEM_CIPHERTEXT, X25519),
	    both + 32);
	EVP_Digest(both, sizeof both, hash, NULL, EVP_sha256(), NULL);
	/* A string, whatever its first bit: RFC 10042 section 2.4. */
	buf_init(&expected, 100);
	wire_put_string32(&expected, span_of(hash, sizeof hash));
	assert_true(span_equal(buf_span(&expected), buf_span(&secret)));
	buf_fini(&expected);
	free_hybrid(&client);
}

static void
test_a_hybrid_share_that_is_bad_in_either_half_is_refused(void **state)
{
	struct hybrid client;
	uint8_t kept[X25519];

	make_hybrid(&client);
	memset(client.share + MLKEM_PUBLIC, 0, X25519);
	assert_int_equal(
	    ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
		span_of(client.share, sizeof client.share), &share, &secret),
	    SSH_KEX_BAD_SHARE);
	memcpy(client.share + MLKEM_PUBLIC, alice_public, X25519);
	/* Coefficients of 0xfff, which is above q (FIPS 203, 7.2). */
	memcpy(kept, client.share, sizeof kept);
	memset(client.share, 0xff, sizeof kept);
	assert_int_equal(
	    ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
		span_of(client.share, sizeof client.share), &share, &secret),
	    SSH_KEX_BAD_SHARE);
	assert_int_equal(buf_len(&share), 0);
	assert_int_equal(buf_len(&secret), 0);
	memcpy(client.share, kept, sizeof kept);
	assert_int_equal(
	    ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
		span_of(client.share, sizeof client.share), &share, &secret),
	    SSH_KEX_OK);
	free_hybrid(&client);
}

static void
test_without_ml_kem_the_hybrid_fails_and_the_rest_goes_on(void **state)
{
	static const uint8_t bytes[MLKEM_PUBLIC + X25519];

	assert_true(ssh_kex_is_available(SSH_KEX_CURVE25519_SHA256));
	assert_true(ssh_kex_is_available(SSH_KEX_CURVE25519_SHA256_LIBSSH));
	if (ssh_kex_is_available(SSH_KEX_MLKEM768X25519_SHA256)) {
		print_message("libcrypto here has ML-KEM-768\n");
		skip();
	}
	assert_int_equal(ssh_kex_reply(engine, SSH_KEX_MLKEM768X25519_SHA256,
			     span_of(bytes, sizeof bytes), &share, &secret),
	    SSH_KEX_FAILED);
}

static void
test_names_are_those_of_the_documents(void **state)
{
	assert_string_equal(ssh_kex_name(SSH_KEX_MLKEM768X25519_SHA256),
	    "mlkem768x25519-sha256");
	assert_string_equal(
	    ssh_kex_name(SSH_KEX_CURVE25519_SHA256), "curve25519-sha256");
	assert_string_equal(ssh_kex_name(SSH_KEX_CURVE25519_SHA256_LIBSSH),
	    "curve25519-sha256@libssh.org");
}

/*
 * Python: K = bytes([0, 0, 0, 2, 0, 0x80]); H = bytes(range(32));
 * S = bytes(range(32, 64)); a = sha256(K + H + letter + S).digest();
 * b = sha256(K + H + a).digest(); c = sha256(K + H + a + b).digest()
 */
static void
test_keys_of_any_length_as_rfc_4253_section_7_2_derives_them(void **state)
{
	static const struct span k = {(const uint8_t *)"\0\0\0\2\0\x80", 6};
	static const uint8_t expected_c[96] = {0x75, 0x77, 0x51, 0x55, 0x77,
	    0xa7, 0x61, 0x14, 0x9e, 0xa6, 0x33, 0x23, 0xae, 0xcb, 0x15, 0x68,
	    0x44, 0x49, 0xff, 0x76, 0x83, 0x19, 0x9a, 0xb0, 0x39, 0x1f, 0x9f,
	    0x8c, 0xe3, 0x9c, 0x47, 0xd8, 0xdb, 0x69, 0x68, 0x34, 0x32, 0xd7,
	    0x5c, 0xa1, 0xba, 0xc0, 0xcd, 0xb1, 0x0f, 0x25, 0x4b, 0x2c, 0x29,
	    0xd9, 0xd1, 0xc3, 0xca, 0x63, 0x8e, 0x15, 0x30, 0x90, 0x66, 0x0e,
	    0xf8, 0x2e, 0x8f, 0x76, 0xea, 0x5b, 0x5a, 0xbd, 0xf9, 0x3d, 0x1c,
	    0xbb, 0x32, 0xc4, 0x53, 0x1d, 0xe2, 0x1c, 0xe1, 0xfc, 0x3e, 0xcd,
	    0x6b, 0x53, 0x4a, 0xe3, 0x65, 0xa5, 0x3d, 0x81, 0x85, 0xbb, 0xfd,
	    0x7a, 0x4a, 0x4b};
	static const uint8_t expected_a[4] = {0x00, 0x7e, 0x03, 0x05};
	uint8_t hash[SSH_KEX_HASH_BYTES], id[32], key[97];

	for (uint8_t i = 0; i < 32; i++) {
		hash[i] = i;
		id[i] = (uint8_t)(32 + i);
	}
	for (size_t len = 0; len <= 96; len++) {
		memset(key, 0xee, sizeof key);
		assert_int_equal(ssh_kex_derive(k, hash, span_of(id, sizeof id),
				     'C', key, len),
		    0);
		assert_memory_equal(key, expected_c, len);
		assert_int_equal(key[len], 0xee);
	}
	assert_int_equal(
	    ssh_kex_derive(k, hash, span_of(id, sizeof id), 'A', key, 4), 0);
	assert_memory_equal(key, expected_a, 4);
}

#define KEX_TEST(f) cmocka_unit_test_setup_teardown(f, make_bufs, free_bufs)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    KEX_TEST(test_both_sides_of_curve25519_come_to_the_same_secret),
	    KEX_TEST(test_our_share_is_another_one_each_time),
	    KEX_TEST(test_points_that_give_zeroes_are_refused),
	    KEX_TEST(test_a_share_of_any_other_length_is_refused),
	    KEX_TEST(test_no_room_for_the_answer_is_a_failure),
	    KEX_TEST(test_both_sides_of_the_hybrid_come_to_the_same_secret),
	    KEX_TEST(test_a_hybrid_share_that_is_bad_in_either_half_is_refused),
	    KEX_TEST(test_without_ml_kem_the_hybrid_fails_and_the_rest_goes_on),
	    cmocka_unit_test(test_names_are_those_of_the_documents),
	    cmocka_unit_test(
		test_keys_of_any_length_as_rfc_4253_section_7_2_derives_them),
	};

	return cmocka_run_group_tests_name("ssh_kex", tests, NULL, NULL);
}
