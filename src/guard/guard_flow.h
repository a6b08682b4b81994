#ifndef KAYA_GUARD_FLOW_H
#define KAYA_GUARD_FLOW_H

/*
 * guard_flow: one MQTT connection of a local client of the actuator's, as the
 * guard lets it be.
 *
 *	local client ---- everything; subscriptions are noted ----> broker
 *	             <--- all but what is protected, and what two
 *	                  have signed, put in by the guard ---------
 *
 * A PUBLISH that is protected goes no further, whoever sent it, and is
 * acknowledged to the broker in the client's place; one of the safe state goes
 * on as it came.  Topic aliases are followed.
 *
 * Pure.  Both directions may be cut anywhere.
 */

#include "access_alias.h"
#include "access_ids.h"
#include "guard_rules.h"

struct guard_flow_events {
	/* Append to what goes there.  False: no memory; the end. */
	bool (*to_broker)(void *arg, struct span bytes);
	bool (*to_client)(void *arg, struct span bytes);
	/* A protected PUBLISH was kept back. */
	void (*dropped)(
	    void *arg, const struct guard_rule *rule, struct span topic);
	/* One of the safe state goes to the client. */
	void (*stopped)(
	    void *arg, const struct guard_rule *rule, struct span topic);
	void *arg;
};

struct guard_flow;

/*
 * NULL where memory fails.  `rules` are borrowed; NULL for a connection of the
 * guard's own: nothing is protected there, and what is larger than a message
 * to a guard, or comes at QoS 2, goes no further, so that a client library
 * need not keep it.
 */
struct guard_flow *guard_flow_new(
    const struct guard_rules *rules, const struct guard_flow_events *events);
void guard_flow_free(struct guard_flow *flow); /* NULL is fine */

/* Other rules hold from now on. */
void guard_flow_change(
    struct guard_flow *flow, const struct guard_rules *rules);

/*
 * Bytes of the client's, of the broker's.  False where the connection is to be
 * ended: `*why` says so, for a person.
 */
bool guard_flow_from_client(
    struct guard_flow *flow, struct span bytes, const char **why);
bool guard_flow_from_broker(
    struct guard_flow *flow, struct span bytes, const char **why);

/*
 * Whether the client is connected and subscribed to the topic.  `*share` is
 * the group by which alone it is (MQTT 5.0 section 4.8.2), else empty.
 */
bool guard_flow_hears(
    const struct guard_flow *flow, struct span topic, struct span *share);

enum guard_flow_result {
	GUARD_FLOW_GIVEN,
	GUARD_FLOW_LATER, /* a packet of the broker's is under way */
	GUARD_FLOW_NOT /* not connected, it takes none so large, or no memory */
};

/* Put in a message for the client, at QoS 0 and not retained. */
enum guard_flow_result guard_flow_give(
    struct guard_flow *flow, struct span topic, struct span payload);

#endif
