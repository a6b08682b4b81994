#ifndef KAYA_LOOP_H
#define KAYA_LOOP_H

/*
 * loop: one thread's event loop.  This room is the only one of the gateway
 * that knows libevent.
 */

#include "err.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;

/* NULL and `err` on failure. */
struct loop *loop_new(struct err *err);

/* Runs what was deferred, then frees the loop.  NULL is fine. */
void loop_free(struct loop *loop);

/*
 * Serve until loop_stop; may be called again.  0, or -1 where the system's
 * polling fails.
 */
int loop_run(struct loop *loop, struct err *err);

/* End loop_run at the end of this turn.  To be called in the loop's thread. */
void loop_stop(struct loop *loop);

/*
 * Call `fn(arg)` at the end of this turn, after all that is ready has been
 * served: the place for freeing what a callback may still stand on.
 */
typedef void loop_defer_fn(void *arg);
struct loop_deferred {
	struct loop_deferred *next;
	loop_defer_fn *fn;
	void *arg;
};
/* `node` is the caller's memory, free for other use once `fn` is called. */
void loop_defer(struct loop *loop, struct loop_deferred *node,
    loop_defer_fn *fn, void *arg);

/* ---- descriptors ---- */

enum loop_ready {
	LOOP_READABLE = 1,
	LOOP_WRITABLE = 2,
};

typedef void loop_fd_fn(void *arg, unsigned ready);

/* Room for libevent's own struct, so that a watch needs no second piece. */
struct loop_watch {
	_Alignas(16) unsigned char event[128];
	loop_fd_fn *fn;
	void *arg;
	struct loop *loop;
	int fd;
	unsigned char wanted; /* enum loop_ready, or 0 */
};

/* Begin to watch `fd` (non-blocking) for what `wanted` says; 0 is fine. */
void loop_watch_start(struct loop *loop, struct loop_watch *watch, int fd,
    unsigned wanted, loop_fd_fn *fn, void *arg);

/* Change what is waited for.  No cost where nothing changes. */
void loop_watch_want(struct loop_watch *watch, unsigned wanted);

/* No more calls.  Does not close `fd`.  Nothing where not started. */
void loop_watch_stop(struct loop_watch *watch);

/* ---- timers and signals, few of them (many deadlines: wheel.h) ---- */

struct loop_timer;
typedef void loop_timer_fn(void *arg);

/* A timer that is not running.  NULL where memory fails. */
struct loop_timer *loop_timer_new(
    struct loop *loop, loop_timer_fn *fn, void *arg);
/* Once, `delay_ms` from now; set again, it is moved. */
void loop_timer_start(struct loop_timer *timer, uint64_t delay_ms);
void loop_timer_stop(struct loop_timer *timer);
void loop_timer_free(struct loop_timer *timer);

struct loop_signal;
typedef void loop_signal_fn(void *arg, int signal_number);
struct loop_signal *loop_signal_new(
    struct loop *loop, int signal_number, loop_signal_fn *fn, void *arg);
void loop_signal_free(struct loop_signal *signal);

#endif
