#include "listener.h"

#include "log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 4096 }; /* the system cuts it to net.core.somaxconn */

int
listener_address_parse(struct listener_address *address, const char *host,
    uint16_t port, struct err *err)
{
	struct sockaddr_in *v4 = (void *)&address->address;
	struct sockaddr_in6 *v6 = (void *)&address->address;

	memset(address, 0, sizeof *address);
	if (host[0] == '\0' || strcmp(host, "*") == 0)
		host = "0.0.0.0";
	else if (strcmp(host, "localhost") == 0)
		host = "127.0.0.1";
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		address->len = sizeof *v4;
	} else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		address->len = sizeof *v6;
	} else {
		err_set(err, ERR_CONFIG, "\"%s\" is not an address", host);
		return err_hint(
		    err, "give an address such as 0.0.0.0, ::1 or 192.0.2.1");
	}
	return 0;
}

void
listener_address_text(const struct sockaddr *address, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	const struct sockaddr_un *un = (const void *)address;
	char host[INET6_ADDRSTRLEN] = "?";

	switch (address->sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
		snprintf(text, size, "%s:%u", host, ntohs(v4->sin_port));
		break;
	case AF_INET6:
		if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
			inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], host,
			    sizeof host);
			snprintf(
			    text, size, "%s:%u", host, ntohs(v6->sin6_port));
			break;
		}
		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
		snprintf(text, size, "[%s]:%u", host, ntohs(v6->sin6_port));
		break;
	case AF_UNIX:
		snprintf(text, size, "%s", un->sun_path);
		break;
	default:
		snprintf(text, size, "?");
	}
}

enum sharing { ALONE, SHARED };

static int
open_one(struct listener_address *address, enum sharing sharing)
{
	int on = 1, fd;

	fd = socket(address->address.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (address->address.ss_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (sharing == SHARED)
		setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (bind(fd, (void *)&address->address, address->len) != 0 ||
	    listen(fd, BACKLOG) != 0 ||
	    getsockname(fd, (void *)&address->address, &address->len) != 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
listener_open(
    struct listener_address *address, int *fds, size_t count, struct err *err)
{
	char text[128];
	size_t opened = 0;
	int probe;

	probe = open_one(address, ALONE);
	if (probe < 0)
		goto fail;
	if (count == 1) {
		fds[0] = probe;
		return 0;
	}
	close(probe);
	for (; opened < count; opened++) {
		fds[opened] = open_one(address, SHARED);
		if (fds[opened] < 0)
			goto fail;
	}
	return 0;
fail:
	listener_address_text((void *)&address->address, text, sizeof text);
	err_set_errno(err, errno == EADDRINUSE ? ERR_TAKEN : ERR_SYSTEM,
	    "cannot listen on %s", text);
	if (errno == EACCES)
		err_hint(err,
		    "ports below 1024 need root or CAP_NET_BIND_SERVICE: "
		    "choose one above");
	else if (errno == EADDRNOTAVAIL)
		err_hint(err, "this machine has no such address: choose one "
			      "that `ip address` shows");
	while (opened > 0)
		close(fds[--opened]);
	return -1;
}

/* ---- who comes ---- */

void
listener_spare_init(struct listener_spare *spare)
{
	*spare = (struct listener_spare){
	    .fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
}

void
listener_spare_fini(struct listener_spare *spare)
{
	if (spare->fd >= 0)
		close(spare->fd);
	spare->fd = -1;
}

static void
send_away(int fd, struct listener_spare *spare)
{
	const struct linger reset = {.l_onoff = 1};
	int came;

	if (!spare->is_short)
		log_event(LOG_LEVEL_ERROR, "listener", "no-files",
		    "no descriptors left, who comes is sent away: raise the "
		    "limit of open files (ulimit -n, LimitNOFILE=)");
	spare->is_short = true;
	listener_spare_fini(spare);
	came = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (came >= 0) {
		setsockopt(came, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		close(came);
	}
	spare->fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int
listener_accept(int fd, struct listener_spare *spare)
{
	int came = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (came >= 0)
		spare->is_short = false;
	else if (errno == EMFILE || errno == ENFILE)
		send_away(fd, spare);
	return came;
}
