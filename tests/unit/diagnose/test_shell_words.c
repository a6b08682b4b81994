#include "shell.h"
#include "shell_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct arena arena;
static const char *words[8];
static size_t count;

static enum shell_words_result
split(const char *text)
{
	return shell_words_split(
	    span_of_str(text), "/home/dan", &arena, words, 8, &count);
}

static int
teardown(void **state)
{
	arena_fini(&arena);
	return 0;
}

static void
test_blanks_part_words(void **state)
{
	assert_int_equal(split("  ssh\t-N  h "), SHELL_WORDS_GOOD);
	assert_int_equal(count, 3);
	assert_string_equal(words[1], "-N");
	assert_string_equal(words[2], "h");
	assert_null(words[3]);
}

static void
test_quotes_hold_blanks_and_vanish(void **state)
{
	assert_int_equal(
	    split("-i'a b' \"c \\\" d\" e\\ f ''"), SHELL_WORDS_GOOD);
	assert_int_equal(count, 4);
	assert_string_equal(words[0], "-ia b");
	assert_string_equal(words[1], "c \" d");
	assert_string_equal(words[2], "e f");
	assert_string_equal(words[3], "");
}

static void
test_a_quote_that_stays_open_is_told(void **state)
{
	assert_int_equal(split("ssh 'h"), SHELL_WORDS_OPEN_QUOTE);
	assert_int_equal(split("ssh h \"x'"), SHELL_WORDS_OPEN_QUOTE);
}

static void
test_what_parts_commands_ends_the_words(void **state)
{
	assert_int_equal(split("ssh h & echo x"), SHELL_WORDS_GOOD);
	assert_int_equal(count, 2);
	assert_int_equal(split("ssh h; ls"), SHELL_WORDS_GOOD);
	assert_int_equal(count, 2);
	assert_int_equal(split("ssh 'a;b'"), SHELL_WORDS_GOOD);
	assert_string_equal(words[1], "a;b");
}

static void
test_an_escaped_line_end_joins_lines(void **state)
{
	assert_int_equal(split("ssh -N \\\n h"), SHELL_WORDS_GOOD);
	assert_int_equal(count, 3);
	assert_string_equal(words[2], "h");
}

static void
test_the_home_stands_for_a_tilde_at_the_front(void **state)
{
	assert_int_equal(split("-F ~/x '~/y' a~/z"), SHELL_WORDS_GOOD);
	assert_string_equal(words[1], "/home/dan/x");
	assert_string_equal(words[2], "~/y");
	assert_string_equal(words[3], "a~/z");
}

static void
test_more_words_than_there_is_room_for_are_refused(void **state)
{
	assert_int_equal(split("1 2 3 4 5 6 7"), SHELL_WORDS_GOOD);
	assert_int_equal(count, 7);
	assert_int_equal(split("1 2 3 4 5 6 7 8"), SHELL_WORDS_TOO_MANY);
}

static void
test_quoted_words_come_back_as_they_were(void **state)
{
	static const char *const samples[] = {"", "a b", "it's", "$HOME", "*",
	    "a\"b", "plain", "~/x", "a;b", "\\"};

	for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++) {
		struct buf out;

		buf_init(&out, 100);
		shell_quote(&out, samples[i]);
		assert_int_equal(shell_words_split(buf_span(&out), "/home/dan",
				     &arena, words, 8, &count),
		    SHELL_WORDS_GOOD);
		assert_int_equal(count, 1);
		assert_string_equal(words[0], samples[i]);
		buf_fini(&out);
	}
}

static void
test_no_cut_of_a_text_reads_behind_its_end(void **state)
{
	static const char text[] = "ssh 'a \\' \"b\\\" ~/ c\\";
	char copy[sizeof text];

	for (size_t len = 0; len < sizeof text; len++) {
		memcpy(copy, text, len);
		shell_words_split(
		    span_of(copy, len), NULL, &arena, words, 8, &count);
		assert_true(count < 8);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_blanks_part_words, teardown),
	    cmocka_unit_test_teardown(
		test_quotes_hold_blanks_and_vanish, teardown),
	    cmocka_unit_test_teardown(
		test_a_quote_that_stays_open_is_told, teardown),
	    cmocka_unit_test_teardown(
		test_what_parts_commands_ends_the_words, teardown),
	    cmocka_unit_test_teardown(
		test_an_escaped_line_end_joins_lines, teardown),
	    cmocka_unit_test_teardown(
		test_the_home_stands_for_a_tilde_at_the_front, teardown),
	    cmocka_unit_test_teardown(
		test_more_words_than_there_is_room_for_are_refused, teardown),
	    cmocka_unit_test_teardown(
		test_quoted_words_come_back_as_they_were, teardown),
	    cmocka_unit_test_teardown(
		test_no_cut_of_a_text_reads_behind_its_end, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
