#include "keys_diff.h"
#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static struct buf rows;

static void
put_row(void *arg, char mark, struct span line)
{
	(void)arg;
	if (mark != '@')
		buf_append(&rows, &mark, 1);
	buf_append(&rows, line.data, line.len);
	if (line.len > 0 && line.data[line.len - 1] != '\n')
		buf_append(&rows, "$\n", 2);
}

static void
check(const char *before, const char *after, const char *expected)
{
	buf_init(&rows, 1 << 20);
	assert_int_equal(keys_diff(span_of_str(before), span_of_str(after),
			     put_row, NULL, NULL),
	    0);
	if (!span_is(buf_span(&rows), expected))
		fail_msg("\n%.*s\nis not\n%s", (int)buf_len(&rows),
		    (const char *)buf_span(&rows).data, expected);
	buf_fini(&rows);
}

static void
what_is_alike_has_no_difference(void **state)
{
	(void)state;
	check("", "", "");
	check("a\nb\n", "a\nb\n", "");
	check("a\nb", "a\nb", "");
}

static void
a_changed_line_stands_among_three_on_either_side(void **state)
{
	(void)state;
	check("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
	    "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n");
	check("1\n2\n3\n4\n5\n", "x\n2\n3\n4\n5\n",
	    "@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n");
	check("1\n2\n", "1\nx\n", "@@ -1,2 +1,2 @@\n 1\n-2\n+x\n");
}

static void
lines_come_and_go(void **state)
{
	(void)state;
	check("", "a\n", "@@ -0,0 +1 @@\n+a\n");
	check("a\n", "", "@@ -1 +0,0 @@\n-a\n");
	check("a\nb\nc\n", "a\nc\n", "@@ -1,3 +1,2 @@\n a\n-b\n c\n");
	check("a\nc\n", "a\nb\nc\n", "@@ -1,2 +1,3 @@\n a\n+b\n c\n");
	check("a\nb\nc\n", "a\nbc\n", "@@ -1,3 +1,2 @@\n a\n-b\n-c\n+bc\n");
}

static void
a_last_line_without_an_end_is_another_line(void **state)
{
	(void)state;
	check("a\nb", "a\nb\n", "@@ -1,2 +1,2 @@\n a\n-b$\n+b\n");
}

static void
changes_that_are_near_share_a_hunk_and_others_do_not(void **state)
{
	(void)state;
	check("a\n1\n2\n3\n4\n5\n6\nb\n", "x\n1\n2\n3\n4\n5\n6\ny\n",
	    "@@ -1,8 +1,8 @@\n-a\n+x\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+y\n");
	check("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "x\n1\n2\n3\n4\n5\n6\n7\ny\n",
	    "@@ -1,4 +1,4 @@\n-a\n+x\n 1\n 2\n 3\n"
	    "@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+y\n");
}

static void
every_line_may_differ(void **state)
{
	(void)state;
	check("a\r\nb\r\n", "a\nb\n", "@@ -1,2 +1,2 @@\n-a\r\n-b\r\n+a\n+b\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_alike_has_no_difference),
	    cmocka_unit_test(a_changed_line_stands_among_three_on_either_side),
	    cmocka_unit_test(lines_come_and_go),
	    cmocka_unit_test(a_last_line_without_an_end_is_another_line),
	    cmocka_unit_test(
		changes_that_are_near_share_a_hunk_and_others_do_not),
	    cmocka_unit_test(every_line_may_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
