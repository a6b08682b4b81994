#include "keys_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- whom the way to a file can be trusted to ---- */

static void
name_of(uid_t uid, char *text, size_t size)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry != NULL)
		snprintf(text, size, "%s", entry->pw_name);
	else
		snprintf(text, size, "%u", (unsigned)uid);
}

/* Cut the last part off an absolute path; false where none is left. */
static bool
go_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (path[1] == '\0')
		return false;
	slash[slash == path] = '\0';
	return true;
}

/* The first owner who is not root, from the file up. */
static uid_t
find_account(const struct keys_file *file)
{
	char path[PATH_MAX];
	struct stat st = file->st;

	snprintf(path, sizeof path, "%s", file->target);
	while (st.st_uid == 0 && go_up(path))
		if (stat(path, &st) != 0)
			return 0;
	return st.st_uid;
}

static void
look_at(const struct stat *st, uid_t account, const char *path,
    keys_file_risk_fn *fn, void *arg)
{
	char owner[64], whose[64];
	struct keys_file_risk_at at = {
	    .path = path, .owner = owner, .account = whose};

	name_of(st->st_uid, owner, sizeof owner);
	name_of(account, whose, sizeof whose);
	if (st->st_uid != 0 && st->st_uid != account) {
		at.risk = KEYS_FILE_OTHER_OWNER;
		fn(arg, &at);
	}
	if ((st->st_mode & 022) != 0) {
		at.risk = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX) != 0
			      ? KEYS_FILE_STICKY
			      : KEYS_FILE_OTHERS_WRITE;
		fn(arg, &at);
	}
}

void
keys_file_risks(const struct keys_file *file, keys_file_risk_fn *fn, void *arg)
{
	uid_t account = find_account(file);
	const struct passwd *entry = getpwuid(account);
	char path[PATH_MAX], *home = NULL;
	struct stat st;

	if (entry != NULL)
		home = realpath(entry->pw_dir, NULL);
	if (file->exists)
		look_at(&file->st, account, file->target, fn, arg);
	snprintf(path, sizeof path, "%s", file->target);
	while (go_up(path) && stat(path, &st) == 0) {
		look_at(&st, account, path, fn, arg);
		if (home != NULL && strcmp(path, home) == 0)
			break;
	}
	free(home);
}

static void
refuse_risk(void *arg, const struct keys_file_risk_at *at)
{
	struct err *err = arg;

	if (err->code != ERR_NONE)
		return;
	switch (at->risk) {
	case KEYS_FILE_STICKY:
		break;
	case KEYS_FILE_OTHERS_WRITE:
		err_set(err, ERR_FAILED,
		    "others than its owner may write %s: sshd and kayad would "
		    "not trust the keys in it",
		    at->path);
		err_hint(err, "chmod go-w %s", at->path);
		break;
	case KEYS_FILE_OTHER_OWNER:
		err_set(err, ERR_FAILED,
		    "%s belongs to %s, who may thus change the keys of %s",
		    at->path, at->owner, at->account);
		err_hint(err, "chown %s %s", at->account, at->path);
		break;
	}
}

/* ---- putting a file in another's place ---- */

struct keys_staged {
	const struct keys_file *file;
	char folder[PATH_MAX];
	char base[NAME_MAX + 1];
	char temp[NAME_MAX + 16];
	int folder_fd;
	int fd;
};

static int
fail(struct keys_staged *r, const char *act, struct err *err)
{
	int saved = errno;

	err_set_errno(
	    err, ERR_FAILED, "cannot %s %s/%s", act, r->folder, r->base);
	if (saved == EACCES || saved == EPERM || saved == EROFS)
		return err_hint(err, "run it as the owner of %s, or as root",
		    r->file->name);
	return err_hint(err, "the old file stands as it was");
}

static int
write_all(int fd, struct span bytes)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
	}
	return 0;
}

/* Owner and mode as the old file has them. */
static int
dress(struct keys_staged *r)
{
	const struct stat *old = &r->file->st;
	struct stat st;
	bool is_mine = r->file->exists || geteuid() == 0;

	if (fstat(r->fd, &st) != 0)
		return -1;
	/* A group that may nothing need not be the same. */
	if (is_mine && (st.st_uid != old->st_uid || st.st_gid != old->st_gid) &&
	    fchown(r->fd, old->st_uid, old->st_gid) != 0 &&
	    (st.st_uid != old->st_uid || (old->st_mode & 070) != 0))
		return -1;
	return fchmod(r->fd, r->file->exists ? old->st_mode & 07777 : 0600);
}

/* The new file, whole and on the disk, under a name that nobody reads. */
static int
write_temp(struct keys_staged *r, struct span bytes, struct err *err)
{
	/* One that was left behind is in nobody's use: we hold the lock. */
	unlinkat(r->folder_fd, r->temp, 0);
	r->fd = openat(r->folder_fd, r->temp,
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (r->fd < 0)
		return fail(r, "write a new", err);
	if (dress(r) != 0)
		return fail(r, "keep the owner and mode of", err);
	if (write_all(r->fd, bytes) != 0)
		return fail(r, "write a new", err);
	if (fsync(r->fd) != 0)
		return fail(r, "sync a new", err);
	return 0;
}

static int
check_unchanged(struct keys_staged *r, struct err *err)
{
	const struct stat *old = &r->file->st;
	struct stat st;
	bool is_there =
	    fstatat(r->folder_fd, r->base, &st, AT_SYMLINK_NOFOLLOW) == 0;

	if (is_there == r->file->exists &&
	    (!is_there ||
		(st.st_ino == old->st_ino && st.st_dev == old->st_dev &&
		    st.st_size == old->st_size &&
		    st.st_mtim.tv_sec == old->st_mtim.tv_sec &&
		    st.st_mtim.tv_nsec == old->st_mtim.tv_nsec)))
		return 0;
	err_set(err, ERR_FAILED, "%s was changed by another program meanwhile",
	    r->file->name);
	return err_hint(err, "nothing was written; try again");
}

static int
put_in_place(struct keys_staged *r, struct err *err)
{
	if (renameat(r->folder_fd, r->temp, r->folder_fd, r->base) != 0)
		return fail(r, "replace", err);
	/* Some file systems know no such thing and say EINVAL. */
	if (fsync(r->folder_fd) != 0 && errno != EINVAL) {
		err_set_errno(err, ERR_FAILED,
		    "the new %s stands, but its folder cannot be synced",
		    r->file->name);
		return err_hint(err,
		    "look at the disk; after a power failure the old file may "
		    "be back");
	}
	return 0;
}

/*
 * A link that somebody made in his own folder must not have root write into a
 * file of others.
 */
static int
check_link(const struct keys_file *file, struct err *err)
{
	struct stat st;

	if (lstat(file->name, &st) != 0 || !S_ISLNK(st.st_mode) ||
	    st.st_uid == 0 || st.st_uid == file->st.st_uid)
		return 0;
	err_set(err, ERR_FAILED,
	    "%s is a symbolic link, and not its owner's file is at its end",
	    file->name);
	return err_hint(err, "name the file itself: %s", file->target);
}

static int
begin(struct keys_staged *r, const struct keys_file *file, const char *name,
    struct err *err)
{
	const char *base = strrchr(file->target, '/');

	*r = (struct keys_staged){.file = file, .folder_fd = -1, .fd = -1};
	if (check_link(file, err) != 0)
		return -1;
	snprintf(r->folder, sizeof r->folder, "%.*s",
	    base == file->target ? 1 : (int)(base - file->target),
	    file->target);
	snprintf(r->base, sizeof r->base, "%s", name != NULL ? name : base + 1);
	snprintf(r->temp, sizeof r->temp, ".%.200s.kaya~", r->base);
	r->folder_fd =
	    open(r->folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (r->folder_fd < 0)
		return fail(r, "open the folder of", err);
	return 0;
}

static int
end(struct keys_staged *r, int result)
{
	if (r->fd >= 0)
		close(r->fd);
	/* After the rename there is none. */
	if (r->fd >= 0)
		unlinkat(r->folder_fd, r->temp, 0);
	if (r->folder_fd >= 0)
		close(r->folder_fd);
	return result;
}

int
keys_file_check(const struct keys_file *file, struct err *err)
{
	struct err risk = ERR_INIT;

	keys_file_risks(file, refuse_risk, &risk);
	if (risk.code == ERR_NONE)
		return 0;
	if (err != NULL)
		*err = risk;
	return -1;
}

struct keys_staged *
keys_file_stage(
    const struct keys_file *file, struct span bytes, struct err *err)
{
	struct keys_staged *r;

	if (keys_file_check(file, err) != 0)
		return NULL;
	r = malloc(sizeof *r);
	if (r == NULL) {
		err_set(err, ERR_NOMEM, "no memory to replace %s", file->name);
		return NULL;
	}
	if (begin(r, file, NULL, err) == 0 && write_temp(r, bytes, err) == 0)
		return r;
	keys_staged_free(r);
	return NULL;
}

int
keys_staged_put(struct keys_staged *staged, struct err *err)
{
	return check_unchanged(staged, err) != 0 ? -1
						 : put_in_place(staged, err);
}

void
keys_staged_free(struct keys_staged *staged)
{
	if (staged == NULL)
		return;
	(void)end(staged, 0);
	free(staged);
}

int
keys_file_replace(
    const struct keys_file *file, struct span bytes, struct err *err)
{
	struct keys_staged *r = keys_file_stage(file, bytes, err);
	int result = r == NULL ? -1 : keys_staged_put(r, err);

	keys_staged_free(r);
	return result;
}

int
keys_file_write_beside(const struct keys_file *file, const char *name,
    struct span bytes, struct err *err)
{
	struct keys_staged r;
	int result = begin(&r, file, name, err);

	if (result == 0)
		result = write_temp(&r, bytes, err);
	if (result == 0)
		result = put_in_place(&r, err);
	return end(&r, result);
}
