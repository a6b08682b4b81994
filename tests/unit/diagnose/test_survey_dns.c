#include "survey_private.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static struct sockaddr_storage
name_of(const char *text, uint16_t port)
{
	struct sockaddr_storage name = {0};
	struct sockaddr_in *v4 = (void *)&name;
	struct sockaddr_in6 *v6 = (void *)&name;

	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons(port);
	} else {
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(port);
	}
	return name;
}

static void
assert_kind(const char *const *texts, enum address_kind kind)
{
	for (; *texts != NULL; texts++) {
		struct sockaddr_storage name = name_of(*texts, 22);

		if (survey_address_kind((const struct sockaddr *)&name) != kind)
			fail_msg("%s is of another kind", *texts);
	}
}

static void
test_addresses_of_the_internet_are_public(void **state)
{
	static const char *const texts[] = {"8.8.8.8", "172.15.255.255",
	    "172.32.0.0", "100.63.255.255", "100.128.0.0", "11.0.0.0",
	    "192.167.255.255", "223.255.255.255", "2600::1", "::ffff:8.8.8.8",
	    "fe00::1", NULL};

	assert_kind(texts, ADDRESS_PUBLIC);
}

static void
test_addresses_of_private_networks_are_private(void **state)
{
	static const char *const texts[] = {"10.0.0.1", "172.16.0.1",
	    "172.31.255.255", "192.168.1.1", "100.64.0.0", "100.127.255.255",
	    "169.254.1.1", "fd00::1", "fc00::1", "fe80::1", "febf::1",
	    "::ffff:10.0.0.1", NULL};

	assert_kind(texts, ADDRESS_PRIVATE);
}

static void
test_addresses_that_lead_nowhere_are_bogus(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "127.0.0.1",
	    "127.255.255.255", "224.0.0.1", "255.255.255.255", "192.0.2.7",
	    "198.51.100.1", "203.0.113.255", "::", "::1", "ff02::1",
	    "2001:db8::1", "::ffff:127.0.0.1", NULL};

	assert_kind(texts, ADDRESS_BOGUS);
}

static void
test_addresses_are_the_same_whatever_their_ports(void **state)
{
	struct sockaddr_storage a = name_of("10.0.0.1", 22);
	struct sockaddr_storage b = name_of("10.0.0.1", 443);
	struct sockaddr_storage c = name_of("10.0.0.2", 22);
	struct sockaddr_storage d = name_of("fd00::1", 22);
	struct sockaddr_storage e = name_of("fd00::1", 443);
	struct sockaddr_storage f = name_of("fd00::2", 443);

	assert_true(survey_same_address((void *)&a, (void *)&b));
	assert_true(survey_same_address((void *)&d, (void *)&e));
	assert_false(survey_same_address((void *)&a, (void *)&c));
	assert_false(survey_same_address((void *)&a, (void *)&d));
	assert_false(survey_same_address((void *)&e, (void *)&f));
}

static size_t
line_of(const char *text, const char *host)
{
	char path[] = "/tmp/kaya-hosts-XXXXXX";
	int fd = mkstemp(path);
	size_t line;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
	line = survey_hosts_line(path, host);
	unlink(path);
	return line;
}

static void
test_a_hosts_file_names_a_host_by_any_of_its_names(void **state)
{
	static const char text[] = "127.0.0.1\tlocalhost # broker\n"
				   "#127.0.0.1 broker\n"
				   "\n"
				   " 10.0.0.1 a.broker broker.example\tBroker\n"
				   "10.0.0.2 broker";

	assert_int_equal(line_of(text, "broker"), 4);
	assert_int_equal(line_of(text, "localhost"), 1);
	assert_int_equal(line_of(text, "BROKER.example"), 4);
	assert_int_equal(line_of(text, "example"), 0);
	assert_int_equal(line_of(text, "10.0.0.1"), 0);
	assert_int_equal(line_of("", "broker"), 0);
	assert_int_equal(line_of("10.0.0.2 broker", "broker"), 1);
	assert_int_equal(survey_hosts_line("/nonexistent/hosts", "a"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses_of_the_internet_are_public),
	    cmocka_unit_test(test_addresses_of_private_networks_are_private),
	    cmocka_unit_test(test_addresses_that_lead_nowhere_are_bogus),
	    cmocka_unit_test(test_addresses_are_the_same_whatever_their_ports),
	    cmocka_unit_test(
		test_a_hosts_file_names_a_host_by_any_of_its_names),
	};

	return cmocka_run_group_tests_name("survey_dns", tests, NULL, NULL);
}
