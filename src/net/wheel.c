#include "wheel.h"

#include <string.h>

void
wheel_init(struct wheel *wheel, uint64_t now_ms)
{
	memset(wheel, 0, sizeof *wheel);
	wheel->turned_to = now_ms / WHEEL_TICK_MS;
}

static void
put(struct wheel_node **head, struct wheel_node *node)
{
	node->next = *head;
	node->link = head;
	if (node->next != NULL)
		node->next->link = &node->next;
	*head = node;
}

static void
take(struct wheel_node *node)
{
	*node->link = node->next;
	if (node->next != NULL)
		node->next->link = node->link;
	node->next = NULL;
	node->link = NULL;
}

/* The first tick at which the deadline has certainly passed. */
static uint64_t
tick_of(const struct wheel_node *node)
{
	return node->deadline_ms / WHEEL_TICK_MS + 1;
}

void
wheel_set(struct wheel *wheel, struct wheel_node *node, uint64_t deadline_ms)
{
	uint64_t tick;

	wheel_clear(wheel, node);
	if (deadline_ms == UINT64_MAX)
		return;
	node->deadline_ms = deadline_ms;
	tick = tick_of(node);
	if (tick <= wheel->turned_to)
		tick = wheel->turned_to + 1;
	put(&wheel->slots[tick % WHEEL_SLOTS], node);
	wheel->count++;
}

void
wheel_clear(struct wheel *wheel, struct wheel_node *node)
{
	if (node->link == NULL)
		return;
	take(node);
	wheel->count--;
}

/* Move the slot's nodes whose time has come to the list of the due. */
static void
turn(struct wheel *wheel)
{
	struct wheel_node *node, *next;

	wheel->turned_to++;
	node = wheel->slots[wheel->turned_to % WHEEL_SLOTS];
	for (; node != NULL; node = next) {
		next = node->next;
		if (tick_of(node) <= wheel->turned_to) {
			take(node);
			put(&wheel->due, node);
		}
	}
}

struct wheel_node *
wheel_next_due(struct wheel *wheel, uint64_t now_ms)
{
	uint64_t now = now_ms / WHEEL_TICK_MS;
	struct wheel_node *node;

	/* After a long sleep one full turn has seen every slot. */
	if (now > wheel->turned_to + WHEEL_SLOTS)
		wheel->turned_to = now - WHEEL_SLOTS;
	while (wheel->due == NULL && wheel->turned_to < now)
		turn(wheel);
	node = wheel->due;
	if (node != NULL) {
		take(node);
		wheel->count--;
	}
	return node;
}

uint64_t
wheel_wake_ms(const struct wheel *wheel)
{
	if (wheel->due != NULL)
		return wheel->turned_to * WHEEL_TICK_MS;
	if (wheel->count == 0)
		return UINT64_MAX;
	/* What stands in a slot may belong to a later round: no matter. */
	for (uint64_t i = 1; i <= WHEEL_SLOTS; i++)
		if (wheel->slots[(wheel->turned_to + i) % WHEEL_SLOTS] != NULL)
			return (wheel->turned_to + i) * WHEEL_TICK_MS;
	return UINT64_MAX;
}
