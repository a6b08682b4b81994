#include "connector.h"

#include "clock.h"
#include "connector_broker.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	UNDER_WAY_MAX = 64, /* below mosquitto's listen backlog of 100 */
	BACKLOG_FULL_MS = 5, /* a UNIX socket's EAGAIN: try again then */
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
	uint32_t left; /* a bit for each broker not yet tried */
	size_t broker;
	size_t address; /* of this broker's */
	char why[256];
};

struct connector {
	struct loop *loop;
	size_t count;
	size_t under_way;
	bool is_starting;
	bool is_ending;
	struct attempt *running;
	struct attempt *waiting; /* first */
	struct attempt **last_waiting;
	struct connector_broker brokers[CONNECTOR_BROKERS_MAX];
};

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

/* It is asked again, whether or not a device wants it. */
static void
start_rechecking(struct connector_broker *broker)
{
	if (broker->is_rechecking)
		return;
	broker->is_rechecking = true;
	loop_timer_start(broker->recheck, broker->health_interval_ms);
}

/* The broker of this attempt has failed: on to the next. */
static void
failed(struct attempt *attempt, const char *reason)
{
	struct connector_broker *broker =
	    &attempt->connector->brokers[attempt->broker];
	size_t used = strlen(attempt->why);

	connector_broker_failed(broker, reason);
	start_rechecking(broker);
	snprintf(attempt->why + used, sizeof attempt->why - used, "%s%s: %s",
	    used > 0 ? "; " : "", broker->name, reason);
	start_next(attempt);
}

static void
succeeded(struct attempt *attempt)
{
	struct connector_broker *broker =
	    &attempt->connector->brokers[attempt->broker];
	int fd = attempt->fd;

	connector_broker_succeeded(broker);
	attempt->fd = -1;
	loop_watch_stop(&attempt->watch);
	if (broker->addresses[attempt->address].to.ss_family != AF_UNIX)
		stream_set_nodelay(fd);
	finish(attempt, fd);
}

static void
close_socket(struct attempt *attempt)
{
	loop_watch_stop(&attempt->watch);
	loop_timer_stop(attempt->timer);
	if (attempt->fd >= 0)
		close(attempt->fd);
	attempt->fd = -1;
}

static void on_writable(void *arg, unsigned ready);

/*
 * connect(2), but that a call under way is asked after once: on this machine
 * the answer is there before connect returns, and need not be waited for.
 * errno is EALREADY where it is not.
 */
static int
call(int fd, const struct connector_address *address)
{
	const struct sockaddr *to = (const void *)&address->to;

	if (connect(fd, to, address->len) == 0)
		return 0;
	return errno == EINPROGRESS ? connect(fd, to, address->len) : -1;
}

enum begun { BEGUN, BEGUN_NOT };

/* errno tells why not. */
static enum begun
begin_connect(struct attempt *attempt)
{
	const struct connector_broker *broker =
	    &attempt->connector->brokers[attempt->broker];
	const struct connector_address *address =
	    &broker->addresses[attempt->address];
	uint64_t now = clock_monotonic_ms();

	if (attempt->fd < 0)
		attempt->fd = socket(address->to.ss_family,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (attempt->fd < 0)
		return BEGUN_NOT;
	if (call(attempt->fd, address) == 0) {
		succeeded(attempt);
	} else if (errno == EALREADY) {
		loop_watch_start(attempt->connector->loop, &attempt->watch,
		    attempt->fd, LOOP_WRITABLE, on_writable, attempt);
		loop_timer_start(attempt->timer,
		    attempt->give_up_ms > now ? attempt->give_up_ms - now : 0);
	} else if (errno == EAGAIN) {
		/* A UNIX socket whose backlog is full says so at once. */
		loop_timer_start(attempt->timer, BACKLOG_FULL_MS);
	} else {
		return BEGUN_NOT;
	}
	return BEGUN;
}

/* From this address of the broker's on, whichever can be begun with. */
static void
try_addresses(struct attempt *attempt)
{
	const struct connector_broker *broker =
	    &attempt->connector->brokers[attempt->broker];
	int error = 0;

	for (; attempt->address < broker->address_count; attempt->address++) {
		if (begin_connect(attempt) == BEGUN)
			return;
		error = errno;
		close_socket(attempt);
	}
	failed(attempt, strerror(error));
}

static void
on_writable(void *arg, unsigned ready)
{
	struct attempt *attempt = arg;
	const struct connector_broker *broker =
	    &attempt->connector->brokers[attempt->broker];
	socklen_t len = sizeof(int);
	int error = 0;

	(void)ready;
	getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error == 0) {
		succeeded(attempt);
		return;
	}
	close_socket(attempt);
	if (++attempt->address < broker->address_count)
		try_addresses(attempt);
	else
		failed(attempt, strerror(error));
}

static void
on_timer(void *arg)
{
	struct attempt *attempt = arg;

	if (clock_monotonic_ms() < attempt->give_up_ms) {
		try_addresses(attempt);
		return;
	}
	close_socket(attempt);
	failed(attempt, "no answer in time");
}

/* The broker to try next, those that are up first; -1: all were. */
static int
choose(const struct attempt *attempt)
{
	const struct connector *connector = attempt->connector;
	int down = -1;

	for (size_t i = 0; i < connector->count; i++) {
		if ((attempt->left & 1u << i) == 0)
			continue;
		if (connector->brokers[i].health.is_up)
			return (int)i;
		if (down < 0)
			down = (int)i;
	}
	return down;
}

static void
start_next(struct attempt *attempt)
{
	int chosen = choose(attempt);
	struct connector_broker *broker;

	if (chosen < 0) {
		finish(attempt, -1);
		return;
	}
	broker = &attempt->connector->brokers[chosen];
	attempt->broker = (size_t)chosen;
	attempt->address = 0;
	attempt->left &= ~(1u << chosen);
	attempt->give_up_ms = clock_monotonic_ms() + broker->connect_timeout_ms;
	connector_broker_resolve(broker);
	if (broker->address_count == 0)
		failed(attempt, "its name is not known");
	else
		try_addresses(attempt);
}

static void
start_waiting(struct connector *connector)
{
	/* Attempts that fail at once end up here again: one loop is enough. */
	if (connector->is_starting || connector->is_ending)
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
    struct connector *connector, uint32_t wanted, connector_fn *fn, void *arg)
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
	    .left = wanted};
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

/* ---- brokers that are down ---- */

static void
on_rechecked(void *arg, int fd, int index, const char *why)
{
	struct connector_broker *broker = arg;

	(void)index;
	(void)why;
	broker->is_rechecking = false;
	if (fd >= 0)
		close(fd);
	else if (!broker->connector->is_ending)
		start_rechecking(broker);
}

static void
look(struct connector_broker *broker)
{
	size_t index = (size_t)(broker - broker->connector->brokers);

	broker->is_rechecking = true;
	connector_connect(broker->connector, 1u << index, on_rechecked, broker);
}

static void
on_recheck(void *arg)
{
	struct connector_broker *broker = arg;

	/* A device may have found it up meanwhile. */
	if (broker->health.is_up)
		broker->is_rechecking = false;
	else
		look(broker);
}

void
connector_look(struct connector *connector)
{
	for (size_t i = 0; i < connector->count; i++)
		if (!connector->brokers[i].is_rechecking)
			look(&connector->brokers[i]);
}

/* ---- beginning and end ---- */

struct connector *
connector_new(struct loop *loop, const struct connector_target *targets,
    size_t count, struct err *err)
{
	struct connector *connector = calloc(1, sizeof *connector);

	if (connector == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	connector->loop = loop;
	connector->last_waiting = &connector->waiting;
	if (count > CONNECTOR_BROKERS_MAX) {
		err_set(err, ERR_CONFIG, "more than %d brokers",
		    CONNECTOR_BROKERS_MAX);
		goto fail;
	}
	for (size_t i = 0; i < count; i++) {
		struct connector_broker *broker = &connector->brokers[i];

		connector->count = i + 1;
		broker->connector = connector;
		if (connector_broker_init(broker, &targets[i], err) != 0)
			goto fail;
		broker->recheck = loop_timer_new(loop, on_recheck, broker);
		if (broker->recheck == NULL) {
			err_set(err, ERR_NOMEM, "no memory");
			goto fail;
		}
	}
	return connector;
fail:
	connector_free(connector);
	return NULL;
}

void
connector_free(struct connector *connector)
{
	if (connector == NULL)
		return;
	connector->is_ending = true;
	while (connector->waiting != NULL) {
		struct attempt *attempt = connector->waiting;

		connector->waiting = attempt->next;
		loop_timer_free(attempt->timer);
		attempt->fn(attempt->arg, -1, -1, "stopped");
		free(attempt);
	}
	connector->last_waiting = &connector->waiting;
	for (struct attempt *attempt = connector->running, *next;
	     attempt != NULL; attempt = next) {
		next = attempt->next;
		close_socket(attempt);
		snprintf(attempt->why, sizeof attempt->why, "stopped");
		finish(attempt, -1);
	}
	for (size_t i = 0; i < connector->count; i++)
		connector_broker_fini(&connector->brokers[i]);
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
