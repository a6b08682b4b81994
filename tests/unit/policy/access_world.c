#include "access_world_private.h"

enum { FINISH_TURNS = 2000 }; /* more than there can be answers */

/* What needs consent; $kaya/ is the gateway's own. */
#define MORE                                                                   \
	"  - {name: more, publish: [\"held/#\", $kaya/approve, $kaya/deny], "  \
	"subscribe: [$kaya/pending, $kaya/result/+]}\n"
#define PROTECTED                                                              \
	"approval:\n"                                                          \
	"  - {name: a, topics: held/x, by: more, safe_state: \"0\"}\n"         \
	"  - {name: b, topics: held/y, by: more, mode: permissive, "           \
	"permit_topic: held/p}\n"

/* Two policies; the second gives what begins with flip as well. */
static const char *const policy_texts[] = {
    "roles:\n"
    "  - {name: full, publish: [\"pub/#\"], subscribe: [\"in/#\"], "
    "retain: yes}\n"
    "  - {name: low, publish: [\"low/#\"], subscribe: [\"calm/#\"], qos: 1, "
    "payload: 48B}\n" MORE "identities:\n"
    "  - {names: dan, roles: [full, low, more]}\n" PROTECTED,
    "roles:\n"
    "  - {name: full, publish: [\"pub/#\", \"flip/#\"], "
    "subscribe: [\"in/#\", \"flop/#\"], retain: yes}\n"
    "  - {name: low, publish: [\"low/#\"], subscribe: [\"calm/#\"], qos: 1, "
    "payload: 48B}\n" MORE "identities:\n"
    "  - {names: dan, roles: [full, low, more]}\n" PROTECTED};

const struct topic topics[] = {
    {"pub/a", false, 3, 2, true, 1000},
    {"pub/longer/b", false, 3, 2, true, 1000},
    {"no/way", false, 0, 2, true, 1000},
    {"flip/x", false, 2, 2, true, 1000},
    {"low/x", false, 3, 1, false, 48},
    {"in/a", true, 3, 2, true, 1000},
    {"in/b/c", true, 3, 2, true, 1000},
    {"hidden/x", true, 0, 2, true, 1000},
    {"flop/y", true, 2, 2, true, 1000},
    {"calm/z", true, 3, 2, true, 1000},
    {"held/p", false, 3, 2, false, 1000},
    {"held/x", false, 3, 2, false, 1000, ASKS_AND_WAITS},
    {"held/y", false, 3, 2, false, 1000, ASKS_TO_GO},
    {"$kaya/approve", false, 3, 2, false, 1000, ASKS_ALONE},
};
const size_t topic_count = sizeof topics / sizeof topics[0];

const struct filter filters[] = {
    {"in/#", 3, 2},
    {"hidden/#", 0, 2},
    {"#", 0, 2},
    {"flop/+", 2, 2},
    {"calm/+", 3, 1},
    {"$share/g/in/a", 3, 2},
    {"$kaya/pending", 3, 0, true},
};
const size_t filter_count = sizeof filters / sizeof filters[0];

static struct policy *policies[2];

static void
make_policies(void)
{
	for (size_t i = 0; i < 2; i++) {
		const struct policy_source source = {.file = "world",
		    .bytes = span_of_str(policy_texts[i]),
		    .format = POLICY_YAML};

		if (policies[i] == NULL)
			policies[i] = policy_new(&source);
		MUST(policies[i] != NULL);
	}
}

/* Small, so that packets are whole, cut, and given as a head. */
static const struct mqtt_limits limits = {
    .connect_max = 4096, .hold_max = 2048, .whole_max = 128};
static const struct mqtt_limits check_limits = {
    .connect_max = 1 << 20, .hold_max = 1 << 20, .whole_max = 1 << 20};

/* ---- the script ---- */

unsigned
world_choose(struct world *world, unsigned below)
{
	unsigned byte;

	if (world->script.len == 0)
		return 0;
	byte = world->script.data[0];
	world->script = span_of(world->script.data + 1, world->script.len - 1);
	return byte % below;
}

uint16_t
world_free_id(struct world *world, const struct side *side)
{
	for (uint16_t id = 1; id <= IDS; id++)
		if (side->ids[id].state == ID_FREE && side->ids[id].acks == 0)
			return id;
	return 0;
}

void
world_send(struct side *from, const struct packet *packet)
{
	MUST(from->wire_len + packet->len <= sizeof from->wire);
	memcpy(from->wire + from->wire_len, packet->bytes, packet->len);
	from->wire_len += packet->len;
}

void
side_expect(struct side *side, const struct mqtt_walk_item *item)
{
	struct packet *packet = queue_take(&side->expected);

	MUST(packet->len == item->bytes.len &&
	     memcmp(packet->bytes, item->bytes.data, packet->len) == 0);
	free(packet);
}

void
side_get_publish(struct side *side, const struct mqtt_walk_item *item)
{
	struct packet *packet = queue_take(&side->expected);
	const struct mqtt_publish *got = &item->publish;
	const struct topic *topic = &topics[packet->topic];
	struct mqtt_frame frame;
	struct mqtt_publish sent;
	uint32_t need;
	const struct mqtt_sender from = {
	    MQTT_FROM_CLIENT, got->properties.len > 0 ? MQTT_50 : MQTT_311};

	MUST(packet->type == MQTT_PUBLISH);
	if (got->topic_alias != 0) {
		MUST(got->topic_alias <= ALIASES);
		if (got->topic.len > 0)
			side->got_alias[got->topic_alias] = packet->topic;
		MUST(side->got_alias[got->topic_alias] == packet->topic);
	}
	if (got->topic.len > 0)
		MUST(span_is(got->topic, topic->name));
	MUST(mqtt_frame_parse(span_of(packet->bytes, packet->len), &frame) ==
	     MQTT_FRAME_READY);
	MUST(mqtt_publish_head(span_of(packet->bytes, packet->len), &frame,
		 from, &sent, &need) == MQTT_RULE_NONE);
	MUST(frame.flags == item->frame.flags &&
	     sent.packet_id == got->packet_id &&
	     sent.payload_len == got->payload_len &&
	     span_equal(sent.properties, got->properties));
	MUST(sent.topic.len == got->topic.len || sent.topic.len == 0);
	MUST(
	    span_equal(span_of(packet->bytes + sent.head_len, sent.payload_len),
		span_of(item->bytes.data + got->head_len, got->payload_len)));
	free(packet);
}

/* ---- behind the access ---- */

static bool
look(struct world *world, struct mqtt_walk *walk, struct span bytes,
    void (*get)(struct world *, const struct mqtt_walk_item *))
{
	struct mqtt_walk_item item;

	for (;;) {
		switch (mqtt_walk_next(walk, &bytes, &item)) {
		case MQTT_WALK_NEED_MORE:
			return true;
		case MQTT_WALK_PACKET:
			if (!world->is_hostile)
				get(world, &item);
			break;
		default:
			abort(); /* what goes out is MQTT */
		}
	}
}

static bool
to_broker(void *arg, struct span bytes)
{
	struct world *world = arg;

	return look(world, &world->check_up, bytes, broker_get);
}

static bool
to_client(void *arg, struct span bytes)
{
	struct world *world = arg;

	return look(world, &world->check_down, bytes, client_get);
}

static void
on_refused(void *arg, const struct access_refusal *refusal)
{
	struct world *world = arg;

	MUST(world->is_hostile || world->refusals-- > 0);
	MUST(refusal->topic.len > 0 || world->is_hostile);
}

/* ---- before it ---- */

static bool
on_connect(struct world *world, const struct mqtt_walk_item *item)
{
	struct mqtt_connect connect;
	const char *text;

	MUST(mqtt_connect_decode(&item->frame,
		 mqtt_frame_body(&item->frame, item->bytes),
		 &connect) == MQTT_RULE_NONE);
	if (access_connect(world->access, &connect, NULL, &text) != 0)
		return false;
	mqtt_walk_learn(&world->down, &world->up);
	look(world, &world->check_up, item->bytes, broker_get);
	mqtt_walk_learn(&world->check_down, &world->check_up);
	world->level = connect.level;
	return true;
}

static bool
give(struct world *world, struct mqtt_walk *walk, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	enum access_result done;
	bool is_up = walk == &world->up;

	switch (result) {
	case MQTT_WALK_PACKET:
		if (item->frame.type == MQTT_CONNECT)
			return on_connect(world, item);
		__attribute__((fallthrough));
	case MQTT_WALK_HEAD:
		done = is_up
			   ? access_from_client(world->access, result, item, 1)
			   : access_from_broker(world->access, result, item);
		MUST(world->is_hostile || done == ACCESS_DONE ||
		     done == ACCESS_SKIP);
		if (done == ACCESS_SKIP)
			mqtt_walk_skip(walk);
		return done == ACCESS_DONE || done == ACCESS_SKIP;
	case MQTT_WALK_FORWARD:
		return is_up ? to_broker(world, item->bytes)
			     : to_client(world, item->bytes);
	default:
		MUST(world->is_hostile);
		return false;
	}
}

static bool
arrive(struct world *world, struct mqtt_walk *walk, struct span bytes)
{
	struct mqtt_walk_item item;

	for (;;) {
		enum mqtt_walk_result result;

		mqtt_walk_set_mask(
		    &world->up, access_client_mask(world->access));
		mqtt_walk_set_mask(
		    &world->down, access_broker_mask(world->access));
		result = mqtt_walk_next(walk, &bytes, &item);
		if (result == MQTT_WALK_NEED_MORE)
			return access_settle(
			    world->access, &world->up, &world->down);
		if (!give(world, walk, result, &item))
			return false;
	}
}

/* Some bytes of what `side` sent. */
static void
feed(struct world *world, struct side *side, size_t len)
{
	uint8_t *bytes;

	if (len > side->wire_len)
		len = side->wire_len;
	/* So that what is read beyond it is found. */
	bytes = malloc(len);
	MUST(bytes != NULL || len == 0);
	if (len > 0)
		memcpy(bytes, side->wire, len);
	side->wire_len -= len;
	memmove(side->wire, side->wire + len, side->wire_len);
	MUST(arrive(world, side == &world->client ? &world->up : &world->down,
	    span_of(bytes, len)));
	free(bytes);
}

void
feed_from_client(struct world *world)
{
	feed(world, &world->client, world->client.wire_len);
}

static void
feed_all(struct world *world)
{
	feed_from_client(world);
	feed(world, &world->broker, world->broker.wire_len);
}

static void
feed_up(struct world *world)
{
	feed(world, &world->client, world_choose(world, 255) + 1);
}

static void
feed_down(struct world *world)
{
	feed(world, &world->broker, world_choose(world, 255) + 1);
}

static void
flip(struct world *world)
{
	feed_all(world);
	world->policy ^= 1;
	MUST(access_change(world->access, policies[world->policy], NULL) ==
	     NULL);
	world->count->flips++;
}

/* ---- runs ---- */

static void
init(struct world *world, struct span script)
{
	const struct access_options options = {
	    .policy = policies[0],
	    .identity = span_of_str("dan"),
	    .events = &world->events,
	    .arg = world,
	};

	world->events = (struct access_events){
	    .to_broker = to_broker,
	    .to_client = to_client,
	    .refused = on_refused,
	};
	world_hold_events(&world->events);
	world->script = script;
	if (script.len > SCRIPT_MAX_BYTES)
		world->script = span_of(script.data, SCRIPT_MAX_BYTES);
	world->access = access_new(&options);
	MUST(world->access != NULL);
	mqtt_walk_init(&world->up, MQTT_FROM_CLIENT, &limits);
	mqtt_walk_init(&world->down, MQTT_FROM_BROKER, &limits);
	mqtt_walk_init(&world->check_up, MQTT_FROM_CLIENT, &check_limits);
	mqtt_walk_init(&world->check_down, MQTT_FROM_BROKER, &check_limits);
	mqtt_walk_set_mask(&world->check_up, UINT16_MAX);
	mqtt_walk_set_mask(&world->check_down, UINT16_MAX);
	queue_init(&world->client.expected);
	queue_init(&world->broker.expected);
	for (size_t i = 0; i <= ALIASES; i++)
		world->client.sent_alias[i] = world->client.got_alias[i] =
		    world->broker.sent_alias[i] = world->broker.got_alias[i] =
			-1;
}

static void
fini(struct world *world)
{
	access_free(world->access);
	mqtt_walk_fini(&world->up);
	mqtt_walk_fini(&world->down);
	mqtt_walk_fini(&world->check_up);
	mqtt_walk_fini(&world->check_down);
	queue_fini(&world->client.expected);
	queue_fini(&world->broker.expected);
	free(world);
}

static void
send_connect(struct world *world)
{
	static const uint8_t levels[] = {MQTT_50, MQTT_311, MQTT_31};
	struct packet packet = {.len = 0};

	world->level = levels[world_choose(world, 3)];
	packet_text(&packet, world->level == MQTT_31 ? "MQIsdp" : "MQTT");
	packet_u8(&packet, world->level);
	packet_u8(&packet, 2);
	packet_u16(&packet, 60);
	if (world->level == MQTT_50)
		packet_u8(&packet, 0);
	packet_text(&packet, "c");
	packet_end(&packet, 0x10);
	queue_put(&world->broker.expected, &packet);
	world_send(&world->client, &packet);
	/* The broker's walk has to know the level before its first byte. */
	feed_from_client(world);
}

static void (*const steps[])(struct world *) = {client_publish, client_publish,
    client_publish, client_send_again, client_subscribe, client_unsubscribe,
    client_ping, client_answer, client_release, broker_connack, broker_publish,
    broker_publish, broker_answer, broker_answer, broker_release, feed_up,
    feed_down, feed_up, feed_down, somebody_decides, somebody_decides, flip};

static bool
is_silent(const struct world *world)
{
	bool is_done = world->client.wire_len == 0 &&
		       world->broker.wire_len == 0 &&
		       world->client.owes.count == 0 &&
		       world->broker.owes.count == 0 && world->asked_count == 0;

	for (size_t id = 1; id <= IDS; id++)
		is_done = is_done && world->client.ids[id].state == ID_FREE &&
			  world->broker.ids[id].state == ID_FREE;
	return is_done;
}

/* Both say what they still have to say, until all is said. */
static void
finish(struct world *world)
{
	world->is_finishing = true;
	broker_connack(world);
	for (unsigned i = 0; i < FINISH_TURNS && !is_silent(world); i++) {
		feed_all(world);
		everything_is_decided(world);
		client_answer(world);
		client_release(world);
		broker_answer(world);
		broker_release(world);
	}
	MUST(world->refusals == 0 && world->acks.count == 0);
	MUST(world->asked_count == 0 && world->told == 0);
	MUST(world->client.owes.count == 0 && world->broker.owes.count == 0);
	MUST(world->client.expected.first == NULL);
	MUST(world->broker.expected.first == NULL);
	MUST(access_is_quiet(world->access));
	MUST(mqtt_walk_is_between(&world->check_up) &&
	     mqtt_walk_held(&world->check_up) == 0);
	MUST(mqtt_walk_is_between(&world->check_down) &&
	     mqtt_walk_held(&world->check_down) == 0);
	for (size_t id = 1; id <= IDS; id++) {
		MUST(world->client.ids[id].state == ID_FREE);
		MUST(world->client.ids[id].acks == 0);
		MUST(world->broker.ids[id].state == ID_FREE);
		MUST(!world->subscriptions[id].is_open);
	}
}

void
access_world_run(struct span script, struct access_world_count *count)
{
	struct world *world = calloc(1, sizeof *world);

	MUST(world != NULL);
	make_policies();
	init(world, script);
	world->count = count;
	send_connect(world);
	while (world->script.len > 0)
		steps[world_choose(world, sizeof steps / sizeof steps[0])](
		    world);
	finish(world);
	fini(world);
}

void
access_world_run_hostile(struct span script)
{
	struct world *world = calloc(1, sizeof *world);

	MUST(world != NULL);
	make_policies();
	init(world, script);
	world->is_hostile = true;
	while (world->script.len > 0) {
		unsigned head = world_choose(world, 256);
		size_t len = head >> 1;
		struct span bytes;

		if (len == 0 && !world_decide(world))
			break;
		if (len > world->script.len)
			len = world->script.len;
		bytes = span_of(world->script.data, len);
		world->script =
		    span_of(world->script.data + len, world->script.len - len);
		if (!arrive(world, (head & 1) == 0 ? &world->up : &world->down,
			bytes))
			break;
	}
	fini(world);
}
