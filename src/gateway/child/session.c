#include "session_private.h"

#include "clock.h"
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

/* When its key's line or its certificate ends, by the clock on the wall. */
static uint64_t
end_due(const struct session *session)
{
	int64_t left_s;

	if (session->state != SESSION_OPEN || session->ends_s == INT64_MAX)
		return UINT64_MAX;
	left_s = session->ends_s - clock_wall_s();
	return worker_now_ms(session->worker) +
	       (left_s > 0 ? (uint64_t)left_s * 1000 : 0);
}

void
session_look_at(struct session *session, uint64_t at_ms)
{
	if (session->deadline.link == NULL ||
	    at_ms < session->deadline.deadline_ms)
		worker_set_deadline(session->worker, &session->deadline, at_ms);
}

static void
arm(struct session *session)
{
	uint64_t due = ssh_conn_deadline_ms(session->conn);
	uint64_t keepalive = keepalive_due(session), end = end_due(session);

	if (session->state == SESSION_ENDING)
		due = session->due_ms;
	else if (keepalive < due)
		due = keepalive;
	if (end < due)
		due = end;
	if (session->due_ms != 0 && session->due_ms < due)
		due = session->due_ms;
	session_look_at(session, due);
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
		if (session->is_late)
			worker_drop_late(session->worker);
		else
			worker_left_unauthenticated(
			    session->worker, session->source);
		session->is_late = false;
		session->source = UINT32_MAX;
	}
	if (session->state == SESSION_OPEN) {
		roster_leave(session->worker->team->roster, &session->roster);
		if (session->certificate != NULL)
			session_certificate_leave(
			    session->certificate, session->worker->team->names);
	}
	session->state = (uint8_t)state;
	session->due_ms = 0;
	wheel_clear(&session->worker->wheel, &session->deadline);
	if (state == SESSION_ENDING)
		session->due_ms = worker_now_ms(session->worker) + ENDING_MS;
	if (state != SESSION_ENDED)
		arm(session);
}

struct quota *
session_quota(struct session *session)
{
	struct worker *worker = session->worker;

	if (session->quota == NULL)
		session->quota = quotas_enter(worker->team->quotas,
		    span_of_str(session->who.identity), worker_now_ms(worker));
	return session->quota;
}

static void
free_session(void *arg)
{
	struct session *session = arg;
	struct worker *worker = session->worker;

	ssh_conn_free(session->conn);
	snapshot_setup_unref(session->setup);
	slots_remove(&worker->tickets, session->ticket);
	quotas_leave(session->quota, worker_now_ms(worker));
	free(session->held);
	free(session->who.identity);
	free(session->certificate);
	free(session->said);
	free(session->sentence);
	*session->link = session->next;
	if (session->next != NULL)
		session->next->link = session->link;
	free(session);
	atomic_fetch_sub(&worker->counts->sessions, 1);
	worker_on_session_gone(worker);
}

/* Close the socket, let the pipes go, and be freed when this turn is over. */
void
session_end(struct session *session)
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
	/*
	 * Who waits for an answer sends nothing before he has it, as a rule: to
	 * watch him meanwhile costs less than to stop and start again.
	 */
	if (!ssh_conn_is_waiting(session->conn))
		session->is_unheard = false;
	/* Who is asked for a sign of life has to be listened to. */
	if (session->state != SESSION_ENDING && !session->is_unheard &&
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
			session_end(session);
			return;
		}
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_EOF:
	case STREAM_FAILED:
		if (session->why == NULL)
			session->why = "connection lost";
		session_end(session);
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
			session_end(session);
		else
			arm(session);
		return;
	}
	if (session->state == SESSION_OPEN &&
	    clock_wall_s() >= session->ends_s &&
	    !session_judge_again(session, session->worker->snapshot))
		return;
	if (session->due_ms != 0 && now >= session->due_ms) {
		if (session->state == SESSION_HANDSHAKE) {
			session_tell_refusal(session);
			if (session->state == SESSION_HANDSHAKE)
				session_resume(session);
			return;
		}
		session->why = "its key came again, and it gave no sign of "
			       "life";
		session_end(session);
		return;
	}
	if (now >= keepalive_due(session)) {
		if (session->unanswered >= settings->limits.keepalive_count) {
			session->why = "no sign of life";
			session_end(session);
			return;
		}
		session->unanswered++;
		ssh_conn_keepalive(session->conn);
	}
	if (session->state == SESSION_OPEN)
		pipes_on_deadline(session, now);
	if (session->state == SESSION_ENDED)
		return;
	if (now >= ssh_conn_deadline_ms(session->conn)) {
		ssh_conn_on_deadline(session->conn, now);
		session_resume(session);
		return;
	}
	session_flush(session);
	if (session->state != SESSION_ENDED)
		arm(session);
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
	session->ends_s = INT64_MAX;
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
	    session_on_ready, session);
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
