#include "mqtt_walk.h"

#include <stdlib.h>

#include "mqtt_connect.h"
#include "mqtt_packet.h"
#include "wire.h"

const struct mqtt_limits mqtt_limits_default = {
    .connect_max = 64 * 1024,
    .hold_max = 256 * 1024,
    .whole_max = 256 * 1024,
};

/* Where the connection is, by what this side has sent. */
enum {
	START, /* nothing yet, or only AUTH from the broker */
	OPEN, /* CONNECT, or a CONNACK that accepted */
	REFUSED, /* a CONNACK that did not */
	LEFT /* DISCONNECT */
};

enum {
	BIT_SKIP = 1, /* the payload is swallowed */
	BIT_GIVEN = 2, /* what is held was given out: drop it next time */
	BIT_AUTH = 4, /* CONNECT named an authentication method */
	BIT_NO_MEMORY = 8
};

/* What can be said of the frame at the front of some bytes. */
enum look { LOOK_PASS, LOOK_PACKET, LOOK_HEAD, LOOK_MORE, LOOK_BAD };

struct looked {
	struct mqtt_walk_item *item; /* its frame and publish are filled in */
	uint32_t need; /* MORE: bytes of the frame to come back with */
	uint32_t size; /* PASS, PACKET, HEAD: bytes to give out first */
	uint32_t payload; /* PASS, HEAD: bytes to come behind them */
	enum mqtt_rule rule; /* BAD */
	uint8_t level; /* CONNECT: the level it fixes */
	bool auth; /* CONNECT: it names an authentication method */
	bool refused; /* CONNACK: it refuses */
};

void
mqtt_walk_init(
    struct mqtt_walk *w, enum mqtt_side side, const struct mqtt_limits *limits)
{
	*w = (struct mqtt_walk){.limits = limits, .from.side = (uint8_t)side};
	mqtt_walk_set_mask(w, 0);
}

static void
drop_held(struct mqtt_walk *w)
{
	if (w->held == NULL)
		return;
	/* It may be a CONNECT, with a password in it. */
	buf_fini_wipe(w->held);
	free(w->held);
	w->held = NULL;
}

void
mqtt_walk_fini(struct mqtt_walk *w)
{
	drop_held(w);
}

void
mqtt_walk_set_mask(struct mqtt_walk *w, uint16_t mask)
{
	w->mask = mask;
	if (w->from.side == MQTT_FROM_CLIENT)
		w->mask |= MQTT_MASK(MQTT_CONNECT);
}

void
mqtt_walk_learn(struct mqtt_walk *broker, const struct mqtt_walk *client)
{
	broker->from.level = client->from.level;
	broker->bits |= client->bits & BIT_AUTH;
}

void
mqtt_walk_skip(struct mqtt_walk *w)
{
	w->bits |= BIT_SKIP;
}

bool
mqtt_walk_is_between(const struct mqtt_walk *w)
{
	return w->payload_left == 0 || (w->bits & BIT_SKIP) != 0;
}

bool
mqtt_walk_is_open(const struct mqtt_walk *w)
{
	return w->state == OPEN;
}

size_t
mqtt_walk_held(const struct mqtt_walk *w)
{
	return w->held == NULL ? 0 : w->held->cap;
}

/* May a packet of this type come now? */
static enum mqtt_rule
check_order(const struct mqtt_walk *w, uint8_t type)
{
	bool client = w->from.side == MQTT_FROM_CLIENT;

	if (!client && w->from.level == MQTT_LEVEL_UNKNOWN)
		return MQTT_RULE_BROKER_FIRST;
	if (w->state == LEFT)
		return MQTT_RULE_AFTER_DISCONNECT;
	if (w->state == REFUSED)
		return MQTT_RULE_AFTER_REFUSAL;
	if (client && w->state == START)
		return type == MQTT_CONNECT ? MQTT_RULE_NONE
					    : MQTT_RULE_FIRST_CONNECT;
	if (client && type == MQTT_CONNECT)
		return MQTT_RULE_SECOND_CONNECT;
	if (!client && w->state == START && type != MQTT_CONNACK &&
	    (type != MQTT_AUTH || w->from.level != MQTT_50))
		return MQTT_RULE_FIRST_CONNACK;
	if (!client && w->state == OPEN && type == MQTT_CONNACK)
		return MQTT_RULE_SECOND_CONNACK;
	if (type == MQTT_AUTH && w->from.level == MQTT_50 &&
	    (w->bits & BIT_AUTH) == 0)
		return MQTT_RULE_AUTH_UNASKED;
	return MQTT_RULE_NONE;
}

static enum look
bad(struct looked *l, enum mqtt_rule rule)
{
	l->rule = rule;
	return LOOK_BAD;
}

static enum look
more(struct looked *l, size_t need)
{
	l->need = (uint32_t)need;
	return LOOK_MORE;
}

/* A PUBLISH at the front of `in`, its fixed header checked. */
static enum look
look_publish(const struct mqtt_walk *w, struct span in, struct looked *l)
{
	bool decide = (w->mask & MQTT_MASK(MQTT_PUBLISH)) != 0;
	uint32_t size = mqtt_frame_size(&l->item->frame);
	struct span head = in;
	enum mqtt_rule rule;

	/* Never more is seen than may be held, so that the cap and the rules
	 * come in one order, however the frame is cut. */
	if (head.len > w->limits->hold_max)
		head.len = w->limits->hold_max;
	rule = mqtt_publish_head(
	    head, &l->item->frame, w->from, &l->item->publish, &l->need);
	if (rule != MQTT_RULE_NONE)
		return bad(l, rule);
	if (l->need > w->limits->hold_max)
		return bad(l, MQTT_RULE_TOO_LARGE);
	if (l->need > 0)
		return LOOK_MORE;
	if (decide && size <= w->limits->whole_max) {
		if (in.len < size)
			return more(l, size);
		l->size = size;
		l->payload = 0;
		return LOOK_PACKET;
	}
	l->size = l->item->publish.head_len;
	l->payload = l->item->publish.payload_len;
	return decide ? LOOK_HEAD : LOOK_PASS;
}

/* Any other packet at the front of `in`: it is checked whole. */
static enum look
look_other(const struct mqtt_walk *w, struct span in, struct looked *l)
{
	uint32_t size = mqtt_frame_size(&l->item->frame);
	uint8_t type = l->item->frame.type;
	struct span body;
	struct mqtt_connect connect;
	enum mqtt_rule rule;

	if (size > (type == MQTT_CONNECT ? w->limits->connect_max
					 : w->limits->hold_max))
		return bad(l, MQTT_RULE_TOO_LARGE);
	if (in.len < size)
		return more(l, size);
	body = mqtt_frame_body(&l->item->frame, in);
	if (type == MQTT_CONNECT) {
		rule = mqtt_connect_decode(&l->item->frame, body, &connect);
		l->level = connect.level;
		l->auth = connect.has_auth_method;
	} else {
		rule = mqtt_packet_check(&l->item->frame, body, w->from);
	}
	if (rule != MQTT_RULE_NONE)
		return bad(l, rule);
	l->refused = type == MQTT_CONNACK && body.data[1] != 0;
	l->size = size;
	l->payload = 0;
	return (w->mask & MQTT_MASK(type)) != 0 ? LOOK_PACKET : LOOK_PASS;
}

/* Type, flags and order of a frame whose first byte is there. */
static enum mqtt_rule
check_first(const struct mqtt_walk *w, const struct mqtt_frame *frame)
{
	enum mqtt_rule rule = MQTT_RULE_NONE;

	/* Nearly every frame: either side may send it at any time. */
	if (w->state != OPEN || frame->type != MQTT_PUBLISH) {
		rule = check_order(w, frame->type);
		if (rule == MQTT_RULE_NONE)
			rule = mqtt_frame_check_type(frame->type, w->from);
	}
	return rule != MQTT_RULE_NONE ? rule
				      : mqtt_frame_check_flags(frame, w->from);
}

/* The frame at the front of `in`, as far as it is there. */
static enum look
look_at(const struct mqtt_walk *w, struct span in, struct looked *l)
{
	enum mqtt_frame_result result = mqtt_frame_parse(in, &l->item->frame);
	enum mqtt_rule rule;

	if (in.len == 0)
		return more(l, 1);
	/* The first byte is judged at once: an HTTP client is told soon. */
	rule = check_first(w, &l->item->frame);
	if (rule != MQTT_RULE_NONE)
		return bad(l, rule);
	if (result == MQTT_FRAME_NEED_MORE)
		return more(l, in.len + 1);
	if (result == MQTT_FRAME_MALFORMED)
		return bad(l, MQTT_RULE_REMAINING_LENGTH);
	if (w->from.level == MQTT_50 &&
	    l->item->frame.header_len !=
		1 + mqtt_varint_len(l->item->frame.remaining))
		return bad(l, MQTT_RULE_VARINT_LONG);
	if (w->limits->packet_max != 0 &&
	    mqtt_frame_size(&l->item->frame) > w->limits->packet_max)
		return bad(l, MQTT_RULE_PACKET_SIZE);
	return l->item->frame.type == MQTT_PUBLISH ? look_publish(w, in, l)
						   : look_other(w, in, l);
}

/* The frame was given out: what follows from it. */
static void
passed(struct mqtt_walk *w, const struct looked *l)
{
	w->payload_left = l->payload;
	switch (l->item->frame.type) {
	case MQTT_PUBLISH:
		break;
	case MQTT_CONNECT:
		w->state = OPEN;
		w->from.level = l->level;
		if (l->auth)
			w->bits |= BIT_AUTH;
		break;
	case MQTT_CONNACK:
		w->state = l->refused ? REFUSED : OPEN;
		break;
	case MQTT_DISCONNECT:
		w->state = LEFT;
		break;
	default:
		break;
	}
}

static inline void
count(struct mqtt_walk_item *item)
{
	item->frames++;
	if (item->frame.type == MQTT_PUBLISH) {
		item->publishes++;
		item->topic = item->publish.topic;
	}
}

static enum mqtt_walk_result
malformed(const struct mqtt_walk *w, struct mqtt_walk_item *item)
{
	item->fault = (struct mqtt_fault){
	    .rule = w->fault_rule,
	    .level = w->from.level,
	    .type = w->fault_type,
	};
	return MQTT_WALK_MALFORMED;
}

static enum mqtt_walk_result
fail(struct mqtt_walk *w, const struct looked *l, struct mqtt_walk_item *item)
{
	w->fault_rule = (uint8_t)l->rule;
	w->fault_type = l->item->frame.type;
	/* Of a CONNECT that is refused the level tells how to say so. */
	if (l->item->frame.type == MQTT_CONNECT && w->state == START)
		w->from.level = l->level;
	drop_held(w);
	return malformed(w, item);
}

/* Give out one frame that was looked at. */
static enum mqtt_walk_result
give(struct mqtt_walk *w, enum look look, const struct looked *l,
    struct span bytes, struct mqtt_walk_item *item)
{
	passed(w, l);
	item->bytes = bytes;
	count(item);
	return look == LOOK_PACKET ? MQTT_WALK_PACKET
	       : look == LOOK_HEAD ? MQTT_WALK_HEAD
				   : MQTT_WALK_FORWARD;
}

static enum mqtt_walk_result
out_of_memory(struct mqtt_walk *w)
{
	w->bits |= BIT_NO_MEMORY;
	drop_held(w);
	return MQTT_WALK_NO_MEMORY;
}

static bool
start_holding(struct mqtt_walk *w)
{
	w->held = malloc(sizeof *w->held);
	if (w->held != NULL)
		buf_init(w->held, MQTT_HEADER_MAX + (size_t)MQTT_REMAINING_MAX);
	return w->held != NULL;
}

/* Gather a cut frame in `held` until something can be said of it. */
static enum mqtt_walk_result
gather(struct mqtt_walk *w, struct span *in, struct mqtt_walk_item *item)
{
	struct looked l = {.item = item};
	enum look look;

	/* The caps are kept by look_at: it never needs more than they allow. */
	while ((look = look_at(w, buf_span(w->held), &l)) == LOOK_MORE) {
		size_t missing = l.need - buf_len(w->held);
		struct span part;

		if (missing > in->len)
			missing = in->len;
		if (missing == 0)
			return MQTT_WALK_NEED_MORE;
		wire_take_bytes(in, missing, &part);
		if (!buf_append(w->held, part.data, part.len))
			return out_of_memory(w);
	}
	if (look == LOOK_BAD)
		return fail(w, &l, item);
	w->bits |= BIT_GIVEN;
	return give(w, look, &l, buf_span(w->held), item);
}

/* Past `len` bytes that are known to be there. */
static inline void
move_on(struct span *in, size_t len)
{
	*in = span_of(in->data + len, in->len - len);
}

/* As much of the payload as is there. */
static size_t
walk_payload(struct mqtt_walk *w, struct span in)
{
	size_t len = in.len < w->payload_left ? in.len : w->payload_left;

	w->payload_left -= (uint32_t)len;
	return len;
}

/*
 * Pass over the frames that lie in `in` and need no decision.  Whatever ends
 * them is left for the next call, unless there were none.
 */
static enum mqtt_walk_result
walk_frames(struct mqtt_walk *w, struct span *in, struct mqtt_walk_item *item)
{
	struct span rest = *in, frame;
	size_t passed_len;
	enum look look = LOOK_PASS;
	struct looked l = {.item = item};

	move_on(&rest, walk_payload(w, rest));
	while (rest.len > 0) {
		look = look_at(w, rest, &l);
		if (look != LOOK_PASS)
			break;
		passed(w, &l);
		count(item);
		move_on(&rest, l.size);
		move_on(&rest, walk_payload(w, rest));
	}
	passed_len = in->len - rest.len;
	item->bytes = span_of(in->data, passed_len);
	*in = rest;
	if (passed_len > 0)
		return MQTT_WALK_FORWARD;
	switch (look) {
	case LOOK_BAD:
		return fail(w, &l, item);
	case LOOK_MORE:
		return start_holding(w) ? gather(w, in, item)
					: out_of_memory(w);
	case LOOK_PACKET:
	case LOOK_HEAD:
		wire_take_bytes(in, l.size, &frame);
		return give(w, look, &l, frame, item);
	default:
		return MQTT_WALK_NEED_MORE;
	}
}

enum mqtt_walk_result
mqtt_walk_next(
    struct mqtt_walk *w, struct span *in, struct mqtt_walk_item *item)
{
	struct span skipped;

	item->bytes = span_of(NULL, 0);
	item->frames = 0;
	item->publishes = 0;
	item->topic = span_of(NULL, 0);
	item->fault = (struct mqtt_fault){0};
	if ((w->bits & BIT_GIVEN) != 0) {
		drop_held(w);
		w->bits &= (uint8_t)~BIT_GIVEN;
	}
	if ((w->bits & BIT_NO_MEMORY) != 0)
		return MQTT_WALK_NO_MEMORY;
	if (w->fault_rule != MQTT_RULE_NONE)
		return malformed(w, item);
	if ((w->bits & BIT_SKIP) != 0) {
		wire_take_bytes(in, walk_payload(w, *in), &skipped);
		if (w->payload_left > 0)
			return MQTT_WALK_NEED_MORE;
		w->bits &= (uint8_t)~BIT_SKIP;
	}
	if (w->held != NULL)
		return gather(w, in, item);
	return walk_frames(w, in, item);
}
