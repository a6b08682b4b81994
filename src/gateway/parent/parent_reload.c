#include "parent_peers.h"

#include "clock.h"
#include "notify.h"
#include "pubkey.h"
#include "settings_source.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PRIVATE_HEALTH_MS = 500, /* it is being started again */
	PRIVATE_CONNECT_MS = 5000,
	READY_MAX_BYTES = 1 << 16,
};

/* ---- snapshots ---- */

/* One a broker, empty where none is wanted; on failure there are none. */
static int
read_secrets(
    const struct settings *settings, struct buf *secrets, struct err *err)
{
	for (size_t i = 0; i < settings->broker_count; i++) {
		const char *file = settings->brokers[i].secret_file;

		buf_init(&secrets[i], 0);
		if (file == NULL ||
		    key_files_secret(file, &secrets[i], err) == 0)
			continue;
		for (size_t k = 0; k <= i; k++)
			buf_fini_wipe(&secrets[k]);
		return -1;
	}
	return 0;
}

int
parent_send_snapshot(struct parent *parent, const struct settings *settings,
    const struct snapshot_file *configuration, struct err *err)
{
	struct span blobs[SSH_HOST_KEYS_MAX];
	struct span secrets[SETTINGS_BROKERS_MAX];
	struct buf secret_bytes[SETTINGS_BROKERS_MAX];
	struct span policy = {.len = 0}, revoked = {.len = 0};
	struct key_files keys;
	struct snapshot_parts parts;
	int fd = -1;

	if (settings->policy != NULL &&
	    key_files_text(settings->policy, &policy, err) != 0)
		return -1;
	if ((settings->revoked_keys != NULL &&
		key_files_text(settings->revoked_keys, &revoked, err) != 0) ||
	    key_files_read(&keys, settings->authorized_keys, err) != 0) {
		free((void *)policy.data);
		free((void *)revoked.data);
		return -1;
	}
	if (read_secrets(settings, secret_bytes, err) != 0)
		goto done;
	for (size_t i = 0; i < settings->broker_count; i++)
		secrets[i] = buf_span(&secret_bytes[i]);
	for (size_t i = 0; i < parent->host_key_count; i++)
		blobs[i] = ssh_host_key_blob(parent->host_keys[i]);
	parts = (struct snapshot_parts){
	    .generation = ++parent->generation,
	    .configuration = *configuration,
	    .host_keys = blobs,
	    .host_key_count = parent->host_key_count,
	    .secrets = secrets,
	    .secret_count = settings->broker_count,
	    .policy = {settings->policy, policy},
	    .revoked = {settings->revoked_keys, revoked},
	    .key_files = keys.files,
	    .key_file_count = keys.count,
	};
	if (parent_policy_send(parent, settings, policy, err) == 0)
		fd = snapshot_pack(&parts, err);
	for (size_t i = 0; i < settings->broker_count; i++)
		buf_fini_wipe(&secret_bytes[i]);
done:
	free((void *)policy.data);
	free((void *)revoked.data);
	key_files_fini(&keys);
	if (fd < 0)
		return -1;
	monitor_send(&parent->child_control, MONITOR_SNAPSHOT, 0,
	    parent->generation, span_of(NULL, 0), fd);
	return 0;
}

static void
on_change(void *arg)
{
	parent_reload(arg);
}

static struct key_files_watch *
watch_file(struct parent *parent, const char *path)
{
	struct err err = ERR_INIT;
	struct key_files_watch *watch =
	    key_files_watch_new(parent->loop, path, on_change, parent, &err);

	if (watch == NULL)
		log_err(LOG_LEVEL_WARN, "parent", "watch", &err);
	return watch;
}

struct parent_watches
parent_watch(struct parent *parent, const struct settings *settings)
{
	struct parent_watches watches = {
	    .keys = watch_file(parent, settings->authorized_keys)};

	if (settings->revoked_keys != NULL)
		watches.revoked = watch_file(parent, settings->revoked_keys);
	if (settings->policy != NULL)
		watches.policy = watch_file(parent, settings->policy);
	return watches;
}

void
parent_unwatch(struct parent_watches *watches)
{
	key_files_watch_free(watches->keys);
	key_files_watch_free(watches->revoked);
	key_files_watch_free(watches->policy);
	*watches = (struct parent_watches){.keys = NULL};
}

static void
log_fault(const struct conf_fault *fault, void *arg)
{
	(void)arg;
	log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &fault->err);
}

/* As sd_notify(3) has it; READY=1 follows, whatever comes of it. */
static void
tell_reloading(void)
{
	char text[64];

	snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%ju",
	    (uintmax_t)clock_monotonic_ms() * 1000);
	notify_systemd(text);
}

void
parent_reload(struct parent *parent)
{
	const struct settings_source source = {
	    .file = parent->options->configuration,
	    .overrides = parent->options->overrides,
	    .on_fault = log_fault};
	struct snapshot_file file;
	struct settings settings;
	struct err err = ERR_INIT;

	if (parent->is_stopping)
		return;
	/* What changed after the files were read is read when they are in. */
	parent->must_reload = parent->has_pending;
	if (parent->has_pending)
		return;
	log_event(LOG_LEVEL_DEBUG, "parent", "reload",
	    "reading configuration and keys");
	tell_reloading();
	if (settings_source_read(&source, &settings, &file, &err) != 0) {
		notify_systemd("READY=1");
		return;
	}
	/* Before they are read: what changes from now on is seen by it. */
	parent_unwatch(&parent->pending_watches);
	parent->pending_watches = parent_watch(parent, &settings);
	if ((settings_same_brokers(&parent->settings, &settings) ||
		parent_start_brokers(
		    parent, &settings, &parent->pending_brokers, &err) == 0) &&
	    parent_send_snapshot(parent, &settings, &file, &err) == 0) {
		parent->pending = settings;
		parent->has_pending = true;
	} else {
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		parent_stop_brokers(&parent->pending_brokers);
		settings_fini(&settings);
		notify_systemd("READY=1");
	}
	settings_source_free(&file);
}

/* ---- brokers ---- */

int
parent_start_brokers(struct parent *parent, const struct settings *settings,
    struct parent_brokers *brokers, struct err *err)
{
	struct connector_target targets[SETTINGS_BROKERS_MAX];
	size_t count = settings->broker_count;

	*brokers = (struct parent_brokers){.own = NULL};
	if (count == 0) {
		const struct private_broker_options options = {
		    .program = settings->private_broker.program,
		    .state_dir = settings->state,
		    .extra = settings->private_broker.extra,
		    .persistence = settings->private_broker.persistence,
		};

		brokers->own =
		    private_broker_start(parent->loop, &options, err);
		if (brokers->own == NULL)
			return -1;
		targets[count++] = (struct connector_target){
		    .name = settings_broker_name(settings, 0),
		    .address = private_broker_path(brokers->own),
		    .health_interval_ms = PRIVATE_HEALTH_MS,
		    .connect_timeout_ms = PRIVATE_CONNECT_MS,
		};
	}
	for (size_t i = 0; i < settings->broker_count; i++)
		targets[i] = (struct connector_target){
		    .name = settings->brokers[i].name,
		    .address = settings->brokers[i].address,
		    .health_interval_ms =
			settings->brokers[i].health_interval_ms,
		    .connect_timeout_ms =
			settings->brokers[i].connect_timeout_ms,
		};
	brokers->connector = connector_new(parent->loop, targets, count, err);
	if (brokers->connector != NULL)
		return 0;
	parent_stop_brokers(brokers);
	return -1;
}

void
parent_stop_brokers(struct parent_brokers *brokers)
{
	connector_free(brokers->connector);
	private_broker_stop(brokers->own);
	*brokers = (struct parent_brokers){.own = NULL};
}

/* One of our own is known to come; of another nothing is known yet. */
static void
look_for_brokers(const struct parent *parent)
{
	if (parent->brokers.own == NULL)
		connector_look(parent->brokers.connector);
}

/* Other brokers are reached from now on; what is connected stays. */
static void
change_brokers(struct parent *parent)
{
	struct parent_brokers old = parent->brokers;

	if (parent->pending_brokers.connector == NULL)
		return;
	parent->brokers = parent->pending_brokers;
	parent->pending_brokers = (struct parent_brokers){.own = NULL};
	parent->brokers_since = parent->in_force;
	parent_stop_brokers(&old);
	look_for_brokers(parent);
}

/* ---- ready ---- */

static void
say_ready(const struct parent *parent)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char fingerprint[PUBKEY_FINGERPRINT_SIZE], address[128];
	struct buf line;

	buf_init(&line, READY_MAX_BYTES);
	buf_append_str(&line, "ready");
	for (size_t i = 0; i < parent->ports.count; i++) {
		listener_address_text(
		    (void *)&parent->ports.addresses[i].address, address,
		    sizeof address);
		buf_append_str(&line, " listen=");
		buf_append_str(&line, address);
	}
	for (size_t i = 0; i < parent->host_key_count; i++) {
		pubkey_digest(ssh_host_key_blob(parent->host_keys[i]), digest);
		buf_append_str(&line, " host_key=");
		pubkey_fingerprint(digest, fingerprint);
		buf_append_str(&line, fingerprint);
	}
	buf_append_str(&line, " broker=");
	buf_append_str(
	    &line, connector_health(parent->brokers.connector, 0)->address);
	buf_append_str(&line, " state=");
	buf_append_str(&line, parent->settings.state);
	buf_append_str(&line, "\n");
	if (write(STDERR_FILENO, buf_span(&line).data, buf_len(&line)) < 0)
		log_event(LOG_LEVEL_DEBUG, "parent", "ready", "unheard");
	buf_fini(&line);
	notify_systemd("READY=1");
}

/* The child does not take it: the one before stays. */
static void
on_refused(struct parent *parent, const char *why)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_FAILED, "%s", why);
	parent_policy_refused(parent, why);
	if (!parent->is_ready)
		parent_fail(parent, &err);
	else
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
	if (parent->has_pending)
		settings_fini(&parent->pending);
	parent->has_pending = false;
	parent_stop_brokers(&parent->pending_brokers);
	notify_systemd("READY=1");
}

/* The old one may have seen what is not read yet; so has the new one. */
static void
change_watch(struct parent *parent)
{
	if (parent->pending_watches.keys == NULL)
		return;
	parent_unwatch(&parent->watches);
	parent->watches = parent->pending_watches;
	parent->pending_watches = (struct parent_watches){.keys = NULL};
}

static void
on_taken(struct parent *parent)
{
	if (!parent->is_ready) {
		parent->is_ready = true;
		parent_peers_in_force(parent, true);
		parent_run_early(parent);
		say_ready(parent);
		look_for_brokers(parent);
		return;
	}
	if (parent->has_pending) {
		bool is_changed = parent->pending_brokers.connector != NULL ||
				  !settings_same_gateways(
				      &parent->settings, &parent->pending);

		settings_source_tell_late(&parent->settings, &parent->pending);
		settings_fini(&parent->settings);
		parent->settings = parent->pending;
		parent->has_pending = false;
		log_set_level(parent->settings.log_level);
		change_brokers(parent);
		change_watch(parent);
		parent_peers_in_force(parent, is_changed);
	}
	parent_run_early(parent);
	notify_systemd("READY=1");
	log_event(LOG_LEVEL_INFO, "parent", "reloaded",
	    "configuration and keys are in force");
}

void
parent_on_in_force(struct parent *parent, const struct monitor_message *message)
{
	char why[MONITOR_PAYLOAD_MAX + 1];

	if (message->value == 0) {
		parent->in_force = message->ticket;
		parent_policy_in_force(parent);
		on_taken(parent);
	} else {
		span_to_str(
		    span_of(message->payload, message->len), why, sizeof why);
		on_refused(parent, why);
	}
	if (parent->must_reload)
		parent_reload(parent);
	parent_settle_enrolments(parent);
}
