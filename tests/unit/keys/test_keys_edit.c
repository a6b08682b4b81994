#include "keys_edit.h"
#include "keys_judge.h"
#include "sample_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#define NOW 1893456000 /* 2030-01-01 */

#define ID(name) "environment=\"KAYA_ID=" name "\" "

static struct buf out;
static char told[4096];

static void
expect_out(const char *text)
{
	if (!span_is(buf_span(&out), text))
		fail_msg("\n%.*s\nis not\n%s", (int)buf_len(&out),
		    (const char *)buf_span(&out).data, text);
	buf_fini(&out);
}

static int
set_up(void **state)
{
	(void)state;
	buf_init(&out, KEYS_EDIT_MAX_BYTES);
	told[0] = '\0';
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

/* ---- appending ---- */

static void
append(const char *file, const char *result)
{
	assert_int_equal(
	    keys_edit_append(span_of_str(file), span_of_str("new"), &out, NULL),
	    0);
	expect_out(result);
}

static void
a_line_is_appended_behind_whatever_stands_there(void **state)
{
	(void)state;
	append("", "new\n");
	append("\n", "\nnew\n");
	append("# one\n", "# one\nnew\n");
	append("# one", "# one\nnew\n");
	append("# one\r\n", "# one\r\nnew\n");
	append("# one\r", "# one\r\nnew\n");
}

static void
appending_keeps_zero_bytes(void **state)
{
	static const char file[] = "a\0b\n\0";

	(void)state;
	assert_int_equal(
	    keys_edit_append(span_of(file, 5), span_of_str("new"), &out, NULL),
	    0);
	assert_true(span_equal(buf_span(&out), span_of("a\0b\n\0\nnew\n", 10)));
}

static void
appending_past_the_cap_is_a_failure(void **state)
{
	(void)state;
	buf_init(&out, 8);
	assert_int_equal(keys_edit_append(span_of_str("# one\n"),
			     span_of_str("new"), &out, NULL),
	    -1);
}

/* ---- what is in the way ---- */

static enum keys_clash
clash(const char *file, const char *key, const char *identity, size_t *number)
{
	static struct authorized_keys_line line;

	assert_int_equal(authorized_keys_parse(span_of_str(key), &line),
	    AUTHORIZED_KEYS_KEY);
	*number = 0;
	return keys_edit_find_clash(span_of_str(file), &line, identity, number);
}

static void
a_key_that_is_there_is_found_whatever_it_is_called(void **state)
{
	size_t number;

	(void)state;
	assert_int_equal(
	    clash("# x\n" ID("a") KEY_RSA2048 "\n" ID("b") KEY_ED "\n",
		KEY_ED " other comment", "a", &number),
	    KEYS_CLASH_KEY);
	assert_int_equal(number, 3);
}

static void
a_name_that_another_key_has_is_found(void **state)
{
	size_t number;

	(void)state;
	assert_int_equal(clash(ID("b") KEY_RSA2048 "\n" ID("a") KEY_SK_ED
			     "\n" ID("a") KEY_SK_EC,
			     KEY_ED, "a", &number),
	    KEYS_CLASH_IDENTITY);
	assert_int_equal(number, 2);
	assert_int_equal(clash(KEY_RSA2048, KEY_ED,
			     "key-3f8c9b612bbaa61bbfcfffe21dbc5bf2", &number),
	    KEYS_CLASH_IDENTITY);
}

static void
void_lines_and_other_names_are_in_nobodys_way(void **state)
{
	size_t number;

	(void)state;
	assert_int_equal(clash("", KEY_ED, "a", &number), KEYS_CLASH_NONE);
	assert_int_equal(
	    clash("restrict," KEY_ED "\n# " KEY_ED "\n"
		  "environment=\"KAYA_ID=a\" nothing\n" ID("b") KEY_RSA2048,
		KEY_ED, "a", &number),
	    KEYS_CLASH_NONE);
}

/* ---- taking out ---- */

static void
on_removed(void *arg, const struct keys_edit_removed *removed)
{
	size_t used = strlen(told);

	assert_null(arg);
	snprintf(told + used, sizeof told - used, "%zu%s %s %s\n",
	    removed->number, removed->was_void ? " void" : "",
	    removed->identity, removed->fingerprint);
}

static void
take_out(const char *file, const char *who, long count, const char *result)
{
	assert_int_equal(keys_edit_remove(span_of_str(file), who, on_removed,
			     NULL, &out, NULL),
	    count);
	expect_out(result);
}

static void
every_line_of_an_identity_is_taken_out_and_no_other_byte(void **state)
{
	(void)state;
	take_out("# first\r\n" ID("a") KEY_ED " c\n\n" ID("b") KEY_RSA2048
	    "\r\n" ID("a") KEY_SK_ED "\n# last",
	    "a", 2, "# first\r\n\n" ID("b") KEY_RSA2048 "\r\n# last");
	assert_string_equal(told, "2 a " KEY_ED_FINGERPRINT "\n"
				  "5 a " KEY_SK_ED_FINGERPRINT "\n");
}

static void
a_last_line_without_an_end_is_taken_out_whole(void **state)
{
	(void)state;
	take_out("# one\n" KEY_ED, KEY_ED_FINGERPRINT, 1, "# one\n");
	take_out(KEY_ED, KEY_ED_FINGERPRINT, 1, "");
	take_out(KEY_ED "\n# one", KEY_ED_FINGERPRINT, 1, "# one");
}

static void
a_key_goes_by_its_fingerprint_under_whatever_name(void **state)
{
	(void)state;
	take_out(ID("a") KEY_ED "\n" KEY_ED "\n" KEY_RSA2048 "\n",
	    KEY_ED_FINGERPRINT, 2, KEY_RSA2048 "\n");
}

static void
a_key_without_a_name_goes_by_the_one_made_for_it(void **state)
{
	(void)state;
	take_out(KEY_ED "\n" KEY_RSA2048 "\n",
	    "key-3f8c9b612bbaa61bbfcfffe21dbc5bf2", 1, KEY_ED "\n");
}

static void
nobody_else_goes(void **state)
{
	static const char file[] = ID("pump-7") KEY_ED "\n# pump\n";

	(void)state;
	take_out(file, "pump", 0, file);
	take_out(file, "PUMP-7", 0, file);
	take_out(file, "", 0, file);
	take_out("", "pump-7", 0, "");
}

static void
a_void_line_that_would_be_his_once_mended_goes_too(void **state)
{
	(void)state;
	take_out("restrict," KEY_ED "\n" KEY_RSA2048 "\nrestrict," KEY_SK_ED
		 "\nnothing at all\n",
	    KEY_ED_FINGERPRINT, 1,
	    KEY_RSA2048 "\nrestrict," KEY_SK_ED "\nnothing at all\n");
	assert_non_null(strstr(told, "1 void key-"));
}

/* ---- mending ---- */

static void
mend(const char *file, const char *result)
{
	assert_int_equal(keys_edit_mend(span_of_str(file), NOW, &out, NULL), 0);
	expect_out(result);
}

static void
what_has_no_fault_stays_as_it_is(void **state)
{
	(void)state;
	mend("", "");
	mend("# one\n\n" KEY_ED " x\n", "# one\n\n" KEY_ED " x\n");
	mend("no key\n", "no key\n");
}

static void
faults_that_hide_each_other_are_all_mended(void **state)
{
	(void)state;
	mend("# one\nfrom=\"10.0.0.1/8\", no-pty," KEY_ED "\n# two\n",
	    "# one\nfrom=\"10.0.0.0/8\",no-pty " KEY_ED "\n# two\n");
}

static void
a_line_that_was_broken_in_two_is_made_one(void **state)
{
	(void)state;
	mend("# one\nno-pty\nssh-rsa " KEY_RSA2048_BASE64 "\n# two\n",
	    "# one\nno-pty ssh-rsa " KEY_RSA2048_BASE64 "\n# two\n");
}

static void
foreign_line_ends_and_a_missing_one_are_mended(void **state)
{
	(void)state;
	mend("# one\r\n" KEY_ED " x\r\n" KEY_RSA2048,
	    "# one\n" KEY_ED " x\n" KEY_RSA2048 "\n");
}

static void
what_was_mended_has_nothing_left_to_mend(void **state)
{
	struct buf twice;

	(void)state;
	buf_init(&twice, KEYS_EDIT_MAX_BYTES);
	assert_int_equal(
	    keys_edit_mend(span_of_str("permitopen=\"localhost:1883\"," KEY_ED
				       "\nno-ptty " KEY_RSA2048 "\n"),
		NOW, &out, NULL),
	    0);
	assert_int_equal(keys_edit_mend(buf_span(&out), NOW, &twice, NULL), 0);
	assert_true(span_equal(buf_span(&out), buf_span(&twice)));
	buf_fini(&twice);
}

int
main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(a_line_is_appended_behind_whatever_stands_there),
	    TEST(appending_keeps_zero_bytes),
	    TEST(appending_past_the_cap_is_a_failure),
	    TEST(a_key_that_is_there_is_found_whatever_it_is_called),
	    TEST(a_name_that_another_key_has_is_found),
	    TEST(void_lines_and_other_names_are_in_nobodys_way),
	    TEST(every_line_of_an_identity_is_taken_out_and_no_other_byte),
	    TEST(a_last_line_without_an_end_is_taken_out_whole),
	    TEST(a_key_goes_by_its_fingerprint_under_whatever_name),
	    TEST(a_key_without_a_name_goes_by_the_one_made_for_it),
	    TEST(nobody_else_goes),
	    TEST(a_void_line_that_would_be_his_once_mended_goes_too),
	    TEST(what_has_no_fault_stays_as_it_is),
	    TEST(faults_that_hide_each_other_are_all_mended),
	    TEST(a_line_that_was_broken_in_two_is_made_one),
	    TEST(foreign_line_ends_and_a_missing_one_are_mended),
	    TEST(what_was_mended_has_nothing_left_to_mend),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
