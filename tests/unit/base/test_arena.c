#include "arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static void
test_pieces_are_zeroed_aligned_and_apart(void **state)
{
	struct arena arena = {0};
	uint8_t *pieces[20];

	for (size_t i = 0; i < 20; i++) {
		pieces[i] = arena_alloc(&arena, i);
		assert_non_null(pieces[i]);
		assert_int_equal((uintptr_t)pieces[i] % sizeof(void *), 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(pieces[i][k], 0);
		memset(pieces[i], (int)i, i);
	}
	for (size_t i = 1; i < 20; i++)
		assert_int_equal(pieces[i][i - 1], i);
	arena_fini(&arena);
	assert_null(arena.pieces);
}

static void
test_texts_are_copied_and_terminated(void **state)
{
	struct arena arena = {0};
	char text[] = "abcdef";
	char *copy = arena_str(&arena, span_of(text, 3));

	text[0] = 'x';
	assert_string_equal(copy, "abc");
	assert_string_equal(arena_str(&arena, span_of(NULL, 0)), "");
	assert_string_equal(
	    arena_format(&arena, "%s/%d", "folder", 7), "folder/7");
	arena_fini(&arena);
}

static void
test_what_cannot_be_had_is_null_and_harms_nothing(void **state)
{
	struct arena arena = {0};

	assert_null(arena_alloc(&arena, SIZE_MAX));
	assert_null(arena_alloc(&arena, SIZE_MAX - 8));
	assert_non_null(arena_alloc(&arena, 1));
	arena_fini(&arena);
	arena_fini(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pieces_are_zeroed_aligned_and_apart),
	    cmocka_unit_test(test_texts_are_copied_and_terminated),
	    cmocka_unit_test(test_what_cannot_be_had_is_null_and_harms_nothing),
	};

	return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
