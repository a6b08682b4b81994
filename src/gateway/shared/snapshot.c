#include "snapshot.h"

#include "log.h"
#include "pubkey.h"
#include "wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	PACK_MAX_BYTES = 1 << 30,
	HOST_KEYS_MAX_BYTES = 16384,
	SECRETS_MAX_BYTES = SETTINGS_BROKERS_MAX << 16,
	NO_PACKET_LIMIT = 256 << 20,
	KEY_FILES_MAX = 100000,
};

struct snapshot_setup *
snapshot_setup_ref(struct snapshot_setup *setup)
{
	atomic_fetch_add(&setup->refs, 1);
	return setup;
}

void
snapshot_setup_unref(struct snapshot_setup *setup)
{
	if (setup == NULL || atomic_fetch_sub(&setup->refs, 1) != 1)
		return;
	settings_fini(&setup->settings);
	free(setup->host_keys);
	buf_fini_wipe(&setup->secret_bytes);
	free(setup);
}

struct snapshot_policy *
snapshot_policy_ref(struct snapshot_policy *policy)
{
	atomic_fetch_add(&policy->refs, 1);
	return policy;
}

void
snapshot_policy_unref(struct snapshot_policy *policy)
{
	if (policy == NULL || atomic_fetch_sub(&policy->refs, 1) != 1)
		return;
	policy_free(policy->policy);
	free(policy);
}

struct snapshot *
snapshot_ref(struct snapshot *snapshot)
{
	atomic_fetch_add(&snapshot->refs, 1);
	return snapshot;
}

void
snapshot_unref(struct snapshot *snapshot)
{
	if (snapshot == NULL || atomic_fetch_sub(&snapshot->refs, 1) != 1)
		return;
	snapshot_setup_unref(snapshot->setup);
	keyring_unref(snapshot->ring);
	revoked_keys_free(snapshot->revoked);
	snapshot_policy_unref(snapshot->policy);
	free(snapshot);
}

/* ---- the parent's side ---- */

static void
put_file(struct buf *out, const struct snapshot_file *file)
{
	wire_put_cstring32(out, file->name == NULL ? "" : file->name);
	wire_put_string32(out, file->bytes);
}

static int
write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n <= 0)
			return -1;
		bytes.data += n;
		bytes.len -= (size_t)n;
	}
	return 0;
}

int
snapshot_pack(const struct snapshot_parts *parts, struct err *err)
{
	struct buf out;
	int fd = -1;

	buf_init(&out, PACK_MAX_BYTES);
	wire_put_u64(&out, parts->generation);
	put_file(&out, &parts->configuration);
	wire_put_u32(&out, (uint32_t)parts->host_key_count);
	for (size_t i = 0; i < parts->host_key_count; i++)
		wire_put_string32(&out, parts->host_keys[i]);
	wire_put_u32(&out, (uint32_t)parts->secret_count);
	for (size_t i = 0; i < parts->secret_count; i++)
		wire_put_string32(&out, parts->secrets[i]);
	put_file(&out, &parts->policy);
	put_file(&out, &parts->revoked);
	wire_put_u32(&out, (uint32_t)parts->key_file_count);
	for (size_t i = 0; i < parts->key_file_count; i++)
		put_file(&out, &parts->key_files[i]);
	if (out.failed) {
		err_set(err, ERR_NOMEM, "the key files are too large");
		goto done;
	}
	fd = memfd_create("kayad-snapshot", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || write_all(fd, buf_span(&out)) != 0 ||
	    fcntl(fd, F_ADD_SEALS,
		F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) !=
		0) {
		err_set_errno(err, ERR_SYSTEM, "cannot make a memfd");
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
done:
	buf_fini_wipe(&out);
	return fd;
}

/* ---- the child's side ---- */

static bool
take_file(struct span *in, char *name, size_t size, struct span *bytes)
{
	struct span text;

	return wire_take_string32(in, &text) && span_to_str(text, name, size) &&
	       wire_take_string32(in, bytes);
}

static bool
take_host_keys(struct span *in, struct snapshot_setup *setup)
{
	uint32_t count;
	size_t used = 0;
	struct span blob;

	if (!wire_take_u32(in, &count) || count > SSH_HOST_KEYS_MAX)
		return false;
	setup->host_keys = malloc(HOST_KEYS_MAX_BYTES);
	if (setup->host_keys == NULL)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!wire_take_string32(in, &blob) ||
		    blob.len > HOST_KEYS_MAX_BYTES - used)
			return false;
		memcpy(setup->host_keys + used, blob.data, blob.len);
		setup->ssh.host_keys[i] =
		    span_of(setup->host_keys + used, blob.len);
		used += blob.len;
	}
	setup->ssh.host_key_count = count;
	return true;
}

static bool
take_secrets(struct span *in, struct snapshot_setup *setup)
{
	struct span secrets[SETTINGS_BROKERS_MAX];
	const uint8_t *at;
	uint32_t count;

	buf_init(&setup->secret_bytes, SECRETS_MAX_BYTES);
	if (!wire_take_u32(in, &count) || count > SETTINGS_BROKERS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (!wire_take_string32(in, &secrets[i]) ||
		    !buf_append(
			&setup->secret_bytes, secrets[i].data, secrets[i].len))
			return false;
	/* Where they stand is known now that all of them are there. */
	at = buf_span(&setup->secret_bytes).data;
	for (uint32_t i = 0; i < count; i++) {
		if (secrets[i].len == 0)
			continue;
		setup->secrets[i] = span_of(at, secrets[i].len);
		at += secrets[i].len;
	}
	return true;
}

static void
apply_settings(struct snapshot_setup *setup)
{
	const struct settings *settings = &setup->settings;
	struct ssh_setup *ssh = &setup->ssh;

	ssh->legacy_macs = settings->legacy_macs;
	ssh->window_bytes = settings->limits.window_bytes;
	ssh->max_channels = settings->limits.channels;
	ssh->max_auth_tries = settings->limits.auth_tries;
	ssh->login_grace_ms = settings->limits.login_grace_ms;
	ssh->rekey_bytes = settings->rekey.bytes;
	ssh->rekey_ms = settings->rekey.interval_ms;
	ssh->output_max = settings->limits.output_bytes;
	setup->mqtt_up = setup->mqtt_down = mqtt_limits_default;
	if (settings->limits.mqtt_packet_bytes < NO_PACKET_LIMIT)
		setup->mqtt_up.packet_max = settings->limits.mqtt_packet_bytes;
}

static struct snapshot_setup *
unpack_setup(struct span *in, const struct settings_overrides *overrides,
    struct err *err)
{
	struct snapshot_setup *setup = calloc(1, sizeof *setup);
	char name[4096];
	struct span bytes;

	if (setup == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	setup->refs = 1;
	ssh_setup_init(&setup->ssh);
	if (settings_defaults(&setup->settings, err) != 0)
		goto fail;
	if (!take_file(in, name, sizeof name, &bytes)) {
		err_set(err, ERR_FAILED, "the snapshot is cut off");
		goto fail;
	}
	if (name[0] != '\0' &&
	    settings_load(&setup->settings, name, bytes, NULL, NULL, err) != 0)
		goto fail;
	if (settings_override(&setup->settings, overrides, err) != 0)
		goto fail;
	if (!take_host_keys(in, setup) || !take_secrets(in, setup)) {
		err_set(err, ERR_FAILED, "host keys or secrets do not fit");
		goto fail;
	}
	apply_settings(setup);
	return setup;
fail:
	snapshot_setup_unref(setup);
	return NULL;
}

/* A line that lets nobody in is never skipped in silence. */
static void
on_void_line(void *arg, const struct keyring_fault *fault)
{
	struct log_line line;
	char where[512];

	(void)arg;
	if (!log_begin(&line, LOG_LEVEL_WARN, "keys", "void"))
		return;
	snprintf(where, sizeof where, "%s:%zu:%zu", fault->file, fault->line,
	    fault->column);
	log_str(&line, "where", where);
	log_str(&line, "why", fault->cause);
	if (fault->remedy != NULL)
		log_str(&line, "remedy", fault->remedy);
	log_end(&line);
}

static int
unpack_revoked(struct span *in, struct snapshot *snapshot, struct err *err)
{
	struct conf_fault fault;
	struct span bytes;
	char name[4096];

	if (!take_file(in, name, sizeof name, &bytes))
		return err_set(err, ERR_FAILED, "the snapshot is cut off");
	if (name[0] == '\0')
		return 0;
	snapshot->revoked = revoked_keys_new(name, bytes, &fault);
	if (snapshot->revoked != NULL)
		return 0;
	log_err(LOG_LEVEL_ERROR, "revoked", "fault", &fault.err);
	*err = fault.err;
	return -1;
}

static struct keyring *
unpack_ring(
    struct span *in, const struct revoked_keys *revoked, struct err *err)
{
	struct keyring_file *files;
	struct keyring *ring = NULL;
	uint32_t count;

	if (!wire_take_u32(in, &count) || count > KEY_FILES_MAX) {
		err_set(err, ERR_FAILED, "the snapshot is cut off");
		return NULL;
	}
	files = calloc(count + 1, sizeof *files);
	for (uint32_t i = 0; files != NULL && i < count; i++) {
		char name[4096];

		if (!take_file(in, name, sizeof name, &files[i].text) ||
		    (files[i].name = strdup(name)) == NULL) {
			err_set(err, ERR_FAILED, "the snapshot is cut off");
			goto done;
		}
	}
	if (files == NULL)
		err_set(err, ERR_NOMEM, "no memory");
	else
		ring = keyring_new(&(struct keyring_source){.files = files,
				       .count = count,
				       .revoked = revoked,
				       .report = on_void_line,
				       .arg = NULL},
		    err);
done:
	for (uint32_t i = 0; files != NULL && i < count; i++)
		free((char *)files[i].name);
	free(files);
	return ring;
}

/* The first goes to the parent, too. */
struct faults {
	struct err *err;
	size_t count;
};

static void
on_policy_fault(const struct conf_fault *fault, void *arg)
{
	struct faults *faults = arg;

	if (faults->count++ == 0)
		*faults->err = fault->err;
	log_err(LOG_LEVEL_ERROR, "policy", "fault", &fault->err);
}

static int
unpack_policy(struct span *in, struct snapshot *snapshot,
    struct snapshot_policy *before, struct err *err)
{
	struct faults faults = {.err = err};
	struct snapshot_policy *policy;
	char name[4096];
	struct policy_source source = {
	    .file = name, .on_fault = on_policy_fault, .arg = &faults};
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	if (!take_file(in, name, sizeof name, &source.bytes))
		return err_set(err, ERR_FAILED, "the snapshot is cut off");
	if (name[0] == '\0')
		return 0;
	pubkey_digest(source.bytes, digest);
	if (before != NULL &&
	    memcmp(before->digest, digest, sizeof digest) == 0) {
		snapshot->policy = snapshot_policy_ref(before);
		return 0;
	}
	policy = calloc(1, sizeof *policy);
	if (policy == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	policy->refs = 1;
	memcpy(policy->digest, digest, sizeof digest);
	source.format = policy_guess_format(source.bytes);
	policy->policy = policy_new(&source);
	if (policy->policy == NULL) {
		snapshot_policy_unref(policy);
		if (faults.count == 0)
			return err_set(err, ERR_NOMEM, "no memory");
		if (before == NULL)
			return -1;
		log_event(LOG_LEVEL_ERROR, "policy", "refused",
		    "the policy before stays in force");
		err_clear(err);
		snapshot->policy = snapshot_policy_ref(before);
		return 0;
	}
	snapshot->policy = policy;
	return 0;
}

struct snapshot *
snapshot_unpack(int fd, const struct settings_overrides *overrides,
    struct snapshot_policy *before, struct err *err)
{
	struct snapshot *snapshot = calloc(1, sizeof *snapshot);
	struct span in;
	off_t size;
	void *map;

	if (snapshot == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	snapshot->refs = 1;
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || (map = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE,
			      fd, 0)) == MAP_FAILED) {
		err_set_errno(err, ERR_SYSTEM, "the snapshot cannot be read");
		snapshot_unref(snapshot);
		return NULL;
	}
	in = span_of(map, (size_t)size);
	if (!wire_take_u64(&in, &snapshot->generation))
		err_set(err, ERR_FAILED, "the snapshot is cut off");
	else if ((snapshot->setup = unpack_setup(&in, overrides, err)) !=
		     NULL &&
		 unpack_policy(&in, snapshot, before, err) == 0 &&
		 unpack_revoked(&in, snapshot, err) == 0)
		snapshot->ring = unpack_ring(&in, snapshot->revoked, err);
	munmap(map, (size_t)size);
	if (snapshot->ring == NULL) {
		snapshot_unref(snapshot);
		return NULL;
	}
	return snapshot;
}
