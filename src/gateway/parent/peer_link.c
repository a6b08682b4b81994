#include "peer_link.h"

void
peer_link_init(struct peer_link *link, const uint8_t *random)
{
	*link = (struct peer_link){.is_known = false};
	memcpy(link->challenge, random, sizeof link->challenge);
}

static bool
is(const uint8_t token[PEER_TOKEN_BYTES], struct span value)
{
	return span_equal(span_of(token, PEER_TOKEN_BYTES), value);
}

/* Whether it is the first with that number, in the boot that is in force. */
static bool
count(struct peer_link *link, uint64_t seq)
{
	uint64_t age;

	if (seq > link->top) {
		age = seq - link->top;
		link->seen = age < PEER_LINK_WINDOW ? link->seen << age : 0;
		link->seen |= 1;
		link->top = seq;
		return true;
	}
	age = link->top - seq;
	if (age >= PEER_LINK_WINDOW || (link->seen >> age & 1) != 0)
		return false;
	link->seen |= UINT64_C(1) << age;
	return true;
}

enum peer_link_result
peer_link_take(struct peer_link *link, const struct peer_message *message,
    const uint8_t *random, uint64_t now_ms)
{
	if (link->is_known && is(link->boot, message->boot)) {
		if (!count(link, message->seq))
			return PEER_LINK_OLD;
		memcpy(link->echo, message->challenge.data, sizeof link->echo);
		return PEER_LINK_NEW;
	}
	if (is(link->challenge, message->echo)) {
		/* What the boot before this one said is not new any more. */
		memcpy(link->challenge, random, sizeof link->challenge);
		memcpy(link->boot, message->boot.data, sizeof link->boot);
		memcpy(link->echo, message->challenge.data, sizeof link->echo);
		link->is_known = true;
		link->top = message->seq;
		/* What was said before this may be for who we were before. */
		link->seen = UINT64_MAX;
		return PEER_LINK_NEW_BOOT;
	}
	/* Anybody can repeat one of these: no more than so many answers. */
	if (link->asked_ms != 0 && now_ms - link->asked_ms < PEER_LINK_ASK_MS)
		return PEER_LINK_OLD;
	link->asked_ms = now_ms;
	return PEER_LINK_ASK;
}

void
peer_link_fill(struct peer_link *link, const uint8_t *boot,
    const struct peer_message *to_unknown, struct peer_message *message)
{
	message->boot = span_of(boot, PEER_TOKEN_BYTES);
	message->challenge = span_of(link->challenge, PEER_TOKEN_BYTES);
	message->echo = to_unknown != NULL
			    ? to_unknown->challenge
			    : span_of(link->echo, PEER_TOKEN_BYTES);
	message->seq = ++link->sent;
}
