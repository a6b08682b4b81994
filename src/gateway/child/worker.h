#ifndef KAYA_WORKER_H
#define KAYA_WORKER_H

/*
 * worker: one thread of the child: its listeners, its sessions, its pipes.
 *
 * Nothing is shared between workers but what is atomic: the counts, and the
 * snapshot that a worker takes over when it is woken.
 */

#include "monitor.h"
#include "penalty.h"
#include "pipe_gather.h"
#include "roster.h"
#include "slots.h"
#include "snapshot.h"
#include "ssh_cipher.h"
#include "stops.h"
#include "wheel.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
	WORKER_LISTENERS_MAX = 32,
	WORKER_SCRATCH_BYTES = 128 * 1024,
	WORKER_SOURCES = PENALTY_CELLS, /* a power of two */
};

/* What all workers of a gateway count together. */
struct worker_counts {
	_Atomic uint32_t sessions;
	_Atomic uint32_t unauthenticated;
	_Atomic uint64_t accepted;
	_Atomic uint64_t refused;
	_Atomic uint64_t bytes_in; /* MQTT, of channels that have ended */
	_Atomic uint64_t bytes_out;
	_Atomic uint32_t workers; /* still running */
	/* unauthenticated connections by a hash of their source */
	_Atomic uint16_t sources[WORKER_SOURCES];
	_Atomic uint32_t late; /* that wait for a refusal; in no other count */
	struct penalty penalty;
	uint64_t hash_key;
};

struct session;
struct pipe;
struct worker;
struct worker_probe;
struct peer_client;

/* All of them, for those who look for another's session. */
struct worker_team {
	struct worker *workers; /* by their index */
	struct roster *roster;
	struct roster *names; /* of who is in by certificate, by their digest */
	struct stops *stops;
	struct quotas *quotas;
};

struct worker {
	unsigned index;
	struct loop *loop;
	struct worker_counts *counts;
	struct worker_team *team;
	struct monitor monitor;
	struct ssh_engine *engine;
	struct snapshot *snapshot; /* a reference of its own */

	struct wheel wheel;
	struct loop_timer *tick; /* runs while something is to come */
	uint64_t tick_at_ms; /* UINT64_MAX: it does not run */

	struct session *sessions; /* all of them */
	struct pipe *hearers; /* that subscribed to the gateway's own topics */
	struct pipe *orphans; /* pipes that outlive their sessions */
	struct peer_client *peer_client; /* of the first one; else NULL */
	struct slots tickets; /* sessions and pipes that asked the parent */

	uint8_t *scratch; /* what a read brings, good for one turn */
	struct pipe_gather gather;

	struct loop_watch listeners[WORKER_LISTENERS_MAX];
	int listener_fds[WORKER_LISTENERS_MAX];
	size_t listener_count;
	bool is_accepting;
	bool is_draining;
	uint64_t drain_until_ms;

	/* From other workers: sessions to be asked for a sign of life. */
	_Atomic(struct worker_probe *) probes;

	/* From the control: */
	pthread_t thread;
	int wake_fd; /* an eventfd */
	struct loop_watch wake;
	_Atomic(struct snapshot *) next_snapshot; /* owned by who takes it */
	_Atomic uint32_t drain_ms; /* 0: go on; else + 1 */
	_Atomic(struct worker_report *) report; /* to be filled */
	int done_fd; /* the control's eventfd: written on end and report */
};

/* What a worker says of itself when asked; the control frees it. */
struct worker_report {
	_Atomic bool is_ready;
	struct buf json; /* members of an array, comma separated */
};

/*
 * Fill `worker` (zeroed) and start its thread: `listener_fds` are shared with
 * nobody else, `monitor_fd` becomes the worker's, `snapshot` too.  0, or -1 and
 * `err`.
 */
struct worker_options {
	unsigned index;
	struct worker_counts *counts;
	struct worker_team *team;
	const int *listener_fds;
	size_t listener_count;
	int monitor_fd;
	int done_fd;
	struct snapshot *snapshot;
};
int worker_start(struct worker *worker, const struct worker_options *options,
    struct err *err);

/* Once its thread has ended: free what others left for it. */
void worker_fini(struct worker *worker);

/* From any thread: make the worker look at what was left for it. */
void worker_wake(struct worker *worker);

/* ---- for session and pipe, in the worker's own thread ---- */

uint64_t worker_now_ms(const struct worker *worker);

/* Set a session's deadline (session_on_deadline); UINT64_MAX: none. */
void worker_set_deadline(
    struct worker *worker, struct wheel_node *node, uint64_t deadline_ms);

/* Something is to be looked at in every tick until it is over: see on_tick. */
void worker_poll(struct worker *worker);

/* Have a session of any worker's asked for a sign of life (session_probe). */
void worker_probe(struct worker *worker, const struct roster_place *place);

/*
 * One connection less that has not shown its key: perhaps more can be accepted
 * now.  `source` as given by worker_source.
 */
void worker_left_unauthenticated(struct worker *worker, uint32_t source);

/*
 * A connection that has not shown its key waits for its refusal, and takes
 * nobody's place meanwhile.  False where too many do: it is to be told now.
 */
bool worker_begin_late(struct worker *worker, uint32_t source);
/* It goes on, or (worker_drop_late) it ends. */
void worker_end_late(struct worker *worker, uint32_t source);
void worker_drop_late(struct worker *worker);

/* A session is gone: while draining the last one ends the thread. */
void worker_on_session_gone(struct worker *worker);

#endif
