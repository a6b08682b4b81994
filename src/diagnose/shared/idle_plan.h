#ifndef KAYA_IDLE_PLAN_H
#define KAYA_IDLE_PLAN_H

/*
 * idle_plan: for how long links idle, to find out when the network forgets
 * them, and which keepalive follows from that.
 *
 * Each step is a connection of its own, and all idle at the same time: so the
 * whole takes no longer than the longest.
 */

#include <stdint.h>
#include <stddef.h>

enum { IDLE_STEPS_MAX = 12, IDLE_LEAST_MS = 1000 };

/*
 * Steps from short to long, each about 1.4 times the one before, the last one
 * `total_ms`; none below IDLE_LEAST_MS.  How many.
 */
size_t idle_plan(uint64_t total_ms, uint64_t steps_ms[IDLE_STEPS_MAX]);

enum idle_end { IDLE_NOT_TRIED, IDLE_LIVED, IDLE_DIED };

struct idle_verdict {
	uint64_t lived_ms; /* the longest that lived below `died_ms`; or 0 */
	uint64_t died_ms; /* the shortest that died; 0: none did */
	uint64_t keepalive_s; /* what keeps a link alive; 0: nothing needed */
};

void idle_judge(const uint64_t *steps_ms, const enum idle_end *ends,
    size_t count, struct idle_verdict *verdict);

#endif
