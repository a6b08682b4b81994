#include "monitor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

enum { MANY = 2000 };

struct seen {
	struct loop *loop;
	unsigned count;
	unsigned wanted;
	bool is_gone;
	int last_fd;
	char last[64];
};

static void
on_message(void *arg, const struct monitor_message *message, int fd)
{
	struct seen *seen = arg;

	if (message == NULL) {
		seen->is_gone = true;
		loop_stop(seen->loop);
		return;
	}
	assert_int_equal(message->ticket, seen->count);
	span_to_str(span_of(message->payload, message->len), seen->last,
	    sizeof seen->last);
	if (fd >= 0) {
		if (seen->last_fd >= 0)
			close(seen->last_fd);
		seen->last_fd = fd;
	}
	if (++seen->count == seen->wanted)
		loop_stop(seen->loop);
}

static void
test_messages_and_descriptors_arrive_in_order_past_a_full_socket(void **state)
{
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct seen seen = {.loop = loop, .wanted = MANY, .last_fd = -1};
	struct seen none = {.loop = loop, .last_fd = -1};
	struct monitor a, b;
	int fds[2], pipe_fds[2];
	char byte = 'x';

	assert_int_equal(monitor_pair(fds, &err), 0);
	monitor_start(&a, loop, fds[0], on_message, &none);
	monitor_start(&b, loop, fds[1], on_message, &seen);
	for (unsigned i = 0; i < MANY - 1; i++)
		monitor_send(&a, MONITOR_SIGN, 0, i, span_of_str("hash"), -1);
	assert_int_equal(pipe(pipe_fds), 0);
	monitor_send(
	    &a, MONITOR_CONNECTED, 0, MANY - 1, span_of_str("fd"), pipe_fds[1]);
	assert_int_equal(loop_run(loop, &err), 0);
	assert_int_equal(seen.count, MANY);
	assert_string_equal(seen.last, "fd");
	assert_int_equal(write(seen.last_fd, &byte, 1), 1);
	assert_int_equal(read(pipe_fds[0], &byte, 1), 1);
	close(seen.last_fd);
	/* Ours was closed when it was sent: now nobody writes any more. */
	assert_int_equal(read(pipe_fds[0], &byte, 1), 0);
	close(pipe_fds[0]);
	monitor_stop(&a);
	monitor_stop(&b);
	loop_free(loop);
}

static void
expect_gone(int fd)
{
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct seen seen = {.loop = loop, .last_fd = -1};
	struct monitor monitor;

	monitor_start(&monitor, loop, fd, on_message, &seen);
	assert_int_equal(loop_run(loop, &err), 0);
	assert_true(seen.is_gone);
	assert_int_equal(seen.count, 0);
	monitor_stop(&monitor);
	loop_free(loop);
}

static void
test_the_other_ends_death_is_told(void **state)
{
	struct err err = ERR_INIT;
	int fds[2];

	assert_int_equal(monitor_pair(fds, &err), 0);
	close(fds[0]);
	expect_gone(fds[1]);
}

static void
test_a_message_that_lies_about_its_length_ends_it(void **state)
{
	struct monitor_message message = {.op = MONITOR_SIGN, .len = 900};
	struct err err = ERR_INIT;
	int fds[2];

	assert_int_equal(monitor_pair(fds, &err), 0);
	assert_true(send(fds[0], &message,
			offsetof(struct monitor_message, payload) + 10, 0) > 0);
	expect_gone(fds[1]);
	close(fds[0]);
	assert_int_equal(monitor_pair(fds, &err), 0);
	assert_int_equal(send(fds[0], "abc", 3, 0), 3);
	expect_gone(fds[1]);
	close(fds[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_messages_and_descriptors_arrive_in_order_past_a_full_socket),
	    cmocka_unit_test(test_the_other_ends_death_is_told),
	    cmocka_unit_test(test_a_message_that_lies_about_its_length_ends_it),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
