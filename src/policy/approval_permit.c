#include "approval_private.h"

static void
end(struct approval_table *table, struct approval_permit *permit,
    enum approval_cause cause)
{
	table->events.permit(table->events.arg, permit, cause);
	*permit = (struct approval_permit){.rule = NULL};
	table->permit_count--;
}

/* The one that this identity has given by this connection, or a free place. */
static struct approval_permit *
place_for(struct approval_table *table, const struct policy_approval *rule,
    struct span giver, const struct approval_owner *owner)
{
	struct approval_permit *free_place = NULL;

	for (size_t i = 0; i < APPROVAL_PERMITS_MAX; i++) {
		struct approval_permit *permit = &table->permits[i];

		if (permit->rule == NULL) {
			if (free_place == NULL)
				free_place = permit;
		} else if (permit->rule == rule &&
			   span_is(giver, permit->giver) &&
			   approval_is_of(&permit->owner, owner)) {
			return permit;
		}
	}
	return free_place;
}

enum approval_cause
approval_permit(struct approval_table *table,
    const struct policy_approval *rule, const struct policy_who *who,
    const struct approval_owner *owner, uint64_t now_ms)
{
	struct approval_permit *permit;
	bool is_new;

	if (rule->mode != POLICY_PERMISSIVE)
		return APPROVAL_INCONSISTENT;
	if (!policy_approval_has(who, rule, POLICY_PART_BY))
		return APPROVAL_NO_ACCESS;
	permit = place_for(table, rule, who->names.identity, owner);
	if (permit == NULL)
		return APPROVAL_TABLE_FULL;
	is_new = permit->rule == NULL;
	if (is_new) {
		*permit =
		    (struct approval_permit){.rule = rule, .owner = *owner};
		(void)span_to_str(
		    who->names.identity, permit->giver, sizeof permit->giver);
		table->permit_count++;
	}
	permit->until_ms = now_ms + rule->within_ms;
	if (is_new)
		table->events.permit(table->events.arg, permit, APPROVAL_NONE);
	return APPROVAL_NONE;
}

void
approval_take_back(
    struct approval_table *table, const struct policy_approval *rule)
{
	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++)
		if (table->permits[i].rule == rule)
			end(table, &table->permits[i], APPROVAL_CANCELLED);
}

const struct approval_permit *
approval_find_permit(const struct approval_table *table,
    const struct policy_approval *rule, const char *publisher, uint64_t now_ms)
{
	const struct approval_permit *best = NULL;

	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++) {
		const struct approval_permit *permit = &table->permits[i];

		if (permit->rule != rule || now_ms >= permit->until_ms ||
		    strcmp(permit->giver, publisher) == 0)
			continue;
		if (best == NULL || permit->until_ms > best->until_ms)
			best = permit;
	}
	return best;
}

void
approval_permits_lose(
    struct approval_table *table, const struct approval_owner *owner)
{
	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++)
		if (table->permits[i].rule != NULL &&
		    approval_is_of(&table->permits[i].owner, owner))
			end(table, &table->permits[i], APPROVAL_LINK_LOST);
}

void
approval_permits_revoke(struct approval_table *table, enum approval_cause cause)
{
	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++)
		if (table->permits[i].rule != NULL)
			end(table, &table->permits[i], cause);
}

void
approval_permits_on_time(struct approval_table *table, uint64_t now_ms)
{
	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++)
		if (table->permits[i].rule != NULL &&
		    now_ms >= table->permits[i].until_ms)
			end(table, &table->permits[i], APPROVAL_TIME_LIMIT);
}

uint64_t
approval_permits_due_ms(const struct approval_table *table)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; table->permit_count > 0 && i < APPROVAL_PERMITS_MAX;
	     i++)
		if (table->permits[i].rule != NULL &&
		    table->permits[i].until_ms < due)
			due = table->permits[i].until_ms;
	return due;
}
