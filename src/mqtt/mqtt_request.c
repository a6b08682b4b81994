#include "mqtt_request.h"

#include "wire.h"

enum { FLAG_CLEAN = 0x02, FLAG_PASSWORD = 0x40, FLAG_USER = 0x80 };

static void
put_packet(struct buf *out, uint8_t first, struct buf *body)
{
	uint8_t length[4];
	uint8_t used = mqtt_varint_put(length, (uint32_t)buf_len(body));

	wire_put_u8(out, first);
	wire_put_bytes(out, span_of(length, used));
	wire_put_bytes(out, buf_span(body));
	if (body->failed)
		out->failed = true;
	/* It may hold a password. */
	buf_fini_wipe(body);
}

static void
put_properties(uint8_t level, struct buf *body)
{
	if (level == MQTT_50)
		wire_put_u8(body, 0);
}

void
mqtt_put_connect(const struct mqtt_request_connect *connect, struct buf *out)
{
	unsigned flags = FLAG_CLEAN;
	struct buf body;

	if (connect->user.data != NULL)
		flags |= FLAG_USER;
	if (connect->user.data != NULL && connect->password.data != NULL)
		flags |= FLAG_PASSWORD;
	buf_init_secret(&body, out->max);
	wire_put_string16(&body, span_of_str("MQTT"));
	wire_put_u8(&body, connect->level);
	wire_put_u8(&body, (uint8_t)flags);
	wire_put_u16(&body, connect->keep_alive_s);
	put_properties(connect->level, &body);
	wire_put_string16(&body, connect->client_id);
	if ((flags & FLAG_USER) != 0)
		wire_put_string16(&body, connect->user);
	if ((flags & FLAG_PASSWORD) != 0)
		wire_put_string16(&body, connect->password);
	put_packet(out, MQTT_CONNECT << 4, &body);
}

void
mqtt_put_subscribe(uint8_t level, uint16_t packet_id, struct span filter,
    uint8_t qos, struct buf *out)
{
	struct buf body;

	buf_init(&body, out->max);
	wire_put_u16(&body, packet_id);
	put_properties(level, &body);
	wire_put_string16(&body, filter);
	wire_put_u8(&body, qos);
	put_packet(out, MQTT_SUBSCRIBE << 4 | 2, &body);
}

void
mqtt_put_publish(uint8_t level, uint16_t packet_id, struct span topic,
    struct span payload, struct buf *out)
{
	struct buf body;

	buf_init(&body, out->max);
	wire_put_string16(&body, topic);
	if (packet_id != 0)
		wire_put_u16(&body, packet_id);
	put_properties(level, &body);
	wire_put_bytes(&body, payload);
	put_packet(out, (uint8_t)(MQTT_PUBLISH << 4 | (packet_id != 0 ? 2 : 0)),
	    &body);
}

void
mqtt_put_pingreq(struct buf *out)
{
	wire_put_u8(out, MQTT_PINGREQ << 4);
	wire_put_u8(out, 0);
}
