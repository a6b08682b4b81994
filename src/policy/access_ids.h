#ifndef KAYA_ACCESS_IDS_H
#define KAYA_ACCESS_IDS_H

/* access_ids: sets of packet ids. */

#include <stdbool.h>
#include <stdint.h>

/* All zero is empty, and owns nothing. */
struct access_ids {
	uint64_t *bits;
	uint32_t count;
};

/* False where memory fails. */
bool access_ids_add(struct access_ids *ids, uint16_t packet_id);

/* Whether it was in the set; it is not any more. */
bool access_ids_take(struct access_ids *ids, uint16_t packet_id);

void access_ids_fini(struct access_ids *ids);

#endif
