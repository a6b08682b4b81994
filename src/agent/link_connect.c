#include "link_connect.h"

#include "clock.h"
#include "listener.h"
#include "stream.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 16, STAGGER_MS = 300 };

struct attempts {
	const struct addrinfo *addresses[ADDRESSES_MAX];
	size_t count, started, open;
	struct pollfd fds[ADDRESSES_MAX];
	char why[256];
	int last_errno;
};

/* IPv6 and IPv4 in turn, each in the resolver's order. */
static void
interleave(struct attempts *attempts, const struct addrinfo *found)
{
	const struct addrinfo *a = found, *b = found;
	int family = found->ai_family;

	while (attempts->count < ADDRESSES_MAX && (a != NULL || b != NULL)) {
		while (a != NULL && a->ai_family != family)
			a = a->ai_next;
		if (a != NULL) {
			attempts->addresses[attempts->count++] = a;
			a = a->ai_next;
		}
		while (b != NULL && b->ai_family == family)
			b = b->ai_next;
		if (b != NULL && attempts->count < ADDRESSES_MAX) {
			attempts->addresses[attempts->count++] = b;
			b = b->ai_next;
		}
	}
}

static void
note_failure(struct attempts *attempts, size_t index, int error)
{
	size_t used = strlen(attempts->why);
	char address[80];

	listener_address_text(
	    attempts->addresses[index]->ai_addr, address, sizeof address);
	snprintf(attempts->why + used, sizeof attempts->why - used, "%s%s: %s",
	    used > 0 ? ", " : "", address, strerror(error));
	attempts->last_errno = error;
}

static void
start_next(struct attempts *attempts)
{
	size_t index = attempts->started++;
	const struct addrinfo *address = attempts->addresses[index];
	struct pollfd *slot = &attempts->fds[index];

	slot->events = POLLOUT;
	slot->fd = socket(
	    address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (slot->fd < 0) {
		note_failure(attempts, index, errno);
		return;
	}
	if (connect(slot->fd, address->ai_addr, address->ai_addrlen) != 0 &&
	    errno != EINPROGRESS) {
		note_failure(attempts, index, errno);
		close(slot->fd);
		slot->fd = -1;
		return;
	}
	attempts->open++;
}

/* The first that is connected, or -1. */
static int
look(struct attempts *attempts)
{
	for (size_t i = 0; i < attempts->started; i++) {
		struct pollfd *slot = &attempts->fds[i];
		socklen_t len = sizeof(int);
		int error = 0;

		if (slot->fd < 0 || slot->revents == 0)
			continue;
		getsockopt(slot->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error == 0) {
			int fd = slot->fd;

			slot->fd = -1;
			return fd;
		}
		note_failure(attempts, i, error);
		close(slot->fd);
		slot->fd = -1;
		attempts->open--;
	}
	return -1;
}

static int
race(struct attempts *attempts, unsigned timeout_ms)
{
	uint64_t give_up = clock_monotonic_ms() + timeout_ms, now;
	int fd = -1;

	while (fd < 0 && (now = clock_monotonic_ms()) < give_up) {
		uint64_t wait = give_up - now;

		if (attempts->started < attempts->count) {
			start_next(attempts);
			wait = wait < STAGGER_MS ? wait : STAGGER_MS;
		}
		if (attempts->open == 0) {
			if (attempts->started == attempts->count)
				break;
			continue;
		}
		poll(attempts->fds, attempts->started, (int)wait);
		fd = look(attempts);
	}
	for (size_t i = 0; i < attempts->started; i++)
		if (attempts->fds[i].fd >= 0)
			close(attempts->fds[i].fd);
	return fd;
}

int
link_connect(
    const char *host, uint16_t port, unsigned timeout_ms, struct err *err)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct attempts attempts = {0};
	struct addrinfo *found;
	char service[8];
	int result, fd;

	snprintf(service, sizeof service, "%u", port);
	result = getaddrinfo(host, service, &hints, &found);
	if (result != 0) {
		err_set(err, ERR_UNREACHABLE, "the name %s is not known: %s",
		    host, gai_strerror(result));
		return err_hint(err, "check the name, and that this machine's "
				     "DNS works");
	}
	interleave(&attempts, found);
	fd = race(&attempts, timeout_ms);
	if (fd >= 0)
		stream_set_nodelay(fd);
	else if (attempts.why[0] == '\0')
		err_set(
		    err, ERR_TIMEOUT, "%s port %u does not answer", host, port);
	else
		err_set(err, ERR_UNREACHABLE, "%s", attempts.why);
	if (fd < 0 && attempts.last_errno == ECONNREFUSED)
		err_hint(err,
		    "nothing listens there: is the SSH server "
		    "running, and is port %u right?",
		    port);
	freeaddrinfo(found);
	return fd;
}
