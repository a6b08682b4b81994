#include "access_private.h"

#include <stdlib.h>

enum {
	ACKS_MAX = UINT16_MAX, /* as many as there are packet ids */
	WAITING_MAX_BYTES = 1 << 20,
};

static struct access_ack *
at(const struct access_acks *acks, uint32_t i)
{
	return &acks->list[(acks->first + i) & (acks->room - 1)];
}

static bool
grow(struct access_acks *acks)
{
	uint32_t room = acks->room == 0 ? 4 : 2 * acks->room;
	struct access_ack *list = malloc(room * sizeof *list);

	if (list == NULL)
		return false;
	for (uint32_t i = 0; i < acks->count; i++)
		list[i] = *at(acks, i);
	free(acks->list);
	acks->list = list;
	acks->first = 0;
	acks->room = room;
	return true;
}

static struct access_ack *
append(struct access_acks *acks, uint16_t packet_id, uint8_t type)
{
	struct access_ack *ack;

	if (acks->count == ACKS_MAX ||
	    (acks->count == acks->room && !grow(acks)))
		return NULL;
	ack = at(acks, acks->count++);
	*ack = (struct access_ack){.packet_id = packet_id, .type = type};
	return ack;
}

static struct access_ack *
find(const struct access_acks *acks, uint16_t packet_id, uint8_t type,
    enum access_ack_state state)
{
	for (uint32_t i = 0; i < acks->count; i++) {
		struct access_ack *ack = at(acks, i);

		if (ack->packet_id == packet_id && ack->type == type &&
		    ack->state == state)
			return ack;
	}
	return NULL;
}

static bool
set_ready(struct access_acks *acks, struct access_ack *ack, struct span bytes)
{
	if (acks->bytes + bytes.len > WAITING_MAX_BYTES)
		return false;
	ack->bytes = malloc(bytes.len);
	if (ack->bytes == NULL)
		return false;
	memcpy(ack->bytes, bytes.data, bytes.len);
	ack->len = (uint32_t)bytes.len;
	ack->state = ACCESS_ACK_READY;
	acks->bytes += bytes.len;
	return true;
}

bool
access_acks_expect(struct access_acks *acks, uint16_t packet_id, uint8_t type)
{
	return find(acks, packet_id, type, ACCESS_ACK_AT_BROKER) != NULL ||
	       append(acks, packet_id, type) != NULL;
}

bool
access_acks_is_expected(
    const struct access_acks *acks, uint16_t packet_id, uint8_t type)
{
	return find(acks, packet_id, type, ACCESS_ACK_AT_BROKER) != NULL;
}

bool
access_acks_hold(struct access_acks *acks, uint16_t packet_id, uint8_t type)
{
	struct access_ack *ack = append(acks, packet_id, type);

	if (ack != NULL)
		ack->state = ACCESS_ACK_HELD;
	return ack != NULL;
}

void
access_acks_let_go(struct access_acks *acks, uint16_t packet_id, uint8_t type)
{
	struct access_ack *ack = find(acks, packet_id, type, ACCESS_ACK_HELD);

	if (ack != NULL)
		ack->state = ACCESS_ACK_AT_BROKER;
}

bool
access_acks_answer(struct access_acks *acks, uint16_t packet_id, uint8_t type,
    struct span bytes)
{
	struct access_ack *ack = find(acks, packet_id, type, ACCESS_ACK_HELD);

	if (ack != NULL)
		return set_ready(acks, ack, bytes);
	ack = append(acks, packet_id, type);
	if (ack == NULL)
		return false;
	if (set_ready(acks, ack, bytes))
		return true;
	acks->count--;
	return false;
}

enum access_turn
access_acks_arrived(struct access_acks *acks, uint16_t packet_id, uint8_t type,
    struct span bytes)
{
	struct access_ack *ack =
	    find(acks, packet_id, type, ACCESS_ACK_AT_BROKER);

	/* One that nobody waits for is the client's to judge. */
	if (ack == NULL)
		return ACCESS_TURN_NOW;
	if (ack == at(acks, 0)) {
		access_acks_pop(acks);
		return ACCESS_TURN_NOW;
	}
	return set_ready(acks, ack, bytes) ? ACCESS_TURN_LATER
					   : ACCESS_TURN_NO_MEMORY;
}

bool
access_acks_next(const struct access_acks *acks, struct span *bytes)
{
	if (acks->count == 0 || at(acks, 0)->state != ACCESS_ACK_READY)
		return false;
	*bytes = span_of(at(acks, 0)->bytes, at(acks, 0)->len);
	return true;
}

void
access_acks_pop(struct access_acks *acks)
{
	acks->bytes -= at(acks, 0)->len;
	free(at(acks, 0)->bytes);
	acks->first = (acks->first + 1) & (acks->room - 1);
	if (--acks->count == 0)
		access_acks_fini(acks);
}

void
access_acks_fini(struct access_acks *acks)
{
	for (uint32_t i = 0; i < acks->count; i++)
		free(at(acks, i)->bytes);
	free(acks->list);
	*acks = (struct access_acks){0};
}
