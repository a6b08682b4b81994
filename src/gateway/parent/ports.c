#include "ports.h"

#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FIRST_INHERITED = 3 };

static size_t
count_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	uint64_t whose, number;

	if (pid == NULL || count == NULL ||
	    !str_to_u64(span_of_str(pid), 1, INT32_MAX, &whose) ||
	    whose != (uint64_t)getpid() ||
	    !str_to_u64(span_of_str(count), 0, INT32_MAX, &number))
		return 0;
	return (size_t)number;
}

static void
put(struct ports *ports, size_t thread, int fd)
{
	ports->fds[thread * PORTS_MAX + ports->count] = fd;
}

/* There is one descriptor of each: the threads share it. */
static int
take_inherited(struct ports *ports, size_t count, struct err *err)
{
	if (count > PORTS_MAX)
		return err_set(
		    err, ERR_CONFIG, "more than %d sockets", PORTS_MAX);
	for (; ports->count < count; ports->count++) {
		struct listener_address *address =
		    &ports->addresses[ports->count];
		int fd = FIRST_INHERITED + (int)ports->count;

		address->len = sizeof address->address;
		if (getsockname(fd, (void *)&address->address, &address->len) !=
		    0)
			return err_set_errno(
			    err, ERR_CONFIG, "descriptor %d is no socket", fd);
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
		for (size_t i = 0; i < ports->threads; i++)
			put(ports, i,
			    fcntl(fd, F_DUPFD_CLOEXEC, FIRST_INHERITED));
		close(fd);
	}
	return 0;
}

static int
open_one(
    struct ports *ports, const struct settings_listen *listen, struct err *err)
{
	struct listener_address *address = &ports->addresses[ports->count];
	int fds[SETTINGS_THREADS_MAX];

	if (listener_address_parse(address, listen->host, listen->port, err) !=
	    0)
		return -1;
	if (listener_open(address, fds, ports->threads, err) != 0) {
		/* A machine without IPv6 is no fault. */
		if (listen->is_optional && (err->os_errno == EAFNOSUPPORT ||
					       err->os_errno == EADDRNOTAVAIL))
			return 0;
		return -1;
	}
	for (size_t i = 0; i < ports->threads; i++)
		put(ports, i, fds[i]);
	ports->count++;
	return 0;
}

/* From rows of PORTS_MAX to rows of as many as there are. */
static void
close_gaps(struct ports *ports)
{
	for (size_t i = 1; i < ports->threads; i++)
		memmove(ports->fds + i * ports->count,
		    ports->fds + i * PORTS_MAX,
		    ports->count * sizeof *ports->fds);
}

int
ports_open(
    struct ports *ports, const struct settings *settings, struct err *err)
{
	size_t inherited = count_inherited(), cells;
	int result = 0;

	*ports = (struct ports){.threads = settings->threads};
	cells = ports->threads * PORTS_MAX;
	ports->fds = malloc(cells * sizeof *ports->fds);
	if (ports->fds == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	for (size_t i = 0; i < cells; i++)
		ports->fds[i] = -1;
	if (inherited > 0)
		result = take_inherited(ports, inherited, err);
	for (size_t i = 0;
	     inherited == 0 && i < settings->listen_count && result == 0; i++)
		result = open_one(ports, &settings->listen[i], err);
	close_gaps(ports);
	if (result == 0 && ports->count == 0)
		result = -1; /* err tells of the last that was left out */
	if (result != 0)
		ports_close(ports);
	else
		err_clear(err);
	return result;
}

void
ports_close(struct ports *ports)
{
	for (size_t i = 0;
	     ports->fds != NULL && i < ports->threads * ports->count; i++)
		if (ports->fds[i] >= 0)
			close(ports->fds[i]);
	free(ports->fds);
	ports->fds = NULL;
}
