#include "penalty.h"

enum {
	HALF_LIFE_S = 60,
	FIRST_MS = 100, /* doubled with each further refusal */
	SOURCE_FACTOR = 4, /* keys are many in a house, and few in a device */
};

enum change { ONE_MORE, ONE_LESS };

static uint32_t
count(_Atomic uint64_t *cell, uint64_t now_ms, enum change change)
{
	uint64_t was = atomic_load_explicit(cell, memory_order_relaxed);
	uint32_t counted = (uint32_t)was;
	uint32_t now_s = (uint32_t)(now_ms / 1000);
	uint32_t since_s = (uint32_t)(was >> 32);
	uint32_t halvings = (now_s - since_s) / HALF_LIFE_S;

	counted = halvings < 32 ? counted >> halvings : 0;
	since_s = counted == 0 ? now_s : since_s + halvings * HALF_LIFE_S;
	if (change == ONE_MORE && counted < UINT32_MAX)
		counted++;
	else if (change == ONE_LESS && counted > 0)
		counted--;
	atomic_store_explicit(
	    cell, (uint64_t)since_s << 32 | counted, memory_order_relaxed);
	return counted;
}

static uint64_t
delay(uint32_t counted, uint64_t free, uint64_t max_ms)
{
	uint64_t over = counted > free ? counted - free : 0;
	uint64_t ms;

	if (over == 0)
		return 0;
	ms = over > 20 ? max_ms : (uint64_t)FIRST_MS << (over - 1);
	return ms < max_ms ? ms : max_ms;
}

static _Atomic uint64_t *
pair_of(struct penalty *penalty, const struct penalty_refusal *refusal)
{
	uint64_t bits = (refusal->key ^ refusal->source) * 0x9e3779b97f4a7c15u;

	return &penalty->pairs[bits >> 52];
}

static _Atomic uint64_t *
source_of(struct penalty *penalty, const struct penalty_refusal *refusal)
{
	return &penalty->sources[refusal->source % PENALTY_CELLS];
}

uint64_t
penalty_count(struct penalty *penalty, const struct penalty_refusal *refusal)
{
	uint64_t of_pair, of_source;

	of_pair =
	    delay(count(pair_of(penalty, refusal), refusal->now_ms, ONE_MORE),
		refusal->free, refusal->max_ms);
	of_source =
	    delay(count(source_of(penalty, refusal), refusal->now_ms, ONE_MORE),
		(uint64_t)SOURCE_FACTOR * refusal->free, refusal->max_ms);
	return of_pair > of_source ? of_pair : of_source;
}

void
penalty_forgive(struct penalty *penalty, const struct penalty_refusal *refusal)
{
	count(pair_of(penalty, refusal), refusal->now_ms, ONE_LESS);
	count(source_of(penalty, refusal), refusal->now_ms, ONE_LESS);
}
