#include "mqtt_packet.h"

#include "mqtt_connect.h"
#include "mqtt_property.h"
#include "mqtt_reason.h"
#include "mqtt_text.h"
#include "mqtt_topic.h"
#include "wire.h"

/* The options byte behind each filter of a SUBSCRIBE. */
enum {
	QOS = 0x03,
	NO_LOCAL = 0x04,
	RETAIN_HANDLING = 0x30,
	RESERVED_50 = 0xc0,
	RESERVED_311 = 0xfc
};

enum { RETURN_CODE_MAX = 5, FAILURE = 0x80 };

static enum mqtt_rule
take_packet_id(struct span *in, uint16_t *packet_id)
{
	if (!wire_take_u16(in, packet_id))
		return MQTT_RULE_LENGTH;
	return *packet_id == 0 ? MQTT_RULE_PACKET_ID_ZERO : MQTT_RULE_NONE;
}

static enum mqtt_rule
at_end(struct span in)
{
	return in.len == 0 ? MQTT_RULE_NONE : MQTT_RULE_SURPLUS;
}

/* Packet id, and properties in 5.0. */
static enum mqtt_rule
take_start(uint8_t type, struct span *in, struct mqtt_sender from,
    uint16_t *packet_id, struct span *properties)
{
	enum mqtt_rule rule = take_packet_id(in, packet_id);

	if (rule != MQTT_RULE_NONE || from.level != MQTT_50)
		return rule;
	return mqtt_property_take(in, type, from, properties);
}

/* How a broker before 5.0 refuses 5.0: MQTT-3.1.2-2 of 3.1.1. */
static const struct span old_refusal = {(const uint8_t *)"\0\1", 2};

enum mqtt_rule
mqtt_connack_decode(
    struct span body, struct mqtt_sender from, struct mqtt_connack *c)
{
	enum mqtt_rule rule = MQTT_RULE_NONE;
	uint8_t flags;

	*c = (struct mqtt_connack){0};
	if (from.level == MQTT_50 && span_equal(body, old_refusal)) {
		c->code = MQTT_UNSUPPORTED_VERSION;
		return MQTT_RULE_NONE;
	}
	if (!wire_take_u8(&body, &flags) || !wire_take_u8(&body, &c->code))
		return MQTT_RULE_LENGTH;
	/* 3.1 does not use the first byte. */
	if (from.level == MQTT_31)
		flags = 0;
	if ((flags & ~1) != 0)
		return MQTT_RULE_CONNACK_FLAGS;
	c->session_present = flags == 1;
	if (from.level == MQTT_50 ? !mqtt_reason_fits(c->code, MQTT_CONNACK)
				  : c->code > RETURN_CODE_MAX)
		return MQTT_RULE_CONNACK_CODE;
	if (c->session_present && c->code != 0)
		return MQTT_RULE_CONNACK_SESSION;
	if (from.level == MQTT_50)
		rule = mqtt_property_take(
		    &body, MQTT_CONNACK, from, &c->properties);
	return rule != MQTT_RULE_NONE ? rule : at_end(body);
}

enum mqtt_rule
mqtt_ack_decode(uint8_t type, struct span body, struct mqtt_sender from,
    struct mqtt_ack *ack)
{
	static const enum mqtt_rule code_rules[MQTT_TYPES] = {
	    [MQTT_PUBACK] = MQTT_RULE_PUBACK_CODE,
	    [MQTT_PUBREC] = MQTT_RULE_PUBREC_CODE,
	    [MQTT_PUBREL] = MQTT_RULE_PUBREL_CODE,
	    [MQTT_PUBCOMP] = MQTT_RULE_PUBCOMP_CODE,
	};
	enum mqtt_rule rule;

	*ack = (struct mqtt_ack){0};
	rule = take_packet_id(&body, &ack->packet_id);
	if (rule != MQTT_RULE_NONE || from.level != MQTT_50 || body.len == 0)
		return rule != MQTT_RULE_NONE ? rule : at_end(body);
	wire_take_u8(&body, &ack->code);
	if (!mqtt_reason_fits(ack->code, type))
		return code_rules[type];
	if (body.len > 0)
		rule = mqtt_property_take(&body, type, from, &ack->properties);
	return rule != MQTT_RULE_NONE ? rule : at_end(body);
}

bool
mqtt_subscribe_next(
    uint8_t type, struct span *filters, struct span *filter, uint8_t *options)
{
	*options = 0;
	return wire_take_string16(filters, filter) &&
	       (type == MQTT_UNSUBSCRIBE || wire_take_u8(filters, options));
}

static enum mqtt_rule
check_options(uint8_t options, struct span filter, uint8_t level)
{
	struct span group;

	if ((level == MQTT_50 && (options & RESERVED_50) != 0) ||
	    (level == MQTT_311 && (options & RESERVED_311) != 0))
		return MQTT_RULE_SUBSCRIBE_OPTIONS;
	if ((options & QOS) == QOS)
		return MQTT_RULE_SUBSCRIBE_QOS_3;
	if (level != MQTT_50)
		return MQTT_RULE_NONE;
	if ((options & RETAIN_HANDLING) == RETAIN_HANDLING)
		return MQTT_RULE_RETAIN_HANDLING_3;
	if ((options & NO_LOCAL) != 0 &&
	    mqtt_topic_share(filter, &group, &filter) == MQTT_SHARE_GROUP)
		return MQTT_RULE_NO_LOCAL_SHARED;
	return MQTT_RULE_NONE;
}

enum mqtt_rule
mqtt_subscribe_decode(uint8_t type, struct span body, struct mqtt_sender from,
    struct mqtt_subscribe *s)
{
	bool subscribe = type == MQTT_SUBSCRIBE;
	enum mqtt_rule rule;

	*s = (struct mqtt_subscribe){0};
	rule = take_start(type, &body, from, &s->packet_id, &s->properties);
	if (rule != MQTT_RULE_NONE)
		return rule;
	s->filters = body;
	if (body.len == 0)
		return subscribe ? MQTT_RULE_SUBSCRIBE_EMPTY
				 : MQTT_RULE_UNSUBSCRIBE_EMPTY;
	while (body.len > 0) {
		struct span filter;
		uint8_t options;

		if (!mqtt_subscribe_next(type, &body, &filter, &options))
			return MQTT_RULE_LENGTH;
		rule = mqtt_topic_check_filter(filter, from.level,
		    subscribe ? MQTT_RULE_SUBSCRIBE_TEXT
			      : MQTT_RULE_UNSUBSCRIBE_TEXT);
		if (rule == MQTT_RULE_NONE)
			rule = check_options(options, filter, from.level);
		if (rule != MQTT_RULE_NONE)
			return rule;
		if (s->count < UINT16_MAX)
			s->count++;
	}
	return MQTT_RULE_NONE;
}

/* Is `code` one that SUBACK or UNSUBACK of this level has? */
static bool
suback_code_fits(uint8_t code, uint8_t type, uint8_t level)
{
	if (level == MQTT_50)
		return mqtt_reason_fits(code, type);
	/* 3.1 has no failure, but brokers send it to 3.1 clients as well. */
	return code <= 2 || code == FAILURE;
}

enum mqtt_rule
mqtt_suback_decode(uint8_t type, struct span body, struct mqtt_sender from,
    struct mqtt_suback *s)
{
	bool sub = type == MQTT_SUBACK;
	enum mqtt_rule rule;

	*s = (struct mqtt_suback){0};
	rule = take_start(type, &body, from, &s->packet_id, &s->properties);
	if (rule != MQTT_RULE_NONE)
		return rule;
	if (!sub && from.level != MQTT_50)
		return at_end(body);
	s->codes = body;
	if (body.len == 0)
		return sub ? MQTT_RULE_SUBACK_EMPTY : MQTT_RULE_UNSUBACK_EMPTY;
	for (size_t i = 0; i < body.len; i++) {
		if (!suback_code_fits(body.data[i], type, from.level))
			return sub ? MQTT_RULE_SUBACK_CODE
				   : MQTT_RULE_UNSUBACK_CODE;
	}
	return MQTT_RULE_NONE;
}

enum mqtt_rule
mqtt_end_decode(uint8_t type, struct span body, struct mqtt_sender from,
    struct mqtt_end *end)
{
	struct mqtt_property method;
	enum mqtt_rule rule = MQTT_RULE_NONE;

	*end = (struct mqtt_end){0};
	if (from.level != MQTT_50)
		return at_end(body);
	if (!wire_take_u8(&body, &end->code))
		return MQTT_RULE_NONE;
	if (!mqtt_reason_fits(end->code, type))
		return type == MQTT_AUTH ? MQTT_RULE_AUTH_CODE
					 : MQTT_RULE_DISCONNECT_CODE;
	if (body.len > 0)
		rule = mqtt_property_take(&body, type, from, &end->properties);
	if (rule != MQTT_RULE_NONE)
		return rule;
	if (type == MQTT_AUTH && !mqtt_property_find(end->properties,
				     MQTT_AUTHENTICATION_METHOD, &method))
		return MQTT_RULE_AUTH_METHOD_MISSING;
	return at_end(body);
}

enum mqtt_rule
mqtt_packet_check(
    const struct mqtt_frame *frame, struct span body, struct mqtt_sender from)
{
	union {
		struct mqtt_connect connect;
		struct mqtt_connack connack;
		struct mqtt_ack ack;
		struct mqtt_subscribe subscribe;
		struct mqtt_suback suback;
		struct mqtt_end end;
	} u;

	switch (frame->type) {
	case MQTT_CONNECT:
		return mqtt_connect_decode(frame, body, &u.connect);
	case MQTT_CONNACK:
		return mqtt_connack_decode(body, from, &u.connack);
	case MQTT_PUBACK:
	case MQTT_PUBREC:
	case MQTT_PUBREL:
	case MQTT_PUBCOMP:
		return mqtt_ack_decode(frame->type, body, from, &u.ack);
	case MQTT_SUBSCRIBE:
	case MQTT_UNSUBSCRIBE:
		return mqtt_subscribe_decode(
		    frame->type, body, from, &u.subscribe);
	case MQTT_SUBACK:
	case MQTT_UNSUBACK:
		return mqtt_suback_decode(frame->type, body, from, &u.suback);
	case MQTT_DISCONNECT:
	case MQTT_AUTH:
		return mqtt_end_decode(frame->type, body, from, &u.end);
	default:
		/* PINGREQ and PINGRESP; PUBLISH is mqtt_publish's. */
		return at_end(body);
	}
}
