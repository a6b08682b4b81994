#include "worker.h"

#include "clock.h"
#include "log.h"
#include "peer_client.h"
#include "pipe.h"
#include "session.h"
#include "stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ACCEPTS_A_TURN = 32,
	LATE_SHARE = 4, /* of limits.unauthenticated may wait for a refusal */
	DRAIN_QUIET_MS = 200, /* a session quiet for so long is let go */
};

uint64_t
worker_now_ms(const struct worker *worker)
{
	(void)worker;
	return clock_monotonic_ms();
}

/* ---- accepting ---- */

static void
set_accepting(struct worker *worker, bool is_accepting)
{
	if (worker->is_draining)
		is_accepting = false;
	if (worker->is_accepting == is_accepting)
		return;
	worker->is_accepting = is_accepting;
	if (!is_accepting)
		worker_poll(worker); /* for the moment when there is room */
	for (size_t i = 0; i < worker->listener_count; i++)
		loop_watch_want(
		    &worker->listeners[i], is_accepting ? LOOP_READABLE : 0);
}

/* The source's place in the counts: by address, IPv6 by its /64. */
static uint32_t
source_of(const struct worker_counts *counts, const struct netaddr *address)
{
	uint64_t bits = 0;

	memcpy(&bits, address->bytes, address->family == 4 ? 4 : sizeof bits);
	bits = (bits ^ counts->hash_key) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(bits >> 32) & (WORKER_SOURCES - 1);
}

static void
accept_one(struct worker *worker, int fd, const struct sockaddr *peer)
{
	struct worker_counts *counts = worker->counts;
	const struct settings *settings = &worker->snapshot->setup->settings;
	const struct session_who who = session_who_at(peer);
	uint32_t source = source_of(counts, &who.address);
	struct witness witness;

	/* One source may not fill the room that all have to show a key in. */
	if (counts->sources[source] >=
		settings->limits.unauthenticated_per_source ||
	    counts->sessions >= settings->limits.sessions) {
		close(fd);
		counts->refused++;
		session_witness(
		    &witness, WITNESS_REFUSE, LOG_LEVEL_WARN, &who, "refuse");
		witness_str(&witness, "why",
		    counts->sessions >= settings->limits.sessions
			? "limits.sessions is reached"
			: "limits.unauthenticated_per_source is reached");
		witness_send(&witness, &worker->monitor);
		return;
	}
	counts->sources[source]++;
	counts->unauthenticated++;
	counts->sessions++;
	if (session_new(worker, fd, peer, source) == NULL) {
		counts->sources[source]--;
		counts->unauthenticated--;
		counts->sessions--;
	}
}

static void
on_listener(void *arg, unsigned ready)
{
	struct worker *worker = arg;
	const struct settings *settings = &worker->snapshot->setup->settings;

	(void)ready;
	for (size_t i = 0; i < worker->listener_count; i++) {
		for (int k = 0; k < ACCEPTS_A_TURN; k++) {
			struct sockaddr_storage peer;
			socklen_t len = sizeof peer;
			int fd;

			/* The rest waits in the backlog: late, not refused. */
			if (worker->counts->unauthenticated >=
			    settings->limits.unauthenticated) {
				set_accepting(worker, false);
				return;
			}
			fd = accept4(worker->listener_fds[i], (void *)&peer,
			    &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
				log_event(LOG_LEVEL_ERROR, "worker", "accept",
				    "no descriptors left: raise the limit of "
				    "open files (LimitNOFILE=)");
				set_accepting(worker, false);
				return;
			}
			if (fd < 0)
				break;
			accept_one(worker, fd, (void *)&peer);
		}
	}
}

void
worker_left_unauthenticated(struct worker *worker, uint32_t source)
{
	worker->counts->sources[source]--;
	worker->counts->unauthenticated--;
}

bool
worker_begin_late(struct worker *worker, uint32_t source)
{
	uint32_t room =
	    worker->snapshot->setup->settings.limits.unauthenticated;

	if (worker->counts->late >= room / LATE_SHARE)
		return false;
	worker->counts->late++;
	worker_left_unauthenticated(worker, source);
	return true;
}

void
worker_end_late(struct worker *worker, uint32_t source)
{
	worker->counts->late--;
	worker->counts->sources[source]++;
	worker->counts->unauthenticated++;
}

void
worker_drop_late(struct worker *worker)
{
	worker->counts->late--;
}

/* ---- time ---- */

static void
drain(struct worker *worker)
{
	uint64_t now = worker_now_ms(worker);
	struct session *session, *next;

	for (session = worker->sessions; session != NULL; session = next) {
		next = session->next;
		if (now >= worker->drain_until_ms ||
		    (session_is_quiet(session) &&
			now - session->heard_ms >= DRAIN_QUIET_MS))
			session_disconnect(session,
			    SSH_DISCONNECT_BY_APPLICATION,
			    "the gateway is being stopped");
	}
	if (now >= worker->drain_until_ms)
		while (worker->orphans != NULL)
			pipe_drop(worker->orphans);
	worker_on_session_gone(worker);
}

static void
drop_late_orphans(struct worker *worker)
{
	uint64_t now = worker_now_ms(worker);
	struct pipe *pipe, *next;

	for (pipe = worker->orphans; pipe != NULL; pipe = next) {
		next = pipe_next(pipe);
		if (now >= pipe_give_up_ms(pipe))
			pipe_drop(pipe);
	}
}

/* See to it that on_tick is called at `at_ms`, or before. */
static void
wake_at(struct worker *worker, uint64_t at_ms)
{
	uint64_t now;

	if (at_ms >= worker->tick_at_ms)
		return;
	now = worker_now_ms(worker);
	worker->tick_at_ms = at_ms;
	loop_timer_start(worker->tick, at_ms > now ? at_ms - now : 0);
}

void
worker_set_deadline(
    struct worker *worker, struct wheel_node *node, uint64_t deadline_ms)
{
	wheel_set(&worker->wheel, node, deadline_ms);
	if (deadline_ms != UINT64_MAX)
		wake_at(worker, wheel_met_ms(deadline_ms));
}

void
worker_poll(struct worker *worker)
{
	wake_at(worker, worker_now_ms(worker) + WHEEL_TICK_MS);
}

static void
on_tick(void *arg)
{
	struct worker *worker = arg;
	struct wheel_node *node;

	worker->tick_at_ms = UINT64_MAX;
	while ((node = wheel_next_due(&worker->wheel, worker_now_ms(worker))) !=
	       NULL)
		session_on_deadline(
		    (struct session *)(void *)((char *)node -
					       offsetof(
						   struct session, deadline)));
	drop_late_orphans(worker);
	if (worker->is_draining)
		drain(worker);
	else if (worker->counts->unauthenticated <
		 worker->snapshot->setup->settings.limits.unauthenticated)
		set_accepting(worker, true);
	if (worker->is_draining || !worker->is_accepting ||
	    worker->orphans != NULL)
		worker_poll(worker);
	wake_at(worker, wheel_wake_ms(&worker->wheel));
}

void
worker_on_session_gone(struct worker *worker)
{
	if (worker->is_draining && worker->sessions == NULL &&
	    worker->orphans == NULL)
		loop_stop(worker->loop);
}

/* ---- what others say ---- */

static void
on_monitor(void *arg, const struct monitor_message *message, int fd)
{
	struct worker *worker = arg;
	void *asker;

	if (message == NULL) {
		loop_stop(worker->loop); /* the parent is gone */
		return;
	}
	if (worker->peer_client != NULL &&
	    peer_client_on_monitor(worker->peer_client, message, fd))
		return;
	asker = slots_find(&worker->tickets, message->ticket);
	if (asker != NULL && message->op == MONITOR_SIGNED) {
		session_on_signed(
		    asker, span_of(message->payload, message->len));
	} else if (asker != NULL && message->op == MONITOR_ENROLLED) {
		session_on_enrolled(asker,
		    (enum monitor_enrolled)message->value,
		    span_of(message->payload, message->len));
	} else if (asker != NULL && message->op == MONITOR_CONNECTED) {
		pipe_on_connected(asker, message->value, fd,
		    span_of(message->payload, message->len));
		fd = -1;
	} else if (asker != NULL && message->op == MONITOR_DECIDED) {
		pipe_on_decided(asker, message->value,
		    span_of(message->payload, message->len));
	} else if (message->op == MONITOR_TELL) {
		pipes_on_told(worker, message->value,
		    span_of(message->payload, message->len));
	}
	if (fd >= 0)
		close(fd);
}

static void
take_snapshot(struct worker *worker, struct snapshot *snapshot)
{
	struct session *session, *next;

	snapshot_unref(worker->snapshot);
	worker->snapshot = snapshot;
	for (session = worker->sessions; session != NULL; session = next) {
		next = session->next;
		session_on_snapshot(session, snapshot);
	}
}

static void
write_report(struct worker *worker, struct worker_report *report)
{
	for (struct session *s = worker->sessions; s != NULL; s = s->next)
		session_report(s, &report->json);
	atomic_store(&report->is_ready, true);
	eventfd_write(worker->done_fd, 1);
}

/* What another thread has found out. */
struct worker_probe {
	struct worker_probe *next;
	uint64_t ticket;
};

static void
probe(struct worker *worker, uint64_t ticket)
{
	struct session *session = slots_find(&worker->tickets, ticket);

	if (session != NULL)
		session_probe(session);
}

void
worker_probe(struct worker *worker, const struct roster_place *place)
{
	struct worker *other = &worker->team->workers[place->worker];
	struct worker_probe *node;

	if (other == worker) {
		probe(worker, place->ticket);
		return;
	}
	/* Without memory its own keepalive finds out, later. */
	node = malloc(sizeof *node);
	if (node == NULL)
		return;
	node->ticket = place->ticket;
	node->next = atomic_load(&other->probes);
	while (!atomic_compare_exchange_weak(&other->probes, &node->next, node))
		;
	worker_wake(other);
}

static void
take_probes(struct worker *worker)
{
	struct worker_probe *node = atomic_exchange(&worker->probes, NULL);

	while (node != NULL) {
		struct worker_probe *next = node->next;

		probe(worker, node->ticket);
		free(node);
		node = next;
	}
}

static void
on_wake(void *arg, unsigned ready)
{
	struct worker *worker = arg;
	struct worker_report *report;
	struct snapshot *snapshot;
	uint32_t drain_ms;
	eventfd_t count;

	(void)ready;
	eventfd_read(worker->wake_fd, &count);
	snapshot = atomic_exchange(&worker->next_snapshot, NULL);
	if (snapshot != NULL)
		take_snapshot(worker, snapshot);
	take_probes(worker);
	report = atomic_exchange(&worker->report, NULL);
	if (report != NULL)
		write_report(worker, report);
	drain_ms = atomic_load(&worker->drain_ms);
	if (drain_ms > 0 && !worker->is_draining) {
		set_accepting(worker, false);
		worker->is_draining = true;
		worker->drain_until_ms = worker_now_ms(worker) + drain_ms - 1;
		for (size_t i = 0; i < worker->listener_count; i++) {
			loop_watch_stop(&worker->listeners[i]);
			close(worker->listener_fds[i]);
		}
		worker->listener_count = 0;
		drain(worker);
	}
}

void
worker_wake(struct worker *worker)
{
	eventfd_write(worker->wake_fd, 1);
}

/* ---- beginning and end ---- */

static void *
run(void *arg)
{
	struct worker *worker = arg;
	struct err err = ERR_INIT;

	if (loop_run(worker->loop, &err) != 0)
		log_err(LOG_LEVEL_ERROR, "worker", "loop", &err);
	peer_client_free(worker->peer_client);
	monitor_stop(&worker->monitor);
	loop_watch_stop(&worker->wake);
	loop_timer_free(worker->tick);
	loop_free(worker->loop);
	ssh_engine_free(worker->engine);
	snapshot_unref(worker->snapshot);
	snapshot_unref(atomic_exchange(&worker->next_snapshot, NULL));
	slots_fini(&worker->tickets);
	free(worker->scratch);
	atomic_fetch_sub(&worker->counts->workers, 1);
	eventfd_write(worker->done_fd, 1);
	return NULL;
}

void
worker_fini(struct worker *worker)
{
	struct worker_probe *node = atomic_exchange(&worker->probes, NULL);

	while (node != NULL) {
		struct worker_probe *next = node->next;

		free(node);
		node = next;
	}
	close(worker->wake_fd);
}

int
worker_start(struct worker *worker, const struct worker_options *options,
    struct err *err)
{
	assert(options->listener_count <= WORKER_LISTENERS_MAX);
	worker->index = options->index;
	worker->counts = options->counts;
	worker->team = options->team;
	worker->snapshot = options->snapshot;
	worker->done_fd = options->done_fd;
	worker->loop = loop_new(err);
	if (worker->loop == NULL)
		return -1;
	worker->engine = ssh_engine_new(err);
	if (worker->engine == NULL)
		return -1;
	worker->scratch = malloc(WORKER_SCRATCH_BYTES);
	worker->tick = loop_timer_new(worker->loop, on_tick, worker);
	worker->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->scratch == NULL || worker->tick == NULL ||
	    worker->wake_fd < 0)
		return err_set_errno(
		    err, ERR_SYSTEM, "a thread cannot be prepared");
	if (worker->index == 0) {
		worker->peer_client = peer_client_new(worker);
		if (worker->peer_client == NULL)
			return err_set(err, ERR_NOMEM, "no memory");
	}
	wheel_init(&worker->wheel, worker_now_ms(worker));
	worker->tick_at_ms = UINT64_MAX;
	loop_watch_start(worker->loop, &worker->wake, worker->wake_fd,
	    LOOP_READABLE, on_wake, worker);
	monitor_start(&worker->monitor, worker->loop, options->monitor_fd,
	    on_monitor, worker);
	worker->is_accepting = true;
	for (size_t i = 0; i < options->listener_count; i++) {
		worker->listener_fds[i] = options->listener_fds[i];
		/* Whoever is accepted there has it too (tcp(7)). */
		stream_set_nodelay(options->listener_fds[i]);
		loop_watch_start(worker->loop, &worker->listeners[i],
		    options->listener_fds[i], LOOP_READABLE, on_listener,
		    worker);
	}
	worker->listener_count = options->listener_count;
	atomic_fetch_add(&worker->counts->workers, 1);
	if (pthread_create(&worker->thread, NULL, run, worker) != 0) {
		atomic_fetch_sub(&worker->counts->workers, 1);
		return err_set(err, ERR_SYSTEM, "a thread cannot be started");
	}
	return 0;
}
