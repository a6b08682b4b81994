#ifndef KAYA_GUARD_DESK_H
#define KAYA_GUARD_DESK_H

/*
 * guard_desk: the second person's side of a guard's commands, for kaya
 * pending, approve and deny.
 */

#include "guard_talk.h"

struct guard_desk {
	struct client_options client; /* `link` is for who uses it to set */
	struct guard_hand hand;
	const char *actuator; /* --actuator; NULL: all that answer */
	bool is_wanted; /* --guards, or --actuator */
};

void guard_desk_init(struct guard_desk *desk);

/*
 * Take an option of GUARD_DESK_SIGNS or GUARD_DESK_LISTS.  False where it is
 * none of them; *status is 2, told, where its value is wrong.
 */
bool guard_desk_take(const struct cmd_reader *reader, int id,
    struct guard_desk *desk, int *status);

enum {
	GUARD_DESK_USER = GUARD_HAND_SIGNATURE + 1,
	GUARD_DESK_PASSWORD,
	GUARD_DESK_ALL,
	GUARD_DESK_ACTUATOR
};

#define GUARD_DESK_BROKER                                                      \
	{CMD_BROKER, "broker", "HOST:PORT",                                    \
	    "for guards: the broker as the server is to reach it "             \
	    "(127.0.0.1:1883)"},                                               \
	    {GUARD_DESK_USER, "username", "USER",                              \
		"for guards: MQTT user name"},                                 \
	{                                                                      \
		GUARD_DESK_PASSWORD, "pw", "PASSWORD",                         \
		    "for guards: MQTT password"                                \
	}
#define GUARD_DESK_SIGNS GUARD_HAND_OPTIONS, GUARD_DESK_BROKER
#define GUARD_DESK_LISTS                                                       \
	{GUARD_DESK_ALL, "guards", NULL,                                       \
	    "what waits at actuators' guards alone"},                          \
	    {GUARD_DESK_ACTUATOR, "actuator", "NAME",                          \
		"what waits at this actuator's guard alone"},                  \
	    GUARD_DESK_BROKER

/* "NAME.hex": a guard's command; a gateway's id has no dot. */
bool guard_desk_is_id(const char *id);

/*
 * What waits at the guard of `actuator`, or at all that answer within a
 * second: an array of objects as a gateway has them, and with "actuator".
 * What does not fit its id is left out, and told.  NULL and `err` on failure.
 */
json_t *guard_desk_pending(const struct guard_desk *desk, struct err *err);

/*
 * Fetch the command of that id from its guard, show what is signed on stderr,
 * sign it (GUARD_DO_SIGN) or sign that it is denied (GUARD_DO_DENY).  What
 * the guard said of it, the caller's to give back; or NULL and `err`.
 */
json_t *guard_desk_decide(const struct guard_desk *desk, const char *id,
    enum guard_do what, struct err *err);

#endif
