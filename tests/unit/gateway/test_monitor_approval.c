#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor_approval.h"

#include <string.h>

static const struct monitor_question QUESTION = {
    .number = 7,
    .qos = 2,
    .policy = {1, 2, 3},
    .within_ms = 5000,
    .bytes = 4,
    .digest = {9, 8, 7},
    .identity = {(const uint8_t *)"ann", 3},
    .role = {(const uint8_t *)"operator", 8},
    .rule = {(const uint8_t *)"valves", 6},
    .topic = {(const uint8_t *)"plant/valve", 11},
    .is_text = true,
    .text = {(const uint8_t *)"open", 4},
};

static void
test_a_question_comes_back_as_it_was(void **state)
{
	struct monitor_question got;
	struct buf out;

	buf_init(&out, MONITOR_PAYLOAD_MAX);
	monitor_question_put(&QUESTION, &out);
	assert_false(out.failed);
	assert_true(monitor_question_take(buf_span(&out), &got));
	assert_int_equal(got.number, 7);
	assert_int_equal(got.qos, 2);
	assert_memory_equal(got.policy, QUESTION.policy, sizeof got.policy);
	assert_int_equal(got.within_ms, 5000);
	assert_int_equal(got.bytes, 4);
	assert_memory_equal(got.digest, QUESTION.digest, sizeof got.digest);
	assert_true(span_equal(got.identity, QUESTION.identity));
	assert_true(span_equal(got.role, QUESTION.role));
	assert_true(span_equal(got.rule, QUESTION.rule));
	assert_true(span_equal(got.topic, QUESTION.topic));
	assert_true(got.is_text);
	assert_true(span_equal(got.text, QUESTION.text));
	buf_fini(&out);
}

static void
test_the_largest_question_fits_a_message(void **state)
{
	static const uint8_t bytes[APPROVAL_TOPIC_MAX];
	struct monitor_question question = QUESTION;
	struct buf out;

	question.identity = span_of(bytes, STR_NAME_MAX);
	question.role = span_of(bytes, STR_NAME_MAX);
	question.rule = span_of(bytes, STR_NAME_MAX);
	question.topic = span_of(bytes, APPROVAL_TOPIC_MAX);
	question.text = span_of(bytes, APPROVAL_TEXT_MAX);
	buf_init(&out, MONITOR_PAYLOAD_MAX);
	monitor_question_put(&question, &out);
	assert_false(out.failed);
	buf_fini(&out);
}

static void
test_a_part_of_a_question_is_none(void **state)
{
	struct monitor_question got;
	struct buf out;

	buf_init(&out, MONITOR_PAYLOAD_MAX);
	monitor_question_put(&QUESTION, &out);
	for (size_t len = 0; len < buf_len(&out); len++)
		assert_false(monitor_question_take(
		    span_of(buf_span(&out).data, len), &got));
	buf_append(&out, "", 1);
	assert_false(monitor_question_take(buf_span(&out), &got));
	buf_fini(&out);
}

static void
test_a_decision_comes_back_whole_or_not_at_all(void **state)
{
	const struct monitor_decided sent = {
	    7, 0x87, 123456789012345u, span_of_str("because")};
	struct monitor_decided got;
	struct buf out;

	buf_init(&out, MONITOR_PAYLOAD_MAX);
	monitor_decided_put(&sent, &out);
	for (size_t len = 0; len < buf_len(&out); len++)
		assert_false(monitor_decided_take(
		    span_of(buf_span(&out).data, len), &got));
	assert_true(monitor_decided_take(buf_span(&out), &got));
	assert_int_equal(got.number, 7);
	assert_int_equal(got.code, 0x87);
	assert_int_equal(got.until_ms, sent.until_ms);
	assert_true(span_is(got.text, "because"));
	buf_fini(&out);
}

static void
test_what_is_told_comes_back_whole_or_not_at_all(void **state)
{
	const struct monitor_told sent = {
	    span_of_str("ann"), span_of_str("valves"), span_of_str("{}")};
	struct monitor_told got;
	struct buf out;

	buf_init(&out, MONITOR_PAYLOAD_MAX);
	monitor_told_put(&sent, &out);
	for (size_t len = 0; len < buf_len(&out); len++)
		assert_false(
		    monitor_told_take(span_of(buf_span(&out).data, len), &got));
	assert_true(monitor_told_take(buf_span(&out), &got));
	assert_true(span_is(got.identity, "ann"));
	assert_true(span_is(got.rule, "valves"));
	assert_true(span_is(got.json, "{}"));
	buf_fini(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_question_comes_back_as_it_was),
	    cmocka_unit_test(test_the_largest_question_fits_a_message),
	    cmocka_unit_test(test_a_part_of_a_question_is_none),
	    cmocka_unit_test(test_a_decision_comes_back_whole_or_not_at_all),
	    cmocka_unit_test(test_what_is_told_comes_back_whole_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
