#include "keys_file.h"

#include "regular.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum {
	FILE_MAX_BYTES = 512 << 20, /* as kayad has it */
	ONE_MAX_BYTES = 64 << 20,
	CHUNK_BYTES = 64 << 10,
	LOCK_PATIENCE_MS = 10000,
	LOCK_AT_ONCE_MS = 200, /* another kaya holds it for some ms */
	LOCK_PAUSE_MS = 20
};

static int
nomem(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory for the files of keys");
}

static int
cannot(struct err *err, const char *act, const char *path)
{
	int saved = errno;

	err_set_errno(err, ERR_FAILED, "cannot %s %s", act, path);
	if (saved == EACCES || saved == EPERM)
		return err_hint(
		    err, "run it as the owner of %s, or as root", path);
	if (saved == ENOENT)
		return err_hint(err, "check the name, or make its folder");
	if (saved == ENOSPC || saved == EDQUOT)
		return err_hint(err,
		    "make room on the disk; the old file stands as it was");
	return -1;
}

/* ---- reading ---- */

/* All that comes from `fd` into malloc'd memory. */
static int
read_all(int fd, const char *name, size_t max_bytes, struct span *bytes,
    struct err *err)
{
	uint8_t *data = NULL, *bigger;
	size_t len = 0, cap = 0;
	ssize_t n = 1;

	while (n > 0) {
		if (len == cap) {
			cap = cap == 0 ? CHUNK_BYTES : cap * 2;
			bigger = cap > max_bytes ? NULL : realloc(data, cap);
			if (bigger == NULL) {
				free(data);
				return err_set(err, ERR_FAILED,
				    "%s is too large to be a file of keys",
				    name);
			}
			data = bigger;
		}
		do
			n = read(fd, data + len, cap - len);
		while (n < 0 && errno == EINTR);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0) {
		cannot(err, "read", name);
		free(data);
		return -1;
	}
	*bytes = span_of(data, len);
	return 0;
}

/* Fill in what stands at file->target. */
static int
read_target(struct keys_file *file, size_t max_bytes, struct err *err)
{
	int fd = regular_open(file->target);
	int result;

	if (fd < 0 && errno == EINVAL) {
		err_set(err, ERR_FAILED, "%s is not a file", file->name);
		return err_hint(err, "name a file of keys");
	}
	if (fd < 0 || fstat(fd, &file->st) != 0) {
		if (fd >= 0)
			close(fd);
		return cannot(err, "read", file->name);
	}
	result = read_all(fd, file->name, max_bytes, &file->bytes, err);
	close(fd);
	file->exists = result == 0;
	return result;
}

/* A new item; name and target become ours, even where it fails. */
static struct keys_file *
add_item(struct keys_files *files, char *name, char *target, struct err *err)
{
	struct keys_file *bigger = NULL;

	if (name != NULL)
		bigger =
		    realloc(files->items, (files->count + 1) * sizeof *bigger);
	if (bigger == NULL) {
		free(name);
		free(target);
		nomem(err);
		return NULL;
	}
	files->items = bigger;
	bigger = &bigger[files->count++];
	*bigger = (struct keys_file){.name = name, .target = target};
	return bigger;
}

static char *
join(const char *folder, const char *name)
{
	size_t len = strlen(folder);
	char *path;

	while (len > 1 && folder[len - 1] == '/')
		len--;
	if (asprintf(&path, "%.*s%s%s", (int)len, folder,
		folder[len - 1] == '/' ? "" : "/", name) < 0)
		return NULL;
	return path;
}

/* Working copies of editors, and our own, are no files of keys. */
static int
is_key_file(const struct dirent *entry)
{
	size_t len = strlen(entry->d_name);

	return entry->d_name[0] != '.' && entry->d_name[len - 1] != '~';
}

static int
read_entry(struct keys_files *files, const char *name, struct err *err)
{
	char *path = join(files->path, name), *target;
	struct keys_file *file;
	struct stat st;

	if (path == NULL)
		return nomem(err);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		free(path);
		return 0;
	}
	target = realpath(path, NULL);
	if (target == NULL) {
		cannot(err, "read", path);
		free(path);
		return -1;
	}
	file = add_item(files, path, target, err);
	return file == NULL ? -1 : read_target(file, FILE_MAX_BYTES, err);
}

static int
read_folder(struct keys_files *files, struct err *err)
{
	struct dirent **entries;
	int count = scandir(files->path, &entries, is_key_file, alphasort);
	int result = 0;

	if (count < 0)
		return cannot(err, "read", files->path);
	for (int i = 0; i < count; i++) {
		if (result == 0)
			result = read_entry(files, entries[i]->d_name, err);
		free(entries[i]);
	}
	free(entries);
	return result;
}

/* ---- finding and locking ---- */

/* Cut an absolute path in two: the folder is malloc'd. */
static char *
folder_of(const char *target, const char **base)
{
	const char *slash = strrchr(target, '/');

	if (base != NULL)
		*base = slash + 1;
	return slash == target ? strdup("/")
			       : strndup(target, (size_t)(slash - target));
}

/* Where a file would stand that is not there: its folder must be. */
static char *
resolve_missing(const char *path, struct err *err)
{
	char *copy, *folder, *target = NULL;
	const char *slash = strrchr(path, '/');
	const char *base = slash == NULL ? path : slash + 1;
	struct stat st;

	if (base[0] == '\0' || lstat(path, &st) == 0) {
		errno = ENOENT;
		cannot(err, "find", path);
		return NULL;
	}
	copy = slash == NULL   ? strdup(".")
	       : slash == path ? strdup("/")
			       : strndup(path, (size_t)(slash - path));
	folder = copy == NULL ? NULL : realpath(copy, NULL);
	if (folder == NULL) {
		cannot(err, "find the folder", copy != NULL ? copy : path);
		if (errno == ENOENT && copy != NULL)
			err_hint(err, "mkdir -m 700 %s", copy);
	} else {
		target = join(folder, base);
	}
	free(folder);
	free(copy);
	return target;
}

/* flock(2) on the folder: it stays, while the files in it are replaced. */
static int
lock_folder(struct keys_files *files, const char *folder, int patience_ms,
    struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return cannot(err, "open the folder", folder);
	for (int ms = 0; flock(fd, LOCK_EX | LOCK_NB) != 0;
	     ms += LOCK_PAUSE_MS) {
		/* A file system without locks: replacing looks for changes. */
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		if (ms >= patience_ms) {
			close(fd);
			err_set(err, ERR_FAILED,
			    "another program holds the lock on %s", folder);
			return err_hint(
			    err, "wait for it, or see who it is: lslocks");
		}
		nanosleep(&pause, NULL);
	}
	files->lock_fd = fd;
	return 0;
}

static int
open_for_change(struct keys_files *files, char *target,
    enum keys_files_purpose purpose, struct err *err)
{
	char *folder;
	struct keys_file *file;
	int result = 0;

	folder = files->is_folder ? strdup(target) : folder_of(target, NULL);
	if (folder == NULL) {
		free(target);
		return nomem(err);
	}
	if (purpose != KEYS_FILES_OWN)
		result = lock_folder(files, folder,
		    purpose == KEYS_FILES_CHANGE ? LOCK_PATIENCE_MS
						 : LOCK_AT_ONCE_MS,
		    err);
	if (result != 0 || files->is_folder) {
		free(target);
		free(folder);
		return result != 0 ? -1 : read_folder(files, err);
	}
	file = add_item(files, strdup(files->path), target, err);
	if (file == NULL)
		result = -1;
	else if (access(target, F_OK) == 0 || errno != ENOENT)
		result = read_target(file, FILE_MAX_BYTES, err);
	else if (stat(folder, &file->st) != 0)
		result = cannot(err, "read", folder);
	free(folder);
	return result;
}

static int
open_for_reading(struct keys_files *files, char *target,
    enum keys_files_purpose purpose, struct err *err)
{
	struct keys_file *file;

	if (files->is_folder && purpose == KEYS_FILES_READ) {
		free(target);
		return read_folder(files, err);
	}
	file = add_item(files, strdup(files->path), target, err);
	return file == NULL ? -1
			    : read_target(file,
				  purpose == KEYS_FILES_READ ? FILE_MAX_BYTES
							     : ONE_MAX_BYTES,
				  err);
}

static int
open_stdin(struct keys_files *files, struct err *err)
{
	struct keys_file *file =
	    add_item(files, strdup("(standard input)"), NULL, err);

	return file == NULL
		   ? -1
		   : read_all(0, file->name, FILE_MAX_BYTES, &file->bytes, err);
}

int
keys_files_open(struct keys_files *files, const char *path,
    enum keys_files_purpose purpose, struct err *err)
{
	const bool reads =
	    purpose == KEYS_FILES_READ || purpose == KEYS_FILES_READ_ONE;
	char *target;
	struct stat st;
	int result;

	*files = (struct keys_files){.lock_fd = -1, .path = strdup(path)};
	if (files->path == NULL)
		return nomem(err);
	files->is_folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	if (purpose == KEYS_FILES_READ && strcmp(path, "-") == 0) {
		result = open_stdin(files, err);
	} else {
		target = realpath(path, NULL);
		if (target == NULL && errno == ENOENT && !reads)
			target = resolve_missing(path, err);
		else if (target == NULL)
			cannot(err, "read", path);
		result = target == NULL ? -1
			 : reads ? open_for_reading(files, target, purpose, err)
				 : open_for_change(files, target, purpose, err);
	}
	if (result != 0)
		keys_files_close(files);
	return result;
}

struct keys_file *
keys_files_entry(struct keys_files *files, const char *name, struct err *err)
{
	char *path = join(files->path, name), *folder, *target = NULL;
	struct keys_file *file;

	for (size_t i = 0; path != NULL && i < files->count; i++)
		if (strcmp(files->items[i].name, path) == 0) {
			free(path);
			return &files->items[i];
		}
	folder = realpath(files->path, NULL);
	if (folder != NULL)
		target = join(folder, name);
	file = target == NULL ? NULL : add_item(files, path, target, err);
	if (target == NULL) {
		nomem(err);
		free(path);
	} else if (file != NULL && stat(folder, &file->st) != 0) {
		cannot(err, "read", folder);
		file = NULL;
	}
	free(folder);
	return file;
}

void
keys_files_close(struct keys_files *files)
{
	for (size_t i = 0; i < files->count; i++) {
		free(files->items[i].name);
		free(files->items[i].target);
		free((void *)files->items[i].bytes.data);
	}
	free(files->items);
	free(files->path);
	if (files->lock_fd >= 0)
		close(files->lock_fd);
	*files = (struct keys_files){.lock_fd = -1};
}
