#include "listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_port_that_is_served_is_an_error_and_not_half_of_it),
	    cmocka_unit_test(test_addresses_are_read_and_written),
	};

	return cmocka_run_group_tests_name("listener", tests, NULL, NULL);
}
