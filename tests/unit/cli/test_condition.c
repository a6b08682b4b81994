/* What has to hold for a device to permit. */

#include "condition.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[] = "/tmp/kaya-test-XXXXXX";

static bool
holds_for(enum condition_kind kind, const char *text, struct span payload)
{
	const struct condition_about about = {
	    "valve-1.0123456789abcdef", span_of_str("plant/set"), payload};
	struct conditions conditions = {.count = 0};
	struct err err = ERR_INIT;
	char why[256];

	assert_int_equal(condition_add(&conditions, kind, text, &err), 0);
	return condition_holds(&conditions, &about, why, sizeof why);
}

static bool
file_holds(const char *text)
{
	return holds_for(CONDITION_FILE, text, span_of_str("open"));
}

static bool
command_holds(const char *text)
{
	return holds_for(CONDITION_COMMAND, text, span_of_str("open"));
}

static void
write_file(const char *path, struct span bytes)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	fclose(file);
}

/* As the kernel has a line of a GPIO in /sys/class/gpio. */
static void
test_a_gpio_is_a_file_with_a_value(void **state)
{
	assert_int_equal(system("mkdir -p class/gpio/gpio17"), 0);
	write_file("class/gpio/gpio17/value", span_of_str("1\n"));
	assert_true(file_holds("class/gpio/gpio17/value"));
	assert_true(file_holds("class/gpio/gpio17/value=1"));
	assert_false(file_holds("class/gpio/gpio17/value=0"));
	write_file("class/gpio/gpio17/value", span_of_str("0\n"));
	assert_false(file_holds("class/gpio/gpio17/value"));
	assert_true(file_holds("class/gpio/gpio17/value=0"));
	/* Taken away is not low. */
	unlink("class/gpio/gpio17/value");
	assert_false(file_holds("class/gpio/gpio17/value=0"));
	assert_false(file_holds("class/gpio/gpio17/value="));
}

static void
test_a_file_holds_all_of_its_value_and_nothing_else(void **state)
{
	static char padded[4096];

	write_file("v", span_of_str("10"));
	assert_false(file_holds("v=1"));
	write_file("v", span_of_str("1 \t\r\n"));
	assert_true(file_holds("v=1"));
	write_file("v", span_of("1\0", 2));
	assert_false(file_holds("v=1"));
	write_file("v", span_of_str(""));
	assert_true(file_holds("v="));
	assert_false(file_holds("v"));
	/* Behind more white space than is looked at. */
	memset(padded, '\n', sizeof padded);
	padded[0] = '1';
	padded[300] = '0';
	write_file("v", span_of(padded, sizeof padded));
	assert_false(file_holds("v=1"));
	/* What cannot be read is not empty. */
	assert_int_equal(mkdir("d", 0700), 0);
	assert_false(file_holds("d="));
}

static void
test_a_command_is_told_all_or_does_not_hold(void **state)
{
	static char payload[4097];

	assert_true(command_holds("test \"$KAYA_PAYLOAD\" = open"));
	assert_true(command_holds("test \"$KAYA_TOPIC\" = plant/set"));
	assert_true(
	    command_holds("test \"$KAYA_ID\" = valve-1.0123456789abcdef"));
	assert_false(command_holds("exit 1"));
	assert_false(command_holds("kill -9 $$"));
	assert_false(command_holds("/no/such/program"));
	memset(payload, 'x', 4096);
	assert_true(holds_for(CONDITION_COMMAND, "test ${#KAYA_PAYLOAD} = 4096",
	    span_of_str(payload)));
	assert_false(holds_for(CONDITION_COMMAND,
	    "test \"$KAYA_PAYLOAD\" != open", span_of("open\0", 5)));
}

static void
test_a_command_finds_pipes_as_a_shell_has_them(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	assert_true(
	    command_holds("sh -c 'kill -PIPE $$; exit 0'; test $? -gt 128"));
}

static void
test_a_command_that_hangs_does_not_hold(void **state)
{
	assert_false(command_holds("sleep 60 & sleep 60"));
}

static int
set_up(void **state)
{
	return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int
tear_down(void **state)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return chdir("/") != 0 ? -1 : system(command);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_gpio_is_a_file_with_a_value),
	    cmocka_unit_test(
		test_a_file_holds_all_of_its_value_and_nothing_else),
	    cmocka_unit_test(test_a_command_is_told_all_or_does_not_hold),
	    cmocka_unit_test(test_a_command_finds_pipes_as_a_shell_has_them),
	    cmocka_unit_test(test_a_command_that_hangs_does_not_hold),
	};

	return cmocka_run_group_tests_name(
	    "condition", tests, set_up, tear_down);
}
