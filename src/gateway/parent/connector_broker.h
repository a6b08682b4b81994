#ifndef KAYA_CONNECTOR_BROKER_H
#define KAYA_CONNECTOR_BROKER_H

/*
 * connector_broker: one broker as the connector knows it: where it is, and how
 * it is.  For connector alone.
 */

#include "connector.h"

#include <sys/socket.h>

enum { CONNECTOR_ADDRESSES_MAX = 8 };

struct connector_address {
	struct sockaddr_storage to;
	socklen_t len;
};

struct connector_broker {
	struct connector_health health;
	uint64_t health_interval_ms;
	uint64_t connect_timeout_ms;
	char *name, *address; /* ours */
	char host[256];
	uint16_t port; /* 0: a UNIX path */
	struct connector_address addresses[CONNECTOR_ADDRESSES_MAX];
	size_t address_count; /* 0: its name is not known (yet) */
	uint64_t resolved_ms;
	/* While it is down: when it is asked again. */
	struct connector *connector;
	struct loop_timer *recheck;
	bool is_rechecking; /* the timer runs, or the attempt does */
};

/* -1 and `err` where the address is none; fini in any case. */
int connector_broker_init(struct connector_broker *broker,
    const struct connector_target *target, struct err *err);
void connector_broker_fini(struct connector_broker *broker);

/* Look up its name where that has become necessary.  It may block. */
void connector_broker_resolve(struct connector_broker *broker);

/* Count an outcome; the change from up to down, or back, is logged. */
void connector_broker_succeeded(struct connector_broker *broker);
void connector_broker_failed(
    struct connector_broker *broker, const char *reason);

#endif
