#include "access_private.h"

#include "mqtt_packet.h"
#include "mqtt_property.h"
#include "mqtt_topic.h"

#include <stdio.h>

/*
 * Topics of the gateway's own.  No broker sees them, so that none of its
 * clients can say anything there in another's name.
 */

enum {
	OWN_TOPIC_SIZE = sizeof "$kaya/result/" + STR_NAME_MAX,
	PAYLOAD_MAX = 512, /* of an id and a reason */
	BACKLOG_MAX = 64 * 1024, /* that a client may leave unread */
};

bool
access_own_is(struct span topic)
{
	static const char first[] = "$kaya";
	const size_t len = sizeof first - 1;

	return topic.len >= len && memcmp(topic.data, first, len) == 0 &&
	       (topic.len == len || topic.data[len] == '/');
}

/* ---- publishing ---- */

static bool
asking_of(struct span topic, enum access_asking *asking)
{
	*asking = span_is(topic, "$kaya/deny") ? ACCESS_DENIES : ACCESS_AGREES;
	return *asking == ACCESS_DENIES || span_is(topic, "$kaya/approve");
}

enum access_result
access_own_publish(struct access *access, struct access_publishing *p)
{
	const struct mqtt_publish *publish = &p->item->publish;
	const struct policy_message message = {
	    .topic = p->refusal.topic,
	    .qos = publish->qos,
	    .size = publish->payload_len,
	    .payload = p->payload,
	};
	struct access_refusal *refusal = &p->refusal;
	enum access_asking asking;

	refusal->verdict = POLICY_REFUSED;
	if (asking_of(refusal->topic, &asking))
		refusal->verdict =
		    policy_publish(&access->who, &message, &refusal->why);
	if (refusal->verdict == POLICY_ALLOWED && publish->retain)
		refusal->verdict = POLICY_PROTECTED_RETAIN;
	else if (refusal->verdict == POLICY_ALLOWED &&
		 (p->payload.data == NULL || p->payload.len > PAYLOAD_MAX))
		refusal->verdict = POLICY_SIZE;
	if (refusal->verdict != POLICY_ALLOWED ||
	    access_is_too_many(access, p->now_ms))
		return access_refuse(access, p->result, publish, refusal);
	return access_ask(access, p, asking);
}

/* ---- subscribing ---- */

static struct span
topic_of(const struct access *access, enum access_own what,
    char text[OWN_TOPIC_SIZE])
{
	const struct span identity = access->who.names.identity;
	int len;

	if (what == ACCESS_OWN_PENDING)
		return span_of_str("$kaya/pending");
	len = snprintf(text, OWN_TOPIC_SIZE, "$kaya/result/%.*s",
	    (int)identity.len, (const char *)identity.data);
	return span_of(text, (size_t)len);
}

/* One's own results by name, or by + for who knows it not. */
static bool
is_filter_of(
    const struct access *access, struct span filter, enum access_own *what)
{
	char text[OWN_TOPIC_SIZE];

	for (int i = 0; i < ACCESS_OWN_COUNT; i++) {
		*what = (enum access_own)i;
		if (span_equal(filter, topic_of(access, *what, text)))
			return access->who.names.identity.len > 0;
	}
	*what = ACCESS_OWN_RESULT;
	return span_is(filter, "$kaya/result/+") &&
	       access->who.names.identity.len > 0;
}

uint8_t
access_own_subscribe(
    struct access *access, struct span filter, struct span properties)
{
	struct access_refusal refusal = {
	    .action = POLICY_SUBSCRIBE, .topic = filter};
	struct span group, plain = filter;
	struct access_busy *busy;
	char text[OWN_TOPIC_SIZE];
	struct mqtt_property id;
	enum access_own what;
	uint8_t qos = 0;

	(void)mqtt_topic_share(filter, &group, &plain);
	if (!access_own_is(plain))
		return ACCESS_ASKED;
	/* + is one's own name here, so that is what has to be permitted. */
	if (is_filter_of(access, filter, &what))
		refusal.verdict = policy_subscribe(&access->who,
		    topic_of(access, what, text), &qos, &refusal.why);
	if (refusal.verdict != POLICY_ALLOWED) {
		access->events->refused(access->arg, &refusal);
		return access_code(&refusal);
	}
	busy = access_begin(access);
	if (busy == NULL)
		return MQTT_UNSPECIFIED_ERROR;
	busy->own[what] = (struct access_own_sub){.is_on = true};
	if (access->level == MQTT_50 &&
	    mqtt_property_find(properties, MQTT_SUBSCRIPTION_IDENTIFIER, &id))
		busy->own[what].id = id.number;
	return 0; /* granted, with QoS 0 */
}

void
access_own_unsubscribe(struct access *access, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {
	    .side = MQTT_FROM_CLIENT, .level = access->level};
	struct mqtt_subscribe packet;
	struct span filter;
	enum access_own what;
	uint8_t options;

	if (access->busy == NULL ||
	    mqtt_subscribe_decode(MQTT_UNSUBSCRIBE,
		mqtt_frame_body(&item->frame, item->bytes), from,
		&packet) != MQTT_RULE_NONE)
		return;
	while (mqtt_subscribe_next(
	    MQTT_UNSUBSCRIBE, &packet.filters, &filter, &options))
		if (is_filter_of(access, filter, &what))
			access->busy->own[what].is_on = false;
}

bool
access_hears(const struct access *access)
{
	for (int i = 0; i < ACCESS_OWN_COUNT; i++)
		if (access_see(access)->own[i].is_on)
			return true;
	return false;
}

/* ---- telling ---- */

void
access_tell(struct access *access, enum access_own what, struct span rule,
    struct span payload)
{
	struct access_busy *busy = access->busy;
	const struct policy_approval *approval;
	char text[OWN_TOPIC_SIZE];
	struct mqtt_message message = {.level = access->level,
	    .payload = payload,
	    .subscription_id = access_see(access)->own[what].id,
	    .packet_max = access->client_packet_max};

	message.topic = topic_of(access, what, text);
	if (busy == NULL || !busy->own[what].is_on ||
	    policy_deliver(&access->who, message.topic, NULL) !=
		POLICY_ALLOWED ||
	    buf_len(&busy->to_client) + payload.len > BACKLOG_MAX)
		return;
	if (what == ACCESS_OWN_PENDING) {
		approval = policy_approval_named(access->who.policy, rule);
		if (approval == NULL || !policy_approval_has(&access->who,
					    approval, POLICY_PART_BY))
			return;
	}
	(void)mqtt_encode_message(&message, &busy->to_client);
}
