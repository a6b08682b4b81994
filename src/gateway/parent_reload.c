#include "parent_private.h"

#include "notify.h"
#include "pubkey.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	PRIVATE_HEALTH_MS = 500, /* it is being started again */
	PRIVATE_CONNECT_MS = 5000,
};

/* ---- configuration ---- */

int
parent_load_settings(struct parent *parent, struct settings *settings,
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

void
parent_free_file(struct snapshot_file *file)
{
	free((void *)file->bytes.data);
	free((void *)file->name);
}

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
	struct key_files keys;
	struct snapshot_parts parts;
	int fd = -1;

	if (key_files_read(&keys, settings->authorized_keys, err) != 0)
		return -1;
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
	    .key_files = keys.files,
	    .key_file_count = keys.count,
	};
	fd = snapshot_pack(&parts, err);
	for (size_t i = 0; i < settings->broker_count; i++)
		buf_fini_wipe(&secret_bytes[i]);
done:
	key_files_fini(&keys);
	if (fd < 0)
		return -1;
	monitor_send(&parent->child_control, MONITOR_SNAPSHOT, 0,
	    parent->generation, span_of(NULL, 0), fd);
	return 0;
}

/* Read everything anew; what is wrong leaves what is in force. */
void
parent_reload(struct parent *parent)
{
	struct snapshot_file file;
	struct settings settings;
	struct err err = ERR_INIT;

	if (parent->is_stopping || parent->has_pending)
		return;
	if (parent_load_settings(parent, &settings, &file, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		return;
	}
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
	}
	parent_free_file(&file);
}

static void
on_key_change(void *arg)
{
	parent_reload(arg);
}

void
parent_watch_keys(struct parent *parent)
{
	struct err err = ERR_INIT;

	key_files_watch_free(parent->watch);
	parent->watch = key_files_watch_new(parent->loop,
	    parent->settings.authorized_keys, on_key_change, parent, &err);
	if (parent->watch == NULL)
		log_err(LOG_LEVEL_WARN, "parent", "watch", &err);
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
	    connector_health(parent->brokers.connector, 0)->address,
	    parent->settings.state);
	if (write(STDERR_FILENO, text, used) < 0)
		return;
	notify_systemd("READY=1");
}

void
parent_on_in_force(struct parent *parent, const struct monitor_message *message)
{
	struct err err = ERR_INIT;
	char why[MONITOR_PAYLOAD_MAX + 1];

	span_to_str(span_of(message->payload, message->len), why, sizeof why);
	if (message->value != 0) {
		err_set(&err, ERR_FAILED, "%s", why);
		if (!parent->is_ready)
			parent_fail(parent, &err);
		else
			log_err(
			    LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		if (parent->has_pending)
			settings_fini(&parent->pending);
		parent->has_pending = false;
		parent_stop_brokers(&parent->pending_brokers);
		return;
	}
	parent->in_force = message->ticket;
	if (!parent->is_ready) {
		parent->is_ready = true;
		parent_run_early(parent);
		say_ready(parent);
		return;
	}
	if (parent->has_pending) {
		settings_fini(&parent->settings);
		parent->settings = parent->pending;
		parent->has_pending = false;
		log_set_level(parent->settings.log_level);
		change_brokers(parent);
		parent_watch_keys(parent);
	}
	parent_run_early(parent);
	log_event(LOG_LEVEL_INFO, "parent", "reloaded",
	    "configuration and keys are in force");
}
