#ifndef KAYA_SLOTS_H
#define KAYA_SLOTS_H

/*
 * slots: tickets for things that may be gone when their answer comes.
 *
 * A ticket is an index and a generation, so that an answer to a question of
 * one that has ended never reaches the one that has its place now.
 */

#include <stddef.h>
#include <stdint.h>

struct slot {
	void *thing; /* NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

/* All zeroes is an empty table. */
struct slots {
	struct slot *slots;
	uint32_t count; /* ever used */
	uint32_t cap;
	uint32_t first_free; /* index + 1; 0: none */
};

void slots_fini(struct slots *slots);

/* A ticket for `thing` (not NULL), never 0; 0 where memory fails. */
uint64_t slots_add(struct slots *slots, void *thing);

/* The thing, or NULL where it has been removed. */
void *slots_find(const struct slots *slots, uint64_t ticket);

void slots_remove(struct slots *slots, uint64_t ticket);

#endif
