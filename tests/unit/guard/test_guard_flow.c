/* A local client's connection, with a broker that means no good. */

#include "people.h"

#include "guard_flow.h"
#include "guard_message.h"
#include "mqtt_frame.h"
#include "wire.h"

static struct guard_rules *rules;
static struct guard_flow *flow;
static struct buf to_broker, to_client;
static size_t dropped, stopped;

static bool
put_broker(void *arg, struct span bytes)
{
	return buf_append(&to_broker, bytes.data, bytes.len);
}

static bool
put_client(void *arg, struct span bytes)
{
	return buf_append(&to_client, bytes.data, bytes.len);
}

static void
on_dropped(void *arg, const struct guard_rule *rule, struct span topic)
{
	dropped++;
}

static void
on_stopped(void *arg, const struct guard_rule *rule, struct span topic)
{
	stopped++;
}

static bool
client(struct span bytes)
{
	const char *why;

	return guard_flow_from_client(flow, bytes, &why);
}

static bool
broker(struct span bytes)
{
	const char *why;

	return guard_flow_from_broker(flow, bytes, &why);
}

/* ---- packets ---- */

static struct span
frame(unsigned first, const struct buf *body)
{
	static struct buf packet = {.max = 1 << 20};
	uint8_t length[4];

	buf_fini(&packet);
	wire_put_u8(&packet, (uint8_t)first);
	wire_put_bytes(&packet,
	    span_of(length, mqtt_varint_put(length, (uint32_t)buf_len(body))));
	wire_put_bytes(&packet, buf_span(body));
	return buf_span(&packet);
}

static struct span
connect_packet(unsigned level)
{
	struct buf body = {.max = 1000};
	struct span packet;

	wire_put_string16(&body, span_of_str("MQTT"));
	wire_put_u8(&body, (uint8_t)level);
	wire_put_u8(&body, 2);
	wire_put_u16(&body, 60);
	if (level == 5)
		wire_put_u8(&body, 0);
	wire_put_string16(&body, span_of_str("valve"));
	packet = frame(0x10, &body);
	buf_fini(&body);
	return packet;
}

static struct span
filters_packet(unsigned first, unsigned level, const char *filter)
{
	struct buf body = {.max = 1000};
	struct span packet;

	wire_put_u16(&body, 7);
	if (level == 5)
		wire_put_u8(&body, 0);
	wire_put_string16(&body, span_of_str(filter));
	if (first == 0x82)
		wire_put_u8(&body, 1);
	packet = frame(first, &body);
	buf_fini(&body);
	return packet;
}

struct publish {
	unsigned level, qos, packet_id, alias;
	const char *topic, *payload;
};

static struct span
publish_packet(struct publish p)
{
	struct buf body = {.max = 1 << 20};
	struct span packet;

	wire_put_string16(&body, span_of_str(p.topic));
	if (p.qos > 0)
		wire_put_u16(&body, (uint16_t)p.packet_id);
	if (p.level == 5) {
		wire_put_u8(&body, p.alias > 0 ? 3 : 0);
		if (p.alias > 0) {
			wire_put_u8(&body, 0x23);
			wire_put_u16(&body, (uint16_t)p.alias);
		}
	}
	wire_put_bytes(&body, span_of_str(p.payload));
	packet = frame(0x30 | p.qos << 1, &body);
	buf_fini(&body);
	return packet;
}

static void
forget(void)
{
	buf_fini(&to_broker);
	buf_fini(&to_client);
	dropped = stopped = 0;
}

static void
start(unsigned level)
{
	const struct guard_flow_events events = {
	    put_broker, put_client, on_dropped, on_stopped, NULL};

	guard_flow_free(flow);
	flow = guard_flow_new(rules, &events);
	assert_non_null(flow);
	assert_true(client(connect_packet(level)));
	assert_true(broker(level == 5 ? span_of("\x20\x03\0\0\0", 5)
				      : span_of("\x20\x02\0\0", 4)));
	forget();
}

static int
begin(void **state)
{
	rules = people_read();
	buf_init(&to_broker, 1 << 21);
	buf_init(&to_client, 1 << 21);
	return 0;
}

static int
end(void **state)
{
	guard_flow_free(flow);
	flow = NULL;
	guard_rules_free(rules);
	forget();
	return 0;
}

/* ---- what is kept back, and how it is acknowledged ---- */

static void
test_what_is_protected_is_kept_back_and_acknowledged(void **state)
{
	static const char *const answers[] = {
	    "", "\x40\x02\x12\x34", "\x50\x02\x12\x34"};

	for (unsigned level = 4; level <= 5; level++) {
		for (unsigned qos = 0; qos <= 2; qos++) {
			start(level);
			assert_true(broker(publish_packet((struct publish){
			    level, qos, 0x1234, 0, PEOPLE_TOPIC, "open"})));
			assert_int_equal(dropped, 1);
			assert_int_equal(buf_len(&to_client), 0);
			assert_true(
			    span_is(buf_span(&to_broker), answers[qos]));
		}
		/* The rest of QoS 2 is between the guard and the broker. */
		forget();
		assert_true(broker(span_of("\x62\x02\x12\x34", 4)));
		assert_true(span_is(buf_span(&to_broker), "\x70\x02\x12\x34"));
		assert_int_equal(buf_len(&to_client), 0);
		/* And of another message it is not. */
		forget();
		assert_true(broker(span_of("\x62\x02\x12\x34", 4)));
		assert_int_equal(buf_len(&to_client), 4);
	}
}

static void
test_what_is_free_or_safe_goes_on_as_it_came(void **state)
{
	static const struct {
		const char *topic, *payload;
		size_t stopped;
	} rows[] = {
	    {"plant/free", "open", 0},
	    {PEOPLE_TOPIC, "close", 1},
	    {PEOPLE_TOPIC, "0", 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (unsigned qos = 0; qos <= 2; qos++) {
			struct span packet;

			start(4);
			packet = publish_packet((struct publish){
			    4, qos, 5, 0, rows[i].topic, rows[i].payload});
			assert_true(broker(packet));
			assert_true(span_equal(buf_span(&to_client), packet));
			assert_int_equal(buf_len(&to_broker), 0);
			assert_int_equal(stopped, rows[i].stopped);
		}
	}
}

static void
test_a_topic_alias_does_not_lead_past_the_guard(void **state)
{
	struct publish p = {5, 0, 0, 1, "plant/free", "x"};

	start(5);
	assert_true(broker(publish_packet(p)));
	assert_true(buf_len(&to_client) > 0);
	forget();
	p = (struct publish){5, 0, 0, 1, PEOPLE_TOPIC, "open"};
	assert_true(broker(publish_packet(p)));
	p.topic = "";
	assert_true(broker(publish_packet(p)));
	assert_int_equal(dropped, 2);
	assert_int_equal(buf_len(&to_client), 0);
	/* A stop by the same alias: the client never heard of the topic. */
	p.payload = "close";
	assert_true(broker(publish_packet(p)));
	assert_non_null(memmem(buf_span(&to_client).data, buf_len(&to_client),
	    PEOPLE_TOPIC, strlen(PEOPLE_TOPIC)));
	/* One that stands for nothing is the end. */
	p.alias = 9;
	assert_false(broker(publish_packet(p)));
}

static void
test_a_safe_payload_that_is_only_the_beginning_is_not_safe(void **state)
{
	static char payload[300000];

	memset(payload, '0', sizeof payload - 1);
	start(4);
	assert_true(broker(publish_packet(
	    (struct publish){4, 0, 0, 0, PEOPLE_TOPIC, payload})));
	assert_int_equal(dropped, 1);
	assert_int_equal(buf_len(&to_client), 0);
	/* It is skipped to its end, and what follows is understood. */
	assert_true(broker(publish_packet(
	    (struct publish){4, 0, 0, 0, PEOPLE_TOPIC, "close"})));
	assert_int_equal(stopped, 1);
}

/* An empty payload may be safe; one that is not all there is not empty. */
static void
test_a_payload_that_is_not_there_yet_is_not_empty(void **state)
{
	static char payload[300000];
	static const char *empty[] = {""};
	const char **before = rules->rules[0].safe_state;
	size_t count = rules->rules[0].safe_state_count;

	memset(payload, 'x', sizeof payload - 1);
	rules->rules[0].safe_state = empty;
	rules->rules[0].safe_state_count = 1;
	start(4);
	assert_true(broker(publish_packet(
	    (struct publish){4, 0, 0, 0, PEOPLE_TOPIC, payload})));
	assert_int_equal(dropped, 1);
	assert_int_equal(buf_len(&to_client), 0);
	assert_true(broker(
	    publish_packet((struct publish){4, 0, 0, 0, PEOPLE_TOPIC, ""})));
	assert_int_equal(stopped, 1);
	rules->rules[0].safe_state = before;
	rules->rules[0].safe_state_count = count;
}

static void
test_it_is_the_same_however_the_bytes_are_cut(void **state)
{
	const struct span packet =
	    publish_packet((struct publish){4, 1, 9, 0, PEOPLE_TOPIC, "open"});
	uint8_t copy[64];
	size_t len = packet.len;

	assert_true(len <= sizeof copy);
	memcpy(copy, packet.data, len);
	for (size_t cut = 1; cut < len; cut++) {
		start(4);
		assert_true(broker(span_of(copy, cut)));
		assert_int_equal(buf_len(&to_client), 0);
		assert_true(broker(span_of(copy + cut, len - cut)));
		assert_int_equal(dropped, 1);
		assert_int_equal(buf_len(&to_client), 0);
		assert_int_equal(buf_len(&to_broker), 4);
	}
}

static void
test_our_own_packets_do_not_cut_the_clients_in_two(void **state)
{
	start(4);
	/* Payloads are passed on as they come: this one is amid one. */
	assert_true(client(span_of("\x30\x08\0\1tabc", 8)));
	assert_true(broker(publish_packet(
	    (struct publish){4, 1, 9, 0, PEOPLE_TOPIC, "open"})));
	assert_int_equal(buf_len(&to_broker), 8);
	assert_true(client(span_of("de", 2)));
	assert_true(span_equal(buf_span(&to_broker),
	    span_of("\x30\x08\0\1tabcde\x40\x02\0\x09", 14)));
}

static void
test_what_the_guard_itself_need_not_keep_goes_no_further(void **state)
{
	static char large[70000];
	const struct guard_rules *all = rules;
	const char *asks = "kaya/guard/valve-1/ask";

	memset(large, 'x', sizeof large - 1);
	rules = NULL; /* its own connection */
	start(4);
	assert_true(broker(
	    publish_packet((struct publish){4, 1, 0x1234, 0, asks, large})));
	assert_int_equal(buf_len(&to_client), 0);
	assert_true(span_is(buf_span(&to_broker), "\x40\x02\x12\x34"));
	forget();
	assert_true(broker(
	    publish_packet((struct publish){4, 2, 0x1234, 0, asks, "{}"})));
	assert_true(span_is(buf_span(&to_broker), "\x50\x02\x12\x34"));
	assert_true(broker(span_of("\x62\x02\x12\x34", 4)));
	assert_int_equal(buf_len(&to_client), 0);
	/* The largest that is read, and topics that somebody protects. */
	forget();
	large[GUARD_MESSAGE_MAX] = '\0';
	assert_true(broker(
	    publish_packet((struct publish){4, 1, 0x1234, 0, asks, large})));
	assert_true(buf_len(&to_client) > GUARD_MESSAGE_MAX);
	assert_true(broker(publish_packet(
	    (struct publish){4, 0, 0, 0, PEOPLE_TOPIC, "open"})));
	assert_int_equal(dropped, 0);
	assert_int_equal(buf_len(&to_broker), 0);
	/* No packet but a PUBLISH is that large. */
	assert_false(broker(span_of("\x90\xff\xff\x7f", 4)));
	rules = (struct guard_rules *)all;
}

/* ---- subscriptions, and what is put in ---- */

static struct span share;

static bool
hears(struct span topic)
{
	return guard_flow_hears(flow, topic, &share);
}

static void
test_who_is_subscribed_hears(void **state)
{
	const struct span topic = span_of_str(PEOPLE_TOPIC);

	for (unsigned level = 4; level <= 5; level++) {
		start(level);
		assert_false(hears(topic));
		assert_true(client(filters_packet(0x82, level, "plant/+/set")));
		assert_true(hears(topic));
		assert_false(hears(span_of_str("plant/valve-1/x")));
		assert_true(client(filters_packet(0xa2, level, "plant/+/set")));
		assert_false(hears(topic));
		assert_true(client(
		    filters_packet(0x82, level, "$share/group/plant/#")));
		assert_true(hears(topic));
		assert_true(span_is(share, "group"));
		/* By a filter of its own it hears for itself. */
		assert_true(client(filters_packet(0x82, level, "plant/#")));
		assert_true(hears(topic));
		assert_int_equal(share.len, 0);
		assert_true(client(
		    filters_packet(0xa2, level, "$share/group/plant/#")));
		assert_true(hears(topic));
	}
}

static void
test_nobody_hears_before_the_broker_has_accepted(void **state)
{
	const struct guard_flow_events events = {
	    put_broker, put_client, on_dropped, on_stopped, NULL};
	const struct span topic = span_of_str(PEOPLE_TOPIC);

	flow = guard_flow_new(rules, &events);
	assert_true(client(connect_packet(4)));
	assert_true(client(filters_packet(0x82, 4, "#")));
	assert_false(hears(topic));
	assert_true(broker(span_of("\x20\x02\0\0", 4)));
	assert_true(hears(topic));
}

static void
test_a_command_is_put_in_at_qos_0(void **state)
{
	for (unsigned level = 4; level <= 5; level++) {
		struct span expected;

		start(level);
		assert_int_equal(
		    guard_flow_give(
			flow, span_of_str(PEOPLE_TOPIC), span_of_str("open")),
		    GUARD_FLOW_GIVEN);
		expected = publish_packet(
		    (struct publish){level, 0, 0, 0, PEOPLE_TOPIC, "open"});
		assert_true(span_equal(buf_span(&to_client), expected));
	}
}

static void
test_nothing_is_put_in_amid_a_packet(void **state)
{
	static char payload[300000];
	struct span packet;
	uint8_t last;

	memset(payload, 'x', sizeof payload - 1);
	start(4);
	packet =
	    publish_packet((struct publish){4, 0, 0, 0, "plant/free", payload});
	last = packet.data[packet.len - 1];
	assert_true(broker(span_of(packet.data, packet.len - 1)));
	assert_int_equal(
	    guard_flow_give(flow, span_of_str("t"), span_of_str("p")),
	    GUARD_FLOW_LATER);
	assert_true(broker(span_of(&last, 1)));
	assert_int_equal(
	    guard_flow_give(flow, span_of_str("t"), span_of_str("p")),
	    GUARD_FLOW_GIVEN);
}

/* "plant/pump/1" cut off by a zero is what a C program would read. */
static void
test_a_topic_that_is_none_is_the_end(void **state)
{
	static const char *const topics[] = {"plant/pump/1\0x", "plant/+/1\0\0",
	    "plant/pump/\xff\0", "plant/valve-1/#\0"};
	static const size_t lens[] = {14, 9, 12, 15};

	for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
		struct buf body = {.max = 1000};

		start(4);
		wire_put_string16(&body, span_of(topics[i], lens[i]));
		wire_put_bytes(&body, span_of_str("open"));
		assert_false(broker(frame(0x30, &body)));
		assert_int_equal(buf_len(&to_client), 0);
		buf_fini(&body);
	}
}

static void
test_what_is_no_mqtt_is_the_end(void **state)
{
	start(4);
	assert_false(broker(span_of("\xf0\0", 2)));
	start(4);
	assert_false(client(span_of("GET / HTTP/1.1\r\n", 16)));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_is_protected_is_kept_back_and_acknowledged),
	    TEST(test_what_is_free_or_safe_goes_on_as_it_came),
	    TEST(test_a_topic_alias_does_not_lead_past_the_guard),
	    TEST(test_a_safe_payload_that_is_only_the_beginning_is_not_safe),
	    TEST(test_a_payload_that_is_not_there_yet_is_not_empty),
	    TEST(test_it_is_the_same_however_the_bytes_are_cut),
	    TEST(test_what_the_guard_itself_need_not_keep_goes_no_further),
	    TEST(test_our_own_packets_do_not_cut_the_clients_in_two),
	    TEST(test_who_is_subscribed_hears),
	    TEST(test_nobody_hears_before_the_broker_has_accepted),
	    TEST(test_a_command_is_put_in_at_qos_0),
	    TEST(test_nothing_is_put_in_amid_a_packet),
	    TEST(test_a_topic_that_is_none_is_the_end),
	    TEST(test_what_is_no_mqtt_is_the_end),
	};

	return cmocka_run_group_tests_name(
	    "guard_flow", tests, people_set_up, people_tear_down);
}
