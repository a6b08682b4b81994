#include "mqtt_frame.h"

#include "wire.h"

enum { CLIENT = 1, BROKER = 2, BROKER_50 = 4, LEVEL_50 = 8 };

/* Who may send it, the flags it must have, and the rule where it has others. */
static const struct {
	const char *name;
	uint8_t senders;
	uint8_t flags;
	enum mqtt_rule rule;
} types[MQTT_TYPES] = {
    [MQTT_WILL] = {"reserved", 0, 0, MQTT_RULE_FLAGS},
    [MQTT_CONNECT] = {"CONNECT", CLIENT, 0, MQTT_RULE_FLAGS},
    [MQTT_CONNACK] = {"CONNACK", BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_PUBLISH] = {"PUBLISH", CLIENT | BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_PUBACK] = {"PUBACK", CLIENT | BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_PUBREC] = {"PUBREC", CLIENT | BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_PUBREL] = {"PUBREL", CLIENT | BROKER, 2, MQTT_RULE_FLAGS_PUBREL},
    [MQTT_PUBCOMP] = {"PUBCOMP", CLIENT | BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_SUBSCRIBE] = {"SUBSCRIBE", CLIENT, 2, MQTT_RULE_FLAGS_SUBSCRIBE},
    [MQTT_SUBACK] = {"SUBACK", BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_UNSUBSCRIBE] = {"UNSUBSCRIBE", CLIENT, 2,
	MQTT_RULE_FLAGS_UNSUBSCRIBE},
    [MQTT_UNSUBACK] = {"UNSUBACK", BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_PINGREQ] = {"PINGREQ", CLIENT, 0, MQTT_RULE_FLAGS},
    [MQTT_PINGRESP] = {"PINGRESP", BROKER, 0, MQTT_RULE_FLAGS},
    [MQTT_DISCONNECT] = {"DISCONNECT", CLIENT | BROKER_50, 0,
	MQTT_RULE_FLAGS_DISCONNECT},
    [MQTT_AUTH] = {"AUTH", CLIENT | BROKER | LEVEL_50, 0, MQTT_RULE_FLAGS_AUTH},
};

uint8_t
mqtt_varint_put(uint8_t bytes[4], uint32_t value)
{
	uint8_t len = mqtt_varint_len(value);

	for (uint8_t i = 0; i < len; i++) {
		bytes[i] = (uint8_t)((value & 0x7f) | (i + 1 < len ? 0x80 : 0));
		value >>= 7;
	}
	return len;
}

struct span
mqtt_frame_body(const struct mqtt_frame *frame, struct span packet)
{
	struct span header, body = {0};

	if (wire_take_bytes(&packet, frame->header_len, &header))
		wire_take_bytes(&packet, frame->remaining, &body);
	return body;
}

enum mqtt_rule
mqtt_frame_check_type(uint8_t type, struct mqtt_sender from)
{
	uint8_t senders = types[type].senders;

	if (senders == 0 ||
	    ((senders & LEVEL_50) != 0 && from.level != MQTT_50))
		return MQTT_RULE_TYPE_RESERVED;
	if (from.side == MQTT_FROM_CLIENT)
		return (senders & CLIENT) != 0 ? MQTT_RULE_NONE
					       : MQTT_RULE_TYPE_SENDER;
	if ((senders & BROKER) != 0 ||
	    ((senders & BROKER_50) != 0 && from.level == MQTT_50))
		return MQTT_RULE_NONE;
	return MQTT_RULE_TYPE_SENDER;
}

enum mqtt_rule
mqtt_frame_check_flags(const struct mqtt_frame *frame, struct mqtt_sender from)
{
	if (frame->type == MQTT_PUBLISH) {
		if ((frame->flags & 0x06) == 0x06)
			return MQTT_RULE_QOS_3;
		return (frame->flags & 0x0e) == 0x08 && from.level != MQTT_31
			   ? MQTT_RULE_DUP_QOS_0
			   : MQTT_RULE_NONE;
	}
	if (frame->type == MQTT_CONNECT || from.level == MQTT_31 ||
	    frame->flags == types[frame->type].flags)
		return MQTT_RULE_NONE;
	return types[frame->type].rule;
}

const char *
mqtt_type_name(uint8_t type)
{
	return types[type & 0x0f].name;
}

const char *
mqtt_level_name(uint8_t level)
{
	switch (level) {
	case MQTT_31:
		return "3.1";
	case MQTT_311:
		return "3.1.1";
	case MQTT_50:
		return "5.0";
	default:
		return "unknown";
	}
}
