#include "key_files.h"

#include "clock.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	FILE_MAX_BYTES = 512 << 20,
	HOST_KEY_MAX_BYTES = 64 << 10,
	SETTLE_MS = 100,
	SETTLE_MAX_MS = 400, /* a folder that never rests is read, too */
};

enum who_may { OTHERS_MAY_NOT_WRITE, OTHERS_MAY_NOT_READ };

/* Started as root kayad is another user by now, whose name is not seen. */
static void
hint_at_owner(const char *path, struct err *err)
{
	const struct passwd *we = getpwuid(geteuid());

	if (we == NULL)
		err_hint(err, "let kayad's user read it");
	else
		err_hint(err, "kayad runs as %s: chown %s %s", we->pw_name,
		    we->pw_name, path);
}

/* The whole of `path` into malloc'd memory. */
static int
read_file(const char *path, size_t max, enum who_may who, struct span *bytes,
    struct err *err)
{
	mode_t forbidden = who == OTHERS_MAY_NOT_WRITE ? 022 : 077;
	struct stat st;
	uint8_t *data;
	size_t len = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st) != 0) {
		err_set_errno(err, ERR_CONFIG, "cannot read %s", path);
		if (errno == EACCES)
			hint_at_owner(path, err);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & forbidden) != 0 ||
	    (size_t)st.st_size > max) {
		close(fd);
		if (!S_ISREG(st.st_mode))
			return err_set(
			    err, ERR_CONFIG, "%s is not a file", path);
		if ((size_t)st.st_size > max)
			return err_set(
			    err, ERR_CONFIG, "%s is too large", path);
		err_set(err, ERR_CONFIG, "others may %s %s",
		    who == OTHERS_MAY_NOT_WRITE ? "write" : "read", path);
		return err_hint(err, "chmod %s %s",
		    who == OTHERS_MAY_NOT_WRITE ? "go-w" : "600", path);
	}
	data = malloc((size_t)st.st_size + 1);
	if (data == NULL) {
		close(fd);
		return err_set(err, ERR_NOMEM, "no memory for %s", path);
	}
	while (len < (size_t)st.st_size &&
	       (n = read(fd, data + len, (size_t)st.st_size - len)) > 0)
		len += (size_t)n;
	close(fd);
	*bytes = span_of(data, len);
	return 0;
}

static int
add_file(struct key_files *files, const char *path, struct err *err)
{
	struct snapshot_file *grown;
	struct span bytes;

	if (read_file(
		path, FILE_MAX_BYTES, OTHERS_MAY_NOT_WRITE, &bytes, err) != 0)
		return -1;
	grown = realloc(files->files, (files->count + 1) * sizeof *grown);
	if (grown == NULL) {
		free((void *)bytes.data);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	files->files = grown;
	grown[files->count++] =
	    (struct snapshot_file){.name = strdup(path), .bytes = bytes};
	return 0;
}

static int
is_key_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[len - 1] != '~';
}

static int
add_folder(struct key_files *files, const char *path, struct err *err)
{
	struct dirent **entries;
	int count = scandir(path, &entries, is_key_file, alphasort);
	int result = 0;

	if (count < 0)
		return err_set_errno(err, ERR_CONFIG, "cannot read %s", path);
	for (int i = 0; i < count; i++) {
		char file[PATH_MAX];
		struct stat st;

		snprintf(file, sizeof file, "%s/%s", path, entries[i]->d_name);
		if (result == 0 && stat(file, &st) == 0 && S_ISREG(st.st_mode))
			result = add_file(files, file, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

int
key_files_read(struct key_files *files, const char *path, struct err *err)
{
	struct stat st;
	int result;

	*files = (struct key_files){0};
	if (stat(path, &st) != 0)
		return err_set_errno(err, ERR_CONFIG, "cannot read %s", path);
	result = S_ISDIR(st.st_mode) ? add_folder(files, path, err)
				     : add_file(files, path, err);
	if (result != 0)
		key_files_fini(files);
	return result;
}

void
key_files_fini(struct key_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free((void *)files->files[i].bytes.data);
		free((void *)files->files[i].name);
	}
	free(files->files);
	*files = (struct key_files){0};
}

/* ---- host keys ---- */

static int
write_new(const char *path, mode_t mode, struct span bytes, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, "cannot make %s", path);
	if (write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len ||
	    fsync(fd) != 0) {
		err_set_errno(err, ERR_SYSTEM, "cannot write %s", path);
		close(fd);
		unlink(path);
		return -1;
	}
	close(fd);
	return 0;
}

static struct ssh_host_key *
make_host_key(const char *path, struct err *err)
{
	struct ssh_host_key *key =
	    ssh_host_key_generate(SSH_HOST_KEY_ED25519, err);
	struct buf file;
	int result;

	if (key == NULL)
		return NULL;
	buf_init(&file, HOST_KEY_MAX_BYTES);
	result = ssh_host_key_encode(key, "kayad", &file, err);
	if (result == 0)
		result = write_new(path, 0600, buf_span(&file), err);
	buf_fini_wipe(&file);
	if (result != 0) {
		ssh_host_key_free(key);
		return NULL;
	}
	return key;
}

struct ssh_host_key *
key_files_host_key(
    const char *path, enum key_files_missing missing, struct err *err)
{
	struct ssh_host_key *key;
	struct span bytes;

	if (missing == KEY_FILES_MAKE_MISSING && access(path, F_OK) != 0 &&
	    errno == ENOENT)
		return make_host_key(path, err);
	if (read_file(path, HOST_KEY_MAX_BYTES, OTHERS_MAY_NOT_READ, &bytes,
		err) != 0)
		return NULL;
	key = ssh_host_key_parse(bytes, err);
	if (key == NULL)
		err_where(err, "%s", path);
	explicit_bzero((void *)bytes.data, bytes.len);
	free((void *)bytes.data);
	return key;
}

/* ---- secrets ---- */

int
key_files_text(const char *path, struct span *bytes, struct err *err)
{
	return read_file(
	    path, FILE_MAX_BYTES, OTHERS_MAY_NOT_WRITE, bytes, err);
}

int
key_files_secret(const char *path, struct buf *secret, struct err *err)
{
	struct span bytes = {.len = 0};
	size_t len = 0;

	buf_init(secret, UINT16_MAX);
	if (read_file(path, HOST_KEY_MAX_BYTES, OTHERS_MAY_NOT_READ, &bytes,
		err) != 0)
		return -1;
	assert(bytes.data != NULL);
	while (len < bytes.len && bytes.data[len] != '\n' &&
	       bytes.data[len] != '\r')
		len++;
	if (len == 0) {
		err_set(err, ERR_CONFIG, "the first line of %s is empty", path);
		err_hint(err, "write the broker's password into it");
	} else if (!buf_append(secret, bytes.data, len)) {
		err_set(err, ERR_CONFIG,
		    "the password in %s is longer than MQTT's 65,535 bytes",
		    path);
	}
	explicit_bzero((void *)bytes.data, bytes.len);
	free((void *)bytes.data);
	return len == 0 || secret->failed ? -1 : 0;
}

/* ---- watching ---- */

struct key_files_watch {
	struct loop_watch watch;
	struct loop_timer *settle;
	key_files_fn *fn;
	void *arg;
	uint64_t until_ms; /* of a burst that goes on; 0: there is none */
	int fd;
	char name[NAME_MAX + 1]; /* the file's own; "": anything */
};

static bool
concerns(const struct key_files_watch *watch, const struct inotify_event *event)
{
	return watch->name[0] == '\0' || event->len == 0 ||
	       strcmp(watch->name, event->name) == 0;
}

static void
wait_until_settled(struct key_files_watch *watch)
{
	uint64_t now_ms = clock_monotonic_ms();
	uint64_t wait_ms = SETTLE_MS;

	if (watch->until_ms == 0)
		watch->until_ms = now_ms + SETTLE_MAX_MS;
	if (now_ms >= watch->until_ms)
		wait_ms = 0;
	else if (watch->until_ms - now_ms < wait_ms)
		wait_ms = watch->until_ms - now_ms;
	loop_timer_start(watch->settle, wait_ms);
}

static void
on_change(void *arg, unsigned ready)
{
	struct key_files_watch *watch = arg;
	_Alignas(struct inotify_event) char events[4096];
	bool changed = false;
	ssize_t n;

	(void)ready;
	while ((n = read(watch->fd, events, sizeof events)) > 0) {
		for (char *p = events; p < events + n;) {
			const struct inotify_event *event = (void *)p;

			changed = changed || concerns(watch, event);
			p += sizeof *event + event->len;
		}
	}
	if (changed)
		wait_until_settled(watch);
}

static void
on_settled(void *arg)
{
	struct key_files_watch *watch = arg;

	watch->until_ms = 0;
	watch->fn(watch->arg);
}

struct key_files_watch *
key_files_watch_new(struct loop *loop, const char *path, key_files_fn *fn,
    void *arg, struct err *err)
{
	struct key_files_watch *watch = calloc(1, sizeof *watch);
	char name[PATH_MAX], copy[PATH_MAX];
	const char *folder = path;
	struct stat st;

	if (watch == NULL)
		goto fail;
	watch->fn = fn;
	watch->arg = arg;
	if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
		/* The folder tells of a file that is put in another's place. */
		snprintf(name, sizeof name, "%s", path);
		snprintf(watch->name, sizeof watch->name, "%s", basename(name));
		snprintf(copy, sizeof copy, "%s", path);
		folder = dirname(copy);
	}
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	watch->settle = loop_timer_new(loop, on_settled, watch);
	if (watch->fd < 0 || watch->settle == NULL ||
	    inotify_add_watch(watch->fd, folder,
		IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
		    IN_ATTRIB) < 0)
		goto fail;
	loop_watch_start(
	    loop, &watch->watch, watch->fd, LOOP_READABLE, on_change, watch);
	return watch;
fail:
	err_set_errno(err, ERR_SYSTEM, "cannot watch %s", path);
	key_files_watch_free(watch);
	return NULL;
}

void
key_files_watch_free(struct key_files_watch *watch)
{
	if (watch == NULL)
		return;
	loop_watch_stop(&watch->watch);
	loop_timer_free(watch->settle);
	if (watch->fd > 0)
		close(watch->fd);
	free(watch);
}
