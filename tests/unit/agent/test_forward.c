#include "forward.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_every_form_that_the_manual_names(void **state)
{
	static const struct {
		const char *text, *bind, *path, *host;
		uint16_t port, host_port;
	} rows[] = {
	    {"1884", "", "", "broker", 1884, 8883},
	    {"0.0.0.0:1884", "0.0.0.0", "", "broker", 1884, 8883},
	    {"[::]:1884", "::", "", "broker", 1884, 8883},
	    {"/run/mqtt.sock", "", "/run/mqtt.sock", "broker", 22883, 8883},
	    {"1884:db:1885", "", "", "db", 1884, 1885},
	    {"127.0.0.1:1884:db:1885", "127.0.0.1", "", "db", 1884, 1885},
	    {"[::1]:1884:[fe80::1]:1885", "::1", "", "fe80::1", 1884, 1885},
	    {"/run/mqtt.sock:db:1885", "", "/run/mqtt.sock", "db", 22883, 1885},
	};
	struct forward forward;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    forward_parse(&forward, rows[i].text, "broker", 8883, &err),
		    0);
		assert_string_equal(forward.bind, rows[i].bind);
		assert_string_equal(forward.path, rows[i].path);
		assert_string_equal(forward.host, rows[i].host);
		assert_int_equal(forward.port, rows[i].port);
		assert_int_equal(forward.host_port, rows[i].host_port);
	}
}

static void
test_what_is_none_is_refused_with_the_forms(void **state)
{
	static const char *const bad[] = {"", ":", "x", "0", "65536", "a:b",
	    "1884:db", "1884:db:0", "1884::1885", "1:2:3:4:5", "[::1:1884",
	    "[::1]x:1884", "-1", "1884:", ":1884:db:1885:"};
	struct forward forward;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(
		    forward_parse(&forward, bad[i], "b", 1, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.hint, "[BIND:]PORT"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_form_that_the_manual_names),
	    cmocka_unit_test(test_what_is_none_is_refused_with_the_forms),
	};

	return cmocka_run_group_tests_name("forward", tests, NULL, NULL);
}
