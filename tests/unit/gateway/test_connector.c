#include "connector.h"

#include "clock.h"
#include "listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct outcome {
	struct loop *loop;
	unsigned left; /* stops the loop at 0 */
	unsigned connected, failed;
	int broker;
	char why[256];
};

static void
on_done(void *arg, int fd, int broker, const char *why)
{
	struct outcome *outcome = arg;

	outcome->broker = broker;
	if (fd >= 0) {
		outcome->connected++;
		close(fd);
	} else {
		outcome->failed++;
		snprintf(outcome->why, sizeof outcome->why, "%s", why);
	}
	if (--outcome->left == 0)
		loop_stop(outcome->loop);
}

static void
on_time(void *arg)
{
	loop_stop(arg);
}

static void
run_for(struct loop *loop, uint64_t ms)
{
	struct loop_timer *timer = loop_timer_new(loop, on_time, loop);
	struct err err = ERR_INIT;

	loop_timer_start(timer, ms);
	loop_run(loop, &err);
	loop_timer_free(timer);
}

/* Connections that nobody accepts, begun and left alone. */
static void
fill(int listener, int *fds, int count)
{
	struct sockaddr_storage to;
	socklen_t len = sizeof to;

	getsockname(listener, (void *)&to, &len);
	for (int i = 0; i < count; i++) {
		fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fds[i], (void *)&to, len);
	}
}

/* A listening socket, its address as text. */
static int
listen_somewhere(char *text, size_t size)
{
	struct listener_address address;
	struct err err = ERR_INIT;
	int fd;

	assert_int_equal(
	    listener_address_parse(&address, "127.0.0.1", 0, &err), 0);
	assert_int_equal(listener_open(&address, &fd, 1, &err), 0);
	listener_address_text((void *)&address.address, text, size);
	return fd;
}

static struct connector_target
target(const char *address)
{
	return (struct connector_target){.name = address,
	    .address = address,
	    .health_interval_ms = 60000,
	    .connect_timeout_ms = 5000};
}

/* Ask for one of `wanted` and wait for the outcome. */
static struct outcome
ask(struct loop *loop, struct connector *connector, uint32_t wanted)
{
	struct outcome outcome = {.loop = loop, .left = 1};
	struct err err = ERR_INIT;

	connector_connect(connector, wanted, on_done, &outcome);
	while (outcome.left > 0)
		assert_int_equal(loop_run(loop, &err), 0);
	return outcome;
}

static void
test_a_broker_that_is_down_is_passed_over_and_named_when_all_are(void **state)
{
	char up[64], down[64];
	int up_fd = listen_somewhere(up, sizeof up);
	struct connector_target targets[] = {target(down), target(up)};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;
	struct outcome outcome;

	close(listen_somewhere(down, sizeof down));
	connector = connector_new(loop, targets, 2, &err);
	assert_non_null(connector);
	outcome = ask(loop, connector, 3);
	assert_int_equal(outcome.connected, 1);
	assert_int_equal(outcome.broker, 1);
	assert_false(connector_health(connector, 0)->is_up);
	assert_true(connector_health(connector, 1)->is_up);
	connector_free(connector);
	loop_free(loop);
	close(up_fd);

	loop = loop_new(&err);
	connector = connector_new(loop, targets, 2, &err);
	outcome = ask(loop, connector, 3);
	assert_int_equal(outcome.failed, 1);
	assert_non_null(strstr(outcome.why, up));
	assert_non_null(strstr(outcome.why, down));
	assert_non_null(strstr(outcome.why, "refused"));
	connector_free(connector);
	loop_free(loop);
}

static void
test_a_broker_that_was_not_asked_for_never_stands_in(void **state)
{
	char up[64], down[64];
	int up_fd = listen_somewhere(up, sizeof up);
	struct connector_target targets[] = {target(down), target(up)};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;
	struct outcome outcome;

	close(listen_somewhere(down, sizeof down));
	connector = connector_new(loop, targets, 2, &err);
	outcome = ask(loop, connector, 1 << 0);
	assert_int_equal(outcome.failed, 1);
	assert_int_equal(connector_health(connector, 1)->connected, 0);
	outcome = ask(loop, connector, 1 << 1);
	assert_int_equal(outcome.broker, 1);
	connector_free(connector);
	loop_free(loop);
	close(up_fd);
}

static void
test_a_look_finds_what_is_wrong_before_anybody_asks(void **state)
{
	char up[64], down[64];
	int up_fd = listen_somewhere(up, sizeof up);
	struct connector_target targets[] = {target(down), target(up)};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;

	close(listen_somewhere(down, sizeof down));
	connector = connector_new(loop, targets, 2, &err);
	connector_look(connector);
	for (int i = 0;
	     i < 500 && (connector_health(connector, 0)->is_up ||
			    connector_health(connector, 1)->connected == 0);
	     i++)
		run_for(loop, 10);
	assert_false(connector_health(connector, 0)->is_up);
	assert_true(connector_health(connector, 1)->is_up);
	assert_int_equal(connector_health(connector, 1)->connected, 1);
	connector_free(connector);
	loop_free(loop);
	close(up_fd);
}

static void
test_one_known_to_be_down_is_tried_last_until_it_is_known_to_be_back(
    void **state)
{
	char first[64], second[64];
	int second_fd = listen_somewhere(second, sizeof second);
	int first_fd = listen_somewhere(first, sizeof first);
	struct connector_target targets[] = {target(first), target(second)};
	struct listener_address address;
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;

	targets[0].health_interval_ms = 100;
	address.len = sizeof address.address;
	getsockname(first_fd, (void *)&address.address, &address.len);
	close(first_fd);
	connector = connector_new(loop, targets, 2, &err);
	assert_int_equal(ask(loop, connector, 3).broker, 1);
	/* It is there again, but nobody has asked it yet. */
	assert_int_equal(listener_open(&address, &first_fd, 1, &err), 0);
	assert_int_equal(ask(loop, connector, 3).broker, 1);
	assert_int_equal(connector_health(connector, 0)->failed, 1);
	/* Time passes, without a device. */
	for (int i = 0; i < 200 && !connector_health(connector, 0)->is_up; i++)
		run_for(loop, 10);
	assert_true(connector_health(connector, 0)->is_up);
	assert_int_equal(ask(loop, connector, 3).broker, 0);
	connector_free(connector);
	loop_free(loop);
	close(first_fd);
	close(second_fd);
}

static void
test_a_broker_that_does_not_answer_costs_its_own_timeout(void **state)
{
	char mute[64], up[64];
	int up_fd = listen_somewhere(up, sizeof up);
	int mute_fd = listen_somewhere(mute, sizeof mute);
	struct connector_target targets[] = {target(mute), target(up)};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;
	int fillers[8];
	uint64_t started;
	struct outcome outcome;

	/* A backlog that is full: the next SYN is not answered. */
	listen(mute_fd, 0);
	fill(mute_fd, fillers, 8);
	targets[0].connect_timeout_ms = 200;
	connector = connector_new(loop, targets, 2, &err);
	started = clock_monotonic_ms();
	outcome = ask(loop, connector, 3);
	assert_int_equal(outcome.broker, 1);
	assert_in_range(clock_monotonic_ms() - started, 200, 2000);
	assert_string_equal(
	    connector_health(connector, 0)->why, "no answer in time");
	connector_free(connector);
	loop_free(loop);
	for (int i = 0; i < 8; i++)
		close(fillers[i]);
	close(mute_fd);
	close(up_fd);
}

static void
test_every_address_of_a_name_is_tried(void **state)
{
	char address[64], by_name[64];
	int fd = listen_somewhere(address, sizeof address);
	struct connector_target by = target(by_name);
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct connector *connector;

	/* Of localhost ::1 comes first where there is one; nobody is there. */
	snprintf(by_name, sizeof by_name, "localhost%s", strrchr(address, ':'));
	connector = connector_new(loop, &by, 1, &err);
	assert_int_equal(ask(loop, connector, 1).connected, 1);
	connector_free(connector);
	loop_free(loop);
	close(fd);
}

static void
test_a_storm_is_paced_and_everyone_gets_through(void **state)
{
	enum { STORM = 1000 };
	char text[64];
	int fd = listen_somewhere(text, sizeof text);
	struct connector_target broker = target(text);
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct outcome outcome = {.loop = loop, .left = STORM};
	struct connector *connector = connector_new(loop, &broker, 1, &err);

	for (int i = 0; i < STORM; i++)
		connector_connect(connector, 1, on_done, &outcome);
	if (outcome.left > 0)
		loop_run(loop, &err);
	assert_int_equal(outcome.connected, STORM);
	assert_int_equal(outcome.failed, 0);
	connector_free(connector);
	loop_free(loop);
	close(fd);
}

static void
test_many_that_fail_at_once_do_not_pile_up(void **state)
{
	enum { MANY = 5000 };
	struct connector_target broker = target("/nonexistent/kaya.sock");
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct outcome outcome = {.loop = loop, .left = MANY};
	struct connector *connector = connector_new(loop, &broker, 1, &err);

	for (int i = 0; i < MANY; i++)
		connector_connect(connector, 1, on_done, &outcome);
	assert_int_equal(outcome.failed, MANY);
	connector_free(connector);
	loop_free(loop);
}

static void
test_addresses_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = {"broker", "broker:0", "[::1", ""};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct connector_target broker = target(bad[i]);

		assert_null(connector_new(loop, &broker, 1, &err));
		assert_int_equal(err.code, ERR_CONFIG);
	}
	loop_free(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_broker_that_is_down_is_passed_over_and_named_when_all_are),
	    cmocka_unit_test(
		test_a_broker_that_was_not_asked_for_never_stands_in),
	    cmocka_unit_test(
		test_a_look_finds_what_is_wrong_before_anybody_asks),
	    cmocka_unit_test(
		test_one_known_to_be_down_is_tried_last_until_it_is_known_to_be_back),
	    cmocka_unit_test(
		test_a_broker_that_does_not_answer_costs_its_own_timeout),
	    cmocka_unit_test(test_every_address_of_a_name_is_tried),
	    cmocka_unit_test(test_a_storm_is_paced_and_everyone_gets_through),
	    cmocka_unit_test(test_many_that_fail_at_once_do_not_pile_up),
	    cmocka_unit_test(test_addresses_that_are_none_are_refused),
	};

	return cmocka_run_group_tests_name("connector", tests, NULL, NULL);
}
