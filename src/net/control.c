#include "control.h"

#include "listener.h"
#include "slots.h"
#include "stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	REQUEST_MAX = 512,
	ANSWER_MAX_BYTES = 64 << 20,
	TIMEOUT_MS = 10000, /* until there is an answer */
	TAKE_MS = 30000, /* to take it */
	CLIENTS_MAX = 32, /* by the socket */
	ADOPTED_MAX = 64,
};

struct control_client {
	struct control *control;
	struct control_client *next;
	struct control_client **link;
	struct loop_watch watch;
	struct loop_timer *timer;
	struct loop_deferred deferred;
	uint64_t ticket;
	struct buf out;
	size_t len;
	bool is_answered;
	void *who; /* of one that was adopted */
	uid_t user; /* of one that came by the socket */
	char request[REQUEST_MAX];
};

struct control {
	struct loop *loop;
	struct loop_watch watch;
	struct slots tickets;
	struct control_client *clients;
	size_t count, adopted; /* by the socket, and not */
	control_fn *fn;
	void *arg;
	int fd;
	struct listener_spare spare;
	struct sockaddr_un address;
};

static void
free_client(void *arg)
{
	struct control_client *client = arg;

	buf_fini(&client->out);
	loop_timer_free(client->timer);
	free(client->who);
	free(client);
}

static void
close_client(struct control_client *client)
{
	if (client->link == NULL)
		return;
	loop_watch_stop(&client->watch);
	close(client->watch.fd);
	slots_remove(&client->control->tickets, client->ticket);
	*(client->who != NULL ? &client->control->adopted
			      : &client->control->count) -= 1;
	*client->link = client->next;
	if (client->next != NULL)
		client->next->link = client->link;
	client->link = NULL;
	loop_timer_stop(client->timer);
	loop_defer(
	    client->control->loop, &client->deferred, free_client, client);
}

static void
on_timeout(void *arg)
{
	close_client(arg);
}

static void
write_out(struct control_client *client)
{
	if (stream_write(client->watch.fd, &client->out) == STREAM_AGAIN)
		loop_watch_want(&client->watch, LOOP_WRITABLE);
	else
		close_client(client);
}

void
control_answer(struct control_client *client, struct span json)
{
	if (client->is_answered)
		return;
	client->is_answered = true;
	buf_append(&client->out, json.data, json.len);
	buf_append(&client->out, "\n", 1);
	loop_timer_start(client->timer, TAKE_MS);
	write_out(client);
}

static void
on_client(void *arg, unsigned ready)
{
	struct control_client *client = arg;
	char *newline;
	size_t len;

	if ((ready & LOOP_WRITABLE) != 0) {
		write_out(client);
		return;
	}
	switch (stream_read(client->watch.fd,
	    (uint8_t *)client->request + client->len,
	    REQUEST_MAX - 1 - client->len, &len)) {
	case STREAM_OK:
		break;
	case STREAM_AGAIN:
		return;
	default:
		close_client(client);
		return;
	}
	client->len += len;
	newline = memchr(client->request, '\n', client->len);
	if (newline == NULL && client->len < REQUEST_MAX - 1)
		return;
	loop_watch_want(&client->watch, 0);
	if (newline == NULL) {
		control_answer(client,
		    span_of_str("{\"error\":\"the request is too long\"}"));
		return;
	}
	*newline = '\0';
	client->control->fn(client->control->arg, client->request, client);
}

/* The file's mode keeps others out; this holds where it was changed. */
static bool
is_owner(int fd, uid_t *user)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0)
		return false;
	*user = peer.uid;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* NULL: no memory, and `fd` is still the caller's. */
static struct control_client *
serve(struct control *control, int fd)
{
	struct control_client *client = calloc(1, sizeof *client);

	if (client == NULL)
		return NULL;
	client->control = control;
	client->ticket = slots_add(&control->tickets, client);
	client->timer = loop_timer_new(control->loop, on_timeout, client);
	if (client->ticket == 0 || client->timer == NULL) {
		slots_remove(&control->tickets, client->ticket);
		loop_timer_free(client->timer);
		free(client);
		return NULL;
	}
	buf_init_secret(&client->out, ANSWER_MAX_BYTES);
	client->next = control->clients;
	client->link = &control->clients;
	if (client->next != NULL)
		client->next->link = &client->next;
	control->clients = client;
	loop_timer_start(client->timer, TIMEOUT_MS);
	loop_watch_start(control->loop, &client->watch, fd, LOOP_READABLE,
	    on_client, client);
	return client;
}

static void
on_listener(void *arg, unsigned ready)
{
	struct control *control = arg;
	struct control_client *client = NULL;
	int fd = listener_accept(control->fd, &control->spare);
	uid_t user = 0;

	(void)ready;
	if (fd < 0)
		return;
	if (control->count < CLIENTS_MAX && is_owner(fd, &user))
		client = serve(control, fd);
	if (client == NULL) {
		close(fd);
		return;
	}
	client->user = user;
	control->count++;
}

struct control_client *
control_adopt(struct control *control, int fd, void *who)
{
	struct control_client *client =
	    control->adopted < ADOPTED_MAX ? serve(control, fd) : NULL;

	if (client == NULL) {
		close(fd);
		free(who);
		return NULL;
	}
	client->who = who;
	control->adopted++;
	return client;
}

const void *
control_who(const struct control_client *client)
{
	return client->who;
}

uid_t
control_user(const struct control_client *client)
{
	return client->user;
}

bool
control_next_adopted(
    const struct control *control, const struct control_client **client)
{
	const struct control_client *next =
	    *client == NULL ? control->clients : (*client)->next;

	while (next != NULL && next->who == NULL)
		next = next->next;
	*client = next;
	return next != NULL;
}

static bool
is_served(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool served =
	    fd >= 0 && connect(fd, (void *)address, sizeof *address) == 0;

	if (fd >= 0)
		close(fd);
	return served;
}

struct control *
control_new(struct loop *loop, const char *path, control_fn *fn, void *arg,
    struct err *err)
{
	struct control *control = calloc(1, sizeof *control);
	mode_t mask;
	int bound;

	if (control == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	*control =
	    (struct control){.loop = loop, .fn = fn, .arg = arg, .fd = -1};
	listener_spare_init(&control->spare);
	control->address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof control->address.sun_path) {
		err_set(err, ERR_CONFIG, "the path is too long: %s", path);
		err_hint(err, "use a shorter state folder");
		goto fail;
	}
	strcpy(control->address.sun_path, path);
	if (is_served(&control->address)) {
		err_set(
		    err, ERR_TAKEN, "another one serves this socket: %s", path);
		err_hint(err,
		    "stop it, or choose another state folder: --state DIR");
		goto fail;
	}
	unlink(path);
	control->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	bound = control->fd < 0 ? -1
				: bind(control->fd, (void *)&control->address,
				      sizeof control->address);
	umask(mask);
	if (bound != 0 || listen(control->fd, 16) != 0) {
		err_set_errno(err, ERR_SYSTEM, "cannot listen on %s", path);
		goto fail;
	}
	loop_watch_start(loop, &control->watch, control->fd, LOOP_READABLE,
	    on_listener, control);
	return control;
fail:
	listener_spare_fini(&control->spare);
	if (control->fd >= 0)
		close(control->fd);
	free(control);
	return NULL;
}

void
control_free(struct control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL)
		close_client(control->clients);
	loop_watch_stop(&control->watch);
	close(control->fd);
	unlink(control->address.sun_path);
	slots_fini(&control->tickets);
	listener_spare_fini(&control->spare);
	free(control);
}

uint64_t
control_ticket(const struct control_client *client)
{
	return client->ticket;
}

struct control_client *
control_find(struct control *control, uint64_t ticket)
{
	return slots_find(&control->tickets, ticket);
}
