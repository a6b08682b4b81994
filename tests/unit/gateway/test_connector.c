#include "connector.h"

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

static void
test_a_broker_that_is_down_is_passed_over_and_named_when_all_are(void **state)
{
	char up[64], down[64];
	int up_fd = listen_somewhere(up, sizeof up);
	struct connector_broker brokers[] = {{down}, {up}};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct outcome outcome = {.loop = loop, .left = 1};
	struct connector *connector;

	close(listen_somewhere(down, sizeof down));
	connector = connector_new(loop, brokers, 2, &err);
	assert_non_null(connector);
	connector_connect(connector, 0, on_done, &outcome);
	loop_run(loop, &err);
	assert_int_equal(outcome.connected, 1);
	assert_int_equal(outcome.broker, 1);
	assert_false(connector_health(connector, 0)->is_up);
	assert_true(connector_health(connector, 1)->is_up);
	connector_free(connector);
	loop_free(loop);
	close(up_fd);

	loop = loop_new(&err);
	outcome = (struct outcome){.loop = loop, .left = 1};
	connector = connector_new(loop, brokers, 2, &err);
	connector_connect(connector, 1, on_done, &outcome);
	if (outcome.left > 0)
		loop_run(loop, &err);
	assert_int_equal(outcome.failed, 1);
	assert_non_null(strstr(outcome.why, up));
	assert_non_null(strstr(outcome.why, down));
	assert_non_null(strstr(outcome.why, "refused"));
	connector_free(connector);
	loop_free(loop);
}

static void
test_a_storm_is_paced_and_everyone_gets_through(void **state)
{
	enum { STORM = 1000 };
	char text[64];
	int fd = listen_somewhere(text, sizeof text);
	struct connector_broker broker = {text};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct outcome outcome = {.loop = loop, .left = STORM};
	struct connector *connector = connector_new(loop, &broker, 1, &err);

	for (int i = 0; i < STORM; i++)
		connector_connect(connector, 0, on_done, &outcome);
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
	struct connector_broker broker = {"/nonexistent/kaya.sock"};
	struct err err = ERR_INIT;
	struct loop *loop = loop_new(&err);
	struct outcome outcome = {.loop = loop, .left = MANY};
	struct connector *connector = connector_new(loop, &broker, 1, &err);

	for (int i = 0; i < MANY; i++)
		connector_connect(connector, 0, on_done, &outcome);
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
		struct connector_broker broker = {bad[i]};

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
	    cmocka_unit_test(test_a_storm_is_paced_and_everyone_gets_through),
	    cmocka_unit_test(test_many_that_fail_at_once_do_not_pile_up),
	    cmocka_unit_test(test_addresses_that_are_none_are_refused),
	};

	return cmocka_run_group_tests_name("connector", tests, NULL, NULL);
}
