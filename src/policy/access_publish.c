#include "access_private.h"

#include "mqtt_encode.h"

enum { ANSWER_MAX_BYTES = 1 << 10 };

/* What stands behind the head, where all of it is there. */
static struct span
payload_of(enum mqtt_walk_result result, const struct mqtt_walk_item *item)
{
	if (result == MQTT_WALK_HEAD)
		return (struct span){0};
	return span_of(item->bytes.data + item->publish.head_len,
	    item->bytes.len - item->publish.head_len);
}

/*
 * Give it on: as it is, or with its topic written out where the receiver does
 * not know what the alias stands for.
 */
static bool
give(bool (*to)(void *arg, struct span bytes), void *arg,
    const struct mqtt_walk_item *item, struct access_alias *alias)
{
	struct buf out;
	bool done;

	if (alias == NULL || alias->is_known || item->publish.topic.len > 0) {
		if (alias != NULL)
			alias->is_known = true;
		return to(arg, item->bytes);
	}
	buf_init(&out, item->bytes.len + alias->len + MQTT_HEADER_MAX);
	done = mqtt_publish_put_topic(&item->frame, &item->publish, item->bytes,
		   span_of(alias->topic, alias->len), &out) &&
	       to(arg, buf_span(&out));
	buf_fini(&out);
	alias->is_known = done;
	return done;
}

/* ---- from the client ---- */

/* As its broker would: 5.0 says why, before that it can only be thanked. */
static bool
answer(struct access *access, const struct mqtt_publish *publish, uint8_t code,
    const char *text)
{
	const struct mqtt_answer answer = {
	    .type = publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
	    .level = access->level,
	    .code = access->level == MQTT_50 ? code : MQTT_SUCCESS,
	    .packet_id = publish->packet_id,
	    .text = access_reason(access, text),
	    .packet_max = access->client_packet_max,
	};
	struct buf bytes;
	bool done;

	if (publish->qos == 0)
		return true;
	/* Sent again (3.1 section 4.2), it was allowed before: the broker
	 * has it, and answers. */
	if (access_acks_is_expected(
		&access->acks, publish->packet_id, answer.type))
		return true;
	/* A refusal of 5.0 ends the exchange (section 4.3.3). */
	if (publish->qos == 2 && access->level != MQTT_50 &&
	    !access_ids_add(&access->refused, publish->packet_id))
		return false;
	buf_init(&bytes, ANSWER_MAX_BYTES);
	done = mqtt_encode_answer(&answer, &bytes) == MQTT_ENCODED &&
	       access_acks_answer(&access->acks, publish->packet_id,
		   answer.type, buf_span(&bytes));
	buf_fini(&bytes);
	return done;
}

static enum access_result
refuse(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_publish *publish, const struct access_refusal *refusal)
{
	const char *text = refusal->verdict == POLICY_ALLOWED
			       ? "the role permits fewer messages"
			       : policy_verdict_text(refusal->verdict);

	access->events.refused(access->events.arg, refusal);
	if (!answer(access, publish, access_code(refusal->verdict), text))
		return ACCESS_NO_MEMORY;
	return result == MQTT_WALK_HEAD ? ACCESS_SKIP : ACCESS_DONE;
}

static bool
is_too_many(struct access *access, uint64_t now_ms)
{
	return access->rate != NULL &&
	       !policy_rate_take(access->rate, &access->who, now_ms);
}

/* Passed: the broker will answer what is not at QoS 0. */
static enum access_result
let_on(struct access *access, const struct mqtt_walk_item *item,
    struct access_alias *alias)
{
	const struct mqtt_publish *publish = &item->publish;

	/* Sent again, it is the broker's from now on. */
	if (publish->qos == 2)
		access_ids_take(&access->refused, publish->packet_id);
	if (publish->qos > 0 &&
	    !access_acks_expect(&access->acks, publish->packet_id,
		publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC))
		return ACCESS_NO_MEMORY;
	return give(access->events.to_broker, access->events.arg, item, alias)
		   ? ACCESS_DONE
		   : ACCESS_NO_MEMORY;
}

enum access_result
access_publish(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item, uint64_t now_ms)
{
	const struct mqtt_publish *publish = &item->publish;
	struct policy_message message = {
	    .topic = publish->topic,
	    .qos = publish->qos,
	    .is_retained = publish->retain,
	    .size = publish->payload_len,
	    .payload = payload_of(result, item),
	};
	struct access_refusal refusal = {
	    .action = POLICY_PUBLISH, .qos = publish->qos};
	struct access_alias *alias = NULL;
	bool no_memory;

	if (publish->topic_alias != 0) {
		alias = access_alias_follow(
		    &access->from_client, publish, &no_memory);
		if (alias == NULL)
			return no_memory ? ACCESS_NO_MEMORY : ACCESS_BAD_ALIAS;
		message.topic = span_of(alias->topic, alias->len);
	}
	refusal.topic = message.topic;
	refusal.verdict = policy_publish(&access->who, &message, &refusal.why);
	if (refusal.verdict == POLICY_BREAK_GLASS)
		access->events.shouted(access->events.arg, &refusal);
	else if (refusal.verdict != POLICY_ALLOWED ||
		 is_too_many(access, now_ms))
		return refuse(access, result, publish, &refusal);
	return let_on(access, item, alias);
}

/* ---- to the client ---- */

static enum access_result
withhold(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_publish *publish)
{
	const struct mqtt_answer answer = {
	    .type = publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
	    .packet_id = publish->packet_id,
	};

	if (publish->qos == 2 &&
	    !access_ids_add(&access->withheld, publish->packet_id))
		return ACCESS_NO_MEMORY;
	if (publish->qos > 0 && !access_say_broker(access, &answer))
		return ACCESS_NO_MEMORY;
	return result == MQTT_WALK_HEAD ? ACCESS_SKIP : ACCESS_DONE;
}

enum access_result
access_deliver(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	const struct mqtt_publish *publish = &item->publish;
	struct access_refusal refusal = {.action = POLICY_DELIVER,
	    .topic = publish->topic,
	    .qos = publish->qos};
	struct access_alias *alias = NULL;
	bool no_memory;

	if (publish->topic_alias != 0) {
		alias = access_alias_follow(
		    &access->from_broker, publish, &no_memory);
		if (alias == NULL)
			return no_memory ? ACCESS_NO_MEMORY : ACCESS_BAD_ALIAS;
		refusal.topic = span_of(alias->topic, alias->len);
	}
	refusal.verdict =
	    policy_deliver(&access->who, refusal.topic, &refusal.why);
	if (refusal.verdict == POLICY_ALLOWED) {
		access_ids_take(&access->withheld, publish->packet_id);
		return give(access->events.to_client, access->events.arg, item,
			   alias)
			   ? ACCESS_DONE
			   : ACCESS_NO_MEMORY;
	}
	access->events.refused(access->events.arg, &refusal);
	return withhold(access, result, publish);
}
