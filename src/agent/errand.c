#include "errand.h"

#include "carry.h"
#include "tunnel_listen.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { DRAIN_TURN_MS = 10, DRAIN_TURNS = 100 };

struct errand {
	struct loop *loop;
	struct carry *carry;
	struct forward forward;
	struct tunnel_listen ends;
	struct loop_watch door, stop;
	struct loop_timer *drain;
	int stop_fd;
	int turns_left;
	pthread_t thread;
	char dir[64];
	pthread_mutex_t lock; /* of the one below */
	struct err trouble;
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
	int fd = accept4(errand->ends.listeners[0].fd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)ready;
	if (fd >= 0)
		carry_take(errand->carry, fd, errand->forward.host,
		    errand->forward.host_port);
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

static void *
serve(void *arg)
{
	struct errand *errand = arg;
	struct err err = ERR_INIT;

	if (loop_run(errand->loop, &err) != 0)
		note(errand, &err);
	return NULL;
}

static int
prepare(struct errand *errand, const char *host, uint16_t port, struct err *err)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(errand->dir, sizeof errand->dir, "%.40s/kaya-XXXXXX",
	    tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	if (mkdtemp(errand->dir) == NULL) {
		errand->dir[0] = '\0';
		return err_set_errno(err, ERR_SYSTEM, "no temporary folder");
	}
	forward_default(&errand->forward, host, port);
	snprintf(errand->forward.path, sizeof errand->forward.path, "%s/mqtt",
	    errand->dir);
	errand->loop = loop_new(err);
	if (errand->loop == NULL ||
	    tunnel_listen_open(&errand->ends, &errand->forward, 1, err) != 0)
		return -1;
	errand->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	errand->drain = loop_timer_new(errand->loop, on_drain, errand);
	errand->turns_left = DRAIN_TURNS;
	if (errand->stop_fd < 0 || errand->drain == NULL)
		return err_set_errno(err, ERR_SYSTEM, "no event loop");
	loop_watch_start(errand->loop, &errand->stop, errand->stop_fd,
	    LOOP_READABLE, on_stop, errand);
	loop_watch_start(errand->loop, &errand->door,
	    errand->ends.listeners[0].fd, LOOP_READABLE, on_door, errand);
	return 0;
}

static void
free_errand(struct errand *errand)
{
	carry_free(errand->carry);
	loop_watch_stop(&errand->door);
	loop_watch_stop(&errand->stop);
	loop_timer_free(errand->drain);
	tunnel_listen_close(&errand->ends);
	if (errand->stop_fd >= 0)
		close(errand->stop_fd);
	loop_free(errand->loop);
	if (errand->dir[0] != '\0')
		rmdir(errand->dir);
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
	errand->stop_fd = -1;
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

const char *
errand_path(const struct errand *errand)
{
	return errand->forward.path;
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
