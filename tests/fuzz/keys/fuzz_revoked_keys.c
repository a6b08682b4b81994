/*
 * Any bytes as a file of revoked keys: it is a list, or a fault with cause and
 * remedy; and a list answers each question the same way each time, however its
 * rows lie.
 */

#include "revoked_keys.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

/* Serials from 0 up are revoked or not; a revoked one needs a range. */
static void
ask(const struct revoked_keys *revoked)
{
	struct revoked_keys_stats stats = revoked_keys_stats(revoked);
	struct revoked_certificate certificate = {.key_id = span_of_str("id")};
	bool has_id = revoked_keys_has_certificate(revoked, &certificate);

	/* By its key, which is all zeroes, or by its id: no serial is 0. */
	MUST(!has_id || stats.keys + stats.key_ids > 0);
	for (certificate.serial = 1; certificate.serial < 300;
	     certificate.serial++)
		MUST(!revoked_keys_has_certificate(revoked, &certificate) ||
		     has_id || stats.ranges > 0);
	certificate.serial = UINT64_MAX;
	MUST(!revoked_keys_has_certificate(revoked, &certificate) || has_id ||
	     stats.ranges > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf_fault fault;
	struct revoked_keys *revoked =
	    revoked_keys_new("f", span_of(data, size), &fault);

	if (revoked == NULL) {
		MUST(fault.err.code != ERR_NONE);
		MUST(fault.err.what[0] != '\0' && fault.err.hint[0] != '\0');
		return 0;
	}
	ask(revoked);
	revoked_keys_free(revoked);
	return 0;
}
