#include "access_world_private.h"

#include "mqtt_reason.h"

enum { WHOLE_MAX = 128, DEAF_SIZE = 49 }; /* of that size none is asked about */

/* ---- what is to come of it ---- */

static bool
one_waits(const struct world *world)
{
	for (unsigned i = 0; i < world->asked_count; i++)
		if (world->asked[i].waits)
			return true;
	return false;
}

/* In the order in which access looks at these. */
enum fate
world_fate(const struct world *world, const struct sent_publish *publish,
    const struct topic *topic, const struct packet *packet, uint8_t *code)
{
	const struct {
		bool is_so;
		uint8_t code;
	} refusals[] = {
	    {topic->asks != ASKS_ALONE && publish->dup, MQTT_NOT_AUTHORIZED},
	    {packet->len > WHOLE_MAX, MQTT_QUOTA_EXCEEDED},
	    {topic->asks == ASKS_AND_WAITS && one_waits(world),
		MQTT_QUOTA_EXCEEDED},
	    {world->asked_count == ACCESS_QUESTIONS_MAX, MQTT_QUOTA_EXCEEDED},
	};

	if (topic->asks == ASKS_AND_WAITS && publish->size == 1 &&
	    publish->fill == '0')
		return FATE_PASSES;
	for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
		if (refusals[i].is_so) {
			*code = world->level == MQTT_50 ? refusals[i].code : 0;
			return FATE_REFUSED;
		}
	return FATE_ASKED;
}

/* It is decided: what the client is to be answered, and by whom. */
static void
decided(struct world *world, const struct packet *packet, bool is_refused,
    uint8_t code)
{
	struct debts *acks = &world->acks;

	if (packet->id == 0)
		return;
	world->client.ids[packet->id].is_held = false;
	world->client.ids[packet->id].is_refused = is_refused;
	for (unsigned i = 0; i < acks->count; i++) {
		struct debt *debt = &acks->list[(acks->first + i) % DEBTS_MAX];

		if (debt->id != packet->id || !debt->is_held)
			continue;
		debt->is_held = false;
		debt->is_refused = is_refused;
		debt->code = world->level == MQTT_50 ? code : 0;
		return;
	}
	abort();
}

static struct asked *
find(struct world *world, uint32_t number)
{
	unsigned i = 0;

	while (i < world->asked_count && world->asked[i].number != number)
		i++;
	MUST(i < world->asked_count); /* what was asked, and once */
	return &world->asked[i];
}

static void
forget(struct world *world, struct asked *asked)
{
	*asked = world->asked[--world->asked_count];
}

/* ---- what access asks and tells ---- */

static bool
on_ask(void *arg, const struct access_question *question)
{
	struct world *world = arg;
	const struct packet *packet = world->sending;
	struct asked asked = {.number = question->number};

	MUST(question->number != 0);
	MUST(world->asked_count < ACCESS_QUESTIONS_MAX);
	if (!world->is_hostile) {
		MUST(packet != NULL);
		MUST(span_is(question->topic, topics[packet->topic].name));
		asked.packet = *packet;
		asked.waits = topics[packet->topic].asks == ASKS_AND_WAITS;
		world->sending = NULL;
	}
	if (question->payload.len == DEAF_SIZE) {
		if (!world->is_hostile)
			decided(world, packet, true, MQTT_UNSPECIFIED_ERROR);
		return false;
	}
	world->asked[world->asked_count++] = asked;
	return true;
}

static bool
on_is_due(void *arg, uint32_t number)
{
	const struct world *world = arg;

	return world->is_finishing || world->script.len % 4 != 0;
}

/* What had been sent before it has gone out, or is on its wire still. */
static enum approval_cause
on_let_go(void *arg, uint32_t number)
{
	struct world *world = arg;
	struct asked *asked = find(world, number);
	bool goes = world->is_finishing || world->script.len % 3 != 0;

	if (!world->is_hostile) {
		MUST(world->is_let_in);
		decided(world, &asked->packet, !goes, MQTT_NOT_AUTHORIZED);
		if (goes)
			queue_put_first(
			    &world->broker.expected, &asked->packet);
		world->count->let_go += goes;
	}
	forget(world, asked);
	return goes ? APPROVAL_NONE : APPROVAL_OVERTAKEN;
}

static void
on_lost(void *arg, uint32_t number)
{
	forget(arg, find(arg, number));
}

static void
on_stopped(void *arg, struct span topic)
{
	(void)arg;
	MUST(span_is(topic, "held/x"));
}

static void
on_permit(
    void *arg, const struct policy_approval *rule, enum access_permit permit)
{
	(void)arg;
	(void)permit;
	MUST(rule->mode == POLICY_PERMISSIVE);
}

void
world_hold_events(struct access_events *events)
{
	events->ask = on_ask;
	events->is_due = on_is_due;
	events->let_go = on_let_go;
	events->lost = on_lost;
	events->stopped = on_stopped;
	events->permit = on_permit;
}

/* ---- who decides ---- */

static void
answer(struct world *world, struct asked *asked, unsigned how)
{
	const struct access_answer answers[] = {{0, span_of_str("")},
	    {MQTT_NOT_AUTHORIZED, span_of_str("because")}};
	uint32_t number = asked->number;

	if (!world->is_hostile)
		decided(world, &asked->packet, true, answers[how].code);
	forget(world, asked);
	MUST(
	    access_answer(world->access, number, &answers[how]) == ACCESS_DONE);
}

static void
tell(struct world *world)
{
	bool hears = !world->is_hostile && access_hears(world->access);

	world->told += hears;
	if (hears)
		world->count->told++;
	access_tell(world->access, ACCESS_OWN_PENDING, span_of_str("a"),
	    span_of_str("{}"));
	access_tell(world->access, ACCESS_OWN_RESULT, (struct span){0},
	    span_of_str("{}"));
}

/* Somebody decides about one of those that wait; or everybody is told. */
bool
world_decide(struct world *world)
{
	unsigned how = world_choose(world, 4);
	struct asked *asked =
	    world->asked_count == 0
		? NULL
		: &world->asked[world_choose(world, world->asked_count)];

	if (how == 3)
		tell(world);
	else if (asked == NULL)
		access_let_go(world->access, how); /* nobody asked */
	else if (how == 2)
		access_let_go(world->access, asked->number);
	else
		answer(world, asked, how);
	return access_settle(world->access, &world->up, &world->down);
}

void
somebody_decides(struct world *world)
{
	MUST(world_decide(world));
}

void
everything_is_decided(struct world *world)
{
	for (unsigned i = world->asked_count; i > 0; i--) {
		struct asked *asked = &world->asked[i - 1];

		if (topics[asked->packet.topic].asks == ASKS_ALONE)
			answer(world, asked, 0);
		else
			access_let_go(world->access, asked->number);
	}
	MUST(access_settle(world->access, &world->up, &world->down));
}
