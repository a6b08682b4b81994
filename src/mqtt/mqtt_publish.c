#include "mqtt_publish.h"

#include "mqtt_property.h"
#include "mqtt_topic.h"
#include "wire.h"

/*
 * A bounded reader over the packet as far as it is there: a field is read
 * where it lies within what has come, asked for where it lies within the
 * packet, and else broken.
 */
struct reader {
	const uint8_t *data;
	size_t at; /* bytes read so far */
	size_t seen; /* bytes of the packet that are there */
	uint32_t size; /* of the whole packet */
	uint32_t need; /* not 0: come back with that many bytes */
	enum mqtt_rule rule; /* that is broken */
};

/* The next `len` bytes are not there: because of what? */
static bool
missing(struct reader *r, size_t len)
{
	if (r->at + len > r->size)
		r->rule = MQTT_RULE_LENGTH;
	else
		r->need = (uint32_t)(r->at + len);
	return false;
}

/* Are the next `len` bytes there?  Sets `need` or `rule` where not. */
static inline bool
have(struct reader *r, size_t len)
{
	return r->at + len <= r->seen || missing(r, len);
}

/* The 16 bits at `at`, which have() saw. */
static inline uint16_t
peek_u16(const struct reader *r)
{
	return (uint16_t)(r->data[r->at] << 8 | r->data[r->at + 1]);
}

static inline bool
broken(struct reader *r, enum mqtt_rule rule)
{
	r->rule = rule;
	return rule != MQTT_RULE_NONE;
}

static inline bool
take_topic(struct reader *r, struct mqtt_sender from, struct mqtt_publish *p)
{
	size_t len;

	if (!have(r, 2))
		return false;
	len = peek_u16(r);
	if (!have(r, 2 + len))
		return false;
	p->topic = span_of(r->data + r->at + 2, len);
	r->at += 2 + len;
	/* In 5.0 the properties tell whether an empty one has an alias. */
	if (len == 0 && from.level == MQTT_50)
		return true;
	return !broken(
	    r, mqtt_topic_check_name(p->topic, MQTT_RULE_TOPIC_TEXT));
}

static inline bool
take_packet_id(struct reader *r, struct mqtt_publish *p)
{
	if (p->qos == 0)
		return true;
	if (!have(r, 2))
		return false;
	p->packet_id = peek_u16(r);
	r->at += 2;
	return p->packet_id != 0 || !broken(r, MQTT_RULE_PACKET_ID_ZERO);
}

/* How long the properties say they are; they may be there or not. */
static bool
take_properties_len(struct reader *r, uint32_t *len)
{
	enum mqtt_frame_result result = MQTT_FRAME_NEED_MORE;
	struct span field = {0};

	for (size_t n = 1; result == MQTT_FRAME_NEED_MORE; n++) {
		if (!have(r, n))
			return false;
		field = span_of(r->data + r->at, n);
		result = mqtt_varint_take(&field, len);
		if (result == MQTT_FRAME_READY && n != mqtt_varint_len(*len))
			return !broken(r, MQTT_RULE_VARINT_LONG);
		if (result == MQTT_FRAME_READY)
			r->at += n;
	}
	if (result == MQTT_FRAME_MALFORMED || r->at + *len > r->size)
		return !broken(r, MQTT_RULE_PROPERTY_LENGTH);
	return true;
}

static bool
take_properties(
    struct reader *r, struct mqtt_sender from, struct mqtt_publish *p)
{
	struct mqtt_property alias;
	uint32_t len = 0;

	if (have(r, 1) && r->data[r->at] == 0) {
		r->at++;
	} else {
		if (r->need != 0 || r->rule != MQTT_RULE_NONE ||
		    !take_properties_len(r, &len) || !have(r, len))
			return false;
		p->properties = span_of(r->data + r->at, len);
		r->at += len;
		if (broken(r,
			mqtt_property_check(p->properties, MQTT_PUBLISH, from)))
			return false;
		if (mqtt_property_find(p->properties, MQTT_TOPIC_ALIAS, &alias))
			p->topic_alias = (uint16_t)alias.number;
	}
	return p->topic.len > 0 || p->topic_alias > 0 ||
	       !broken(r, MQTT_RULE_TOPIC_EMPTY);
}

enum mqtt_rule
mqtt_publish_head(struct span in, const struct mqtt_frame *frame,
    struct mqtt_sender from, struct mqtt_publish *p, uint32_t *need)
{
	uint32_t size = mqtt_frame_size(frame);
	struct reader r = {
	    .data = in.data,
	    .at = frame->header_len,
	    .seen = in.len < size ? in.len : size,
	    .size = size,
	};

	*p = (struct mqtt_publish){
	    .qos = (uint8_t)((frame->flags >> 1) & 3),
	    .dup = (frame->flags & 8) != 0,
	    .retain = (frame->flags & 1) != 0,
	};
	if (take_topic(&r, from, p) && take_packet_id(&r, p) &&
	    (from.level != MQTT_50 || take_properties(&r, from, p))) {
		p->head_len = (uint32_t)r.at;
		p->payload_len = size - p->head_len;
	}
	*need = r.need;
	return r.rule;
}

bool
mqtt_publish_put_topic(const struct mqtt_frame *frame,
    const struct mqtt_publish *publish, struct span packet, struct span topic,
    struct buf *out)
{
	size_t remaining = frame->remaining - publish->topic.len + topic.len;
	size_t behind = frame->header_len + 2u + publish->topic.len;
	uint8_t varint[4];

	if (remaining > MQTT_REMAINING_MAX)
		return false;
	wire_put_u8(out, packet.data[0]);
	buf_append(out, varint, mqtt_varint_put(varint, (uint32_t)remaining));
	wire_put_string16(out, topic);
	wire_put_bytes(out, span_of(packet.data + behind, packet.len - behind));
	return !out->failed;
}
