#ifndef KAYA_TUNNEL_H
#define KAYA_TUNNEL_H

/*
 * tunnel: listeners on this machine, held for ever; behind them one SSH
 * connection at a time, made again whenever it is lost.
 *
 *	CONNECTING --logged in--> UP --lost--> WAITING --time--> CONNECTING
 *	    |  \--unreachable, refused--> WAITING
 *	    \--host key changed, the user's own fault--> ENDED
 */

#include "forward.h"
#include "link.h"

enum { TUNNEL_FORWARDS_MAX = 16, TUNNEL_REFUSED_MS = 60000 };

enum tunnel_while_down {
	TUNNEL_REFUSE_LOCALS, /* a client is closed at once */
	TUNNEL_HOLD_LOCALS, /* and here it waits for the link */
};

struct tunnel_options {
	struct link_options link;
	struct forward forwards[TUNNEL_FORWARDS_MAX];
	size_t forward_count;
	bool once; /* the first failure is the end */
	enum tunnel_while_down while_down;
	const char *guard_file; /* kaya-guard(5); NULL: no guard */
	/* Called once, when the first link is up: `addresses` listens. */
	void (*on_first_up)(void *arg, const char *addresses);
	/* The first attempt failed in a way that is tried again: true ends. */
	bool (*ends_on_first_failure)(void *arg);
	void *arg;
};

/*
 * Add what ssh_config says of `options->link`, as `ssh -G` tells it where
 * OpenSSH is installed: LocalForward, where there is no forward yet (one
 * without a target is for `host`:`host_port`), and how often and how many times
 * the server is asked whether it is there.
 */
void tunnel_read_config(
    struct tunnel_options *options, const char *host, uint16_t host_port);

/*
 * Hold the tunnel until SIGTERM or SIGINT (0), or until it cannot be held: -1
 * and `err`, whose code is the exit status of kaya tunnel.
 */
int tunnel_run(const struct tunnel_options *options, struct err *err);

#endif
