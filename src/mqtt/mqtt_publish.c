#include "mqtt_publish.h"

#include "mqtt_property.h"
#include "mqtt_topic.h"
#include "wire.h"

/*
 * The packet as far as it is there: a field is taken where it lies within what
 * has come, asked for where it lies within the packet, and else broken.
 */
struct reader {
	struct span in; /* what has come, not yet read */
	size_t had; /* bytes read so far */
	uint32_t size; /* of the whole packet */
	uint32_t need; /* not 0: come back with that many bytes */
};

/* Are the next `len` bytes there?  Sets `need`, or the rule that is broken. */
static bool
have(struct reader *r, size_t len, enum mqtt_rule *rule)
{
	if (r->in.len >= len && r->had + len <= r->size)
		return true;
	if (r->had + len > r->size)
		*rule = MQTT_RULE_LENGTH;
	else
		r->need = (uint32_t)(r->had + len);
	return false;
}

static struct span
take(struct reader *r, size_t len)
{
	struct span value = {0};

	if (wire_take_bytes(&r->in, len, &value))
		r->had += len;
	return value;
}

static bool
take_topic(struct reader *r, struct mqtt_sender from, struct mqtt_publish *p,
    enum mqtt_rule *rule)
{
	uint16_t len = 0;
	struct span peek = r->in;

	if (!have(r, 2, rule))
		return false;
	wire_take_u16(&peek, &len);
	if (!have(r, 2u + len, rule))
		return false;
	take(r, 2);
	p->topic = take(r, len);
	/* In 5.0 the properties tell whether an empty one has an alias. */
	if (len > 0 || from.level != MQTT_50)
		*rule = mqtt_topic_check_name(p->topic, MQTT_RULE_TOPIC_TEXT);
	return *rule == MQTT_RULE_NONE;
}

static bool
take_packet_id(struct reader *r, struct mqtt_publish *p, enum mqtt_rule *rule)
{
	struct span field;

	if (p->qos == 0)
		return true;
	if (!have(r, 2, rule))
		return false;
	field = take(r, 2);
	wire_take_u16(&field, &p->packet_id);
	if (p->packet_id == 0)
		*rule = MQTT_RULE_PACKET_ID_ZERO;
	return *rule == MQTT_RULE_NONE;
}

static bool
take_properties(struct reader *r, struct mqtt_sender from,
    struct mqtt_publish *p, enum mqtt_rule *rule)
{
	struct span peek;
	uint32_t len = 0;
	struct mqtt_property alias;
	enum mqtt_frame_result result = MQTT_FRAME_NEED_MORE;

	for (size_t n = 1; result == MQTT_FRAME_NEED_MORE; n++) {
		if (!have(r, n, rule))
			return false;
		peek = span_of(r->in.data, n);
		result = mqtt_varint_take(&peek, &len);
	}
	if (result == MQTT_FRAME_MALFORMED) {
		*rule = MQTT_RULE_PROPERTY_LENGTH;
		return false;
	}
	if (r->had + mqtt_varint_len(len) + len > r->size) {
		*rule = MQTT_RULE_PROPERTY_LENGTH;
		return false;
	}
	if (!have(r, mqtt_varint_len(len) + (size_t)len, rule))
		return false;
	peek = r->in;
	*rule = mqtt_property_take(&peek, MQTT_PUBLISH, from, &p->properties);
	take(r, r->in.len - peek.len);
	if (*rule == MQTT_RULE_NONE && p->properties.len > 0 &&
	    mqtt_property_find(p->properties, MQTT_TOPIC_ALIAS, &alias))
		p->topic_alias = (uint16_t)alias.number;
	if (*rule == MQTT_RULE_NONE && p->topic.len == 0 && p->topic_alias == 0)
		*rule = MQTT_RULE_TOPIC_EMPTY;
	return *rule == MQTT_RULE_NONE;
}

enum mqtt_rule
mqtt_publish_head(struct span in, const struct mqtt_frame *frame,
    struct mqtt_sender from, struct mqtt_publish *p, uint32_t *need)
{
	struct reader r = {.in = in, .size = mqtt_frame_size(frame)};
	enum mqtt_rule rule = MQTT_RULE_NONE;

	*p = (struct mqtt_publish){
	    .qos = (uint8_t)((frame->flags >> 1) & 3),
	    .dup = (frame->flags & 8) != 0,
	    .retain = (frame->flags & 1) != 0,
	};
	take(&r, frame->header_len);
	if (take_topic(&r, from, p, &rule) && take_packet_id(&r, p, &rule) &&
	    (from.level != MQTT_50 || take_properties(&r, from, p, &rule))) {
		p->head_len = (uint32_t)r.had;
		p->payload_len = r.size - p->head_len;
	}
	*need = r.need;
	return rule;
}
