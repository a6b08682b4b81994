#include "agent_wire.h"

#include "wire.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static bool
read_all(int fd, uint8_t *data, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, data, len, 0);

		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

bool
agent_wire_write(int fd, struct span data)
{
	while (data.len > 0) {
		ssize_t n = send(fd, data.data, data.len, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		data = span_of(data.data + n, data.len - (size_t)n);
	}
	return true;
}

bool
agent_wire_read(int fd, struct buf *message)
{
	uint8_t header[4], *body;
	uint32_t len;

	if (!read_all(fd, header, sizeof header))
		return false;
	len = wire_peek_u32(header);
	if (!buf_append(message, header, sizeof header) ||
	    (body = buf_reserve(message, len)) == NULL ||
	    !read_all(fd, body, len))
		return false;
	buf_commit(message, len);
	return true;
}

int
agent_wire_connect(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (strlen(path) >= sizeof address.sun_path)
		return -1;
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 &&
	    connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}
