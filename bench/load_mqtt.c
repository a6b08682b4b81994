/* The MQTT of load_way.h. */

#include "buf.h"
#include "load_way.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void
put(struct buf *to, unsigned byte)
{
	uint8_t one = (uint8_t)byte;

	buf_append(to, &one, 1);
}

/* MQTT 1.5.3: a string behind its length. */
static void
put_string(struct buf *to, const char *text)
{
	size_t len = strlen(text);

	put(to, (unsigned)len >> 8);
	put(to, (unsigned)len & 0xff);
	buf_append(to, text, len);
}

/* MQTT 2.2.3: seven bits a byte. */
static void
put_header(struct buf *to, unsigned first, size_t remaining)
{
	put(to, first);
	do {
		unsigned low = remaining & 0x7f;

		remaining >>= 7;
		put(to, remaining > 0 ? low | 0x80 : low);
	} while (remaining > 0);
}

int
load_way_mqtt_connect(struct load_way *way, unsigned number, struct err *err)
{
	static const uint8_t variable[] = {
	    0, 4, 'M', 'Q', 'T', 'T', 4, 2 /* clean session */, 0, 0};
	uint8_t answer[4];
	struct buf packet;
	char id[32];
	int result;

	snprintf(id, sizeof(id), "bench-%d-%u", (int)getpid(), number);
	buf_init(&packet, 256);
	put_header(&packet, 0x10, sizeof(variable) + 2 + strlen(id));
	buf_append(&packet, variable, sizeof(variable));
	put_string(&packet, id);
	result = load_way_write(way, buf_span(&packet), err);
	buf_fini(&packet);
	if (result == -1 ||
	    load_way_read(way, answer, sizeof(answer), err) == -1)
		return -1;
	if (answer[0] != 0x20 || answer[3] != 0)
		return err_set(err, ERR_REFUSED, "CONNACK says %u", answer[3]);
	return 0;
}

uint8_t *
load_way_mqtt_publish(
    unsigned number, unsigned size, unsigned packet_id, size_t *len)
{
	struct buf packet;
	char topic[32];
	uint8_t *payload;
	size_t id_len = packet_id != 0 ? 2 : 0;

	snprintf(topic, sizeof(topic), "bench/%u", number);
	buf_init(&packet, size + 256);
	put_header(&packet, packet_id != 0 ? 0x32 : 0x30,
	    2 + strlen(topic) + id_len + size);
	put_string(&packet, topic);
	if (packet_id != 0) {
		put(&packet, packet_id >> 8);
		put(&packet, packet_id & 0xff);
	}
	payload = buf_reserve(&packet, size);
	if (payload == NULL || packet.failed) {
		buf_fini(&packet);
		return NULL;
	}
	memset(payload, 'x', size);
	buf_commit(&packet, size);
	*len = buf_len(&packet);
	/* Nothing was consumed: what was allocated begins with the packet. */
	return packet.mem;
}

int
load_way_mqtt_puback(struct load_way *way, unsigned packet_id, struct err *err)
{
	uint8_t answer[4];

	if (load_way_read(way, answer, sizeof(answer), err) == -1)
		return -1;
	if (answer[0] != 0x40 ||
	    (unsigned)(answer[2] << 8 | answer[3]) != packet_id)
		return err_set(err, ERR_PROTOCOL,
		    "no PUBACK of %u but a packet of type 0x%02x", packet_id,
		    answer[0]);
	return 0;
}
