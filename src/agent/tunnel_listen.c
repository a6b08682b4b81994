#include "tunnel_listen.h"

#include "holder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BACKLOG = 128 };

enum wanted { WANTED, WANTED_WHERE_POSSIBLE };

static struct tunnel_listener *
next_free(struct tunnel_listen *ends, const struct forward *forward)
{
	struct tunnel_listener *listener;

	if (ends->count == TUNNEL_LISTEN_MAX)
		return NULL;
	listener = &ends->listeners[ends->count];
	listener->forward = forward;
	return listener;
}

static int
too_many(struct err *err)
{
	return err_set(
	    err, ERR_USAGE, "more than %d addresses", TUNNEL_LISTEN_MAX);
}

static bool
is_ours(const struct tunnel_listen *ends, const char *text)
{
	for (size_t i = 0; i < ends->count; i++)
		if (strcmp(ends->listeners[i].text, text) == 0)
			return true;
	return false;
}

static int
twice(const char *text, struct err *err)
{
	err_set(err, ERR_USAGE, "%s is to be listened on twice", text);
	return err_hint(err, "leave one of the two -L, or LocalForward of "
			     "ssh_config, out");
}

static int
open_port(struct tunnel_listen *ends, const struct forward *forward,
    const char *bind, enum wanted wanted, struct err *err)
{
	struct tunnel_listener *listener = next_free(ends, forward);
	struct listener_address address;
	char holder[160];

	if (listener == NULL)
		return too_many(err);
	if (listener_address_parse(&address, bind, forward->port, err) != 0) {
		err->code = ERR_USAGE;
		return -1;
	}
	if (listener_open(&address, &listener->fd, 1, err) == 0) {
		listener_address_text((void *)&address.address, listener->text,
		    sizeof listener->text);
		ends->count++;
		return 0;
	}
	/* A machine without IPv6 is no fault; an address in use is. */
	if (wanted == WANTED_WHERE_POSSIBLE &&
	    (err->os_errno == EAFNOSUPPORT || err->os_errno == EADDRNOTAVAIL))
		return 0;
	if (err->code == ERR_TAKEN) {
		listener_address_text((void *)&address.address, listener->text,
		    sizeof listener->text);
		if (is_ours(ends, listener->text))
			return twice(listener->text, err);
		err_set(err, ERR_TAKEN, "%s is taken by %s", listener->text,
		    holder_of((void *)&address.address, holder, sizeof holder));
		err_hint(err, "stop that program, or listen elsewhere: -L %u",
		    forward->port < UINT16_MAX ? forward->port + 1u
					       : forward->port - 1u);
	}
	return -1;
}

static int
open_both(struct tunnel_listen *ends, const struct forward *forward,
    const char *v4, const char *v6, struct err *err)
{
	if (open_port(ends, forward, v4, WANTED, err) != 0)
		return -1;
	return open_port(ends, forward, v6, WANTED_WHERE_POSSIBLE, err);
}

static bool
is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool served =
	    fd >= 0 && connect(fd, (void *)address, sizeof *address) == 0;

	if (fd >= 0)
		close(fd);
	return served;
}

/* errno tells why nothing can listen there. */
static void
explain_path(const char *path, struct err *err)
{
	struct stat st;
	int why = errno;

	if (why == EADDRINUSE && lstat(path, &st) == 0) {
		err_set(err, ERR_TAKEN, "cannot listen on %s: %s", path,
		    S_ISDIR(st.st_mode) ? "it is a folder"
					: "there is a file of that name");
		err_hint(err, "choose another path");
		return;
	}
	errno = why;
	err_set_errno(err, ERR_SYSTEM, "cannot listen on %s", path);
	if (why == ENOENT || why == ENOTDIR)
		err_hint(err, "make its folder first, or choose another path");
	else if (why == EACCES || why == EROFS)
		err_hint(err, "choose a folder that this user may write in");
}

static int
open_path(
    struct tunnel_listen *ends, const struct forward *forward, struct err *err)
{
	struct tunnel_listener *listener = next_free(ends, forward);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct stat st;
	mode_t mask;
	int bound;

	if (listener == NULL)
		return too_many(err);
	snprintf(
	    address.sun_path, sizeof address.sun_path, "%s", forward->path);
	if (is_served(&address)) {
		err_set(err, ERR_TAKEN, "%s is taken by another program",
		    forward->path);
		return err_hint(err, "stop that program, or choose another "
				     "path");
	}
	/* What is left of an earlier run goes; any other file stays. */
	if (lstat(forward->path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(forward->path);
	listener->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	bound = listener->fd < 0
		    ? -1
		    : bind(listener->fd, (void *)&address, sizeof address);
	umask(mask);
	if (bound != 0 || listen(listener->fd, BACKLOG) != 0) {
		explain_path(forward->path, err);
		if (listener->fd >= 0)
			close(listener->fd);
		return -1;
	}
	snprintf(listener->text, sizeof listener->text, "%s", forward->path);
	ends->count++;
	return 0;
}

static int
open_forward(
    struct tunnel_listen *ends, const struct forward *forward, struct err *err)
{
	if (forward->path[0] != '\0')
		return open_path(ends, forward, err);
	if (strcmp(forward->bind, "*") == 0)
		return open_both(ends, forward, "0.0.0.0", "::", err);
	if (forward->bind[0] == '\0' || strcmp(forward->bind, "localhost") == 0)
		return open_both(ends, forward, "127.0.0.1", "::1", err);
	return open_port(ends, forward, forward->bind, WANTED, err);
}

int
tunnel_listen_open(struct tunnel_listen *ends, const struct forward *forwards,
    size_t count, struct err *err)
{
	ends->count = 0;
	ends->spare.fd = -1;
	for (size_t i = 0; i < count; i++) {
		if (open_forward(ends, &forwards[i], err) != 0) {
			tunnel_listen_close(ends);
			return -1;
		}
	}
	listener_spare_init(&ends->spare);
	err_clear(err);
	return 0;
}

int
tunnel_listen_accept(
    struct tunnel_listen *ends, const struct tunnel_listener *listener)
{
	return listener_accept(listener->fd, &ends->spare);
}

void
tunnel_listen_close(struct tunnel_listen *ends)
{
	for (size_t i = 0; i < ends->count; i++) {
		close(ends->listeners[i].fd);
		if (ends->listeners[i].forward->path[0] != '\0')
			unlink(ends->listeners[i].forward->path);
	}
	if (ends->count > 0)
		listener_spare_fini(&ends->spare);
	ends->count = 0;
}

void
tunnel_listen_text(const struct tunnel_listen *ends, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ends->count && used < size; i++)
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    i > 0 ? ", " : "", ends->listeners[i].text);
}
