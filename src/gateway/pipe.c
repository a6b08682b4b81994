#include "pipe.h"

#include "log.h"
#include "mqtt_connect.h"
#include "mqtt_walk.h"
#include "str.h"
#include "stream.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TO_CLIENT_MAX_BYTES = 1 << 20,
	ORPHAN_MS = 10000, /* to bring to the broker what is left */
	HOST_TEXT = 300,
};

struct pipe {
	struct worker *worker;
	struct session *session; /* NULL: it has ended */
	struct snapshot_setup *setup;
	struct pipe *next;
	struct pipe **link;
	struct loop_watch watch; /* the broker's socket */
	struct loop_deferred deferred;
	struct mqtt_walk from_client;
	struct mqtt_walk from_broker;
	struct buf to_broker;
	struct buf to_client; /* what the channel could not take */
	size_t owed; /* bytes of DATA not given back yet */
	uint64_t ticket;
	uint64_t since_ms;
	uint64_t give_up_ms; /* an orphan's */
	uint64_t bytes_in, bytes_out;
	uint32_t channel;
	int32_t broker;
	uint8_t state; /* enum pipe_state */
	bool client_eof;
	bool broker_eof;
	const char *why;
};

struct pipe *
pipe_next(const struct pipe *pipe)
{
	return pipe->next;
}

/* ---- lists and the end ---- */

static void
link_in(struct pipe *pipe, struct pipe **head)
{
	pipe->next = *head;
	pipe->link = head;
	if (pipe->next != NULL)
		pipe->next->link = &pipe->next;
	*head = pipe;
}

static void
link_out(struct pipe *pipe)
{
	*pipe->link = pipe->next;
	if (pipe->next != NULL)
		pipe->next->link = pipe->link;
	pipe->next = NULL;
	pipe->link = NULL;
}

static void
free_pipe(void *arg)
{
	struct pipe *pipe = arg;
	struct worker *worker = pipe->worker;

	mqtt_walk_fini(&pipe->from_client);
	mqtt_walk_fini(&pipe->from_broker);
	buf_fini(&pipe->to_broker);
	buf_fini(&pipe->to_client);
	snapshot_setup_unref(pipe->setup);
	free(pipe);
	worker_on_session_gone(worker);
}

static void
log_close(const struct pipe *pipe)
{
	struct log_line line;

	if (pipe->session != NULL
		? !session_log(
		      &line, LOG_LEVEL_INFO, pipe->session, "channel-close")
		: !log_begin(&line, LOG_LEVEL_INFO, "pipe", "close"))
		return;
	log_u64(&line, "channel", pipe->channel);
	log_str(&line, "why", pipe->why != NULL ? pipe->why : "closed");
	log_u64(&line, "in", pipe->bytes_in);
	log_u64(&line, "out", pipe->bytes_out);
	log_u64(&line, "ms", worker_now_ms(pipe->worker) - pipe->since_ms);
	log_end(&line);
}

/* Nothing more goes either way. */
static void
end(struct pipe *pipe)
{
	struct worker *worker = pipe->worker;

	if (pipe->state == PIPE_ENDED)
		return;
	if (pipe->state != PIPE_WAITING)
		log_close(pipe);
	pipe->state = PIPE_ENDED;
	if (pipe->session != NULL) {
		ssh_conn_close(pipe->session->conn, pipe->channel);
		session_flush(pipe->session);
	}
	slots_remove(&worker->tickets, pipe->ticket);
	if (pipe->watch.loop != NULL) {
		loop_watch_stop(&pipe->watch);
		close(pipe->watch.fd);
	}
	atomic_fetch_add(&worker->counts->bytes_in, pipe->bytes_in);
	atomic_fetch_add(&worker->counts->bytes_out, pipe->bytes_out);
	link_out(pipe);
	loop_defer(worker->loop, &pipe->deferred, free_pipe, pipe);
}

void
pipe_drop(struct pipe *pipe)
{
	if (pipe->why == NULL)
		pipe->why = "dropped";
	end(pipe);
}

bool
pipe_is_quiet(const struct pipe *pipe)
{
	return pipe->state != PIPE_WAITING && buf_len(&pipe->to_broker) == 0 &&
	       buf_len(&pipe->to_client) == 0;
}

/* ---- what is waited for ---- */

/* Whether the channel can take what the broker would say. */
static bool
has_room(const struct pipe *pipe)
{
	return pipe->session != NULL && !pipe->broker_eof &&
	       buf_len(&pipe->to_client) == 0 &&
	       ssh_conn_writable(pipe->session->conn, pipe->channel) > 0;
}

static void
want(struct pipe *pipe)
{
	unsigned wanted = 0;

	if (pipe->state != PIPE_OPEN && pipe->state != PIPE_CLOSING)
		return;
	if (buf_len(&pipe->to_broker) > 0)
		wanted |= LOOP_WRITABLE;
	if (pipe->state == PIPE_OPEN && has_room(pipe))
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

void
pipe_flush(struct pipe *pipe)
{
	if (pipe->state != PIPE_OPEN && pipe->state != PIPE_CLOSING)
		return;
	if (buf_len(&pipe->to_broker) > 0) {
		switch (stream_write(pipe->watch.fd, &pipe->to_broker)) {
		case STREAM_OK:
		case STREAM_AGAIN:
			break;
		case STREAM_EOF:
		case STREAM_FAILED:
			pipe->why = "the broker closed the connection";
			end(pipe);
			return;
		}
	}
	give_back(pipe);
	if (buf_len(&pipe->to_broker) == 0) {
		if (pipe->state == PIPE_CLOSING) {
			end(pipe);
			return;
		}
		if (pipe->client_eof)
			shutdown(pipe->watch.fd, SHUT_WR);
	}
	want(pipe);
}

static void
broken_rule(
    struct pipe *pipe, const struct mqtt_fault *fault, const char *direction)
{
	struct log_line line;

	if (pipe->session == NULL ||
	    !session_log(&line, LOG_LEVEL_WARN, pipe->session, "mqtt-fault"))
		return;
	log_u64(&line, "channel", pipe->channel);
	log_str(&line, "direction", direction);
	log_str(&line, "packet", mqtt_type_name(fault->type));
	log_str(&line, "rule", mqtt_rule_id(fault->rule, fault->level));
	log_str(&line, "why", mqtt_rule_text(fault->rule));
	log_end(&line);
}

/* The one packet of the device's that is not always passed on as it came. */
static bool
put_connect(struct pipe *pipe, const struct mqtt_walk_item *item)
{
	struct mqtt_connect_edits edits = {0};
	struct mqtt_connect connect;

	mqtt_walk_learn(&pipe->from_broker, &pipe->from_client);
	if (!settings_hands_on_identity(
		&pipe->setup->settings, (size_t)pipe->broker))
		return buf_append(
		    &pipe->to_broker, item->bytes.data, item->bytes.len);
	edits.user_name.kind = MQTT_SET;
	edits.user_name.value = span_of_str(pipe->session->identity);
	edits.password.kind = MQTT_DROP;
	return mqtt_connect_decode(&item->frame,
		   mqtt_frame_body(&item->frame, item->bytes),
		   &connect) == MQTT_RULE_NONE &&
	       mqtt_connect_rewrite(&connect, &edits, &pipe->to_broker);
}

/* What the walk gave goes to where its direction leads; false ends it all. */
static bool
pass_on(struct pipe *pipe, enum mqtt_walk_result result,
    const struct mqtt_walk_item *item)
{
	switch (result) {
	case MQTT_WALK_PACKET:
		/* Access rules and approval will have their say here. */
		if (item->frame.type == MQTT_CONNECT) {
			if (put_connect(pipe, item))
				return true;
			pipe->why = "CONNECT could not be written anew";
			return false;
		}
		__attribute__((fallthrough));
	case MQTT_WALK_FORWARD:
	case MQTT_WALK_HEAD:
		if (buf_append(
			&pipe->to_broker, item->bytes.data, item->bytes.len))
			return true;
		pipe->why = "no memory";
		return false;
	case MQTT_WALK_MALFORMED:
		broken_rule(pipe, &item->fault, "to-broker");
		pipe->why = "the device broke the MQTT standard";
		return false;
	case MQTT_WALK_NO_MEMORY:
	case MQTT_WALK_NEED_MORE:
		break;
	}
	pipe->why = "no memory";
	return false;
}

void
pipe_on_data(struct pipe *pipe, struct span data)
{
	struct mqtt_walk_item item;
	enum mqtt_walk_result result;

	pipe->owed += data.len;
	pipe->bytes_in += data.len;
	while (pipe->state == PIPE_OPEN) {
		result = mqtt_walk_next(&pipe->from_client, &data, &item);
		if (result == MQTT_WALK_NEED_MORE)
			return;
		if (!pass_on(pipe, result, &item))
			end(pipe);
	}
}

void
pipe_on_eof(struct pipe *pipe)
{
	pipe->client_eof = true; /* pipe_flush tells the broker in its turn */
}

/* The device is done with the channel; the broker still gets what it sent. */
void
pipe_on_close(struct pipe *pipe)
{
	struct session *session = pipe->session;

	if (pipe->why == NULL)
		pipe->why = "closed by the device";
	if (pipe->state != PIPE_OPEN || buf_len(&pipe->to_broker) == 0) {
		end(pipe);
		return;
	}
	pipe_detach(pipe);
	ssh_conn_close(session->conn, pipe->channel);
}

void
pipe_detach(struct pipe *pipe)
{
	if (pipe->state == PIPE_OPEN && buf_len(&pipe->to_broker) > 0) {
		link_out(pipe);
		pipe->session = NULL;
		pipe->state = PIPE_CLOSING;
		pipe->give_up_ms = worker_now_ms(pipe->worker) + ORPHAN_MS;
		link_in(pipe, &pipe->worker->orphans);
		pipe_flush(pipe);
		return;
	}
	if (pipe->why == NULL)
		pipe->why = "the session ended";
	end(pipe);
}

/* ---- broker to device ---- */

static void
send_to_client(struct pipe *pipe, struct span bytes)
{
	size_t sent = 0;

	pipe->bytes_out += bytes.len;
	if (buf_len(&pipe->to_client) == 0)
		sent = ssh_conn_send(pipe->session->conn, pipe->channel, bytes);
	buf_append(&pipe->to_client, bytes.data + sent, bytes.len - sent);
}

static void
walk_from_broker(struct pipe *pipe, struct span data)
{
	struct mqtt_walk_item item;

	while (pipe->state == PIPE_OPEN) {
		switch (mqtt_walk_next(&pipe->from_broker, &data, &item)) {
		case MQTT_WALK_NEED_MORE:
			return;
		case MQTT_WALK_FORWARD:
		case MQTT_WALK_PACKET:
		case MQTT_WALK_HEAD:
			send_to_client(pipe, item.bytes);
			break;
		case MQTT_WALK_MALFORMED:
			broken_rule(pipe, &item.fault, "to-device");
			pipe->why = "the broker broke the MQTT standard";
			end(pipe);
			break;
		case MQTT_WALK_NO_MEMORY:
			pipe->why = "no memory";
			end(pipe);
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
	end(pipe);
}

static void
on_broker_readable(struct pipe *pipe)
{
	struct session *session = pipe->session;
	size_t room, len;

	if (!has_room(pipe)) {
		want(pipe);
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
		end(pipe);
		break;
	}
	if (pipe->state == PIPE_OPEN)
		want(pipe);
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
		want(pipe);
}

static void
on_ready(void *arg, unsigned ready)
{
	struct pipe *pipe = arg;
	struct session *session = pipe->session;

	if ((ready & LOOP_WRITABLE) != 0) {
		pipe_flush(pipe);
		/* The device's window may have opened. */
		if (session != NULL)
			session_flush(session);
	}
	if ((ready & LOOP_READABLE) != 0 && pipe->state == PIPE_OPEN)
		on_broker_readable(pipe);
}

/* ---- opening ---- */

static void
log_refusal(
    struct session *session, const struct ssh_event *event, const char *why)
{
	struct log_line line;
	char target[HOST_TEXT], host[HOST_TEXT - 8];

	if (!session_log(&line, LOG_LEVEL_INFO, session, "channel-refuse"))
		return;
	str_escape(event->open.host, host, sizeof host);
	snprintf(target, sizeof target, "%s:%u", host, event->open.port);
	log_str(&line, "target", target);
	log_str(&line, "why", why);
	log_end(&line);
}

static void
refuse(struct session *session, const struct ssh_event *event,
    enum ssh_open_failure reason, const char *why)
{
	log_refusal(session, event, why);
	ssh_conn_open_refuse(session->conn, event->channel, reason, why);
}

/* Which broker is meant, or -1 and why none is. */
static int
judge(struct session *session, const struct ssh_event *event, const char **why)
{
	const struct snapshot *snapshot = session->worker->snapshot;
	int broker;

	if (event->open.port > UINT16_MAX) {
		*why = "no such port";
		return -1;
	}
	switch (keyring_may_open(snapshot->ring, session->entry,
	    event->open.host, (uint16_t)event->open.port)) {
	case KEYRING_MAY_OPEN:
		break;
	case KEYRING_NO_FORWARDING:
		*why = "the key's line allows no forwarding: it needs "
		       "port-forwarding after restrict";
		return -1;
	case KEYRING_NOT_PERMITTED:
		*why = "the key's line does not name this host and port "
		       "in permitopen";
		return -1;
	}
	broker = settings_broker_for(&snapshot->setup->settings,
	    event->open.host, (uint16_t)event->open.port);
	if (broker < 0)
		*why = "kayad leads to its broker only: ask for 127.0.0.1:1883";
	return broker;
}

void
pipe_open(struct session *session, const struct ssh_event *event)
{
	struct worker *worker = session->worker;
	const char *why = NULL;
	struct pipe *pipe;
	int broker;

	broker = judge(session, event, &why);
	if (broker < 0) {
		refuse(
		    session, event, SSH_OPEN_ADMINISTRATIVELY_PROHIBITED, why);
		return;
	}
	pipe = calloc(1, sizeof *pipe);
	if (pipe != NULL)
		pipe->ticket = slots_add(&worker->tickets, pipe);
	if (pipe == NULL || pipe->ticket == 0) {
		free(pipe);
		refuse(session, event, SSH_OPEN_RESOURCE_SHORTAGE,
		    "the gateway has no memory left");
		return;
	}
	pipe->worker = worker;
	pipe->session = session;
	pipe->channel = event->channel;
	pipe->since_ms = worker_now_ms(worker);
	pipe->broker = broker;
	pipe->setup = snapshot_setup_ref(session->setup);
	mqtt_walk_init(
	    &pipe->from_client, MQTT_FROM_CLIENT, &pipe->setup->mqtt);
	mqtt_walk_init(
	    &pipe->from_broker, MQTT_FROM_BROKER, &pipe->setup->mqtt);
	/* What the walk held, a window's worth, and the identity. */
	buf_init(&pipe->to_broker, (size_t)pipe->setup->ssh.window_bytes +
				       pipe->setup->mqtt.connect_max +
				       pipe->setup->mqtt.hold_max +
				       STR_NAME_MAX + 64);
	buf_init(&pipe->to_client, TO_CLIENT_MAX_BYTES);
	link_in(pipe, &session->pipes);
	ssh_conn_set_channel_data(session->conn, event->channel, pipe);
	monitor_send(&worker->monitor, MONITOR_CONNECT, broker, pipe->ticket,
	    span_of(NULL, 0), -1);
}

static void
on_no_broker(struct pipe *pipe, struct span why)
{
	struct session *session = pipe->session;
	struct log_line line;
	char text[512], reason[400];

	str_escape(why, reason, sizeof reason);
	snprintf(text, sizeof text, "no broker answers: %s", reason);
	if (session_log(&line, LOG_LEVEL_WARN, session, "channel-refuse")) {
		log_str(&line, "why", text);
		log_end(&line);
	}
	ssh_conn_open_refuse(
	    session->conn, pipe->channel, SSH_OPEN_CONNECT_FAILED, text);
	pipe->session = NULL;
	end(pipe);
	session_flush(session);
}

void
pipe_on_connected(struct pipe *pipe, int32_t broker, int fd, struct span why)
{
	struct session *session = pipe->session;
	struct log_line line;

	assert(pipe->state == PIPE_WAITING);
	if (fd < 0) {
		on_no_broker(pipe, why);
		return;
	}
	pipe->state = PIPE_OPEN;
	pipe->broker = broker;
	loop_watch_start(
	    pipe->worker->loop, &pipe->watch, fd, 0, on_ready, pipe);
	ssh_conn_open_confirm(session->conn, pipe->channel);
	if (session_log(&line, LOG_LEVEL_INFO, session, "channel-open")) {
		log_u64(&line, "channel", pipe->channel);
		log_u64(&line, "broker", (uint64_t)broker);
		log_end(&line);
	}
	want(pipe);
	session_flush(session);
}

/* ---- status ---- */

void
pipe_report(const struct pipe *pipe, struct buf *json)
{
	char text[256];

	snprintf(text, sizeof text,
	    "{\"channel\":%u,\"broker\":%d,\"in\":%ju,\"out\":%ju,"
	    "\"since_ms\":%ju}",
	    pipe->channel, pipe->broker, (uintmax_t)pipe->bytes_in,
	    (uintmax_t)pipe->bytes_out,
	    (uintmax_t)(worker_now_ms(pipe->worker) - pipe->since_ms));
	buf_append(json, text, strlen(text));
}

uint64_t
pipe_give_up_ms(const struct pipe *pipe)
{
	return pipe->give_up_ms;
}
