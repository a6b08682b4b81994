#ifndef KAYA_APPROVAL_PRIVATE_H
#define KAYA_APPROVAL_PRIVATE_H

/*
 * approval_private: the tables.  For approval's own files alone.
 *
 *	approval         words, states, what ends a command
 *	approval_ask     how one begins
 *	approval_permit  permits of permissive rules
 */

#include "approval.h"

struct approval_table {
	struct approval_events events;
	struct approval_command commands[APPROVAL_COMMANDS_MAX];
	size_t count; /* not FREE */
	struct approval_permit permits[APPROVAL_PERMITS_MAX];
	size_t permit_count;
};

/* ---- approval.c ---- */

/* The command of that id, in any state but FREE; NULL: none. */
struct approval_command *approval_find(
    struct approval_table *table, struct span id);

bool approval_record(struct approval_table *table,
    const struct approval_command *command,
    const struct approval_change *change);

/* The one setter of a state. */
void approval_set_state(
    struct approval_command *command, enum approval_state next);

/* Its end was told, or nobody knew of it: the place is free. */
void approval_put_free(
    struct approval_table *table, struct approval_command *command);

/*
 * The only way out of HELD towards the broker: `by` has agreed (or, at a
 * break-glass, nobody had to), in time, and the audit knows it.  NONE, or why
 * not, and it is HELD still.
 */
enum approval_cause approval_release(struct approval_table *table,
    struct approval_command *command, const char *by, uint64_t now_ms);

/* ---- approval_permit.c ---- */

/* A permit of the rule that another identity has given, or NULL. */
const struct approval_permit *approval_find_permit(
    const struct approval_table *table, const struct policy_approval *rule,
    const char *publisher, uint64_t now_ms);

/* Those of a connection; all; those whose time is over. */
void approval_permits_lose(
    struct approval_table *table, const struct approval_owner *owner);
void approval_permits_revoke(
    struct approval_table *table, enum approval_cause cause);
void approval_permits_on_time(struct approval_table *table, uint64_t now_ms);
uint64_t approval_permits_due_ms(const struct approval_table *table);

static inline bool
approval_is_of(const struct approval_owner *a, const struct approval_owner *b)
{
	return a->desk == b->desk && a->ticket == b->ticket;
}

#endif
