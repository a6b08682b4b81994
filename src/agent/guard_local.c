#include "guard_local.h"

#include "log.h"
#include "stream.h"
#include "unread.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SCRATCH_BYTES = 32 * 1024,
	HIGH_BYTES = 256 * 1024, /* then the other side is not read */
	OUT_MAX_BYTES = 4 << 20
};

/* One side of a client: its socket, and what is to be written there. */
struct side {
	struct guard_local *local;
	struct loop_watch watch;
	struct buf out;
	bool is_eof; /* it sends no more */
	bool is_shut; /* it is sent no more */
};

struct guard_local {
	struct guard_locals *locals;
	struct guard_local *next, **link;
	struct loop_deferred deferred;
	struct guard_flow *flow;
	struct side client, broker;
	uint64_t given; /* the last number that it was given */
	bool is_own; /* the guard's */
	bool is_ended;
};

struct guard_locals {
	struct loop *loop;
	const struct guard_rules *rules;
	struct guard_locals_events events;
	struct guard_local *first;
	uint8_t scratch[SCRATCH_BYTES];
};

/* ---- the end ---- */

static void
free_local(void *arg)
{
	struct guard_local *local = arg;

	guard_flow_free(local->flow);
	buf_fini(&local->client.out);
	buf_fini(&local->broker.out);
	free(local);
}

static void
end_side(struct side *side)
{
	loop_watch_stop(&side->watch);
	close(side->watch.fd);
}

static void
end_local(struct guard_local *local)
{
	if (local->is_ended)
		return;
	local->is_ended = true;
	end_side(&local->client);
	end_side(&local->broker);
	*local->link = local->next;
	if (local->next != NULL)
		local->next->link = local->link;
	loop_defer(local->locals->loop, &local->deferred, free_local, local);
}

/* ---- what the flow wants ---- */

static bool
put(struct side *side, struct span bytes)
{
	return side->local->is_ended ||
	       buf_append(&side->out, bytes.data, bytes.len);
}

static bool
to_broker(void *arg, struct span bytes)
{
	return put(&((struct guard_local *)arg)->broker, bytes);
}

static bool
to_client(void *arg, struct span bytes)
{
	return put(&((struct guard_local *)arg)->client, bytes);
}

static void
on_dropped(void *arg, const struct guard_rule *rule, struct span topic)
{
	const struct guard_locals *locals = ((struct guard_local *)arg)->locals;

	locals->events.dropped(locals->events.arg, rule, topic);
}

static void
on_stopped(void *arg, const struct guard_rule *rule, struct span topic)
{
	const struct guard_locals *locals = ((struct guard_local *)arg)->locals;

	locals->events.stopped(locals->events.arg, rule, topic);
}

/* ---- moving ---- */

/* False where the connection is over. */
static bool
write_side(struct side *side, const struct side *from)
{
	enum stream_result result = STREAM_OK;

	if (buf_len(&side->out) > 0)
		result = stream_write(side->watch.fd, &side->out);
	if (result == STREAM_EOF || result == STREAM_FAILED)
		return false;
	if (from->is_eof && buf_len(&side->out) == 0 && !side->is_shut) {
		side->is_shut = true;
		shutdown(side->watch.fd, SHUT_WR);
	}
	return true;
}

static void
want(struct side *side, const struct side *other)
{
	unsigned wanted = 0;

	if (!side->is_eof && buf_len(&other->out) < HIGH_BYTES)
		wanted |= LOOP_READABLE;
	if (buf_len(&side->out) > 0)
		wanted |= LOOP_WRITABLE;
	loop_watch_want(&side->watch, wanted);
}

static void
settle(struct guard_local *local)
{
	if (local->is_ended)
		return;
	if (!write_side(&local->client, &local->broker) ||
	    !write_side(&local->broker, &local->client) ||
	    (local->client.is_shut && local->broker.is_shut)) {
		end_local(local);
		return;
	}
	want(&local->client, &local->broker);
	want(&local->broker, &local->client);
}

static bool
walk(struct side *side, struct span bytes, const char **why)
{
	struct guard_local *local = side->local;

	return side == &local->client
		   ? guard_flow_from_client(local->flow, bytes, why)
		   : guard_flow_from_broker(local->flow, bytes, why);
}

static void
read_side(struct side *side)
{
	struct guard_local *local = side->local;
	uint8_t *scratch = local->locals->scratch;
	const char *why;
	size_t len;

	switch (stream_read(side->watch.fd, scratch, SCRATCH_BYTES, &len)) {
	case STREAM_OK:
		if (walk(side, span_of(scratch, len), &why))
			return;
		log_event(LOG_LEVEL_WARN, "guard", "local-ended",
		    "a local client's connection was ended: %s", why);
		end_local(local);
		return;
	case STREAM_AGAIN:
		return;
	case STREAM_EOF:
		side->is_eof = true;
		return;
	case STREAM_FAILED:
		end_local(local);
	}
}

static void
on_side(void *arg, unsigned ready)
{
	struct side *side = arg;

	if ((ready & LOOP_READABLE) != 0 && !side->is_eof)
		read_side(side);
	settle(side->local);
}

/* ---- life ---- */

static void
start_side(struct guard_local *local, struct side *side, int fd)
{
	side->local = local;
	buf_init(&side->out, OUT_MAX_BYTES);
	loop_watch_start(local->locals->loop, &side->watch, fd, LOOP_READABLE,
	    on_side, side);
}

static int
take(struct guard_locals *locals, int fd, const struct guard_rules *rules)
{
	struct guard_local *local = calloc(1, sizeof *local);
	const struct guard_flow_events events = {
	    to_broker, to_client, on_dropped, on_stopped, local};
	int ends[2];

	if (local == NULL)
		goto no_local;
	local->flow = guard_flow_new(rules, &events);
	if (local->flow == NULL)
		goto no_flow;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		ends) != 0)
		goto no_pair;
	local->is_own = rules == NULL;
	local->locals = locals;
	local->next = locals->first;
	local->link = &locals->first;
	if (local->next != NULL)
		local->next->link = &local->next;
	locals->first = local;
	stream_set_nodelay(fd);
	start_side(local, &local->client, fd);
	start_side(local, &local->broker, ends[0]);
	return ends[1];
no_pair:
	guard_flow_free(local->flow);
no_flow:
	free(local);
no_local:
	close(fd);
	return -1;
}

int
guard_locals_take(struct guard_locals *locals, int fd)
{
	return take(locals, fd, locals->rules);
}

int
guard_locals_take_own(struct guard_locals *locals, int fd)
{
	return take(locals, fd, NULL);
}

struct guard_locals *
guard_locals_new(struct loop *loop, const struct guard_rules *rules,
    const struct guard_locals_events *events)
{
	struct guard_locals *locals = calloc(1, sizeof *locals);

	if (locals == NULL)
		return NULL;
	locals->loop = loop;
	locals->rules = rules;
	locals->events = *events;
	return locals;
}

void
guard_locals_free(struct guard_locals *locals)
{
	if (locals == NULL)
		return;
	while (locals->first != NULL)
		end_local(locals->first);
	free(locals);
}

void
guard_locals_change(
    struct guard_locals *locals, const struct guard_rules *rules)
{
	locals->rules = rules;
	for (struct guard_local *local = locals->first; local != NULL;
	     local = local->next)
		if (!local->is_own)
			guard_flow_change(local->flow, rules);
}

/* ---- what two have signed ---- */

/*
 * Not behind what waits to be written, nor to be read: whoever fills that up
 * from afar would have a command moved when it suits him.
 */
static enum guard_flow_result
give(struct guard_local *local, struct span topic, struct span payload)
{
	enum guard_flow_result result;

	if (buf_len(&local->client.out) > 0 ||
	    unread_is_any(local->client.watch.fd))
		return GUARD_FLOW_LATER;
	result = guard_flow_give(local->flow, topic, payload);
	if (result == GUARD_FLOW_GIVEN)
		settle(local);
	return local->is_ended ? GUARD_FLOW_NOT : result;
}

/* Of a group that shares a subscription one is given it. */
static bool
was_given_to(const struct guard_locals *locals, uint64_t number,
    struct span topic, struct span group)
{
	const struct guard_local *local;
	struct span share;

	for (local = locals->first; local != NULL; local = local->next)
		if (local->given == number &&
		    guard_flow_hears(local->flow, topic, &share) &&
		    span_equal(share, group))
			return true;
	return false;
}

static bool
is_wanted(const struct guard_local *local, uint64_t number, struct span topic)
{
	struct span share;

	if (local->is_own || local->given == number ||
	    !guard_flow_hears(local->flow, topic, &share))
		return false;
	return share.len == 0 ||
	       !was_given_to(local->locals, number, topic, share);
}

struct guard_given
guard_locals_give(struct guard_locals *locals, uint64_t number,
    struct span topic, struct span payload)
{
	struct guard_given given = {.clients = 0};
	struct guard_local *local, *next;

	for (local = locals->first; local != NULL; local = next) {
		next = local->next;
		if (!is_wanted(local, number, topic))
			continue;
		switch (give(local, topic, payload)) {
		case GUARD_FLOW_GIVEN:
			local->given = number;
			given.clients++;
			break;
		case GUARD_FLOW_LATER:
			given.is_late = true;
			break;
		case GUARD_FLOW_NOT:
			break;
		}
	}
	return given;
}
