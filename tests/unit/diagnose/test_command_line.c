#include "command_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct command_line line;

#define PARSE(...)                                                             \
	command_line_parse(&line, (const char *const[]){__VA_ARGS__, NULL},    \
	    COMMAND_LINE_P_ALONE)

static void
assert_text(const char *text)
{
	struct buf out;

	buf_init(&out, 4096);
	command_line_text(&line, &out);
	buf_append(&out, "", 1);
	assert_false(out.failed);
	assert_string_equal((const char *)buf_span(&out).data, text);
	buf_fini(&out);
}

static void
test_options_behind_the_destination_are_still_options(void **state)
{
	assert_int_equal(PARSE("ssh", "-f", "-L", "1:h:2", "u@h", "-i", "key"),
	    COMMAND_LINE_GOOD);
	assert_string_equal(line.dest, "u@h");
	assert_null(line.command);
	assert_int_equal(line.option_count, 3);
	assert_int_equal(line.options[2].letter, 'i');
	assert_string_equal(line.options[2].argument, "key");
	assert_true(line.options[2].behind);
	assert_false(line.options[1].behind);
}

static void
test_options_behind_the_command_belong_to_it(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "h", "-v", "sleep", "60", "-N"), COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 1);
	assert_string_equal(line.command[0], "sleep");
	assert_string_equal(line.command[2], "-N");
}

static void
test_two_dashes_before_the_destination_end_the_options(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "-4", "--", "h", "-N"), COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 1);
	assert_string_equal(line.dest, "h");
	assert_string_equal(line.command[0], "-N");
}

static void
test_two_dashes_behind_the_destination_begin_the_command(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "h", "-4", "--", "-N"), COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 1);
	assert_string_equal(line.command[0], "-N");
}

static void
test_letters_share_a_word_and_the_last_takes_the_rest(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "-fNL22883:h:1883", "-p2222", "h"), COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 4);
	assert_string_equal(line.options[2].argument, "22883:h:1883");
	assert_string_equal(line.options[3].argument, "2222");
	assert_text("ssh -f -N -L 22883:h:1883 -p 2222 h");
}

static void
test_an_option_takes_the_next_word_whatever_it_is(void **state)
{
	assert_int_equal(PARSE("ssh", "-L", "-N", "h"), COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 1);
	assert_string_equal(line.options[0].argument, "-N");
}

static void
test_an_unknown_letter_is_named(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "-fZN", "h"), COMMAND_LINE_UNKNOWN_OPTION);
	assert_int_equal(line.fault_letter, 'Z');
	assert_string_equal(line.fault_word, "-fZN");
	assert_int_equal(
	    PARSE("ssh", "--port", "h"), COMMAND_LINE_UNKNOWN_OPTION);
	assert_int_equal(line.fault_letter, '-');
}

static void
test_a_missing_argument_is_named(void **state)
{
	assert_int_equal(
	    PARSE("ssh", "-N", "h", "-i"), COMMAND_LINE_NO_ARGUMENT);
	assert_int_equal(line.fault_letter, 'i');
}

static void
test_without_a_destination_there_is_none(void **state)
{
	assert_int_equal(PARSE("ssh", "-N"), COMMAND_LINE_NO_DEST);
	assert_int_equal(PARSE("ssh"), COMMAND_LINE_NO_DEST);
	assert_null(line.dest);
}

static void
test_other_programs_are_not_read(void **state)
{
	assert_int_equal(PARSE("scp", "a", "b"), COMMAND_LINE_NOT_SSH);
	assert_int_equal(PARSE("/usr/bin/ssh", "h"), COMMAND_LINE_GOOD);
	assert_int_equal(PARSE("ssh-add", "h"), COMMAND_LINE_NOT_SSH);
}

static void
test_capital_p_before_digits_takes_them(void **state)
{
	const char *const tag[] = {"ssh", "-P", "home", "h", NULL};

	assert_int_equal(PARSE("ssh", "-P", "2222", "h"), COMMAND_LINE_GOOD);
	assert_string_equal(line.options[0].argument, "2222");
	assert_string_equal(line.dest, "h");
	assert_int_equal(PARSE("ssh", "-P", "h"), COMMAND_LINE_GOOD);
	assert_null(line.options[0].argument);
	assert_int_equal(command_line_parse(&line, tag, COMMAND_LINE_P_TAG),
	    COMMAND_LINE_GOOD);
	assert_string_equal(line.options[0].argument, "home");
	assert_string_equal(line.dest, "h");
}

static void
test_a_line_comes_back_with_its_options_before_the_destination(void **state)
{
	assert_int_equal(PARSE("ssh", "-L", "1:h:2", "u@h", "-N", "-i", "a key",
			     "echo", "it's"),
	    COMMAND_LINE_GOOD);
	assert_text("ssh -N -L 1:h:2 -i 'a key' u@h echo 'it'\\''s'");
	assert_true(command_line_add(&line, 'o', "BatchMode=yes"));
	line.options[0].dropped = true;
	assert_text("ssh -N -i 'a key' -o BatchMode=yes u@h echo 'it'\\''s'");
}

static void
test_a_command_that_looks_like_an_option_stays_a_command(void **state)
{
	struct command_words words;

	assert_int_equal(PARSE("ssh", "h", "--", "-N"), COMMAND_LINE_GOOD);
	assert_true(command_line_words(&line, COMMAND_LINE_WHOLE, &words));
	assert_int_equal(
	    command_line_parse(&line, words.words, COMMAND_LINE_P_ALONE),
	    COMMAND_LINE_GOOD);
	assert_int_equal(line.option_count, 0);
	assert_string_equal(line.command[0], "-N");
}

static void
test_what_acts_is_left_out_for_questions(void **state)
{
	struct command_words words;

	PARSE("ssh", "-f", "-E", "log", "-p", "22", "h");
	assert_true(command_line_words(&line, COMMAND_LINE_NO_PROGRAM, &words));
	assert_int_equal(words.count, 3);
	assert_string_equal(words.words[0], "-p");
	assert_string_equal(words.words[2], "h");
}

static void
test_more_options_than_there_is_room_for_are_refused(void **state)
{
	const char *words[300] = {"ssh"};

	for (size_t i = 1; i < 200; i++)
		words[i] = "-v";
	words[200] = "h";
	assert_int_equal(command_line_parse(&line, words, COMMAND_LINE_P_ALONE),
	    COMMAND_LINE_TOO_MANY);
}

static void
test_a_destination_is_user_and_host(void **state)
{
	struct command_dest dest;

	assert_true(command_dest_parse(&dest, "a@b@host"));
	assert_string_equal(dest.user, "a@b");
	assert_string_equal(dest.host, "host");
	assert_int_equal(dest.glued, 0);
	assert_false(command_dest_parse(&dest, "@host"));
	assert_false(command_dest_parse(&dest, "user@"));
	assert_true(command_dest_parse(&dest, "fe80::1"));
	assert_string_equal(dest.host, "fe80::1");
}

static void
test_a_port_behind_a_colon_is_told_apart(void **state)
{
	struct command_dest dest;

	assert_true(command_dest_parse(&dest, "u@host:2222"));
	assert_string_equal(dest.host, "host");
	assert_int_equal(dest.glued, 2222);
	assert_int_equal(dest.port, 0);
	assert_true(command_dest_parse(&dest, "ssh://u@host:2222"));
	assert_int_equal(dest.port, 2222);
	assert_int_equal(dest.glued, 0);
	assert_true(command_dest_parse(&dest, "[::1]:2222"));
	assert_string_equal(dest.host, "::1");
	assert_int_equal(dest.glued, 2222);
	assert_true(command_dest_parse(&dest, "host:ssh"));
	assert_string_equal(dest.host, "host:ssh");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_options_behind_the_destination_are_still_options),
	    cmocka_unit_test(test_options_behind_the_command_belong_to_it),
	    cmocka_unit_test(
		test_two_dashes_before_the_destination_end_the_options),
	    cmocka_unit_test(
		test_two_dashes_behind_the_destination_begin_the_command),
	    cmocka_unit_test(
		test_letters_share_a_word_and_the_last_takes_the_rest),
	    cmocka_unit_test(test_an_option_takes_the_next_word_whatever_it_is),
	    cmocka_unit_test(test_an_unknown_letter_is_named),
	    cmocka_unit_test(test_a_missing_argument_is_named),
	    cmocka_unit_test(test_without_a_destination_there_is_none),
	    cmocka_unit_test(test_other_programs_are_not_read),
	    cmocka_unit_test(test_capital_p_before_digits_takes_them),
	    cmocka_unit_test(
		test_a_line_comes_back_with_its_options_before_the_destination),
	    cmocka_unit_test(
		test_a_command_that_looks_like_an_option_stays_a_command),
	    cmocka_unit_test(test_what_acts_is_left_out_for_questions),
	    cmocka_unit_test(
		test_more_options_than_there_is_room_for_are_refused),
	    cmocka_unit_test(test_a_destination_is_user_and_host),
	    cmocka_unit_test(test_a_port_behind_a_colon_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
