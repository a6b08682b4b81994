#include "parent.h"

#include "child.h"
#include "connector.h"
#include "control.h"
#include "key_files.h"
#include "log.h"
#include "monitor.h"
#include "notify.h"
#include "ports.h"
#include "private_broker.h"
#include "privileges.h"
#include "pubkey.h"
#include "snapshot.h"
#include "state_dir.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STOP_MARGIN_MS = 5000,
	CHILD_END_MS = 3000,
	SIGNALS = 4,
};

struct parent;

/* The parent's end of one thread's pair. */
struct desk {
	struct parent *parent;
	struct monitor monitor;
};

struct parent {
	const struct parent_options *options;
	struct settings settings; /* in force */
	struct loop *loop;
	pid_t child;
	struct loop_signal *signals[SIGNALS];
	struct loop_timer *deadline; /* of the child's end */

	struct privileges_user user, net_user;
	bool is_root;

	struct ports ports;
	size_t threads;
	int desk_fds[CHILD_THREADS_MAX]; /* the child's ends, likewise */
	int control_fd;
	struct desk desks[CHILD_THREADS_MAX];
	struct monitor child_control;

	struct ssh_host_key *host_keys[SSH_HOST_KEYS_MAX];
	size_t host_key_count;
	struct private_broker *private_broker;
	struct connector *connector;
	struct key_files_watch *watch;
	struct control *control;

	uint64_t generation;
	struct settings pending; /* sent, not yet in force */
	bool has_pending;
	bool is_ready;
	bool is_stopping;
	bool has_failed;
	struct err *err;
};

static void
fail(struct parent *parent, const struct err *err)
{
	if (!parent->has_failed)
		*parent->err = *err;
	parent->has_failed = true;
	loop_stop(parent->loop);
}

/* ---- configuration ---- */

static int
load_settings(struct parent *parent, struct settings *settings,
    struct snapshot_file *file, struct err *err)
{
	const char *name = parent->options->configuration;

	*file = (struct snapshot_file){0};
	if (settings_defaults(settings, err) != 0)
		return -1;
	if (name != NULL) {
		struct key_files content;

		if (key_files_read(&content, name, err) != 0)
			goto fail;
		if (content.count != 1) {
			key_files_fini(&content);
			err_set(err, ERR_CONFIG, "%s is not a file", name);
			goto fail;
		}
		*file = content.files[0];
		free(content.files);
		if (settings_load(
			settings, name, file->bytes, NULL, NULL, err) != 0)
			goto fail;
	}
	if (settings_override(settings, parent->options->overrides, err) == 0)
		return 0;
fail:
	free((void *)file->bytes.data);
	free((void *)file->name);
	*file = (struct snapshot_file){0};
	settings_fini(settings);
	return -1;
}

static void
free_file(struct snapshot_file *file)
{
	free((void *)file->bytes.data);
	free((void *)file->name);
}

/* ---- snapshots ---- */

static int
send_snapshot(struct parent *parent, const struct settings *settings,
    const struct snapshot_file *configuration, struct err *err)
{
	struct span blobs[SSH_HOST_KEYS_MAX];
	struct key_files keys;
	struct snapshot_parts parts;
	int fd;

	if (key_files_read(&keys, settings->authorized_keys, err) != 0)
		return -1;
	for (size_t i = 0; i < parent->host_key_count; i++)
		blobs[i] = ssh_host_key_blob(parent->host_keys[i]);
	parts = (struct snapshot_parts){
	    .generation = ++parent->generation,
	    .configuration = *configuration,
	    .host_keys = blobs,
	    .host_key_count = parent->host_key_count,
	    .key_files = keys.files,
	    .key_file_count = keys.count,
	};
	fd = snapshot_pack(&parts, err);
	key_files_fini(&keys);
	if (fd < 0)
		return -1;
	monitor_send(&parent->child_control, MONITOR_SNAPSHOT, 0,
	    parent->generation, span_of(NULL, 0), fd);
	return 0;
}

/* Read everything anew; what is wrong leaves what is in force. */
static void
reload(struct parent *parent)
{
	struct snapshot_file file;
	struct settings settings;
	struct err err = ERR_INIT;

	if (parent->is_stopping || parent->has_pending)
		return;
	if (load_settings(parent, &settings, &file, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		return;
	}
	if (send_snapshot(parent, &settings, &file, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		settings_fini(&settings);
	} else {
		parent->pending = settings;
		parent->has_pending = true;
	}
	free_file(&file);
}

static void
on_key_change(void *arg)
{
	reload(arg);
}

static void
watch_keys(struct parent *parent)
{
	struct err err = ERR_INIT;

	key_files_watch_free(parent->watch);
	parent->watch = key_files_watch_new(parent->loop,
	    parent->settings.authorized_keys, on_key_change, parent, &err);
	if (parent->watch == NULL)
		log_err(LOG_LEVEL_WARN, "parent", "watch", &err);
}

/* ---- brokers ---- */

static int
start_brokers(struct parent *parent, struct err *err)
{
	const struct settings *settings = &parent->settings;
	struct connector_broker brokers[SETTINGS_BROKERS_MAX];
	size_t count = settings->broker_count;

	if (count == 0) {
		const struct private_broker_options options = {
		    .program = settings->private_broker.program,
		    .state_dir = settings->state,
		    .extra = settings->private_broker.extra,
		    .persistence = settings->private_broker.persistence,
		};

		parent->private_broker =
		    private_broker_start(parent->loop, &options, err);
		if (parent->private_broker == NULL)
			return -1;
		brokers[0].address =
		    private_broker_path(parent->private_broker);
		count = 1;
	}
	for (size_t i = 0; i < settings->broker_count; i++)
		brokers[i].address = settings->brokers[i].address;
	parent->connector = connector_new(parent->loop, brokers, count, err);
	return parent->connector == NULL ? -1 : 0;
}

/* Other brokers are reached from now on; what is connected stays. */
static void
renew_brokers(struct parent *parent)
{
	struct connector *old = parent->connector;
	struct private_broker *old_private = parent->private_broker;
	struct err err = ERR_INIT;

	if (parent->settings.broker_count == 0 && old_private != NULL)
		return;
	parent->private_broker = NULL;
	if (start_brokers(parent, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "brokers", &err);
		parent->connector = old;
		parent->private_broker = old_private;
		return;
	}
	connector_free(old);
	private_broker_stop(old_private);
}

/* ---- what the child asks ---- */

struct errand {
	struct desk *desk;
	uint64_t ticket;
};

static void
on_connected(void *arg, int fd, int broker, const char *why)
{
	struct errand *errand = arg;

	monitor_send(&errand->desk->monitor, MONITOR_CONNECTED, broker,
	    errand->ticket, why == NULL ? span_of(NULL, 0) : span_of_str(why),
	    fd);
	free(errand);
}

static void
start_connect(struct desk *desk, const struct monitor_message *message)
{
	struct parent *parent = desk->parent;
	struct errand *errand = malloc(sizeof *errand);

	if (errand == NULL || message->value < 0 ||
	    (size_t)message->value >= connector_count(parent->connector)) {
		free(errand);
		monitor_send(&desk->monitor, MONITOR_CONNECTED, -1,
		    message->ticket, span_of_str("no such broker"), -1);
		return;
	}
	*errand = (struct errand){.desk = desk, .ticket = message->ticket};
	connector_connect(
	    parent->connector, (size_t)message->value, on_connected, errand);
}

/* Signs an exchange hash, and nothing that is not as long as one. */
static void
sign(struct desk *desk, const struct monitor_message *message)
{
	struct parent *parent = desk->parent;
	struct span payload = span_of(message->payload, message->len), name;
	struct err err = ERR_INIT;
	struct buf signature;
	char algorithm[64];
	uint8_t len = 0;

	buf_init(&signature, MONITOR_PAYLOAD_MAX);
	if (payload.len > 0) {
		len = payload.data[0];
		payload = span_of(payload.data + 1, payload.len - 1);
	}
	if (message->value < 0 ||
	    (size_t)message->value >= parent->host_key_count ||
	    payload.len != (size_t)len + SSH_KEX_HASH_BYTES) {
		err_set(&err, ERR_PROTOCOL, "not an exchange hash");
	} else {
		name = span_of(payload.data, len);
		payload = span_of(payload.data + len, SSH_KEX_HASH_BYTES);
		if (span_to_str(name, algorithm, sizeof algorithm))
			ssh_host_key_sign(parent->host_keys[message->value],
			    algorithm, payload, &signature, &err);
	}
	if (err.code != ERR_NONE) {
		log_err(LOG_LEVEL_ERROR, "parent", "sign", &err);
		buf_truncate(&signature, 0);
	}
	monitor_send(&desk->monitor, MONITOR_SIGNED, 0, message->ticket,
	    buf_span(&signature), -1);
	buf_fini(&signature);
}

static void
child_is_gone(struct parent *parent)
{
	struct err err = ERR_INIT;

	if (parent->is_stopping) {
		loop_stop(parent->loop);
		return;
	}
	err_set(&err, ERR_FAILED, "the child process ended unexpectedly");
	err_hint(&err, "see the log above; under systemd it is started again");
	fail(parent, &err);
}

static void
on_desk(void *arg, const struct monitor_message *message, int fd)
{
	struct desk *desk = arg;

	if (fd >= 0)
		close(fd); /* the child has nothing to give */
	if (message == NULL) {
		/* While draining, one thread ends before another. */
		if (!desk->parent->is_stopping)
			child_is_gone(desk->parent);
	} else if (message->op == MONITOR_SIGN)
		sign(desk, message);
	else if (message->op == MONITOR_CONNECT)
		start_connect(desk, message);
}

/* ---- control ---- */

static void
put_brokers(struct parent *parent, struct buf *json)
{
	for (size_t i = 0; i < connector_count(parent->connector); i++) {
		const struct connector_health *health =
		    connector_health(parent->connector, i);
		char text[512];

		snprintf(text, sizeof text,
		    "%s{\"address\":\"%s\",\"up\":%s,\"connected\":%ju,"
		    "\"failed\":%ju}",
		    i > 0 ? "," : "", health->address,
		    health->is_up ? "true" : "false",
		    (uintmax_t)health->connected, (uintmax_t)health->failed);
		buf_append(json, text, strlen(text));
	}
}

static void
on_status(struct parent *parent, uint64_t ticket, int fd)
{
	struct control_client *client = control_find(parent->control, ticket);
	struct buf json;
	struct stat st;
	char head[256];
	void *map = MAP_FAILED;

	if (client == NULL)
		return;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 ||
	    (map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		 0)) == MAP_FAILED) {
		control_answer(
		    client, span_of_str("{\"error\":\"busy: ask again\"}"));
		return;
	}
	buf_init(&json, SIZE_MAX);
	snprintf(head, sizeof head,
	    "{\"program\":\"kayad\",\"version\":\"%s\",\"pid\":%d,"
	    "\"brokers\":[",
	    KAYA_VERSION, (int)getpid());
	buf_append(&json, head, strlen(head));
	put_brokers(parent, &json);
	buf_append(&json, "],\"gateway\":", 12);
	buf_append(&json, map, (size_t)st.st_size);
	buf_append(&json, "}", 1);
	munmap(map, (size_t)st.st_size);
	control_answer(client, buf_span(&json));
	buf_fini(&json);
}

static void
on_request(void *arg, const char *request, struct control_client *client)
{
	struct parent *parent = arg;

	if (strcmp(request, "status") == 0)
		monitor_send(&parent->child_control, MONITOR_STATUS, 0,
		    control_ticket(client), span_of(NULL, 0), -1);
	else
		control_answer(
		    client, span_of_str("{\"error\":\"unknown request\"}"));
}

/* ---- ready ---- */

static void
say_ready(struct parent *parent)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char fingerprint[PUBKEY_FINGERPRINT_SIZE], address[128];
	char text[1024] = "ready";
	size_t used = strlen(text);

	for (size_t i = 0; i < parent->ports.count; i++) {
		listener_address_text(
		    (void *)&parent->ports.addresses[i].address, address,
		    sizeof address);
		used += (size_t)snprintf(
		    text + used, sizeof text - used, " listen=%s", address);
	}
	for (size_t i = 0; i < parent->host_key_count; i++) {
		pubkey_digest(ssh_host_key_blob(parent->host_keys[i]), digest);
		pubkey_fingerprint(digest, fingerprint);
		used += (size_t)snprintf(text + used, sizeof text - used,
		    " host_key=%s", fingerprint);
	}
	used += (size_t)snprintf(text + used, sizeof text - used,
	    " broker=%s state=%s\n",
	    connector_health(parent->connector, 0)->address,
	    parent->settings.state);
	if (write(STDERR_FILENO, text, used) < 0)
		return;
	notify_systemd("READY=1");
}

static void
on_in_force(struct parent *parent, const struct monitor_message *message)
{
	struct err err = ERR_INIT;
	char why[MONITOR_PAYLOAD_MAX + 1];

	span_to_str(span_of(message->payload, message->len), why, sizeof why);
	if (message->value != 0) {
		err_set(&err, ERR_FAILED, "%s", why);
		if (!parent->is_ready)
			fail(parent, &err);
		else
			log_err(
			    LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		if (parent->has_pending)
			settings_fini(&parent->pending);
		parent->has_pending = false;
		return;
	}
	if (!parent->is_ready) {
		parent->is_ready = true;
		say_ready(parent);
		return;
	}
	if (parent->has_pending) {
		settings_fini(&parent->settings);
		parent->settings = parent->pending;
		parent->has_pending = false;
		log_set_level(parent->settings.log_level);
		renew_brokers(parent);
		watch_keys(parent);
	}
	log_event(LOG_LEVEL_INFO, "parent", "reloaded",
	    "configuration and keys are in force");
}

static void
on_child_control(void *arg, const struct monitor_message *message, int fd)
{
	struct parent *parent = arg;

	if (message == NULL)
		child_is_gone(parent);
	else if (message->op == MONITOR_IN_FORCE)
		on_in_force(parent, message);
	else if (message->op == MONITOR_STATUS_REPLY)
		on_status(parent, message->ticket, fd);
	if (fd >= 0)
		close(fd);
}

/* ---- signals ---- */

static void
on_stop_timeout(void *arg)
{
	struct parent *parent = arg;

	log_event(LOG_LEVEL_WARN, "parent", "stop",
	    "the child did not end in time: it ends with us");
	loop_stop(parent->loop);
}

static void
stop(struct parent *parent)
{
	uint64_t drain_ms = parent->settings.shutdown.drain_ms;

	if (parent->is_stopping)
		return;
	parent->is_stopping = true;
	notify_systemd("STOPPING=1");
	log_event(LOG_LEVEL_INFO, "parent", "stop",
	    "no more connections; what is on its way goes out");
	monitor_send(&parent->child_control, MONITOR_DRAIN, (int32_t)drain_ms,
	    0, span_of(NULL, 0), -1);
	loop_timer_start(parent->deadline, drain_ms + STOP_MARGIN_MS);
}

static void
on_child_exit(struct parent *parent)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == parent->child) {
			parent->child = 0;
			child_is_gone(parent);
		} else if (parent->private_broker != NULL &&
			   !parent->is_stopping) {
			private_broker_on_exit(
			    parent->private_broker, pid, status);
		}
	}
}

static void
on_signal(void *arg, int number)
{
	struct parent *parent = arg;

	switch (number) {
	case SIGINT:
	case SIGTERM:
		stop(parent);
		break;
	case SIGHUP:
		reload(parent);
		break;
	case SIGCHLD:
		on_child_exit(parent);
		break;
	}
}

/* ---- beginning ---- */

static int
find_users(struct parent *parent, struct err *err)
{
	static const char *const parents[] = {"kayad", "daemon", NULL};
	static const char *const nets[] = {"kayad-net", "nobody", NULL};

	parent->is_root = geteuid() == 0;
	if (!parent->is_root)
		return 0;
	if (privileges_find(
		&parent->user, parent->settings.user, parents, err) != 0 ||
	    privileges_find(
		&parent->net_user, parent->settings.net_user, nets, err) != 0)
		return -1;
	if (parent->user.uid == parent->net_user.uid) {
		err_set(err, ERR_CONFIG, "user and net_user are the same: %s",
		    parent->user.name);
		return err_hint(err, "name two different users: the one that "
				     "reads the network may not read the keys");
	}
	return 0;
}

/* The child's memory never holds what the parent reads from now on. */
static int
start_child(struct parent *parent, struct err *err)
{
	struct child_options options;
	int pair[2];

	for (size_t i = 0; i < parent->threads; i++) {
		if (monitor_pair(pair, err) != 0)
			return -1;
		parent->desks[i].parent = parent;
		parent->desks[i].monitor.fd = pair[0];
		parent->desk_fds[i] = pair[1];
	}
	if (monitor_pair(pair, err) != 0)
		return -1;
	parent->child_control.fd = pair[0];
	parent->control_fd = pair[1];
	parent->child = fork();
	if (parent->child < 0)
		return err_set_errno(err, ERR_SYSTEM, "cannot fork");
	if (parent->child == 0) {
		for (size_t i = 0; i < parent->threads; i++)
			close(parent->desks[i].monitor.fd);
		close(parent->child_control.fd);
		options = (struct child_options){
		    .overrides = parent->options->overrides,
		    .user = parent->is_root ? &parent->net_user : NULL,
		    .threads = parent->threads,
		    .listeners = parent->ports.count,
		    .listener_fds = parent->ports.fds,
		    .monitor_fds = parent->desk_fds,
		    .control_fd = parent->control_fd,
		};
		_exit(child_run(&options));
	}
	ports_close(&parent->ports);
	for (size_t i = 0; i < parent->threads; i++)
		close(parent->desk_fds[i]);
	close(parent->control_fd);
	return 0;
}

static int
load_host_keys(struct parent *parent, struct err *err)
{
	const struct settings *settings = &parent->settings;

	for (size_t i = 0; i < settings->host_key_count; i++) {
		if (i == SSH_HOST_KEYS_MAX)
			return err_set(err, ERR_CONFIG,
			    "more than %d host keys", SSH_HOST_KEYS_MAX);
		parent->host_keys[i] = key_files_host_key(
		    settings->host_keys[i],
		    settings->host_keys_is_default ? KEY_FILES_MAKE_MISSING
						   : KEY_FILES_MISSING_IS_FAULT,
		    err);
		if (parent->host_keys[i] == NULL)
			return -1;
		parent->host_key_count++;
	}
	return 0;
}

static int
start_loop(struct parent *parent, struct err *err)
{
	static const int numbers[SIGNALS] = {SIGINT, SIGTERM, SIGHUP, SIGCHLD};

	parent->loop = loop_new(err);
	if (parent->loop == NULL)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < SIGNALS; i++)
		parent->signals[i] = loop_signal_new(
		    parent->loop, numbers[i], on_signal, parent);
	parent->deadline =
	    loop_timer_new(parent->loop, on_stop_timeout, parent);
	for (size_t i = 0; i < parent->threads; i++)
		monitor_start(&parent->desks[i].monitor, parent->loop,
		    parent->desks[i].monitor.fd, on_desk, &parent->desks[i]);
	monitor_start(&parent->child_control, parent->loop,
	    parent->child_control.fd, on_child_control, parent);
	return 0;
}

static int
start(
    struct parent *parent, struct snapshot_file *configuration, struct err *err)
{
	char path[512];

	if (find_users(parent, err) != 0 ||
	    state_dir_make(&parent->settings,
		parent->is_root ? &parent->user : NULL, err) != 0)
		return -1;
	parent->threads = parent->settings.threads;
	if (ports_open(&parent->ports, &parent->settings, err) != 0 ||
	    start_child(parent, err) != 0)
		return -1;
	if (parent->is_root && privileges_drop(&parent->user, err) != 0)
		return -1;
	if (access(parent->settings.state, R_OK | W_OK | X_OK) != 0) {
		err_set_errno(err, ERR_CONFIG, "user %s cannot use %s",
		    parent->is_root ? parent->user.name : "this",
		    parent->settings.state);
		return err_hint(err, "let that user enter every folder on the "
				     "way, or choose another: --state DIR");
	}
	snprintf(path, sizeof path, "%s/control.sock", parent->settings.state);
	if (start_loop(parent, err) != 0 || load_host_keys(parent, err) != 0)
		return -1;
	parent->control =
	    control_new(parent->loop, path, on_request, parent, err);
	if (parent->control == NULL || start_brokers(parent, err) != 0)
		return -1;
	watch_keys(parent);
	return send_snapshot(parent, &parent->settings, configuration, err);
}

/* An end that may not have been served yet. */
static void
close_desk(struct monitor *monitor)
{
	if (monitor->loop != NULL)
		monitor_stop(monitor);
	else if (monitor->fd > 0)
		close(monitor->fd);
}

/*
 * Let the child see that we go, and wait for it a while.  It may be another
 * user's, whom we cannot kill: should it hang, the system ends it with us.
 */
static void
wait_for_child(struct parent *parent)
{
	const struct timespec pause = {.tv_nsec = 10000000};

	for (size_t i = 0; i < parent->threads; i++)
		close_desk(&parent->desks[i].monitor);
	close_desk(&parent->child_control);
	for (int i = 0; parent->child > 0 && i < CHILD_END_MS / 10; i++) {
		if (waitpid(parent->child, NULL, WNOHANG) != 0)
			parent->child = 0;
		else
			nanosleep(&pause, NULL);
	}
}

static void
wind_up(struct parent *parent)
{
	wait_for_child(parent);
	control_free(parent->control);
	connector_free(parent->connector);
	private_broker_stop(parent->private_broker);
	key_files_watch_free(parent->watch);
	for (size_t i = 0; i < parent->host_key_count; i++)
		ssh_host_key_free(parent->host_keys[i]);
	if (parent->loop == NULL)
		return;
	for (size_t i = 0; i < SIGNALS; i++)
		loop_signal_free(parent->signals[i]);
	loop_timer_free(parent->deadline);
	loop_free(parent->loop);
}

int
parent_run(const struct parent_options *options, struct err *err)
{
	struct parent *parent = calloc(1, sizeof *parent);
	struct snapshot_file configuration;
	int result = -1;

	if (parent == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	parent->options = options;
	parent->err = err;
	if (load_settings(parent, &parent->settings, &configuration, err) !=
	    0) {
		free(parent);
		return -1;
	}
	log_set_level(parent->settings.log_level);
	if (start(parent, &configuration, err) == 0 &&
	    loop_run(parent->loop, err) == 0 && !parent->has_failed)
		result = 0;
	wind_up(parent);
	free_file(&configuration);
	ports_close(&parent->ports);
	settings_fini(&parent->settings);
	free(parent);
	return result;
}
