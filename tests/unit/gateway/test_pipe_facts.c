/* What is told of a client is bounded, and what it costs is what it has. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "json.h"
#include "mqtt_frame.h"
#include "pipe_facts.h"

static void
check_told(const struct pipe_facts *facts, const char *wanted)
{
	struct buf json;

	buf_init(&json, 1 << 16);
	pipe_facts_put_json(facts, &json);
	buf_append(&json, "", 1);
	assert_string_equal((const char *)buf_span(&json).data, wanted);
	buf_fini(&json);
}

/* SUBSCRIBE or UNSUBSCRIBE of 3.1.1 with one filter. */
static void
note(struct pipe_facts *facts, uint8_t type, const char *filter)
{
	uint8_t body[512] = {0, 1};
	size_t len = strlen(filter);

	body[2] = (uint8_t)(len >> 8);
	body[3] = (uint8_t)len;
	memcpy(body + 4, filter, len);
	body[4 + len] = 1;
	pipe_facts_note_filters(facts, type, MQTT_311,
	    span_of(body, 4 + len + (type == MQTT_SUBSCRIBE)));
}

static void
test_names_are_kept_and_cut(void **state)
{
	struct pipe_facts facts = {0};
	char longer[300];

	assert_int_equal(pipe_facts_client_id(&facts).len, 0);
	pipe_facts_set_names(&facts, span_of_str("mosq-1"), span_of_str("dan"));
	assert_true(span_is(pipe_facts_client_id(&facts), "mosq-1"));
	assert_true(span_is(pipe_facts_user(&facts), "dan"));
	/* What CONNACK brings, beside the user that stays. */
	pipe_facts_set_names(
	    &facts, span_of_str("auto"), pipe_facts_user(&facts));
	assert_true(span_is(pipe_facts_client_id(&facts), "auto"));
	assert_true(span_is(pipe_facts_user(&facts), "dan"));
	memset(longer, 'x', sizeof longer);
	pipe_facts_set_names(
	    &facts, span_of(longer, sizeof longer), (struct span){0});
	assert_int_equal(pipe_facts_client_id(&facts).len, PIPE_FACTS_NAME_MAX);
	assert_int_equal(pipe_facts_user(&facts).len, 0);
	pipe_facts_set_names(&facts, (struct span){0}, (struct span){0});
	assert_null(facts.names);
	pipe_facts_fini(&facts);
}

static void
test_filters_come_and_go(void **state)
{
	struct pipe_facts facts = {.messages_in = 3, .refused = 1};

	note(&facts, MQTT_SUBSCRIBE, "a/#");
	note(&facts, MQTT_SUBSCRIBE, "b");
	note(&facts, MQTT_SUBSCRIBE, "a/#");
	note(&facts, MQTT_SUBSCRIBE, "c/+");
	note(&facts, MQTT_UNSUBSCRIBE, "b");
	pipe_facts_forget_filter(&facts, span_of_str("never"));
	check_told(&facts,
	    ",\"subscribed\":[\"a/#\",\"c/+\"],\"published\":[],"
	    "\"subscribed_more\":0,\"messages_in\":3,\"messages_out\":0,"
	    "\"refused\":1");
	note(&facts, MQTT_UNSUBSCRIBE, "a/#");
	note(&facts, MQTT_UNSUBSCRIBE, "c/+");
	assert_null(facts.subscribed);
	pipe_facts_fini(&facts);
}

static void
test_filters_beyond_the_bounds_are_counted(void **state)
{
	struct pipe_facts facts = {0};
	char filter[400];
	struct buf json;

	for (int i = 0; i < 40; i++) {
		snprintf(filter, sizeof filter, "f/%d", i);
		note(&facts, MQTT_SUBSCRIBE, filter);
	}
	memset(filter, 'x', 399);
	filter[399] = '\0';
	note(&facts, MQTT_SUBSCRIBE, filter);
	buf_init(&json, 1 << 16);
	pipe_facts_put_json(&facts, &json);
	buf_append(&json, "", 1);
	assert_non_null(strstr((const char *)buf_span(&json).data,
	    "\"f/15\"],\"published\":[],\"subscribed_more\":25,"));
	buf_fini(&json);
	/* One of those that were only counted. */
	note(&facts, MQTT_UNSUBSCRIBE, filter);
	for (int i = 0; i < 40; i++) {
		snprintf(filter, sizeof filter, "f/%d", i);
		note(&facts, MQTT_UNSUBSCRIBE, filter);
	}
	assert_null(facts.subscribed);
	pipe_facts_fini(&facts);
}

static void
test_the_last_topics_are_told_the_latest_first(void **state)
{
	static const char *const topics[] = {
	    "a", "b/b", "a", "a", "", "c", "d", "e", "c"};
	struct pipe_facts facts = {0};
	char longer[PIPE_FACTS_TOPICS_MAX_BYTES];

	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
		pipe_facts_note_topic(&facts, span_of_str(topics[i]));
	check_told(&facts,
	    ",\"subscribed\":[],\"published\":[\"c\",\"e\",\"d\",\"a\"],"
	    "\"subscribed_more\":0,\"messages_in\":0,\"messages_out\":0,"
	    "\"refused\":0");
	/* One that has room for itself and one of the others. */
	memset(longer, 'x', sizeof longer);
	pipe_facts_note_topic(
	    &facts, span_of(longer, PIPE_FACTS_TOPICS_MAX_BYTES - 3));
	pipe_facts_note_topic(&facts, span_of(longer, 1));
	pipe_facts_note_topic(
	    &facts, span_of(longer, PIPE_FACTS_TOPICS_MAX_BYTES));
	pipe_facts_note_topic(&facts, span_of_str("c"));
	check_told(&facts,
	    ",\"subscribed\":[],\"published\":[\"c\",\"x\"],"
	    "\"subscribed_more\":0,\"messages_in\":0,\"messages_out\":0,"
	    "\"refused\":0");
	pipe_facts_fini(&facts);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names_are_kept_and_cut),
	    cmocka_unit_test(test_filters_come_and_go),
	    cmocka_unit_test(test_filters_beyond_the_bounds_are_counted),
	    cmocka_unit_test(test_the_last_topics_are_told_the_latest_first),
	};

	return cmocka_run_group_tests_name("pipe_facts", tests, NULL, NULL);
}
