#include "guard_doc.h"
#include "guard_rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

enum { PAGE_MAX = 1 << 20 };

static void
test_the_manual_is_what_the_tables_make(void **state)
{
	static uint8_t page[PAGE_MAX];
	FILE *file = fopen(SOURCE_ROOT "/doc/kaya-guard.5.scd", "r");
	struct buf out;
	size_t len;

	assert_non_null(file);
	len = fread(page, 1, sizeof page, file);
	fclose(file);
	buf_init(&out, PAGE_MAX);
	assert_true(guard_doc_manual(span_of(page, len), &out));
	if (!span_equal(buf_span(&out), span_of(page, len)))
		fail_msg("guard_doc <doc/kaya-guard.5.scd makes another");
	buf_fini(&out);
}

static void
check_sentences(const struct conf_key *keys)
{
	for (; keys->name != NULL; keys++) {
		assert_int_equal(keys->doc[strlen(keys->doc) - 1], '.');
		assert_true((keys->flags & CONF_REQUIRED) != 0 ||
			    keys->fallback != NULL ||
			    keys->fallback_doc != NULL);
		if (keys->keys != NULL)
			check_sentences(keys->keys);
	}
}

static void
test_every_word_has_a_sentence_and_says_what_is_without_it(void **state)
{
	check_sentences(guard_keys);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_manual_is_what_the_tables_make),
	    cmocka_unit_test(
		test_every_word_has_a_sentence_and_says_what_is_without_it),
	};

	return cmocka_run_group_tests_name("guard_doc", tests, NULL, NULL);
}
