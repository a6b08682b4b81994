#ifndef KAYA_ACCESS_H
#define KAYA_ACCESS_H

/*
 * access: one MQTT connection under a policy.
 *
 *	client --- PUBLISH, SUBSCRIBE, will and client id judged ---> broker
 *	       <------------- each PUBLISH judged --------------------
 *
 * It stands behind the two walks of the connection (mqtt_walk.h) and takes
 * the packets that they give out.  What is refused goes no further, and is
 * answered in the other side's place:
 *
 *	PUBLISH     QoS 0: nothing.  1: PUBACK, 2: PUBREC, with a reason code
 *	            of 5.0; before 5.0 they can only say yes, and the client
 *	            is not made to send it for ever (3.1.1 section 3.3.5.2)
 *	SUBSCRIBE   the filters that are refused are taken out, and their codes
 *	            put into the SUBACK at their place
 *	a PUBLISH to the client: acknowledged to the broker
 *	CONNECT     the caller answers with the code that access_connect gives
 *
 * Acknowledgements come in the order of what they answer (MQTT-4.6.0-2, -3),
 * whoever gives them.  Topic aliases (5.0 section 3.3.2.3.4) are followed both
 * ways, and written out again where the side that would have learned one was
 * not given the packet.
 *
 * Pure: no I/O, no time, no threads.  An idle connection owns nothing but the
 * struct itself.
 */

#include "mqtt_connect.h"
#include "mqtt_walk.h"
#include "policy.h"
#include "policy_rate.h"

struct access;

struct access_refusal {
	enum policy_action action;
	enum policy_verdict verdict; /* ALLOWED: too many messages */
	const struct policy_rule *why; /* NULL: none */
	struct span topic; /* or filter; good during the call */
	uint8_t qos;
};

struct access_events {
	/* Append to what goes there.  False: no memory; the end. */
	bool (*to_broker)(void *arg, struct span bytes);
	bool (*to_client)(void *arg, struct span bytes);
	void (*refused)(void *arg, const struct access_refusal *refusal);
	/* Passed, but not because a rule permits it: break-glass. */
	void (*shouted)(void *arg, const struct access_refusal *passed);
	void *arg;
};

struct access_options {
	const struct policy *policy; /* has to outlive its use here */
	struct span identity, role; /* copied */
	struct policy_rate *rate; /* the caller's; NULL: none is counted */
	struct access_events events;
};

/* NULL where memory fails. */
struct access *access_new(const struct access_options *options);
void access_free(struct access *access); /* NULL is fine */

/*
 * The client's CONNECT: 0, or the reason code of 5.0 to refuse it with, and
 * `*text` why, for a person.
 */
uint8_t access_connect(struct access *access,
    const struct mqtt_connect *connect,
    const struct policy_identities *identities, const char **text);

/*
 * Another policy is in force from now on.  False where the client may not have
 * its client id any more: end the connection.  What it subscribed to remains,
 * and is held back packet by packet where it may not be read.
 */
bool access_change(struct access *access, const struct policy *policy,
    const struct policy_identities *identities);

/* Whether that is the role that it was given at the start. */
bool access_is_of_role(const struct access *access, struct span role);

/* What the walks are to give out, after each packet anew. */
uint16_t access_client_mask(const struct access *access);
uint16_t access_broker_mask(const struct access *access);

enum access_result {
	ACCESS_DONE,
	ACCESS_SKIP, /* a HEAD's payload has to be skipped (mqtt_walk_skip) */
	ACCESS_NO_MEMORY,
	/* A client's alias stands for nothing, or they are too many (5.0
	 * section 3.3.4, 0x94): end it. */
	ACCESS_BAD_ALIAS
};

/*
 * A PACKET or HEAD (`result`) of the client's, of the broker's: of any type but
 * CONNECT.  Whatever it leads to has been given to the events when this
 * returns, or waits for access_settle.
 */
enum access_result access_from_client(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item,
    uint64_t now_ms);
enum access_result access_from_broker(struct access *access,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item);

/*
 * Give out packets of our own, into each direction whose walk stands between
 * two frames; to be called when all bytes that came were walked.  False: no
 * memory.
 */
bool access_settle(struct access *access, const struct mqtt_walk *from_client,
    const struct mqtt_walk *from_broker);

/* Whether nothing of our own waits, nor is any answer still to be put in. */
bool access_is_quiet(const struct access *access);

#endif
