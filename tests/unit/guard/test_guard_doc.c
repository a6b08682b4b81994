#include "documents.h"
#include "guard_doc.h"
#include "guard_rules.h"

static void
test_the_manual_is_what_the_tables_make(void **state)
{
	document_check_manual(
	    SOURCE_ROOT "/doc/kaya-guard.5.scd", guard_doc_manual, "guard-doc");
}

static void
test_every_word_has_a_sentence_and_says_what_is_without_it(void **state)
{
	document_check_words(guard_keys);
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
