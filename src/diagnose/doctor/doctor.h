#ifndef KAYA_DOCTOR_H
#define KAYA_DOCTOR_H

/*
 * doctor: the way to a broker, layer by layer, until the first that stops it.
 *
 *	dns tcp banner kex host-key auth forwarding mqtt message keepalive
 *	local
 *
 * It connects as kaya tunnel does, by the same options and files, and changes
 * nothing: no host key is remembered but one that the user names, no line is
 * written.
 */

#include "finding.h"
#include "forward.h"
#include "link.h"

/* What the walk found out, for whoever asks. */
struct doctor_learned {
	char
	    broker_host[256]; /* as the server lets it through; "": not known */
};

struct doctor_options {
	struct link_options link;
	const char *broker_host; /* as the server is to reach it */
	uint16_t broker_port;
	const char *broker_user; /* NULL: none */
	const char *broker_password; /* NULL: none */
	const char *client_id; /* NULL: one of its own */
	/* of the message to itself, shorter than MQTT_TRIP_TOPIC_SIZE; NULL:
	 * one of its own */
	const char *topic;
	const char *server_file; /* the server's authorized_keys; NULL: no */
	uint64_t idle_ms; /* how long a link idles; 0: it does not */
	const char *broker_said; /* as typed, for remedies; NULL: it was not */
	const char *local_said;
	const struct forward *local; /* where clients will connect; NULL: no */
	struct doctor_learned *learned; /* NULL: nobody asks */
};

/*
 * Walk through the layers; what is seen goes to `findings`.  0; or -1 and
 * `err` where the options or files are wrong before anything is tried.
 */
int doctor_run(const struct doctor_options *options, struct findings *findings,
    struct err *err);

#endif
