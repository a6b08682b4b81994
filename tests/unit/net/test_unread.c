/* What the program at a socket's other end has not read yet. */

#include "unread.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static void
connect_to_self(int family, int ends[2])
{
	struct sockaddr_in four = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 six = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr *address =
	    family == AF_INET ? (void *)&four : (void *)&six;
	socklen_t len = family == AF_INET ? sizeof four : sizeof six;
	int listener = socket(family, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, address, len), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, address, &len), 0);
	ends[0] = socket(family, SOCK_STREAM, 0);
	assert_int_equal(connect(ends[0], address, len), 0);
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
}

/* An acknowledgement may be under way for a while. */
static bool
becomes(int fd, bool expected)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	for (int i = 0; i < 1000; i++) {
		if (unread_is_any(fd) == expected)
			return true;
		nanosleep(&pause, NULL);
	}
	return false;
}

static void
see(int ends[2])
{
	char bytes[100] = "what is written is not what was read";

	assert_true(becomes(ends[1], false));
	assert_int_equal(write(ends[1], bytes, sizeof bytes), sizeof bytes);
	assert_true(unread_is_any(ends[1]));
	assert_int_equal(read(ends[0], bytes, 99), 99);
	/* It stays so, acknowledged or not. */
	for (int i = 0; i < 20; i++) {
		const struct timespec pause = {.tv_nsec = 5000000};

		assert_true(unread_is_any(ends[1]));
		nanosleep(&pause, NULL);
	}
	assert_int_equal(read(ends[0], bytes, 99), 1);
	assert_true(becomes(ends[1], false));
	/* What it has sent itself is not meant. */
	assert_int_equal(write(ends[0], bytes, 10), 10);
	assert_true(becomes(ends[1], false));
	close(ends[0]);
	assert_false(unread_is_any(ends[1]));
	close(ends[1]);
}

static void
test_tcp_is_looked_into(void **state)
{
	int ends[2];

	connect_to_self(AF_INET, ends);
	see(ends);
}

static void
test_ipv6_is_looked_into_where_there_is_one(void **state)
{
	const struct sockaddr_in6 address = {
	    .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	int probe = socket(AF_INET6, SOCK_STREAM, 0), ends[2];
	bool is_there =
	    bind(probe, (const void *)&address, sizeof address) == 0;

	close(probe);
	if (!is_there) {
		print_message("this machine has no IPv6\n");
		skip();
	}
	connect_to_self(AF_INET6, ends);
	see(ends);
}

static void
test_unix_sockets_are_looked_into(void **state)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	see(ends);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tcp_is_looked_into),
	    cmocka_unit_test(test_ipv6_is_looked_into_where_there_is_one),
	    cmocka_unit_test(test_unix_sockets_are_looked_into),
	};

	return cmocka_run_group_tests_name("unread", tests, NULL, NULL);
}
