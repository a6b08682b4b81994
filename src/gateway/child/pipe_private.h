#ifndef KAYA_PIPE_PRIVATE_H
#define KAYA_PIPE_PRIVATE_H

/*
 * What the modules behind pipe.h share.  Nobody else includes it.
 *
 *	pipe        lists, states, the end, status
 *	pipe_open   a device asks for a channel, the parent answers
 *	pipe_flow   the bytes, both ways
 *	pipe_connect who the client is, told to the broker
 *	pipe_gather what one turn brought, not copied
 *	pipe_access the policy's say
 *	pipe_facts  what is told of the client
 *	pipe_approval what needs two people
 */

#include "access.h"
#include "log.h"
#include "mqtt_walk.h"
#include "pipe.h"
#include "pipe_facts.h"
#include "pipe_gather.h"

enum { PIPE_BACKLOG_MAX = 256 * 1024 }; /* of a client that reads slowly */

struct pipe_hold;

struct pipe {
	struct worker *worker;
	struct session *session; /* NULL: it has ended */
	struct session_who *owner; /* then: who it was; ours */
	char *target; /* what was asked for, until it is answered; ours */
	struct snapshot_setup *setup;
	struct pipe *next;
	struct pipe **link;
	struct loop_watch watch; /* the broker's socket */
	struct loop_deferred deferred;
	struct mqtt_walk from_client;
	struct mqtt_walk from_broker;
	struct snapshot_policy *policy; /* NULL: none is in force */
	struct access *access; /* from CONNECT on, where there is one */
	uint32_t refusal_told_ms[3]; /* by policy_action; 0: none was */
	uint32_t refusals_untold;
	struct pipe_hold *holds; /* publishes that wait for the parent */
	struct pipe *hears_next, **hears_link; /* of who listens; NULL: not */
	uint64_t notices_from_ms; /* see may_notify */
	struct buf to_broker;
	struct buf to_client; /* what the channel could not take */
	size_t owed; /* bytes of DATA not given back yet */
	uint64_t ticket;
	uint64_t since_ms;
	uint64_t give_up_ms; /* an orphan's */
	uint64_t bytes_in, bytes_out;
	struct pipe_facts facts;
	uint32_t channel;
	uint32_t client_packet_max; /* 5.0; 0: none given */
	int32_t broker; /* -1: none answered yet; MONITOR_CONTROL */
	uint8_t state; /* enum pipe_state */
	bool is_control; /* it leads to the gateway itself: no MQTT */
	bool has_names; /* the device's CONNECT was read */
	bool has_connect; /* and went on */
	bool has_asked; /* the parent knows of it */
	bool is_dismissed; /* to end between two frames; `why` tells */
	bool awaits_eof; /* CLOSING ends when the broker has read all */
	bool client_eof;
	bool broker_eof;
	const char *why;
};

/* What logs and status call where it leads; NULL: nowhere yet. */
const char *pipe_goal(const struct pipe *pipe);

/* As the client gave them, or was given them; the broker's name of it. */
struct span pipe_client_id(const struct pipe *pipe);
struct span pipe_user(const struct pipe *pipe);

/* Who the MQTT client is, as words of a log line. */
void pipe_log_client(const struct pipe *pipe, struct log_line *line);

/* Into the list of its session, or of the worker's orphans. */
void pipe_link_in(struct pipe *pipe, struct pipe **head);

/* False where there is no memory for what the channel does not take. */
bool pipe_send_to_client(struct pipe *pipe, struct span bytes);

/* Append for the broker, for this turn's end.  False: no memory. */
bool pipe_send_to_broker(struct pipe *pipe, struct span bytes);

/*
 * The one packet of the device's that is not always passed on as it came.
 * False: it is not let in, and `why` may tell.
 */
bool pipe_connect(struct pipe *pipe, const struct mqtt_walk_item *item);

/* 5.0's CONNACK brings the client id that the broker made up. */
void pipe_learn_client_id(struct pipe *pipe, const struct mqtt_walk_item *item);

/*
 * The device's CONNECT comes before the policy: 0, or the reason code of 5.0
 * that refuses it, and `*text`.
 */
uint8_t pipe_access_begin(
    struct pipe *pipe, const struct mqtt_connect *connect, const char **text);
void pipe_access_end(struct pipe *pipe);

/*
 * A PACKET or HEAD of either direction, where there is an access; false where
 * the pipe must end, and `why` tells.
 */
bool pipe_access_packet(struct pipe *pipe, struct mqtt_walk *from,
    enum mqtt_walk_result result, const struct mqtt_walk_item *item);

/* What was read was walked: packets of our own may go; false as above. */
bool pipe_access_settle(struct pipe *pipe);

/* ---- pipe_approval: access_events, and what else it has to know ---- */

bool pipe_approval_ask(void *arg, const struct access_question *question);
bool pipe_approval_is_due(void *arg, uint32_t number);
enum approval_cause pipe_approval_let_go(void *arg, uint32_t number);
void pipe_approval_lost(void *arg, uint32_t number);
void pipe_approval_stopped(void *arg, struct span topic);
void pipe_approval_permit(
    void *arg, const struct policy_approval *rule, enum access_permit permit);
/* The refusal of a publish to a protected topic. */
void pipe_approval_refused(
    struct pipe *pipe, const struct access_refusal *refusal);
/* The client may have subscribed to what is the gateway's own. */
void pipe_approval_listen(struct pipe *pipe);
/* The device is done: what it asked for is lost.  May be called again. */
void pipe_approval_leave(struct pipe *pipe);

/*
 * The device may not stay.  Its broker is told by a DISCONNECT, so that it does
 * not publish a will that the device may have no more; where that has to wait
 * for the end of a frame, so does the end.
 */
void pipe_dismiss(struct pipe *pipe, const char *why);

/* Nothing more goes either way; freed when this turn is over. */
void pipe_end(struct pipe *pipe);

/* Wait for what can be used now. */
void pipe_want(struct pipe *pipe);

/* The broker's socket is ready (loop_fd_fn). */
void pipe_on_ready(void *arg, unsigned ready);

#endif
