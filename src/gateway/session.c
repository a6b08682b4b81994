#include "session_private.h"

#include "log.h"
#include "pipe.h"
#include "stream.h"

#include <assert.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	ENDING_MS = 2000, /* to write out a good-bye */
	OUTPUT_HIGH_BYTES = 256 * 1024, /* then nothing more is read */
};

static const struct {
	const char *name;
	unsigned next; /* a bit for each state that may follow */
} states[] = {
    [SESSION_HANDSHAKE] = {"handshake",
	1u << SESSION_OPEN | 1u << SESSION_ENDING | 1u << SESSION_ENDED},
    [SESSION_OPEN] = {"open", 1u << SESSION_ENDING | 1u << SESSION_ENDED},
    [SESSION_ENDING] = {"ending", 1u << SESSION_ENDED},
    [SESSION_ENDED] = {"ended", 0},
};

/* ---- states and deadlines ---- */

static uint64_t
keepalive_due(const struct session *session)
{
	const struct settings *settings = &session->setup->settings;

	if (session->state != SESSION_OPEN ||
	    settings->limits.keepalive_interval_ms == 0)
		return UINT64_MAX;
	return session->heard_ms + settings->limits.keepalive_interval_ms *
				       (session->unanswered + 1u);
}

static void
arm(struct session *session)
{
	uint64_t due = ssh_conn_deadline_ms(session->conn);
	uint64_t keepalive = keepalive_due(session);

	if (session->state == SESSION_ENDING)
		due = session->due_ms;
	else if (keepalive < due)
		due = keepalive;
	if (session->due_ms != 0 && session->due_ms < due)
		due = session->due_ms;
	if (session->deadline.link == NULL ||
	    due < session->deadline.deadline_ms)
		worker_set_deadline(session->worker, &session->deadline, due);
}

void
session_set_state(struct session *session, enum session_state state)
{
	struct log_line line;

	if (session->state == state)
		return;
	assert((states[session->state].next & 1u << state) != 0);
	if (session_log(&line, LOG_LEVEL_DEBUG, &session->who, "state")) {
		log_str(&line, "was", states[session->state].name);
		log_str(&line, "is", states[state].name);
		log_end(&line);
	}
	if (session->state == SESSION_HANDSHAKE) {
		if (session->due_ms != 0)
			worker_drop_late(session->worker);
		else
			worker_left_unauthenticated(
			    session->worker, session->source);
		session->source = UINT32_MAX;
	}
	if (session->state == SESSION_OPEN)
		roster_leave(session->worker->team->roster, &session->roster);
	session->state = (uint8_t)state;
	session->due_ms = 0;
	wheel_clear(&session->worker->wheel, &session->deadline);
	if (state == SESSION_ENDING)
		session->due_ms = worker_now_ms(session->worker) + ENDING_MS;
	if (state != SESSION_ENDED)
		arm(session);
}

static void
free_session(void *arg)
{
	struct session *session = arg;
	struct worker *worker = session->worker;

	ssh_conn_free(session->conn);
	snapshot_setup_unref(session->setup);
	slots_remove(&worker->tickets, session->ticket);
	free(session->held);
	free(session->who.identity);
	free(session->said);
	*session->link = session->next;
	if (session->next != NULL)
		session->next->link = session->link;
	free(session);
	atomic_fetch_sub(&worker->counts->sessions, 1);
	worker_on_session_gone(worker);
}

/* Close the socket, let the pipes go, and be freed when this turn is over. */
static void
end(struct session *session)
{
	struct ssh_conn_facts facts;
	struct log_line line;

	if (session->state == SESSION_ENDED)
		return;
	session_set_state(session, SESSION_ENDED);
	while (session->pipes != NULL)
		pipe_detach(session->pipes);
	ssh_conn_facts(session->conn, &facts);
	if (session_log(&line, LOG_LEVEL_INFO, &session->who, "close")) {
		if (session->code != 0) {
			log_u64(&line, "disconnect", session->code);
			log_str(&line, "by", session->by_peer ? "peer" : "us");
		}
		log_str(&line, "why",
		    session->said != NULL ? session->said : session->why);
		log_u64(&line, "in", facts.bytes_in);
		log_u64(&line, "out", facts.bytes_out);
		log_u64(&line, "exchanges", facts.key_exchanges);
		log_u64(&line, "ms",
		    worker_now_ms(session->worker) - session->since_ms);
		log_end(&line);
	}
	loop_watch_stop(&session->watch);
	close(session->watch.fd);
	loop_defer(
	    session->worker->loop, &session->deferred, free_session, session);
}

/* ---- writing ---- */

static void
want(struct session *session)
{
	size_t backlog = buf_len(ssh_conn_output(session->conn));
	unsigned wanted = 0;

	if (session->state == SESSION_ENDED)
		return;
	/* Who is asked for a sign of life has to be listened to. */
	if (session->state != SESSION_ENDING &&
	    !ssh_conn_is_waiting(session->conn) &&
	    (backlog < OUTPUT_HIGH_BYTES || session->due_ms != 0))
		wanted |= LOOP_READABLE;
	if (backlog > 0)
		wanted |= LOOP_WRITABLE;
	loop_watch_want(&session->watch, wanted);
}

void
session_flush(struct session *session)
{
	struct buf *output = ssh_conn_output(session->conn);

	if (session->is_turning || session->state == SESSION_ENDED)
		return;
	switch (stream_write(session->watch.fd, output)) {
	case STREAM_OK:
		if (session->state == SESSION_ENDING) {
			end(session);
			return;
		}
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_EOF:
	case STREAM_FAILED:
		if (session->why == NULL)
			session->why = "connection lost";
		end(session);
		return;
	}
	want(session);
	arm(session);
}

void
session_disconnect(
    struct session *session, enum ssh_disconnect reason, const char *why)
{
	if (session->state >= SESSION_ENDING)
		return;
	session->why = why;
	while (session->pipes != NULL)
		pipe_detach(session->pipes);
	ssh_conn_disconnect(session->conn, reason, why);
	session_set_state(session, SESSION_ENDING);
	session_flush(session);
}

bool
session_is_quiet(const struct session *session)
{
	if (buf_len(ssh_conn_output(session->conn)) > 0)
		return false;
	for (const struct pipe *p = session->pipes; p != NULL; p = pipe_next(p))
		if (!pipe_is_quiet(p))
			return false;
	return true;
}

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
			end(session);
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
static void
resume(struct session *session)
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
		end(session);
		return;
	case STREAM_FAILED:
		session->why = "connection lost";
		end(session);
		return;
	}
	session->heard_ms = worker_now_ms(session->worker);
	session->unanswered = 0;
	if (session->state == SESSION_OPEN)
		session->due_ms = 0;
	turn(session, (struct ssh_input){scratch, held + len});
}

static void
on_ready(void *arg, unsigned ready)
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
session_probe(struct session *session)
{
	uint64_t allowed_ms = session->setup->settings.limits.takeover_ms;
	struct log_line line;

	if (session->state != SESSION_OPEN || session->due_ms != 0 ||
	    allowed_ms == 0)
		return;
	if (session_log(&line, LOG_LEVEL_DEBUG, &session->who, "probe"))
		log_end(&line);
	session->due_ms = worker_now_ms(session->worker) + allowed_ms;
	ssh_conn_keepalive(session->conn);
	session_flush(session);
}

void
session_on_deadline(struct session *session)
{
	uint64_t now = worker_now_ms(session->worker);
	const struct settings *settings = &session->setup->settings;

	if (session->state == SESSION_ENDING) {
		if (now >= session->due_ms)
			end(session);
		else
			arm(session);
		return;
	}
	if (session->due_ms != 0 && now >= session->due_ms) {
		if (session->state == SESSION_HANDSHAKE) {
			session_tell_refusal(session);
			resume(session);
			return;
		}
		session->why = "its key came again, and it gave no sign of "
			       "life";
		end(session);
		return;
	}
	if (now >= keepalive_due(session)) {
		if (session->unanswered >= settings->limits.keepalive_count) {
			session->why = "no sign of life";
			end(session);
			return;
		}
		session->unanswered++;
		ssh_conn_keepalive(session->conn);
	}
	if (now >= ssh_conn_deadline_ms(session->conn)) {
		ssh_conn_on_deadline(session->conn, now);
		resume(session);
		return;
	}
	session_flush(session);
	if (session->state != SESSION_ENDED)
		arm(session);
}

void
session_on_signed(struct session *session, struct span signature)
{
	if (session->state >= SESSION_ENDING ||
	    !ssh_conn_is_waiting(session->conn))
		return;
	ssh_conn_signed(
	    session->conn, signature, worker_now_ms(session->worker));
	resume(session);
}

/* ---- beginning ---- */

struct session *
session_new(
    struct worker *worker, int fd, const struct sockaddr *peer, uint32_t source)
{
	struct session *session = calloc(1, sizeof *session);
	static _Atomic uint32_t last_id;
	struct log_line line;

	if (session == NULL)
		goto fail;
	session->worker = worker;
	session->source = source;
	session->since_ms = session->heard_ms = worker_now_ms(worker);
	session->who = session_who_at(peer);
	session->who.id = ++last_id;
	session->ticket = slots_add(&worker->tickets, session);
	if (session->ticket == 0)
		goto fail;
	session->conn = ssh_conn_new(
	    &worker->snapshot->setup->ssh, worker->engine, session->since_ms);
	if (session->conn == NULL)
		goto fail;
	session->setup = snapshot_setup_ref(worker->snapshot->setup);
	session->next = worker->sessions;
	session->link = &worker->sessions;
	if (session->next != NULL)
		session->next->link = &session->next;
	worker->sessions = session;
	loop_watch_start(worker->loop, &session->watch, fd, LOOP_READABLE,
	    on_ready, session);
	if (session_log(&line, LOG_LEVEL_DEBUG, &session->who, "connect"))
		log_end(&line);
	arm(session);
	session_flush(session);
	return session;
fail:
	if (session != NULL) {
		slots_remove(&worker->tickets, session->ticket);
		free(session);
	}
	close(fd);
	return NULL;
}
