#include "monitor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TURN_MESSAGES = 64 }; /* then the others have their turn */

struct monitor_unsent {
	struct monitor_unsent *next;
	int pass_fd;
	struct monitor_message message;
};

int
monitor_pair(int fds[2], struct err *err)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
		0, fds) != 0)
		return err_set_errno(err, ERR_SYSTEM, "no socket pair");
	return 0;
}

static size_t
size_of(const struct monitor_message *message)
{
	return offsetof(struct monitor_message, payload) + message->len;
}

enum sent { SENT, SENT_LATER };

static enum sent
send_one(int fd, const struct monitor_message *message, int pass_fd)
{
	struct iovec iov = {(void *)message, size_of(message)};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr packet = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (pass_fd >= 0) {
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &pass_fd, sizeof pass_fd);
		packet.msg_control = &control;
		packet.msg_controllen = sizeof control;
	}
	do
		n = sendmsg(fd, &packet, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* ETOOMANYREFS: too many descriptors are on their way; they arrive. */
	if (n < 0 && (errno == EAGAIN || errno == ETOOMANYREFS))
		return SENT_LATER;
	return SENT;
}

/* It may have held a code. */
static void
forget(struct monitor_unsent *unsent)
{
	explicit_bzero(unsent->message.payload, unsent->message.len);
	free(unsent);
}

static void
send_unsent(struct monitor *monitor)
{
	struct monitor_unsent *first;

	while ((first = monitor->unsent) != NULL) {
		if (send_one(monitor->fd, &first->message, first->pass_fd) ==
		    SENT_LATER)
			return;
		if (first->pass_fd >= 0)
			close(first->pass_fd);
		monitor->unsent = first->next;
		forget(first);
	}
	monitor->last = &monitor->unsent;
	loop_watch_want(&monitor->watch, LOOP_READABLE);
}

/* The next message into `message`; its length, 0 at the end, -1 for none. */
static ssize_t
receive_one(int fd, struct monitor_message *message, int *passed_fd)
{
	struct iovec iov = {message, sizeof *message};
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr packet = {.msg_iov = &iov,
	    .msg_iovlen = 1,
	    .msg_control = &control,
	    .msg_controllen = sizeof control};
	struct cmsghdr *header;
	ssize_t n;

	do
		n = recvmsg(fd, &packet, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	*passed_fd = -1;
	if (n < 0)
		return errno == EAGAIN ? -1 : 0;
	header = CMSG_FIRSTHDR(&packet);
	if (header != NULL && header->cmsg_type == SCM_RIGHTS)
		memcpy(passed_fd, CMSG_DATA(header), sizeof *passed_fd);
	return n;
}

static void
on_ready(void *arg, unsigned ready)
{
	struct monitor *monitor = arg;
	struct monitor_message message;
	int passed_fd;

	if ((ready & LOOP_WRITABLE) != 0)
		send_unsent(monitor);
	if ((ready & LOOP_READABLE) == 0)
		return;
	for (int i = 0; i < TURN_MESSAGES && monitor->fd >= 0; i++) {
		ssize_t n = receive_one(monitor->fd, &message, &passed_fd);

		if (n < 0)
			return;
		if (n < (ssize_t)offsetof(struct monitor_message, payload) ||
		    message.len > MONITOR_PAYLOAD_MAX ||
		    (size_t)n != size_of(&message)) {
			/* Its end, or a message that none of ours makes. */
			if (passed_fd >= 0)
				close(passed_fd);
			loop_watch_stop(&monitor->watch);
			monitor->fn(monitor->arg, NULL, -1);
			return;
		}
		monitor->fn(monitor->arg, &message, passed_fd);
		explicit_bzero(message.payload, message.len);
	}
}

void
monitor_start(struct monitor *monitor, struct loop *loop, int fd,
    monitor_fn *fn, void *arg)
{
	*monitor =
	    (struct monitor){.fd = fd, .loop = loop, .fn = fn, .arg = arg};
	monitor->last = &monitor->unsent;
	loop_watch_start(
	    loop, &monitor->watch, fd, LOOP_READABLE, on_ready, monitor);
}

void
monitor_stop(struct monitor *monitor)
{
	if (monitor->fd < 0)
		return;
	loop_watch_stop(&monitor->watch);
	close(monitor->fd);
	monitor->fd = -1;
	while (monitor->unsent != NULL) {
		struct monitor_unsent *first = monitor->unsent;

		monitor->unsent = first->next;
		if (first->pass_fd >= 0)
			close(first->pass_fd);
		forget(first);
	}
}

void
monitor_send(struct monitor *monitor, enum monitor_op op, int32_t value,
    uint64_t ticket, struct span payload, int pass_fd)
{
	struct monitor_unsent *unsent;
	struct monitor_message message;
	enum sent sent = SENT_LATER;

	assert(payload.len <= MONITOR_PAYLOAD_MAX);
	message.op = op;
	message.value = value;
	message.ticket = ticket;
	message.len = (uint32_t)payload.len;
	if (payload.len > 0)
		memcpy(message.payload, payload.data, payload.len);
	if (monitor->unsent == NULL)
		sent = send_one(monitor->fd, &message, pass_fd);
	if (sent == SENT) {
		if (pass_fd >= 0)
			close(pass_fd);
	} else {
		/* No longer than it is: thousands may wait. */
		unsent = malloc(offsetof(struct monitor_unsent, message) +
				size_of(&message));
		if (unsent == NULL)
			abort(); /* neither process can go on without the other
				  */
		unsent->next = NULL;
		unsent->pass_fd = pass_fd;
		memcpy(&unsent->message, &message, size_of(&message));
		*monitor->last = unsent;
		monitor->last = &unsent->next;
		loop_watch_want(&monitor->watch, LOOP_READABLE | LOOP_WRITABLE);
	}
	explicit_bzero(message.payload, payload.len);
}
