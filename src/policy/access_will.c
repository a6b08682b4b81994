#include "access_private.h"

#include <stdlib.h>

/* A safe state is a word; longer payloads are not worth their memory. */
enum { PAYLOAD_MAX = 64 };

bool
access_will_keep(struct access *access, const struct mqtt_connect *connect)
{
	struct span topic = connect->will_topic;
	struct span payload = connect->will_payload;
	bool has_payload = payload.len <= PAYLOAD_MAX;
	struct access_will *will =
	    malloc(sizeof *will + topic.len + (has_payload ? payload.len : 0));

	if (will == NULL)
		return false;
	*will = (struct access_will){.qos = connect->will_qos,
	    .is_retained = connect->will_retain,
	    .has_payload = has_payload,
	    .topic_len = (uint16_t)topic.len,
	    .size = (uint32_t)payload.len};
	if (topic.len > 0)
		memcpy(will->bytes, topic.data, topic.len);
	if (has_payload && payload.len > 0)
		memcpy(will->bytes + topic.len, payload.data, payload.len);
	free(access->will);
	access->will = will;
	return true;
}

bool
access_will_may_stay(struct access *access)
{
	const struct access_will *will = access->will;
	struct policy_message message;
	struct access_refusal refusal = {.action = POLICY_PUBLISH};

	if (will == NULL)
		return true;
	message = (struct policy_message){
	    .topic = span_of(will->bytes, will->topic_len),
	    .qos = will->qos,
	    .is_retained = will->is_retained,
	    .size = will->size,
	};
	if (will->has_payload)
		message.payload =
		    span_of(will->bytes + will->topic_len, will->size);
	refusal.topic = message.topic;
	refusal.qos = will->qos;
	if (!access_own_is(message.topic))
		refusal.verdict =
		    policy_publish(&access->who, &message, &refusal.why);
	if (refusal.verdict == POLICY_ALLOWED)
		return true;
	access->events->refused(access->arg, &refusal);
	return false;
}
