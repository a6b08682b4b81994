#include "retry.h"

uint64_t
retry_after_failure(struct retry *retry, uint64_t lived_ms, uint64_t random)
{
	uint64_t bound = RETRY_FIRST_MS;

	if (lived_ms >= RETRY_STEADY_MS)
		retry->failures = 0;
	for (unsigned i = 0; i < retry->failures && bound < RETRY_LAST_MS; i++)
		bound *= 2;
	if (bound > RETRY_LAST_MS)
		bound = RETRY_LAST_MS;
	retry->failures++;
	return random % (bound + 1);
}
