#include "connector.h"

#include "clock.h"
#include "str.h"
#include "stream.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	UNDER_WAY_MAX = 64, /* below mosquitto's listen backlog of 100 */
	TIMEOUT_MS = 5000, /* for one broker */
	BACKLOG_FULL_MS = 5, /* a UNIX socket's EAGAIN: try again then */
	RESOLVE_AGAIN_MS = 30000,
	DOWN_MS = 2000, /* a broker that failed is tried last so long */
	BROKERS_MAX = 16,
};

struct broker {
	struct connector_health health;
	char *address;
	char host[256];
	uint16_t port; /* 0: a UNIX path in `host` */
	struct sockaddr_storage to;
	socklen_t to_len; /* 0: not resolved */
	uint64_t resolved_ms;
	uint64_t down_until_ms;
};

struct attempt {
	struct attempt *next;
	struct attempt **link;
	struct connector *connector;
	connector_fn *fn;
	void *arg;
	struct loop_watch watch;
	struct loop_timer *timer;
	uint64_t give_up_ms;
	int fd;
	unsigned tried; /* a bit for each broker */
	size_t first;
	size_t broker;
	char why[256];
};

struct connector {
	struct loop *loop;
	size_t count;
	size_t under_way;
	bool is_starting;
	struct attempt *running;
	struct attempt *waiting; /* first */
	struct attempt **last_waiting;
	struct broker brokers[BROKERS_MAX];
};

/* ---- brokers ---- */

static int
parse(struct broker *broker, const char *address, struct err *err)
{
	struct sockaddr_un *un = (void *)&broker->to;

	broker->address = strdup(address);
	if (broker->address == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	broker->health.address = broker->address;
	broker->health.is_up = true;
	if (address[0] == '/') {
		if (strlen(address) >= sizeof un->sun_path) {
			err_set(err, ERR_CONFIG,
			    "the path of the broker's socket is longer than "
			    "%zu bytes: %s",
			    sizeof un->sun_path - 1, address);
			return err_hint(err, "use a shorter state folder");
		}
		un->sun_family = AF_UNIX;
		strcpy(un->sun_path, address);
		broker->to_len = sizeof *un;
		return 0;
	}
	if (!str_split_host_port(span_of_str(address), broker->host,
		sizeof broker->host, &broker->port) ||
	    broker->port == 0) {
		err_set(
		    err, ERR_CONFIG, "\"%s\" is no broker's address", address);
		return err_hint(err, "give HOST:PORT, [V6]:PORT or /PATH");
	}
	return 0;
}

/* The configuration's names alone are resolved, rarely; it blocks. */
static void
resolve(struct broker *broker)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found;
	char port[8];

	broker->resolved_ms = clock_monotonic_ms();
	snprintf(port, sizeof port, "%u", broker->port);
	if (getaddrinfo(broker->host, port, &hints, &found) != 0)
		return;
	memcpy(&broker->to, found->ai_addr, found->ai_addrlen);
	broker->to_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void
resolve_if_due(struct broker *broker)
{
	uint64_t age = clock_monotonic_ms() - broker->resolved_ms;

	if (broker->port == 0)
		return;
	if (broker->to_len == 0
		? broker->resolved_ms == 0 || age > DOWN_MS
		: !broker->health.is_up && age > RESOLVE_AGAIN_MS)
		resolve(broker);
}

struct connector *
connector_new(struct loop *loop, const struct connector_broker *brokers,
    size_t count, struct err *err)
{
	struct connector *connector = calloc(1, sizeof *connector);

	if (connector == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	connector->loop = loop;
	connector->last_waiting = &connector->waiting;
	if (count > BROKERS_MAX) {
		err_set(err, ERR_CONFIG, "more than %d brokers", BROKERS_MAX);
		goto fail;
	}
	for (size_t i = 0; i < count; i++) {
		connector->count = i + 1;
		if (parse(&connector->brokers[i], brokers[i].address, err) != 0)
			goto fail;
		resolve_if_due(&connector->brokers[i]);
	}
	return connector;
fail:
	connector_free(connector);
	return NULL;
}

/* ---- attempts ---- */

static void start_next(struct attempt *attempt);
static void start_waiting(struct connector *connector);

/* Hand the outcome out and forget the attempt. */
static void
finish(struct attempt *attempt, int fd)
{
	struct connector *connector = attempt->connector;
	connector_fn *fn = attempt->fn;
	void *arg = attempt->arg;
	int broker = (int)attempt->broker;
	char why[sizeof attempt->why];

	memcpy(why, attempt->why, sizeof why);
	loop_watch_stop(&attempt->watch);
	loop_timer_free(attempt->timer);
	*attempt->link = attempt->next;
	if (attempt->next != NULL)
		attempt->next->link = attempt->link;
	free(attempt);
	connector->under_way--;
	fn(arg, fd, fd < 0 ? -1 : broker, fd < 0 ? why : NULL);
	start_waiting(connector);
}

static void
failed(struct attempt *attempt, const char *reason)
{
	struct connector *connector = attempt->connector;
	struct broker *broker = &connector->brokers[attempt->broker];
	size_t used = strlen(attempt->why);

	loop_watch_stop(&attempt->watch);
	if (attempt->fd >= 0)
		close(attempt->fd);
	attempt->fd = -1;
	broker->health.failed++;
	broker->health.is_up = false;
	broker->down_until_ms = clock_monotonic_ms() + DOWN_MS;
	snprintf(broker->health.why, sizeof broker->health.why, "%s", reason);
	snprintf(attempt->why + used, sizeof attempt->why - used, "%s%s: %s",
	    used > 0 ? "; " : "", broker->address, reason);
	start_next(attempt);
}

static void
succeeded(struct attempt *attempt)
{
	struct broker *broker = &attempt->connector->brokers[attempt->broker];
	int fd = attempt->fd;

	broker->health.connected++;
	broker->health.is_up = true;
	broker->down_until_ms = 0;
	attempt->fd = -1;
	loop_watch_stop(&attempt->watch);
	stream_set_nodelay(fd);
	finish(attempt, fd);
}

static void
on_connected(void *arg, unsigned ready)
{
	struct attempt *attempt = arg;
	socklen_t len = sizeof(int);
	int error = 0;

	(void)ready;
	getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0)
		failed(attempt, strerror(error));
	else
		succeeded(attempt);
}

static void
start_connect(struct attempt *attempt)
{
	struct broker *broker = &attempt->connector->brokers[attempt->broker];

	if (connect(attempt->fd, (void *)&broker->to, broker->to_len) == 0) {
		succeeded(attempt);
	} else if (errno == EINPROGRESS) {
		loop_watch_start(attempt->connector->loop, &attempt->watch,
		    attempt->fd, LOOP_WRITABLE, on_connected, attempt);
		loop_timer_start(attempt->timer, TIMEOUT_MS);
	} else if (errno == EAGAIN) {
		/* A UNIX socket whose backlog is full says so at once. */
		loop_timer_start(attempt->timer, BACKLOG_FULL_MS);
	} else {
		failed(attempt, strerror(errno));
	}
}

static void
on_timer(void *arg)
{
	struct attempt *attempt = arg;

	if (clock_monotonic_ms() >= attempt->give_up_ms)
		failed(attempt, "no answer in time");
	else
		start_connect(attempt);
}

/* The broker to try next: those up first, from `first` on; -1: all tried. */
static int
choose(const struct attempt *attempt)
{
	const struct connector *connector = attempt->connector;
	uint64_t now = clock_monotonic_ms();

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < connector->count; i++) {
			size_t k = (attempt->first + i) % connector->count;

			if ((attempt->tried & 1u << k) == 0 &&
			    (pass == 1 ||
				connector->brokers[k].down_until_ms <= now))
				return (int)k;
		}
	}
	return -1;
}

static void
start_next(struct attempt *attempt)
{
	int chosen = choose(attempt);
	struct broker *broker;

	if (chosen < 0) {
		finish(attempt, -1);
		return;
	}
	attempt->broker = (size_t)chosen;
	attempt->tried |= 1u << chosen;
	attempt->give_up_ms = clock_monotonic_ms() + TIMEOUT_MS;
	broker = &attempt->connector->brokers[chosen];
	resolve_if_due(broker);
	if (broker->to_len == 0) {
		failed(attempt, "its name is not known");
		return;
	}
	attempt->fd = socket(broker->to.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0) {
		failed(attempt, strerror(errno));
		return;
	}
	start_connect(attempt);
}

static void
start_waiting(struct connector *connector)
{
	/* Attempts that fail at once end up here again: one loop is enough. */
	if (connector->is_starting)
		return;
	connector->is_starting = true;
	while (connector->waiting != NULL &&
	       connector->under_way < UNDER_WAY_MAX) {
		struct attempt *attempt = connector->waiting;

		connector->waiting = attempt->next;
		if (connector->waiting == NULL)
			connector->last_waiting = &connector->waiting;
		connector->under_way++;
		attempt->next = connector->running;
		attempt->link = &connector->running;
		if (attempt->next != NULL)
			attempt->next->link = &attempt->next;
		connector->running = attempt;
		start_next(attempt);
	}
	connector->is_starting = false;
}

void
connector_connect(
    struct connector *connector, size_t first, connector_fn *fn, void *arg)
{
	struct attempt *attempt = calloc(1, sizeof *attempt);

	if (attempt == NULL) {
		fn(arg, -1, -1, "no memory");
		return;
	}
	*attempt = (struct attempt){.connector = connector,
	    .fn = fn,
	    .arg = arg,
	    .fd = -1,
	    .first = first};
	attempt->timer = loop_timer_new(connector->loop, on_timer, attempt);
	if (attempt->timer == NULL) {
		free(attempt);
		fn(arg, -1, -1, "no memory");
		return;
	}
	*connector->last_waiting = attempt;
	connector->last_waiting = &attempt->next;
	start_waiting(connector);
}

void
connector_free(struct connector *connector)
{
	if (connector == NULL)
		return;
	while (connector->waiting != NULL) {
		struct attempt *attempt = connector->waiting;

		connector->waiting = attempt->next;
		loop_timer_free(attempt->timer);
		attempt->fn(attempt->arg, -1, -1, "stopped");
		free(attempt);
	}
	connector->last_waiting = &connector->waiting;
	while (connector->running != NULL) {
		struct attempt *attempt = connector->running;

		if (attempt->fd >= 0)
			close(attempt->fd);
		attempt->fd = -1;
		snprintf(attempt->why, sizeof attempt->why, "stopped");
		finish(attempt, -1);
	}
	for (size_t i = 0; i < connector->count; i++)
		free(connector->brokers[i].address);
	free(connector);
}

size_t
connector_count(const struct connector *connector)
{
	return connector->count;
}

const struct connector_health *
connector_health(const struct connector *connector, size_t index)
{
	return &connector->brokers[index].health;
}
