#include "parent_peers.h"

#include "files_limit.h"
#include "notify.h"
#include "settings_source.h"
#include "snapshot.h"
#include "state_dir.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	STOP_MARGIN_MS = 5000,
	CHILD_END_MS = 3000,
};

void
parent_fail(struct parent *parent, const struct err *err)
{
	if (!parent->has_failed)
		*parent->err = *err;
	parent->has_failed = true;
	loop_stop(parent->loop);
}

void
parent_child_is_gone(struct parent *parent)
{
	/* How it ended is known in a moment: wait_for_child. */
	parent->is_child_gone = true;
	loop_stop(parent->loop);
}

static void
on_child_control(void *arg, const struct monitor_message *message, int fd)
{
	struct parent *parent = arg;

	if (message == NULL)
		parent_child_is_gone(parent);
	else if (message->op == MONITOR_IN_FORCE)
		parent_on_in_force(parent, message);
	else if (message->op == MONITOR_STATUS_REPLY)
		parent_on_status(parent, message->ticket, fd);
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
	parent_revoke_approvals(parent, APPROVAL_STOPPING);
	log_event(LOG_LEVEL_INFO, "parent", "stop",
	    "no more connections; what is on its way goes out");
	monitor_send(&parent->child_control, MONITOR_DRAIN, (int32_t)drain_ms,
	    0, span_of(NULL, 0), -1);
	loop_timer_start(parent->deadline, drain_ms + STOP_MARGIN_MS);
}

/* Its end is part of ours: where it was none in order, ours is none. */
static void
on_child_status(struct parent *parent, int status)
{
	struct err err = ERR_INIT;

	parent->child = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0 &&
	    parent->is_stopping)
		return;
	err_set(&err, ERR_FAILED, "the child process ended with %s %d",
	    WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	err_hint(&err, "see the log above; under systemd it is started again");
	parent_fail(parent, &err);
}

static void
on_child_exit(struct parent *parent)
{
	struct private_broker *const own[] = {
	    parent->brokers.own, parent->pending_brokers.own};
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == parent->child) {
			on_child_status(parent, status);
			parent_child_is_gone(parent);
			continue;
		}
		for (size_t i = 0; i < 2; i++)
			if (own[i] != NULL &&
			    private_broker_on_exit(own[i], pid, status))
				break;
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
		parent_follow_audit(parent);
		parent_reload(parent);
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
		child_run(&options);
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
	static const int numbers[PARENT_SIGNALS] = {
	    SIGINT, SIGTERM, SIGHUP, SIGCHLD};

	parent->loop = loop_new(err);
	if (parent->loop == NULL)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	/* A file that may not grow (setrlimit(2)) is a full disk, no death. */
	signal(SIGXFSZ, SIG_IGN);
	for (size_t i = 0; i < PARENT_SIGNALS; i++)
		parent->signals[i] = loop_signal_new(
		    parent->loop, numbers[i], on_signal, parent);
	parent->deadline =
	    loop_timer_new(parent->loop, on_stop_timeout, parent);
	for (size_t i = 0; i < parent->threads; i++)
		monitor_start(&parent->desks[i].monitor, parent->loop,
		    parent->desks[i].monitor.fd, parent_on_desk,
		    &parent->desks[i]);
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
	    control_new(parent->loop, path, parent_on_request, parent, err);
	if (parent->control == NULL || parent_open_audit(parent, err) != 0 ||
	    parent_start_approvals(parent, err) != 0 ||
	    parent_start_brokers(
		parent, &parent->settings, &parent->brokers, err) != 0)
		return -1;
	parent->watches = parent_watch(parent, &parent->settings);
	return parent_send_snapshot(
	    parent, &parent->settings, configuration, err);
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
	int status;

	for (size_t i = 0; i < parent->threads; i++)
		close_desk(&parent->desks[i].monitor);
	close_desk(&parent->child_control);
	for (int i = 0; parent->child > 0 && i < CHILD_END_MS / 10; i++) {
		if (waitpid(parent->child, &status, WNOHANG) == 0)
			nanosleep(&pause, NULL);
		else if (parent->is_stopping || parent->is_child_gone)
			on_child_status(parent, status);
		else
			parent->child = 0; /* it goes because we do */
	}
}

static void
wind_up(struct parent *parent)
{
	wait_for_child(parent);
	parent_peers_end(parent);
	parent_end_approvals(parent);
	control_free(parent->control);
	parent_stop_brokers(&parent->brokers);
	parent_stop_brokers(&parent->pending_brokers);
	parent_drop_early(parent);
	parent_drop_enrolments(parent);
	if (parent->has_pending)
		settings_fini(&parent->pending);
	parent_unwatch(&parent->watches);
	parent_unwatch(&parent->pending_watches);
	for (size_t i = 0; i < parent->host_key_count; i++)
		ssh_host_key_free(parent->host_keys[i]);
	parent_policy_drop(&parent->policy);
	parent_policy_drop(&parent->policy_sent);
	parent_close_audit(parent);
	if (parent->loop == NULL)
		return;
	for (size_t i = 0; i < PARENT_SIGNALS; i++)
		loop_signal_free(parent->signals[i]);
	loop_timer_free(parent->deadline);
	loop_free(parent->loop);
}

struct counted {
	const struct parent_options *options;
	size_t count;
};

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	struct counted *counted = arg;

	counted->count++;
	if (counted->options->on_fault != NULL)
		counted->options->on_fault(fault, NULL);
}

static int
read_settings(
    struct parent *parent, struct snapshot_file *configuration, struct err *err)
{
	const char *file = parent->options->configuration;
	struct counted counted = {.options = parent->options};
	const struct settings_source source = {.file = file,
	    .overrides = parent->options->overrides,
	    .on_fault = on_fault,
	    .arg = &counted};

	if (settings_source_read(
		&source, &parent->settings, configuration, err) == 0) {
		file = parent->settings.revoked_keys;
		if (settings_source_check_revoked(&parent->settings, &source) ==
		    0) {
			if (settings_source_check_policy(
				&parent->settings, &source) == 0)
				return 0;
			file = parent->settings.policy;
		}
		err_set(err, ERR_CONFIG, "faults");
	}
	err_set(err, err->code, "%zu fault%s in %s", counted.count,
	    counted.count == 1 ? "" : "s",
	    file != NULL ? file : "what the command line says");
	return err_hint(err, "check it with kayad -t before the next start");
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
	if (read_settings(parent, &configuration, err) != 0) {
		free(parent);
		return -1;
	}
	log_set_level(parent->settings.log_level);
	/* For the child too, and for a broker of ours. */
	files_limit_raise();
	if (start(parent, &configuration, err) == 0 &&
	    loop_run(parent->loop, err) == 0)
		result = 0;
	wind_up(parent);
	if (parent->has_failed)
		result = -1;
	else if (result == 0 && !parent->is_stopping)
		result = err_set(err, ERR_FAILED,
		    "the child process left us, and does not end");
	settings_source_free(&configuration);
	ports_close(&parent->ports);
	settings_fini(&parent->settings);
	free(parent);
	return result;
}
