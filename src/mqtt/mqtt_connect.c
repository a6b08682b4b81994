#include "mqtt_connect.h"

#include "mqtt_property.h"
#include "mqtt_text.h"
#include "mqtt_topic.h"
#include "wire.h"

enum {
	RESERVED = 0x01,
	CLEAN = 0x02,
	WILL = 0x04,
	WILL_QOS = 0x18,
	WILL_QOS_SHIFT = 3,
	WILL_RETAIN = 0x20,
	PASSWORD = 0x40,
	USER_NAME = 0x80,
	BRIDGE = 0x80
};

/* The bytes between what `before` and what `after` still had to read. */
static struct span
between(struct span before, struct span after)
{
	return span_of(before.data, before.len - after.len);
}

static enum mqtt_rule
take_protocol(struct span *in, struct mqtt_connect *c)
{
	static const struct {
		const char *name;
		uint8_t level;
		uint8_t bridge; /* the bit that a bridge may add */
	} known[] = {{"MQTT", MQTT_311, BRIDGE}, {"MQTT", MQTT_50, 0},
	    {"MQIsdp", MQTT_31, BRIDGE}};
	struct span start = *in, name;
	enum mqtt_rule rule = MQTT_RULE_PROTOCOL_NAME;
	uint8_t level;

	if (!wire_take_string16(in, &name))
		return MQTT_RULE_PROTOCOL_NAME;
	if (!wire_take_u8(in, &level))
		return MQTT_RULE_LENGTH;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!span_is(name, known[i].name))
			continue;
		rule = MQTT_RULE_PROTOCOL_LEVEL;
		if (level == known[i].level ||
		    level == (known[i].level | known[i].bridge)) {
			c->level = known[i].level;
			c->bridge = (level & BRIDGE) != 0;
			c->protocol = between(start, *in);
			return MQTT_RULE_NONE;
		}
	}
	return rule;
}

static enum mqtt_rule
check_flags(const struct mqtt_connect *c)
{
	if (c->level != MQTT_31 && (c->flags & RESERVED) != 0)
		return MQTT_RULE_CONNECT_RESERVED;
	if ((c->flags & WILL_QOS) == WILL_QOS)
		return MQTT_RULE_WILL_QOS_3;
	if (c->level != MQTT_31 && !c->has_will && c->will_qos != 0)
		return MQTT_RULE_WILL_QOS_ALONE;
	if (c->level != MQTT_31 && !c->has_will && c->will_retain)
		return MQTT_RULE_WILL_RETAIN_ALONE;
	if (c->level != MQTT_50 && c->has_password && !c->has_user_name)
		return MQTT_RULE_PASSWORD_ALONE;
	return MQTT_RULE_NONE;
}

/* What a gateway must know of the (checked) properties. */
static void
note_properties(struct mqtt_connect *c)
{
	struct span rest = c->properties;
	struct mqtt_property p;

	while (mqtt_property_next(&rest, &p)) {
		if (p.id == MQTT_AUTHENTICATION_METHOD)
			c->has_auth_method = true;
		else if (p.id == MQTT_REQUEST_PROBLEM_INFORMATION)
			c->no_problem_information = p.number == 0;
		else if (p.id == MQTT_MAXIMUM_PACKET_SIZE)
			c->packet_max = p.number;
	}
}

/* Connect flags, keep alive, properties. */
static enum mqtt_rule
take_settings(struct span *in, struct mqtt_connect *c)
{
	const struct mqtt_sender client = {MQTT_FROM_CLIENT, c->level};
	struct span start;
	enum mqtt_rule rule;

	if (!wire_take_u8(in, &c->flags))
		return MQTT_RULE_LENGTH;
	c->clean = (c->flags & CLEAN) != 0;
	c->has_will = (c->flags & WILL) != 0;
	c->will_qos = (uint8_t)((c->flags & WILL_QOS) >> WILL_QOS_SHIFT);
	c->will_retain = (c->flags & WILL_RETAIN) != 0;
	c->has_user_name = (c->flags & USER_NAME) != 0;
	c->has_password = (c->flags & PASSWORD) != 0;
	rule = check_flags(c);
	if (rule != MQTT_RULE_NONE)
		return rule;
	start = *in;
	if (!wire_take_u16(in, &c->keep_alive_s))
		return MQTT_RULE_LENGTH;
	if (c->level == MQTT_50)
		rule = mqtt_property_take(
		    in, MQTT_CONNECT, client, &c->properties);
	c->settings = between(start, *in);
	if (rule == MQTT_RULE_NONE)
		note_properties(c);
	return rule;
}

static enum mqtt_rule
take_client_id(struct span *in, struct mqtt_connect *c)
{
	if (!wire_take_string16(in, &c->client_id))
		return MQTT_RULE_CLIENT_ID_MISSING;
	if (c->client_id.len == 0 && c->level == MQTT_31)
		return MQTT_RULE_CLIENT_ID_EMPTY_31;
	if (c->client_id.len == 0 && c->level == MQTT_311 && !c->clean)
		return MQTT_RULE_CLIENT_ID_EMPTY;
	return mqtt_text_check(c->client_id, MQTT_RULE_CLIENT_ID_TEXT);
}

static enum mqtt_rule
take_will(struct span *in, struct mqtt_connect *c)
{
	const struct mqtt_sender client = {MQTT_FROM_CLIENT, c->level};
	struct span start = *in;
	enum mqtt_rule rule = MQTT_RULE_NONE;

	if (in->len == 0)
		return MQTT_RULE_WILL_MISSING;
	if (c->level == MQTT_50)
		rule = mqtt_property_take(
		    in, MQTT_WILL, client, &c->will_properties);
	if (rule != MQTT_RULE_NONE)
		return rule;
	if (!wire_take_string16(in, &c->will_topic))
		return MQTT_RULE_WILL_MISSING;
	rule = mqtt_topic_check_name(c->will_topic, MQTT_RULE_WILL_TOPIC_TEXT);
	if (rule == MQTT_RULE_TOPIC_EMPTY)
		return MQTT_RULE_WILL_TOPIC_EMPTY;
	if (rule == MQTT_RULE_TOPIC_WILDCARD)
		return MQTT_RULE_WILL_TOPIC_WILDCARD;
	if (rule != MQTT_RULE_NONE)
		return rule;
	if (!wire_take_string16(in, &c->will_payload))
		return MQTT_RULE_WILL_MISSING;
	c->will = between(start, *in);
	return MQTT_RULE_NONE;
}

static enum mqtt_rule
take_credentials(struct span *in, struct mqtt_connect *c)
{
	enum mqtt_rule rule;

	/* 3.1: the packet's length takes precedence over these flags. */
	if (c->level == MQTT_31 && in->len == 0)
		c->has_user_name = false;
	if (c->has_user_name) {
		if (!wire_take_string16(in, &c->user_name))
			return MQTT_RULE_USER_NAME_MISSING;
		rule = mqtt_text_check(c->user_name, MQTT_RULE_USER_NAME_TEXT);
		if (rule != MQTT_RULE_NONE)
			return rule;
	}
	if (c->level == MQTT_31 && in->len == 0)
		c->has_password = false;
	if (c->has_password && !wire_take_string16(in, &c->password))
		return MQTT_RULE_PASSWORD_MISSING;
	return in->len == 0 ? MQTT_RULE_NONE : MQTT_RULE_SURPLUS;
}

enum mqtt_rule
mqtt_connect_decode(
    const struct mqtt_frame *frame, struct span body, struct mqtt_connect *c)
{
	enum mqtt_rule rule;

	*c = (struct mqtt_connect){.header_flags = frame->flags};
	rule = take_protocol(&body, c);
	if (rule != MQTT_RULE_NONE)
		return rule;
	if (c->level != MQTT_31 && frame->flags != 0)
		return MQTT_RULE_FLAGS;
	if (c->level == MQTT_50 &&
	    frame->header_len != 1 + mqtt_varint_len(frame->remaining))
		return MQTT_RULE_VARINT_LONG;
	rule = take_settings(&body, c);
	if (rule == MQTT_RULE_NONE)
		rule = take_client_id(&body, c);
	if (rule == MQTT_RULE_NONE && c->has_will)
		rule = take_will(&body, c);
	if (rule == MQTT_RULE_NONE)
		rule = take_credentials(&body, c);
	return rule;
}

/* The field after the edit: whether there is one, and its value. */
static bool
edited(const struct mqtt_edit *edit, bool present, struct span *value)
{
	if (edit->kind == MQTT_SET)
		*value = edit->value;
	return edit->kind == MQTT_KEEP ? present : edit->kind == MQTT_SET;
}

static size_t
field_len(bool present, struct span value)
{
	return present ? 2 + value.len : 0;
}

bool
mqtt_connect_rewrite(const struct mqtt_connect *c,
    const struct mqtt_connect_edits *edits, struct buf *out)
{
	struct span id = c->client_id, user = c->user_name, pass = c->password;
	bool has_id = edited(&edits->client_id, true, &id);
	bool has_user = edited(&edits->user_name, c->has_user_name, &user);
	bool has_pass = edited(&edits->password, c->has_password, &pass);
	uint8_t flags = c->flags & (uint8_t) ~(USER_NAME | PASSWORD);
	uint8_t length[4];
	size_t remaining;

	if (!has_id || id.len > UINT16_MAX || user.len > UINT16_MAX ||
	    pass.len > UINT16_MAX ||
	    (has_pass && !has_user && c->level != MQTT_50))
		return false;
	remaining = c->protocol.len + 1 + c->settings.len +
		    field_len(true, id) + c->will.len +
		    field_len(has_user, user) + field_len(has_pass, pass);
	if (remaining > MQTT_REMAINING_MAX ||
	    buf_reserve(out, MQTT_HEADER_MAX + remaining) == NULL)
		return false;
	flags |= (has_user ? USER_NAME : 0) | (has_pass ? PASSWORD : 0);
	wire_put_u8(out, (uint8_t)(MQTT_CONNECT << 4 | c->header_flags));
	wire_put_bytes(
	    out, span_of(length, mqtt_varint_put(length, (uint32_t)remaining)));
	wire_put_bytes(out, c->protocol);
	wire_put_u8(out, flags);
	wire_put_bytes(out, c->settings);
	wire_put_string16(out, id);
	wire_put_bytes(out, c->will);
	if (has_user)
		wire_put_string16(out, user);
	if (has_pass)
		wire_put_string16(out, pass);
	return true;
}
