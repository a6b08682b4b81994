#include "policy_rate.h"

/*
 * A message weighs as many parts as the interval has milliseconds, and each
 * millisecond brings `rate` parts: no fractions, no drift.
 */
static uint64_t
filled(const struct policy_rate *rate, const struct policy_who *who,
    uint64_t now_ms)
{
	uint64_t cap = who->rate * who->rate_interval_ms, passed = 0, more;

	if (!rate->is_begun)
		return cap;
	if (now_ms > rate->at_ms)
		passed = now_ms - rate->at_ms;
	if (passed >= who->rate_interval_ms)
		return cap;
	more = rate->left + passed * who->rate;
	return more < cap ? more : cap;
}

bool
policy_rate_take(
    struct policy_rate *rate, const struct policy_who *who, uint64_t now_ms)
{
	uint64_t left;

	if (who->rate == 0)
		return true;
	left = filled(rate, who, now_ms);
	if (!rate->is_begun || now_ms > rate->at_ms)
		rate->at_ms = now_ms;
	rate->is_begun = true;
	rate->left = left;
	if (left < who->rate_interval_ms)
		return false;
	rate->left = left - who->rate_interval_ms;
	return true;
}

uint64_t
policy_rate_wait_ms(const struct policy_rate *rate,
    const struct policy_who *who, uint64_t now_ms)
{
	uint64_t left;

	if (who->rate == 0)
		return 0;
	left = filled(rate, who, now_ms);
	if (left >= who->rate_interval_ms)
		return 0;
	return (who->rate_interval_ms - left + who->rate - 1) / who->rate;
}
