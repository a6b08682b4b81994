#include "access_private.h"

#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "wire.h"

#include <stdlib.h>

enum { QOS_BITS = 3, PENDING_MAX = 1024 };

/* A SUBSCRIBE while it is judged. */
struct request {
	struct mqtt_subscribe packet;
	struct access_pending *verdicts;
	struct buf filters; /* those that go on */
	uint16_t granted;
	bool is_changed; /* not all go on as they came */
};

static bool
judge_filter(struct access *access, struct request *request, uint16_t i,
    struct span filter, uint8_t options)
{
	uint8_t qos = options & QOS_BITS;
	uint8_t own =
	    access_own_subscribe(access, filter, request->packet.properties);
	struct access_refusal refusal = {
	    .action = POLICY_SUBSCRIBE, .topic = filter, .qos = qos};

	if (own != ACCESS_ASKED) {
		request->verdicts->codes[i] = own;
		request->is_changed = true;
		return true;
	}
	refusal.verdict =
	    policy_subscribe(&access->who, filter, &qos, &refusal.why);
	if (refusal.verdict != POLICY_ALLOWED) {
		access->events->refused(access->arg, &refusal);
		request->verdicts->codes[i] = access_code(&refusal);
		request->is_changed = true;
		return true;
	}
	request->is_changed =
	    request->is_changed || qos != (options & QOS_BITS);
	request->verdicts->codes[i] = ACCESS_ASKED;
	request->granted++;
	wire_put_string16(&request->filters, filter);
	wire_put_u8(&request->filters, (uint8_t)((options & ~QOS_BITS) | qos));
	return !request->filters.failed;
}

static bool
judge(struct access *access, struct request *request)
{
	struct span filters = request->packet.filters, filter;
	uint8_t options;

	for (uint16_t i = 0; i < request->packet.count; i++)
		if (!mqtt_subscribe_next(
			MQTT_SUBSCRIBE, &filters, &filter, &options) ||
		    !judge_filter(access, request, i, filter, options))
			return false;
	return true;
}

/* None of it goes on: the answer is ours alone. */
static bool
refuse_all(struct access *access, const struct request *request)
{
	return access_say_client(access,
	    &(struct mqtt_answer){.type = MQTT_SUBACK,
		.packet_id = request->packet.packet_id,
		.codes =
		    span_of(request->verdicts->codes, request->packet.count)});
}

/* What is granted, with the properties that all of it had. */
static bool
ask_for_rest(
    struct access *access, const struct request *request, uint8_t flags)
{
	const struct mqtt_subscribe *packet = &request->packet;
	size_t len = 2 + buf_len(&request->filters);
	uint8_t varint[4];
	struct buf out;
	bool done;

	if (access->level == MQTT_50)
		len += mqtt_varint_len((uint32_t)packet->properties.len) +
		       packet->properties.len;
	buf_init(&out, MQTT_HEADER_MAX + len);
	wire_put_u8(&out, (uint8_t)(MQTT_SUBSCRIBE << 4 | flags));
	buf_append(&out, varint, mqtt_varint_put(varint, (uint32_t)len));
	wire_put_u16(&out, packet->packet_id);
	if (access->level == MQTT_50) {
		buf_append(&out, varint,
		    mqtt_varint_put(varint, (uint32_t)packet->properties.len));
		wire_put_bytes(&out, packet->properties);
	}
	wire_put_bytes(&out, buf_span(&request->filters));
	done = !out.failed &&
	       access->events->to_broker(access->arg, buf_span(&out));
	buf_fini(&out);
	return done;
}

/* Some were refused: their codes go into it. */
static bool
await_suback(struct access *access, struct request *request)
{
	struct access_busy *busy = access_begin(access);

	if (busy == NULL)
		return false;
	request->verdicts->next = busy->pending;
	busy->pending = request->verdicts;
	request->verdicts = NULL;
	return true;
}

static bool
settle(struct access *access, struct request *request,
    const struct mqtt_walk_item *item)
{
	if (!judge(access, request))
		return false;
	if (!request->is_changed)
		return access->events->to_broker(access->arg, item->bytes);
	if (request->granted == 0)
		return refuse_all(access, request);
	if (!ask_for_rest(access, request, item->frame.flags))
		return false;
	return request->granted == request->packet.count ||
	       await_suback(access, request);
}

static size_t
count_pending(const struct access *access)
{
	size_t count = 0;

	for (const struct access_pending *p = access_see(access)->pending;
	     p != NULL; p = p->next)
		count++;
	return count;
}

enum access_result
access_subscribe(struct access *access, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {
	    .side = MQTT_FROM_CLIENT, .level = access->level};
	struct request request = {.granted = 0};
	bool done;

	if (mqtt_subscribe_decode(MQTT_SUBSCRIBE,
		mqtt_frame_body(&item->frame, item->bytes), from,
		&request.packet) != MQTT_RULE_NONE ||
	    request.packet.count == UINT16_MAX ||
	    count_pending(access) == PENDING_MAX)
		return ACCESS_NO_MEMORY;
	request.verdicts =
	    malloc(sizeof *request.verdicts + request.packet.count);
	if (request.verdicts == NULL)
		return ACCESS_NO_MEMORY;
	*request.verdicts =
	    (struct access_pending){.packet_id = request.packet.packet_id,
		.count = request.packet.count};
	buf_init(&request.filters, item->bytes.len);
	done = settle(access, &request, item);
	buf_fini(&request.filters);
	free(request.verdicts);
	return done ? ACCESS_DONE : ACCESS_NO_MEMORY;
}

/* ---- the broker's answer ---- */

static struct access_pending *
take_pending(struct access *access, uint16_t packet_id)
{
	struct access_pending **link, *found;

	if (access->busy == NULL)
		return NULL;
	link = &access->busy->pending;
	while (*link != NULL && (*link)->packet_id != packet_id)
		link = &(*link)->next;
	found = *link;
	if (found != NULL)
		*link = found->next;
	return found;
}

/* Before 5.0 there is one code for whatever was refused. */
static uint8_t
suback_code(const struct access *access, uint8_t code)
{
	return access->level == MQTT_50 || code < MQTT_UNSPECIFIED_ERROR
		   ? code
		   : MQTT_UNSPECIFIED_ERROR;
}

static bool
merge(struct access *access, const struct mqtt_suback *suback,
    const struct access_pending *pending, uint8_t flags)
{
	size_t len = 2u + pending->count, next = 0;
	uint8_t varint[4];
	struct buf out;
	bool done;

	if (access->level == MQTT_50)
		len += mqtt_varint_len((uint32_t)suback->properties.len) +
		       suback->properties.len;
	buf_init(&out, MQTT_HEADER_MAX + len);
	wire_put_u8(&out, (uint8_t)(MQTT_SUBACK << 4 | flags));
	buf_append(&out, varint, mqtt_varint_put(varint, (uint32_t)len));
	wire_put_u16(&out, suback->packet_id);
	if (access->level == MQTT_50) {
		buf_append(&out, varint,
		    mqtt_varint_put(varint, (uint32_t)suback->properties.len));
		wire_put_bytes(&out, suback->properties);
	}
	for (uint16_t i = 0; i < pending->count; i++) {
		uint8_t code = suback_code(access, pending->codes[i]);

		/* A broker that says too little has granted nothing. */
		if (pending->codes[i] == ACCESS_ASKED)
			code = next < suback->codes.len
				   ? suback->codes.data[next++]
				   : MQTT_UNSPECIFIED_ERROR;
		wire_put_u8(&out, code);
	}
	done = !out.failed &&
	       access->events->to_client(access->arg, buf_span(&out));
	buf_fini(&out);
	return done;
}

enum access_result
access_suback(struct access *access, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {
	    .side = MQTT_FROM_BROKER, .level = access->level};
	struct access_pending *pending = NULL;
	struct mqtt_suback suback;
	bool done;

	if (mqtt_suback_decode(MQTT_SUBACK,
		mqtt_frame_body(&item->frame, item->bytes), from,
		&suback) == MQTT_RULE_NONE)
		pending = take_pending(access, suback.packet_id);
	if (pending == NULL)
		done = access->events->to_client(access->arg, item->bytes);
	else
		done = merge(access, &suback, pending, item->frame.flags);
	free(pending);
	return done ? ACCESS_DONE : ACCESS_NO_MEMORY;
}
