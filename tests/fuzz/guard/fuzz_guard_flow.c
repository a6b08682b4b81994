/*
 * A local client and a broker that say anything: each byte with the top bit is
 * how many of the broker's bytes follow, each without how many of the
 * client's.  Whatever comes, no PUBLISH on the protected topic reaches the
 * client but one of the safe state: the client's side is walked again.
 */

#include "guard_flow.h"
#include "guard_message.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file[] =
    "actuator: v\nallowed_signers: s\naudit: a\n"
    "roles: [{name: r, principals: a}]\n"
    "protect: [{name: p, topics: [\"p/#\"], safe_state: [\"0\"], "
    "request: r, approve: r}]\n";

static const struct guard_rules *rules;

struct client {
	struct mqtt_walk walk;
	struct access_aliases aliases;
	bool is_learned;
	bool is_blind; /* what it says is no MQTT */
};

static bool
to_broker(void *arg, struct span bytes)
{
	return true;
}

/* What the client makes of what reaches it. */
static void
look(struct client *client, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	const struct mqtt_publish *publish = &item->publish;
	struct span topic = publish->topic, payload;
	const struct guard_rule *rule;
	struct access_alias *alias;
	bool no_memory;

	if (item->frame.type != MQTT_PUBLISH)
		return;
	if (publish->topic_alias != 0) {
		alias =
		    access_alias_follow(&client->aliases, publish, &no_memory);
		if (alias == NULL)
			abort(); /* it was never told what that stands for */
		topic = span_of(alias->topic, alias->len);
	}
	payload = span_of(item->bytes.data + publish->head_len,
	    item->bytes.len - publish->head_len);
	if (guard_rules_judge(rules, topic,
		result == MQTT_WALK_HEAD ? NULL : &payload,
		&rule) == GUARD_PROTECTED)
		abort();
}

static bool
to_client(void *arg, struct span bytes)
{
	struct client *client = arg;
	enum mqtt_walk_result result;
	struct mqtt_walk_item item;

	while ((result = mqtt_walk_next(&client->walk, &bytes, &item)) !=
	       MQTT_WALK_NEED_MORE) {
		/* The guard gives out nothing that is not sound. */
		if (result == MQTT_WALK_MALFORMED)
			abort();
		if (result == MQTT_WALK_NO_MEMORY)
			return true;
		if (result != MQTT_WALK_FORWARD)
			look(client, result, &item);
	}
	return true;
}

static void
on_event(void *arg, const struct guard_rule *rule, struct span topic)
{
}

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	abort();
}

/* The client's CONNECT settles how what comes to it is read. */
static void
learn(struct client *client, struct mqtt_walk *said, struct span bytes)
{
	struct mqtt_walk_item item;
	enum mqtt_walk_result result;

	while (!client->is_learned && !client->is_blind &&
	       (result = mqtt_walk_next(said, &bytes, &item)) !=
		   MQTT_WALK_NEED_MORE) {
		client->is_blind = result == MQTT_WALK_MALFORMED ||
				   result == MQTT_WALK_NO_MEMORY;
		if (result != MQTT_WALK_PACKET ||
		    item.frame.type != MQTT_CONNECT)
			continue;
		mqtt_walk_learn(&client->walk, said);
		mqtt_walk_set_mask(&client->walk, MQTT_MASK(MQTT_PUBLISH));
		client->is_learned = true;
	}
}

/* The guard's own connection: what is given is no larger than it may be. */
static bool
to_nobody(void *arg, struct span bytes)
{
	(void)arg;
	(void)bytes;
	return true;
}

static bool
to_guard(void *arg, struct span bytes)
{
	struct mqtt_frame frame;

	(void)arg;
	if (mqtt_frame_parse(bytes, &frame) == MQTT_FRAME_READY &&
	    frame.type == MQTT_PUBLISH &&
	    (mqtt_frame_size(&frame) > GUARD_MESSAGE_MAX + 1024 ||
		(bytes.data[0] & 6) == 4))
		abort();
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct client client = {.is_learned = false};
	const struct guard_flow_events events = {
	    to_broker, to_client, on_event, on_event, &client};
	const struct guard_flow_events own_events = {
	    to_nobody, to_guard, on_event, on_event, &client};
	struct guard_flow *flow, *own;
	struct span share;
	struct mqtt_walk said;
	bool goes_on = true, own_goes_on = true;
	const char *why;

	if (rules == NULL)
		rules = guard_rules_new(
		    "g.yaml", span_of_str(file), on_fault, NULL);
	flow = guard_flow_new(rules, &events);
	own = guard_flow_new(NULL, &own_events);
	if (flow == NULL || own == NULL)
		abort();
	mqtt_walk_init(&said, MQTT_FROM_CLIENT, &mqtt_limits_default);
	mqtt_walk_init(&client.walk, MQTT_FROM_BROKER, &mqtt_limits_default);
	while (goes_on && size > 0) {
		bool is_brokers = (data[0] & 0x80) != 0;
		size_t len = data[0] & 0x7f;
		struct span bytes;

		data++;
		size--;
		len = len < size ? len : size;
		bytes = span_of(data, len);
		data += len;
		size -= len;
		if (own_goes_on)
			own_goes_on =
			    is_brokers
				? guard_flow_from_broker(own, bytes, &why)
				: guard_flow_from_client(own, bytes, &why);
		if (is_brokers) {
			goes_on = guard_flow_from_broker(flow, bytes, &why);
			if (goes_on && len % 7 == 0)
				guard_flow_give(
				    flow, span_of_str("t"), span_of_str("x"));
		} else {
			learn(&client, &said, bytes);
			goes_on = guard_flow_from_client(flow, bytes, &why);
		}
		guard_flow_hears(flow, span_of_str("p/x"), &share);
	}
	guard_flow_free(flow);
	guard_flow_free(own);
	mqtt_walk_fini(&said);
	mqtt_walk_fini(&client.walk);
	access_aliases_fini(&client.aliases);
	return 0;
}
