#include "compare_settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct ssh_settings first, second;
static struct compare_difference differences[8];

static size_t
compare(const char *a, const char *b, size_t max)
{
	ssh_settings_fini(&first);
	ssh_settings_fini(&second);
	assert_int_equal(ssh_settings_parse(&first, span_of_str(a)), 0);
	assert_int_equal(ssh_settings_parse(&second, span_of_str(b)), 0);
	return compare_settings(&first, &second, differences, max);
}

static int
teardown(void **state)
{
	ssh_settings_fini(&first);
	ssh_settings_fini(&second);
	return 0;
}

static void
test_a_setting_is_a_word_and_the_rest_of_its_line(void **state)
{
	size_t at = 0;

	compare("user dan\nidentityfile ~/a b\nidentityfile c\nempty\n", "", 8);
	assert_string_equal(ssh_settings_get(&first, "user"), "dan");
	assert_string_equal(ssh_settings_get(&first, "empty"), "");
	assert_string_equal(ssh_settings_get(&first, "absent"), "");
	assert_string_equal(
	    ssh_settings_next(&first, "identityfile", &at), "~/a b");
	assert_string_equal(
	    ssh_settings_next(&first, "identityfile", &at), "c");
	assert_null(ssh_settings_next(&first, "identityfile", &at));
}

static void
test_what_is_equal_is_no_difference(void **state)
{
	assert_int_equal(compare("user a\nport 1\n", "port 1\nuser a\n", 8), 0);
}

static void
test_the_gravest_difference_comes_first(void **state)
{
	assert_int_equal(compare("strange 1\nciphers a\nport 1\nuser x\n",
			     "strange 2\nciphers b\nport 2\nuser x\n", 8),
	    3);
	assert_string_equal(differences[0].word, "port");
	assert_string_equal(differences[1].word, "ciphers");
	assert_string_equal(differences[2].word, "strange");
}

static void
test_words_of_one_side_alone_are_differences(void **state)
{
	assert_int_equal(compare("new 1\n", "proxyjump h\n", 8), 2);
	assert_string_equal(differences[0].word, "proxyjump");
	assert_string_equal(differences[0].first, "");
	assert_string_equal(differences[1].first, "1");
}

static void
test_all_values_of_a_word_are_compared(void **state)
{
	assert_int_equal(compare("identityfile a\nidentityfile b\n",
			     "identityfile b\nidentityfile a\n", 8),
	    1);
	assert_string_equal(differences[0].first, "a, b");
	assert_string_equal(differences[0].second, "b, a");
}

static void
test_the_name_as_typed_is_left_out(void **state)
{
	assert_int_equal(compare("host a\n", "host b\n", 8), 0);
}

static void
test_no_more_than_there_is_room_for_are_told(void **state)
{
	assert_int_equal(compare("a 1\nb 1\nc 1\n", "", 2), 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(
		test_a_setting_is_a_word_and_the_rest_of_its_line, teardown),
	    cmocka_unit_test_teardown(
		test_what_is_equal_is_no_difference, teardown),
	    cmocka_unit_test_teardown(
		test_the_gravest_difference_comes_first, teardown),
	    cmocka_unit_test_teardown(
		test_words_of_one_side_alone_are_differences, teardown),
	    cmocka_unit_test_teardown(
		test_all_values_of_a_word_are_compared, teardown),
	    cmocka_unit_test_teardown(
		test_the_name_as_typed_is_left_out, teardown),
	    cmocka_unit_test_teardown(
		test_no_more_than_there_is_room_for_are_told, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
