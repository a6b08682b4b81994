#include "proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/un.h>
#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* type, length, client flags, verify; version; common name "pump" */
#define SSL                                                                    \
	"\x20\0\x16\x07\0\0\0\0"                                               \
	"\x21\0\x07SSH-2.0"                                                    \
	"\x22\0\x04pump"

static struct sockaddr_in
v4(const char *text, uint16_t port)
{
	struct sockaddr_in address = {
	    .sin_family = AF_INET, .sin_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET, text, &address.sin_addr), 1);
	return address;
}

static struct sockaddr_in6
v6(const char *text, uint16_t port)
{
	struct sockaddr_in6 address = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port)};

	assert_int_equal(inet_pton(AF_INET6, text, &address.sin6_addr), 1);
	return address;
}

static void
check(const void *from, const void *to, struct span expected)
{
	struct buf out;

	buf_init(&out, PROXY_HEADER_MAX);
	proxy_header_put(&(struct proxy_header){from, to, "pump"}, &out);
	assert_false(out.failed);
	assert_int_equal(buf_len(&out), expected.len);
	assert_memory_equal(buf_span(&out).data, expected.data, expected.len);
	buf_fini(&out);
}

#define EXPECT(bytes) span_of(bytes, sizeof(bytes) - 1)

static void
test_an_ipv4_client_stands_in_it_with_address_port_and_name(void **state)
{
	struct sockaddr_in from = v4("192.0.2.7", 0x1234);
	struct sockaddr_in to = v4("198.51.100.1", 2222);

	check(&from, &to,
	    EXPECT(SIGNATURE "\x21\x11\0\x25"
			     "\xc0\0\2\7\xc6\x33\x64\1"
			     "\x12\x34\x08\xae" SSL));
}

static void
test_an_ipv6_client_too(void **state)
{
	struct sockaddr_in6 from = v6("2001:db8::7", 0x1234);
	struct sockaddr_in6 to = v6("2001:db8::1", 2222);

	check(&from, &to,
	    EXPECT(SIGNATURE "\x21\x21\0\x3d"
			     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\7"
			     "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
			     "\x12\x34\x08\xae" SSL));
}

static void
test_ipv4_in_the_clothes_of_ipv6_is_ipv4(void **state)
{
	struct sockaddr_in6 from = v6("::ffff:192.0.2.7", 0x1234);
	struct sockaddr_in6 to = v6("::ffff:198.51.100.1", 2222);

	check(&from, &to,
	    EXPECT(SIGNATURE "\x21\x11\0\x25"
			     "\xc0\0\2\7\xc6\x33\x64\1"
			     "\x12\x34\x08\xae" SSL));
}

static void
test_what_has_no_address_has_a_name_all_the_same(void **state)
{
	struct sockaddr_un from = {.sun_family = AF_UNIX}, to = from;

	check(&from, &to, EXPECT(SIGNATURE "\x21\0\0\x19" SSL));
}

static void
test_the_longest_identity_fits(void **state)
{
	struct sockaddr_in6 from = v6("2001:db8::7", 1);
	struct buf out;
	char name[65];

	memset(name, 'x', 64);
	name[64] = '\0';
	buf_init(&out, PROXY_HEADER_MAX);
	proxy_header_put(
	    &(struct proxy_header){(void *)&from, (void *)&from, name}, &out);
	assert_false(out.failed);
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_an_ipv4_client_stands_in_it_with_address_port_and_name),
	    cmocka_unit_test(test_an_ipv6_client_too),
	    cmocka_unit_test(test_ipv4_in_the_clothes_of_ipv6_is_ipv4),
	    cmocka_unit_test(test_what_has_no_address_has_a_name_all_the_same),
	    cmocka_unit_test(test_the_longest_identity_fits),
	};

	return cmocka_run_group_tests_name("proxy_header", tests, NULL, NULL);
}
