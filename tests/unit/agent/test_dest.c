#include "dest.h"

#include <pwd.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static void
test_every_form_that_the_manual_names(void **state)
{
	static const struct {
		const char *text, *user, *host;
		uint16_t port;
	} rows[] = {
	    {"broker", "", "broker", 0},
	    {"user@broker", "user", "broker", 0},
	    {"user@broker:2222", "user", "broker", 2222},
	    {"ssh://user@broker:2222", "user", "broker", 2222},
	    {"ssh://broker/", "", "broker", 0},
	    {"[2001:db8::1]:2222", "", "2001:db8::1", 2222},
	    {"user@[::1]", "user", "::1", 0},
	    {"::1", "", "::1", 0},
	    {"a@b@broker", "a@b", "broker", 0},
	};
	struct err err = ERR_INIT;
	struct dest dest;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(dest_parse(&dest, rows[i].text, &err), 0);
		assert_string_equal(dest.user, rows[i].user);
		assert_string_equal(dest.host, rows[i].host);
		assert_int_equal(dest.port, rows[i].port);
	}
}

static void
test_what_is_none_is_refused_with_the_forms(void **state)
{
	static const char *const bad[] = {"", "user@", "@host",
	    "host:", "host:0", "host:65536", "[::1", "-oProxyCommand=x",
	    "user@-x", "ho st", "host/../x", "ssh://", "\x01host"};
	struct err err = ERR_INIT;
	struct dest dest;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(dest_parse(&dest, bad[i], &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.hint, "[user@]host[:port]"));
	}
}

static int
look_up(const char *content, struct dest_enrolled *enrolled, struct err *err)
{
	char dir[] = "/tmp/kaya-test-XXXXXX", path[64];
	FILE *file;
	int result;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/hosts", dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/hosts/pump", dir);
	file = fopen(path, "w");
	fputs(content, file);
	fclose(file);
	result = dest_enrolled(enrolled, dir, "pump", err);
	unlink(path);
	snprintf(path, sizeof path, "%s/hosts", dir);
	rmdir(path);
	rmdir(dir);
	return result;
}

static void
test_what_was_enrolled_is_found(void **state)
{
	struct dest_enrolled enrolled;
	struct err err = ERR_INIT;

	assert_int_equal(look_up("# made by kaya enroll\nhost 192.0.2.1\n"
				 "port 2222\nkey /k/a b\nuser dan\n",
			     &enrolled, &err),
	    1);
	assert_string_equal(enrolled.host, "192.0.2.1");
	assert_int_equal(enrolled.port, 2222);
	assert_string_equal(enrolled.key_file, "/k/a b");
	assert_string_equal(enrolled.user, "dan");
	assert_int_equal(
	    dest_enrolled(&enrolled, "/nonexistent", "pump", &err), 0);
	assert_int_equal(dest_enrolled(&enrolled, "/tmp", "../etc", &err), 0);
}

static void
test_a_wrong_line_is_named(void **state)
{
	struct dest_enrolled enrolled;
	struct err err = ERR_INIT;

	assert_int_equal(look_up("host a\nprot 22\n", &enrolled, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.where, "pump:2"));
	assert_int_equal(look_up("port 0\n", &enrolled, &err), -1);
}

static void
test_a_host_has_a_file_of_its_name(void **state)
{
	static const struct {
		const char *host, *name;
	} rows[] = {
	    {"gateway.example", "gateway.example"},
	    {"2001:db8::1", "2001_db8__1"},
	    {"fe80::1%eth0", "fe80__1_eth0"},
	    {"..", ""},
	    {".hidden", ""},
	    {"a/b", ""},
	    {"", ""},
	};
	char name[256];

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		dest_record_name(rows[i].host, name, sizeof name);
		assert_string_equal(name, rows[i].name);
	}
}

static void
test_a_home_is_known_where_the_environment_has_none(void **state)
{
	setenv("HOME", "/somewhere", 1);
	assert_string_equal(dest_home(), "/somewhere");
	unsetenv("HOME");
	assert_string_equal(dest_home(), getpwuid(getuid())->pw_dir);
	setenv("HOME", "", 1);
	assert_string_equal(dest_home(), getpwuid(getuid())->pw_dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_form_that_the_manual_names),
	    cmocka_unit_test(test_what_is_none_is_refused_with_the_forms),
	    cmocka_unit_test(test_what_was_enrolled_is_found),
	    cmocka_unit_test(test_a_wrong_line_is_named),
	    cmocka_unit_test(test_a_host_has_a_file_of_its_name),
	    cmocka_unit_test(
		test_a_home_is_known_where_the_environment_has_none),
	};

	return cmocka_run_group_tests_name("dest", tests, NULL, NULL);
}
