#include "survey_private.h"

#include "clock.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

enum { CONNECT_MS = 15000 };

/* ---- connecting ---- */

static int
read_proxy(const char *url, struct survey_proxy *proxy, struct err *err)
{
	const char *from = "--proxy";

	if (url == NULL) {
		from = survey_proxy_variable(getenv);
		if (from == NULL) {
			err_set(err, ERR_USAGE, "no proxy is named");
			return err_hint(err, "export https_proxy=http://"
					     "HOST:PORT, or give --proxy");
		}
		url = getenv(from);
	}
	if (survey_proxy_parse(url, proxy) == PROXY_URL_OK)
		return 0;
	err_set(err, ERR_USAGE, "%s is no URL of an HTTP proxy", from);
	return err_hint(err, "write it so: http://HOST:PORT");
}

static int
explain(const struct survey_way *way, struct err *err)
{
	bool refused =
	    way->fact == WAY_PROXY_LOGIN || way->fact == WAY_PROXY_FORBIDS;
	char text[256];

	way_tell(way, text, sizeof text);
	err_set(err, refused ? ERR_REFUSED : ERR_UNREACHABLE, "%s: %s",
	    way->proxy->name, text);
	return err_hint(err, "see which ways there are: kaya survey");
}

/* To the first of the proxy's addresses that does it. */
static int
connect_through(struct survey *survey, struct survey_way *way, struct err *err)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct addrinfo *found = NULL;
	char service[8];
	int result, fd = -1;

	snprintf(service, sizeof service, "%u", way->proxy->port);
	result = getaddrinfo(way->proxy->host, service, &hints, &found);
	if (result != 0)
		return err_set(err, ERR_UNREACHABLE,
		    "the proxy %s is not known: %s", way->proxy->host,
		    gai_strerror(result));
	for (const struct addrinfo *a = found; fd < 0 && a != NULL;
	     a = a->ai_next) {
		struct way_dial dial = {
		    .until_ms = clock_monotonic_ms() + CONNECT_MS};

		memcpy(&way->name, a->ai_addr, a->ai_addrlen);
		way->name_len = a->ai_addrlen;
		fd = survey_dial(survey, way, &dial, NULL);
	}
	freeaddrinfo(found);
	return fd >= 0 ? fd : explain(way, err);
}

/* ---- carrying ---- */

/* False where that direction is over; its end is passed on. */
static bool
carry(int from, int to)
{
	uint8_t bytes[16384];
	ssize_t got = read(from, bytes, sizeof bytes);

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	for (ssize_t done = 0; done < got;) {
		ssize_t sent = write(to, bytes + done, (size_t)(got - done));

		if (sent > 0) {
			done += sent;
		} else if (sent < 0 && errno == EAGAIN) {
			struct pollfd slot = {.fd = to, .events = POLLOUT};

			poll(&slot, 1, -1);
		} else if (sent < 0 && errno != EINTR) {
			return false;
		}
	}
	if (got > 0)
		return true;
	if (shutdown(to, SHUT_WR) != 0)
		close(to); /* no socket */
	return false;
}

static void
carry_both(int fd)
{
	struct pollfd slots[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
	    {.fd = fd, .events = POLLIN}};

	/* What the far end says counts until it has said all. */
	while (slots[1].fd >= 0) {
		if (poll(slots, 2, -1) < 0 && errno != EINTR)
			return;
		if (slots[0].revents != 0 && !carry(STDIN_FILENO, fd))
			slots[0].fd = -1;
		if (slots[1].revents != 0 && !carry(fd, STDOUT_FILENO))
			slots[1].fd = -1;
	}
}

int
survey_relay(
    const char *proxy, const char *host, uint16_t port, struct err *err)
{
	struct survey *survey = calloc(1, sizeof *survey);
	struct survey_way *way;
	int fd = -1;

	if (survey == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	signal(SIGPIPE, SIG_IGN);
	way = &survey->ways[0];
	way->port = port;
	way->proxy = &survey->proxy;
	snprintf(survey->host, sizeof survey->host, "%s", host);
	if (read_proxy(proxy, &survey->proxy, err) == 0)
		fd = connect_through(survey, way, err);
	explicit_bzero(&survey->proxy, sizeof survey->proxy);
	free(survey);
	if (fd < 0)
		return -1;
	carry_both(fd);
	close(fd);
	return 0;
}
