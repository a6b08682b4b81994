#include "guard_flow.h"

#include "guard_message.h"
#include "mqtt_connect.h"
#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_topic.h"

#include <stdlib.h>

enum {
	FILTERS_MAX = 1024,
	FILTER_BYTES_MAX = 256 * 1024,
	OWN_MAX_BYTES = 64 * 1024
};

static const struct mqtt_limits own_limits = {
    .connect_max = 4096,
    .hold_max = GUARD_MESSAGE_MAX,
    .whole_max = GUARD_MESSAGE_MAX + 1024 /* and its topic */
};

struct filter {
	struct filter *next;
	size_t len;
	uint8_t text[];
};

struct guard_flow {
	const struct guard_rules *rules; /* NULL: it is the guard's own */
	struct guard_flow_events events;
	struct mqtt_walk from_client, from_broker;
	struct access_aliases aliases; /* of the broker's */
	struct access_ids withheld; /* at QoS 2: PUBREL will come */
	struct filter *filters;
	size_t filter_count, filter_bytes;
	struct buf own; /* to the broker, when a packet's end is there */
	uint32_t packet_max; /* 5.0: of the client's; 0: none */
	const char *why;
};

struct guard_flow *
guard_flow_new(
    const struct guard_rules *rules, const struct guard_flow_events *events)
{
	struct guard_flow *flow = calloc(1, sizeof *flow);

	if (flow == NULL)
		return NULL;
	flow->rules = rules;
	flow->events = *events;
	buf_init(&flow->own, OWN_MAX_BYTES);
	mqtt_walk_init(
	    &flow->from_client, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&flow->from_broker, MQTT_FROM_BROKER,
	    rules != NULL ? &mqtt_limits_default : &own_limits);
	mqtt_walk_set_mask(&flow->from_client,
	    MQTT_MASK(MQTT_SUBSCRIBE) | MQTT_MASK(MQTT_UNSUBSCRIBE));
	return flow;
}

void
guard_flow_free(struct guard_flow *flow)
{
	if (flow == NULL)
		return;
	while (flow->filters != NULL) {
		struct filter *filter = flow->filters;

		flow->filters = filter->next;
		free(filter);
	}
	mqtt_walk_fini(&flow->from_client);
	mqtt_walk_fini(&flow->from_broker);
	access_aliases_fini(&flow->aliases);
	access_ids_fini(&flow->withheld);
	buf_fini(&flow->own);
	free(flow);
}

void
guard_flow_change(struct guard_flow *flow, const struct guard_rules *rules)
{
	flow->rules = rules;
}

static bool
end(struct guard_flow *flow, const char *why)
{
	flow->why = why;
	return false;
}

static bool
pass(struct guard_flow *flow, bool done)
{
	return done || end(flow, "no memory");
}

/* ---- what the client has subscribed to ---- */

/* The place of a filter, or of the end of the list. */
static struct filter **
place_of(struct guard_flow *flow, struct span text)
{
	struct filter **place = &flow->filters;

	while (*place != NULL &&
	       !span_equal(span_of((*place)->text, (*place)->len), text))
		place = &(*place)->next;
	return place;
}

static bool
add_filter(struct guard_flow *flow, struct span text)
{
	struct filter **place = place_of(flow, text), *filter;

	if (*place != NULL)
		return true;
	if (flow->filter_count == FILTERS_MAX ||
	    flow->filter_bytes + text.len > FILTER_BYTES_MAX)
		return end(flow, "more subscriptions than the guard can keep");
	filter = malloc(sizeof *filter + text.len);
	if (filter == NULL)
		return end(flow, "no memory");
	*filter = (struct filter){.len = text.len};
	memcpy(filter->text, text.data, text.len);
	*place = filter;
	flow->filter_count++;
	flow->filter_bytes += text.len;
	return true;
}

static void
remove_filter(struct guard_flow *flow, struct span text)
{
	struct filter **place = place_of(flow, text), *filter = *place;

	if (filter == NULL)
		return;
	*place = filter->next;
	flow->filter_count--;
	flow->filter_bytes -= filter->len;
	free(filter);
}

static bool
note_filters(struct guard_flow *flow, const struct mqtt_walk_item *item)
{
	struct mqtt_subscribe subscribe;
	struct span text;
	uint8_t options;

	if (mqtt_subscribe_decode(item->frame.type,
		mqtt_frame_body(&item->frame, item->bytes),
		flow->from_client.from, &subscribe) != MQTT_RULE_NONE)
		return true;
	while (mqtt_subscribe_next(
	    item->frame.type, &subscribe.filters, &text, &options)) {
		if (item->frame.type == MQTT_UNSUBSCRIBE)
			remove_filter(flow, text);
		else if (!add_filter(flow, text))
			return false;
	}
	return true;
}

bool
guard_flow_hears(
    const struct guard_flow *flow, struct span topic, struct span *share)
{
	struct span group, plain;

	*share = span_of(NULL, 0);
	if (!mqtt_walk_is_open(&flow->from_broker) ||
	    !mqtt_walk_is_open(&flow->from_client))
		return false;
	for (const struct filter *filter = flow->filters; filter != NULL;
	     filter = filter->next) {
		if (mqtt_topic_share(span_of(filter->text, filter->len), &group,
			&plain) == MQTT_SHARE_BROKEN ||
		    !mqtt_topic_matches(plain, topic))
			continue;
		if (group.len == 0) {
			*share = group;
			return true;
		}
		*share = group;
	}
	return share->len > 0;
}

/* ---- from the client ---- */

static bool
client_packet(struct guard_flow *flow, const struct mqtt_walk_item *item)
{
	struct mqtt_connect connect;

	if (item->frame.type != MQTT_CONNECT)
		return note_filters(flow, item);
	if (mqtt_connect_decode(&item->frame,
		mqtt_frame_body(&item->frame, item->bytes),
		&connect) == MQTT_RULE_NONE)
		flow->packet_max = connect.packet_max;
	mqtt_walk_learn(&flow->from_broker, &flow->from_client);
	mqtt_walk_set_mask(&flow->from_broker, MQTT_MASK(MQTT_PUBLISH));
	return true;
}

/* What is ours goes between two packets of the client's. */
static bool
send_own(struct guard_flow *flow)
{
	bool done;

	if (buf_len(&flow->own) == 0 ||
	    !mqtt_walk_is_between(&flow->from_client))
		return true;
	done = flow->events.to_broker(flow->events.arg, buf_span(&flow->own));
	buf_fini(&flow->own);
	return pass(flow, done);
}

bool
guard_flow_from_client(
    struct guard_flow *flow, struct span bytes, const char **why)
{
	enum mqtt_walk_result result;
	struct mqtt_walk_item item;
	bool goes_on = true;

	while (goes_on && (result = mqtt_walk_next(&flow->from_client, &bytes,
			       &item)) != MQTT_WALK_NEED_MORE) {
		if (result == MQTT_WALK_MALFORMED ||
		    result == MQTT_WALK_NO_MEMORY) {
			goes_on =
			    end(flow, result == MQTT_WALK_NO_MEMORY
					  ? "no memory"
					  : "the local client does not speak "
					    "MQTT as its standard has it");
			break;
		}
		goes_on = (result != MQTT_WALK_PACKET ||
			      client_packet(flow, &item)) &&
			  pass(flow, flow->events.to_broker(
					 flow->events.arg, item.bytes));
	}
	goes_on = goes_on && send_own(flow);
	*why = flow->why;
	return goes_on;
}

/* ---- from the broker ---- */

static bool
say_broker(struct guard_flow *flow, uint8_t type, uint16_t packet_id)
{
	const struct mqtt_answer answer = {.type = type,
	    .level = mqtt_walk_level(&flow->from_broker),
	    .packet_id = packet_id};

	return pass(
	    flow, mqtt_encode_answer(&answer, &flow->own) == MQTT_ENCODED);
}

/* Kept back, and acknowledged as if the client had it. */
static bool
withhold(struct guard_flow *flow, enum mqtt_walk_result result,
    const struct mqtt_publish *publish)
{
	if (result == MQTT_WALK_HEAD)
		mqtt_walk_skip(&flow->from_broker);
	if (publish->qos == 2 &&
	    !access_ids_add(&flow->withheld, publish->packet_id))
		return end(flow, "no memory");
	return publish->qos == 0 ||
	       say_broker(flow, publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
		   publish->packet_id);
}

/* What goes to the guard itself. */
static bool
deliver_own(struct guard_flow *flow, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	if (result == MQTT_WALK_HEAD || item->publish.qos == 2)
		return withhold(flow, result, &item->publish);
	return pass(
	    flow, flow->events.to_client(flow->events.arg, item->bytes));
}

static bool
deliver(struct guard_flow *flow, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	const struct mqtt_publish *publish = &item->publish;
	struct span topic = publish->topic, payload;
	const struct guard_rule *rule;
	struct access_alias *alias = NULL;
	enum guard_judgement judgement;
	bool no_memory;

	if (publish->topic_alias != 0) {
		alias =
		    access_alias_follow(&flow->aliases, publish, &no_memory);
		if (alias == NULL)
			return end(flow, no_memory ? "no memory"
						   : "a topic alias that "
						     "stands for nothing");
		topic = span_of(alias->topic, alias->len);
	}
	payload = span_of(item->bytes.data + publish->head_len,
	    item->bytes.len - publish->head_len);
	judgement = guard_rules_judge(flow->rules, topic,
	    result == MQTT_WALK_HEAD ? NULL : &payload, &rule);
	if (judgement == GUARD_PROTECTED) {
		flow->events.dropped(flow->events.arg, rule, topic);
		return withhold(flow, result, publish);
	}
	if (judgement == GUARD_SAFE)
		flow->events.stopped(flow->events.arg, rule, topic);
	access_ids_take(&flow->withheld, publish->packet_id);
	return pass(flow, access_alias_give(flow->events.to_client,
			      flow->events.arg, item, alias));
}

static bool
broker_packet(struct guard_flow *flow, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	struct mqtt_ack ack;

	if (item->frame.type == MQTT_PUBLISH)
		return flow->rules != NULL ? deliver(flow, result, item)
					   : deliver_own(flow, result, item);
	if (item->frame.type == MQTT_PUBREL &&
	    mqtt_ack_decode(MQTT_PUBREL,
		mqtt_frame_body(&item->frame, item->bytes),
		flow->from_broker.from, &ack) == MQTT_RULE_NONE &&
	    access_ids_take(&flow->withheld, ack.packet_id))
		return say_broker(flow, MQTT_PUBCOMP, ack.packet_id);
	return pass(
	    flow, flow->events.to_client(flow->events.arg, item->bytes));
}

bool
guard_flow_from_broker(
    struct guard_flow *flow, struct span bytes, const char **why)
{
	enum mqtt_walk_result result;
	struct mqtt_walk_item item;
	bool goes_on = true;

	while (goes_on && (result = mqtt_walk_next(&flow->from_broker, &bytes,
			       &item)) != MQTT_WALK_NEED_MORE) {
		switch (result) {
		case MQTT_WALK_PACKET:
		case MQTT_WALK_HEAD:
			goes_on = broker_packet(flow, result, &item);
			break;
		case MQTT_WALK_FORWARD:
			goes_on = pass(flow, flow->events.to_client(
						 flow->events.arg, item.bytes));
			break;
		case MQTT_WALK_NO_MEMORY:
			goes_on = end(flow, "no memory");
			break;
		default:
			goes_on = end(flow, "the broker does not speak MQTT "
					    "as its standard has it");
		}
		mqtt_walk_set_mask(&flow->from_broker,
		    MQTT_MASK(MQTT_PUBLISH) |
			(flow->withheld.count > 0 ? MQTT_MASK(MQTT_PUBREL)
						  : 0u));
	}
	goes_on = goes_on && send_own(flow);
	*why = flow->why;
	return goes_on;
}

enum guard_flow_result
guard_flow_give(struct guard_flow *flow, struct span topic, struct span payload)
{
	const struct mqtt_message message = {
	    .level = mqtt_walk_level(&flow->from_client),
	    .topic = topic,
	    .payload = payload,
	    .packet_max = flow->packet_max,
	};
	struct buf bytes;
	bool done;

	if (!mqtt_walk_is_open(&flow->from_broker))
		return GUARD_FLOW_NOT;
	if (!mqtt_walk_is_between(&flow->from_broker))
		return GUARD_FLOW_LATER;
	buf_init(&bytes, OWN_MAX_BYTES);
	done = mqtt_encode_message(&message, &bytes) == MQTT_ENCODED &&
	       flow->events.to_client(flow->events.arg, buf_span(&bytes));
	buf_fini(&bytes);
	return done ? GUARD_FLOW_GIVEN : GUARD_FLOW_NOT;
}
