#include "access_private.h"

#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_property.h"

#include <stdlib.h>

/* ---- life ---- */

static struct span
identity_of(const struct access *access)
{
	return span_of(access->names, access->identity_len);
}

static struct span
role_of(const struct access *access)
{
	return span_of(access->names + access->identity_len, access->role_len);
}

struct access *
access_new(const struct access_options *options)
{
	size_t names = options->identity.len + options->role.len;
	struct access *access = calloc(1, sizeof *access + names);

	if (access == NULL)
		return NULL;
	access->events = options->events;
	access->arg = options->arg;
	access->identity_len = (uint32_t)options->identity.len;
	access->role_len = (uint32_t)options->role.len;
	if (options->identity.len > 0)
		memcpy(access->names, options->identity.data,
		    options->identity.len);
	if (options->role.len > 0)
		memcpy(access->names + options->identity.len,
		    options->role.data, options->role.len);
	policy_who_init(&access->who, options->policy, identity_of(access),
	    role_of(access));
	return access;
}

void
access_free(struct access *access)
{
	if (access == NULL)
		return;
	access_end(access);
	free(access->will);
	free(access->client_id);
	free(access);
}

/* ---- who the client is ---- */

static bool
keep_client_id(struct access *access, struct span client_id)
{
	char *copy = malloc(client_id.len + 1);

	if (copy == NULL)
		return false;
	if (client_id.len > 0)
		memcpy(copy, client_id.data, client_id.len);
	free(access->client_id);
	access->client_id = copy;
	access->client_id_len = (uint16_t)client_id.len;
	return true;
}

static enum policy_client_id_result
judge_client_id(
    struct access *access, const struct policy_identities *identities)
{
	return policy_client_id(&access->who,
	    span_of(access->client_id, access->client_id_len), identities,
	    NULL);
}

const char access_not_your_client_id[] =
    "the client id belongs to another identity";

uint8_t
access_connect(struct access *access, const struct mqtt_connect *connect,
    const struct policy_identities *identities, const char **text)
{
	access->level = connect->level;
	access->client_packet_max = connect->packet_max;
	access->no_reasons = connect->no_problem_information;
	*text = "the gateway has no memory left";
	if (!keep_client_id(access, connect->client_id))
		return MQTT_SERVER_UNAVAILABLE;
	switch (judge_client_id(access, identities)) {
	case POLICY_CLIENT_ID_ALLOWED:
		break;
	case POLICY_CLIENT_ID_OF_ANOTHER:
		*text = access_not_your_client_id;
		return MQTT_CLIENT_ID_NOT_VALID;
	case POLICY_CLIENT_ID_PATTERN:
		*text = "the policy wants another client id";
		return MQTT_CLIENT_ID_NOT_VALID;
	}
	if (!connect->has_will) {
		*text = NULL;
		return MQTT_SUCCESS;
	}
	if (!access_will_keep(access, connect))
		return MQTT_SERVER_UNAVAILABLE;
	if (!access_will_may_stay(access)) {
		*text = "the policy does not allow this will";
		return MQTT_NOT_AUTHORIZED;
	}
	*text = NULL;
	return MQTT_SUCCESS;
}

struct span
access_client_id(const struct access *access)
{
	return span_of(access->client_id, access->client_id_len);
}

const char *
access_change(struct access *access, const struct policy *policy,
    const struct policy_identities *identities)
{
	policy_who_init(
	    &access->who, policy, identity_of(access), role_of(access));
	if (access->client_id == NULL)
		return NULL;
	if (judge_client_id(access, identities) != POLICY_CLIENT_ID_ALLOWED)
		return "the policy wants another client id now";
	return access_will_may_stay(access)
		   ? NULL
		   : "the policy does not allow its will any more";
}

bool
access_is_of_role(const struct access *access, struct span role)
{
	return span_equal(role_of(access), role);
}

struct span
access_role(const struct access *access)
{
	return role_of(access);
}

/* ---- what is looked at ---- */

uint16_t
access_client_mask(const struct access *access)
{
	const struct access_busy *busy = access_see(access);
	uint16_t mask = MQTT_MASK(MQTT_PUBLISH) | MQTT_MASK(MQTT_SUBSCRIBE);

	if (busy->refused.count > 0)
		mask |= MQTT_MASK(MQTT_PUBREL);
	if (busy->held != NULL)
		mask |= MQTT_MASK(MQTT_DISCONNECT);
	if (access_hears(access))
		mask |= MQTT_MASK(MQTT_UNSUBSCRIBE);
	return mask;
}

uint16_t
access_broker_mask(const struct access *access)
{
	const struct access_busy *busy = access_see(access);
	uint16_t mask = MQTT_MASK(MQTT_PUBLISH);

	if (!access->has_connack)
		mask |= MQTT_MASK(MQTT_CONNACK);
	if (busy->acks.count > 0)
		mask |= MQTT_MASK(MQTT_PUBACK) | MQTT_MASK(MQTT_PUBREC);
	if (busy->pending != NULL)
		mask |= MQTT_MASK(MQTT_SUBACK);
	if (busy->withheld.count > 0)
		mask |= MQTT_MASK(MQTT_PUBREL);
	return mask;
}

/* ---- packets of our own ---- */

/* Of a cause: more than a count that may be less later? */
static bool
is_quota(enum approval_cause cause)
{
	return cause == APPROVAL_ONE_OF_N || cause == APPROVAL_TOO_LARGE ||
	       cause == APPROVAL_TABLE_FULL || cause == APPROVAL_TOO_OFTEN;
}

uint8_t
access_code(const struct access_refusal *refusal)
{
	if (is_quota(refusal->cause))
		return MQTT_QUOTA_EXCEEDED;
	switch (refusal->verdict) {
	case POLICY_ALLOWED: /* but too often */
	case POLICY_SIZE:
		return MQTT_QUOTA_EXCEEDED;
	case POLICY_TOPIC_INVALID:
		return MQTT_TOPIC_NAME_INVALID;
	default:
		return MQTT_NOT_AUTHORIZED;
	}
}

bool
access_say_client(struct access *access, const struct mqtt_answer *answer)
{
	struct access_busy *busy = access_begin(access);
	struct mqtt_answer full = *answer;

	full.level = access->level;
	full.packet_max = access->client_packet_max;
	/* 3.1 has no failure here; its brokers say 3.1.1's. */
	if (full.type == MQTT_SUBACK && full.level == MQTT_31)
		full.level = MQTT_311;
	return busy != NULL &&
	       mqtt_encode_answer(&full, &busy->to_client) != MQTT_NO_ROOM;
}

bool
access_say_broker(struct access *access, const struct mqtt_answer *answer)
{
	struct access_busy *busy = access_begin(access);
	struct mqtt_answer full = *answer;

	full.level = access->level;
	return busy != NULL &&
	       mqtt_encode_answer(&full, &busy->to_broker) != MQTT_NO_ROOM;
}

static bool
say_ready(struct access_busy *busy)
{
	struct span bytes;

	while (access_acks_next(&busy->acks, &bytes)) {
		if (!buf_append(&busy->to_client, bytes.data, bytes.len))
			return false;
		access_acks_pop(&busy->acks);
	}
	return true;
}

/*
 * The client's direction stands between two frames.  A client may go on before
 * it is let in (5.0 section 3.1.4), but the first that it is sent is CONNACK.
 */
static bool
settle_client(struct access *access)
{
	struct access_busy *busy = access->busy;

	if (busy == NULL || !access->has_connack)
		return true;
	if (!say_ready(busy))
		return false;
	if (buf_len(&busy->to_client) == 0)
		return true;
	if (!access->events->to_client(access->arg, buf_span(&busy->to_client)))
		return false;
	buf_fini(&busy->to_client);
	return true;
}

static bool
settle_broker(struct access *access)
{
	struct access_busy *busy = access->busy;

	if (busy == NULL)
		return true;
	if (buf_len(&busy->to_broker) > 0 &&
	    !access->events->to_broker(access->arg, buf_span(&busy->to_broker)))
		return false;
	buf_fini(&busy->to_broker);
	return access_hold_settle(access);
}

bool
access_settle(struct access *access, const struct mqtt_walk *from_client,
    const struct mqtt_walk *from_broker)
{
	/* First what goes up: of what does not, the client is told. */
	if (mqtt_walk_is_between(from_client) && !settle_broker(access))
		return false;
	if (mqtt_walk_is_between(from_broker) && !settle_client(access))
		return false;
	access_rest(access);
	return true;
}

bool
access_is_quiet(const struct access *access)
{
	const struct access_busy *busy = access_see(access);

	return buf_len(&busy->to_client) == 0 &&
	       buf_len(&busy->to_broker) == 0 && busy->acks.count == 0 &&
	       busy->pending == NULL && busy->held == NULL;
}

/* ---- packets ---- */

static enum access_result
pass(bool done)
{
	return done ? ACCESS_DONE : ACCESS_NO_MEMORY;
}

/* False where the packet is whole and sound, as the walk promised. */
static bool
read_ack(const struct access *access, const struct mqtt_walk_item *item,
    enum mqtt_side side, struct mqtt_ack *ack)
{
	const struct mqtt_sender from = {
	    .side = (uint8_t)side, .level = access->level};

	return mqtt_ack_decode(item->frame.type,
		   mqtt_frame_body(&item->frame, item->bytes), from,
		   ack) == MQTT_RULE_NONE;
}

/* Of a PUBLISH at QoS 2 that never went on. */
static enum access_result
pubrel_from_client(struct access *access, const struct mqtt_walk_item *item)
{
	struct mqtt_ack ack;

	if (!read_ack(access, item, MQTT_FROM_CLIENT, &ack) ||
	    !access_take_refused(access, ack.packet_id))
		return pass(
		    access->events->to_broker(access->arg, item->bytes));
	return pass(access_say_client(
	    access, &(struct mqtt_answer){
			.type = MQTT_PUBCOMP, .packet_id = ack.packet_id}));
}

static enum access_result
pubrel_from_broker(struct access *access, const struct mqtt_walk_item *item)
{
	struct mqtt_ack ack;

	if (!read_ack(access, item, MQTT_FROM_BROKER, &ack) ||
	    !access_take_withheld(access, ack.packet_id))
		return pass(
		    access->events->to_client(access->arg, item->bytes));
	return pass(access_say_broker(
	    access, &(struct mqtt_answer){
			.type = MQTT_PUBCOMP, .packet_id = ack.packet_id}));
}

static enum access_result
ack_from_broker(struct access *access, const struct mqtt_walk_item *item)
{
	enum access_turn turn = ACCESS_TURN_NOW;
	struct mqtt_ack ack;

	if (access->busy != NULL &&
	    read_ack(access, item, MQTT_FROM_BROKER, &ack))
		turn = access_acks_arrived(&access->busy->acks, ack.packet_id,
		    item->frame.type, item->bytes);
	if (turn == ACCESS_TURN_LATER)
		return ACCESS_DONE;
	return pass(turn == ACCESS_TURN_NOW &&
		    access->events->to_client(access->arg, item->bytes));
}

/* It may bring the id that the broker made up (5.0 section 3.2.2.3.7). */
static enum access_result
connack(struct access *access, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {
	    .side = MQTT_FROM_BROKER, .level = access->level};
	struct mqtt_connack connack;
	struct mqtt_property id;
	struct span body = mqtt_frame_body(&item->frame, item->bytes);

	if (mqtt_connack_decode(body, from, &connack) != MQTT_RULE_NONE ||
	    connack.code != 0)
		return pass(
		    access->events->to_client(access->arg, item->bytes));
	access->has_connack = true;
	if (access->level == MQTT_50 && access->client_id_len == 0 &&
	    mqtt_property_find(
		connack.properties, MQTT_ASSIGNED_CLIENT_IDENTIFIER, &id)) {
		if (!keep_client_id(access, id.text))
			return ACCESS_NO_MEMORY;
		/* Whatever comes of it: nobody else chose this id. */
		judge_client_id(access, NULL);
	}
	return pass(access->events->to_client(access->arg, item->bytes));
}

enum access_result
access_from_client(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item, uint64_t now_ms)
{
	/* We stand between two frames: what waits goes before. */
	if (!settle_broker(access))
		return ACCESS_NO_MEMORY;
	switch (item->frame.type) {
	case MQTT_PUBLISH:
		return access_publish(access, result, item, now_ms);
	case MQTT_SUBSCRIBE:
		return access_subscribe(access, item);
	case MQTT_PUBREL:
		return pubrel_from_client(access, item);
	case MQTT_DISCONNECT:
		access_hold_lose(access);
		break;
	case MQTT_UNSUBSCRIBE:
		access_own_unsubscribe(access, item);
		break;
	default:
		break;
	}
	return pass(access->events->to_broker(access->arg, item->bytes));
}

enum access_result
access_from_broker(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	if (!settle_client(access))
		return ACCESS_NO_MEMORY;
	switch (item->frame.type) {
	case MQTT_PUBLISH:
		return access_deliver(access, result, item);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
		return ack_from_broker(access, item);
	case MQTT_PUBREL:
		return pubrel_from_broker(access, item);
	case MQTT_SUBACK:
		return access_suback(access, item);
	case MQTT_CONNACK:
		return connack(access, item);
	default:
		return pass(
		    access->events->to_client(access->arg, item->bytes));
	}
}
