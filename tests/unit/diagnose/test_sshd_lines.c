#include "sshd_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/kaya-sshd-lines.XXXXXX";
static struct sshd_lines lines;

static char *
path_of(const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

/* "%s" in the text stands for the folder. */
static void
put(const char *name, const char *text)
{
	FILE *file = fopen(path_of(name), "w");

	assert_non_null(file);
	for (; *text != '\0'; text++)
		if (text[0] == '%')
			fputs(folder, file);
		else
			fputc(*text, file);
	fclose(file);
}

static void
find(void)
{
	sshd_lines_fini(&lines);
	sshd_lines_find(&lines, path_of("main"), "permitopen");
}

static void
assert_line(size_t i, const char *name, size_t line, const char *criteria)
{
	assert_true(i < lines.count);
	assert_string_equal(lines.items[i].at.file, path_of(name));
	assert_int_equal(lines.items[i].at.line, line);
	assert_string_equal(lines.items[i].criteria, criteria);
}

static void
test_a_word_is_found_however_it_is_written(void **state)
{
	put("main", "# PermitOpen a:1\nPermitOpen b:1\n\tPERMITOPEN=c:1\r\n"
		    "permitopen = d:1\nPermitOpenX e:1\n\nPermitOpen");
	find();
	assert_false(lines.failed);
	assert_int_equal(lines.count, 4);
	assert_line(0, "main", 2, "");
	assert_line(1, "main", 3, "");
	assert_line(2, "main", 4, "");
	assert_line(3, "main", 7, "");
	assert_int_equal(lines.items[0].match.line, 0);
}

static void
test_what_is_included_stands_where_it_is_included(void **state)
{
	put("main",
	    "PermitOpen a:1\nInclude %/*.conf \"%/z\" # %/not\nMatch all\n"
	    "PermitOpen b:1\n");
	put("2.conf", "PermitOpen 2:1\n");
	put("1.conf", "Match User ann # and no other\nPermitOpen 1:1\n");
	put("z", "PermitOpen z:1\n");
	put("not", "PermitOpen not:1\n");
	find();
	assert_int_equal(lines.count, 5);
	assert_line(0, "main", 1, "");
	assert_line(1, "1.conf", 2, "User ann");
	assert_string_equal(lines.items[1].match.file, path_of("1.conf"));
	assert_int_equal(lines.items[1].match.line, 1);
	assert_line(2, "2.conf", 1, "");
	assert_line(3, "z", 1, "");
	assert_line(4, "main", 4, "all");
}

static void
test_a_match_ends_with_its_file_and_holds_for_what_it_includes(void **state)
{
	put("main", "Match User ann\nInclude %/inner\nPermitOpen a:1\n"
		    "Match all\nInclude %/inner\n");
	put("inner",
	    "PermitOpen i:1\nMatch Address 10.0.0.0/8\nPermitOpen j:1\n"
	    "Match all\nPermitOpen k:1\n");
	find();
	assert_int_equal(lines.count, 7);
	assert_line(0, "inner", 1, "User ann");
	assert_string_equal(lines.items[0].match.file, path_of("main"));
	assert_line(1, "inner", 3, "User ann Address 10.0.0.0/8");
	assert_string_equal(lines.items[1].match.file, path_of("inner"));
	assert_line(2, "inner", 5, "User ann");
	assert_line(3, "main", 3, "User ann");
	assert_line(4, "inner", 1, "all");
	assert_line(5, "inner", 3, "Address 10.0.0.0/8");
	assert_line(6, "inner", 5, "all");
}

static void
test_a_file_that_includes_itself_ends(void **state)
{
	put("main", "PermitOpen a:1\nInclude %/main\n");
	find();
	assert_false(lines.failed);
	assert_int_equal(lines.count, 17);
}

static void
test_what_is_too_much_is_said_to_be(void **state)
{
	char *text = calloc(1, 64 << 10);

	assert_non_null(text);
	for (size_t i = 0; i <= SSHD_LINES_MAX; i++)
		strcat(text, "PermitOpen a:1\n");
	put("main", text);
	find();
	assert_true(lines.failed);
	strcpy(text, "Match User ");
	for (size_t i = 0; i < SSHD_CRITERIA_SIZE; i++)
		strcat(text, "x");
	put("main", strcat(text, "\nPermitOpen a:1\n"));
	find();
	assert_true(lines.failed);
	free(text);
}

static void
test_a_file_that_is_not_there_has_none(void **state)
{
	sshd_lines_fini(&lines);
	sshd_lines_find(&lines, path_of("nothing"), "permitopen");
	assert_false(lines.failed);
	assert_int_equal(lines.count, 0);
}

static int
begin(void **state)
{
	return mkdtemp(folder) != NULL ? 0 : -1;
}

static int
end(void **state)
{
	static const char *const names[] = {
	    "main", "1.conf", "2.conf", "z", "not", "inner"};

	sshd_lines_fini(&lines);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		unlink(path_of(names[i]));
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_word_is_found_however_it_is_written),
	    cmocka_unit_test(test_what_is_included_stands_where_it_is_included),
	    cmocka_unit_test(
		test_a_match_ends_with_its_file_and_holds_for_what_it_includes),
	    cmocka_unit_test(test_a_file_that_includes_itself_ends),
	    cmocka_unit_test(test_what_is_too_much_is_said_to_be),
	    cmocka_unit_test(test_a_file_that_is_not_there_has_none),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
