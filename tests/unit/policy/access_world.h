#ifndef KAYA_TEST_ACCESS_WORLD_H
#define KAYA_TEST_ACCESS_WORLD_H

/*
 * access_world: a client and a broker that keep to the standard, an access
 * between them, and somebody who knows what has to come out of it.
 *
 *	client --wire--> mqtt_walk --> access --> mqtt_walk --> broker
 *	       <-------- mqtt_walk <-- access <-- mqtt_walk <--wire--
 *
 * A script, any bytes, says what happens next: who sends what, how many bytes
 * of a wire arrive, when the policy is another one, what becomes of a publish
 * that needs consent.  It is held to
 *
 *	what goes out is what came in, in order, minus what was refused
 *	each PUBLISH, PUBREL and SUBSCRIBE is answered once, acknowledgements in
 *	the order of what they answer: no packet id is lost or doubled
 *	an alias means the same at either end
 *	what goes out is MQTT, whatever came in (hostile scripts)
 *
 * and where it is not so, the program is aborted.
 */

#include "span.h"

/* What happened, for tests that want to know that something did. */
struct access_world_count {
	unsigned passed, refused; /* PUBLISH of the client's */
	unsigned asked, let_go, told; /* those that wait, and go after all */
	unsigned delivered, withheld; /* of the broker's */
	unsigned subscribed, merged; /* SUBACKs; of these with codes of ours */
	unsigned flips; /* of the policy */
};

/* Both keep to the standard. */
void access_world_run(struct span script, struct access_world_count *count);

/* The script's bytes are what the two of them send. */
void access_world_run_hostile(struct span script);

#endif
