#include "pipe_private.h"

#include "mqtt_encode.h"
#include "stream.h"

#include <sys/socket.h>

enum { ANSWER_MAX_BYTES = 512 };

/* ---- what is waited for ---- */

/* Whether the channel can take what the broker would say. */
static bool
has_room(const struct pipe *pipe)
{
	return pipe->session != NULL && !pipe->broker_eof &&
	       buf_len(&pipe->to_client) == 0 &&
	       ssh_conn_writable(pipe->session->conn, pipe->channel) > 0;
}

void
pipe_want(struct pipe *pipe)
{
	unsigned wanted = 0;

	if (pipe->state != PIPE_OPEN && pipe->state != PIPE_CLOSING)
		return;
	if (buf_len(&pipe->to_broker) > 0)
		wanted |= LOOP_WRITABLE;
	if (pipe->state == PIPE_OPEN ? has_room(pipe) : pipe->awaits_eof)
		wanted |= LOOP_READABLE;
	loop_watch_want(&pipe->watch, wanted);
}

/* ---- device to broker ---- */

static void
give_back(struct pipe *pipe)
{
	size_t left = buf_len(&pipe->to_broker);
	size_t done;

	/* What the walker made longer must not count against the device. */
	if (left > pipe->owed)
		left = pipe->owed;
	done = pipe->owed - left;
	if (done == 0 || pipe->session == NULL)
		return;
	pipe->owed = left;
	ssh_conn_consumed(pipe->session->conn, pipe->channel, done);
}

/* All that the broker takes.  False: it is gone, and so is the pipe. */
static bool
write_out(struct pipe *pipe)
{
	enum stream_result result = STREAM_OK;

	if (!pipe_gather_write(pipe))
		result = STREAM_FAILED;
	else if (buf_len(&pipe->to_broker) > 0)
		result = stream_write(pipe->watch.fd, &pipe->to_broker);
	if (result == STREAM_OK || result == STREAM_AGAIN)
		return true;
	pipe->why = "the broker closed the connection";
	pipe_end(pipe);
	return false;
}

/* What was held goes only where nothing is before it: does it now? */
static bool
has_more(struct pipe *pipe)
{
	if (pipe->state != PIPE_OPEN || pipe->holds == NULL ||
	    buf_len(&pipe->to_broker) > 0)
		return false;
	if (!pipe_access_settle(pipe)) {
		pipe_end(pipe);
		return false;
	}
	return buf_len(&pipe->to_broker) > 0;
}

void
pipe_flush(struct pipe *pipe)
{
	if (pipe->state != PIPE_OPEN && pipe->state != PIPE_CLOSING)
		return;
	do {
		if (!write_out(pipe))
			return;
	} while (has_more(pipe));
	if (pipe->state == PIPE_ENDED)
		return;
	give_back(pipe);
	if (buf_len(&pipe->to_broker) == 0) {
		if (pipe->state == PIPE_CLOSING && !pipe->awaits_eof) {
			pipe_end(pipe);
			return;
		}
		if (pipe->client_eof)
			shutdown(pipe->watch.fd, SHUT_WR);
	}
	pipe_want(pipe);
}

static void
broken_rule(
    struct pipe *pipe, const struct mqtt_fault *fault, const char *direction)
{
	struct log_line line;

	if (pipe->session == NULL || !session_log(&line, LOG_LEVEL_WARN,
					 &pipe->session->who, "mqtt-fault"))
		return;
	log_u64(&line, "channel", pipe->channel);
	log_str(&line, "direction", direction);
	log_str(&line, "packet", mqtt_type_name(fault->type));
	log_str(&line, "rule", mqtt_rule_id(fault->rule, fault->level));
	log_str(&line, "why", mqtt_rule_text(fault->rule));
	log_end(&line);
}

bool
pipe_send_to_broker(struct pipe *pipe, struct span bytes)
{
	return pipe_gather(pipe, bytes);
}

bool
pipe_send_to_client(struct pipe *pipe, struct span bytes)
{
	size_t sent = 0;

	pipe->bytes_out += bytes.len;
	if (buf_len(&pipe->to_client) == 0)
		sent = ssh_conn_send(pipe->session->conn, pipe->channel, bytes);
	return sent == bytes.len || buf_append(&pipe->to_client,
					bytes.data + sent, bytes.len - sent);
}

/*
 * What the standard has a server say before it closes: CONNACK to a CONNECT
 * that is wrong (3.1.1 section 3.1.4, 5.0 section 4.13.1), DISCONNECT where
 * the connection stands and the level has it (5.0 section 4.13.2).
 */
static void
answer_fault(struct pipe *pipe, const struct mqtt_fault *fault)
{
	struct mqtt_answer answer = {.level = fault->level,
	    .code = mqtt_rule_reason(fault->rule),
	    .packet_max = pipe->client_packet_max};
	struct buf out;

	if (!pipe->has_connect && fault->type == MQTT_CONNECT)
		answer.type = MQTT_CONNACK;
	else if (mqtt_walk_is_open(&pipe->from_broker) &&
		 mqtt_walk_is_between(&pipe->from_broker))
		answer.type = MQTT_DISCONNECT;
	else
		return;
	/* Of a CONNECT that is wrong nobody knows how much may be said. */
	if (pipe->has_connect)
		answer.text = span_of_str(mqtt_rule_text(fault->rule));
	buf_init(&out, ANSWER_MAX_BYTES);
	if (mqtt_encode_answer(&answer, &out) == MQTT_ENCODED)
		pipe_send_to_client(pipe, buf_span(&out));
	buf_fini(&out);
}

static void
note_packet(struct pipe *pipe, const struct mqtt_walk_item *item)
{
	uint8_t type = item->frame.type;

	if (type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE)
		pipe_facts_note_filters(&pipe->facts, type,
		    mqtt_walk_level(&pipe->from_client),
		    mqtt_frame_body(&item->frame, item->bytes));
}

/* What the walk gave goes to where its direction leads; false ends it all. */
static bool
pass_on(struct pipe *pipe, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	switch (result) {
	case MQTT_WALK_PACKET:
		if (item->frame.type == MQTT_CONNECT) {
			if (pipe_connect(pipe, item))
				return true;
			if (pipe->why == NULL)
				pipe->why = "CONNECT could not be written anew";
			return false;
		}
		note_packet(pipe, item);
		__attribute__((fallthrough));
	case MQTT_WALK_HEAD:
		if (pipe->access != NULL)
			return pipe_access_packet(
			    pipe, &pipe->from_client, result, item);
		__attribute__((fallthrough));
	case MQTT_WALK_FORWARD:
		pipe_facts_note_topic(&pipe->facts, item->topic);
		if (pipe_gather(pipe, item->bytes))
			return true;
		pipe->why = "no memory";
		return false;
	case MQTT_WALK_MALFORMED:
		broken_rule(pipe, &item->fault, "to-broker");
		answer_fault(pipe, &item->fault);
		pipe->why = "the device broke the MQTT standard";
		return false;
	case MQTT_WALK_NO_MEMORY:
	case MQTT_WALK_NEED_MORE:
		break;
	}
	pipe->why = "no memory";
	return false;
}

/* No more comes from the device; the broker still gets what it sent. */
static void
leave(struct pipe *pipe)
{
	struct session *session = pipe->session;

	if (!pipe_gather_settle(pipe) || pipe->state != PIPE_OPEN ||
	    buf_len(&pipe->to_broker) == 0) {
		pipe_end(pipe);
		return;
	}
	pipe_detach(pipe);
	ssh_conn_close(session->conn, pipe->channel);
}

void
pipe_dismiss(struct pipe *pipe, const char *why)
{
	static const uint8_t disconnect[] = {MQTT_DISCONNECT << 4, 0};
	struct session *session = pipe->session;

	pipe->why = why;
	pipe->is_dismissed = !mqtt_walk_is_between(&pipe->from_client);
	if (pipe->is_dismissed)
		return;
	if (!pipe_gather(pipe, span_of(disconnect, sizeof disconnect))) {
		pipe_end(pipe);
		return;
	}
	/* What cannot be written any more it does not read to the end. */
	pipe->awaits_eof = true;
	leave(pipe);
	session_flush(session);
}

void
pipe_on_data(struct pipe *pipe, struct span data)
{
	struct mqtt_walk_item item;
	enum mqtt_walk_result result;

	pipe->owed += data.len;
	pipe->bytes_in += data.len;
	if (pipe->is_control) {
		if (pipe->state == PIPE_OPEN && !pipe_gather(pipe, data))
			pipe_end(pipe);
		return;
	}
	while (pipe->state == PIPE_OPEN) {
		result = mqtt_walk_next(&pipe->from_client, &data, &item);
		pipe->facts.messages_in += item.publishes;
		if (result == MQTT_WALK_NEED_MORE) {
			if (!pipe_access_settle(pipe))
				pipe_end(pipe);
			return;
		}
		if (pass_on(pipe, result, &item)) {
			if (pipe->is_dismissed)
				pipe_dismiss(pipe, pipe->why);
			continue;
		}
		if (result == MQTT_WALK_MALFORMED)
			leave(pipe); /* what stood before it is sound */
		else
			pipe_end(pipe);
	}
}

void
pipe_on_eof(struct pipe *pipe)
{
	pipe_approval_leave(pipe);
	pipe->client_eof = true; /* pipe_flush tells the broker in its turn */
}

void
pipe_on_close(struct pipe *pipe)
{
	if (pipe->why == NULL)
		pipe->why = "closed by the device";
	leave(pipe);
}

/* ---- broker to device ---- */

static void
walk_from_broker(struct pipe *pipe, struct span data)
{
	enum mqtt_walk_result result;
	struct mqtt_walk_item item;

	if (pipe->is_control) {
		if (!pipe_send_to_client(pipe, data))
			pipe_end(pipe);
		return;
	}
	while (pipe->state == PIPE_OPEN) {
		result = mqtt_walk_next(&pipe->from_broker, &data, &item);
		pipe->facts.messages_out += item.publishes;
		switch (result) {
		case MQTT_WALK_NEED_MORE:
			if (!pipe_access_settle(pipe))
				pipe_end(pipe);
			return;
		case MQTT_WALK_PACKET:
		case MQTT_WALK_HEAD:
			if (pipe->access != NULL) {
				if (!pipe_access_packet(pipe,
					&pipe->from_broker, result, &item))
					pipe_end(pipe);
				break;
			}
			pipe_learn_client_id(pipe, &item);
			__attribute__((fallthrough));
		case MQTT_WALK_FORWARD:
			if (pipe_send_to_client(pipe, item.bytes))
				break;
			pipe->why = "no memory";
			pipe_end(pipe);
			break;
		case MQTT_WALK_MALFORMED:
			broken_rule(pipe, &item.fault, "to-device");
			pipe->why = "the broker broke the MQTT standard";
			pipe_end(pipe);
			break;
		case MQTT_WALK_NO_MEMORY:
			pipe->why = "no memory";
			pipe_end(pipe);
			break;
		}
	}
}

/* The broker is done: the device gets what is left, then EOF and CLOSE. */
static void
finish_to_client(struct pipe *pipe)
{
	if (!pipe->broker_eof || buf_len(&pipe->to_client) > 0)
		return;
	ssh_conn_send_eof(pipe->session->conn, pipe->channel);
	if (pipe->why == NULL)
		pipe->why = "closed by the broker";
	pipe_end(pipe);
}

/* What the broker says to one who was dismissed: nobody hears it. */
static void
await_eof(struct pipe *pipe)
{
	size_t len;

	switch (stream_read(pipe->watch.fd, pipe->worker->scratch,
	    WORKER_SCRATCH_BYTES, &len)) {
	case STREAM_OK:
	case STREAM_AGAIN:
		return;
	case STREAM_EOF:
	case STREAM_FAILED:
		pipe_end(pipe);
	}
}

static void
on_broker_readable(struct pipe *pipe)
{
	struct session *session = pipe->session;
	size_t room, len;

	if (!has_room(pipe)) {
		pipe_want(pipe);
		return;
	}
	room = ssh_conn_writable(session->conn, pipe->channel);
	if (room > WORKER_SCRATCH_BYTES)
		room = WORKER_SCRATCH_BYTES;
	switch (
	    stream_read(pipe->watch.fd, pipe->worker->scratch, room, &len)) {
	case STREAM_OK:
		walk_from_broker(pipe, span_of(pipe->worker->scratch, len));
		break;
	case STREAM_AGAIN:
		return;
	case STREAM_EOF:
		pipe->broker_eof = true;
		finish_to_client(pipe);
		break;
	case STREAM_FAILED:
		pipe->why = "the connection to the broker was lost";
		pipe_end(pipe);
		break;
	}
	/* What the broker is told of messages that were held back. */
	if (pipe->state == PIPE_OPEN)
		pipe_flush(pipe);
	session_flush(session);
}

void
pipe_on_writable(struct pipe *pipe)
{
	size_t sent;

	if (pipe->state != PIPE_OPEN)
		return;
	if (buf_len(&pipe->to_client) > 0) {
		sent = ssh_conn_send(pipe->session->conn, pipe->channel,
		    buf_span(&pipe->to_client));
		buf_consume(&pipe->to_client, sent);
	}
	finish_to_client(pipe);
	if (pipe->state == PIPE_OPEN)
		pipe_want(pipe);
}

void
pipe_on_ready(void *arg, unsigned ready)
{
	struct pipe *pipe = arg;
	struct session *session = pipe->session;

	if ((ready & LOOP_WRITABLE) != 0) {
		pipe_flush(pipe);
		/* The device's window may have opened. */
		if (session != NULL)
			session_flush(session);
	}
	if ((ready & LOOP_READABLE) == 0)
		return;
	if (pipe->state == PIPE_OPEN)
		on_broker_readable(pipe);
	else if (pipe->state == PIPE_CLOSING && pipe->awaits_eof)
		await_eof(pipe);
}
