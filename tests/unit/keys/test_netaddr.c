#include "netaddr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static struct netaddr
addr(const char *text)
{
	struct netaddr a;

	assert_true(netaddr_parse(span_of_str(text), &a));
	return a;
}

static enum netaddr_match
match(const char *client, const char *list)
{
	struct netaddr a = addr(client);

	return netaddr_match_list(&a, span_of_str(list));
}

static void
test_addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.1"},
	    {"2001:DB8::1", "2001:db8::1"},
	    {"[::1]", "::1"},
	    {"fe80::1%eth0", "fe80::1"},
	    {"::ffff:192.0.2.1", "192.0.2.1"},
	};
	char text[NETADDR_TEXT_SIZE];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct netaddr a = addr(rows[i].in);

		assert_string_equal(netaddr_text(&a, text), rows[i].out);
	}
}

static void
test_what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {"", "localhost", "192.0.2.256",
	    "192.0.2.1 ", " 192.0.2.1", "192.0.2.1%eth0", "[::1",
	    "::1::", "1.2.3.4/8"};
	struct netaddr a;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_false(netaddr_parse(span_of_str(bad[i]), &a));
		assert_int_equal(a.family, 0);
	}
}

static void
test_bytes_of_a_mapped_address_are_ipv4(void **state)
{
	static const uint8_t six[16] = {[10] = 0xff, 0xff, 192, 0, 2, 7};
	struct netaddr a = netaddr_of_bytes(six, 16), b = addr("192.0.2.7");

	assert_true(netaddr_equal(&a, &b));
	assert_int_equal(netaddr_of_bytes(six, 5).family, 0);
}

static void
test_cidr_blocks_match_at_every_width(void **state)
{
	assert_int_equal(match("10.1.2.3", "10.0.0.0/8"), NETADDR_MATCH);
	assert_int_equal(match("11.1.2.3", "10.0.0.0/8"), NETADDR_NO_MATCH);
	assert_int_equal(match("10.1.2.3", "0.0.0.0/0"), NETADDR_MATCH);
	assert_int_equal(match("::1", "0.0.0.0/0"), NETADDR_NO_MATCH);
	assert_int_equal(match("10.1.2.129", "10.1.2.128/25"), NETADDR_MATCH);
	assert_int_equal(
	    match("10.1.2.127", "10.1.2.128/25"), NETADDR_NO_MATCH);
	assert_int_equal(match("10.1.2.3", "10.1.2.3/32"), NETADDR_MATCH);
	assert_int_equal(
	    match("2001:db8:1::5", "2001:db8::/32"), NETADDR_MATCH);
	assert_int_equal(
	    match("2001:db9::5", "2001:db8::/32"), NETADDR_NO_MATCH);
	assert_int_equal(
	    match("2001:db8::5", "2001:db8::4/127"), NETADDR_MATCH);
}

static void
test_an_ipv4_client_on_an_ipv6_socket_matches_ipv4(void **state)
{
	assert_int_equal(match("::ffff:10.1.2.3", "10.0.0.0/8"), NETADDR_MATCH);
	assert_int_equal(match("::ffff:10.1.2.3", "10.1.2.*"), NETADDR_MATCH);
}

static void
test_wildcards_match_the_text(void **state)
{
	assert_int_equal(match("192.168.1.77", "192.168.1.*"), NETADDR_MATCH);
	assert_int_equal(
	    match("192.168.10.7", "192.168.1.*"), NETADDR_NO_MATCH);
	assert_int_equal(match("192.168.1.7", "192.168.1.?"), NETADDR_MATCH);
	assert_int_equal(
	    match("192.168.1.77", "192.168.1.?"), NETADDR_NO_MATCH);
	assert_int_equal(match("2001:db8::1", "2001:DB8:*"), NETADDR_MATCH);
	assert_int_equal(match("10.0.0.1", "*"), NETADDR_MATCH);
}

static void
test_a_negation_forbids_wherever_it_stands(void **state)
{
	assert_int_equal(
	    match("10.0.0.5", "10.0.0.0/8,!10.0.0.5"), NETADDR_FORBIDDEN);
	assert_int_equal(
	    match("10.0.0.5", "!10.0.0.5,10.0.0.0/8"), NETADDR_FORBIDDEN);
	assert_int_equal(
	    match("10.0.0.6", "!10.0.0.5,10.0.0.0/8"), NETADDR_MATCH);
}

static void
test_only_negations_match_nobody(void **state)
{
	assert_int_equal(match("192.0.2.1", "!10.0.0.0/8"), NETADDR_NO_MATCH);
}

static void
test_host_bits_void_the_whole_list(void **state)
{
	assert_int_equal(match("127.0.0.1", "127.0.0.1/8"), NETADDR_INVALID);
	assert_int_equal(
	    match("127.0.0.1", "127.0.0.1,127.0.0.1/8"), NETADDR_INVALID);
	assert_int_equal(match("127.0.0.1", "127.0.0.0/33"), NETADDR_INVALID);
}

static void
test_an_empty_element_voids_the_whole_list(void **state)
{
	assert_int_equal(match("127.0.0.1", ""), NETADDR_INVALID);
	assert_int_equal(match("127.0.0.1", "127.0.0.1,"), NETADDR_INVALID);
	assert_int_equal(match("127.0.0.1", "!"), NETADDR_INVALID);
}

static void
test_a_blank_after_the_comma_matches_nobody(void **state)
{
	assert_int_equal(
	    match("10.0.0.1", "192.0.2.1, 10.0.0.1"), NETADDR_NO_MATCH);
}

static enum netaddr_match
match_cidrs(const char *client, const char *list)
{
	struct netaddr addr;

	assert_true(netaddr_parse(span_of_str(client), &addr));
	return netaddr_match_cidrs(&addr, span_of_str(list));
}

static void
test_a_list_of_cidrs_has_nothing_else_in_it(void **state)
{
	static const char *const invalid[] = {"", "10.*", "10.0.0.1,",
	    "!10.0.0.1", "10.0.0.1,h", "10.0.0.1/8", "10.0.0.0/33",
	    "10.0.0.1, 10.0.0.2"};

	for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++)
		assert_int_equal(
		    match_cidrs("10.0.0.1", invalid[i]), NETADDR_INVALID);
	assert_int_equal(match_cidrs("10.0.0.1", "10.0.0.1"), NETADDR_MATCH);
	assert_int_equal(
	    match_cidrs("10.0.0.1", "192.0.2.0/24,10.0.0.0/8"), NETADDR_MATCH);
	assert_int_equal(
	    match_cidrs("2001:db8::7", "2001:db8::/32"), NETADDR_MATCH);
	assert_int_equal(
	    match_cidrs("10.0.0.1", "10.0.0.2,::/0"), NETADDR_NO_MATCH);
}

static void
test_short_ipv4_is_read_as_sshd_reads_it(void **state)
{
	assert_int_equal(match("10.0.0.1", "10.1"), NETADDR_MATCH);
	assert_int_equal(match("10.0.9.1", "10.0/16"), NETADDR_MATCH);
}

static void
test_patterns_take_many_stars_in_little_time(void **state)
{
	const char *a = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";

	assert_true(netaddr_match_pattern(
	    span_of_str(a), span_of_str("*a*a*a*a*a*a*a*a*a*a*a*b")));
	assert_false(netaddr_match_pattern(
	    span_of_str(a), span_of_str("*a*a*a*a*a*a*a*a*a*a*a*a*c")));
	assert_true(netaddr_match_pattern(span_of_str(""), span_of_str("**")));
	assert_false(netaddr_match_pattern(span_of_str(""), span_of_str("?")));
	assert_true(
	    netaddr_match_pattern(span_of_str("abcabd"), span_of_str("*ab?")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_addresses_are_read_and_written),
	    cmocka_unit_test(test_what_is_no_address_is_refused),
	    cmocka_unit_test(test_bytes_of_a_mapped_address_are_ipv4),
	    cmocka_unit_test(test_cidr_blocks_match_at_every_width),
	    cmocka_unit_test(
		test_an_ipv4_client_on_an_ipv6_socket_matches_ipv4),
	    cmocka_unit_test(test_wildcards_match_the_text),
	    cmocka_unit_test(test_a_negation_forbids_wherever_it_stands),
	    cmocka_unit_test(test_only_negations_match_nobody),
	    cmocka_unit_test(test_host_bits_void_the_whole_list),
	    cmocka_unit_test(test_an_empty_element_voids_the_whole_list),
	    cmocka_unit_test(test_a_blank_after_the_comma_matches_nobody),
	    cmocka_unit_test(test_a_list_of_cidrs_has_nothing_else_in_it),
	    cmocka_unit_test(test_short_ipv4_is_read_as_sshd_reads_it),
	    cmocka_unit_test(test_patterns_take_many_stars_in_little_time),
	};

	return cmocka_run_group_tests_name("netaddr", tests, NULL, NULL);
}
