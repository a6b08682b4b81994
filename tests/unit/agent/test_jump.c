#include "jump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void
test_the_last_hop_is_asked_and_the_others_are_its_jumps(void **state)
{
	static const struct {
		const char *hops, *command;
	} rows[] = {
	    {"a", "ssh -W '[%h]:%p' -- 'a'"},
	    {"dan@a:2222", "ssh -l 'dan' -p 2222 -W '[%h]:%p' -- 'a'"},
	    {"ssh://dan@a:2222", "ssh -l 'dan' -p 2222 -W '[%h]:%p' -- 'a'"},
	    {"[::1]:22", "ssh -p 22 -W '[%h]:%p' -- '::1'"},
	    {"a,dan@b:1,c", "ssh -J 'a,dan@b:1' -W '[%h]:%p' -- 'c'"},
	};
	const struct link_options options = {.asking = LINK_MAY_ASK};
	char command[JUMP_COMMAND_SIZE];
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(
		    jump_command(&options, rows[i].hops, command, &err), 0);
		assert_string_equal(command, rows[i].command);
	}
}

static void
test_who_may_not_be_asked_is_not_and_the_configuration_goes_along(void **state)
{
	const struct link_options options = {.ssh_config = "/my conf"};
	char command[JUMP_COMMAND_SIZE];
	struct err err = ERR_INIT;

	assert_int_equal(jump_command(&options, "a", command, &err), 0);
	assert_string_equal(command, "ssh -F '/my conf' -o BatchMode=yes "
				     "-W '[%h]:%p' -- 'a'");
}

static void
test_nothing_is_the_shells_or_libsshs(void **state)
{
	const struct link_options options = {
	    .ssh_config = "a'b%h", .asking = LINK_MAY_ASK};
	char command[JUMP_COMMAND_SIZE];
	struct err err = ERR_INIT;

	assert_int_equal(
	    jump_command(&options, "$(id)@`id`;&|", command, &err), 0);
	assert_string_equal(command, "ssh -F 'a'\\''b%%h' -l '$(id)' "
				     "-W '[%h]:%p' -- '`id`;&|'");
}

static void
test_what_is_no_list_is_refused(void **state)
{
	static const char *const bad[] = {"", ",", "a,", ",a", "a,,b", "-a",
	    "a,-b", "-l@a", "a b", "a:0", "a:70000", "@a", "ssh://", "[::1"};
	const struct link_options options = {.asking = LINK_MAY_ASK};
	char command[JUMP_COMMAND_SIZE], *hops;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_int_equal(
		    jump_command(&options, bad[i], command, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_non_null(strstr(err.hint, "[user@]host[:port]"));
	}
	/* However long: the command has an end. */
	hops = test_malloc(JUMP_COMMAND_SIZE + 2);
	for (size_t len = 2; len < JUMP_COMMAND_SIZE; len += 2) {
		memcpy(hops + len - 2, "a,", 2);
		memcpy(hops + len, "b", 2);
		if (jump_command(&options, hops, command, &err) == 0)
			assert_in_range(
			    strlen(command), len, JUMP_COMMAND_SIZE - 1);
		else
			assert_int_equal(err.code, ERR_USAGE);
	}
	test_free(hops);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_the_last_hop_is_asked_and_the_others_are_its_jumps),
	    cmocka_unit_test(
		test_who_may_not_be_asked_is_not_and_the_configuration_goes_along),
	    cmocka_unit_test(test_nothing_is_the_shells_or_libsshs),
	    cmocka_unit_test(test_what_is_no_list_is_refused),
	};

	return cmocka_run_group_tests_name("jump", tests, NULL, NULL);
}
