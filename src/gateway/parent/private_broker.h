#ifndef KAYA_PRIVATE_BROKER_H
#define KAYA_PRIVATE_BROKER_H

/*
 * private_broker: the life of a mosquitto that only the gateway can reach.
 *
 * It listens on a UNIX socket in a folder that nobody but kayad's user may
 * enter, keeps what it acknowledged (persistence, saved on changes), ends with
 * kayad, and is started again, ever more slowly, where it ends by itself.
 */

#include "loop.h"

#include <sys/types.h>

struct private_broker;

struct private_broker_options {
	const char *program; /* "mosquitto": looked for in PATH and sbin */
	const char *state_dir; /* the folder DIR/broker is made in it */
	const char *extra; /* lines for mosquitto.conf, or NULL */
	bool persistence;
};

/*
 * Write its configuration, start it and wait until it can be reached (some
 * 10 ms; 5 s at most).  NULL and `err` on failure.
 */
struct private_broker *private_broker_start(struct loop *loop,
    const struct private_broker_options *options, struct err *err);

/* "/.../broker/mosquitto.sock", while it lives. */
const char *private_broker_path(const struct private_broker *broker);

pid_t private_broker_pid(const struct private_broker *broker);

/* A child process `pid` has ended: true where it was this broker. */
bool private_broker_on_exit(
    struct private_broker *broker, pid_t pid, int status);

/* Ask it to end, wait for it (5 s, then by force), free.  NULL is fine. */
void private_broker_stop(struct private_broker *broker);

#endif
