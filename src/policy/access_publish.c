#include "access_private.h"

#include "mqtt_encode.h"

enum { ANSWER_MAX_BYTES = 1 << 10 };

struct span
access_payload(enum mqtt_walk_result result, const struct mqtt_walk_item *item)
{
	if (result == MQTT_WALK_HEAD)
		return (struct span){0};
	return span_of(item->bytes.data + item->publish.head_len,
	    item->bytes.len - item->publish.head_len);
}

static struct access_alias *
follow(struct access *access, const struct mqtt_publish *publish,
    enum mqtt_side from, bool *no_memory)
{
	struct access_busy *busy = access_begin(access);

	*no_memory = busy == NULL;
	return busy == NULL ? NULL
			    : access_alias_follow(from == MQTT_FROM_CLIENT
						      ? &busy->from_client
						      : &busy->from_broker,
				  publish, no_memory);
}

/* ---- from the client ---- */

bool
access_acknowledge(struct access *access, uint8_t qos, uint16_t packet_id,
    const struct access_answer *answer)
{
	const bool has_reasons = access->level == MQTT_50;
	const struct mqtt_answer full = {
	    .type = qos == 1 ? MQTT_PUBACK : MQTT_PUBREC,
	    .level = access->level,
	    .code = has_reasons ? answer->code : MQTT_SUCCESS,
	    .packet_id = packet_id,
	    .text = has_reasons && !access->no_reasons ? answer->text
						       : (struct span){0},
	    .packet_max = access->client_packet_max,
	};
	struct access_busy *busy;
	struct buf bytes;
	bool done;

	if (qos == 0)
		return true;
	/* Sent again (3.1 section 4.2), it was allowed before: the broker
	 * has it, and answers. */
	if (access_acks_is_expected(
		&access_see(access)->acks, packet_id, full.type))
		return true;
	busy = access_begin(access);
	/* A refusal of 5.0 ends the exchange (section 4.3.3). */
	if (busy == NULL || (qos == 2 && full.code < MQTT_UNSPECIFIED_ERROR &&
				!access_ids_add(&busy->refused, packet_id)))
		return false;
	buf_init(&bytes, ANSWER_MAX_BYTES);
	done = mqtt_encode_answer(&full, &bytes) == MQTT_ENCODED &&
	       access_acks_answer(
		   &busy->acks, packet_id, full.type, buf_span(&bytes));
	buf_fini(&bytes);
	return done;
}

static const char *
text_of(const struct access_refusal *refusal)
{
	if (refusal->cause != APPROVAL_NONE)
		return approval_cause_text(refusal->cause);
	return refusal->verdict == POLICY_ALLOWED
		   ? "the role permits fewer messages"
		   : policy_verdict_text(refusal->verdict);
}

enum access_result
access_refuse(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_publish *publish, const struct access_refusal *refusal)
{
	const struct access_answer answer = {
	    .code = access_code(refusal),
	    .text = span_of_str(text_of(refusal)),
	};

	access->events->refused(access->arg, refusal);
	if (!access_acknowledge(
		access, publish->qos, publish->packet_id, &answer))
		return ACCESS_NO_MEMORY;
	return result == MQTT_WALK_HEAD ? ACCESS_SKIP : ACCESS_DONE;
}

bool
access_is_too_many(struct access *access, uint64_t now_ms)
{
	return access->who.rate != 0 && access->events->count != NULL &&
	       !access->events->count(
		   access->arg, ACCESS_USES_MESSAGE, &access->who, now_ms);
}

bool
access_asks_too_often(struct access *access, uint64_t now_ms)
{
	return access->events->count != NULL &&
	       !access->events->count(
		   access->arg, ACCESS_USES_QUESTION, &access->who, now_ms);
}

static bool
expect_answer(struct access *access, const struct mqtt_publish *publish)
{
	struct access_busy *busy = access_begin(access);

	return busy != NULL &&
	       access_acks_expect(&busy->acks, publish->packet_id,
		   publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC);
}

/* Passed: the broker will answer what is not at QoS 0. */
static enum access_result
let_on(struct access *access, const struct mqtt_walk_item *item,
    struct access_alias *alias)
{
	const struct mqtt_publish *publish = &item->publish;

	/* Sent again, it is the broker's from now on. */
	if (publish->qos == 2)
		access_take_refused(access, publish->packet_id);
	if (publish->qos > 0 && !expect_answer(access, publish))
		return ACCESS_NO_MEMORY;
	return access_alias_give(
		   access->events->to_broker, access->arg, item, alias)
		   ? ACCESS_DONE
		   : ACCESS_NO_MEMORY;
}

/*
 * It may be a permit's topic.  One that is sent again says what was so before
 * the connection was lost: it gives nothing, but it may take back.
 */
static void
tell_permit(struct access *access, const struct access_publishing *p)
{
	const struct policy_approval *rule;
	size_t place = 0;

	while ((rule = policy_permit_next(
		    access->who.policy, p->refusal.topic, &place)) != NULL) {
		bool is_given = p->payload.data != NULL &&
				span_is(p->payload, rule->permit_value);

		if (is_given && p->item->publish.dup)
			continue;
		access->events->permit(access->arg, rule,
		    is_given ? ACCESS_PERMIT_GIVEN : ACCESS_PERMIT_TAKEN);
	}
}

static enum access_result
let_on_telling(struct access *access, const struct access_publishing *p)
{
	if (policy_is_safe_state(p->refusal.verdict, p->refusal.why))
		access->events->stopped(access->arg, p->refusal.topic);
	else
		tell_permit(access, p);
	return let_on(access, p->item, p->alias);
}

/* What its verdict says.  A stop is not one message too many. */
static enum access_result
judge(struct access *access, struct access_publishing *p)
{
	const struct mqtt_publish *publish = &p->item->publish;
	const struct policy_message message = {
	    .topic = p->refusal.topic,
	    .qos = publish->qos,
	    .is_retained = publish->retain,
	    .size = publish->payload_len,
	    .payload = p->payload,
	};
	struct access_refusal *refusal = &p->refusal;
	bool is_too_many;

	refusal->verdict =
	    policy_publish(&access->who, &message, &refusal->why);
	is_too_many = (refusal->verdict == POLICY_ALLOWED ||
			  refusal->verdict == POLICY_APPROVAL ||
			  refusal->verdict == POLICY_BREAK_GLASS) &&
		      access_is_too_many(access, p->now_ms);
	if (is_too_many &&
	    !policy_is_safe_state(refusal->verdict, refusal->why)) {
		refusal->verdict = POLICY_ALLOWED;
		return access_refuse(access, p->result, publish, refusal);
	}
	switch (refusal->verdict) {
	case POLICY_ALLOWED:
		return let_on_telling(access, p);
	case POLICY_APPROVAL:
	case POLICY_BREAK_GLASS:
		return access_hold(access, p);
	default:
		return access_refuse(access, p->result, publish, refusal);
	}
}

enum access_result
access_publish(struct access *access, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item, uint64_t now_ms)
{
	const struct mqtt_publish *publish = &item->publish;
	struct access_publishing p = {
	    .result = result,
	    .item = item,
	    .refusal = {.action = POLICY_PUBLISH,
		.topic = publish->topic,
		.qos = publish->qos},
	    .payload = access_payload(result, item),
	    .now_ms = now_ms,
	};
	bool no_memory;

	if (publish->topic_alias != 0) {
		p.alias = follow(access, publish, MQTT_FROM_CLIENT, &no_memory);
		if (p.alias == NULL)
			return no_memory ? ACCESS_NO_MEMORY : ACCESS_BAD_ALIAS;
		p.refusal.topic = span_of(p.alias->topic, p.alias->len);
	}
	if (publish->qos > 0 && access_holds_id(access, publish->packet_id))
		return access_hold_again(access, &p);
	if (access_own_is(p.refusal.topic))
		return access_own_publish(access, &p);
	return judge(access, &p);
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

	if (publish->qos == 2) {
		struct access_busy *busy = access_begin(access);

		if (busy == NULL ||
		    !access_ids_add(&busy->withheld, publish->packet_id))
			return ACCESS_NO_MEMORY;
	}
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
		alias = follow(access, publish, MQTT_FROM_BROKER, &no_memory);
		if (alias == NULL)
			return no_memory ? ACCESS_NO_MEMORY : ACCESS_BAD_ALIAS;
		refusal.topic = span_of(alias->topic, alias->len);
	}
	/* What is the gateway's own comes from no broker. */
	if (!access_own_is(refusal.topic))
		refusal.verdict =
		    policy_deliver(&access->who, refusal.topic, &refusal.why);
	if (refusal.verdict == POLICY_ALLOWED) {
		access_take_withheld(access, publish->packet_id);
		return access_alias_give(
			   access->events->to_client, access->arg, item, alias)
			   ? ACCESS_DONE
			   : ACCESS_NO_MEMORY;
	}
	access->events->refused(access->arg, &refusal);
	return withhold(access, result, publish);
}
