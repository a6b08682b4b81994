#include "guard_statement.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const uint8_t challenge[GUARD_CHALLENGE_BYTES] = {0x5f, 0x0c};

static bool
put(const char *actuator, struct span topic, struct span payload,
    struct buf *out, char id[GUARD_ID_SIZE])
{
	const struct guard_statement statement = {
	    .actuator = span_of_str(actuator),
	    .topic = topic,
	    .payload = payload,
	    .challenge = span_of(challenge, sizeof challenge),
	};

	buf_init(out, GUARD_STATEMENT_MAX);
	return guard_statement_put(&statement, out, id);
}

static void
test_a_statement_is_six_lines_that_a_person_can_read(void **state)
{
	char id[GUARD_ID_SIZE];
	struct buf out;

	assert_true(put("valve-1", span_of_str("plant/valve-1/set"),
	    span_of_str("open"), &out, id));
	/* The digests by sha256sum(1). */
	assert_true(span_is(buf_span(&out),
	    "kaya-command v1\n"
	    "actuator: valve-1\n"
	    "topic: plant/valve-1/set\n"
	    "payload-sha256: "
	    "2348f998744212575d85959674f9607ab26f67708a917157472832386337c904\n"
	    "payload: open\n"
	    "challenge: "
	    "5f0c0000000000000000000000000000000000000000000000000000"
	    "00000000\n"));
	assert_string_equal(id, "valve-1.52513b4f201f099c");
	buf_fini(&out);
}

static size_t
lines_of(struct span text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	return lines;
}

static void
test_no_byte_makes_a_line_of_its_own_and_no_two_are_alike(void **state)
{
	char ids[256][GUARD_ID_SIZE];

	for (int c = 0; c < 256; c++) {
		const uint8_t bytes[3] = {'a', (uint8_t)c, 'b'};
		struct buf out;

		assert_true(put("v", span_of_str("t"),
		    span_of(bytes, sizeof bytes), &out, ids[c]));
		assert_int_equal(lines_of(buf_span(&out)), 6);
		for (size_t i = 0; i < buf_len(&out); i++) {
			uint8_t byte = buf_span(&out).data[i];

			assert_true(byte == '\n' || (byte >= 32 && byte < 127));
		}
		for (int other = 0; other < c; other++)
			assert_string_not_equal(ids[other], ids[c]);
		buf_fini(&out);
	}
}

static void
test_what_turns_text_round_is_shown_as_bytes(void **state)
{
	char id[GUARD_ID_SIZE];
	struct buf out;

	assert_true(put("v", span_of_str("t"),
	    span_of_str("\xe2\x80\xae"
			"nepo"),
	    &out, id));
	assert_non_null(memmem(buf_span(&out).data, buf_len(&out),
	    "payload: \\xe2\\x80\\xaenepo\n", 26));
	buf_fini(&out);
}

static void
test_what_is_too_long_or_has_no_name_is_refused(void **state)
{
	static const char too_long[] =
	    "0123456789012345678901234567890123456789012345678901234567890123"
	    "4";
	static const char *const names[] = {"", "a b", "a/b", "a\nb", too_long};
	uint8_t *bytes = calloc(1, GUARD_PAYLOAD_MAX + 1);
	char id[GUARD_ID_SIZE];
	struct buf out;

	assert_non_null(bytes);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		assert_false(put(
		    names[i], span_of_str("t"), span_of_str("p"), &out, id));
		buf_fini(&out);
	}
	assert_true(put("v", span_of(bytes, GUARD_TOPIC_MAX),
	    span_of(bytes, GUARD_PAYLOAD_MAX), &out, id));
	buf_fini(&out);
	assert_false(put("v", span_of(bytes, GUARD_TOPIC_MAX + 1),
	    span_of_str("p"), &out, id));
	buf_fini(&out);
	assert_false(put("v", span_of_str("t"),
	    span_of(bytes, GUARD_PAYLOAD_MAX + 1), &out, id));
	buf_fini(&out);
	free(bytes);
}

static void
test_an_id_names_its_actuator(void **state)
{
	static const struct {
		const char *id, *actuator;
	} rows[] = {
	    {"valve-1.0123456789abcdef", "valve-1"},
	    {"a.b.0123456789abcdef", "a.b"},
	    {"0123456789abcdef", NULL},
	    {".0123456789abcdef", NULL},
	    {"valve-1.0123456789ABCDEF", NULL},
	    {"valve-1.0123456789abcde", NULL},
	    {"valve-1.0123456789abcdef0", NULL},
	    {"valve/1.0123456789abcdef", NULL},
	    {"", NULL},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct span actuator;
		bool is_id =
		    guard_id_actuator(span_of_str(rows[i].id), &actuator);

		assert_int_equal(is_id, rows[i].actuator != NULL);
		if (is_id)
			assert_true(span_is(actuator, rows[i].actuator));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		test_a_statement_is_six_lines_that_a_person_can_read),
	    cmocka_unit_test(
		test_no_byte_makes_a_line_of_its_own_and_no_two_are_alike),
	    cmocka_unit_test(test_what_turns_text_round_is_shown_as_bytes),
	    cmocka_unit_test(test_what_is_too_long_or_has_no_name_is_refused),
	    cmocka_unit_test(test_an_id_names_its_actuator),
	};

	return cmocka_run_group_tests_name(
	    "guard_statement", tests, NULL, NULL);
}
