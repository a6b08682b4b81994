#include "access_world_private.h"

/* ---- what it sends ---- */

void
broker_connack(struct world *world)
{
	struct packet packet = {.len = 0};

	if (world->has_connack)
		return;
	world->has_connack = true;
	packet_u16(&packet, 0);
	if (world->level == MQTT_50)
		packet_u8(&packet, 0);
	packet_end(&packet, 0x20);
	world_send(&world->broker, &packet);
	queue_put(&world->client.expected, &packet);
}

static void
choose_alias(struct world *world, struct sent_publish *publish, uint8_t *topic)
{
	struct side *side = &world->broker;
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

void
broker_publish(struct world *world)
{
	static const size_t sizes[] = {0, 5, 200};
	uint8_t topic = (uint8_t)(5 + world_choose(world, 5));
	struct sent_publish publish = {.topic = topics[topic].name};
	struct packet packet;
	bool passes;

	if (!world->has_connack)
		return;
	publish.qos = (uint8_t)world_choose(world, 3);
	publish.retain = world_choose(world, 4) == 0;
	publish.size = sizes[world_choose(world, 3)];
	publish.fill = (uint8_t)world_choose(world, 256);
	if (publish.qos > 0)
		publish.id = world_free_id(world, &world->broker);
	if (publish.qos > 0 && publish.id == 0)
		return;
	choose_alias(world, &publish, &topic);
	passes = (topics[topic].policies >> world->policy & 1) != 0;
	packet_publish(&packet, world->level, &publish);
	packet.topic = topic;
	world_send(&world->broker, &packet);
	if (publish.qos > 0) {
		world->broker.ids[publish.id] =
		    (struct id){.state = ID_PUBLISHED, .qos = publish.qos};
		world->broker.ids[publish.id].is_refused = !passes;
	}
	if (passes) {
		queue_put(&world->client.expected, &packet);
		world->count->delivered++;
	} else {
		world->refusals++;
		world->count->withheld++;
	}
}

static void
answer_subscribe(struct world *world, const struct debt *debt)
{
	struct subscription *s = &world->subscriptions[debt->id];
	uint8_t codes[FILTERS_MAX];
	struct packet packet;
	size_t count = 0;

	for (uint16_t i = 0; i < s->count; i++) {
		if (s->is_refused[i] || s->is_own[i])
			continue;
		s->codes[i] = s->asked[i];
		if (world_choose(world, 4) == 1)
			s->codes[i] = 0x80;
		codes[count++] = s->codes[i];
	}
	MUST(count == s->granted);
	packet_codes(&packet, world->level, MQTT_SUBACK, debt->id,
	    span_of(codes, count));
	world_send(&world->broker, &packet);
	queue_put(&world->client.expected, &packet);
}

static void
answer_publish(struct world *world, struct debt *debt)
{
	struct packet packet;

	if (world->level == MQTT_50 && world_choose(world, 4) == 1)
		debt->code = 0x97;
	packet_ack(&packet, world->level, debt->type, debt->id, debt->code);
	world_send(&world->broker, &packet);
	debts_put(&world->broker_codes, debt);
}

/* What the client sent, in that order. */
void
broker_answer(struct world *world)
{
	struct packet packet = {.len = 0};
	struct debt debt;

	if (!world->has_connack || world->broker.owes.count == 0)
		return;
	debt = debts_take(&world->broker.owes);
	switch (debt.type) {
	case MQTT_PUBACK:
	case MQTT_PUBREC:
		answer_publish(world, &debt);
		return;
	case MQTT_SUBACK:
		answer_subscribe(world, &debt);
		return;
	case MQTT_UNSUBACK:
		packet_codes(&packet, world->level, MQTT_UNSUBACK, debt.id,
		    span_of("", world->level == MQTT_50));
		break;
	case MQTT_PINGRESP:
		packet_end(&packet, 0xd0);
		break;
	default:
		packet_ack(&packet, world->level, debt.type, debt.id, 0);
		break;
	}
	world_send(&world->broker, &packet);
	queue_put(&world->client.expected, &packet);
}

void
broker_release(struct world *world)
{
	uint16_t n = (uint16_t)(1 + world_choose(world, IDS));
	struct packet packet;

	for (uint16_t i = 0; i < IDS; i++, n = (uint16_t)(n % IDS + 1)) {
		struct id *id = &world->broker.ids[n];

		if (id->state != ID_RECEIVED)
			continue;
		id->state = ID_RELEASED;
		packet_ack(&packet, world->level, MQTT_PUBREL, n, 0);
		world_send(&world->broker, &packet);
		if (!id->is_refused)
			queue_put(&world->client.expected, &packet);
		return;
	}
}

/* ---- what it is given ---- */

/* Of what it sent: the client's, or the access's where it was withheld. */
static void
get_ack(struct world *world, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {MQTT_FROM_CLIENT, world->level};
	uint8_t type = item->frame.type;
	struct mqtt_ack ack;
	struct id *id;

	MUST(mqtt_ack_decode(type, mqtt_frame_body(&item->frame, item->bytes),
		 from, &ack) == MQTT_RULE_NONE);
	MUST(ack.packet_id >= 1 && ack.packet_id <= IDS && ack.code == 0);
	id = &world->broker.ids[ack.packet_id];
	if (!id->is_refused)
		side_expect(&world->broker, item);
	if (type == MQTT_PUBCOMP)
		MUST(id->state == ID_RELEASED);
	else
		MUST(id->state == ID_PUBLISHED &&
		     id->qos == (type == MQTT_PUBACK ? 1 : 2));
	id->state = type == MQTT_PUBREC ? ID_RECEIVED : ID_FREE;
}

static void
owe(struct world *world, uint8_t type, uint16_t id)
{
	debts_put(&world->broker.owes, &(struct debt){.type = type, .id = id});
}

void
broker_get(struct world *world, const struct mqtt_walk_item *item)
{
	uint8_t type = item->frame.type;

	if (type == MQTT_PUBACK || type == MQTT_PUBREC ||
	    type == MQTT_PUBCOMP) {
		get_ack(world, item);
		return;
	}
	if (type == MQTT_PUBLISH) {
		side_get_publish(&world->broker, item);
		if (item->publish.qos > 0)
			owe(world,
			    item->publish.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
			    item->publish.packet_id);
		return;
	}
	MUST(world->broker.expected.first != NULL);
	if (type == MQTT_SUBSCRIBE)
		owe(world, MQTT_SUBACK, world->broker.expected.first->id);
	else if (type == MQTT_PUBREL)
		owe(world, MQTT_PUBCOMP, world->broker.expected.first->id);
	else if (type == MQTT_UNSUBSCRIBE)
		owe(world, MQTT_UNSUBACK, 500);
	else if (type == MQTT_PINGREQ)
		owe(world, MQTT_PINGRESP, 0);
	side_expect(&world->broker, item);
}
