#include "local_end.h"

#include "holder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool
local_end_set(struct local_end *end, const char *digits, uint16_t port)
{
	struct sockaddr_in *v4 = (void *)&end->name;
	struct sockaddr_in6 *v6 = (void *)&end->name;

	memset(end, 0, sizeof *end);
	if (inet_pton(AF_INET, digits, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
		end->len = sizeof *v4;
		snprintf(end->text, sizeof end->text, "%s:%u", digits, port);
	} else if (inet_pton(AF_INET6, digits, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
		end->len = sizeof *v6;
		snprintf(end->text, sizeof end->text, "[%s]:%u", digits, port);
	}
	return end->len > 0;
}

void
local_end_probe(struct local_end *end)
{
	const int on = 1;
	int fd;

	end->error = 0;
	if (end->len == 0) {
		end->error = EAFNOSUPPORT;
		return;
	}
	fd = socket(end->name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) {
		end->error = errno;
		return;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (end->name.ss_family == AF_INET6)
		setsockopt(fd, SOL_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, (struct sockaddr *)&end->name, end->len) != 0 ||
	    listen(fd, 1) != 0)
		end->error = errno;
	close(fd);
	if (end->error == EADDRINUSE)
		holder_of((const struct sockaddr *)&end->name, end->holder,
		    sizeof end->holder);
}

bool
local_end_is_here(const char *digits)
{
	struct local_end end;
	bool here = false;
	int fd;

	if (!local_end_set(&end, digits, 0))
		return false;
	fd = socket(end.name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		here = bind(fd, (struct sockaddr *)&end.name, end.len) == 0;
		close(fd);
	}
	return here;
}
