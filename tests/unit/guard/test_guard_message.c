/* What is said to a guard and by it, read by the other side. */

#include "people.h"

#include "guard_message.h"
#include "guard_offer.h"

#include <stdlib.h>

static void
test_each_message_is_read_as_it_was_written(void **state)
{
	static const struct guard_ask asks[] = {
	    {.what = GUARD_DO_ASK,
		.request = {(const uint8_t *)"r1", 2},
		.topic = {(const uint8_t *)"a/b", 3},
		.payload = {(const uint8_t *)"open \"\\\n\xc3\xa9", 10}},
	    {.what = GUARD_DO_ASK,
		.request = {(const uint8_t *)"r1", 2},
		.topic = {(const uint8_t *)"a/b", 3},
		.payload = {(const uint8_t *)"\xff\0\x01", 3}},
	    {.what = GUARD_DO_ASK,
		.request = {(const uint8_t *)"r1", 2},
		.topic = {(const uint8_t *)"a/b", 3},
		.payload = {(const uint8_t *)"", 0}},
	    {.what = GUARD_DO_SIGN,
		.request = {(const uint8_t *)"r.2", 3},
		.id = {(const uint8_t *)"v.0", 3},
		.signature = {(const uint8_t *)"x\ny", 3}},
	    {.what = GUARD_DO_DENY,
		.request = {(const uint8_t *)"r-3", 3},
		.id = {(const uint8_t *)"v.0", 3},
		.signature = {(const uint8_t *)"", 0}},
	    {.what = GUARD_DO_LIST, .request = {(const uint8_t *)"r", 1}},
	    {.what = GUARD_DO_LIST,
		.request = {(const uint8_t *)"r", 1},
		.id = {(const uint8_t *)"v.0", 3}},
	};

	for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
		struct guard_ask ask;
		struct buf out;

		buf_init(&out, GUARD_MESSAGE_MAX);
		guard_ask_put(&asks[i], &out);
		assert_false(out.failed);
		assert_true(guard_ask_parse(buf_span(&out), &ask));
		assert_int_equal(ask.what, asks[i].what);
		assert_true(span_equal(ask.request, asks[i].request));
		assert_true(span_equal(ask.topic, asks[i].topic));
		assert_true(span_equal(ask.payload, asks[i].payload));
		assert_true(span_equal(ask.id, asks[i].id));
		assert_true(span_equal(ask.signature, asks[i].signature));
		guard_ask_fini(&ask);
		buf_fini(&out);
	}
}

static void
test_what_is_no_message_is_refused(void **state)
{
	static const struct {
		const char *text;
		bool has_request; /* so that it can be answered */
	} rows[] = {
	    {"", false},
	    {"{", false},
	    {"[]", false},
	    {"null", false},
	    {"{\"do\":\"list\"}", false},
	    {"{\"do\":\"list\",\"request\":\"\"}", false},
	    {"{\"do\":\"list\",\"request\":\"a/b\"}", false},
	    {"{\"do\":\"list\",\"request\":7}", false},
	    {"{\"do\":\"list\",\"request\":\"r\",\"request\":\"s\"}", false},
	    {"{\"do\":\"open\",\"request\":\"r\"}", true},
	    {"{\"request\":\"r\"}", true},
	    {"{\"do\":\"ask\",\"request\":\"r\"}", true},
	    {"{\"do\":\"ask\",\"request\":\"r\",\"topic\":\"t\"}", true},
	    {"{\"do\":\"ask\",\"request\":\"r\",\"topic\":\"t\",\"payload\":"
	     "\"p\",\"payload_base64\":\"AA==\"}",
		true},
	    {"{\"do\":\"ask\",\"request\":\"r\",\"topic\":\"t\","
	     "\"payload_base64\":\"A\"}",
		true},
	    {"{\"do\":\"sign\",\"request\":\"r\",\"id\":\"x\"}", true},
	    {"{\"do\":\"sign\",\"request\":\"r\",\"signature\":\"x\"}", true},
	    {"{\"do\":\"sign\",\"request\":\"r\",\"id\":1,\"signature\":"
	     "\"x\"}",
		true},
	    {"{\"do\":\"list\",\"request\":\"r\",\"a\":1,\"b\":1,\"c\":1,"
	     "\"d\":1,\"e\":1,\"f\":1,\"g\":1}",
		false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct guard_ask ask;

		if (guard_ask_parse(span_of_str(rows[i].text), &ask))
			fail_msg("taken: %s", rows[i].text);
		assert_int_equal(ask.request.len > 0, rows[i].has_request);
		guard_ask_fini(&ask);
	}
}

/* ---- a command, as the other side reads it ---- */

static struct guard_rules *rules;
static struct guard *guard;

static int
begin(void **state)
{
	rules = people_read();
	guard = guard_new(rules);
	return guard == NULL ? -1 : 0;
}

static int
end(void **state)
{
	guard_free(guard);
	guard_rules_free(rules);
	return 0;
}

static json_t *
parse(const struct buf *text)
{
	json_t *json = json_loadb((const char *)buf_span(text).data,
	    buf_len(text), JSON_REJECT_DUPLICATES, NULL);

	assert_false(text->failed);
	assert_non_null(json);
	return json;
}

static const struct guard_command *
ask(struct span payload)
{
	const uint8_t random[GUARD_CHALLENGE_BYTES] = {1, 2, 3};
	const struct guard_question question = {
	    span_of_str("r"), span_of_str(PEOPLE_TOPIC), payload};
	struct guard_outcome outcome;

	return guard_ask(guard, &question, random, 1000, &outcome);
}

static void
test_who_signs_makes_the_same_statement(void **state)
{
	static const struct span payloads[] = {{(const uint8_t *)"open", 4},
	    {(const uint8_t *)"\xff\0", 2}, {(const uint8_t *)"\n\"\\\x01", 4},
	    {(const uint8_t *)"", 0}};
	const struct span topic = span_of_str(PEOPLE_TOPIC);

	for (size_t i = 0; i < sizeof payloads / sizeof payloads[0]; i++) {
		const struct guard_command *command = ask(payloads[i]);
		struct guard_offer offer;
		struct buf text;
		json_t *json;

		assert_non_null(command);
		buf_init(&text, 65536);
		guard_put_challenge(command, 2000, &text);
		json = parse(&text);
		assert_true(
		    guard_offer_take(json, &topic, &payloads[i], &offer));
		assert_true(span_equal(
		    buf_span(&offer.statement), buf_span(&command->statement)));
		assert_int_equal(offer.left_ms, 29000);
		guard_offer_fini(&offer);
		json_decref(json);
		buf_fini(&text);
		guard_put_pending(command, 2000, &text);
		json = parse(&text);
		assert_true(guard_offer_take(json, NULL, NULL, &offer));
		assert_true(span_equal(
		    buf_span(&offer.statement), buf_span(&command->statement)));
		assert_string_equal(offer.actuator, "valve-1");
		guard_offer_fini(&offer);
		/* Whatever is said of its time, nobody waits for ever. */
		json_object_set_new(json, "left_ms", json_integer(INT64_MAX));
		assert_true(guard_offer_take(json, NULL, NULL, &offer));
		assert_int_equal(offer.left_ms, GUARD_LEFT_MAX_MS);
		guard_offer_fini(&offer);
		json_object_set_new(json, "left_ms", json_integer(-1));
		assert_true(guard_offer_take(json, NULL, NULL, &offer));
		assert_int_equal(offer.left_ms, 0);
		guard_offer_fini(&offer);
		json_decref(json);
		buf_fini(&text);
	}
}

static void
test_another_command_does_not_fit_the_id(void **state)
{
	static const struct {
		const char *name, *value;
	} changes[] = {
	    {"payload", "open wide"},
	    {"topic", "plant/valve-1/other"},
	    {"challenge",
		"000000000000000000000000000000000000000000000000000000000000"
		"0000"},
	    {"challenge", "00"},
	    {"id", "valve-1.0000000000000000"},
	    {"id", "valve-2.0000000000000000"},
	    {"id", "x"},
	};
	struct buf text;

	buf_init(&text, 65536);
	guard_put_pending(ask(span_of_str("open")), 2000, &text);
	for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
		json_t *json = parse(&text);
		struct guard_offer offer;

		assert_true(guard_offer_take(json, NULL, NULL, &offer));
		guard_offer_fini(&offer);
		json_object_set_new(
		    json, changes[i].name, json_string(changes[i].value));
		assert_false(guard_offer_take(json, NULL, NULL, &offer));
		guard_offer_fini(&offer);
		json_object_del(json, changes[i].name);
		assert_false(guard_offer_take(json, NULL, NULL, &offer));
		guard_offer_fini(&offer);
		json_decref(json);
	}
	buf_fini(&text);
}

static void
test_a_report_says_what_became_of_it(void **state)
{
	const struct guard_outcome outcome = {.cause = GUARD_TIME_LIMIT_OVER};
	struct guard_report report = {.word = "expired",
	    .command = ask(span_of_str("open")),
	    .outcome = &outcome};
	struct buf text;
	json_t *json;

	buf_init(&text, 65536);
	guard_put_report(&report, &text);
	json = parse(&text);
	assert_string_equal(json_string_value(json_object_get(json, "cause")),
	    "time-limit-over");
	assert_string_equal(
	    json_string_value(json_object_get(json, "outcome")), "expired");
	assert_string_equal(
	    json_string_value(json_object_get(json, "topic")), PEOPLE_TOPIC);
	assert_int_equal(json_array_size(json_object_get(json, "by")), 0);
	json_decref(json);
	buf_fini(&text);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_message_is_read_as_it_was_written),
	    cmocka_unit_test(test_what_is_no_message_is_refused),
	    TEST(test_who_signs_makes_the_same_statement),
	    TEST(test_another_command_does_not_fit_the_id),
	    TEST(test_a_report_says_what_became_of_it),
	};

	return cmocka_run_group_tests_name(
	    "guard_message", tests, people_set_up, people_tear_down);
}
