#include "buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
test_owns_no_memory_until_used_and_after_drained(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	assert_null(b.mem);
	assert_true(buf_append(&b, "abc", 3));
	assert_non_null(b.mem);
	buf_consume(&b, 3);
	assert_null(b.mem);
}

static void
test_keeps_order_over_many_appends_and_consumes(void **state)
{
	struct buf b;
	uint8_t next_in = 0, next_out = 0;

	buf_init(&b, 1000);
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < round % 7 && buf_len(&b) < 1000; i++) {
			assert_true(buf_append(&b, &next_in, 1));
			next_in++;
		}
		for (int i = 0; i < round % 5 && buf_len(&b) > 0; i++) {
			assert_int_equal(buf_span(&b).data[0], next_out);
			next_out++;
			buf_consume(&b, 1);
		}
	}
	buf_fini(&b);
}

static void
test_refuses_to_pass_its_cap_and_remembers_it(void **state)
{
	struct buf b;

	buf_init(&b, 4);
	assert_true(buf_append(&b, "abc", 3));
	assert_false(buf_append(&b, "de", 2));
	assert_true(b.failed);
	assert_int_equal(buf_len(&b), 3);
	buf_consume(&b, 3);
	assert_true(b.failed);
	buf_fini(&b);
	assert_false(b.failed);
}

static void
test_survives_lengths_that_would_overflow(void **state)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	assert_true(buf_append(&b, "abc", 3));
	assert_null(buf_reserve(&b, SIZE_MAX - 1));
	assert_true(b.failed);
	buf_fini(&b);
}

static void
test_truncate_keeps_the_front(void **state)
{
	struct buf b;

	buf_init(&b, 100);
	buf_append(&b, "abcdef", 6);
	buf_consume(&b, 1);
	buf_truncate(&b, 2);
	assert_true(span_is(buf_span(&b), "bc"));
	buf_fini(&b);
}

/* The linker puts this in the place of the C library's (--wrap). */
void __real_free(void *memory);
void __wrap_free(void *memory);

static struct {
	size_t size; /* of what is freed; 0: nobody looks */
	unsigned wiped, left;
} freed;

void
__wrap_free(void *memory)
{
	if (memory != NULL && freed.size > 0) {
		if (memmem(memory, freed.size, "secret", 6) != NULL)
			freed.left++;
		else
			freed.wiped++;
	}
	__real_free(memory);
}

static void
fill_and_free(struct buf *b)
{
	freed.size = 0;
	freed.left = freed.wiped = 0;
	buf_append(b, "secret", 6);
	freed.size = b->cap;
	assert_non_null(buf_reserve(b, 4 * b->cap)); /* it grows */
	buf_consume(b, 6); /* it is drained */
	freed.size = 0;
	buf_append(b, "secret", 6);
	freed.size = b->cap;
	buf_fini(b);
	freed.size = 0;
}

static void
test_a_secret_is_wiped_where_memory_is_given_back(void **state)
{
	struct buf b;

	buf_init_secret(&b, 10000);
	fill_and_free(&b);
	assert_int_equal(freed.wiped, 3);
	assert_int_equal(freed.left, 0);
	/* It stays so beyond buf_fini; others are not slowed down by it. */
	fill_and_free(&b);
	assert_int_equal(freed.wiped, 3);
	buf_init(&b, 10000);
	fill_and_free(&b);
	assert_int_equal(freed.left, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_owns_no_memory_until_used_and_after_drained),
	    cmocka_unit_test(test_keeps_order_over_many_appends_and_consumes),
	    cmocka_unit_test(test_refuses_to_pass_its_cap_and_remembers_it),
	    cmocka_unit_test(test_survives_lengths_that_would_overflow),
	    cmocka_unit_test(test_truncate_keeps_the_front),
	    cmocka_unit_test(test_a_secret_is_wiped_where_memory_is_given_back),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
