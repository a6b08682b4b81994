#ifndef KAYA_PARENT_PEERS_H
#define KAYA_PARENT_PEERS_H

/*
 * parent_peers: the parent's side of peers.h: what others hold is shown and
 * decided on here as if it were held here, and the other way round.
 *
 * Everything takes a parent that has no peers: then there is nothing to do.
 */

#include "parent_approval.h"
#include "peers.h"

/*
 * Settings are in force, for the first time or anew: begin, go on, or begin
 * again where `is_changed` (the brokers are others) or the gateways are.
 */
void parent_peers_in_force(struct parent *parent, bool is_changed);
void parent_peers_end(struct parent *parent);

/* MONITOR_PEERS_*; false where it is about something else. */
bool parent_peers_on_desk(
    struct desk *desk, const struct monitor_message *message);

/* What the table tells, and a safe state that passes. */
void parent_peers_on_held(
    struct parent *parent, const struct approval_command *command);
void parent_peers_on_ended(
    struct parent *parent, const struct approval_command *command);
void parent_peers_on_stop(struct parent *parent, struct span topic);

/*
 * A word on what another gateway may hold.  False: none does.  Else the waiter
 * is told, now or later; of `waiter` the id is not looked at.
 */
bool parent_peers_judge(struct parent *parent,
    const struct approval_judgement *judgement,
    const struct approval_waiter *waiter);

/* What others hold and `who` has to do with; `sees_all`: all of it.  As members
 * of an array, each behind a comma but where `is_first`. */
void parent_peers_put_pending(const struct parent *parent,
    const struct policy_who *who, bool sees_all, bool is_first,
    struct buf *json);

/* The member "peers" for status: null without. */
void parent_peers_put_status(const struct parent *parent, struct buf *json);

#endif
