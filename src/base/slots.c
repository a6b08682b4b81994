#include "slots.h"

#include <stdlib.h>

void
slots_fini(struct slots *slots)
{
	free(slots->slots);
	*slots = (struct slots){0};
}

uint64_t
slots_add(struct slots *slots, void *thing)
{
	uint32_t index;
	struct slot *slot;

	if (slots->first_free != 0) {
		index = slots->first_free - 1;
		slots->first_free = slots->slots[index].next_free;
	} else {
		if (slots->count == slots->cap) {
			uint32_t cap = slots->cap == 0 ? 64 : slots->cap * 2;
			void *grown =
			    realloc(slots->slots, cap * sizeof slots->slots[0]);

			if (grown == NULL)
				return 0;
			slots->slots = grown;
			slots->cap = cap;
		}
		index = slots->count++;
		slots->slots[index].generation = 0;
	}
	slot = &slots->slots[index];
	slot->thing = thing;
	slot->generation++;
	return (uint64_t)slot->generation << 32 | (uint64_t)(index + 1);
}

static struct slot *
slot_of(const struct slots *slots, uint64_t ticket)
{
	uint32_t index = (uint32_t)ticket - 1;
	struct slot *slot;

	if (index >= slots->count)
		return NULL;
	slot = &slots->slots[index];
	if (slot->thing == NULL || slot->generation != ticket >> 32)
		return NULL;
	return slot;
}

void *
slots_find(const struct slots *slots, uint64_t ticket)
{
	const struct slot *slot = slot_of(slots, ticket);

	return slot == NULL ? NULL : slot->thing;
}

void
slots_remove(struct slots *slots, uint64_t ticket)
{
	struct slot *slot = slot_of(slots, ticket);

	if (slot == NULL)
		return;
	slot->thing = NULL;
	slot->next_free = slots->first_free;
	slots->first_free = (uint32_t)(slot - slots->slots) + 1;
}
