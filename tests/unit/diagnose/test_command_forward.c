#include "command_forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct command_forward forward;

static void
test_a_port_a_host_and_its_port_are_read(void **state)
{
	assert_true(
	    command_forward_parse(&forward, "22883:localhost:1883", 'L'));
	assert_false(forward.has_bind);
	assert_int_equal(forward.port, 22883);
	assert_string_equal(forward.host, "localhost");
	assert_int_equal(forward.host_port, 1883);
}

static void
test_a_bind_address_may_be_empty(void **state)
{
	assert_true(command_forward_parse(&forward, ":1:h:2", 'L'));
	assert_true(forward.has_bind);
	assert_string_equal(forward.bind, "");
	assert_true(command_forward_parse(&forward, "*:1:h:2", 'L'));
	assert_string_equal(forward.bind, "*");
}

static void
test_addresses_of_ipv6_stand_in_brackets(void **state)
{
	assert_true(
	    command_forward_parse(&forward, "[::1]:1:[fe80::2]:3", 'L'));
	assert_string_equal(forward.bind, "::1");
	assert_string_equal(forward.host, "fe80::2");
	assert_false(command_forward_parse(&forward, "1:::1:1883", 'L'));
	assert_false(command_forward_parse(&forward, "1:[::1:1883", 'L'));
	assert_false(command_forward_parse(&forward, "1:[[::1]]:1883", 'L'));
}

static void
test_paths_stand_for_ports(void **state)
{
	assert_true(command_forward_parse(&forward, "/a:h:2", 'L'));
	assert_string_equal(forward.near_path, "/a");
	assert_true(command_forward_parse(&forward, "1:/b", 'L'));
	assert_string_equal(forward.far_path, "/b");
	assert_true(command_forward_parse(&forward, "/a:/b", 'R'));
	assert_string_equal(forward.near_path, "/a");
	assert_string_equal(forward.far_path, "/b");
}

static void
test_a_proxy_names_no_host(void **state)
{
	assert_true(command_forward_parse(&forward, "1080", 'D'));
	assert_int_equal(forward.port, 1080);
	assert_true(command_forward_parse(&forward, "*:1080", 'R'));
	assert_string_equal(forward.host, "");
	assert_false(command_forward_parse(&forward, "1080", 'L'));
}

static void
test_what_ssh_refuses_is_refused(void **state)
{
	static const char *const bad[] = {"", "-N", "foo", "22883:1883",
	    "22883:localhost", "99999:h:1", "1::2", "1:h:70000", "a:b:c:d:e:1"};

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(command_forward_parse(&forward, bad[i], 'L'));
}

static void
test_what_was_meant_is_guessed(void **state)
{
	static const struct {
		const char *text, *meant;
	} cases[] = {
	    {"22883", "22883:127.0.0.1:1883"},
	    {"22883:1883", "22883:127.0.0.1:1883"},
	    {"22883:localhost", "22883:localhost:1883"},
	    {"localhost:1883", "22883:localhost:1883"},
	    {"22883:::1:1883", "22883:[::1]:1883"},
	};
	char meant[100];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_true(
		    command_forward_guess(cases[i].text, meant, sizeof meant));
		assert_string_equal(meant, cases[i].meant);
	}
	assert_false(command_forward_guess("-N", meant, sizeof meant));
	assert_false(command_forward_guess("foo", meant, sizeof meant));
}

static void
test_the_words_of_ssh_itself_are_read(void **state)
{
	char text[700];

	assert_true(
	    command_forward_read(&forward, "[*]:22883 [::1]:1883", 'L'));
	assert_string_equal(forward.bind, "*");
	assert_string_equal(command_forward_text(&forward, text, sizeof text),
	    "*:22883:[::1]:1883");
	assert_true(command_forward_read(&forward, "1080", 'D'));
	assert_int_equal(forward.port, 1080);
	assert_true(command_forward_read(&forward, "/tmp/x /tmp/y", 'L'));
	assert_string_equal(
	    command_forward_text(&forward, text, sizeof text), "/tmp/x:/tmp/y");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_port_a_host_and_its_port_are_read),
	    cmocka_unit_test(test_a_bind_address_may_be_empty),
	    cmocka_unit_test(test_addresses_of_ipv6_stand_in_brackets),
	    cmocka_unit_test(test_paths_stand_for_ports),
	    cmocka_unit_test(test_a_proxy_names_no_host),
	    cmocka_unit_test(test_what_ssh_refuses_is_refused),
	    cmocka_unit_test(test_what_was_meant_is_guessed),
	    cmocka_unit_test(test_the_words_of_ssh_itself_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
