#include "idle_plan.h"

size_t
idle_plan(uint64_t total_ms, uint64_t steps_ms[IDLE_STEPS_MAX])
{
	uint64_t down[IDLE_STEPS_MAX];
	size_t count = 0;

	while (count < IDLE_STEPS_MAX &&
	       (count == 0 || total_ms >= IDLE_LEAST_MS)) {
		down[count++] = total_ms;
		total_ms = total_ms * 5 / 7;
	}
	for (size_t i = 0; i < count; i++)
		steps_ms[i] = down[count - 1 - i];
	return count;
}

void
idle_judge(const uint64_t *steps_ms, const enum idle_end *ends, size_t count,
    struct idle_verdict *verdict)
{
	*verdict = (struct idle_verdict){0};
	for (size_t i = 0; i < count; i++)
		if (ends[i] == IDLE_DIED &&
		    (verdict->died_ms == 0 || steps_ms[i] < verdict->died_ms))
			verdict->died_ms = steps_ms[i];
	for (size_t i = 0; i < count; i++)
		if (ends[i] == IDLE_LIVED &&
		    (verdict->died_ms == 0 || steps_ms[i] < verdict->died_ms) &&
		    steps_ms[i] > verdict->lived_ms)
			verdict->lived_ms = steps_ms[i];
	if (verdict->died_ms == 0)
		return;
	/* Some room for clocks, and for one keepalive that is late. */
	verdict->keepalive_s = verdict->lived_ms > 0
				   ? verdict->lived_ms * 3 / 4 / 1000
				   : verdict->died_ms / 2 / 1000;
	if (verdict->keepalive_s == 0)
		verdict->keepalive_s = 1;
}
