#include "settings_files.h"
#include "settings_source.h"
#include "settings_read.h"

#include <sys/stat.h>

/* ---- files ---- */

static char folder[64];

static const char *
in_folder(const char *name)
{
	static char path[128];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void
put_file(const char *name, const char *content, mode_t mode)
{
	FILE *file = fopen(in_folder(name), "w");

	assert_non_null(file);
	fputs(content, file);
	fclose(file);
	assert_int_equal(chmod(in_folder(name), mode), 0);
}

static int
make_folder(void **state)
{
	strcpy(folder, "/tmp/test_settings_XXXXXX");
	if (mkdtemp(folder) == NULL)
		return -1;
	put_file("secret", "password\n", 0600);
	put_file("open", "password\n", 0640);
	put_file("empty", "", 0600);
	put_file("shared", "keys\n", 0664);
	put_file("program", "#!/bin/sh\n", 0755);
	return 0;
}

static int
drop_folder(void **state)
{
	static const char *const names[] = {
	    "secret", "open", "empty", "shared", "program", "kayad.conf"};

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(in_folder(names[i]));
	return rmdir(folder);
}

/* `faults`: F stands for the folder. */
static void
check_files(const char *text, const char *faults)
{
	char expected[2048] = "", full[1024];
	struct read r = {.result = 0};
	size_t len = 0;
	int result;

	for (const char *p = faults; *p != '\0'; p++)
		len += (size_t)snprintf(expected + len, sizeof expected - len,
		    *p == 'F' ? "%s" : "%.1s", *p == 'F' ? folder : p);
	snprintf(full, sizeof full,
	    "%sstate: no\nprivate_broker: {program: %s/program}\n", text,
	    folder);
	assert_int_equal(settings_defaults(&r.s, &r.err), 0);
	assert_int_equal(
	    settings_load(&r.s, in_folder("c"),
		span_of_str(strstr(text, "brokers") != NULL ? text : full),
		keep_fault, &r, &r.err),
	    0);
	assert_int_equal(settings_override(&r.s, NULL, &r.err), 0);
	result = settings_check_files(&r.s, keep_fault, &r, &r.err);
	assert_string_equal(r.faults, expected);
	assert_int_equal(result, faults[0] == '\0' ? 0 : -1);
	settings_fini(&r.s);
}

static void
test_files_that_are_as_they_must_be_are_no_fault(void **state)
{
	check_files("", "");
	check_files("host_keys: secret\nauthorized_keys: secret\n", "");
	check_files("authorized_keys: .\n", "");
}

static void
test_files_that_are_missing_or_open_are_told_where_they_are_named(void **state)
{
	check_files("host_keys: [secret, gone]\n",
	    "F/c:1:21: host_keys[1]: F/gone: No such file or directory [name "
	    "one that is there, or make it]\n");
	check_files("host_keys: open\nauthorized_keys: gone\n",
	    "F/c:1:12: host_keys[0]: F/open has mode 0640: others may read it "
	    "[take the rights of group and others: chmod 600]\n"
	    "F/c:2:18: authorized_keys: F/gone: No such file or directory "
	    "[name one that is there, or make it]\n");
	check_files("authorized_keys: shared\n",
	    "F/c:1:18: authorized_keys: F/shared has mode 0664: others may "
	    "change it [let only its owner write: chmod go-w]\n");
	check_files("host_keys: .\n",
	    "F/c:1:12: host_keys[0]: F/. is not a file [name a file]\n");
	check_files("brokers:\n- address: a:1\n  identity: "
		    "username-with-secret\n  secret_file: empty\n",
	    "F/c:4:16: brokers[0].secret_file: F/empty holds nothing [put the "
	    "password into it]\n");
}

static void
test_what_the_command_line_named_has_no_place_in_the_file(void **state)
{
	struct settings_overrides o = {
	    .state = in_folder("shared"), .broker = "a:1"};
	struct read r;

	read_with(&r, "state: /elsewhere\n", &o);
	assert_int_equal(r.result, 0);
	assert_int_equal(
	    settings_check_files(&r.s, keep_fault, &r, &r.err), -1);
	assert_string_equal(r.err.where, "etc/kayad.conf");
	assert_non_null(strstr(r.err.what, "shared is not a folder"));
	settings_fini(&r.s);
}

static void
test_programs_are_found_as_a_shell_would_and_in_sbin(void **state)
{
	char path[256];

	setenv("PATH", "/nowhere::/bin", 1);
	assert_true(settings_find_program("sh", path, sizeof path));
	assert_string_equal(path, "/bin/sh");
	assert_true(
	    settings_find_program(in_folder("program"), path, sizeof path));
	assert_false(
	    settings_find_program(in_folder("secret"), path, sizeof path));
	assert_false(settings_find_program("no-such-one", path, sizeof path));
	assert_false(settings_find_program("sh", path, 4));
}

static int
test(const char *file, const struct settings_overrides *overrides)
{
	return settings_test(file, overrides, SETTINGS_TEST_TEXT);
}

static void
test_kayad_t_has_the_exit_status_for_each_end(void **state)
{
	struct settings_overrides wrong = {.broker = "x"};
	struct settings_overrides right = {.broker = "x:1", .state = "/no"};

	assert_int_equal(test(NULL, &right), 0);
	assert_int_equal(test(NULL, &wrong), 2);
	assert_int_equal(test(in_folder("gone"), NULL), 2);
	put_file("kayad.conf", "threads: 0\n", 0644);
	assert_int_equal(test(in_folder("kayad.conf"), &right), 2);
	put_file("kayad.conf", "threads: 1\nhost_keys: gone\n", 0644);
	assert_int_equal(test(in_folder("kayad.conf"), &right), 2);
	/* It is a file, but no key. */
	put_file("kayad.conf", "threads: 1\nhost_keys: secret\n", 0644);
	assert_int_equal(test(in_folder("kayad.conf"), &right), 2);
	put_file("kayad.conf", "threads: 1\n", 0644);
	assert_int_equal(test(in_folder("kayad.conf"), &right), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_files_that_are_as_they_must_be_are_no_fault),
	    cmocka_unit_test(
		test_files_that_are_missing_or_open_are_told_where_they_are_named),
	    cmocka_unit_test(
		test_what_the_command_line_named_has_no_place_in_the_file),
	    cmocka_unit_test(
		test_programs_are_found_as_a_shell_would_and_in_sbin),
	    cmocka_unit_test(test_kayad_t_has_the_exit_status_for_each_end),
	};

	return cmocka_run_group_tests_name(
	    "settings_files", tests, make_folder, drop_folder);
}
