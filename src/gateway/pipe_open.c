#include "pipe_private.h"

#include "str.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	TO_CLIENT_MAX_BYTES = 1 << 20,
	HOST_TEXT = 300,
};

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
	pipe_link_in(pipe, &session->pipes);
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
	if (session_log(&line, LOG_LEVEL_INFO, session, "channel-open")) {
		log_u64(&line, "channel", pipe->channel);
		log_u64(&line, "broker", (uint64_t)broker);
		log_end(&line);
	}
	pipe_want(pipe);
	session_flush(session);
}
