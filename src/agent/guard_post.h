#ifndef KAYA_GUARD_POST_H
#define KAYA_GUARD_POST_H

/*
 * guard_post: the guard at its post in a tunnel: its files, its audit, its own
 * MQTT connection and the local clients, around the guard itself (guard.h).
 */

#include "err.h"
#include "loop.h"

#include <jansson.h>
#include <stdint.h>

struct guard_post;

struct guard_post_options {
	const char *file; /* kaya-guard(5); borrowed */
	/* Where the guard's own connection goes, if its file does not say. */
	const char *host;
	uint16_t port;
	/* Carry this socket, which is given away, through the tunnel. */
	void (*carry)(void *arg, int fd, const char *host, uint16_t port);
	void *arg;
};

/* NULL and `err`: a fault in its files (ERR_CONFIG), the audit, memory. */
struct guard_post *guard_post_new(struct loop *loop,
    const struct guard_post_options *options, struct err *err);
void guard_post_free(struct guard_post *post); /* NULL is fine */

/* The tunnel is up, or down. */
void guard_post_up(struct guard_post *post);
void guard_post_down(struct guard_post *post);

/*
 * For kaya status: {"actuator","connected","files_are_sound","unsigned",
 * "waiting","protect":[{"name","topics"}],"last"}: challenges without a
 * signature and commands with one, and what became of the last command (null:
 * none yet).  The caller's to json_decref; NULL where memory fails.
 */
json_t *guard_post_status(struct guard_post *post);

/* The socket to carry in a local client's place; -1, closed: none. */
int guard_post_take(struct guard_post *post, int fd);

#endif
