#include "settings_source.h"

#include "log.h"
#include "settings_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void
settings_source_free(struct snapshot_file *content)
{
	free((void *)content->bytes.data);
	free((void *)content->name);
	*content = (struct snapshot_file){.name = NULL};
}

/* What has no place in the file is a fault like any other. */
static int
tell(const struct settings_source *source, const struct err *err)
{
	const struct conf_fault fault = {.file = source->file, .err = *err};

	if (source->on_fault != NULL)
		source->on_fault(&fault, source->arg);
	return -1;
}

static int
read_content(const struct settings_source *source,
    struct snapshot_file *content, struct err *err)
{
	struct key_files files;

	if (key_files_read(&files, source->file, err) != 0)
		return tell(source, err);
	if (files.count != 1) {
		key_files_fini(&files);
		err_set(err, ERR_CONFIG, "%s is not a file", source->file);
		return tell(source, err);
	}
	*content = files.files[0];
	free(files.files);
	return 0;
}

int
settings_source_read(const struct settings_source *source,
    struct settings *settings, struct snapshot_file *content, struct err *err)
{
	*content = (struct snapshot_file){.name = NULL};
	if (settings_defaults(settings, err) != 0)
		return tell(source, err);
	if (source->file != NULL) {
		if (read_content(source, content, err) != 0 ||
		    settings_load(settings, source->file, content->bytes,
			source->on_fault, source->arg, err) != 0)
			goto fail;
	}
	if (settings_override(settings, source->overrides, err) != 0) {
		tell(source, err);
		goto fail;
	}
	if (settings_check_files(
		settings, source->on_fault, source->arg, err) == 0)
		return 0;
fail:
	settings_source_free(content);
	settings_fini(settings);
	return -1;
}

/* ---- what is in the files ---- */

static bool
is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || errno != ENOENT;
}

/* 0 and the list, NULL where none is named; -1 for a fault, which is told. */
static int
read_revoked(const struct settings *settings,
    const struct settings_source *source, struct revoked_keys **revoked)
{
	struct conf_fault fault = {.file = settings->revoked_keys};
	struct span bytes = {.len = 0};

	*revoked = NULL;
	if (settings->revoked_keys == NULL)
		return 0;
	if (key_files_text(settings->revoked_keys, &bytes, &fault.err) == 0)
		*revoked =
		    revoked_keys_new(settings->revoked_keys, bytes, &fault);
	free((void *)bytes.data);
	if (*revoked != NULL)
		return 0;
	if (source->on_fault != NULL)
		source->on_fault(&fault, source->arg);
	return -1;
}

int
settings_source_check_revoked(
    const struct settings *settings, const struct settings_source *source)
{
	struct revoked_keys *revoked;
	int result = read_revoked(settings, source, &revoked);

	revoked_keys_free(revoked);
	return result;
}

/* NULL where there is none yet, or a fault. */
static struct keyring *
look_into_keys(const struct settings *settings, struct conf_teller *teller,
    const struct revoked_keys *revoked, const struct settings_advice *advice)
{
	struct keyring_file *texts;
	struct key_files files;
	struct keyring *ring = NULL;
	struct err err = ERR_INIT;

	if (settings->authorized_keys_is_default &&
	    !is_there(settings->authorized_keys))
		return NULL;
	if (key_files_read(&files, settings->authorized_keys, &err) != 0) {
		conf_tell(teller, "authorized_keys", err.hint, "%s", err.what);
		return NULL;
	}
	texts = calloc(files.count + 1, sizeof *texts);
	if (texts == NULL)
		err_set(&err, ERR_NOMEM, "no memory");
	for (size_t i = 0; texts != NULL && i < files.count; i++)
		texts[i] = (struct keyring_file){
		    files.files[i].name, files.files[i].bytes};
	if (texts != NULL)
		ring = keyring_new(&(struct keyring_source){.files = texts,
				       .count = files.count,
				       .revoked = revoked,
				       .report = advice->on_void,
				       .arg = advice->arg},
		    &err);
	if (ring == NULL)
		conf_tell(teller, "authorized_keys", err.hint, "%s", err.what);
	free(texts);
	key_files_fini(&files);
	return ring;
}

/* ---- the policy ---- */

struct policy_faults {
	const struct settings_source *source;
	size_t count;
};

static void
on_policy_fault(const struct conf_fault *fault, void *arg)
{
	struct policy_faults *faults = arg;

	faults->count++;
	if (faults->source->on_fault != NULL)
		faults->source->on_fault(fault, faults->source->arg);
}

/* NULL where none is named, or it has faults, which are told and counted. */
static struct policy *
read_policy(const struct settings *settings, struct policy_faults *faults)
{
	struct policy_source from = {.file = settings->policy,
	    .on_fault = on_policy_fault,
	    .arg = faults};
	struct policy *policy = NULL;
	struct err err = ERR_INIT;

	if (settings->policy == NULL ||
	    (settings->policy_is_default && !is_there(settings->policy)))
		return NULL;
	if (key_files_text(settings->policy, &from.bytes, &err) != 0) {
		faults->count++;
		tell(faults->source, &err);
		return NULL;
	}
	from.format = policy_guess_format(from.bytes);
	policy = policy_new(&from);
	if (policy == NULL && faults->count == 0) {
		faults->count++;
		err_set(&err, ERR_NOMEM, "no memory for %s", settings->policy);
		tell(faults->source, &err);
	}
	free((void *)from.bytes.data);
	return policy;
}

int
settings_source_check_policy(
    const struct settings *settings, const struct settings_source *source)
{
	struct policy_faults faults = {.source = source};

	policy_free(read_policy(settings, &faults));
	return faults.count == 0 ? 0 : -1;
}

/* Its rules, held against the names that there are keys for. */
static void
advise_on_policy(const struct policy *policy, const struct keyring *ring,
    const struct settings_advice *advice)
{
	struct keyring_stats stats = {.lines = 0};
	size_t count;
	struct policy_check check = {.policy = policy,
	    .on_finding = advice->on_finding,
	    .arg = advice->arg};
	struct policy_known *known;
	char(*names)[STR_NAME_MAX + 1];

	if (ring != NULL)
		stats = keyring_stats(ring);
	count = stats.lines + stats.authorities;
	known = calloc(count + 1, sizeof *known);
	names = calloc(count + 1, sizeof *names);
	if (known != NULL && names != NULL) {
		for (size_t i = 0; i < count; i++)
			known[i] = (struct policy_known){
			    span_of_str(
				keyring_identity(ring, (uint32_t)i, names[i])),
			    span_of_str(keyring_role(ring, (uint32_t)i))};
		check.known = ring == NULL ? NULL : known;
		check.known_count = count;
		policy_check(&check);
	}
	free(names);
	free(known);
}

static int
look_into_policy(const struct settings *settings,
    const struct settings_source *source, const struct keyring *ring,
    const struct settings_advice *advice)
{
	struct policy_faults faults = {.source = source};
	struct policy *policy = read_policy(settings, &faults);

	if (policy != NULL && advice->on_finding != NULL)
		advise_on_policy(policy, ring, advice);
	policy_free(policy);
	return faults.count == 0 ? 0 : -1;
}

static void
look_into_host_keys(const struct settings *settings, struct conf_teller *teller)
{
	for (size_t i = 0; i < settings->host_key_count; i++) {
		const char *path = settings->host_keys[i];
		struct err err = ERR_INIT;
		struct ssh_host_key *host_key;
		char key[CONF_PATH_MAX];

		if (settings->host_keys_is_default && !is_there(path))
			continue;
		host_key =
		    key_files_host_key(path, KEY_FILES_MISSING_IS_FAULT, &err);
		snprintf(key, sizeof key, "host_keys[%zu]", i);
		if (host_key == NULL)
			conf_tell(
			    teller, key, err.hint, "%s: %s", path, err.what);
		ssh_host_key_free(host_key);
	}
}

static void
look_into_secrets(const struct settings *settings, struct conf_teller *teller)
{
	for (size_t i = 0; i < settings->broker_count; i++) {
		const char *path = settings->brokers[i].secret_file;
		struct err err = ERR_INIT;
		char key[CONF_PATH_MAX];
		struct buf secret;

		if (path == NULL)
			continue;
		snprintf(key, sizeof key, "brokers[%zu].secret_file", i);
		if (key_files_secret(path, &secret, &err) != 0)
			conf_tell(teller, key, err.hint, "%s", err.what);
		buf_fini_wipe(&secret);
	}
}

int
settings_source_look_into(const struct settings *settings,
    const struct settings_source *source, const struct settings_advice *advice)
{
	struct conf_teller teller = {.conf = &settings->conf,
	    .on_fault = source->on_fault,
	    .arg = source->arg};
	struct revoked_keys *revoked;
	int result = read_revoked(settings, source, &revoked);
	struct keyring *ring =
	    look_into_keys(settings, &teller, revoked, advice);

	result |= look_into_policy(settings, source, ring, advice);
	keyring_unref(ring);
	revoked_keys_free(revoked);
	look_into_host_keys(settings, &teller);
	look_into_secrets(settings, &teller);
	return teller.count == 0 ? result : -1;
}

/* ---- what a reload cannot change ---- */

/* A setting as text. */
static void
dump(const struct settings *settings, const struct conf_key *key,
    struct buf *out)
{
	const struct conf_key keys[2] = {*key, {.name = NULL}};

	buf_init(out, CONF_FILE_MAX);
	conf_dump(keys, settings, CONF_FORM_YAML, out);
}

static void
tell_late(const struct settings *in_force, const struct settings *read,
    const struct conf_key *key, const char *section)
{
	struct log_line line;
	struct buf was, is;
	char name[CONF_PATH_MAX];

	dump(in_force, key, &was);
	dump(read, key, &is);
	if (!span_equal(buf_span(&was), buf_span(&is)) &&
	    log_begin(&line, LOG_LEVEL_WARN, "parent", "not-yet")) {
		snprintf(name, sizeof name, "%s%s%s",
		    section != NULL ? section : "", section != NULL ? "." : "",
		    key->name);
		log_str(&line, "setting", name);
		log_str(&line, "why", "it is in force from the next start on");
		log_end(&line);
	}
	buf_fini(&was);
	buf_fini(&is);
}

void
settings_source_tell_late(
    const struct settings *in_force, const struct settings *read)
{
	/* What is used at the start alone. */
	static const struct {
		const char *section, *name;
	} late[] = {
	    {NULL, "listen"},
	    {NULL, "state"},
	    {NULL, "host_keys"},
	    {NULL, "user"},
	    {NULL, "net_user"},
	    {NULL, "threads"},
	    {"private_broker", "program"},
	    {"private_broker", "extra_lines"},
	    {"private_broker", "persistence"},
	    {"audit", "file"},
	    {"audit", "max_size"},
	    {"audit", "keep"},
	};

	for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
		const struct conf_key *keys = settings_keys;

		if (late[i].section != NULL)
			keys = conf_find(keys, late[i].section)->keys;
		tell_late(in_force, read, conf_find(keys, late[i].name),
		    late[i].section);
	}
}
