#include "stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum stream_result
stream_read(int fd, uint8_t *bytes, size_t size, size_t *len)
{
	ssize_t n;

	*len = 0;
	do
		n = read(fd, bytes, size);
	while (n < 0 && errno == EINTR);
	if (n > 0) {
		*len = (size_t)n;
		return STREAM_OK;
	}
	if (n == 0)
		return STREAM_EOF;
	return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
}

enum stream_result
stream_write(int fd, struct buf *out)
{
	while (buf_len(out) > 0) {
		struct span bytes = buf_span(out);
		ssize_t n = send(fd, bytes.data, bytes.len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
		buf_consume(out, (size_t)n);
		if ((size_t)n < bytes.len)
			return STREAM_AGAIN;
	}
	return STREAM_OK;
}

enum stream_result
stream_write_parts(int fd, const struct iovec *parts, size_t count, size_t *len)
{
	const struct msghdr message = {
	    .msg_iov = (struct iovec *)parts, .msg_iovlen = count};
	size_t all = 0;
	ssize_t n;

	*len = 0;
	for (size_t i = 0; i < count; i++)
		all += parts[i].iov_len;
	/* One part is the rule, and costs less without a list of parts. */
	do
		n = count == 1 ? send(fd, parts->iov_base, parts->iov_len,
				     MSG_NOSIGNAL)
			       : sendmsg(fd, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? STREAM_AGAIN : STREAM_FAILED;
	*len = (size_t)n;
	return *len < all ? STREAM_AGAIN : STREAM_OK;
}

void
stream_set_nodelay(int fd)
{
	int on = 1;

	/* Fails on a UNIX socket, where there is nothing to set. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}
