#ifndef KAYA_CONNECTOR_H
#define KAYA_CONNECTOR_H

/*
 * connector: the parent's way to the brokers.
 *
 * Connections are paced (a broker's listen backlog is short; a storm of
 * devices must not become a storm of refusals).  A broker that failed is tried
 * last until it is known to be back: it is asked every so often, so that no
 * device has to wait for the answer.  Only configured addresses are ever
 * reached.
 */

#include "loop.h"

enum { CONNECTOR_BROKERS_MAX = 16 };

struct connector;

/* One broker, as the configuration names it. */
struct connector_target {
	const char *name; /* in logs and reasons */
	const char *address; /* HOST:PORT, [V6]:PORT or /PATH */
	uint64_t health_interval_ms; /* of one that failed */
	uint64_t connect_timeout_ms;
};

/* NULL and `err` where an address is none or memory fails; copies. */
struct connector *connector_new(struct loop *loop,
    const struct connector_target *targets, size_t count, struct err *err);

/* Ends what is under way; its callbacks are called with "stopped". */
void connector_free(struct connector *connector);

/*
 * Ask each broker whether it is there, so that the log has what is wrong
 * before the first device comes.
 */
void connector_look(struct connector *connector);

/*
 * `fd` is connected to broker number `broker` and is the callee's; or -1,
 * with `why` in words that name each broker tried.
 */
typedef void connector_fn(void *arg, int fd, int broker, const char *why);

/*
 * Connect to one of the brokers in `wanted`, a bit for each by its place: in
 * turn, those that are known to be down behind the others.  `fn` is called
 * exactly once, perhaps before this returns.
 */
void connector_connect(
    struct connector *connector, uint32_t wanted, connector_fn *fn, void *arg);

/* For status: how broker `index` is. */
struct connector_health {
	const char *name;
	const char *address;
	uint64_t connected; /* since the start */
	uint64_t failed;
	bool is_up; /* the last attempt succeeded, or there was none */
	char why[96]; /* of the last failure */
};
size_t connector_count(const struct connector *connector);
const struct connector_health *connector_health(
    const struct connector *connector, size_t index);

#endif
