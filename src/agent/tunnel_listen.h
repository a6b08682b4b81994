#ifndef KAYA_TUNNEL_LISTEN_H
#define KAYA_TUNNEL_LISTEN_H

/* tunnel_listen: the local ends: every address that is promised, or none. */

#include "forward.h"
#include "listener.h"
#include "loop.h"

enum { TUNNEL_LISTEN_MAX = 32 };

struct tunnel_listener {
	int fd;
	const struct forward *forward;
	char text[160]; /* "127.0.0.1:22883", "/path" */
};

struct tunnel_listen {
	struct tunnel_listener listeners[TUNNEL_LISTEN_MAX];
	size_t count;
	struct listener_spare spare;
};

/*
 * Listen on all that the forwards promise (borrowed).  A bind address that is
 * not named means 127.0.0.1 and, where the machine has IPv6, ::1.  0; or -1 and
 * `err`, which says by whom an address is taken; then none is open.
 */
int tunnel_listen_open(struct tunnel_listen *ends,
    const struct forward *forwards, size_t count, struct err *err);

/* Who comes by one of them, or -1 (listener_accept). */
int tunnel_listen_accept(
    struct tunnel_listen *ends, const struct tunnel_listener *listener);

/* Close them; sockets' files are removed. */
void tunnel_listen_close(struct tunnel_listen *ends);

/* All of them, with ", " between. */
void tunnel_listen_text(
    const struct tunnel_listen *ends, char *text, size_t size);

#endif
