#ifndef KAYA_WHEEL_H
#define KAYA_WHEEL_H

/*
 * wheel: very many coarse deadlines at next to no cost.
 *
 * A node stands in the slot of its deadline; setting and clearing one is a
 * few pointers.  Deadlines are met late by up to WHEEL_TICK_MS, never early.
 * Time is an argument; who turns the wheel is the caller's business.
 */

#include <stddef.h>
#include <stdint.h>

enum { WHEEL_SLOTS = 512, WHEEL_TICK_MS = 100 };

/* Lives in what it is for; all zeroes means "no deadline". */
struct wheel_node {
	struct wheel_node *next;
	struct wheel_node **link; /* what points to us */
	uint64_t deadline_ms;
};

struct wheel {
	struct wheel_node *slots[WHEEL_SLOTS];
	struct wheel_node *due; /* found due, not yet handed out */
	uint64_t turned_to; /* ticks */
	size_t count;
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);

/* Set, or move, a node's deadline.  UINT64_MAX clears it. */
void wheel_set(
    struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ms);

/* Nothing where it has none. */
void wheel_clear(struct wheel *wheel, struct wheel_node *node);

/*
 * A node whose deadline has passed, now without one; NULL where there is no
 * more.  To be called until NULL.  Between calls nodes may be set, cleared
 * and freed at will.
 */
struct wheel_node *wheel_next_due(struct wheel *wheel, uint64_t now_ms);

/*
 * When to call wheel_next_due next: not later than the first deadline can be
 * met, and rarely earlier.  UINT64_MAX where there is none.
 */
uint64_t wheel_wake_ms(const struct wheel *wheel);

/* The first moment at which a deadline is met. */
static inline uint64_t
wheel_met_ms(uint64_t deadline_ms)
{
	return (deadline_ms / WHEEL_TICK_MS + 1) * WHEEL_TICK_MS;
}

#endif
