#include "server_system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct system machine;

/* Addresses stand there in the machine's own byte order: little-endian. */
static const char table[] =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
    "retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:075B 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000   104        0 4711 1 0000000000000000 100 0 0 10 0\n"
    "   1: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 4712 1 0000000000000000 100 0 0 10 0\n"
    "   2: 0100007F:075B 0100007F:CAFE 01 00000000:00000000 00:00000000 "
    "00000000   104        0 4713 1 0000000000000000 100 0 0 10 0\n";

static const char table6[] =
    "   0: 00000000000000000000000001000000:075B "
    "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 "
    "00000000     0        0 99 1 0000000000000000 100 0 0 10 0\n";

static void
test_listeners_are_read_and_connections_passed_over(void **state)
{
	char text[80];

	memset(&machine, 0, sizeof machine);
	system_read_table(&machine, span_of_str(table), false);
	assert_int_equal(machine.listener_count, 2);
	assert_string_equal(
	    system_text(&machine.listeners[0], text, sizeof text),
	    "127.0.0.1:1883");
	assert_int_equal(machine.listeners[0].inode, 4711);
	assert_int_equal(
	    system_scope_of(&machine.listeners[0]), SYSTEM_LOOPBACK);
	assert_int_equal(system_scope_of(&machine.listeners[1]), SYSTEM_ALL);
}

static void
test_listeners_of_ipv6_are_read(void **state)
{
	char text[80];

	memset(&machine, 0, sizeof machine);
	system_read_table(&machine, span_of_str(table6), true);
	assert_string_equal(
	    system_text(&machine.listeners[0], text, sizeof text),
	    "[::1]:1883");
	assert_int_equal(
	    system_scope_of(&machine.listeners[0]), SYSTEM_LOOPBACK);
}

static void
test_an_ipv4_address_in_ipv6_s_dress_is_what_it_is(void **state)
{
	static const char loopback[] =
	    "   0: 0000000000000000FFFF00000100007F:075B "
	    "00000000000000000000000000000000:0000 0A 00000000:00000000 "
	    "00:00000000 00000000     0        0 99 1 0 100 0 0 10 0\n"
	    "   1: 0000000000000000FFFF0000010200C0:075B "
	    "00000000000000000000000000000000:0000 0A 00000000:00000000 "
	    "00:00000000 00000000     0        0 98 1 0 100 0 0 10 0\n";

	memset(&machine, 0, sizeof machine);
	system_read_table(&machine, span_of_str(loopback), true);
	assert_int_equal(
	    system_scope_of(&machine.listeners[0]), SYSTEM_LOOPBACK);
	assert_int_equal(system_scope_of(&machine.listeners[1]), SYSTEM_ONE);
}

static void
test_no_cut_of_a_table_is_read_behind_its_end(void **state)
{
	char copy[sizeof table];

	for (size_t len = 0; len < sizeof table; len++) {
		memset(&machine, 0, sizeof machine);
		memcpy(copy, table, len);
		system_read_table(&machine, span_of(copy, len), false);
		assert_true(machine.listener_count <= 2);
	}
}

static void
assert_path(const char *words, size_t len, const char *option, const char *path)
{
	char found[PATH_MAX];

	system_path_of(
	    span_of(words, len), option, "/cwd", found, sizeof found);
	assert_string_equal(found, path);
}
#define WORDS(words) words, sizeof(words) - 1

static void
test_an_option_s_file_is_found_among_the_words(void **state)
{
	assert_path(
	    WORDS("mosquitto\0-v\0-c\0/etc/m.conf\0"), "-c", "/etc/m.conf");
	assert_path(WORDS("mosquitto\0-cm.conf\0"), "-c", "/cwd/m.conf");
	assert_path(WORDS("kayad\0--state\0/s\0"), "--state", "/s");
	assert_path(WORDS("kayad\0--state=/s\0"), "--state", "/s");
	assert_path(WORDS("mosquitto\0-v\0"), "-c", "");
	assert_path(WORDS("mosquitto\0-c"), "-c", "");
	assert_path(WORDS(""), "-c", "");
}

static void
test_sshd_s_title_is_read_as_its_words(void **state)
{
	assert_path(WORDS("sshd: /usr/sbin/sshd -D -f /x/conf [listener] 0 of "
			  "10-100 startups\0\0\0"),
	    "-f", "/x/conf");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_listeners_are_read_and_connections_passed_over),
	    cmocka_unit_test(test_listeners_of_ipv6_are_read),
	    cmocka_unit_test(
		test_an_ipv4_address_in_ipv6_s_dress_is_what_it_is),
	    cmocka_unit_test(test_no_cut_of_a_table_is_read_behind_its_end),
	    cmocka_unit_test(test_an_option_s_file_is_found_among_the_words),
	    cmocka_unit_test(test_sshd_s_title_is_read_as_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
