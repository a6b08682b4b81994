#include "access_private.h"

#include "mqtt_packet.h"
#include "mqtt_property.h"

#include <stdlib.h>

/* PUBLISHes that wait until somebody else has decided. */

static uint8_t
ack_type(uint8_t qos)
{
	return qos == 1 ? MQTT_PUBACK : MQTT_PUBREC;
}

/* In the list of what is held; NULL: it is not. */
static struct access_held **
find(struct access *access, uint32_t number)
{
	struct access_held **link;

	if (access->busy == NULL)
		return NULL;
	link = &access->busy->held;
	while (*link != NULL && (*link)->number != number)
		link = &(*link)->next;
	return *link == NULL ? NULL : link;
}

static struct access_held *
find_id(const struct access *access, uint16_t packet_id)
{
	struct access_held *held = access_see(access)->held;

	while (held != NULL && (held->qos == 0 || held->packet_id != packet_id))
		held = held->next;
	return held;
}

static struct span
topic_of(const struct access_held *held)
{
	return span_of(held->bytes, held->topic_len);
}

static struct span
packet_of(const struct access_held *held)
{
	return span_of(held->bytes + held->topic_len, held->len);
}

static struct span
payload_of(const struct access_held *held)
{
	return span_of(packet_of(held).data + held->len - held->payload_len,
	    held->payload_len);
}

static void
take_out(struct access_held **link)
{
	struct access_held *held = *link;

	*link = held->next;
	free(held);
}

/* ---- beginning ---- */

static uint32_t
next_number(struct access *access)
{
	if (++access->last_number == 0)
		access->last_number = 1;
	return access->last_number;
}

/* 5.0 section 3.3.2.3.3: after so long it must not be given on. */
static uint64_t
within_ms(const struct mqtt_publish *publish)
{
	struct mqtt_property expiry;

	if (!mqtt_property_find(
		publish->properties, MQTT_MESSAGE_EXPIRY_INTERVAL, &expiry))
		return 0;
	return expiry.number == 0 ? 1 : (uint64_t)expiry.number * 1000;
}

/*
 * The packet as it came, but that an alias without a topic has it written out:
 * what it stands for may have changed when this goes on.
 */
static bool
put_packet(const struct access_publishing *p, struct buf *out)
{
	const struct mqtt_publish *publish = &p->item->publish;

	if (publish->topic.len > 0)
		return buf_append(out, p->item->bytes.data, p->item->bytes.len);
	return mqtt_publish_put_topic(
	    &p->item->frame, publish, p->item->bytes, p->refusal.topic, out);
}

static struct access_held *
make_held(const struct access_publishing *p, enum access_asking asking)
{
	const struct mqtt_publish *publish = &p->item->publish;
	bool holds = asking == ACCESS_ASKS || asking == ACCESS_BREAKS_GLASS;
	struct span topic = p->refusal.topic, kept;
	struct access_held *held = NULL;
	struct buf out;

	buf_init(&out, p->item->bytes.len + 2 * topic.len + MQTT_HEADER_MAX);
	if (!holds ||
	    (buf_append(&out, topic.data, topic.len) && put_packet(p, &out)))
		held = malloc(sizeof *held + buf_len(&out));
	if (held == NULL)
		goto done;
	*held = (struct access_held){
	    .asking = (uint8_t)asking,
	    .qos = publish->qos,
	    .packet_id = publish->packet_id,
	    .alias = publish->topic_alias,
	};
	kept = buf_span(&out);
	if (kept.len > 0) {
		held->topic_len = (uint32_t)topic.len;
		held->payload_len = publish->payload_len;
		held->len = (uint32_t)(kept.len - topic.len);
		memcpy(held->bytes, kept.data, kept.len);
	}
done:
	buf_fini(&out);
	return held;
}

static bool
append(struct access *access, struct access_held *held)
{
	struct access_busy *busy = access_begin(access);
	struct access_held **link;

	if (busy == NULL ||
	    (held->qos > 0 && !access_acks_hold(&busy->acks, held->packet_id,
				  ack_type(held->qos))))
		return false;
	held->number = next_number(access);
	link = &busy->held;
	while (*link != NULL)
		link = &(*link)->next;
	*link = held;
	return true;
}

/* Nobody can be asked: the answer takes the place that was kept for it. */
static enum access_result
give_up(struct access *access, uint32_t number)
{
	static const char text[] = "nobody can be asked now";
	const struct access_answer answer = {
	    .code = MQTT_UNSPECIFIED_ERROR, .text = span_of_str(text)};

	return access_answer(access, number, &answer);
}

static enum access_result
begin(struct access *access, const struct access_publishing *p,
    enum access_asking asking, bool waits)
{
	struct access_held *held = make_held(p, asking);
	struct access_question question = {
	    .asking = asking,
	    .topic = p->refusal.topic,
	    .payload = p->payload,
	    .qos = p->item->publish.qos,
	    .within_ms = within_ms(&p->item->publish),
	};

	/* One that the broker has still to answer has this id. */
	if (question.qos > 0 &&
	    access_acks_is_expected(&access_see(access)->acks,
		p->item->publish.packet_id, ack_type(question.qos))) {
		free(held);
		return ACCESS_BAD_PACKET_ID;
	}
	if (held == NULL || !append(access, held)) {
		free(held);
		return ACCESS_NO_MEMORY;
	}
	held->waits = waits;
	question.number = held->number;
	if (held->len > 0)
		question.rule = p->refusal.why->approval;
	if (!access->events->ask(access->arg, &question))
		return give_up(access, question.number);
	return ACCESS_DONE;
}

/* Whether there is room for one more, of so many bytes. */
static bool
has_room(const struct access *access, size_t bytes)
{
	size_t count = 0;

	for (const struct access_held *h = access_see(access)->held; h != NULL;
	     h = h->next) {
		count++;
		bytes += h->len;
	}
	return count < ACCESS_QUESTIONS_MAX &&
	       bytes <= ACCESS_HELD_ALL_MAX_BYTES;
}

static bool
one_waits(const struct access *access)
{
	for (const struct access_held *h = access_see(access)->held; h != NULL;
	     h = h->next)
		if (h->waits)
			return true;
	return false;
}

/*
 * Why it is not held.  One that is sent again was lost with an earlier
 * connection, for whatever reason there was for it then: nobody waits for it.
 */
static enum approval_cause
not_held(struct access *access, const struct access_publishing *p, bool waits)
{
	if (p->item->publish.dup)
		return APPROVAL_LINK_LOST;
	if (p->result == MQTT_WALK_HEAD ||
	    p->item->bytes.len > ACCESS_HELD_MAX_BYTES ||
	    p->refusal.topic.len > APPROVAL_TOPIC_MAX)
		return APPROVAL_TOO_LARGE;
	if ((waits && one_waits(access)) ||
	    !has_room(access, p->item->bytes.len))
		return APPROVAL_ONE_OF_N;
	return access_asks_too_often(access, p->now_ms) ? APPROVAL_TOO_OFTEN
							: APPROVAL_NONE;
}

enum access_result
access_hold(struct access *access, struct access_publishing *p)
{
	bool breaks = p->refusal.verdict == POLICY_BREAK_GLASS;
	bool waits =
	    !breaks && p->refusal.why->approval->mode != POLICY_PERMISSIVE;

	p->refusal.cause = not_held(access, p, waits);
	if (p->refusal.cause != APPROVAL_NONE)
		return access_refuse(
		    access, p->result, &p->item->publish, &p->refusal);
	return begin(
	    access, p, breaks ? ACCESS_BREAKS_GLASS : ACCESS_ASKS, waits);
}

enum access_result
access_ask(struct access *access, struct access_publishing *p,
    enum access_asking asking)
{
	if (!has_room(access, 0))
		p->refusal.cause = APPROVAL_ONE_OF_N;
	else if (access_asks_too_often(access, p->now_ms))
		p->refusal.cause = APPROVAL_TOO_OFTEN;
	else
		return begin(access, p, asking, false);
	return access_refuse(access, p->result, &p->item->publish, &p->refusal);
}

bool
access_holds_id(const struct access *access, uint16_t packet_id)
{
	return find_id(access, packet_id) != NULL;
}

enum access_result
access_hold_again(struct access *access, const struct access_publishing *p)
{
	const struct mqtt_publish *publish = &p->item->publish;
	const struct access_held *held = find_id(access, publish->packet_id);
	bool is_same = p->result != MQTT_WALK_HEAD && publish->dup &&
		       publish->qos == held->qos;

	if (is_same && held->len > 0)
		is_same = span_equal(p->refusal.topic, topic_of(held)) &&
			  span_equal(p->payload, payload_of(held));
	return is_same ? ACCESS_DONE : ACCESS_BAD_PACKET_ID;
}

/* ---- the end ---- */

/* The broker learns of an alias what this packet says, not what is so now. */
static void
note_alias(struct access_busy *busy, const struct access_held *held)
{
	struct access_aliases *aliases = &busy->from_client;

	for (uint16_t i = 0; held->alias != 0 && i < aliases->count; i++)
		if (aliases->list[i].number == held->alias)
			aliases->list[i].is_known =
			    span_equal(span_of(aliases->list[i].topic,
					   aliases->list[i].len),
				topic_of(held));
}

static bool
let_on(struct access *access, const struct access_held *held)
{
	struct access_busy *busy = access->busy; /* it stands there */

	if (held->qos > 0)
		access_acks_let_go(
		    &busy->acks, held->packet_id, ack_type(held->qos));
	if (held->qos == 2)
		access_ids_take(&busy->refused, held->packet_id);
	note_alias(busy, held);
	return access->events->to_broker(access->arg, packet_of(held));
}

static bool
keep_back(struct access *access, const struct access_held *held,
    enum approval_cause cause)
{
	const struct access_answer answer = {
	    .code = MQTT_NOT_AUTHORIZED,
	    .text = span_of_str(approval_cause_text(cause)),
	};

	return access_acknowledge(access, held->qos, held->packet_id, &answer);
}

bool
access_hold_settle(struct access *access)
{
	struct access_held **link = &access->busy->held;

	/* Before the broker has let the client in nothing gets out. */
	while (access->has_connack && *link != NULL) {
		struct access_held *held = *link;
		enum approval_cause cause;
		bool done;

		if (!held->may_go ||
		    !access->events->is_due(access->arg, held->number)) {
			link = &held->next;
			continue;
		}
		cause = access->events->let_go(access->arg, held->number);
		done = cause == APPROVAL_NONE ? let_on(access, held)
					      : keep_back(access, held, cause);
		take_out(link);
		if (!done)
			return false;
	}
	return true;
}

void
access_let_go(struct access *access, uint32_t number)
{
	struct access_held **link = find(access, number);

	if (link != NULL)
		(*link)->may_go = (*link)->len > 0;
}

enum access_result
access_answer(
    struct access *access, uint32_t number, const struct access_answer *answer)
{
	struct access_held **link = find(access, number);
	bool done;

	if (link == NULL)
		return ACCESS_DONE;
	done = access_acknowledge(
	    access, (*link)->qos, (*link)->packet_id, answer);
	take_out(link);
	return done ? ACCESS_DONE : ACCESS_NO_MEMORY;
}

void
access_hold_lose(struct access *access)
{
	struct access_busy *busy = access->busy;

	while (busy != NULL && busy->held != NULL) {
		access->events->lost(access->arg, busy->held->number);
		take_out(&busy->held);
	}
}

void
access_hold_fini(struct access_busy *busy)
{
	while (busy->held != NULL)
		take_out(&busy->held);
}
