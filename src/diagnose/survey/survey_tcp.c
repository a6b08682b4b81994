#include "survey_private.h"

#include "clock.h"
#include "local_end.h"
#include "str.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sockios.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LOOK_AGAIN_MS = 10 };

/* Wait for `events`; false where the time is up. */
static bool
wait_for(int fd, short events, uint64_t until_ms)
{
	struct pollfd slot = {.fd = fd, .events = events};

	for (;;) {
		uint64_t now = clock_monotonic_ms();

		if (now >= until_ms)
			return false;
		if (poll(&slot, 1, (int)(until_ms - now)) == 1)
			return true;
	}
}

/* ---- connecting ---- */

/* Who sent the ICMP message that ended this connection. */
static void
read_sender(int fd, char *by, size_t size)
{
	char control[512];
	struct msghdr message = {
	    .msg_control = control, .msg_controllen = sizeof control};

	by[0] = '\0';
	if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL;
	     c = CMSG_NXTHDR(&message, c)) {
		const struct sock_extended_err *e = (const void *)CMSG_DATA(c);
		const struct sockaddr *from;

		if ((c->cmsg_type != IP_RECVERR &&
			c->cmsg_type != IPV6_RECVERR) ||
		    (e->ee_origin != SO_EE_ORIGIN_ICMP &&
			e->ee_origin != SO_EE_ORIGIN_ICMP6))
			continue;
		from = SO_EE_OFFENDER(e);
		if (getnameinfo(from,
			from->sa_family == AF_INET6
			    ? sizeof(struct sockaddr_in6)
			    : sizeof(struct sockaddr_in),
			by, (socklen_t)size, NULL, 0, NI_NUMERICHOST) != 0)
			by[0] = '\0';
	}
}

static enum way_fact
fact_of(int error, const char *by)
{
	const bool told = by[0] != '\0';
	const enum way_fact rejected =
	    told && local_end_is_here(by) ? WAY_FORBIDDEN : WAY_REJECTED;

	switch (error) {
	case ECONNREFUSED:
		return told ? rejected : WAY_REFUSED;
	case ECONNRESET:
		return WAY_REFUSED;
	case ETIMEDOUT:
		return WAY_FILTERED;
	case EACCES:
		return told ? rejected : WAY_FORBIDDEN;
	case EPERM:
		return WAY_FORBIDDEN;
	case ENETUNREACH:
	case EADDRNOTAVAIL:
		return told ? WAY_UNREACHABLE : WAY_NO_ROUTE;
	case EHOSTUNREACH:
		return WAY_UNREACHABLE;
	default:
		return WAY_FAILED;
	}
}

static void
fail(struct survey_way *way, int error)
{
	way->error = error;
	way->fact =
	    way->proxy != NULL ? WAY_PROXY_GONE : fact_of(error, way->by);
}

/* To the address, which is the proxy's where there is one. */
static int
dial_address(struct survey_way *way, const struct way_dial *dial)
{
	const int on = 1;
	int fd = socket(
	    way->name.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(int);
	int error = 0;

	if (fd < 0) {
		fail(way, errno);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on);
	setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof on);
	if (dial->segment_max > 0)
		setsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, &dial->segment_max,
		    sizeof dial->segment_max);
	if (connect(fd, (const struct sockaddr *)&way->name, way->name_len) !=
	    0)
		error = errno;
	if (error == EINPROGRESS) {
		if (!wait_for(fd, POLLOUT, dial->until_ms))
			error = ETIMEDOUT;
		else
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (error == 0)
		return fd;
	read_sender(fd, way->by, sizeof way->by);
	close(fd);
	fail(way, error);
	return -1;
}

static enum way_fact
fact_of_answer(enum proxy_answer answer)
{
	static const enum way_fact facts[] = {
	    [PROXY_NEED_MORE] = WAY_PROXY_NONE,
	    [PROXY_CONNECTED] = WAY_RUNNING,
	    [PROXY_WANTS_LOGIN] = WAY_PROXY_LOGIN,
	    [PROXY_FORBIDS] = WAY_PROXY_FORBIDS,
	    [PROXY_CANNOT] = WAY_PROXY_CANNOT,
	    [PROXY_IS_NONE] = WAY_PROXY_NONE,
	};

	return facts[answer];
}

/* One byte at a time: what stands behind the head is not the proxy's. */
static enum proxy_answer
read_answer(int fd, struct survey_way *way, uint64_t until_ms)
{
	enum proxy_answer answer = PROXY_NEED_MORE;
	struct span line = {0};
	struct buf head;
	uint8_t byte;
	size_t len;

	buf_init(&head, 16384);
	while (answer == PROXY_NEED_MORE &&
	       survey_read(fd, &byte, 1, &len, until_ms) == TCP_READ_DATA &&
	       buf_append(&head, &byte, 1))
		answer = survey_proxy_read(buf_span(&head), &line);
	str_escape(line, way->line, sizeof way->line);
	buf_fini(&head);
	return answer;
}

static bool
pass_proxy(
    struct survey *survey, struct survey_way *way, int fd, uint64_t until_ms)
{
	enum proxy_answer answer = PROXY_NEED_MORE;
	struct buf request;

	buf_init(&request, 4096);
	survey_proxy_ask(&request, way->proxy, survey->host, way->port);
	if (!request.failed && survey_write(fd, buf_span(&request), until_ms))
		answer = read_answer(fd, way, until_ms);
	buf_fini_wipe(&request);
	if (answer == PROXY_CONNECTED) {
		way->line[0] = '\0';
		return true;
	}
	way->fact = fact_of_answer(answer);
	return false;
}

int
survey_dial(struct survey *survey, struct survey_way *way,
    const struct way_dial *dial, uint64_t *took_ms)
{
	uint64_t started = clock_monotonic_ms();
	int fd = dial_address(way, dial);

	if (fd >= 0 && way->proxy != NULL &&
	    !pass_proxy(survey, way, fd, dial->until_ms)) {
		close(fd);
		return -1;
	}
	if (took_ms != NULL)
		*took_ms = clock_monotonic_ms() - started;
	return fd;
}

/* ---- reading and writing ---- */

enum tcp_read
survey_read(int fd, void *bytes, size_t size, size_t *len, uint64_t until_ms)
{
	ssize_t got;

	*len = 0;
	for (;;) {
		got = recv(fd, bytes, size, MSG_DONTWAIT);
		if (got > 0) {
			*len = (size_t)got;
			return TCP_READ_DATA;
		}
		if (got == 0)
			return TCP_READ_END;
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return TCP_READ_RESET;
		if (!wait_for(fd, POLLIN, until_ms))
			return TCP_READ_LATE;
	}
}

bool
survey_write(int fd, struct span bytes, uint64_t until_ms)
{
	while (bytes.len > 0) {
		ssize_t sent = send(
		    fd, bytes.data, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent > 0)
			bytes = span_of(
			    bytes.data + sent, bytes.len - (size_t)sent);
		else if (errno != EINTR &&
			 (errno != EAGAIN || !wait_for(fd, POLLOUT, until_ms)))
			return false;
	}
	return true;
}

enum tcp_sent
survey_wait_sent(int fd, uint64_t until_ms)
{
	for (;;) {
		struct pollfd slot = {.fd = fd};
		int unsent = 0;

		/* No event tells of an acknowledgement: it has to be asked. */
		if (ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent == 0)
			return TCP_SENT;
		if (clock_monotonic_ms() >= until_ms)
			return TCP_SENT_NOT;
		if (poll(&slot, 1, LOOK_AGAIN_MS) == 1)
			return TCP_SENT_GONE;
	}
}
