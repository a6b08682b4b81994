#ifndef KAYA_CONNECTOR_H
#define KAYA_CONNECTOR_H

/*
 * connector: the parent's way to the brokers.
 *
 * Connections are paced (a broker's listen backlog is short; a storm of
 * devices must not become a storm of refusals), and brokers that failed lately
 * are tried last.  Only configured addresses are ever reached.
 */

#include "loop.h"

struct connector;

/* One broker, as the configuration names it. */
struct connector_broker {
	const char *address; /* HOST:PORT, [V6]:PORT or /PATH */
};

/* NULL and `err` where an address is none or memory fails; copies. */
struct connector *connector_new(struct loop *loop,
    const struct connector_broker *brokers, size_t count, struct err *err);

/* Ends what is under way; its callbacks are called with "stopped". */
void connector_free(struct connector *connector);

/*
 * `fd` is connected to broker number `broker` and is the callee's; or -1,
 * with `why` in words that name each broker tried.
 */
typedef void connector_fn(void *arg, int fd, int broker, const char *why);

/*
 * Connect to broker `first` or, where that fails, to the others in turn.
 * `fn` is called exactly once, perhaps before this returns.
 */
void connector_connect(
    struct connector *connector, size_t first, connector_fn *fn, void *arg);

/* For status: how broker `index` is. */
struct connector_health {
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
