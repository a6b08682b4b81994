/*
 * Any bytes as an allowed_signers file.  It is taken, or its faults are told
 * with place and remedy and nothing is kept; whoever is found is the one who
 * was asked for.
 */

#include "allowed_signers.h"
#include "keys_pattern.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
on_fault(const struct err *fault, void *arg)
{
	if (fault->what[0] == '\0' || fault->where[0] == '\0' ||
	    fault->hint[0] == '\0')
		abort();
	++*(size_t *)arg;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct allowed_signer *signer;
	struct allowed_signers signers;
	size_t faults = 0;
	int result;

	result = allowed_signers_parse(
	    &signers, span_of(data, size), "signers", on_fault, &faults);
	if ((result == 0) != (faults == 0) ||
	    (result != 0 && signers.count > 0))
		abort();
	for (size_t i = 0; i < signers.count; i++) {
		struct span key = signers.list[i].key;
		enum allowed_signers_result found = allowed_signers_find(
		    &signers, key, "kaya-command", 1700000000, &signer);

		if ((found == ALLOWED_SIGNERS_FOUND) != (signer != NULL) ||
		    (signer != NULL && (signer->is_authority ||
					   !span_equal(signer->key, key))))
			abort();
		keys_pattern_list(
		    span_of_str("ann"), signers.list[i].principals);
	}
	allowed_signers_fini(&signers);
	return 0;
}
