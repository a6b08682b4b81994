#include "child.h"

#include "log.h"
#include "monitor.h"
#include "quotas.h"
#include "snapshot.h"
#include "wire.h"
#include "worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <unistd.h>
#ifdef KAYA_LEAKS
#include <sanitizer/lsan_interface.h>
#endif

enum { REPORT_MAX_BYTES = 64 << 20 };

/* The control: the first thread, which speaks with the parent. */
struct child {
	const struct child_options *options;
	struct loop *loop;
	struct monitor monitor;
	struct loop_watch done;
	int done_fd; /* workers write it when they end or have reported */
	struct worker_counts counts;
	struct worker workers[CHILD_THREADS_MAX];
	struct worker_team team;
	bool is_started;
	bool is_draining;
	struct snapshot_policy *policy; /* that was taken last */
	/* a status under way */
	uint64_t status_ticket;
	size_t reports;
	struct worker_report *report[CHILD_THREADS_MAX];
};

/* ---- status ---- */

static void
send_report(struct child *child)
{
	const struct worker_counts *counts = &child->counts;
	struct buf json;
	bool has_device = false;
	char head[256];
	int fd;

	buf_init(&json, REPORT_MAX_BYTES);
	snprintf(head, sizeof head,
	    "{\"sessions\":%u,\"unauthenticated\":%u,\"late\":%u,"
	    "\"accepted\":%ju,\"refused\":%ju,\"devices\":[",
	    counts->sessions, counts->unauthenticated, counts->late,
	    (uintmax_t)counts->accepted, (uintmax_t)counts->refused);
	buf_append_str(&json, head);
	for (size_t i = 0; i < child->reports; i++) {
		struct span part = buf_span(&child->report[i]->json);

		if (part.len > 0 && has_device)
			buf_append_str(&json, ",");
		has_device = has_device || part.len > 0;
		wire_put_bytes(&json, part);
		buf_fini(&child->report[i]->json);
		free(child->report[i]);
	}
	child->reports = 0;
	buf_append_str(&json, "]}");
	fd = json.failed ? -1 : memfd_create("kayad-status", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, buf_span(&json).data, buf_len(&json)) !=
			   (ssize_t)buf_len(&json)) {
		close(fd);
		fd = -1;
	}
	buf_fini(&json);
	monitor_send(&child->monitor, MONITOR_STATUS_REPLY, 0,
	    child->status_ticket, span_of(NULL, 0), fd);
}

static void
start_report(struct child *child, uint64_t ticket)
{
	if (child->reports > 0) {
		/* One at a time: the asker tries again. */
		monitor_send(&child->monitor, MONITOR_STATUS_REPLY, -1, ticket,
		    span_of(NULL, 0), -1);
		return;
	}
	child->status_ticket = ticket;
	for (size_t i = 0; i < child->options->threads; i++) {
		struct worker_report *report = calloc(1, sizeof *report);

		if (report == NULL)
			abort();
		buf_init(&report->json, REPORT_MAX_BYTES);
		child->report[i] = report;
		child->reports++;
		atomic_store(&child->workers[i].report, report);
		worker_wake(&child->workers[i]);
	}
}

static void
on_done(void *arg, unsigned ready)
{
	struct child *child = arg;
	eventfd_t count;
	bool all_ready = child->reports > 0;

	(void)ready;
	eventfd_read(child->done_fd, &count);
	if (child->counts.workers == 0) {
		if (!child->is_draining)
			log_event(LOG_LEVEL_ERROR, "child", "end",
			    "all threads have ended");
		loop_stop(child->loop);
		return;
	}
	for (size_t i = 0; i < child->reports; i++)
		all_ready = all_ready && child->report[i]->is_ready;
	if (all_ready)
		send_report(child);
}

/* ---- what the parent says ---- */

static int
start_workers(struct child *child, struct snapshot *snapshot, struct err *err)
{
	const struct child_options *options = child->options;

	for (size_t i = 0; i < options->threads; i++) {
		const struct worker_options worker = {
		    .index = (unsigned)i,
		    .counts = &child->counts,
		    .team = &child->team,
		    .listener_fds =
			options->listener_fds + i * options->listeners,
		    .listener_count = options->listeners,
		    .monitor_fd = options->monitor_fds[i],
		    .done_fd = child->done_fd,
		    .snapshot = snapshot_ref(snapshot),
		};

		if (worker_start(&child->workers[i], &worker, err) != 0)
			return -1;
	}
	child->is_started = true;
	return privileges_sandbox(err);
}

static void
keep_policy(struct child *child, struct snapshot_policy *policy)
{
	if (policy != NULL)
		snapshot_policy_ref(policy);
	snapshot_policy_unref(child->policy);
	child->policy = policy;
}

static void
on_snapshot(struct child *child, uint64_t generation, int fd)
{
	struct err err = ERR_INIT;
	struct snapshot *snapshot;
	int result = 0;

	snapshot =
	    snapshot_unpack(fd, child->options->overrides, child->policy, &err);
	if (snapshot == NULL) {
		result = -1;
	} else if (!child->is_started) {
		log_set_level(snapshot->setup->settings.log_level);
		result = start_workers(child, snapshot, &err);
	} else {
		log_set_level(snapshot->setup->settings.log_level);
		for (size_t i = 0; i < child->options->threads; i++) {
			/* One that was not taken yet is out of date. */
			snapshot_unref(
			    atomic_exchange(&child->workers[i].next_snapshot,
				snapshot_ref(snapshot)));
			worker_wake(&child->workers[i]);
		}
	}
	if (snapshot != NULL && result == 0)
		keep_policy(child, snapshot->policy);
	snapshot_unref(snapshot);
	monitor_send(&child->monitor, MONITOR_IN_FORCE, result, generation,
	    span_of_str(err.what), -1);
}

static void
start_drain(struct child *child, int32_t ms)
{
	child->is_draining = true;
	for (size_t i = 0; i < child->options->threads; i++) {
		atomic_store(&child->workers[i].drain_ms, (uint32_t)ms + 1u);
		worker_wake(&child->workers[i]);
	}
}

static void
on_monitor(void *arg, const struct monitor_message *message, int fd)
{
	struct child *child = arg;

	if (message == NULL) {
		loop_stop(child->loop); /* nobody left to serve for */
		return;
	}
	if (message->op == MONITOR_SNAPSHOT)
		on_snapshot(child, message->ticket, fd);
	else if (message->op == MONITOR_DRAIN)
		start_drain(child, message->value);
	else if (message->op == MONITOR_STATUS)
		start_report(child, message->ticket);
	if (fd >= 0)
		close(fd);
}

/* ---- beginning ---- */

static int
prepare(struct child *child, struct err *err)
{
	const struct child_options *options = child->options;

	/* Signals are the parent's; its end is ours (the pair's, too). */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	if (options->user != NULL && privileges_drop(options->user, err) != 0)
		return -1;
	/* After the change of user, which would forget it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getrandom(
		&child->counts.hash_key, sizeof child->counts.hash_key, 0) < 0)
		return err_set_errno(err, ERR_SYSTEM, "no random bytes");
	child->team.workers = child->workers;
	child->team.roster = roster_new();
	child->team.names = roster_new();
	child->team.stops = stops_new();
	child->team.quotas = quotas_new();
	if (child->team.roster == NULL || child->team.names == NULL ||
	    child->team.stops == NULL || child->team.quotas == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	child->loop = loop_new(err);
	if (child->loop == NULL)
		return -1;
	child->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (child->done_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, "no eventfd");
	loop_watch_start(child->loop, &child->done, child->done_fd,
	    LOOP_READABLE, on_done, child);
	monitor_start(&child->monitor, child->loop, options->control_fd,
	    on_monitor, child);
	return 0;
}

/* After the last thread: nothing is left. */
static void
wind_up(struct child *child)
{
	for (size_t i = 0; i < child->options->threads; i++)
		pthread_join(child->workers[i].thread, NULL);
	for (size_t i = 0; i < child->options->threads; i++)
		worker_fini(&child->workers[i]);
	for (size_t i = 0; i < child->reports; i++) {
		buf_fini(&child->report[i]->json);
		free(child->report[i]);
	}
	roster_free(child->team.roster);
	roster_free(child->team.names);
	stops_free(child->team.stops);
	quotas_free(child->team.quotas);
	snapshot_policy_unref(child->policy);
	monitor_stop(&child->monitor);
	loop_watch_stop(&child->done);
	loop_free(child->loop);
	close(child->done_fd);
	free(child);
}

_Noreturn void
child_run(const struct child_options *options)
{
	struct child *child = calloc(1, sizeof *child);
	struct err err = ERR_INIT;
	int status = 1;

	if (child == NULL)
		_exit(1);
	child->options = options;
	if (prepare(child, &err) != 0 || loop_run(child->loop, &err) != 0)
		log_err(LOG_LEVEL_ERROR, "child", "end", &err);
	else if (child->counts.workers == 0 && child->is_draining)
		status = 0;
	/* Else threads may still run: they end with the process. */
	if (status == 0 && child->is_started) {
		wind_up(child);
#ifdef KAYA_LEAKS
		__lsan_do_leak_check(); /* _exit asks nobody */
#endif
	}
	_exit(status);
}
