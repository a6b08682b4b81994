#include "connector_broker.h"

#include "clock.h"
#include "log.h"
#include "str.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

enum {
	RESOLVE_AGAIN_MS = 30000, /* the name of a broker that is down */
	RESOLVE_RETRY_MS = 2000, /* a name that was not known */
};

static int
set_path(struct connector_broker *broker, struct err *err)
{
	struct sockaddr_un *un = (void *)&broker->addresses[0].to;

	if (strlen(broker->address) >= sizeof un->sun_path) {
		err_set(err, ERR_CONFIG,
		    "the path of the broker's socket is longer than "
		    "%zu bytes: %s",
		    sizeof un->sun_path - 1, broker->address);
		return err_hint(err, "use a shorter state folder");
	}
	un->sun_family = AF_UNIX;
	strcpy(un->sun_path, broker->address);
	broker->addresses[0].len = sizeof *un;
	broker->address_count = 1;
	return 0;
}

int
connector_broker_init(struct connector_broker *broker,
    const struct connector_target *target, struct err *err)
{
	broker->name = strdup(target->name);
	broker->address = strdup(target->address);
	if (broker->name == NULL || broker->address == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	broker->health.name = broker->name;
	broker->health.address = broker->address;
	broker->health.is_up = true;
	broker->health_interval_ms = target->health_interval_ms;
	broker->connect_timeout_ms = target->connect_timeout_ms;
	if (broker->address[0] == '/')
		return set_path(broker, err);
	if (!str_split_host_port(span_of_str(broker->address), broker->host,
		sizeof broker->host, &broker->port) ||
	    broker->port == 0) {
		err_set(err, ERR_CONFIG, "\"%s\" is no broker's address",
		    broker->address);
		return err_hint(err, "give HOST:PORT, [V6]:PORT or /PATH");
	}
	connector_broker_resolve(broker);
	return 0;
}

void
connector_broker_fini(struct connector_broker *broker)
{
	loop_timer_free(broker->recheck);
	free(broker->name);
	free(broker->address);
}

/* The configuration's names alone are looked up, rarely. */
static void
look_up(struct connector_broker *broker)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	char port[8];
	size_t count = 0;

	broker->resolved_ms = clock_monotonic_ms();
	snprintf(port, sizeof port, "%u", broker->port);
	if (getaddrinfo(broker->host, port, &hints, &found) != 0)
		return;
	for (const struct addrinfo *p = found;
	     p != NULL && count < CONNECTOR_ADDRESSES_MAX; p = p->ai_next) {
		memcpy(&broker->addresses[count].to, p->ai_addr, p->ai_addrlen);
		broker->addresses[count++].len = p->ai_addrlen;
	}
	broker->address_count = count;
	freeaddrinfo(found);
}

void
connector_broker_resolve(struct connector_broker *broker)
{
	uint64_t age = clock_monotonic_ms() - broker->resolved_ms;

	if (broker->port == 0)
		return;
	if (broker->address_count == 0
		? broker->resolved_ms == 0 || age > RESOLVE_RETRY_MS
		: !broker->health.is_up && age > RESOLVE_AGAIN_MS)
		look_up(broker);
}

/* Once for each change, however many devices were told of it. */
static void
log_change(const struct connector_broker *broker)
{
	struct log_line line;

	if (!log_begin(&line,
		broker->health.is_up ? LOG_LEVEL_INFO : LOG_LEVEL_WARN,
		"broker", broker->health.is_up ? "up" : "down"))
		return;
	log_str(&line, "name", broker->name);
	log_str(&line, "address", broker->address);
	if (!broker->health.is_up)
		log_str(&line, "why", broker->health.why);
	log_end(&line);
}

void
connector_broker_succeeded(struct connector_broker *broker)
{
	bool was_up = broker->health.is_up;

	broker->health.connected++;
	broker->health.is_up = true;
	if (!was_up)
		log_change(broker);
}

void
connector_broker_failed(struct connector_broker *broker, const char *reason)
{
	bool was_up = broker->health.is_up;

	broker->health.failed++;
	broker->health.is_up = false;
	snprintf(broker->health.why, sizeof broker->health.why, "%s", reason);
	if (was_up)
		log_change(broker);
}
