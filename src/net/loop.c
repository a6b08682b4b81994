#include "loop.h"

#include <assert.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdlib.h>

_Static_assert(
    sizeof(struct event) <= sizeof(((struct loop_watch *)NULL)->event),
    "struct loop_watch has no room for libevent's struct event");

struct loop {
	struct event_base *base;
	struct loop_deferred *deferred;
	bool stopping;
};

struct loop_timer {
	struct loop *loop;
	struct event *event;
	loop_timer_fn *fn;
	void *arg;
};

struct loop_signal {
	struct loop *loop;
	struct event *event;
	loop_signal_fn *fn;
	void *arg;
};

struct loop *
loop_new(struct err *err)
{
	struct loop *loop = calloc(1, sizeof *loop);
	struct event_config *config = event_config_new();

	if (loop == NULL || config == NULL)
		goto fail;
	/* One loop a thread and no calls across: no locks. */
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	/*
	 * No list of changes either (EPOLL_USE_CHANGELIST): it tells the
	 * kernel of a watch's end at the next turn, when a descriptor that was
	 * passed to another process is closed here, cannot be named any more
	 * and would wake us for ever.
	 */
	loop->base = event_base_new_with_config(config);
	if (loop->base == NULL)
		goto fail;
	event_config_free(config);
	return loop;
fail:
	if (config != NULL)
		event_config_free(config);
	free(loop);
	err_set_errno(err, ERR_SYSTEM, "no event loop can be made");
	return NULL;
}

static void
run_deferred(struct loop *loop)
{
	while (loop->deferred != NULL) {
		struct loop_deferred *node = loop->deferred;
		loop_defer_fn *fn = node->fn;

		loop->deferred = node->next;
		node->fn = NULL;
		fn(node->arg);
	}
}

void
loop_free(struct loop *loop)
{
	if (loop == NULL)
		return;
	run_deferred(loop);
	event_base_free(loop->base);
	free(loop);
}

int
loop_run(struct loop *loop, struct err *err)
{
	while (!loop->stopping) {
		if (event_base_loop(loop->base, EVLOOP_ONCE) < 0)
			return err_set_errno(
			    err, ERR_SYSTEM, "the event loop failed");
		run_deferred(loop);
	}
	loop->stopping = false;
	return 0;
}

void
loop_stop(struct loop *loop)
{
	loop->stopping = true;
	event_base_loopbreak(loop->base);
}

void
loop_defer(
    struct loop *loop, struct loop_deferred *node, loop_defer_fn *fn, void *arg)
{
	if (node->fn != NULL)
		return; /* queued already */
	*node = (struct loop_deferred){
	    .next = loop->deferred, .fn = fn, .arg = arg};
	loop->deferred = node;
}

static struct event *
event_of(struct loop_watch *watch)
{
	return (struct event *)(void *)watch->event;
}

static void
on_fd(evutil_socket_t fd, short what, void *arg)
{
	struct loop_watch *watch = arg;
	unsigned ready = 0;

	(void)fd;
	if ((what & EV_READ) != 0)
		ready |= LOOP_READABLE;
	if ((what & EV_WRITE) != 0)
		ready |= LOOP_WRITABLE;
	watch->fn(watch->arg, ready);
}

static void
arm(struct loop_watch *watch)
{
	short what = EV_PERSIST;

	if (watch->wanted == 0)
		return;
	if ((watch->wanted & LOOP_READABLE) != 0)
		what |= EV_READ;
	if ((watch->wanted & LOOP_WRITABLE) != 0)
		what |= EV_WRITE;
	event_assign(
	    event_of(watch), watch->loop->base, watch->fd, what, on_fd, watch);
	event_add(event_of(watch), NULL);
}

void
loop_watch_start(struct loop *loop, struct loop_watch *watch, int fd,
    unsigned wanted, loop_fd_fn *fn, void *arg)
{
	watch->loop = loop;
	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	watch->wanted = (unsigned char)wanted;
	arm(watch);
}

void
loop_watch_want(struct loop_watch *watch, unsigned wanted)
{
	if (watch->loop == NULL || watch->wanted == wanted)
		return;
	if (watch->wanted != 0)
		event_del(event_of(watch));
	watch->wanted = (unsigned char)wanted;
	arm(watch);
}

void
loop_watch_stop(struct loop_watch *watch)
{
	loop_watch_want(watch, 0);
	watch->loop = NULL;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct loop_timer *timer = arg;

	(void)fd;
	(void)what;
	timer->fn(timer->arg);
}

struct loop_timer *
loop_timer_new(struct loop *loop, loop_timer_fn *fn, void *arg)
{
	struct loop_timer *timer = calloc(1, sizeof *timer);

	if (timer == NULL)
		return NULL;
	*timer = (struct loop_timer){.loop = loop, .fn = fn, .arg = arg};
	timer->event = evtimer_new(loop->base, on_timer, timer);
	if (timer->event == NULL) {
		free(timer);
		return NULL;
	}
	return timer;
}

void
loop_timer_start(struct loop_timer *timer, uint64_t delay_ms)
{
	const struct timeval delay = {
	    .tv_sec = (time_t)(delay_ms / 1000),
	    .tv_usec = (suseconds_t)(delay_ms % 1000 * 1000),
	};

	evtimer_add(timer->event, &delay);
}

void
loop_timer_stop(struct loop_timer *timer)
{
	evtimer_del(timer->event);
}

void
loop_timer_free(struct loop_timer *timer)
{
	if (timer == NULL)
		return;
	event_free(timer->event);
	free(timer);
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct loop_signal *signal = arg;

	(void)what;
	signal->fn(signal->arg, number);
}

struct loop_signal *
loop_signal_new(
    struct loop *loop, int signal_number, loop_signal_fn *fn, void *arg)
{
	struct loop_signal *signal = calloc(1, sizeof *signal);

	if (signal == NULL)
		return NULL;
	*signal = (struct loop_signal){.loop = loop, .fn = fn, .arg = arg};
	signal->event =
	    evsignal_new(loop->base, signal_number, on_signal, signal);
	if (signal->event == NULL || event_add(signal->event, NULL) != 0) {
		if (signal->event != NULL)
			event_free(signal->event);
		free(signal);
		return NULL;
	}
	return signal;
}

void
loop_signal_free(struct loop_signal *signal)
{
	if (signal == NULL)
		return;
	event_free(signal->event);
	free(signal);
}
