#include "invite_code.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const uint8_t secret[INVITE_CODE_SECRET_BYTES] = {
    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 254, 255};

/*
 * By Python: sha256(b"host key"), base64.b32encode, letters exchanged for
 * Crockford's.
 */
static const char known[] =
    "000g40-r40m30-e20918-5gr3fy-zzxhpa-8twpzk-rgbzwt-n46gjr";

static struct span
host(void)
{
	return span_of_str("host key");
}

static void
make(struct invite_code *code, char text[INVITE_CODE_SIZE])
{
	invite_code_make(code, secret, host());
	invite_code_text(code, text);
}

static void
test_it_is_written_as_the_standard_has_it(void **state)
{
	struct invite_code code;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	assert_string_equal(text, known);
}

static void
test_what_was_written_is_read(void **state)
{
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	assert_int_equal(
	    invite_code_parse(span_of_str(text), &read), INVITE_CODE_GOOD);
	assert_memory_equal(&code, &read, sizeof code);
}

static void
test_capitals_blanks_and_look_alikes_are_forgiven(void **state)
{
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE], typed[2 * INVITE_CODE_SIZE];
	size_t len = 0;

	make(&code, text);
	for (const char *p = text; *p != '\0'; p++) {
		char c = (char)toupper((unsigned char)*p);

		if (c == '-')
			c = ' ';
		typed[len++] = c == '0' ? 'O' : c == '1' ? 'l' : c;
		if (c == ' ')
			typed[len++] = '-';
	}
	assert_int_equal(
	    invite_code_parse(span_of(typed, len), &read), INVITE_CODE_GOOD);
	assert_memory_equal(&code, &read, sizeof code);
}

static void
test_each_other_letter_in_a_place_is_noticed(void **state)
{
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	for (size_t i = 0; text[i] != '\0'; i++) {
		char was = text[i];

		if (was == '-')
			continue;
		text[i] = was == 'z' ? 'y' : 'z';
		assert_int_equal(invite_code_parse(span_of_str(text), &read),
		    INVITE_CODE_SLIP);
		text[i] = was;
	}
}

static void
test_two_neighbours_exchanged_are_noticed(void **state)
{
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	for (size_t i = 0; text[i + 1] != '\0'; i++) {
		char was = text[i];

		if (was == text[i + 1] || was == '-' || text[i + 1] == '-')
			continue;
		text[i] = text[i + 1];
		text[i + 1] = was;
		assert_int_equal(invite_code_parse(span_of_str(text), &read),
		    INVITE_CODE_SLIP);
		text[i + 1] = text[i];
		text[i] = was;
	}
}

static void
test_one_cut_at_any_letter_is_none(void **state)
{
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	for (size_t len = 0; len < strlen(text); len++)
		assert_int_equal(invite_code_parse(span_of(text, len), &read),
		    INVITE_CODE_NONE);
}

static void
test_one_too_long_or_with_a_foreign_letter_is_none(void **state)
{
	static const char foreign[] = {'u', '!', '\0', (char)0xc3, '\n'};
	struct invite_code code, read;
	char text[INVITE_CODE_SIZE + 1];

	make(&code, text);
	strcat(text, "0");
	assert_int_equal(
	    invite_code_parse(span_of_str(text), &read), INVITE_CODE_NONE);
	for (size_t i = 0; i < sizeof foreign; i++) {
		make(&code, text);
		text[3] = foreign[i];
		assert_int_equal(
		    invite_code_parse(
			span_of(text, INVITE_CODE_SIZE - 1), &read),
		    INVITE_CODE_NONE);
	}
}

static void
test_it_knows_its_gateway(void **state)
{
	struct invite_code code;
	char text[INVITE_CODE_SIZE];

	make(&code, text);
	assert_true(invite_code_is_of(&code, host()));
	assert_false(invite_code_is_of(&code, span_of_str("host kez")));
	assert_false(invite_code_is_of(&code, span_of("", 0)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_it_is_written_as_the_standard_has_it),
	    cmocka_unit_test(test_what_was_written_is_read),
	    cmocka_unit_test(test_capitals_blanks_and_look_alikes_are_forgiven),
	    cmocka_unit_test(test_each_other_letter_in_a_place_is_noticed),
	    cmocka_unit_test(test_two_neighbours_exchanged_are_noticed),
	    cmocka_unit_test(test_one_cut_at_any_letter_is_none),
	    cmocka_unit_test(
		test_one_too_long_or_with_a_foreign_letter_is_none),
	    cmocka_unit_test(test_it_knows_its_gateway),
	};

	return cmocka_run_group_tests_name("invite_code", tests, NULL, NULL);
}
