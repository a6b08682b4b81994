#include "access_world_private.h"

void
queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

void
queue_put(struct queue *queue, const struct packet *packet)
{
	struct packet *copy = malloc(sizeof *copy);

	MUST(copy != NULL);
	*copy = *packet;
	copy->next = NULL;
	*queue->last = copy;
	queue->last = &copy->next;
}

void
queue_put_first(struct queue *queue, const struct packet *packet)
{
	struct queue rest = *queue;

	queue_init(queue);
	queue_put(queue, packet);
	if (rest.first == NULL)
		return;
	queue->first->next = rest.first;
	queue->last = rest.last;
}

struct packet *
queue_take(struct queue *queue)
{
	struct packet *packet = queue->first;

	MUST(packet != NULL);
	queue->first = packet->next;
	if (queue->first == NULL)
		queue->last = &queue->first;
	return packet;
}

void
queue_fini(struct queue *queue)
{
	while (queue->first != NULL)
		free(queue_take(queue));
}

/* ---- writing ---- */

void
packet_u8(struct packet *packet, unsigned value)
{
	MUST(packet->len < PACKET_MAX);
	packet->bytes[packet->len++] = (uint8_t)value;
}

void
packet_u16(struct packet *packet, unsigned value)
{
	packet_u8(packet, value >> 8);
	packet_u8(packet, value & 0xff);
}

void
packet_text(struct packet *packet, const char *text)
{
	packet_u16(packet, (unsigned)strlen(text));
	while (*text != '\0')
		packet_u8(packet, (uint8_t)*text++);
}

void
packet_fill(struct packet *packet, size_t len, uint8_t fill)
{
	while (len-- > 0)
		packet_u8(packet, fill);
}

void
packet_end(struct packet *packet, unsigned first)
{
	size_t len = packet->len;
	size_t head = len < 128 ? 2 : 3;

	MUST(len + head <= PACKET_MAX);
	memmove(packet->bytes + head, packet->bytes, len);
	packet->bytes[0] = (uint8_t)first;
	packet->bytes[1] = (uint8_t)(head == 2 ? len : (len & 0x7f) | 0x80);
	if (head == 3)
		packet->bytes[2] = (uint8_t)(len >> 7);
	packet->len = len + head;
	packet->type = (uint8_t)(first >> 4);
}

void
packet_ack(struct packet *packet, uint8_t level, uint8_t type, uint16_t id,
    uint8_t code)
{
	*packet = (struct packet){.id = id};
	packet_u16(packet, id);
	if (level == MQTT_50 && code != 0)
		packet_u8(packet, code);
	packet_end(
	    packet, (unsigned)type << 4 | (type == MQTT_PUBREL ? 2u : 0u));
}

void
packet_codes(struct packet *packet, uint8_t level, uint8_t type, uint16_t id,
    struct span codes)
{
	*packet = (struct packet){.id = id};
	packet_u16(packet, id);
	if (level == MQTT_50)
		packet_u8(packet, 0);
	for (size_t i = 0; i < codes.len; i++)
		packet_u8(packet, codes.data[i]);
	packet_end(packet, (unsigned)type << 4);
}

void
packet_publish(
    struct packet *packet, uint8_t level, const struct sent_publish *publish)
{
	*packet = (struct packet){.id = publish->id};
	packet_text(packet, publish->topic);
	if (publish->qos > 0)
		packet_u16(packet, publish->id);
	if (level == MQTT_50) {
		/* A content type, before an alias: both have to stay. */
		packet_u8(packet, publish->alias != 0 ? 7 : 4);
		packet_u8(packet, 0x03);
		packet_text(packet, "c");
		if (publish->alias != 0) {
			packet_u8(packet, 0x23);
			packet_u16(packet, publish->alias);
		}
	}
	packet_fill(packet, publish->size, publish->fill);
	packet_end(packet, 0x30u | (publish->dup ? 8u : 0u) |
			       (unsigned)publish->qos << 1 |
			       (publish->retain ? 1u : 0u));
}

/* ---- debts ---- */

void
debts_put(struct debts *debts, const struct debt *debt)
{
	MUST(debts->count < DEBTS_MAX);
	debts->list[(debts->first + debts->count++) % DEBTS_MAX] = *debt;
}

struct debt
debts_take(struct debts *debts)
{
	struct debt debt = debts->list[debts->first];

	MUST(debts->count > 0);
	debts->first = (debts->first + 1) % DEBTS_MAX;
	debts->count--;
	return debt;
}

struct debt
debts_take_id(struct debts *debts, uint16_t id)
{
	unsigned at = 0;
	struct debt debt;

	while (at < debts->count &&
	       debts->list[(debts->first + at) % DEBTS_MAX].id != id)
		at++;
	MUST(at < debts->count);
	debt = debts->list[(debts->first + at) % DEBTS_MAX];
	for (; at > 0; at--)
		debts->list[(debts->first + at) % DEBTS_MAX] =
		    debts->list[(debts->first + at - 1) % DEBTS_MAX];
	(void)debts_take(debts);
	return debt;
}
