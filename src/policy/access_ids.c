#include "access_ids.h"

#include <stdlib.h>

enum { IDS = UINT16_MAX + 1 };

bool
access_ids_add(struct access_ids *ids, uint16_t packet_id)
{
	uint64_t bit = (uint64_t)1 << (packet_id & 63);

	if (ids->bits == NULL)
		ids->bits = calloc(IDS / 64, sizeof *ids->bits);
	if (ids->bits == NULL)
		return false;
	ids->count += (ids->bits[packet_id >> 6] & bit) == 0;
	ids->bits[packet_id >> 6] |= bit;
	return true;
}

bool
access_ids_take(struct access_ids *ids, uint16_t packet_id)
{
	uint64_t bit = (uint64_t)1 << (packet_id & 63);

	if (ids->bits == NULL || (ids->bits[packet_id >> 6] & bit) == 0)
		return false;
	ids->bits[packet_id >> 6] &= ~bit;
	if (--ids->count == 0)
		access_ids_fini(ids);
	return true;
}

void
access_ids_fini(struct access_ids *ids)
{
	free(ids->bits);
	*ids = (struct access_ids){0};
}
