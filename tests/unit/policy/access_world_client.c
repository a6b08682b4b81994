#include "access_world_private.h"

/* ---- what it sends ---- */

static bool
is_allowed(const struct world *world, const struct sent_publish *publish,
    const struct topic *topic)
{
	return (topic->policies >> world->policy & 1) != 0 &&
	       publish->qos <= topic->qos_max &&
	       (!publish->retain || topic->may_retain) &&
	       publish->size <= topic->size_max;
}

static uint8_t
code_of(const struct world *world, const struct sent_publish *publish,
    const struct topic *topic)
{
	if (world->level != MQTT_50)
		return 0;
	/* What is looked at last: see policy_publish. */
	if ((topic->policies >> world->policy & 1) != 0 &&
	    publish->size > topic->size_max && publish->qos <= topic->qos_max &&
	    (!publish->retain || topic->may_retain))
		return 0x97;
	return 0x87;
}

/* An alias: its topic beside it, or by itself where that was sent before. */
static void
choose_alias(struct world *world, struct sent_publish *publish, uint8_t *topic)
{
	struct side *side = &world->client;
	unsigned choice = world_choose(world, 3 * ALIASES);

	if (world->level != MQTT_50 || choice < ALIASES)
		return;
	publish->alias = (uint8_t)(choice % ALIASES + 1);
	if (choice >= 2 * ALIASES && side->sent_alias[publish->alias] >= 0) {
		*topic = (uint8_t)side->sent_alias[publish->alias];
		publish->topic = "";
	}
	side->sent_alias[publish->alias] = *topic;
}

static void
note_sent(struct world *world, const struct sent_publish *publish,
    uint8_t topic, const struct debt *debt)
{
	struct id *id = &world->client.ids[publish->id];

	id->state = ID_PUBLISHED;
	id->qos = publish->qos;
	id->is_refused = debt->is_refused;
	id->is_held = debt->is_held;
	id->sent = *publish;
	id->topic = topic;
	id->acks++;
	debts_put(&world->acks, debt);
}

static void
send_publish(
    struct world *world, const struct sent_publish *publish, uint8_t topic)
{
	bool asks = topics[topic].asks != ASKS_NOTHING;
	struct debt debt = {.id = publish->id,
	    .type = publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
	    .code = code_of(world, publish, &topics[topic])};
	enum fate fate = is_allowed(world, publish, &topics[topic])
			     ? FATE_PASSES
			     : FATE_REFUSED;
	struct packet packet;

	/* What is held when it arrives is known once all else has. */
	if (asks)
		feed_from_client(world);
	packet_publish(&packet, world->level, publish);
	packet.topic = topic;
	if (asks && fate == FATE_PASSES)
		fate = world_fate(
		    world, publish, &topics[topic], &packet, &debt.code);
	debt.is_refused = fate == FATE_REFUSED;
	debt.is_held = fate == FATE_ASKED;
	world_send(&world->client, &packet);
	if (publish->qos > 0)
		note_sent(world, publish, topic, &debt);
	if (fate == FATE_PASSES) {
		queue_put(&world->broker.expected, &packet);
		world->count->passed++;
	} else if (fate == FATE_REFUSED) {
		world->refusals++;
		world->count->refused++;
	} else {
		world->sending = &packet;
		world->count->asked++;
	}
	if (asks)
		feed_from_client(world);
	MUST(world->sending == NULL);
}

void
client_publish(struct world *world)
{
	static const size_t sizes[] = {0, 3, 48, 49, 200, 120};
	/* Between these are those that the broker publishes to. */
	unsigned choice = world_choose(world, 10);
	uint8_t topic = (uint8_t)(choice < 5 ? choice : 10 + choice % 4);
	struct sent_publish publish = {.topic = topics[topic].name};

	publish.qos = (uint8_t)world_choose(world, 3);
	publish.retain = world_choose(world, 4) == 0;
	publish.size = sizes[world_choose(world, 6)];
	publish.fill = (uint8_t)world_choose(world, 256);
	if (topics[topic].asks == ASKS_AND_WAITS &&
	    world_choose(world, 4) == 0) {
		publish.size = 1;
		publish.fill = '0'; /* its safe state */
	}
	if (publish.qos > 0)
		publish.id = world_free_id(world, &world->client);
	if (publish.qos > 0 && publish.id == 0)
		return;
	choose_alias(world, &publish, &topic);
	send_publish(world, &publish, topic);
}

/* The broker has the message, and has not answered. */
static bool
is_at_broker(const struct world *world, uint16_t id)
{
	const struct debts *owes = &world->broker.owes;

	for (unsigned i = 0; i < owes->count; i++) {
		const struct debt *debt =
		    &owes->list[(owes->first + i) % DEBTS_MAX];

		if (debt->id == id && debt->type != MQTT_PUBCOMP)
			return true;
	}
	return false;
}

/*
 * MQTT 3.1 sends again what was not answered.  What came through and is
 * refused now is the broker's to answer, once; what was refused and is sent
 * again is answered again.
 */
void
client_send_again(struct world *world)
{
	uint16_t n = (uint16_t)(1 + world_choose(world, IDS));
	struct id *id = &world->client.ids[n];
	struct sent_publish again;
	struct packet packet;
	uint8_t code;
	bool passes;

	/* What may go goes before what comes now: not amid this. */
	feed_from_client(world);
	if (world->level != MQTT_31 || id->state != ID_PUBLISHED ||
	    id->acks != 1)
		return;
	again = id->sent;
	again.dup = true;
	packet_publish(&packet, world->level, &again);
	passes = is_allowed(world, &again, &topics[id->topic]) &&
		 (topics[id->topic].asks == ASKS_NOTHING ||
		     world_fate(world, &again, &topics[id->topic], &packet,
			 &code) == FATE_PASSES);
	if (id->is_held) {
		/* Nothing new, as long as it is not decided. */
		world_send(&world->client, &packet);
		feed_from_client(world);
	} else if (id->is_refused) {
		send_publish(world, &again, id->topic);
	} else if (!passes && is_at_broker(world, n)) {
		world_send(&world->client, &packet);
		world->refusals++;
		/* Not to cross with the broker's answer. */
		feed_from_client(world);
	}
}

void
client_subscribe(struct world *world)
{
	uint16_t id = 1;
	struct subscription *s;
	struct packet packet = {.len = 0}, rest;
	bool is_changed = false;

	while (id <= IDS && world->subscriptions[id].is_open)
		id++;
	if (id > IDS)
		return;
	s = &world->subscriptions[id];
	*s = (struct subscription){.is_open = true,
	    .count = (uint16_t)(1 + world_choose(world, FILTERS_MAX))};
	packet_u16(&packet, id);
	if (world->level == MQTT_50) {
		/* A subscription identifier. */
		packet_u8(&packet, 2);
		packet_u8(&packet, 0x0b);
		packet_u8(&packet, id);
	}
	packet.id = id;
	rest = packet;
	for (uint16_t i = 0; i < s->count; i++) {
		const struct filter *filter;
		uint8_t qos, more = 0;

		s->filters[i] =
		    (uint8_t)world_choose(world, (unsigned)filter_count);
		filter = &filters[s->filters[i]];
		qos = (uint8_t)world_choose(world, 3);
		if (world->level == MQTT_50 && filter->text[0] != '$')
			more = (uint8_t)(world_choose(world, 8) << 2 & 0x1c);
		s->asked[i] = qos < filter->qos_max ? qos : filter->qos_max;
		s->is_refused[i] = (filter->policies >> world->policy & 1) == 0;
		s->is_own[i] = filter->is_own;
		packet_text(&packet, filter->text);
		packet_u8(&packet, qos | more);
		if (s->is_refused[i]) {
			world->refusals++;
			is_changed = true;
			continue;
		}
		if (s->is_own[i]) {
			is_changed = true;
			continue;
		}
		s->granted++;
		packet_text(&rest, filter->text);
		packet_u8(&rest, s->asked[i] | more);
	}
	packet_end(&packet, 0x82);
	packet_end(&rest, 0x82);
	world_send(&world->client, &packet);
	if (s->granted > 0)
		queue_put(&world->broker.expected, &rest);
	world->count->subscribed++;
	world->count->merged += is_changed;
}

void
client_unsubscribe(struct world *world)
{
	struct packet packet = {.len = 0};

	packet_u16(&packet, 500);
	if (world->level == MQTT_50)
		packet_u8(&packet, 0);
	packet_text(&packet, filters[0].text);
	packet_end(&packet, 0xa2);
	world_send(&world->client, &packet);
	queue_put(&world->broker.expected, &packet);
}

void
client_ping(struct world *world)
{
	struct packet packet = {.len = 0};

	packet_end(&packet, 0xc0);
	world_send(&world->client, &packet);
	queue_put(&world->broker.expected, &packet);
}

/* Of what the broker sent. */
void
client_answer(struct world *world)
{
	struct packet packet;
	struct debt debt;

	if (world->client.owes.count == 0)
		return;
	debt = debts_take(&world->client.owes);
	packet_ack(&packet, world->level, debt.type, debt.id, 0);
	world_send(&world->client, &packet);
	queue_put(&world->broker.expected, &packet);
}

void
client_release(struct world *world)
{
	uint16_t n = (uint16_t)(1 + world_choose(world, IDS));
	struct packet packet;

	for (uint16_t i = 0; i < IDS; i++, n = (uint16_t)(n % IDS + 1)) {
		struct id *id = &world->client.ids[n];

		if (id->state != ID_RECEIVED || id->acks > 0)
			continue;
		id->state = ID_RELEASED;
		packet_ack(&packet, world->level, MQTT_PUBREL, n, 0);
		world_send(&world->client, &packet);
		if (!id->is_refused)
			queue_put(&world->broker.expected, &packet);
		return;
	}
}

/* ---- what it is given ---- */

static struct mqtt_sender
from_broker(const struct world *world)
{
	return (struct mqtt_sender){MQTT_FROM_BROKER, world->level};
}

static struct id *
id_of(struct side *side, uint16_t id)
{
	MUST(id >= 1 && id <= IDS);
	return &side->ids[id];
}

/* In the order of what they answer, and once each. */
static void
get_first_ack(struct world *world, uint8_t type, const struct mqtt_ack *ack)
{
	struct debt debt = debts_take(&world->acks);
	struct id *id = id_of(&world->client, ack->packet_id);

	MUST(debt.type == type && debt.id == ack->packet_id);
	MUST(!debt.is_held);
	/* What the broker will say was not known when it was sent. */
	if (!debt.is_refused)
		debt.code = debts_take_id(&world->broker_codes, debt.id).code;
	MUST(debt.code == ack->code);
	MUST(id->acks-- > 0);
	if (id->state != ID_PUBLISHED)
		return; /* 3.1: it was sent twice */
	id->state =
	    type == MQTT_PUBACK || ack->code >= 0x80 ? ID_FREE : ID_RECEIVED;
}

static void
get_pubcomp(struct world *world, const struct mqtt_ack *ack,
    const struct mqtt_walk_item *item)
{
	struct id *id = id_of(&world->client, ack->packet_id);

	MUST(id->state == ID_RELEASED);
	id->state = ID_FREE;
	if (!id->is_refused)
		side_expect(&world->client, item);
}

static void
get_suback(struct world *world, const struct mqtt_walk_item *item)
{
	struct mqtt_suback suback;
	struct subscription *s;

	MUST(mqtt_suback_decode(MQTT_SUBACK,
		 mqtt_frame_body(&item->frame, item->bytes), from_broker(world),
		 &suback) == MQTT_RULE_NONE);
	MUST(suback.packet_id >= 1 && suback.packet_id <= IDS);
	s = &world->subscriptions[suback.packet_id];
	MUST(s->is_open && suback.codes.len == s->count);
	for (uint16_t i = 0; i < s->count; i++)
		MUST(suback.codes.data[i] == (!s->is_refused[i] ? s->codes[i]
						 : world->level == MQTT_50
						     ? 0x87
						     : 0x80));
	if (s->granted > 0)
		free(queue_take(&world->client.expected));
	s->is_open = false;
}

static void
get_publish(struct world *world, const struct mqtt_walk_item *item)
{
	if (span_is(item->publish.topic, "$kaya/pending")) {
		MUST(world->told-- > 0 && item->publish.qos == 0);
		return;
	}
	side_get_publish(&world->client, item);
	if (item->publish.qos > 0)
		debts_put(&world->client.owes,
		    &(struct debt){.id = item->publish.packet_id,
			.type = item->publish.qos == 1 ? MQTT_PUBACK
						       : MQTT_PUBREC});
}

void
client_get(struct world *world, const struct mqtt_walk_item *item)
{
	struct mqtt_ack ack = {.packet_id = 0};
	uint8_t type = item->frame.type;

	if (type >= MQTT_PUBACK && type <= MQTT_PUBCOMP)
		MUST(mqtt_ack_decode(type,
			 mqtt_frame_body(&item->frame, item->bytes),
			 from_broker(world), &ack) == MQTT_RULE_NONE);
	switch (type) {
	case MQTT_CONNACK:
		world->is_let_in = true;
		side_expect(&world->client, item);
		break;
	case MQTT_PUBLISH:
		get_publish(world, item);
		break;
	case MQTT_PUBACK:
	case MQTT_PUBREC:
		get_first_ack(world, type, &ack);
		break;
	case MQTT_PUBREL:
		side_expect(&world->client, item);
		debts_put(&world->client.owes,
		    &(struct debt){.id = ack.packet_id, .type = MQTT_PUBCOMP});
		break;
	case MQTT_PUBCOMP:
		get_pubcomp(world, &ack, item);
		break;
	case MQTT_SUBACK:
		get_suback(world, item);
		break;
	default:
		side_expect(&world->client, item);
	}
}
