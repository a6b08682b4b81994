/* PUBLISHes that wait for somebody else, and the gateway's own topics. */

#include "make.h"

#include "access_private.h"
#include "mqtt_packet.h"

#include <stdlib.h>

static const char POLICY[] =
    "roles:\n"
    "  - name: operator\n"
    "    publish: ['plant/#', 'free/#', '$kaya/deny']\n"
    "    subscribe: ['free/#', '$kaya/result/%i']\n"
    "    retain: yes\n"
    "  - name: supervisor\n"
    "    publish: ['$kaya/approve', '$kaya/deny', plant/permit]\n"
    "    subscribe: ['$kaya/pending', '$kaya/result/+']\n"
    "  - {name: slow, publish: 'plant/#', rate: 1, rate_interval: 1d}\n"
    "identities:\n"
    "  - {names: ann, roles: operator}\n"
    "  - {names: bob, roles: supervisor}\n"
    "  - {names: sam, roles: slow}\n"
    "  - {names: cy, roles: [operator]}\n"
    "approval:\n"
    "  - {name: valves, topics: plant/valve, by: supervisor,\n"
    "     safe_state: close, break_glass: slow}\n"
    "  - {name: locks, topics: plant/lock, by: supervisor,\n"
    "     mode: permissive, permit_topic: plant/permit}\n";

enum { LOG_SIZE = 4096 };

/* One connection, and what came of it: words with what they are about. */
struct desk {
	struct policy *policy;
	struct access *access;
	struct mqtt_walk up, down, seen_up, seen_down;
	uint8_t level;
	char log[LOG_SIZE];
	uint32_t asked; /* the last question's number */
	uint64_t within_ms;
	bool is_full; /* the way to the broker */
	bool is_deaf; /* nobody can be asked */
	enum approval_cause late; /* what let_go says */
	unsigned messages; /* that were counted */
	bool is_nagged; /* no more questions */
	bool is_quiet; /* count, and note nothing */
	size_t seen;
};

__attribute__((format(printf, 2, 3))) static void
note(struct desk *desk, const char *format, ...)
{
	size_t len = strlen(desk->log);
	va_list args;

	va_start(args, format);
	vsnprintf(desk->log + len, sizeof desk->log - len, format, args);
	va_end(args);
	assert_true(strlen(desk->log) < sizeof desk->log - 1);
}

#define STR(span) (int)(span).len, (const char *)(span).data

/* What goes out, packet by packet, as a person would write it. */
static void
see(struct desk *desk, const char *where, const struct mqtt_walk_item *item,
    enum mqtt_side side)
{
	const struct mqtt_sender from = {(uint8_t)side, desk->level};
	struct span body = mqtt_frame_body(&item->frame, item->bytes);
	const struct mqtt_publish *p = &item->publish;
	struct mqtt_suback suback;
	struct mqtt_ack ack;

	desk->seen++;
	if (desk->is_quiet)
		return;
	switch (item->frame.type) {
	case MQTT_PUBLISH:
		note(desk, "%s PUBLISH%s q%u %u a%u '%.*s' '%.*s'\n", where,
		    p->dup ? " DUP" : "", p->qos, p->packet_id, p->topic_alias,
		    STR(p->topic), (int)p->payload_len,
		    (const char *)item->bytes.data + p->head_len);
		break;
	case MQTT_SUBACK:
		assert_int_equal(
		    mqtt_suback_decode(MQTT_SUBACK, body, from, &suback),
		    MQTT_RULE_NONE);
		note(desk, "%s SUBACK %u", where, suback.packet_id);
		for (size_t i = 0; i < suback.codes.len; i++)
			note(desk, " %02x", suback.codes.data[i]);
		note(desk, "\n");
		break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		assert_int_equal(
		    mqtt_ack_decode(item->frame.type, body, from, &ack),
		    MQTT_RULE_NONE);
		note(desk, "%s %s %u %02x\n", where,
		    mqtt_type_name(item->frame.type), ack.packet_id, ack.code);
		break;
	default:
		note(desk, "%s %s\n", where, mqtt_type_name(item->frame.type));
	}
}

static bool
look(struct desk *desk, const char *where, struct mqtt_walk *walk,
    struct span bytes, enum mqtt_side side)
{
	struct mqtt_walk_item item;
	enum mqtt_walk_result result;

	while ((result = mqtt_walk_next(walk, &bytes, &item)) !=
	       MQTT_WALK_NEED_MORE) {
		if (result == MQTT_WALK_FORWARD)
			continue; /* a payload that is streamed */
		if (result == MQTT_WALK_MALFORMED)
			fail_msg(
			    "%s: %s", where, mqtt_rule_text(item.fault.rule));
		see(desk, where, &item, side);
	}
	return true;
}

static bool
to_broker(void *arg, struct span bytes)
{
	struct desk *desk = arg;

	return look(desk, ">", &desk->seen_up, bytes, MQTT_FROM_CLIENT);
}

static bool
to_client(void *arg, struct span bytes)
{
	struct desk *desk = arg;

	return look(desk, "<", &desk->seen_down, bytes, MQTT_FROM_BROKER);
}

static void
on_refused(void *arg, const struct access_refusal *refusal)
{
	note(arg, "refused %s %s '%.*s'\n",
	    policy_verdict_name(refusal->verdict),
	    approval_cause_name(refusal->cause), STR(refusal->topic));
}

static bool
on_count(void *arg, enum access_use use, const struct policy_who *who,
    uint64_t now_ms)
{
	struct desk *desk = arg;

	if (use == ACCESS_USES_QUESTION)
		return !desk->is_nagged;
	return desk->messages++ < who->rate;
}

static bool
on_ask(void *arg, const struct access_question *question)
{
	static const char *const words[] = {
	    [ACCESS_ASKS] = "asks",
	    [ACCESS_BREAKS_GLASS] = "breaks",
	    [ACCESS_AGREES] = "agrees",
	    [ACCESS_DENIES] = "denies",
	};
	struct desk *desk = arg;

	desk->asked = question->number;
	desk->within_ms = question->within_ms;
	note(desk, "%s %s q%u '%.*s' '%.*s'\n", words[question->asking],
	    question->rule == NULL ? "-" : question->rule->name, question->qos,
	    STR(question->topic), STR(question->payload));
	return !desk->is_deaf;
}

static bool
on_is_due(void *arg, uint32_t number)
{
	const struct desk *desk = arg;

	return !desk->is_full || desk->late != APPROVAL_NONE;
}

static enum approval_cause
on_let_go(void *arg, uint32_t number)
{
	const struct desk *desk = arg;

	assert_true(number > 0);
	return desk->late;
}

static void
on_lost(void *arg, uint32_t number)
{
	note(arg, "lost %u\n", number);
}

static void
on_stopped(void *arg, struct span topic)
{
	note(arg, "stop '%.*s'\n", STR(topic));
}

static void
on_permit(
    void *arg, const struct policy_approval *rule, enum access_permit permit)
{
	note(arg, "permit %s %s\n", rule->name,
	    permit == ACCESS_PERMIT_GIVEN ? "given" : "taken");
}

/* ---- bytes ---- */

static void
settle(struct desk *desk)
{
	assert_true(access_settle(desk->access, &desk->up, &desk->down));
	mqtt_walk_set_mask(&desk->up, access_client_mask(desk->access));
	mqtt_walk_set_mask(&desk->down, access_broker_mask(desk->access));
}

/* What became of the last packet. */
static enum access_result
feed(struct desk *desk, enum mqtt_side side, struct span bytes)
{
	struct mqtt_walk *walk =
	    side == MQTT_FROM_CLIENT ? &desk->up : &desk->down;
	enum access_result done = ACCESS_DONE;
	enum mqtt_walk_result result;
	struct mqtt_walk_item item;

	while ((result = mqtt_walk_next(walk, &bytes, &item)) !=
	       MQTT_WALK_NEED_MORE) {
		if (result == MQTT_WALK_FORWARD) {
			assert_true(side == MQTT_FROM_CLIENT
					? to_broker(desk, item.bytes)
					: to_client(desk, item.bytes));
			continue;
		}
		assert_true(
		    result == MQTT_WALK_PACKET || result == MQTT_WALK_HEAD);
		done =
		    side == MQTT_FROM_CLIENT
			? access_from_client(desk->access, result, &item, 1000)
			: access_from_broker(desk->access, result, &item);
		if (done == ACCESS_SKIP)
			mqtt_walk_skip(walk);
		mqtt_walk_set_mask(&desk->up, access_client_mask(desk->access));
		mqtt_walk_set_mask(
		    &desk->down, access_broker_mask(desk->access));
	}
	if (done == ACCESS_DONE || done == ACCESS_SKIP)
		settle(desk);
	return done;
}

static enum access_result
send_bytes(struct desk *desk, const char *bytes, size_t len)
{
	return feed(desk, MQTT_FROM_CLIENT, span_of(bytes, len));
}

#define SEND(desk, text) send_bytes(desk, text, sizeof(text) - 1)
#define BROKER(desk, text)                                                     \
	feed(desk, MQTT_FROM_BROKER, span_of(text, sizeof(text) - 1))

struct publish {
	const char *topic, *payload;
	uint16_t id;
	uint8_t qos, alias;
	bool dup, retain;
	uint32_t expiry_s; /* 5.0; 0: none */
};

static enum access_result
publish(struct desk *desk, struct publish p)
{
	size_t topic = strlen(p.topic), payload = strlen(p.payload), at = 0;
	size_t properties = (p.alias != 0 ? 3 : 0) + (p.expiry_s ? 5 : 0);
	size_t len = 2 + topic + (p.qos > 0 ? 2 : 0) +
		     (desk->level == MQTT_50 ? 1 + properties : 0) + payload;
	uint8_t *bytes = malloc(len + 5);
	enum access_result result;

	bytes[at++] = (uint8_t)(0x30 | p.dup << 3 | p.qos << 1 | p.retain);
	do {
		bytes[at] = (uint8_t)(len % 128 | (len >= 128 ? 128 : 0));
		len /= 128;
		at++;
	} while (len > 0);
	bytes[at++] = (uint8_t)(topic >> 8);
	bytes[at++] = (uint8_t)topic;
	memcpy(bytes + at, p.topic, topic);
	at += topic;
	if (p.qos > 0) {
		bytes[at++] = (uint8_t)(p.id >> 8);
		bytes[at++] = (uint8_t)p.id;
	}
	if (desk->level == MQTT_50)
		bytes[at++] = (uint8_t)properties;
	if (p.expiry_s != 0) {
		bytes[at++] = 2;
		for (int shift = 24; shift >= 0; shift -= 8)
			bytes[at++] = (uint8_t)(p.expiry_s >> shift);
	}
	if (p.alias != 0) {
		bytes[at++] = 0x23;
		bytes[at++] = 0;
		bytes[at++] = p.alias;
	}
	memcpy(bytes + at, p.payload, payload);
	result = feed(desk, MQTT_FROM_CLIENT, span_of(bytes, at + payload));
	free(bytes);
	return result;
}

/* ---- a connection ---- */

static const struct access_events events = {to_broker, to_client, on_refused,
    on_count, on_ask, on_is_due, on_let_go, on_lost, on_stopped, on_permit};

static void
open_as(struct desk *desk, const char *identity, uint8_t level)
{
	static const char connect_311[] = "\x10\x0d\0\4MQTT\4\2\0\0\0\1c",
			  connect_50[] = "\x10\x0e\0\4MQTT\5\2\0\0\0\0\1c",
			  connack_311[] = "\x20\2\0\0",
			  connack_50[] = "\x20\3\0\0\0";
	const struct access_options options = {.policy = desk->policy,
	    .identity = span_of_str(identity),
	    .events = &events,
	    .arg = desk};
	struct span bytes = level == MQTT_50
				? span_of(connect_50, sizeof connect_50 - 1)
				: span_of(connect_311, sizeof connect_311 - 1);
	struct mqtt_connect connect;
	struct mqtt_walk_item item;
	const char *text;

	mqtt_walk_init(&desk->up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&desk->down, MQTT_FROM_BROKER, &mqtt_limits_default);
	mqtt_walk_init(&desk->seen_up, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(
	    &desk->seen_down, MQTT_FROM_BROKER, &mqtt_limits_default);
	desk->level = level;
	desk->access = access_new(&options);
	assert_non_null(desk->access);
	assert_int_equal(
	    mqtt_walk_next(&desk->up, &bytes, &item), MQTT_WALK_PACKET);
	assert_int_equal(
	    mqtt_connect_decode(&item.frame,
		mqtt_frame_body(&item.frame, item.bytes), &connect),
	    MQTT_RULE_NONE);
	assert_int_equal(
	    access_connect(desk->access, &connect, NULL, &text), 0);
	mqtt_walk_learn(&desk->down, &desk->up);
	look(desk, ">", &desk->seen_up, item.bytes, MQTT_FROM_CLIENT);
	mqtt_walk_learn(&desk->seen_down, &desk->seen_up);
	mqtt_walk_set_mask(&desk->seen_up, 0xffff);
	mqtt_walk_set_mask(&desk->seen_down, 0xffff);
	settle(desk);
	if (level == MQTT_50)
		feed(desk, MQTT_FROM_BROKER,
		    span_of(connack_50, sizeof connack_50 - 1));
	else
		feed(desk, MQTT_FROM_BROKER,
		    span_of(connack_311, sizeof connack_311 - 1));
	desk->log[0] = '\0';
}

static int
setup(void **state)
{
	struct desk *desk = calloc(1, sizeof *desk);

	desk->policy = make_policy(POLICY);
	*state = desk;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *desk = *state;

	access_free(desk->access);
	mqtt_walk_fini(&desk->up);
	mqtt_walk_fini(&desk->down);
	mqtt_walk_fini(&desk->seen_up);
	mqtt_walk_fini(&desk->seen_down);
	policy_free(desk->policy);
	free(desk);
	return 0;
}

/* What was noted since the last time. */
static void
expect(struct desk *desk, const char *text)
{
	assert_string_equal(desk->log, text);
	desk->log[0] = '\0';
}

static void
let_go(struct desk *desk)
{
	access_let_go(desk->access, desk->asked);
	settle(desk);
}

static void
say(struct desk *desk, uint8_t code)
{
	const struct access_answer answer = {code, span_of_str("because")};

	assert_int_equal(
	    access_answer(desk->access, desk->asked, &answer), ACCESS_DONE);
	settle(desk);
}

/* ---- held, and let go ---- */

static void
test_a_publish_is_held_and_goes_on_as_it_came(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	expect(desk, "asks valves q0 'plant/valve' 'open'\n");
	let_go(desk);
	expect(desk, "> PUBLISH q0 0 a0 'plant/valve' 'open'\n");
	publish(desk, (struct publish){"plant/valve", "open", 7, 1});
	expect(desk, "asks valves q1 'plant/valve' 'open'\n");
	let_go(desk);
	expect(desk, "> PUBLISH q1 7 a0 'plant/valve' 'open'\n");
	BROKER(desk, "\x40\2\0\7");
	expect(desk, "< PUBACK 7 00\n");
	publish(desk, (struct publish){"plant/valve", "open", 8, 2});
	expect(desk, "asks valves q2 'plant/valve' 'open'\n");
	let_go(desk);
	expect(desk, "> PUBLISH q2 8 a0 'plant/valve' 'open'\n");
	BROKER(desk, "\x50\2\0\x8");
	SEND(desk, "\x62\2\0\x8");
	BROKER(desk, "\x70\2\0\x8");
	expect(desk, "< PUBREC 8 00\n> PUBREL 8 00\n< PUBCOMP 8 00\n");
}

static void
test_everything_else_goes_on_meanwhile(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 7, 1});
	expect(desk, "asks valves q1 'plant/valve' 'open'\n");
	SEND(desk, "\xc0\0");
	publish(desk, (struct publish){"free/x", "1", .qos = 0});
	publish(desk, (struct publish){"plant/valve", "close", 8, 1});
	expect(desk, "> PINGREQ\n"
		     "> PUBLISH q0 0 a0 'free/x' '1'\n"
		     "stop 'plant/valve'\n"
		     "> PUBLISH q1 8 a0 'plant/valve' 'close'\n");
	BROKER(desk, "\xd0\0");
	expect(desk, "< PINGRESP\n");
	/* The acknowledgement of the later one waits for that of the first. */
	BROKER(desk, "\x40\2\0\x8");
	expect(desk, "");
	let_go(desk);
	expect(desk, "> PUBLISH q1 7 a0 'plant/valve' 'open'\n");
	BROKER(desk, "\x40\2\0\x7");
	expect(desk, "< PUBACK 7 00\n< PUBACK 8 00\n");
}

static void
test_what_has_ended_takes_no_memory(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	assert_null(desk->access->busy);
	publish(desk, (struct publish){"free/x", "1", .qos = 0});
	assert_null(desk->access->busy);
	publish(desk, (struct publish){"free/x", "1", 3, 1});
	assert_non_null(desk->access->busy);
	BROKER(desk, "\x40\2\0\3");
	assert_null(desk->access->busy);
	/* A refusal at QoS 2 ends with PUBCOMP. */
	publish(desk, (struct publish){"else/x", "1", 4, 2});
	assert_non_null(desk->access->busy);
	SEND(desk, "\x62\2\0\4");
	assert_null(desk->access->busy);
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	assert_non_null(desk->access->busy);
	let_go(desk);
	assert_null(desk->access->busy);
	/* What it hears of goes on, until it wants it no more. */
	SEND(desk, "\x82\x15\0\5\0\x10$kaya/result/ann\0");
	assert_non_null(desk->access->busy);
	SEND(desk, "\xa2\x14\0\6\0\x10$kaya/result/ann");
	assert_null(desk->access->busy);
}

static void
test_a_second_is_refused_while_one_waits(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	desk->log[0] = '\0';
	publish(desk, (struct publish){"plant/valve", "open", 2, 1});
	publish(desk, (struct publish){"plant/valve", "more", 3, 2});
	publish(desk, (struct publish){"plant/valve", "more", .qos = 0});
	expect(desk, "refused approval 1-of-n-control 'plant/valve'\n"
		     "refused approval 1-of-n-control 'plant/valve'\n"
		     "refused approval 1-of-n-control 'plant/valve'\n");
	let_go(desk);
	BROKER(desk, "\x40\2\0\1");
	expect(desk, "> PUBLISH q1 1 a0 'plant/valve' 'open'\n"
		     "< PUBACK 1 00\n< PUBACK 2 97\n< PUBREC 3 97\n");
}

static void
test_a_refusal_of_5_0_has_its_code_and_ends_the_exchange(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	say(desk, 0x87);
	publish(desk, (struct publish){"plant/valve", "open", 2, 2});
	say(desk, 0x87);
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	say(desk, 0x87);
	expect(desk, "asks valves q1 'plant/valve' 'open'\n< PUBACK 1 87\n"
		     "asks valves q2 'plant/valve' 'open'\n< PUBREC 2 87\n"
		     "asks valves q0 'plant/valve' 'open'\n");
	assert_true(access_is_quiet(desk->access));
}

static void
test_a_refusal_before_5_0_is_an_acknowledgement(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	say(desk, 0x87);
	publish(desk, (struct publish){"plant/valve", "open", 2, 2});
	say(desk, 0x87);
	SEND(desk, "\x62\2\0\2");
	expect(desk, "asks valves q1 'plant/valve' 'open'\n< PUBACK 1 00\n"
		     "asks valves q2 'plant/valve' 'open'\n< PUBREC 2 00\n"
		     "< PUBCOMP 2 00\n");
	assert_true(access_is_quiet(desk->access));
}

static void
test_one_that_has_done_its_part_is_thanked_and_goes_nowhere(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk, (struct publish){"plant/valve", "open", 2, 2});
	say(desk, 0);
	SEND(desk, "\x62\2\0\2");
	expect(desk, "asks valves q2 'plant/valve' 'open'\n< PUBREC 2 00\n"
		     "< PUBCOMP 2 00\n");
}

static void
test_what_may_go_can_still_be_kept_back(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	desk->late = APPROVAL_TIME_LIMIT;
	let_go(desk);
	expect(desk, "asks valves q1 'plant/valve' 'open'\n< PUBACK 1 87\n");
	let_go(desk);
	expect(desk, "");
}

static void
test_it_does_not_go_where_it_would_wait(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	desk->log[0] = '\0';
	desk->is_full = true;
	let_go(desk);
	expect(desk, "");
	desk->is_full = false;
	settle(desk);
	expect(desk, "> PUBLISH q1 1 a0 'plant/valve' 'open'\n");
}

static void
test_it_waits_for_no_longer_than_its_time(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	desk->log[0] = '\0';
	desk->is_full = true;
	let_go(desk);
	expect(desk, "");
	desk->late = APPROVAL_TIME_LIMIT;
	settle(desk);
	expect(desk, "< PUBACK 1 00\n");
	desk->is_full = false;
	settle(desk);
	expect(desk, "");
}

static void
test_it_goes_between_two_frames_only(void **state)
{
	struct desk *desk = *state;
	uint32_t asked;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	asked = desk->asked;
	/* A large PUBLISH, whose payload is under way. */
	SEND(desk, "\x30\x88\xa0\x80\x01\0\6free/x");
	desk->log[0] = '\0';
	access_let_go(desk->access, asked);
	settle(desk);
	expect(desk, "");
	for (size_t left = 0x20 * 128 + 2097152; left > 0;) {
		static const char zeros[4096];
		size_t part = left < sizeof zeros ? left : sizeof zeros;

		send_bytes(desk, zeros, part);
		left -= part;
	}
	assert_non_null(
	    strstr(desk->log, "> PUBLISH q1 1 a0 'plant/valve' 'open'\n"));
}

static void
test_nobody_who_can_be_asked_is_a_refusal(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	desk->is_deaf = true;
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	expect(desk, "asks valves q1 'plant/valve' 'open'\n< PUBACK 1 80\n");
}

static void
test_its_own_expiry_is_told(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(
	    desk, (struct publish){"plant/valve", "open", 1, 1, .expiry_s = 5});
	assert_int_equal(desk->within_ms, 5000);
}

static void
test_one_that_is_too_large_to_be_held_is_refused(void **state)
{
	struct desk *desk = *state;
	size_t len = ACCESS_HELD_MAX_BYTES;
	char *payload = malloc(len + 1);

	open_as(desk, "ann", MQTT_50);
	memset(payload, 'x', len);
	payload[len] = '\0';
	publish(desk, (struct publish){"plant/valve", payload, 1, 1});
	free(payload);
	expect(desk, "refused approval too-large 'plant/valve'\n"
		     "< PUBACK 1 97\n");
}

/* ---- what the publisher might try ---- */

static void
test_the_same_again_is_nothing_new(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	publish(
	    desk, (struct publish){"plant/valve", "open", 1, 1, .dup = true});
	let_go(desk);
	expect(desk, "asks valves q1 'plant/valve' 'open'\n"
		     "> PUBLISH q1 1 a0 'plant/valve' 'open'\n");
}

static void
test_a_packet_id_that_is_held_is_not_used_for_another(void **state)
{
	static const struct publish others[] = {
	    {"plant/valve", "shut", 1, 1, .dup = true},
	    {"plant/valve", "open", 1, 1},
	    {"plant/valve", "open", 1, 2, .dup = true},
	    {"free/x", "open", 1, 1, .dup = true},
	    {"plant/valve", "close", 1, 1},
	};
	struct desk *desk = *state;

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		open_as(desk, "ann", MQTT_311);
		publish(desk, (struct publish){"plant/valve", "open", 1, 1});
		desk->log[0] = '\0';
		assert_int_equal(
		    publish(desk, others[i]), ACCESS_BAD_PACKET_ID);
		expect(desk, "");
		access_free(desk->access);
		desk->access = NULL;
	}
}

static void
test_a_packet_id_that_the_broker_has_is_not_held(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"free/x", "1", 1, 1});
	assert_int_equal(
	    publish(desk, (struct publish){"plant/valve", "open", 1, 1}),
	    ACCESS_BAD_PACKET_ID);
}

static void
test_one_that_is_sent_again_after_a_loss_is_stale(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(
	    desk, (struct publish){"plant/valve", "open", 1, 1, .dup = true});
	expect(desk, "refused approval abortion-by-communication-loss "
		     "'plant/valve'\n< PUBACK 1 87\n");
}

static void
test_an_alias_means_what_it_meant_when_it_was_held(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(
	    desk, (struct publish){"plant/valve", "open", 1, 1, .alias = 1});
	/* The alias is given another meaning while it waits. */
	publish(desk, (struct publish){"free/x", "a", .alias = 1});
	publish(desk, (struct publish){"", "b", .alias = 1});
	let_go(desk);
	/* The broker believes now that 1 is the valve: not for long. */
	publish(desk, (struct publish){"", "c", .alias = 1});
	publish(desk, (struct publish){"", "d", .alias = 1});
	expect(desk, "asks valves q1 'plant/valve' 'open'\n"
		     "> PUBLISH q0 0 a1 'free/x' 'a'\n"
		     "> PUBLISH q0 0 a1 '' 'b'\n"
		     "> PUBLISH q1 1 a1 'plant/valve' 'open'\n"
		     "> PUBLISH q0 0 a1 'free/x' 'c'\n"
		     "> PUBLISH q0 0 a1 '' 'd'\n");
}

static void
test_an_alias_alone_is_held_with_its_topic(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk, (struct publish){"plant/valve", "close", .alias = 1});
	publish(desk, (struct publish){"", "open", 1, 1, .alias = 1});
	publish(desk, (struct publish){"free/x", "a", .alias = 1});
	let_go(desk);
	expect(desk, "stop 'plant/valve'\n"
		     "> PUBLISH q0 0 a1 'plant/valve' 'close'\n"
		     "asks valves q1 'plant/valve' 'open'\n"
		     "> PUBLISH q0 0 a1 'free/x' 'a'\n"
		     "> PUBLISH q1 1 a1 'plant/valve' 'open'\n");
}

static void
test_nothing_retained_is_held(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	publish(desk,
	    (struct publish){"plant/valve", "open", 1, 1, .retain = true});
	expect(desk, "refused protected-retain none 'plant/valve'\n"
		     "< PUBACK 1 87\n");
}

static void
test_who_says_good_bye_loses_it(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	SEND(desk, "\xe0\0");
	let_go(desk);
	expect(desk, "asks valves q0 'plant/valve' 'open'\n"
		     "lost 1\n> DISCONNECT\n");
}

static void
test_a_stop_is_not_one_message_too_many(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "sam", MQTT_50);
	publish(desk, (struct publish){"plant/x", "1", .qos = 0});
	publish(desk, (struct publish){"plant/x", "2", .qos = 0});
	publish(desk, (struct publish){"plant/valve", "close", .qos = 0});
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	expect(desk, "> PUBLISH q0 0 a0 'plant/x' '1'\n"
		     "refused allowed none 'plant/x'\n"
		     "stop 'plant/valve'\n"
		     "> PUBLISH q0 0 a0 'plant/valve' 'close'\n"
		     "refused allowed none 'plant/valve'\n");
}

static void
test_break_glass_is_asked_for_and_does_not_wait_for_a_person(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "sam", MQTT_311);
	publish(desk, (struct publish){"plant/valve", "open", .qos = 0});
	expect(desk, "breaks valves q0 'plant/valve' 'open'\n");
	let_go(desk);
	expect(desk, "> PUBLISH q0 0 a0 'plant/valve' 'open'\n");
}

static void
test_several_may_wait_for_the_gateway_but_not_for_people(void **state)
{
	struct desk *desk = *state;
	uint32_t first;

	open_as(desk, "ann", MQTT_311);
	publish(desk, (struct publish){"plant/lock", "1", 1, 1});
	first = desk->asked;
	publish(desk, (struct publish){"plant/lock", "2", 2, 1});
	publish(desk, (struct publish){"plant/valve", "open", 3, 1});
	desk->log[0] = '\0';
	let_go(desk);
	expect(desk, "> PUBLISH q1 3 a0 'plant/valve' 'open'\n");
	access_let_go(desk->access, first);
	settle(desk);
	expect(desk, "> PUBLISH q1 1 a0 'plant/lock' '1'\n");
}

static void
test_questions_have_room_for_so_many(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	for (uint16_t i = 1; i <= ACCESS_QUESTIONS_MAX; i++)
		publish(desk, (struct publish){"plant/lock", "1", i, 1});
	desk->log[0] = '\0';
	publish(desk, (struct publish){"plant/lock", "1", 77, 1});
	expect(desk, "refused approval 1-of-n-control 'plant/lock'\n");
}

static void
test_who_asks_too_often_is_refused_and_may_still_stop(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	desk->is_nagged = true;
	publish(desk, (struct publish){"plant/valve", "open", 1, 1});
	publish(desk, (struct publish){"plant/lock", "1", 2, 2});
	publish(desk, (struct publish){"plant/valve", "close", .qos = 0});
	expect(desk, "refused approval too-often 'plant/valve'\n"
		     "< PUBACK 1 97\n"
		     "refused approval too-often 'plant/lock'\n"
		     "< PUBREC 2 97\n"
		     "stop 'plant/valve'\n"
		     "> PUBLISH q0 0 a0 'plant/valve' 'close'\n");
	assert_true(access_is_quiet(desk->access));
}

static void
test_who_agrees_too_often_is_refused(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_50);
	desk->is_nagged = true;
	publish(desk, (struct publish){"$kaya/approve", "x", 1, 1});
	expect(
	    desk, "refused allowed too-often '$kaya/approve'\n< PUBACK 1 97\n");
}

/* ---- permits ---- */

static void
test_a_permit_is_told_and_goes_on(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_311);
	publish(desk, (struct publish){"plant/permit", "on", .qos = 0});
	publish(desk, (struct publish){"plant/permit", "on ", .qos = 0});
	publish(desk, (struct publish){"plant/permit", "", .qos = 0});
	expect(desk, "permit locks given\n"
		     "> PUBLISH q0 0 a0 'plant/permit' 'on'\n"
		     "permit locks taken\n"
		     "> PUBLISH q0 0 a0 'plant/permit' 'on '\n"
		     "permit locks taken\n"
		     "> PUBLISH q0 0 a0 'plant/permit' ''\n");
}

static void
test_a_permit_that_is_sent_again_gives_nothing(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_311);
	publish(
	    desk, (struct publish){"plant/permit", "on", 1, 1, .dup = true});
	publish(
	    desk, (struct publish){"plant/permit", "off", 2, 1, .dup = true});
	expect(desk, "> PUBLISH DUP q1 1 a0 'plant/permit' 'on'\n"
		     "permit locks taken\n"
		     "> PUBLISH DUP q1 2 a0 'plant/permit' 'off'\n");
}

/* ---- topics of the gateway's own ---- */

static void
test_approval_is_a_publish_that_no_broker_sees(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_50);
	publish(desk, (struct publish){"$kaya/approve", "0123", 1, 1});
	say(desk, 0);
	publish(desk, (struct publish){"$kaya/approve", "0123", 2, 1});
	say(desk, 0x87);
	publish(desk, (struct publish){"$kaya/deny", "0123 no", .qos = 0});
	say(desk, 0);
	expect(desk, "agrees - q1 '$kaya/approve' '0123'\n< PUBACK 1 00\n"
		     "agrees - q1 '$kaya/approve' '0123'\n< PUBACK 2 87\n"
		     "denies - q0 '$kaya/deny' '0123 no'\n");
}

static void
test_approval_at_qos_2_is_asked_for_once(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_311);
	publish(desk, (struct publish){"$kaya/approve", "0123", 1, 2});
	publish(
	    desk, (struct publish){"$kaya/approve", "0123", 1, 2, .dup = true});
	say(desk, 0);
	SEND(desk, "\x62\2\0\1");
	expect(desk, "agrees - q2 '$kaya/approve' '0123'\n"
		     "< PUBREC 1 00\n< PUBCOMP 1 00\n");
}

static void
test_an_approval_cannot_be_let_go(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_50);
	publish(desk, (struct publish){"$kaya/approve", "0123", 1, 1});
	let_go(desk);
	expect(desk, "agrees - q1 '$kaya/approve' '0123'\n");
}

static void
test_only_who_may_publish_there_approves(void **state)
{
	static const char *const topics[] = {"$kaya/approve", "$kaya", "$kaya/",
	    "$kaya/pending", "$kaya/result/ann", "$kaya/approve/x"};
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_50);
	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
		char told[128];

		publish(desk, (struct publish){topics[i], "0123", 1, 1});
		snprintf(told, sizeof told,
		    "refused refused none '%s'\n< PUBACK 1 87\n", topics[i]);
		expect(desk, told);
	}
}

static void
test_an_approval_is_not_retained_nor_long(void **state)
{
	struct desk *desk = *state;
	char payload[1024];

	memset(payload, 'x', sizeof payload - 1);
	payload[sizeof payload - 1] = '\0';
	open_as(desk, "bob", MQTT_50);
	publish(
	    desk, (struct publish){"$kaya/deny", "0123", 1, 1, .retain = true});
	publish(desk, (struct publish){"$kaya/deny", payload, 2, 1});
	expect(desk,
	    "refused protected-retain none '$kaya/deny'\n< PUBACK 1 87\n"
	    "refused size none '$kaya/deny'\n< PUBACK 2 97\n");
}

static void
test_a_will_approves_nothing(void **state)
{
	struct desk *desk = *state;
	const struct access_options options = {.policy = desk->policy,
	    .identity = span_of_str("bob"),
	    .events = &events,
	    .arg = desk};
	const struct mqtt_connect connect = {.level = MQTT_50,
	    .has_will = true,
	    .will_topic = span_of_str("$kaya/approve"),
	    .will_payload = span_of_str("0123")};
	const char *text;

	desk->access = access_new(&options);
	assert_int_equal(
	    access_connect(desk->access, &connect, NULL, &text), 0x87);
	expect(desk, "refused refused none '$kaya/approve'\n");
}

static void
test_what_is_the_gateways_own_is_told_to_who_may_hear_it(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_311);
	access_tell(desk->access, ACCESS_OWN_PENDING, span_of_str("valves"),
	    span_of_str("{0}"));
	SEND(desk, "\x82\x23\0\1\0\x0d$kaya/pending\1\0\x0e$kaya/result/+\2");
	expect(desk, "< SUBACK 1 00 00\n");
	assert_true(access_hears(desk->access));
	access_tell(desk->access, ACCESS_OWN_PENDING, span_of_str("valves"),
	    span_of_str("{1}"));
	access_tell(desk->access, ACCESS_OWN_PENDING, span_of_str("none"),
	    span_of_str("{2}"));
	access_tell(desk->access, ACCESS_OWN_RESULT, (struct span){0},
	    span_of_str("{3}"));
	settle(desk);
	expect(desk, "< PUBLISH q0 0 a0 '$kaya/pending' '{1}'\n"
		     "< PUBLISH q0 0 a0 '$kaya/result/bob' '{3}'\n");
	SEND(desk, "\xa2\x11\0\2\0\x0d$kaya/pending");
	expect(desk, "> UNSUBSCRIBE\n");
	access_tell(desk->access, ACCESS_OWN_PENDING, span_of_str("valves"),
	    span_of_str("{4}"));
	settle(desk);
	expect(desk, "");
}

static void
test_who_may_not_agree_hears_of_nothing_that_waits(void **state)
{
	struct desk *desk = *state;

	/* An operator who may subscribe all the same is told of nothing. */
	open_as(desk, "ann", MQTT_50);
	SEND(desk, "\x82\x14\0\1\0\0\x0e$kaya/pending/\1");
	expect(desk, "refused refused none '$kaya/pending/'\n"
		     "< SUBACK 1 87\n");
}

static void
test_no_other_filter_reaches_what_is_the_gateways_own(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "bob", MQTT_311);
	SEND(desk, "\x82\x0c\0\1\0\7$kaya/#\1");
	SEND(desk, "\x82\x15\0\2\0\x10$kaya/result/ann\1");
	SEND(desk, "\x82\x1b\0\3\0\x16$share/g/$kaya/pending\1");
	expect(desk, "refused refused none '$kaya/#'\n< SUBACK 1 80\n"
		     "refused refused none '$kaya/result/ann'\n"
		     "< SUBACK 2 80\n"
		     "refused refused none '$share/g/$kaya/pending'\n"
		     "< SUBACK 3 80\n");
	assert_false(access_hears(desk->access));
}

static void
test_its_own_and_a_brokers_filter_are_answered_together(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	SEND(desk, "\x82\x1e\0\1\0\6free/x\1\0\x10$kaya/result/ann\1");
	expect(desk, "> SUBSCRIBE\n");
	BROKER(desk, "\x90\3\0\1\1");
	expect(desk, "< SUBACK 1 01 00\n");
}

static void
test_a_broker_cannot_speak_for_the_gateway(void **state)
{
	struct desk *desk = *state;

	open_as(desk, "ann", MQTT_311);
	BROKER(desk, "\x32\x17\0\x10$kaya/result/ann\0\1{}}");
	expect(desk, "refused refused none '$kaya/result/ann'\n"
		     "> PUBACK 1 00\n");
}

static void
test_a_client_that_does_not_read_misses_what_is_told(void **state)
{
	static char text[60001];
	struct desk *desk = *state;

	memset(text, 'x', sizeof text - 1);
	open_as(desk, "ann", MQTT_311);
	SEND(desk, "\x82\x15\0\1\0\x10$kaya/result/ann\1");
	desk->is_quiet = true;
	desk->seen = 0;
	for (int i = 0; i < 3; i++)
		access_tell(desk->access, ACCESS_OWN_RESULT, (struct span){0},
		    span_of_str(text));
	settle(desk);
	assert_int_equal(desk->seen, 1);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_a_publish_is_held_and_goes_on_as_it_came),
	    TEST(test_everything_else_goes_on_meanwhile),
	    TEST(test_what_has_ended_takes_no_memory),
	    TEST(test_a_second_is_refused_while_one_waits),
	    TEST(test_a_refusal_of_5_0_has_its_code_and_ends_the_exchange),
	    TEST(test_a_refusal_before_5_0_is_an_acknowledgement),
	    TEST(test_one_that_has_done_its_part_is_thanked_and_goes_nowhere),
	    TEST(test_what_may_go_can_still_be_kept_back),
	    TEST(test_it_does_not_go_where_it_would_wait),
	    TEST(test_it_waits_for_no_longer_than_its_time),
	    TEST(test_it_goes_between_two_frames_only),
	    TEST(test_nobody_who_can_be_asked_is_a_refusal),
	    TEST(test_its_own_expiry_is_told),
	    TEST(test_one_that_is_too_large_to_be_held_is_refused),
	    TEST(test_the_same_again_is_nothing_new),
	    TEST(test_a_packet_id_that_is_held_is_not_used_for_another),
	    TEST(test_a_packet_id_that_the_broker_has_is_not_held),
	    TEST(test_one_that_is_sent_again_after_a_loss_is_stale),
	    TEST(test_an_alias_means_what_it_meant_when_it_was_held),
	    TEST(test_an_alias_alone_is_held_with_its_topic),
	    TEST(test_nothing_retained_is_held),
	    TEST(test_who_says_good_bye_loses_it),
	    TEST(test_a_stop_is_not_one_message_too_many),
	    TEST(test_break_glass_is_asked_for_and_does_not_wait_for_a_person),
	    TEST(test_several_may_wait_for_the_gateway_but_not_for_people),
	    TEST(test_questions_have_room_for_so_many),
	    TEST(test_who_asks_too_often_is_refused_and_may_still_stop),
	    TEST(test_who_agrees_too_often_is_refused),
	    TEST(test_a_permit_is_told_and_goes_on),
	    TEST(test_a_permit_that_is_sent_again_gives_nothing),
	    TEST(test_approval_is_a_publish_that_no_broker_sees),
	    TEST(test_approval_at_qos_2_is_asked_for_once),
	    TEST(test_an_approval_cannot_be_let_go),
	    TEST(test_only_who_may_publish_there_approves),
	    TEST(test_an_approval_is_not_retained_nor_long),
	    TEST(test_a_will_approves_nothing),
	    TEST(test_what_is_the_gateways_own_is_told_to_who_may_hear_it),
	    TEST(test_who_may_not_agree_hears_of_nothing_that_waits),
	    TEST(test_no_other_filter_reaches_what_is_the_gateways_own),
	    TEST(test_its_own_and_a_brokers_filter_are_answered_together),
	    TEST(test_a_broker_cannot_speak_for_the_gateway),
	    TEST(test_a_client_that_does_not_read_misses_what_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
