#include "listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/resource.h>

static void
test_a_port_that_is_served_is_an_error_and_not_half_of_it(void **state)
{
	struct listener_address address;
	struct err err = ERR_INIT;
	int first[2], second[2];

	assert_int_equal(
	    listener_address_parse(&address, "127.0.0.1", 0, &err), 0);
	assert_int_equal(listener_open(&address, first, 2, &err), 0);
	assert_int_equal(listener_open(&address, second, 2, &err), -1);
	assert_int_equal(err.code, ERR_TAKEN);
	assert_non_null(strstr(err.what, "127.0.0.1:"));
	close(first[0]);
	close(first[1]);
}

static void
test_addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *host, *text;
	} rows[] = {
	    {"127.0.0.1", "127.0.0.1:2222"},
	    {"::1", "[::1]:2222"},
	    {"*", "0.0.0.0:2222"},
	    {"::ffff:192.0.2.1", "192.0.2.1:2222"},
	};
	struct listener_address address;
	struct err err = ERR_INIT;
	char text[64];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    listener_address_parse(&address, rows[i].host, 2222, &err),
		    0);
		listener_address_text(
		    (void *)&address.address, text, sizeof text);
		assert_string_equal(text, rows[i].text);
	}
	assert_int_equal(
	    listener_address_parse(&address, "broker", 1, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
}

static int
connected_to(const struct listener_address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
	    connect(fd, (const void *)&address->address, address->len), 0);
	return fd;
}

/* He would have the loop call again and again, at all of a processor. */
static void
test_without_descriptors_who_comes_is_sent_away_and_not_left(void **state)
{
	struct listener_address address;
	struct listener_spare spare;
	struct err err = ERR_INIT;
	int fds[64], listener, client, came, taken = 0;
	struct rlimit old, few;
	char byte;

	assert_int_equal(
	    listener_address_parse(&address, "127.0.0.1", 0, &err), 0);
	assert_int_equal(listener_open(&address, &listener, 1, &err), 0);
	listener_spare_init(&spare);
	client = connected_to(&address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few = old;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while ((fds[taken] = dup(listener)) >= 0)
		taken++;
	assert_int_equal(errno, EMFILE);
	assert_int_equal(listener_accept(listener, &spare), -1);
	assert_true(spare.is_short);
	assert_int_equal(recv(client, &byte, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	/* None waits. */
	assert_int_equal(listener_accept(listener, &spare), -1);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	while (taken > 0)
		close(fds[--taken]);
	assert_int_equal(listener_accept(listener, &spare), -1);
	assert_int_equal(errno, EAGAIN);
	close(client);
	client = connected_to(&address);
	came = listener_accept(listener, &spare);
	assert_true(came >= 0);
	assert_false(spare.is_short);
	close(came);
	close(client);
	close(listener);
	listener_spare_fini(&spare);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_port_that_is_served_is_an_error_and_not_half_of_it),
	    cmocka_unit_test(test_addresses_are_read_and_written),
	    cmocka_unit_test(
		test_without_descriptors_who_comes_is_sent_away_and_not_left),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
