#include "mqtt_trip.h"

#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_publish.h"
#include "mqtt_request.h"

#include <stdio.h>

enum {
	IN_MAX = 1 << 20,
	OUT_MAX = 1 << 18,
	KEEP_ALIVE_S = 60,
	PACKET_ID = 1,
};

/* ---- writing ---- */

static struct span
maybe(const char *text)
{
	return text == NULL ? span_of(NULL, 0) : span_of_str(text);
}

static void
put_connect(struct mqtt_trip *trip, const struct mqtt_trip_words *words)
{
	const struct mqtt_request_connect connect = {.level = trip->level,
	    .keep_alive_s = KEEP_ALIVE_S,
	    .client_id = span_of_str(words->client_id),
	    .user = maybe(words->user),
	    .password = maybe(words->password)};

	mqtt_put_connect(&connect, &trip->out);
}

void
mqtt_trip_send(struct mqtt_trip *trip)
{
	mqtt_put_subscribe(
	    trip->level, PACKET_ID, span_of_str(trip->topic), 1, &trip->out);
	trip->state = MQTT_TRIP_SUBSCRIBING;
}

static void
put_publish(struct mqtt_trip *trip)
{
	mqtt_put_publish(trip->level, PACKET_ID + 1, span_of_str(trip->topic),
	    span_of_str(trip->payload), &trip->out);
}

static void
put_puback(struct mqtt_trip *trip, uint16_t packet_id)
{
	const struct mqtt_answer answer = {
	    .type = MQTT_PUBACK, .level = trip->level, .packet_id = packet_id};

	(void)mqtt_encode_answer(&answer, &trip->out);
}

/* ---- reading ---- */

static enum mqtt_trip_state
on_connack(struct mqtt_trip *trip, struct span body, struct mqtt_sender from)
{
	struct mqtt_connack connack;

	if (mqtt_connack_decode(body, from, &connack) != MQTT_RULE_NONE)
		return MQTT_TRIP_NOT_MQTT;
	trip->code = connack.code;
	return connack.code == 0 ? MQTT_TRIP_ACCEPTED : MQTT_TRIP_REFUSED;
}

static enum mqtt_trip_state
on_suback(struct mqtt_trip *trip, struct span body, struct mqtt_sender from)
{
	struct mqtt_suback suback;

	if (mqtt_suback_decode(MQTT_SUBACK, body, from, &suback) !=
		MQTT_RULE_NONE ||
	    suback.codes.len != 1)
		return MQTT_TRIP_NOT_MQTT;
	trip->code = suback.codes.data[0];
	if (trip->code >= 0x80)
		return MQTT_TRIP_NO_SUBSCRIBE;
	put_publish(trip);
	return MQTT_TRIP_PUBLISHING;
}

static enum mqtt_trip_state
when_both_are_there(struct mqtt_trip *trip)
{
	return trip->acknowledged && trip->is_back ? MQTT_TRIP_BACK
						   : trip->state;
}

static enum mqtt_trip_state
on_puback(struct mqtt_trip *trip, struct span body, struct mqtt_sender from)
{
	struct mqtt_ack ack;

	if (mqtt_ack_decode(MQTT_PUBACK, body, from, &ack) != MQTT_RULE_NONE)
		return MQTT_TRIP_NOT_MQTT;
	if (ack.code >= 0x80) {
		trip->code = ack.code;
		return MQTT_TRIP_NO_PUBLISH;
	}
	trip->acknowledged = true;
	return when_both_are_there(trip);
}

static enum mqtt_trip_state
on_publish(struct mqtt_trip *trip, const struct mqtt_frame *frame,
    struct span packet, struct mqtt_sender from)
{
	struct mqtt_publish publish;
	uint32_t need = 0;
	struct span payload;

	if (mqtt_publish_head(packet, frame, from, &publish, &need) !=
		MQTT_RULE_NONE ||
	    need != 0)
		return MQTT_TRIP_NOT_MQTT;
	payload = span_of(packet.data + publish.head_len, publish.payload_len);
	if (publish.qos == 1)
		put_puback(trip, publish.packet_id);
	if (span_is(payload, trip->payload))
		trip->is_back = true;
	return when_both_are_there(trip);
}

static enum mqtt_trip_state
on_disconnect(struct mqtt_trip *trip, struct span body, struct mqtt_sender from)
{
	struct mqtt_end end;

	if (mqtt_end_decode(MQTT_DISCONNECT, body, from, &end) !=
	    MQTT_RULE_NONE)
		return MQTT_TRIP_NOT_MQTT;
	trip->code = end.code;
	if (end.code != MQTT_NOT_AUTHORIZED)
		return MQTT_TRIP_ENDED;
	return trip->state == MQTT_TRIP_SUBSCRIBING ? MQTT_TRIP_NO_SUBSCRIBE
						    : MQTT_TRIP_NO_PUBLISH;
}

static enum mqtt_trip_state
on_packet(
    struct mqtt_trip *trip, const struct mqtt_frame *frame, struct span packet)
{
	const struct mqtt_sender from = {
	    .side = MQTT_FROM_BROKER, .level = trip->level};
	struct span body = mqtt_frame_body(frame, packet);

	if (mqtt_frame_check_type(frame->type, from) != MQTT_RULE_NONE ||
	    mqtt_frame_check_flags(frame, from) != MQTT_RULE_NONE ||
	    (trip->state == MQTT_TRIP_CONNECTING &&
		frame->type != MQTT_CONNACK))
		return MQTT_TRIP_NOT_MQTT;
	switch (frame->type) {
	case MQTT_CONNACK:
		return trip->state == MQTT_TRIP_CONNECTING
			   ? on_connack(trip, body, from)
			   : MQTT_TRIP_NOT_MQTT;
	case MQTT_SUBACK:
		return trip->state == MQTT_TRIP_SUBSCRIBING
			   ? on_suback(trip, body, from)
			   : trip->state;
	case MQTT_PUBACK:
		return on_puback(trip, body, from);
	case MQTT_PUBLISH:
		return on_publish(trip, frame, packet, from);
	case MQTT_DISCONNECT:
		return on_disconnect(trip, body, from);
	default:
		return trip->state;
	}
}

enum mqtt_trip_state
mqtt_trip_feed(struct mqtt_trip *trip, struct span bytes)
{
	struct mqtt_frame frame;

	if (!buf_append(&trip->in, bytes.data, bytes.len))
		trip->state = MQTT_TRIP_NOT_MQTT;
	while (!mqtt_trip_is_over(trip)) {
		struct span all = buf_span(&trip->in);
		enum mqtt_frame_result result = mqtt_frame_parse(all, &frame);

		/* Before the first packet nothing else than CONNACK is MQTT. */
		if (all.len > 0 && trip->state == MQTT_TRIP_CONNECTING &&
		    frame.type != MQTT_CONNACK)
			result = MQTT_FRAME_MALFORMED;
		if (result == MQTT_FRAME_MALFORMED ||
		    (result == MQTT_FRAME_READY &&
			mqtt_frame_size(&frame) > IN_MAX)) {
			trip->state = MQTT_TRIP_NOT_MQTT;
			break;
		}
		if (result != MQTT_FRAME_READY ||
		    all.len < mqtt_frame_size(&frame))
			break;
		trip->state = on_packet(
		    trip, &frame, span_of(all.data, mqtt_frame_size(&frame)));
		if (trip->state != MQTT_TRIP_NOT_MQTT)
			buf_consume(&trip->in, mqtt_frame_size(&frame));
	}
	return trip->state;
}

void
mqtt_trip_init(struct mqtt_trip *trip, enum mqtt_level level,
    const struct mqtt_trip_words *words)
{
	*trip = (struct mqtt_trip){
	    .state = MQTT_TRIP_CONNECTING, .level = (uint8_t)level};
	buf_init(&trip->in, IN_MAX);
	buf_init(&trip->out, OUT_MAX);
	snprintf(trip->topic, sizeof trip->topic, "%s", words->topic);
	snprintf(trip->payload, sizeof trip->payload, "%s", words->payload);
	put_connect(trip, words);
}

void
mqtt_trip_fini(struct mqtt_trip *trip)
{
	buf_fini(&trip->in);
	buf_fini_wipe(&trip->out);
}

const struct mqtt_reason *
mqtt_trip_reason(const struct mqtt_trip *trip)
{
	uint8_t type = trip->state == MQTT_TRIP_NO_SUBSCRIBE ? MQTT_SUBACK
		       : trip->state == MQTT_TRIP_NO_PUBLISH ? MQTT_PUBACK
		       : trip->state == MQTT_TRIP_ENDED	     ? MQTT_DISCONNECT
							     : MQTT_CONNACK;

	return mqtt_reason_find(trip->code, type, trip->level);
}
