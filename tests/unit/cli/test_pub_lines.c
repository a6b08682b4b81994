#include "pub_lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

/* A pipe with `text` in it, and its end behind that. */
static int
pipe_of(const char *text)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
	close(ends[1]);
	return ends[0];
}

static void
read_all(struct pub_lines *lines, const char *text)
{
	struct err err = ERR_INIT;
	int fd = pipe_of(text);

	while (pub_lines_has_room(lines))
		assert_int_equal(pub_lines_read(lines, fd, &err), 0);
	close(fd);
}

static void
expect_next(struct pub_lines *lines, const char *text, int id)
{
	struct span line;
	int *place;

	assert_true(pub_lines_next(lines, &line, &place));
	assert_int_equal(line.len, strlen(text));
	assert_memory_equal(line.data, text, line.len);
	*place = id;
}

static void
expect_none(struct pub_lines *lines)
{
	struct span line;
	int *place;

	assert_false(pub_lines_next(lines, &line, &place));
}

static void
test_lines_come_in_their_order(void **state)
{
	struct pub_lines lines;

	(void)state;
	pub_lines_init(&lines);
	expect_none(&lines);
	read_all(&lines, "one\n\nthree");
	expect_next(&lines, "one", 1);
	expect_next(&lines, "", 2);
	expect_next(&lines, "three", 3);
	expect_none(&lines);
	assert_false(pub_lines_are_done(&lines));
	for (int id = 1; id <= 3; id++)
		pub_lines_acknowledge(&lines, id);
	assert_true(pub_lines_are_done(&lines));
	pub_lines_fini(&lines);
}

static void
test_another_connection_gets_what_was_not_acknowledged(void **state)
{
	struct pub_lines lines;

	(void)state;
	pub_lines_init(&lines);
	read_all(&lines, "one\ntwo\nthree\nfour\n");
	expect_next(&lines, "one", 1);
	expect_next(&lines, "two", 2);
	expect_next(&lines, "three", 3);
	pub_lines_acknowledge(&lines, 1);
	pub_lines_acknowledge(&lines, 3);
	pub_lines_begin_again(&lines);
	/* An acknowledgement of the connection before. */
	pub_lines_acknowledge(&lines, 2);
	expect_next(&lines, "two", 1);
	expect_next(&lines, "four", 2);
	expect_none(&lines);
	pub_lines_acknowledge(&lines, 2);
	assert_false(pub_lines_are_done(&lines));
	pub_lines_acknowledge(&lines, 1);
	assert_true(pub_lines_are_done(&lines));
	pub_lines_fini(&lines);
}

static void
test_so_many_are_under_way(void **state)
{
	struct pub_lines lines;
	char text[8 * 3 * PUB_LINES_UNDER_WAY] = "", one[8];
	int next = 0;

	(void)state;
	for (int i = 0; i < 3 * PUB_LINES_UNDER_WAY; i++)
		snprintf(text + strlen(text), 8, "l%d\n", i);
	pub_lines_init(&lines);
	read_all(&lines, text);
	for (; next < PUB_LINES_UNDER_WAY; next++) {
		snprintf(one, sizeof one, "l%d", next);
		expect_next(&lines, one, next + 1);
	}
	expect_none(&lines);
	/* The second makes no room, for the first must stay in its place. */
	pub_lines_acknowledge(&lines, 2);
	expect_none(&lines);
	pub_lines_acknowledge(&lines, 1);
	expect_next(&lines, "l100", next + 1);
	expect_next(&lines, "l101", next + 2);
	expect_none(&lines);
	/* All the way round the ring. */
	next += 2;
	for (int id = 3; next < 3 * PUB_LINES_UNDER_WAY; id++) {
		pub_lines_acknowledge(&lines, id);
		snprintf(one, sizeof one, "l%d", next);
		expect_next(&lines, one, ++next);
	}
	pub_lines_fini(&lines);
}

static void
test_a_line_may_come_in_pieces(void **state)
{
	struct pub_lines lines;
	struct err err = ERR_INIT;
	int ends[2];

	(void)state;
	pub_lines_init(&lines);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], "on", 2), 2);
	assert_int_equal(pub_lines_read(&lines, ends[0], &err), 0);
	expect_none(&lines);
	assert_int_equal(write(ends[1], "e\ntw", 4), 4);
	assert_int_equal(pub_lines_read(&lines, ends[0], &err), 0);
	expect_next(&lines, "one", 1);
	expect_none(&lines);
	close(ends[1]);
	assert_int_equal(pub_lines_read(&lines, ends[0], &err), 0);
	expect_next(&lines, "tw", 2);
	close(ends[0]);
	assert_int_equal(pub_lines_read(&lines, -1, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	pub_lines_fini(&lines);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines_come_in_their_order),
	    cmocka_unit_test(
		test_another_connection_gets_what_was_not_acknowledged),
	    cmocka_unit_test(test_so_many_are_under_way),
	    cmocka_unit_test(test_a_line_may_come_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
