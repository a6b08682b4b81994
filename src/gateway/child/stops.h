#ifndef KAYA_STOPS_H
#define KAYA_STOPS_H

/*
 * stops: what is held, by topic, over all threads; so that a safe state that
 * passes in one thread overtakes an older command that another one is about to
 * let go.
 *
 * The parent hears of the stop too late for that: it may be waiting for the
 * disk, with the agreement in its hands.
 */

#include "span.h"

struct stops;

/* NULL where memory fails. */
struct stops *stops_new(void);

/* Everything must have left.  NULL is fine. */
void stops_free(struct stops *stops);

/* Lives in what is held; all zeroes: not in. */
struct stops_node {
	struct stops_node *next;
	struct stops_node **link;
	struct span topic; /* the owner's; it stays while it is in */
	bool is_stopped;
};

/* From any thread. */
void stops_enter(struct stops *stops, struct stops_node *node);
/* The same; nothing where it is not in. */
void stops_leave(struct stops *stops, struct stops_node *node);

/*
 * A safe state of the topic is about to go to a broker: whatever is held for
 * it now must not follow.  How many that are, that were not stopped before.
 */
size_t stops_hit(struct stops *stops, struct span topic);

/* Whether one came since it entered. */
bool stops_is_stopped(struct stops *stops, const struct stops_node *node);

#endif
