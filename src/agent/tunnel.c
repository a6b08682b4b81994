#include "tunnel.h"

#include "carry.h"
#include "clock.h"
#include "control.h"
#include "guard_post.h"
#include "log.h"
#include "notify.h"
#include "retry.h"
#include "runtime.h"
#include "terminal.h"
#include "tunnel_listen.h"

#include <assert.h>
#include <jansson.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

enum {
	HELD_MAX = 64, /* clients that wait while the link is down */
	REFUSAL_AGAIN_MS = 10000, /* the same words are not said sooner */
	LEAVE_MS = 1000, /* for the thread that connects, at the end */
};

enum tunnel_state {
	TUNNEL_CONNECTING,
	TUNNEL_UP,
	TUNNEL_WAITING,
	TUNNEL_ENDED,
};

static const struct {
	const char *name;
	unsigned next;
} states[] = {
    [TUNNEL_CONNECTING] = {"connecting",
	1u << TUNNEL_UP | 1u << TUNNEL_WAITING | 1u << TUNNEL_ENDED},
    [TUNNEL_UP] = {"up", 1u << TUNNEL_WAITING | 1u << TUNNEL_ENDED},
    [TUNNEL_WAITING] = {"waiting",
	1u << TUNNEL_CONNECTING | 1u << TUNNEL_ENDED},
    [TUNNEL_ENDED] = {"ended", 0},
};

struct held {
	int fd;
	const struct forward *forward;
};

/* One listener's watch. */
struct door {
	struct tunnel *tunnel;
	const struct tunnel_listener *listener;
	struct loop_watch watch;
};

struct tunnel {
	const struct tunnel_options *options;
	struct loop *loop;
	struct tunnel_listen listen;
	struct door doors[TUNNEL_LISTEN_MAX];
	struct loop_signal *ends[3]; /* what ends it in good order */
	struct loop_timer *again;
	struct control *control;
	enum tunnel_state state;
	struct retry retry;
	struct carry *carry;
	struct guard_post *guard; /* NULL: there is none */
	struct loop_deferred farewell, not_made;
	struct held held[HELD_MAX];
	size_t held_count;

	/* The thread that connects: it has these until it writes done_fd. */
	pthread_t thread;
	bool is_threading;
	int done_fd;
	struct loop_watch done;
	struct link *made;
	struct err made_err;

	char name[400]; /* of the server, once known */
	char last_why[400];
	uint64_t up_ms;
	uint64_t links;
	uint64_t bytes_in, bytes_out; /* of links that have ended */
	struct err refusal;
	uint64_t refusal_ms;
	bool was_up;
	struct err *err;
	int result;
};

static void start_connecting(struct tunnel *tunnel);

/* ---- saying ---- */

static void
set_state(struct tunnel *tunnel, enum tunnel_state state, const char *why)
{
	char text[512];

	assert((states[tunnel->state].next & 1u << state) != 0);
	tunnel->state = state;
	snprintf(tunnel->last_why, sizeof tunnel->last_why, "%s", why);
	snprintf(text, sizeof text, "STATUS=%s: %s", states[state].name, why);
	notify_systemd(text);
}

static void
say(enum log_level level, const char *event, const struct err *err)
{
	char text[ERR_TEXT_MAX];

	/* A person reads sentences, a journal reads words. */
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "kaya: %s\n", err_text(err, text, sizeof text));
	else
		log_err(level, "tunnel", event, err);
}

/* ---- the end ---- */

static void
finish(struct tunnel *tunnel, int result)
{
	if (tunnel->state == TUNNEL_ENDED)
		return;
	set_state(tunnel, TUNNEL_ENDED, "ended");
	tunnel->result = result;
	loop_stop(tunnel->loop);
}

static void
fail(struct tunnel *tunnel, const struct err *err)
{
	*tunnel->err = *err;
	finish(tunnel, -1);
}

/* ---- local clients ---- */

static void
refuse_local(int fd)
{
	const struct linger reset = {.l_onoff = 1};

	/* A reset, so that the client knows at once. */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(fd);
}

static void
take_local(struct tunnel *tunnel, int fd, const struct forward *forward)
{
	if (tunnel->state == TUNNEL_UP && tunnel->carry != NULL) {
		if (tunnel->guard != NULL)
			fd = guard_post_take(tunnel->guard, fd);
		if (fd >= 0)
			carry_take(tunnel->carry, fd, forward->host,
			    forward->host_port);
	} else if (tunnel->options->while_down == TUNNEL_HOLD_LOCALS &&
		   tunnel->held_count < HELD_MAX)
		tunnel->held[tunnel->held_count++] =
		    (struct held){.fd = fd, .forward = forward};
	else
		refuse_local(fd);
}

static void
on_door(void *arg, unsigned ready)
{
	struct door *door = arg;
	int fd = tunnel_listen_accept(&door->tunnel->listen, door->listener);

	(void)ready;
	if (fd >= 0)
		take_local(door->tunnel, fd, door->listener->forward);
}

/* ---- the link ---- */

static void
wait_and_retry(struct tunnel *tunnel, const struct err *err, uint64_t lived_ms)
{
	uint64_t random = 0, delay_ms;
	struct err told = *err;

	if (getrandom(&random, sizeof random, 0) < 0)
		random = clock_monotonic_ms();
	delay_ms = err->code == ERR_REFUSED
		       ? TUNNEL_REFUSED_MS
		       : retry_after_failure(&tunnel->retry, lived_ms, random);
	if (err->hint[0] == '\0')
		err_hint(&told, "nothing to do");
	snprintf(told.where, sizeof told.where, "trying again in %ju.%ju s",
	    (uintmax_t)delay_ms / 1000, (uintmax_t)delay_ms % 1000 / 100);
	say(LOG_LEVEL_WARN, "down", &told);
	set_state(tunnel, TUNNEL_WAITING, err->what);
	loop_timer_start(tunnel->again, delay_ms);
}

static void
on_failure(struct tunnel *tunnel, const struct err *err, uint64_t lived_ms)
{
	const struct tunnel_options *options = tunnel->options;
	bool is_final;

	switch (err->code) {
	case ERR_UNREACHABLE:
	case ERR_TIMEOUT:
	case ERR_PROTOCOL:
	case ERR_REFUSED:
		is_final = options->once ||
			   (!tunnel->was_up &&
			       options->ends_on_first_failure(options->arg));
		break;
	default:
		is_final = true; /* another host, or the user's own fault */
	}
	if (is_final)
		fail(tunnel, err);
	else
		wait_and_retry(tunnel, err, lived_ms);
}

static void
free_carry(void *arg)
{
	struct tunnel *tunnel = arg;

	tunnel->bytes_in += carry_bytes_in(tunnel->carry);
	tunnel->bytes_out += carry_bytes_out(tunnel->carry);
	carry_free(tunnel->carry);
	tunnel->carry = NULL;
}

static void
on_gone(void *arg, const char *why)
{
	struct tunnel *tunnel = arg;
	struct err err = ERR_INIT;

	if (tunnel->state != TUNNEL_UP)
		return;
	err_set(&err, ERR_UNREACHABLE, "the connection to %s was lost: %s",
	    tunnel->name, why);
	err_hint(&err, "nothing to do: it is made again");
	if (tunnel->guard != NULL)
		guard_post_down(tunnel->guard);
	loop_defer(tunnel->loop, &tunnel->farewell, free_carry, tunnel);
	on_failure(tunnel, &err, clock_monotonic_ms() - tunnel->up_ms);
}

static void
on_refused(void *arg, const struct err *err)
{
	struct tunnel *tunnel = arg;
	uint64_t now = clock_monotonic_ms();

	if (strcmp(tunnel->refusal.what, err->what) == 0 &&
	    now - tunnel->refusal_ms < REFUSAL_AGAIN_MS)
		return;
	tunnel->refusal = *err;
	tunnel->refusal_ms = now;
	say(LOG_LEVEL_WARN, "channel-refused", err);
}

static void
on_up(struct tunnel *tunnel)
{
	char addresses[1024], why[800];

	tunnel->up_ms = clock_monotonic_ms();
	tunnel->links++;
	tunnel_listen_text(&tunnel->listen, addresses, sizeof addresses);
	snprintf(why, sizeof why, "%.300s through %s", addresses, tunnel->name);
	set_state(tunnel, TUNNEL_UP, why);
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "kaya: tunnel is up: %s\n", why);
	else
		log_event(LOG_LEVEL_INFO, "tunnel", "up", "%s", why);
	if (!tunnel->was_up) {
		tunnel->was_up = true;
		notify_systemd("READY=1");
		tunnel->options->on_first_up(tunnel->options->arg, addresses);
	}
	for (size_t i = 0; i < tunnel->held_count; i++)
		take_local(tunnel, tunnel->held[i].fd, tunnel->held[i].forward);
	tunnel->held_count = 0;
	if (tunnel->guard != NULL)
		guard_post_up(tunnel->guard);
}

static void
on_not_made(void *arg)
{
	struct tunnel *tunnel = arg;

	if (tunnel->state != TUNNEL_ENDED)
		on_failure(tunnel, &tunnel->made_err, 0);
}

static void
on_made(void *arg, unsigned ready)
{
	struct tunnel *tunnel = arg;
	const struct carry_events events = {
	    .gone = on_gone, .refused = on_refused, .arg = tunnel};
	struct err err = ERR_INIT;
	struct link *link;
	eventfd_t count;

	(void)ready;
	if (eventfd_read(tunnel->done_fd, &count) != 0)
		return;
	pthread_join(tunnel->thread, NULL);
	tunnel->is_threading = false;
	link = tunnel->made;
	tunnel->made = NULL;
	if (link == NULL) {
		/* A signal that broke off a question comes first. */
		loop_defer(
		    tunnel->loop, &tunnel->not_made, on_not_made, tunnel);
		return;
	}
	snprintf(tunnel->name, sizeof tunnel->name, "%s", link->name);
	tunnel->carry = carry_new(tunnel->loop, link, &events, &err);
	if (tunnel->carry == NULL)
		on_failure(tunnel, &err, 0);
	else
		on_up(tunnel);
}

/* In the thread: all that blocks. */
static void *
connect_once(void *arg)
{
	struct tunnel *tunnel = arg;

	err_clear(&tunnel->made_err);
	tunnel->made = link_open(&tunnel->options->link, &tunnel->made_err);
	eventfd_write(tunnel->done_fd, 1);
	return NULL;
}

static void
start_connecting(struct tunnel *tunnel)
{
	struct err err = ERR_INIT;

	if (pthread_create(&tunnel->thread, NULL, connect_once, tunnel) == 0) {
		tunnel->is_threading = true;
		return;
	}
	err_set(&err, ERR_SYSTEM, "a thread cannot be started");
	fail(tunnel, &err);
}

static void
on_again(void *arg)
{
	struct tunnel *tunnel = arg;

	set_state(tunnel, TUNNEL_CONNECTING, "connecting");
	start_connecting(tunnel);
}

/* ---- status ---- */

static void
on_request(void *arg, const char *request, struct control_client *client)
{
	struct tunnel *tunnel = arg;
	uint64_t in = tunnel->bytes_in, out = tunnel->bytes_out;
	uint64_t now = clock_monotonic_ms();
	char addresses[1024], *text;
	json_t *report;

	if (strcmp(request, "status") != 0) {
		control_answer(
		    client, span_of_str("{\"error\":\"unknown request\"}"));
		return;
	}
	if (tunnel->carry != NULL) {
		in += carry_bytes_in(tunnel->carry);
		out += carry_bytes_out(tunnel->carry);
	}
	tunnel_listen_text(&tunnel->listen, addresses, sizeof addresses);
	report = json_pack("{s:s, s:s, s:i, s:s, s:s, s:s, s:s, s:I, s:I, s:I, "
			   "s:I, s:I}",
	    "program", "kaya tunnel", "version", KAYA_VERSION, "pid",
	    (int)getpid(), "state", states[tunnel->state].name, "why",
	    tunnel->last_why, "server",
	    tunnel->name[0] != '\0' ? tunnel->name : tunnel->options->link.dest,
	    "listen", addresses, "up_ms",
	    (json_int_t)(tunnel->state == TUNNEL_UP ? now - tunnel->up_ms : 0),
	    "links", (json_int_t)tunnel->links, "clients",
	    (json_int_t)(tunnel->carry != NULL ? carry_count(tunnel->carry)
					       : 0),
	    "in", (json_int_t)in, "out", (json_int_t)out);
	if (tunnel->guard != NULL)
		json_object_set_new(
		    report, "guard", guard_post_status(tunnel->guard));
	text = report != NULL ? json_dumps(report, JSON_COMPACT) : NULL;
	control_answer(client,
	    span_of_str(text != NULL ? text : "{\"error\":\"no memory\"}"));
	free(text);
	json_decref(report);
}

/* Status is a convenience: a tunnel that cannot tell it still tunnels. */
static void
start_control(struct tunnel *tunnel)
{
	char dir[200], path[256];
	struct err err = ERR_INIT;

	if (runtime_make(dir, sizeof dir, &err) == 0) {
		snprintf(
		    path, sizeof path, "%s/tunnel-%d.sock", dir, (int)getpid());
		tunnel->control =
		    control_new(tunnel->loop, path, on_request, tunnel, &err);
	}
	if (tunnel->control == NULL)
		log_err(LOG_LEVEL_DEBUG, "tunnel", "status", &err);
}

/* ---- the guard ---- */

static void
carry_guard(void *arg, int fd, const char *host, uint16_t port)
{
	struct tunnel *tunnel = arg;

	if (tunnel->state == TUNNEL_UP && tunnel->carry != NULL)
		carry_take(tunnel->carry, fd, host, port);
	else
		close(fd);
}

static int
start_guard(struct tunnel *tunnel, struct err *err)
{
	const struct tunnel_options *options = tunnel->options;
	const struct guard_post_options post = {
	    .file = options->guard_file,
	    .host = options->forwards[0].host,
	    .port = options->forwards[0].host_port,
	    .carry = carry_guard,
	    .arg = tunnel,
	};

	if (options->guard_file == NULL)
		return 0;
	tunnel->guard = guard_post_new(tunnel->loop, &post, err);
	return tunnel->guard == NULL ? -1 : 0;
}

/* ---- beginning ---- */

static void
on_signal(void *arg, int number)
{
	(void)number;
	notify_systemd("STOPPING=1");
	finish(arg, 0);
}

static bool
is_ignored(int number)
{
	struct sigaction found;

	return sigaction(number, NULL, &found) == 0 &&
	       found.sa_handler == SIG_IGN;
}

static int
prepare(struct tunnel *tunnel, struct err *err)
{
	tunnel->loop = loop_new(err);
	if (tunnel->loop == NULL)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* of a guard's audit log: a full disk */
	tunnel->ends[0] =
	    loop_signal_new(tunnel->loop, SIGTERM, on_signal, tunnel);
	tunnel->ends[1] =
	    loop_signal_new(tunnel->loop, SIGINT, on_signal, tunnel);
	/* The terminal is gone; under nohup that is nothing to it. */
	if (!is_ignored(SIGHUP))
		tunnel->ends[2] =
		    loop_signal_new(tunnel->loop, SIGHUP, on_signal, tunnel);
	tunnel->again = loop_timer_new(tunnel->loop, on_again, tunnel);
	tunnel->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (tunnel->again == NULL || tunnel->done_fd < 0)
		return err_set_errno(err, ERR_SYSTEM, "no event loop");
	loop_watch_start(tunnel->loop, &tunnel->done, tunnel->done_fd,
	    LOOP_READABLE, on_made, tunnel);
	for (size_t i = 0; i < tunnel->listen.count; i++) {
		struct door *door = &tunnel->doors[i];

		door->tunnel = tunnel;
		door->listener = &tunnel->listen.listeners[i];
		loop_watch_start(tunnel->loop, &door->watch, door->listener->fd,
		    LOOP_READABLE, on_door, door);
	}
	start_control(tunnel);
	return start_guard(tunnel, err);
}

/*
 * It may ask, which is broken off, and then it ends at once; or wait for a slow
 * server: then it ends with us.
 */
static void
leave_thread(struct tunnel *tunnel)
{
	struct pollfd done = {.fd = tunnel->done_fd, .events = POLLIN};

	terminal_end();
	if (poll(&done, 1, LEAVE_MS) != 1) {
		pthread_detach(tunnel->thread);
		return;
	}
	pthread_join(tunnel->thread, NULL);
	tunnel->is_threading = false;
	link_free(tunnel->made);
}

static void
wind_up(struct tunnel *tunnel)
{
	for (size_t i = 0; i < tunnel->held_count; i++)
		refuse_local(tunnel->held[i].fd);
	if (tunnel->is_threading)
		leave_thread(tunnel);
	if (tunnel->carry != NULL && tunnel->farewell.fn == NULL)
		free_carry(tunnel);
	guard_post_free(tunnel->guard);
	control_free(tunnel->control);
	for (size_t i = 0; i < tunnel->listen.count; i++)
		loop_watch_stop(&tunnel->doors[i].watch);
	tunnel_listen_close(&tunnel->listen);
	if (tunnel->loop == NULL)
		return;
	for (size_t i = 0; i < 3; i++)
		loop_signal_free(tunnel->ends[i]);
	loop_timer_free(tunnel->again);
	loop_watch_stop(&tunnel->done);
	loop_free(tunnel->loop);
}

int
tunnel_run(const struct tunnel_options *options, struct err *err)
{
	struct tunnel *tunnel = calloc(1, sizeof *tunnel);
	int result;

	if (tunnel == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	tunnel->options = options;
	tunnel->err = err;
	tunnel->result = -1;
	if (tunnel_listen_open(&tunnel->listen, options->forwards,
		options->forward_count, err) == 0 &&
	    prepare(tunnel, err) == 0) {
		start_connecting(tunnel);
		if (loop_run(tunnel->loop, err) != 0)
			tunnel->result = -1;
	}
	result = tunnel->result;
	wind_up(tunnel);
	/* A thread that still connects has the struct: the exit frees it. */
	if (!tunnel->is_threading)
		free(tunnel);
	return result;
}
