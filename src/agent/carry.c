#include "carry.h"

#include "buf.h"
#include "clock.h"
#include "stream.h"

#include <assert.h>
#include <fcntl.h>
#include <libssh/callbacks.h>
#include <libssh/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	TO_LOCAL_BYTES = 1 << 20, /* then the channel's window closes */
	SCRATCH_BYTES = 32 * 1024, /* one packet's worth */
};

enum local_state {
	LOCAL_OPENING, /* the server has not answered yet */
	LOCAL_OPEN,
	LOCAL_ENDED, /* freed at the end of this turn */
};

struct local {
	struct carry *carry;
	struct local *next;
	struct local **link;
	struct loop_watch watch;
	struct loop_deferred deferred;
	ssh_channel channel;
	struct ssh_channel_callbacks_struct callbacks;
	struct buf to_local;
	struct buf to_server; /* what the channel's window did not take */
	enum local_state state;
	bool local_eof;
	bool sent_eof;
	bool channel_eof;
	bool channel_closed;
	bool is_shut;
	bool has_leftover; /* libssh keeps what we had no room for */
	char host[256];
	uint16_t port;
};

struct carry {
	struct loop *loop;
	struct link *link;
	struct carry_events events;
	ssh_event poll;
	struct loop_watch watch; /* of a duplicate of libssh's descriptor */
	struct loop_timer *tick;
	struct ssh_counter_struct counter;
	uint64_t heard_bytes;
	uint64_t heard_ms;
	unsigned unanswered;
	struct local *locals;
	size_t count;
	uint64_t bytes_in, bytes_out;
	bool is_pumping;
	bool is_gone;
	uint8_t scratch[SCRATCH_BYTES];
};

static void pump(struct carry *carry);

/* ---- the end of a local connection ---- */

static void
free_local(void *arg)
{
	struct local *local = arg;

	buf_fini(&local->to_local);
	buf_fini(&local->to_server);
	free(local);
}

static void
end_local(struct local *local)
{
	struct carry *carry = local->carry;

	if (local->state == LOCAL_ENDED)
		return;
	local->state = LOCAL_ENDED;
	loop_watch_stop(&local->watch);
	close(local->watch.fd);
	if (local->channel != NULL) {
		ssh_remove_channel_callbacks(local->channel, &local->callbacks);
		ssh_channel_free(local->channel);
	}
	*local->link = local->next;
	if (local->next != NULL)
		local->next->link = local->link;
	carry->count--;
	loop_defer(carry->loop, &local->deferred, free_local, local);
}

static void
lose(struct carry *carry, const char *why)
{
	if (carry->is_gone)
		return;
	carry->is_gone = true;
	loop_watch_want(&carry->watch, 0);
	carry->events.gone(carry->events.arg, why);
}

/* ---- from the server ---- */

static int
on_channel_data(ssh_session session, ssh_channel channel, void *data,
    uint32_t len, int is_stderr, void *arg)
{
	struct local *local = arg;
	size_t room = TO_LOCAL_BYTES - buf_len(&local->to_local);

	(void)session;
	(void)channel;
	if (is_stderr)
		return (int)len; /* no server of forwards sends any */
	if (len < room)
		room = len;
	/* What is not taken stays with libssh and closes the window. */
	if (!buf_append(&local->to_local, data, room))
		room = 0;
	local->has_leftover = local->has_leftover || room < len;
	local->carry->bytes_in += room;
	return (int)room;
}

static void
on_channel_eof(ssh_session session, ssh_channel channel, void *arg)
{
	struct local *local = arg;

	(void)session;
	(void)channel;
	local->channel_eof = true;
}

static void
on_channel_close(ssh_session session, ssh_channel channel, void *arg)
{
	struct local *local = arg;

	(void)session;
	(void)channel;
	local->channel_eof = true;
	local->channel_closed = true;
}

/* What libssh kept because we had no room. */
static void
take_leftover(struct local *local)
{
	struct carry *carry = local->carry;
	int n;

	while (buf_len(&local->to_local) < TO_LOCAL_BYTES - SCRATCH_BYTES) {
		n = ssh_channel_read_nonblocking(
		    local->channel, carry->scratch, SCRATCH_BYTES, 0);
		if (n <= 0) {
			local->has_leftover = false;
			return;
		}
		buf_append(&local->to_local, carry->scratch, (size_t)n);
		carry->bytes_in += (uint64_t)n;
	}
}

static void
write_local(struct local *local)
{
	if (buf_len(&local->to_local) > 0) {
		switch (stream_write(local->watch.fd, &local->to_local)) {
		case STREAM_OK:
			break;
		case STREAM_AGAIN:
			return;
		case STREAM_EOF:
		case STREAM_FAILED:
			end_local(local);
			return;
		}
	}
	if (local->has_leftover) {
		take_leftover(local);
		if (buf_len(&local->to_local) > 0)
			return;
	}
	if (local->channel_closed) {
		end_local(local);
	} else if (local->channel_eof && !local->is_shut) {
		local->is_shut = true;
		shutdown(local->watch.fd, SHUT_WR);
	}
}

/* ---- to the server ---- */

static size_t
send_some(struct local *local, struct span bytes)
{
	int n =
	    ssh_channel_write(local->channel, bytes.data, (uint32_t)bytes.len);

	/* 0 while keys are exchanged or the window is full: kept, and tried
	 * again; -1 shows itself as the channel's or the session's end. */
	if (n <= 0)
		return 0;
	local->carry->bytes_out += (uint64_t)n;
	return (size_t)n;
}

static void
send_pending(struct local *local)
{
	if (buf_len(&local->to_server) > 0)
		buf_consume(&local->to_server,
		    send_some(local, buf_span(&local->to_server)));
	if (local->local_eof && !local->sent_eof &&
	    buf_len(&local->to_server) == 0) {
		local->sent_eof = true;
		ssh_channel_send_eof(local->channel);
	}
}

static void
read_local(struct local *local)
{
	struct carry *carry = local->carry;
	size_t len, sent;

	switch (
	    stream_read(local->watch.fd, carry->scratch, SCRATCH_BYTES, &len)) {
	case STREAM_OK:
		sent = send_some(local, span_of(carry->scratch, len));
		if (local->state != LOCAL_ENDED && sent < len &&
		    !buf_append(
			&local->to_server, carry->scratch + sent, len - sent))
			end_local(local);
		return;
	case STREAM_AGAIN:
		return;
	case STREAM_EOF:
		local->local_eof = true;
		return;
	case STREAM_FAILED:
		end_local(local);
		return;
	}
}

static void
on_local(void *arg, unsigned ready)
{
	struct local *local = arg;

	if ((ready & LOOP_READABLE) != 0 && local->state == LOCAL_OPEN)
		read_local(local);
	pump(local->carry);
}

/* ---- opening ---- */

/* "... channel 43 error (1) text" in words that help. */
static void
explain_refusal(const struct local *local, struct err *err)
{
	const char *why = ssh_get_error(local->carry->link->session);
	const char *at = strstr(why, "error (");
	const char *text = at != NULL ? strchr(at, ')') : NULL;
	unsigned code = at != NULL ? (unsigned)strtoul(at + 7, NULL, 10) : 0;

	text = text != NULL && text[1] == ' ' ? text + 2 : "";
	if (code == 1) {
		err_set(err, ERR_REFUSED,
		    "the server does not let this key go to %s:%u%s%s",
		    local->host, local->port, text[0] != '\0' ? ": " : "",
		    text);
		err_hint(err,
		    "its line in authorized_keys must allow exactly that: "
		    "port-forwarding,permitopen=\"%s:%u\" (localhost, "
		    "127.0.0.1 and ::1 are three hosts to sshd: try another "
		    "spelling with -b)",
		    local->host, local->port);
	} else if (code == 2) {
		err_set(err, ERR_UNREACHABLE,
		    "the server cannot reach %s:%u%s%s", local->host,
		    local->port, text[0] != '\0' ? ": " : "", text);
		err_hint(err, "no broker answers there: is it running, and "
			      "does it listen on that address?");
	} else {
		err_set(err, ERR_REFUSED,
		    "the server opens no channel to "
		    "%s:%u: %s",
		    local->host, local->port, text[0] != '\0' ? text : why);
		err_hint(err, "the server's log tells why");
	}
}

static void
open_channel(struct local *local)
{
	struct carry *carry = local->carry;
	struct err err = ERR_INIT;

	switch (ssh_channel_open_forward(
	    local->channel, local->host, local->port, "127.0.0.1", 0)) {
	case SSH_AGAIN:
		return;
	case SSH_OK:
		local->state = LOCAL_OPEN;
		return;
	default:
		if (!ssh_is_connected(carry->link->session))
			return; /* the session's end is told by itself */
		/* Told first: who sees the end may ask why at once. */
		explain_refusal(local, &err);
		carry->events.refused(carry->events.arg, &err);
		end_local(local);
	}
}

void
carry_take(struct carry *carry, int fd, const char *host, uint16_t port)
{
	struct local *local = calloc(1, sizeof *local);

	if (local == NULL || carry->is_gone) {
		free(local);
		close(fd);
		return;
	}
	local->carry = carry;
	snprintf(local->host, sizeof local->host, "%s", host);
	local->port = port;
	buf_init(&local->to_local, TO_LOCAL_BYTES + SCRATCH_BYTES);
	buf_init(&local->to_server, SCRATCH_BYTES);
	local->next = carry->locals;
	local->link = &carry->locals;
	if (local->next != NULL)
		local->next->link = &local->next;
	carry->locals = local;
	carry->count++;
	stream_set_nodelay(fd);
	loop_watch_start(carry->loop, &local->watch, fd, 0, on_local, local);
	local->channel = ssh_channel_new(carry->link->session);
	if (local->channel == NULL) {
		end_local(local);
		return;
	}
	local->callbacks.userdata = local;
	local->callbacks.channel_data_function = on_channel_data;
	local->callbacks.channel_eof_function = on_channel_eof;
	local->callbacks.channel_close_function = on_channel_close;
	ssh_callbacks_init(&local->callbacks);
	ssh_set_channel_callbacks(local->channel, &local->callbacks);
	pump(carry);
}

/* ---- the session ---- */

static bool
is_write_pending(const struct carry *carry)
{
	return (ssh_get_poll_flags(carry->link->session) & SSH_WRITE_PENDING) !=
	       0;
}

static void
want(struct local *local)
{
	unsigned wanted = 0;

	if (local->state == LOCAL_OPEN && !local->local_eof &&
	    buf_len(&local->to_server) == 0 && !is_write_pending(local->carry))
		wanted |= LOOP_READABLE;
	if (buf_len(&local->to_local) > 0)
		wanted |= LOOP_WRITABLE;
	loop_watch_want(&local->watch, wanted);
}

/* Whatever happened: move on what can be moved, wait for the rest. */
static void
pump(struct carry *carry)
{
	struct local *local, *next;

	if (carry->is_pumping || carry->is_gone)
		return;
	carry->is_pumping = true;
	for (local = carry->locals; local != NULL; local = next) {
		next = local->next;
		if (local->state == LOCAL_OPENING)
			open_channel(local);
		if (local->state == LOCAL_OPEN)
			send_pending(local);
		if (local->state == LOCAL_OPEN)
			write_local(local);
	}
	carry->is_pumping = false;
	if (!ssh_is_connected(carry->link->session)) {
		lose(carry, "the server closed the connection");
		return;
	}
	for (local = carry->locals; local != NULL; local = local->next)
		want(local);
	loop_watch_want(&carry->watch,
	    LOOP_READABLE |
		(is_write_pending(carry) ? (unsigned)LOOP_WRITABLE : 0u));
}

static void
listen_for_life(struct carry *carry)
{
	if (carry->counter.in_bytes == carry->heard_bytes)
		return;
	carry->heard_bytes = carry->counter.in_bytes;
	carry->heard_ms = clock_monotonic_ms();
	carry->unanswered = 0;
}

static void
on_session(void *arg, unsigned ready)
{
	struct carry *carry = arg;
	int result = ssh_event_dopoll(carry->poll, 0);

	(void)ready;
	listen_for_life(carry);
	if (result == SSH_ERROR || (ssh_get_status(carry->link->session) &
				       (SSH_CLOSED | SSH_CLOSED_ERROR)) != 0) {
		const char *why = ssh_get_error(carry->link->session);

		/* What came before the end still goes to the clients. */
		pump(carry);
		lose(carry,
		    why[0] != '\0' ? why : "the server closed the connection");
		return;
	}
	pump(carry);
}

static void
on_tick(void *arg)
{
	struct carry *carry = arg;
	const struct link *link = carry->link;
	const uint64_t interval = 1000 * (uint64_t)link->keepalive_s;
	uint64_t now = clock_monotonic_ms(), silent_ms, due;
	char why[64];

	if (carry->is_gone)
		return;
	listen_for_life(carry);
	silent_ms = now > carry->heard_ms ? now - carry->heard_ms : 0;
	if (silent_ms >= interval * link->keepalive_count) {
		snprintf(why, sizeof why, "no sign of life for %u s",
		    link->keepalive_s * link->keepalive_count);
		lose(carry, why);
		return;
	}
	if (silent_ms >= interval * (carry->unanswered + 1)) {
		carry->unanswered++;
		ssh_send_keepalive(link->session);
		pump(carry);
	}
	due = carry->heard_ms + interval * (carry->unanswered + 1);
	loop_timer_start(carry->tick, due > now ? due - now : 1);
}

struct carry *
carry_new(struct loop *loop, struct link *link,
    const struct carry_events *events, struct err *err)
{
	struct carry *carry = calloc(1, sizeof *carry);
	int fd;

	if (carry == NULL) {
		link_free(link);
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	carry->loop = loop;
	carry->link = link;
	ssh_set_log_level(link->log_level);
	carry->events = *events;
	carry->heard_ms = clock_monotonic_ms();
	carry->poll = ssh_event_new();
	carry->tick = loop_timer_new(loop, on_tick, carry);
	/* libssh closes its own descriptor when it likes to. */
	fd = fcntl(ssh_get_fd(link->session), F_DUPFD_CLOEXEC, 3);
	if (carry->poll == NULL || carry->tick == NULL || fd < 0 ||
	    ssh_event_add_session(carry->poll, link->session) != SSH_OK) {
		if (fd >= 0)
			close(fd);
		carry->watch.fd = -1;
		carry_free(carry);
		err_set(err, ERR_SYSTEM, "the session cannot be watched");
		return NULL;
	}
	ssh_set_counters(link->session, &carry->counter, NULL);
	loop_watch_start(
	    loop, &carry->watch, fd, LOOP_READABLE, on_session, carry);
	loop_timer_start(carry->tick, 1000 * (uint64_t)link->keepalive_s);
	return carry;
}

void
carry_free(struct carry *carry)
{
	if (carry == NULL)
		return;
	while (carry->locals != NULL)
		end_local(carry->locals);
	loop_watch_stop(&carry->watch);
	if (carry->watch.fd >= 0)
		close(carry->watch.fd);
	if (carry->poll != NULL) {
		ssh_event_remove_session(carry->poll, carry->link->session);
		ssh_event_free(carry->poll);
	}
	loop_timer_free(carry->tick);
	link_free(carry->link);
	free(carry);
}

size_t
carry_count(const struct carry *carry)
{
	return carry->count;
}

uint64_t
carry_bytes_out(const struct carry *carry)
{
	return carry->bytes_out;
}

uint64_t
carry_bytes_in(const struct carry *carry)
{
	return carry->bytes_in;
}
