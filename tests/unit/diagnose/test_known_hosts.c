/* known_hosts: what keeps a host from being known, line by line. */

#include "known_hosts.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define KEY                                                                    \
	"ssh-ed25519 "                                                         \
	"AAAAC3NzaC1lZDI1NTE5AAAAIDcppH/ioNqpxteC5RlX5jHvKstVn9nr3cWm3D0ZwKC2"
#define CUT "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5"

static char folder[] = "/tmp/kaya-known-hosts-XXXXXX";
static char path[PATH_MAX];

static struct known_hosts
look(const char *text, uint16_t port)
{
	struct known_hosts found;
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	known_hosts_look(path, "broker", port, &found);
	unlink(path);
	return found;
}

static void
test_good_lists_are_good(void **state)
{
	static const char *const lists[] = {"", "\n# broker\n",
	    "broker " KEY "\n", "broker,10.0.0.1 " KEY " dan's\r\n",
	    "@cert-authority broker " KEY "\n", "other " CUT "\n", "<<<<\n",
	    "broker " KEY};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
		assert_int_equal(look(lists[i], 22).state, KNOWN_HOSTS_GOOD);
}

static void
test_the_line_that_is_damaged_is_counted(void **state)
{
	struct known_hosts found = look(
	    "# mine\n\nother " KEY "\nbroker " CUT "\nbroker " KEY "\n", 22);

	(void)state;
	assert_int_equal(found.state, KNOWN_HOSTS_DAMAGED);
	assert_int_equal(found.line, 4);
}

static void
test_a_line_that_is_longer_than_libssh_takes_is_one(void **state)
{
	static char text[20000];
	struct known_hosts found;

	(void)state;
	memset(text, 'x', sizeof text);
	text[0] = '#';
	snprintf(text + 17000, sizeof text - 17000, "\nbroker " CUT "\n");
	found = look(text, 22);
	assert_int_equal(found.state, KNOWN_HOSTS_DAMAGED);
	assert_int_equal(found.line, 2);
}

static void
test_a_line_is_of_its_port_alone(void **state)
{
	(void)state;
	assert_int_equal(
	    look("broker " CUT "\n", 2222).state, KNOWN_HOSTS_GOOD);
	assert_int_equal(
	    look("[broker]:2222 " CUT "\n", 2222).state, KNOWN_HOSTS_DAMAGED);
}

static void
test_no_file_is_no_fault_and_a_folder_is_one(void **state)
{
	struct known_hosts found;
	char cause[128], remedy[128];

	(void)state;
	known_hosts_look(path, "broker", 22, &found);
	assert_int_equal(found.state, KNOWN_HOSTS_GOOD);
	known_hosts_look("/proc/self", "broker", 22, &found);
	assert_int_equal(found.state, KNOWN_HOSTS_NOT_READ);
	assert_int_equal(found.error, EISDIR);
	known_hosts_tell(&found, "/a b", "broker", cause, sizeof cause, remedy,
	    sizeof remedy);
	assert_string_equal(cause, "the list of known hosts, '/a b', cannot be "
				   "read: Is a directory");
	assert_string_equal(remedy, "move it away: mv '/a b' '/a b'.old");
	found.error = EACCES;
	known_hosts_tell(
	    &found, "/a", "broker", cause, sizeof cause, remedy, sizeof remedy);
	assert_string_equal(remedy, "let its owner read it: chmod u+rw /a");
}

static void
test_the_remedy_takes_the_line_out(void **state)
{
	const struct known_hosts found = {KNOWN_HOSTS_DAMAGED, 0, 3};
	char cause[128], remedy[128];

	(void)state;
	known_hosts_tell(
	    &found, "/k", "broker", cause, sizeof cause, remedy, sizeof remedy);
	assert_string_equal(cause, "line 3 of /k, which is for broker, is "
				   "damaged: nothing in that file counts for "
				   "broker");
	assert_string_equal(remedy, "take that line out: sed -i.old 3d /k");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_good_lists_are_good),
	    cmocka_unit_test(test_the_line_that_is_damaged_is_counted),
	    cmocka_unit_test(
		test_a_line_that_is_longer_than_libssh_takes_is_one),
	    cmocka_unit_test(test_a_line_is_of_its_port_alone),
	    cmocka_unit_test(test_no_file_is_no_fault_and_a_folder_is_one),
	    cmocka_unit_test(test_the_remedy_takes_the_line_out),
	};
	int failed;

	if (mkdtemp(folder) == NULL)
		return 1;
	snprintf(path, sizeof path, "%s/known_hosts", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(folder);
	return failed;
}
