#ifndef KAYA_GUARD_LOCAL_H
#define KAYA_GUARD_LOCAL_H

/*
 * guard_local: the local clients of a tunnel with a guard: between each of
 * them and its channel stands a guard_flow.
 *
 *	local client <-> guard_flow <-> a socket pair <-> carry
 */

#include "guard_flow.h"
#include "loop.h"

struct guard_locals;

struct guard_locals_events {
	void (*dropped)(
	    void *arg, const struct guard_rule *rule, struct span topic);
	void (*stopped)(
	    void *arg, const struct guard_rule *rule, struct span topic);
	void *arg;
};

/* NULL where memory fails. */
struct guard_locals *guard_locals_new(struct loop *loop,
    const struct guard_rules *rules, const struct guard_locals_events *events);
void guard_locals_free(struct guard_locals *locals); /* NULL is fine */

/* Other rules hold from now on. */
void guard_locals_change(
    struct guard_locals *locals, const struct guard_rules *rules);

/*
 * Take the local client's socket, and give the one that is to be carried in
 * its place.  -1, and `fd` closed, where that fails.
 */
int guard_locals_take(struct guard_locals *locals, int fd);

/* The same of the guard's own connection: see guard_flow_new. */
int guard_locals_take_own(struct guard_locals *locals, int fd);

struct guard_given {
	size_t clients; /* that were given it now */
	bool is_late; /* another has to be given it yet: call again */
};

/*
 * Give a message to each client (of those that share a subscription, one) that
 * is subscribed to the topic and was not
 * given the message of that `number` (not 0) before.  A client that has not
 * read all that came before (unread.h), or that is amid a packet, waits.
 */
struct guard_given guard_locals_give(struct guard_locals *locals,
    uint64_t number, struct span topic, struct span payload);

#endif
