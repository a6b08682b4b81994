#include "errand.h"

#include "carry.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DRAIN_TURN_MS = 10, DRAIN_TURNS = 100 };

struct errand {
	struct loop *loop;
	struct carry *carry;
	char host[256];
	uint16_t port;
	struct loop_watch door, stop;
	struct loop_timer *drain;
	int door_fds[2]; /* a pipe: descriptors that are handed over */
	int stop_fd;
	int turns_left;
	pthread_t thread;
	pthread_mutex_t lock; /* of those below */
	struct err trouble;
	bool is_over; /* nothing is carried any more */
};

static void
note(struct errand *errand, const struct err *err)
{
	pthread_mutex_lock(&errand->lock);
	if (errand->trouble.code == ERR_NONE)
		errand->trouble = *err;
	pthread_mutex_unlock(&errand->lock);
}

static void
on_gone(void *arg, const char *why)
{
	struct errand *errand = arg;
	struct err err = ERR_INIT;

	err_set(&err, ERR_UNREACHABLE, "the SSH connection was lost: %s", why);
	note(errand, &err);
	loop_stop(errand->loop);
}

static void
on_refused(void *arg, const struct err *err)
{
	note(arg, err);
}

static void
on_door(void *arg, unsigned ready)
{
	struct errand *errand = arg;
	int fd;

	(void)ready;
	if (read(errand->door_fds[0], &fd, sizeof fd) == sizeof fd)
		carry_take(errand->carry, fd, errand->host, errand->port);
}

static void
on_drain(void *arg)
{
	struct errand *errand = arg;

	if (carry_count(errand->carry) == 0 || errand->turns_left-- == 0)
		loop_stop(errand->loop);
	else
		loop_timer_start(errand->drain, DRAIN_TURN_MS);
}

static void
on_stop(void *arg, unsigned ready)
{
	struct errand *errand = arg;
	eventfd_t count;

	(void)ready;
	if (eventfd_read(errand->stop_fd, &count) == 0)
		on_drain(errand);
}

static void
close_handed_over(struct errand *errand)
{
	int fd;

	while (read(errand->door_fds[0], &fd, sizeof fd) == sizeof fd)
		close(fd);
}

static void *
serve(void *arg)
{
	struct errand *errand = arg;
	struct err err = ERR_INIT;

	if (loop_run(errand->loop, &err) != 0)
		note(errand, &err);
	/* Who waits at the other end of what was carried sees the end now. */
	carry_free(errand->carry);
	errand->carry = NULL;
	pthread_mutex_lock(&errand->lock);
	errand->is_over = true;
	close_handed_over(errand);
	pthread_mutex_unlock(&errand->lock);
	return NULL;
}

static int
prepare(struct errand *errand, const char *host, uint16_t port, struct err *err)
{
	if (!span_to_str(span_of_str(host), errand->host, sizeof errand->host))
		return err_set(err, ERR_USAGE, "\"%s\" is no host", host);
	errand->port = port;
	errand->loop = loop_new(err);
	if (errand->loop == NULL)
		return -1;
	errand->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	errand->drain = loop_timer_new(errand->loop, on_drain, errand);
	errand->turns_left = DRAIN_TURNS;
	if (errand->stop_fd < 0 || errand->drain == NULL ||
	    pipe2(errand->door_fds, O_NONBLOCK | O_CLOEXEC) != 0)
		return err_set_errno(err, ERR_SYSTEM, "no event loop");
	loop_watch_start(errand->loop, &errand->stop, errand->stop_fd,
	    LOOP_READABLE, on_stop, errand);
	loop_watch_start(errand->loop, &errand->door, errand->door_fds[0],
	    LOOP_READABLE, on_door, errand);
	return 0;
}

static void
close_all(struct errand *errand)
{
	const int fds[] = {
	    errand->stop_fd, errand->door_fds[0], errand->door_fds[1]};

	if (errand->door_fds[0] >= 0)
		close_handed_over(errand);
	for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

static void
free_errand(struct errand *errand)
{
	carry_free(errand->carry);
	loop_watch_stop(&errand->door);
	loop_watch_stop(&errand->stop);
	loop_timer_free(errand->drain);
	close_all(errand);
	loop_free(errand->loop);
	pthread_mutex_destroy(&errand->lock);
	free(errand);
}

struct errand *
errand_start(const struct link_options *options, const char *host,
    uint16_t port, struct err *err)
{
	struct errand *errand = calloc(1, sizeof *errand);
	struct carry_events events;
	struct link *link;

	if (errand == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	errand->stop_fd = errand->door_fds[0] = errand->door_fds[1] = -1;
	pthread_mutex_init(&errand->lock, NULL);
	link = link_open(options, err);
	if (link == NULL)
		goto fail;
	if (prepare(errand, host, port, err) != 0) {
		link_free(link);
		goto fail;
	}
	events = (struct carry_events){
	    .gone = on_gone, .refused = on_refused, .arg = errand};
	errand->carry = carry_new(errand->loop, link, &events, err);
	if (errand->carry == NULL)
		goto fail;
	if (pthread_create(&errand->thread, NULL, serve, errand) != 0) {
		err_set(err, ERR_SYSTEM, "a thread cannot be started");
		goto fail;
	}
	return errand;
fail:
	free_errand(errand);
	return NULL;
}

int
errand_carry(struct errand *errand, int fd, struct err *err)
{
	bool is_taken = false;

	pthread_mutex_lock(&errand->lock);
	if (errand->is_over)
		*err = errand->trouble;
	else if (write(errand->door_fds[1], &fd, sizeof fd) == sizeof fd)
		is_taken = true;
	else
		err_set_errno(err, ERR_SYSTEM, "nothing more can be carried");
	pthread_mutex_unlock(&errand->lock);
	if (is_taken)
		return 0;
	close(fd);
	return -1;
}

int
errand_connect(struct errand *errand, struct err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		return err_set_errno(err, ERR_SYSTEM, "no socket");
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
	if (errand_carry(errand, ends[1], err) == 0)
		return ends[0];
	close(ends[0]);
	return -1;
}

int
errand_check(struct errand *errand, struct err *err)
{
	int result = 0;

	pthread_mutex_lock(&errand->lock);
	if (errand->trouble.code != ERR_NONE) {
		*err = errand->trouble;
		result = -1;
	}
	pthread_mutex_unlock(&errand->lock);
	return result;
}

void
errand_stop(struct errand *errand)
{
	if (errand == NULL)
		return;
	eventfd_write(errand->stop_fd, 1);
	pthread_join(errand->thread, NULL);
	free_errand(errand);
}
