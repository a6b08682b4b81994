#include "settings_files.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_TEXT_MAX = 4096, SECRET_MAX = 65535 };

struct check {
	const struct settings *settings;
	conf_fault_fn on_fault;
	void *arg;
	struct err *err;
	size_t count;
	struct conf_teller teller;
};

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	struct check *check = arg;

	if (check->count++ == 0 && check->err != NULL)
		*check->err = fault->err;
	if (check->on_fault != NULL)
		check->on_fault(fault, check->arg);
}

/* What a path must be; each a row of `kinds`. */
enum kind {
	KIND_SECRET, /* a file that only its owner may read */
	KIND_KEYS, /* a file or folder that only its owner may write */
	KIND_RULES, /* a file that only its owner may write */
	KIND_FOLDER /* a folder that only its owner may write */
};

static const struct {
	mode_t types; /* S_IFREG and S_IFDIR */
	mode_t forbidden;
	const char *noun;
	const char *hint;
} kinds[] = {
    [KIND_SECRET] = {S_IFREG, 0077, "a file",
	"take the rights of group and others: chmod 600"},
    [KIND_KEYS] = {S_IFREG | S_IFDIR, 0022, "a file or a folder",
	"let only its owner write: chmod go-w"},
    [KIND_RULES] = {S_IFREG, 0022, "a file",
	"let only its owner write: chmod go-w"},
    [KIND_FOLDER] = {S_IFDIR, 0022, "a folder",
	"let only its owner write: chmod go-w"},
};

static bool
is_type(mode_t mode, mode_t types)
{
	return (S_ISREG(mode) && (types & S_IFREG) == S_IFREG) ||
	       (S_ISDIR(mode) && (types & S_IFDIR) == S_IFDIR);
}

/* Whether it is there and as it must be; tells what is wrong. */
static bool
check_path(struct check *c, const char *key, const char *path, enum kind kind,
    struct stat *st)
{
	char hint[96];

	if (stat(path, st) != 0) {
		conf_tell(&c->teller, key, "name one that is there, or make it",
		    "%s: %s", path, strerror(errno));
		return false;
	}
	if (!is_type(st->st_mode, kinds[kind].types)) {
		snprintf(hint, sizeof hint, "name %s", kinds[kind].noun);
		conf_tell(&c->teller, key, hint, "%s is not %s", path,
		    kinds[kind].noun);
		return false;
	}
	if (access(path, R_OK) != 0) {
		conf_tell(&c->teller, key,
		    "give it to the user that kayad is started as", "%s: %s",
		    path, strerror(errno));
		return false;
	}
	if ((st->st_mode & kinds[kind].forbidden) != 0) {
		conf_tell(&c->teller, key, kinds[kind].hint,
		    "%s has mode %04o: others may %s it", path,
		    (unsigned)st->st_mode & 07777,
		    kind == KIND_SECRET ? "read" : "change");
		return false;
	}
	return true;
}

static bool
is_there(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 || errno != ENOENT;
}

static void
check_secret(struct check *c, const char *key, const char *path)
{
	struct stat st;

	if (!check_path(c, key, path, KIND_SECRET, &st))
		return;
	if (st.st_size == 0 || st.st_size > SECRET_MAX)
		conf_tell(&c->teller, key, "put the password into it",
		    "%s holds %s", path,
		    st.st_size == 0 ? "nothing"
				    : "more than MQTT's 65,535 bytes");
}

/* It is made where it is missing; its folder is not. */
static void
check_audit(struct check *c, const char *file)
{
	char folder[PATH_TEXT_MAX];
	const char *slash = strrchr(file, '/');
	struct stat st;

	if (is_there(file)) {
		check_path(c, "audit.file", file, KIND_RULES, &st);
		return;
	}
	if (slash == NULL ||
	    conf_mark_of(c->teller.conf, "audit.file").line == 0)
		return;
	snprintf(folder, sizeof folder, "%.*s", (int)(slash - file) + 1, file);
	if (stat(folder, &st) != 0)
		conf_tell(&c->teller, "audit.file",
		    "make the folder, for kayad's user to write", "%s: %s",
		    folder, strerror(errno));
}

static void
check_user(struct check *c, const char *key, const char *name)
{
	if (name != NULL && geteuid() == 0 && getpwnam(name) == NULL)
		conf_tell(&c->teller, key,
		    "name a user of this machine, or make it: useradd --system",
		    "there is no user %s", name);
}

static void
check_brokers(struct check *c)
{
	const struct settings *s = c->settings;
	char path[PATH_TEXT_MAX], key[CONF_PATH_MAX];

	for (size_t i = 0; i < s->broker_count; i++) {
		snprintf(key, sizeof key, "brokers[%zu].secret_file", i);
		if (s->brokers[i].secret_file != NULL)
			check_secret(c, key, s->brokers[i].secret_file);
	}
	if (s->gateway.secret_file != NULL)
		check_secret(c, "gateway.secret_file", s->gateway.secret_file);
	if (s->broker_count == 0 &&
	    !settings_find_program(
		s->private_broker.program, path, sizeof path))
		conf_tell(&c->teller, "private_broker.program",
		    "install mosquitto, or name a broker of your own",
		    "there is no program %s", s->private_broker.program);
}

int
settings_check_files(const struct settings *settings, conf_fault_fn fn,
    void *arg, struct err *err)
{
	struct check c = {
	    .settings = settings, .on_fault = fn, .arg = arg, .err = err};
	char key[CONF_PATH_MAX];
	struct stat st;

	c.teller = (struct conf_teller){
	    .conf = &settings->conf, .on_fault = on_fault, .arg = &c};
	if (is_there(settings->state))
		check_path(&c, "state", settings->state, KIND_FOLDER, &st);
	for (size_t i = 0; i < settings->host_key_count; i++) {
		snprintf(key, sizeof key, "host_keys[%zu]", i);
		if (!settings->host_keys_is_default ||
		    is_there(settings->host_keys[i]))
			check_path(
			    &c, key, settings->host_keys[i], KIND_SECRET, &st);
	}
	if (!settings->authorized_keys_is_default ||
	    is_there(settings->authorized_keys))
		check_path(&c, "authorized_keys", settings->authorized_keys,
		    KIND_KEYS, &st);
	if (settings->revoked_keys != NULL)
		check_path(&c, "revoked_keys", settings->revoked_keys,
		    KIND_RULES, &st);
	if (settings->policy != NULL &&
	    (!settings->policy_is_default || is_there(settings->policy)))
		check_path(&c, "policy", settings->policy, KIND_RULES, &st);
	check_audit(&c, settings->audit.file);
	check_user(&c, "user", settings->user);
	check_user(&c, "net_user", settings->net_user);
	check_brokers(&c);
	return c.count == 0 ? 0 : -1;
}

bool
settings_find_program(const char *program, char *path, size_t size)
{
	static const char sbin[] = "/usr/local/sbin:/usr/sbin:/sbin";
	const char *folders[] = {getenv("PATH"), sbin};

	if (strchr(program, '/') != NULL) {
		return span_to_str(span_of_str(program), path, size) &&
		       access(program, X_OK) == 0;
	}
	for (size_t i = 0; i < 2; i++) {
		const char *p = folders[i] == NULL ? "" : folders[i];

		while (*p != '\0') {
			size_t len = strcspn(p, ":");

			if ((size_t)snprintf(path, size, "%.*s/%s", (int)len, p,
				program) < size &&
			    len > 0 && access(path, X_OK) == 0)
				return true;
			p += len + (p[len] == ':' ? 1 : 0);
		}
	}
	return false;
}
