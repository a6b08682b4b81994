#include "sha256.h"

#include <openssl/evp.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void
test_the_digest_that_fips_180_shows(void **state)
{
	static const uint8_t abc[SHA256_BYTES] = {0xba, 0x78, 0x16, 0xbf, 0x8f,
	    0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
	    0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff,
	    0x61, 0xf2, 0x00, 0x15, 0xad};
	uint8_t digest[SHA256_BYTES] = {0};

	assert_int_equal(sha256_of(span_of_str("abc"), digest), 0);
	assert_memory_equal(digest, abc, sizeof abc);
	memset(digest, 0, sizeof digest);
	sha256_or_abort(span_of_str("abc"), digest);
	assert_memory_equal(digest, abc, sizeof abc);
}

static void
test_it_is_asked_for_once(void **state)
{
	assert_non_null(sha256_md());
	assert_ptr_equal(sha256_md(), sha256_md());
	assert_ptr_not_equal(sha256_md(), EVP_sha256());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_digest_that_fips_180_shows),
	    cmocka_unit_test(test_it_is_asked_for_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
