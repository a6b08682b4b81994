#include "pipe_private.h"

#include "proxy_header.h"
#include "str.h"
#include "wire.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
	TO_CLIENT_MAX_BYTES = 1 << 20,
	HOST_TEXT = 300,
	/* an identity, a secret, a PROXY header, with lengths */
	CONNECT_GROWTH = STR_NAME_MAX + UINT16_MAX + PROXY_HEADER_MAX + 64,
};

/* HOST:PORT, escaped; for the caller to free; NULL where memory fails. */
static char *
target_of(const struct ssh_event *event)
{
	char host[HOST_TEXT], target[HOST_TEXT + 16];

	str_escape(event->open.host, host, sizeof host);
	snprintf(target, sizeof target, "%s:%u", host, event->open.port);
	return strdup(target);
}

static void
log_refusal(const struct session *session, uint32_t channel, const char *target,
    const char *why)
{
	struct witness witness;

	session_witness(&witness, WITNESS_REFUSE_CHANNEL, LOG_LEVEL_INFO,
	    &session->who, "channel-refuse");
	witness_u64(&witness, "channel", channel);
	witness_str(&witness, "target", target == NULL ? "" : target);
	witness_str(&witness, "why", why);
	witness_send(&witness, &session->worker->monitor);
}

static void
refuse(struct session *session, const struct ssh_event *event,
    enum ssh_open_failure reason, const char *why)
{
	char *target = target_of(event);

	log_refusal(session, event->channel, target, why);
	free(target);
	ssh_conn_open_refuse(session->conn, event->channel, reason, why);
}

/* The gateway itself; permitopen, which names brokers, does not matter. */
static bool
is_control(const struct ssh_event *event)
{
	static const char name[] = "control.kaya";

	return event->open.port == 1 &&
	       event->open.host.len == sizeof name - 1 &&
	       strncasecmp((const char *)event->open.host.data, name,
		   sizeof name - 1) == 0;
}

/* Which brokers are meant; 0, and why none is. */
static uint32_t
judge(struct session *session, const struct ssh_event *event, const char **why)
{
	const struct snapshot *snapshot = session->worker->snapshot;
	uint32_t wanted;

	if (session->worker->is_draining) {
		*why = "the gateway is being stopped";
		return 0;
	}
	if (event->open.port > UINT16_MAX) {
		*why = "no such port";
		return 0;
	}
	if (session->certificate != NULL &&
	    !session->certificate->may_forward) {
		*why = "the certificate allows no forwarding: it needs the "
		       "extension permit-port-forwarding";
		return 0;
	}
	switch (keyring_may_open(snapshot->ring, session->entry,
	    event->open.host, (uint16_t)event->open.port)) {
	case KEYRING_MAY_OPEN:
		break;
	case KEYRING_NO_FORWARDING:
		*why = "the key's line allows no forwarding: it needs "
		       "port-forwarding after restrict";
		return 0;
	case KEYRING_NOT_PERMITTED:
		if (is_control(event))
			break;
		*why = "the key's line does not name this host and port "
		       "in permitopen";
		return 0;
	}
	if (is_control(event))
		return UINT32_MAX; /* the parent has the say */
	wanted = settings_brokers_for(&snapshot->setup->settings,
	    event->open.host, (uint16_t)event->open.port);
	if (wanted == 0)
		*why = "kayad leads to its broker only: ask for 127.0.0.1:1883";
	return wanted;
}

static void
ask_for_broker(struct pipe *pipe, uint32_t wanted)
{
	uint8_t generation[8];

	wire_poke_u64(generation, pipe->worker->snapshot->generation);
	monitor_send(&pipe->worker->monitor, MONITOR_CONNECT, (int32_t)wanted,
	    pipe->ticket, span_of(generation, sizeof generation), -1);
}

/* Who would ask the gateway itself. */
static void
ask(struct pipe *pipe)
{
	const struct session *session = pipe->session;
	char address[NETADDR_TEXT_SIZE];
	struct buf who;

	buf_init(&who, MONITOR_PAYLOAD_MAX);
	wire_put_cstring32(&who, session->who.identity);
	wire_put_cstring32(
	    &who, keyring_role(pipe->worker->snapshot->ring, session->entry));
	wire_put_cstring32(&who, netaddr_text(&session->who.address, address));
	/* Where memory fails the parent says that it is no question. */
	monitor_send(&pipe->worker->monitor, MONITOR_ASK, 0, pipe->ticket,
	    buf_span(&who), -1);
	buf_fini(&who);
}

void
pipe_open(struct session *session, const struct ssh_event *event)
{
	struct worker *worker = session->worker;
	const struct mqtt_limits *limits;
	const char *why = NULL;
	struct pipe *pipe;
	uint32_t wanted = judge(session, event, &why);

	if (wanted == 0) {
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
	pipe->broker = -1;
	pipe->is_control = is_control(event);
	pipe->target = target_of(event);
	/* Brokers are counted as the newest configuration names them. */
	pipe->setup = snapshot_setup_ref(worker->snapshot->setup);
	limits = &pipe->setup->mqtt_up;
	mqtt_walk_init(&pipe->from_client, MQTT_FROM_CLIENT, limits);
	mqtt_walk_init(
	    &pipe->from_broker, MQTT_FROM_BROKER, &pipe->setup->mqtt_down);
	/* What the walk held, a window's worth, what CONNECT is given, and what
	 * was held. */
	buf_init(&pipe->to_broker,
	    (size_t)session->setup->ssh.window_bytes + limits->connect_max +
		limits->hold_max + CONNECT_GROWTH + ACCESS_HELD_ALL_MAX_BYTES);
	buf_init(&pipe->to_client, TO_CLIENT_MAX_BYTES);
	pipe_link_in(pipe, &session->pipes);
	ssh_conn_set_channel_data(session->conn, event->channel, pipe);
	if (pipe->is_control)
		ask(pipe);
	else
		ask_for_broker(pipe, wanted);
}

static void
on_no_broker(struct pipe *pipe, struct span why)
{
	struct session *session = pipe->session;
	char text[512], reason[400];

	/* There was one, for which there was no room here. */
	if (why.len == 0)
		why = span_of_str("the gateway may not open more files "
				  "(LimitNOFILE=)");
	str_escape(why, reason, sizeof reason);
	snprintf(text, sizeof text, "%s%s",
	    pipe->is_control ? "" : "no broker answers: ", reason);
	log_refusal(session, pipe->channel, pipe->target, text);
	ssh_conn_open_refuse(session->conn, pipe->channel,
	    pipe->is_control ? SSH_OPEN_ADMINISTRATIVELY_PROHIBITED
			     : SSH_OPEN_CONNECT_FAILED,
	    text);
	pipe->session = NULL;
	pipe_end(pipe);
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
	    pipe->worker->loop, &pipe->watch, fd, 0, pipe_on_ready, pipe);
	ssh_conn_open_confirm(session->conn, pipe->channel);
	if (session_log(&line, LOG_LEVEL_INFO, &session->who, "channel-open")) {
		log_u64(&line, "channel", pipe->channel);
		log_str(
		    &line, "target", pipe->target == NULL ? "" : pipe->target);
		log_str(&line, "broker", pipe_goal(pipe));
		log_end(&line);
	}
	free(pipe->target);
	pipe->target = NULL;
	pipe_want(pipe);
	session_flush(session);
}
