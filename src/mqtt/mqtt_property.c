#include "mqtt_property.h"

#include "mqtt_text.h"
#include "wire.h"

#define M(type) MQTT_MASK(MQTT_##type)

enum {
	MESSAGE = M(PUBLISH) | M(WILL),
	ACKS = M(PUBACK) | M(PUBREC) | M(PUBREL) | M(PUBCOMP),
	ANSWERS = ACKS | M(SUBACK) | M(UNSUBACK) | M(CONNACK) | M(DISCONNECT) |
		  M(AUTH),
	HANDSHAKE = M(CONNECT) | M(CONNACK),
	ANY = MESSAGE | ANSWERS | HANDSHAKE | M(SUBSCRIBE) | M(UNSUBSCRIBE),
};

#define ROW(id, name, kind, bound, packets, repeats_in)                        \
	[MQTT_##id] = {                                                        \
	    name, MQTT_KIND_##kind, MQTT_BOUND_##bound, packets, repeats_in}

static const struct mqtt_property_row rows[MQTT_PROPERTY_IDS] = {
    ROW(PAYLOAD_FORMAT_INDICATOR, "Payload Format Indicator", BYTE, FLAG,
	MESSAGE, 0),
    ROW(MESSAGE_EXPIRY_INTERVAL, "Message Expiry Interval", U32, NONE, MESSAGE,
	0),
    ROW(CONTENT_TYPE, "Content Type", TEXT, NONE, MESSAGE, 0),
    ROW(RESPONSE_TOPIC, "Response Topic", TEXT, NONE, MESSAGE, 0),
    ROW(CORRELATION_DATA, "Correlation Data", BINARY, NONE, MESSAGE, 0),
    ROW(SUBSCRIPTION_IDENTIFIER, "Subscription Identifier", VARINT, NOT_ZERO,
	M(PUBLISH) | M(SUBSCRIBE), M(PUBLISH)),
    ROW(SESSION_EXPIRY_INTERVAL, "Session Expiry Interval", U32, NONE,
	HANDSHAKE | M(DISCONNECT), 0),
    ROW(ASSIGNED_CLIENT_IDENTIFIER, "Assigned Client Identifier", TEXT, NONE,
	M(CONNACK), 0),
    ROW(SERVER_KEEP_ALIVE, "Server Keep Alive", U16, NONE, M(CONNACK), 0),
    ROW(AUTHENTICATION_METHOD, "Authentication Method", TEXT, NONE,
	HANDSHAKE | M(AUTH), 0),
    ROW(AUTHENTICATION_DATA, "Authentication Data", BINARY, NONE,
	HANDSHAKE | M(AUTH), 0),
    ROW(REQUEST_PROBLEM_INFORMATION, "Request Problem Information", BYTE, FLAG,
	M(CONNECT), 0),
    ROW(WILL_DELAY_INTERVAL, "Will Delay Interval", U32, NONE, M(WILL), 0),
    ROW(REQUEST_RESPONSE_INFORMATION, "Request Response Information", BYTE,
	FLAG, M(CONNECT), 0),
    ROW(RESPONSE_INFORMATION, "Response Information", TEXT, NONE, M(CONNACK),
	0),
    ROW(SERVER_REFERENCE, "Server Reference", TEXT, NONE,
	M(CONNACK) | M(DISCONNECT), 0),
    ROW(REASON_STRING, "Reason String", TEXT, NONE, ANSWERS, 0),
    ROW(RECEIVE_MAXIMUM, "Receive Maximum", U16, NOT_ZERO, HANDSHAKE, 0),
    ROW(TOPIC_ALIAS_MAXIMUM, "Topic Alias Maximum", U16, NONE, HANDSHAKE, 0),
    ROW(TOPIC_ALIAS, "Topic Alias", U16, NONE, M(PUBLISH), 0),
    ROW(MAXIMUM_QOS, "Maximum QoS", BYTE, FLAG, M(CONNACK), 0),
    ROW(RETAIN_AVAILABLE, "Retain Available", BYTE, FLAG, M(CONNACK), 0),
    ROW(USER_PROPERTY, "User Property", PAIR, NONE, ANY, ANY),
    ROW(MAXIMUM_PACKET_SIZE, "Maximum Packet Size", U32, NOT_ZERO, HANDSHAKE,
	0),
    ROW(WILDCARD_SUBSCRIPTION_AVAILABLE, "Wildcard Subscription Available",
	BYTE, FLAG, M(CONNACK), 0),
    ROW(SUBSCRIPTION_IDENTIFIER_AVAILABLE, "Subscription Identifier Available",
	BYTE, FLAG, M(CONNACK), 0),
    ROW(SHARED_SUBSCRIPTION_AVAILABLE, "Shared Subscription Available", BYTE,
	FLAG, M(CONNACK), 0),
};

const struct mqtt_property_row *
mqtt_property_row(uint8_t id)
{
	static const struct mqtt_property_row none;

	return id < MQTT_PROPERTY_IDS ? &rows[id] : &none;
}

/* The value of `p`, whose kind is known, from the front of `in`. */
static bool
take_value(struct span *in, struct mqtt_property *p)
{
	uint8_t u8;
	uint16_t u16;

	switch (p->kind) {
	case MQTT_KIND_BYTE:
		if (!wire_take_u8(in, &u8))
			return false;
		p->number = u8;
		return true;
	case MQTT_KIND_U16:
		if (!wire_take_u16(in, &u16))
			return false;
		p->number = u16;
		return true;
	case MQTT_KIND_U32:
		return wire_take_u32(in, &p->number);
	case MQTT_KIND_VARINT:
		return mqtt_varint_take(in, &p->number) == MQTT_FRAME_READY;
	case MQTT_KIND_PAIR:
		return wire_take_string16(in, &p->text) &&
		       wire_take_string16(in, &p->value);
	default:
		return wire_take_string16(in, &p->text);
	}
}

bool
mqtt_property_next(struct span *properties, struct mqtt_property *found)
{
	*found = (struct mqtt_property){0};
	if (!wire_take_u8(properties, &found->id))
		return false;
	found->kind = mqtt_property_row(found->id)->kind;
	return found->kind != MQTT_KIND_NONE && take_value(properties, found);
}

bool
mqtt_property_find(
    struct span properties, uint8_t id, struct mqtt_property *found)
{
	while (mqtt_property_next(&properties, found)) {
		if (found->id == id)
			return true;
	}
	return false;
}

/* Rules for one property beyond its type. */
static enum mqtt_rule
check_special(
    const struct mqtt_property *p, uint8_t packet, struct mqtt_sender from)
{
	switch (p->id) {
	case MQTT_TOPIC_ALIAS:
		return p->number == 0 ? MQTT_RULE_TOPIC_ALIAS_ZERO
				      : MQTT_RULE_NONE;
	case MQTT_SUBSCRIPTION_IDENTIFIER:
		return packet == MQTT_PUBLISH && from.side == MQTT_FROM_CLIENT
			   ? MQTT_RULE_SUBSCRIPTION_ID_SENDER
			   : MQTT_RULE_NONE;
	case MQTT_SESSION_EXPIRY_INTERVAL:
		return packet == MQTT_DISCONNECT &&
			       from.side == MQTT_FROM_BROKER
			   ? MQTT_RULE_SESSION_EXPIRY_SENDER
			   : MQTT_RULE_NONE;
	case MQTT_RESPONSE_TOPIC:
		return (mqtt_text_scan(p->text) & MQTT_TEXT_WILDCARD) != 0
			   ? MQTT_RULE_RESPONSE_TOPIC_WILDCARD
			   : MQTT_RULE_NONE;
	default:
		return MQTT_RULE_NONE;
	}
}

static enum mqtt_rule
check_value(const struct mqtt_property *p)
{
	uint8_t bound = rows[p->id].bound;
	enum mqtt_rule rule;

	if ((bound == MQTT_BOUND_FLAG && p->number > 1) ||
	    (bound == MQTT_BOUND_NOT_ZERO && p->number == 0))
		return MQTT_RULE_PROPERTY_VALUE;
	if (p->kind == MQTT_KIND_TEXT)
		return mqtt_text_check(p->text, MQTT_RULE_PROPERTY_TEXT);
	if (p->kind != MQTT_KIND_PAIR)
		return MQTT_RULE_NONE;
	rule = mqtt_text_check(p->text, MQTT_RULE_PROPERTY_PAIR);
	return rule != MQTT_RULE_NONE
		   ? rule
		   : mqtt_text_check(p->value, MQTT_RULE_PROPERTY_PAIR);
}

static enum mqtt_rule
check_one(struct span *in, uint8_t packet, struct mqtt_sender from,
    struct mqtt_property *p)
{
	struct span value = *in;
	enum mqtt_rule rule;

	/* An identifier is a varint too, but every known one has one byte. */
	if (!mqtt_property_next(in, p))
		return p->kind == MQTT_KIND_NONE ? MQTT_RULE_PROPERTY_UNKNOWN
						 : MQTT_RULE_PROPERTY_LENGTH;
	if ((rows[p->id].packets & MQTT_MASK(packet)) == 0)
		return MQTT_RULE_PROPERTY_PACKET;
	if (p->kind == MQTT_KIND_VARINT &&
	    value.len - in->len != 1u + mqtt_varint_len(p->number))
		return MQTT_RULE_VARINT_LONG;
	rule = check_value(p);
	return rule != MQTT_RULE_NONE ? rule : check_special(p, packet, from);
}

enum mqtt_rule
mqtt_property_check(
    struct span properties, uint8_t packet, struct mqtt_sender from)
{
	uint64_t seen = 0;
	const uint64_t method = UINT64_C(1) << MQTT_AUTHENTICATION_METHOD;
	const uint64_t data = UINT64_C(1) << MQTT_AUTHENTICATION_DATA;

	while (properties.len > 0) {
		struct mqtt_property p;
		enum mqtt_rule rule = check_one(&properties, packet, from, &p);
		uint64_t bit = UINT64_C(1) << (p.id & 63);

		if (rule != MQTT_RULE_NONE)
			return rule;
		if ((seen & bit) != 0 &&
		    (rows[p.id].repeats_in & MQTT_MASK(packet)) == 0)
			return MQTT_RULE_PROPERTY_TWICE;
		seen |= bit;
	}
	return (seen & (method | data)) == data ? MQTT_RULE_AUTH_DATA_ALONE
						: MQTT_RULE_NONE;
}

enum mqtt_rule
mqtt_property_take(struct span *in, uint8_t packet, struct mqtt_sender from,
    struct span *properties)
{
	size_t before = in->len;
	uint32_t len;

	if (mqtt_varint_take(in, &len) != MQTT_FRAME_READY)
		return MQTT_RULE_PROPERTY_LENGTH;
	if (before - in->len != mqtt_varint_len(len))
		return MQTT_RULE_VARINT_LONG;
	if (!wire_take_bytes(in, len, properties))
		return MQTT_RULE_PROPERTY_LENGTH;
	return len == 0 ? MQTT_RULE_NONE
			: mqtt_property_check(*properties, packet, from);
}
