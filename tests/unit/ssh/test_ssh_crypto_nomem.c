/*
 * The nth allocation fails, for each n until all succeed: nothing crashes, is
 * lost (the sanitizers see to that), or is let in.
 */

#include "certify.h"
#include "ssh_certificate.h"
#include "ssh_cipher.h"
#include "ssh_host_key.h"
#include "ssh_kex.h"
#include "ssh_key.h"
#include "ssh_sig.h"

#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { NEVER = -1, ROUNDS_MAX = 3000 };

static long left = NEVER; /* allocations before the one that fails */
static bool has_failed;

static bool
is_to_fail(void)
{
	if (left == NEVER || has_failed)
		return false;
	has_failed = left-- == 0;
	return has_failed;
}

static void *
my_malloc(size_t size, const char *file, int line)
{
	return is_to_fail() ? NULL : malloc(size);
}

static void *
my_realloc(void *p, size_t size, const char *file, int line)
{
	return is_to_fail() ? NULL : realloc(p, size);
}

static void
my_free(void *p, const char *file, int line)
{
	free(p);
}

static struct ssh_engine *engine;
static struct ssh_host_key *keys[2];
static struct buf files[2], signatures[2];
static const char *const names[2] = {"ssh-ed25519", "rsa-sha2-512"};

/* That the first key has signed, and one that it has not. */
static struct buf certificates[2];

static int
set_up(void **state)
{
	struct err err = ERR_INIT;
	int result = 0;

	engine = ssh_engine_new(&err);
	assert_non_null(engine);
	for (int i = 0; i < 2; i++) {
		keys[i] =
		    ssh_host_key_generate((enum ssh_host_key_type)i, &err);
		if (keys[i] == NULL)
			return -1;
		buf_init(&files[i], 65536);
		buf_init(&signatures[i], 65536);
		result |= ssh_host_key_encode(keys[i], "", &files[i], &err);
		result |= ssh_host_key_sign(
		    keys[i], names[i], span_of_str("x"), &signatures[i], &err);
	}
	for (int i = 0; i < 2; i++) {
		struct certify what =
		    certify_start("ssh-ed25519-cert-v01@openssh.com",
			ssh_host_key_blob(keys[0]), keys[0], names[0]);

		certify(&what, &certificates[i]);
	}
	certificates[1].mem[certificates[1].tail - 1] ^= 1;
	return result;
}

static int
tear_down(void **state)
{
	buf_fini(&certificates[0]);
	buf_fini(&certificates[1]);
	ssh_engine_free(engine);
	for (int i = 0; i < 2; i++) {
		ssh_host_key_free(keys[i]);
		buf_fini_wipe(&files[i]);
		buf_fini(&signatures[i]);
	}
	return 0;
}

/* What is tried: true where it came out as if memory had been there. */
typedef bool attempt_fn(int key);

static bool
attempt_verify(int key)
{
	struct ssh_key_presence presence;
	enum ssh_key_verdict verdict = ssh_key_verify(span_of_str(names[key]),
	    ssh_host_key_blob(keys[key]), buf_span(&signatures[key]),
	    span_of_str("x"), &presence);

	return verdict == SSH_KEY_GOOD;
}

/* Not even with luck. */
static bool
attempt_verify_wrong(int key)
{
	struct ssh_key_presence presence;

	assert_int_not_equal(
	    ssh_key_verify(span_of_str(names[key]),
		ssh_host_key_blob(keys[key]), buf_span(&signatures[key]),
		span_of_str("y"), &presence),
	    SSH_KEY_GOOD);
	return !has_failed;
}

static bool
is_certified(const struct buf *blob)
{
	struct ssh_certificate certificate;
	bool is_good =
	    ssh_certificate_parse(
		span_of_str("ssh-ed25519-cert-v01@openssh.com"), buf_span(blob),
		&certificate) == SSH_CERTIFICATE_GOOD &&
	    ssh_certificate_verify(&certificate) == SSH_CERTIFICATE_GOOD;

	ssh_certificate_fini(&certificate);
	return is_good;
}

static bool
attempt_certificate(int key)
{
	return is_certified(&certificates[0]);
}

static bool
attempt_forged_certificate(int key)
{
	assert_false(is_certified(&certificates[1]));
	return !has_failed;
}

static bool
attempt_sign(int key)
{
	struct err err = ERR_INIT;
	struct buf signature;
	bool done;

	buf_init(&signature, 4096);
	done = ssh_host_key_sign(keys[key], names[key], span_of_str("x"),
		   &signature, &err) == 0;
	assert_int_equal(done, err.code == ERR_NONE);
	buf_fini(&signature);
	return done;
}

static bool
attempt_sig(int key)
{
	const struct span message = span_of_str("x");
	struct ssh_key_presence presence;
	struct err err = ERR_INIT;
	struct ssh_sig sig;
	struct buf blob;
	bool done;

	buf_init(&blob, SSH_SIG_BLOB_MAX);
	done = ssh_sig_sign(keys[key], "test", message, &blob, &err) == 0;
	assert_int_equal(done, err.code == ERR_NONE);
	done = done && ssh_sig_parse(buf_span(&blob), &sig) == SSH_SIG_GOOD &&
	       ssh_sig_verify(&sig, "test", message, &presence) == SSH_SIG_GOOD;
	buf_fini(&blob);
	return done;
}

static bool
attempt_parse(int key)
{
	struct err err = ERR_INIT;
	struct ssh_host_key *other =
	    ssh_host_key_parse(buf_span(&files[key]), &err);

	assert_int_equal(other != NULL, err.code == ERR_NONE);
	ssh_host_key_free(other);
	return other != NULL;
}

static bool
attempt_encode(int key)
{
	struct err err = ERR_INIT;
	struct buf file;
	bool done;

	buf_init(&file, 65536);
	done = ssh_host_key_encode(keys[key], "", &file, &err) == 0;
	assert_int_equal(done, err.code == ERR_NONE);
	buf_fini_wipe(&file);
	return done;
}

static bool
attempt_reply(int key)
{
	static const uint8_t base[32] = {9};
	struct buf share, secret;
	enum ssh_kex_result result;

	buf_init(&share, 4096);
	buf_init(&secret, 4096);
	result = ssh_kex_reply(engine, SSH_KEX_CURVE25519_SHA256,
	    span_of(base, sizeof base), &share, &secret);
	buf_fini(&share);
	buf_fini_wipe(&secret);
	return result == SSH_KEX_OK;
}

static bool
attempt_derive(int key)
{
	static const uint8_t hash[SSH_KEX_HASH_BYTES];
	const struct span some = span_of(hash, sizeof hash);
	uint8_t out[64];

	return ssh_kex_derive(some, hash, some, 'C', out, sizeof out) == 0;
}

static bool
attempt_engine(int key)
{
	struct err err = ERR_INIT;
	struct ssh_engine *other = ssh_engine_new(&err);

	assert_int_equal(other != NULL, err.code == ERR_NONE);
	ssh_engine_free(other);
	return other != NULL;
}

static void
go_through(attempt_fn *attempt, int key)
{
	long rounds = 0;

	for (;;) {
		bool done;

		has_failed = false;
		left = rounds++;
		done = attempt(key);
		left = NEVER;
		if (!has_failed) {
			assert_true(done);
			break;
		}
		assert_in_range(rounds, 1, ROUNDS_MAX);
	}
	/* At least one allocation was there to fail. */
	assert_in_range(rounds, 2, ROUNDS_MAX);
}

static void
test_signatures_are_verified_or_not_good(void **state)
{
	for (int key = 0; key < 2; key++) {
		go_through(attempt_verify, key);
		go_through(attempt_verify_wrong, key);
	}
}

static void
test_certificates_are_verified_or_not_good(void **state)
{
	go_through(attempt_certificate, 0);
	go_through(attempt_forged_certificate, 0);
}

static void
test_signatures_are_made_or_not(void **state)
{
	for (int key = 0; key < 2; key++)
		go_through(attempt_sign, key);
	for (int key = 0; key < 2; key++)
		go_through(attempt_sig, key);
}

static void
test_key_files_are_read_or_not(void **state)
{
	for (int key = 0; key < 2; key++)
		go_through(attempt_parse, key);
}

static void
test_key_files_are_written_or_not(void **state)
{
	go_through(attempt_encode, SSH_HOST_KEY_RSA);
}

static void
test_keys_are_exchanged_or_not(void **state)
{
	go_through(attempt_reply, 0);
	go_through(attempt_derive, 0);
}

static void
test_an_engine_is_there_or_not(void **state)
{
	go_through(attempt_engine, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_signatures_are_verified_or_not_good),
	    cmocka_unit_test(test_certificates_are_verified_or_not_good),
	    cmocka_unit_test(test_signatures_are_made_or_not),
	    cmocka_unit_test(test_key_files_are_read_or_not),
	    cmocka_unit_test(test_key_files_are_written_or_not),
	    cmocka_unit_test(test_keys_are_exchanged_or_not),
	    cmocka_unit_test(test_an_engine_is_there_or_not),
	};

	/* Before libcrypto has allocated anything. */
	if (CRYPTO_set_mem_functions(my_malloc, my_realloc, my_free) != 1)
		return 1;
	return cmocka_run_group_tests_name(
	    "ssh_crypto_nomem", tests, set_up, tear_down);
}
