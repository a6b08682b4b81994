#ifndef KAYA_SURVEY_H
#define KAYA_SURVEY_H

/*
 * survey: which ways out of this network lead to a host, and which to take.
 *
 * A way is a port of one of the host's addresses, or a port of the host through
 * the HTTP proxy that the environment names.  All are tried at the same time,
 * each within its deadlines.  Nothing but the host, the proxy and the system's
 * resolver is ever sent a byte, and nothing is written down.
 */

#include "err.h"
#include "link.h"

#include <stdio.h>

enum { SURVEY_PORTS_MAX = 16 };

enum survey_form {
	SURVEY_AS_LINES, /* each way once it is looked at */
	SURVEY_AS_TABLE, /* on a terminal: all of them, drawn again */
	SURVEY_AS_JSON
};

struct survey_options {
	struct link_options link; /* `dest` is the host; `host_key` a pin */
	uint16_t ports[SURVEY_PORTS_MAX];
	size_t port_count; /* 0: the default ones */
	const char *proxy; /* a URL; NULL: as the environment has it */
	const char *tls_pin; /* "SHA256:..."; NULL: none */
	uint64_t timeout_ms; /* for one answer; 0: 5 s */
	uint64_t idle_ms; /* how long connections idle; 0: not tried */
	enum survey_form form;
	FILE *out;
};

/*
 * Look at all ways and say which to take.  The exit status: 0 where there is a
 * way, else what fits the first fault.  -1 and `err` where the options are
 * wrong before anything is tried.
 */
int survey_run(const struct survey_options *options, struct err *err);

/*
 * Be a ProxyCommand: connect to `host` through the proxy of the environment
 * (or `proxy`, a URL) and carry standard input and output until both ends are
 * done.  -1 and `err` where there is no such connection.
 */
int survey_relay(
    const char *proxy, const char *host, uint16_t port, struct err *err);

#endif
