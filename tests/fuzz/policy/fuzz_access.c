/*
 * A client and a broker with an access between them: what goes out is what
 * came in, minus what was refused, and no packet id is lost or doubled; see
 * access_world.h.  The first byte says whether the two keep to the standard.
 */

#include "access_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct access_world_count count = {0};
	struct span script;

	if (size == 0)
		return 0;
	script = span_of(data + 1, size - 1);
	if ((data[0] & 1) == 0)
		access_world_run(script, &count);
	else
		access_world_run_hostile(script);
	return 0;
}
