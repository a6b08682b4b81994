#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

struct seen {
	struct loop *loop;
	unsigned calls;
};

static void
on_ready(void *arg, unsigned ready)
{
	struct seen *seen = arg;

	assert_int_not_equal(ready, 0);
	seen->calls++;
}

static void
on_time(void *arg)
{
	struct seen *seen = arg;

	loop_stop(seen->loop);
}

static double
cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Serve for `ms`; the CPU that it took, in ms. */
static double
serve(struct seen *seen, uint64_t ms)
{
	struct err err = ERR_INIT;
	struct loop_timer *timer = loop_timer_new(seen->loop, on_time, seen);
	double before = cpu_ms();

	assert_non_null(timer);
	loop_timer_start(timer, ms);
	assert_int_equal(loop_run(seen->loop, &err), 0);
	loop_timer_free(timer);
	return cpu_ms() - before;
}

/* A descriptor's watch, ended in a turn in which the loop has served it. */
struct given {
	struct seen seen;
	struct loop_watch watch;
	int fd;
};

static void
on_given(void *arg, unsigned ready)
{
	struct given *given = arg;

	on_ready(&given->seen, ready);
	loop_watch_stop(&given->watch);
	close(given->fd);
}

/*
 * The kernel watches a descriptor as long as any copy of it is open, and the
 * gateway's connections to brokers are watched by one process and then given
 * to another.
 */
static void
test_a_descriptor_that_was_given_away_wakes_nobody(void **state)
{
	struct given given = {.fd = -1};
	struct err err = ERR_INIT;
	int pair[2], copy;

	(void)state;
	given.seen.loop = loop_new(&err);
	assert_non_null(given.seen.loop);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	given.fd = pair[0];
	copy = dup(pair[0]);
	assert_true(copy >= 0);
	loop_watch_start(given.seen.loop, &given.watch, pair[0], LOOP_READABLE,
	    on_given, &given);
	/* What nobody reads: a copy that is watched would stay ready. */
	assert_int_equal(write(pair[1], "x", 1), 1);

	assert_true(serve(&given.seen, 300) < 100);
	assert_int_equal(given.seen.calls, 1);
	close(copy);
	close(pair[1]);
	loop_free(given.seen.loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_descriptor_that_was_given_away_wakes_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
