#ifndef KAYA_PIPE_H
#define KAYA_PIPE_H

/*
 * pipe: one channel: MQTT between a device and a broker.
 *
 *	WAITING --broker answered--> OPEN --either end--> CLOSING --> gone
 *
 * Both directions work alike: bytes come, are walked frame by frame, and go
 * on; where they cannot go on they wait here, capped, and nothing more is
 * taken from where they came.  A pipe may outlive its session, to bring to the
 * broker what was already taken from the device.
 */

#include "session.h"

enum pipe_state {
	PIPE_WAITING, /* for the broker's answer */
	PIPE_OPEN,
	PIPE_CLOSING, /* the device is done: what is left goes to the broker */
	PIPE_ENDED, /* freed at the end of this turn */
};

struct pipe;

/* The next of the same session, or NULL. */
struct pipe *pipe_next(const struct pipe *pipe);

/* A device asks for a channel (SSH_EVENT_OPEN): judge it, ask for a broker. */
void pipe_open(struct session *session, const struct ssh_event *event);

/* The parent's answer; `fd` -1: none, `why` in its place. */
void pipe_on_connected(
    struct pipe *pipe, int32_t broker, int fd, struct span why);

/* The parent has decided about a publish (MONITOR_DECIDED). */
void pipe_on_decided(struct pipe *pipe, int32_t decision, struct span payload);

/* The parent tells who listens (MONITOR_TELL). */
void pipes_on_told(struct worker *worker, int32_t what, struct span payload);

/* What the session hands on. */
void pipe_on_data(struct pipe *pipe, struct span data);
void pipe_on_eof(struct pipe *pipe);
void pipe_on_close(struct pipe *pipe);
void pipe_on_writable(struct pipe *pipe);

/* Write to the broker what this turn brought. */
void pipe_flush(struct pipe *pipe);

/* The session ends: go on alone as long as there is something to bring. */
void pipe_detach(struct pipe *pipe);

/* Another policy is in force for all of a session's. */
void pipes_on_snapshot(struct session *session);

/* Commands that two agreed to may have waited for too long (session_look_at).
 */
void pipes_on_deadline(struct session *session, uint64_t now_ms);

/* End at once, whatever is left. */
void pipe_drop(struct pipe *pipe);

/* An orphan's time is over at. */
uint64_t pipe_give_up_ms(const struct pipe *pipe);

/* Whether nothing waits in it. */
bool pipe_is_quiet(const struct pipe *pipe);

/* For status: one JSON object. */
void pipe_report(const struct pipe *pipe, struct buf *json);

#endif
