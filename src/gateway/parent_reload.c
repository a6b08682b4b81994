#include "parent_private.h"

#include "notify.h"
#include "pubkey.h"
#include "snapshot.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

int
parent_send_snapshot(struct parent *parent, const struct settings *settings,
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
	if (parent_send_snapshot(parent, &settings, &file, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "reload-refused", &err);
		settings_fini(&settings);
	} else {
		parent->pending = settings;
		parent->has_pending = true;
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
parent_start_brokers(struct parent *parent, struct err *err)
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
	if (parent_start_brokers(parent, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "parent", "brokers", &err);
		parent->connector = old;
		parent->private_broker = old_private;
		return;
	}
	connector_free(old);
	private_broker_stop(old_private);
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
		parent_watch_keys(parent);
	}
	log_event(LOG_LEVEL_INFO, "parent", "reloaded",
	    "configuration and keys are in force");
}
