#include "mosquitto_conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mosquitto_conf conf;

static void
parse(const char *text)
{
	mosquitto_conf_init(&conf);
	mosquitto_conf_parse(&conf, span_of_str(text), "FILE");
}

static void
test_a_listener_is_a_port_and_perhaps_an_address(void **state)
{
	parse("# ours\nlistener 1883 127.0.0.1\r\nlistener 1884\n");
	assert_int_equal(conf.listener_count, 2);
	assert_int_equal(conf.listeners[0].port, 1883);
	assert_string_equal(conf.listeners[0].address, "127.0.0.1");
	assert_int_equal(conf.listeners[0].line, 2);
	assert_string_equal(conf.listeners[0].file, "FILE");
	assert_string_equal(conf.listeners[1].address, "");
}

static void
test_a_listener_may_be_a_socket(void **state)
{
	parse("listener 0 /run/mosquitto.sock\n");
	assert_int_equal(conf.listeners[0].port, 0);
	assert_string_equal(conf.listeners[0].path, "/run/mosquitto.sock");
}

static void
test_port_and_bind_address_are_one_listener(void **state)
{
	parse("bind_address 192.0.2.1\nport 1885\n");
	assert_int_equal(conf.listener_count, 1);
	assert_int_equal(conf.listeners[0].port, 1885);
	assert_int_equal(conf.listeners[0].line, 2);
	assert_string_equal(conf.listeners[0].address, "192.0.2.1");
	assert_true(conf.listeners[0].is_default);
}

static void
test_access_is_of_all_listeners(void **state)
{
	parse("listener 1\nallow_anonymous true\nlistener 2\n"
	      "password_file /x\n");
	for (size_t i = 0; i < 2; i++) {
		const struct mosquitto_access *access =
		    mosquitto_conf_access(&conf, &conf.listeners[i]);

		assert_int_equal(access->anonymous, ANONYMOUS_YES);
		assert_true(access->password_file);
	}
}

static void
test_access_may_be_each_listener_s_own(void **state)
{
	parse("per_listener_settings true\nlistener 1\nallow_anonymous true\n"
	      "listener 2\nallow_anonymous false\n");
	assert_int_equal(
	    mosquitto_conf_access(&conf, &conf.listeners[0])->anonymous,
	    ANONYMOUS_YES);
	assert_int_equal(
	    mosquitto_conf_access(&conf, &conf.listeners[1])->anonymous,
	    ANONYMOUS_NO);
}

static void
test_tls_is_the_last_listener_s(void **state)
{
	parse("listener 1883\nlistener 8883\ncertfile /c\n"
	      "require_certificate true\nprotocol websockets\n");
	assert_false(conf.listeners[0].tls);
	assert_true(conf.listeners[1].tls);
	assert_true(conf.listeners[1].wants_certificate);
	assert_true(conf.listeners[1].websockets);
}

static void
test_an_include_dir_and_a_limit_are_kept(void **state)
{
	parse("include_dir /etc/mosquitto/conf.d\nmax_connections 10\n");
	assert_string_equal(conf.include_dir, "/etc/mosquitto/conf.d");
	assert_int_equal(conf.max_connections, 10);
	parse("max_connections -1\n");
	assert_int_equal(conf.max_connections, 0);
}

static void
test_a_file_that_is_not_there_cannot_be_read(void **state)
{
	assert_false(mosquitto_conf_read(&conf, "/nonexistent/file"));
	assert_string_equal(conf.unread, "/nonexistent/file");
}

static void
test_no_cut_of_a_file_is_read_behind_its_end(void **state)
{
	static const char text[] =
	    "listener 1883 127.0.0.1\nport 1\ncertfile /x\nlistener 0 /y";
	char copy[sizeof text];

	for (size_t len = 0; len < sizeof text; len++) {
		memcpy(copy, text, len);
		mosquitto_conf_init(&conf);
		mosquitto_conf_parse(&conf, span_of(copy, len), "FILE");
		assert_true(conf.listener_count <= 3);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_listener_is_a_port_and_perhaps_an_address),
	    cmocka_unit_test(test_a_listener_may_be_a_socket),
	    cmocka_unit_test(test_port_and_bind_address_are_one_listener),
	    cmocka_unit_test(test_access_is_of_all_listeners),
	    cmocka_unit_test(test_access_may_be_each_listener_s_own),
	    cmocka_unit_test(test_tls_is_the_last_listener_s),
	    cmocka_unit_test(test_an_include_dir_and_a_limit_are_kept),
	    cmocka_unit_test(test_a_file_that_is_not_there_cannot_be_read),
	    cmocka_unit_test(test_no_cut_of_a_file_is_read_behind_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
