#include "session_private.h"

#include "pipe.h"
#include "stream.h"

#include <assert.h>
#include <stdlib.h>

/* ---- events ---- */

static void
on_sign(struct session *session, const struct ssh_event *event)
{
	uint8_t payload[1 + 64 + 64];
	size_t name_len = strlen(event->sign.algorithm);

	assert(name_len <= 64 && event->sign.hash.len <= 64);
	payload[0] = (uint8_t)name_len;
	memcpy(payload + 1, event->sign.algorithm, name_len);
	memcpy(payload + 1 + name_len, event->sign.hash.data,
	    event->sign.hash.len);
	monitor_send(&session->worker->monitor, MONITOR_SIGN,
	    (int32_t)event->sign.host_key, session->ticket,
	    span_of(payload, 1 + name_len + event->sign.hash.len), -1);
}

static void
on_gone(struct session *session, const struct ssh_event *event)
{
	/* What there is no memory for is told in one word. */
	if (session->why == NULL) {
		session->why = event->gone.by_peer ? "the peer disconnected"
						   : "protocol fault";
		session->said = strdup(event->gone.why);
	}
	session->code = (uint8_t)event->gone.reason;
	session->by_peer = event->gone.by_peer;
	while (session->pipes != NULL)
		pipe_detach(session->pipes);
	if (session->state < SESSION_ENDING)
		session_set_state(session, SESSION_ENDING);
}

static void
on_writable(struct session *session, uint32_t channel)
{
	struct pipe *p, *next;

	if (channel != SSH_CHANNEL_ALL) {
		p = ssh_conn_channel_data(session->conn, channel);
		if (p != NULL)
			pipe_on_writable(p);
		return;
	}
	for (p = session->pipes; p != NULL; p = next) {
		next = pipe_next(p);
		pipe_on_writable(p);
	}
}

static void
on_event(struct session *session, const struct ssh_event *event)
{
	struct pipe *p = NULL;

	if (event->kind == SSH_EVENT_DATA || event->kind == SSH_EVENT_EOF ||
	    event->kind == SSH_EVENT_CLOSE)
		p = ssh_conn_channel_data(session->conn, event->channel);
	switch (event->kind) {
	case SSH_EVENT_NONE:
	case SSH_EVENT_ALIVE:
		break;
	case SSH_EVENT_REPLY:
		session_on_reply(session, event);
		break;
	case SSH_EVENT_SIGN:
		on_sign(session, event);
		break;
	case SSH_EVENT_AUTH:
		session_on_auth(session, event);
		break;
	case SSH_EVENT_ACCEPTED:
		session_on_accepted(session);
		break;
	case SSH_EVENT_OPEN:
		pipe_open(session, event);
		break;
	case SSH_EVENT_DATA:
		pipe_on_data(p, event->data);
		break;
	case SSH_EVENT_EOF:
		pipe_on_eof(p);
		break;
	case SSH_EVENT_CLOSE:
		pipe_on_close(p);
		break;
	case SSH_EVENT_WRITABLE:
		on_writable(session, event->channel);
		break;
	case SSH_EVENT_GONE:
		on_gone(session, event);
		break;
	}
}

/* ---- reading ---- */

/* Keep what the conn could not use yet. */
static void
hold(struct session *session, struct ssh_input rest)
{
	uint8_t *kept = NULL;

	if (rest.len > 0 && session->state < SESSION_ENDING) {
		kept = malloc(rest.len);
		if (kept == NULL) {
			session->why = "no memory";
			free(session->held);
			session->held = NULL;
			session->held_len = 0;
			session_end(session);
			return;
		}
		memcpy(kept, rest.data, rest.len);
	}
	free(session->held);
	session->held = kept;
	session->held_len = kept == NULL ? 0 : (uint32_t)rest.len;
}

/* Go through `input`, then write out what came of it, once. */
static void
turn(struct session *session, struct ssh_input input)
{
	uint64_t now = worker_now_ms(session->worker);
	struct ssh_event event;

	session->is_turning = true;
	do {
		ssh_conn_step(session->conn, &input, now, &event);
		on_event(session, &event);
	} while (event.kind != SSH_EVENT_NONE && event.kind != SSH_EVENT_GONE &&
		 session->state < SESSION_ENDING);
	hold(session, input);
	for (struct pipe *p = session->pipes, *next; p != NULL; p = next) {
		next = pipe_next(p);
		pipe_flush(p);
	}
	session->is_turning = false;
	session_flush(session);
}

/* Input that had to wait for an answer, or for nothing at all. */
void
session_resume(struct session *session)
{
	struct ssh_input input;
	uint8_t *scratch = session->worker->scratch;

	input = (struct ssh_input){scratch, session->held_len};
	if (session->held_len > 0)
		memcpy(scratch, session->held, session->held_len);
	turn(session, input);
}

static void
on_readable(struct session *session)
{
	uint8_t *scratch = session->worker->scratch;
	size_t held = session->held_len, len;

	if (ssh_conn_is_waiting(session->conn)) {
		session->is_unheard = true;
		session_flush(session); /* and be deaf to him */
		return;
	}
	if (held > 0)
		memcpy(scratch, session->held, held);
	switch (stream_read(session->watch.fd, scratch + held,
	    WORKER_SCRATCH_BYTES - held, &len)) {
	case STREAM_OK:
		break;
	case STREAM_AGAIN:
		return;
	case STREAM_EOF:
		session->why = session->state == SESSION_HANDSHAKE
				   ? "the peer left before showing a key"
				   : "the peer closed the connection";
		session_end(session);
		return;
	case STREAM_FAILED:
		session->why = "connection lost";
		session_end(session);
		return;
	}
	session->heard_ms = worker_now_ms(session->worker);
	session->unanswered = 0;
	if (session->state == SESSION_OPEN)
		session->due_ms = 0;
	turn(session, (struct ssh_input){scratch, held + len});
}

void
session_on_ready(void *arg, unsigned ready)
{
	struct session *session = arg;

	if ((ready & LOOP_WRITABLE) != 0) {
		session_flush(session);
		/* Room again: the brokers may go on. */
		if (session->state == SESSION_OPEN &&
		    buf_len(ssh_conn_output(session->conn)) == 0)
			on_writable(session, SSH_CHANNEL_ALL);
	}
	if ((ready & LOOP_READABLE) != 0 && session->state < SESSION_ENDING)
		on_readable(session);
}

void
session_on_signed(struct session *session, struct span signature)
{
	if (session->state >= SESSION_ENDING ||
	    !ssh_conn_is_waiting(session->conn))
		return;
	ssh_conn_signed(
	    session->conn, signature, worker_now_ms(session->worker));
	session_resume(session);
}
