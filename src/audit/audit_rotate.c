#include "audit_private.h"

#include "log.h"
#include "str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file set aside is named after its first line; so names sort as lines do. */
enum { ASIDE_DIGITS = 12 };

/* ---- those that were set aside ---- */

static bool
is_aside(const struct audit *audit, const char *name)
{
	size_t len = strlen(audit->base);
	uint64_t number;

	return strncmp(name, audit->base, len) == 0 && name[len] == '.' &&
	       strlen(name + len + 1) >= ASIDE_DIGITS &&
	       str_to_u64(span_of_str(name + len + 1), 1, UINT64_MAX, &number);
}

struct aside {
	size_t count;
	char oldest[AUDIT_NAME_SIZE], newest[AUDIT_NAME_SIZE];
};

static void
look_aside(const struct audit *audit, struct aside *aside)
{
	int fd =
	    openat(audit->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	*aside = (struct aside){.count = 0};
	if (folder == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (!is_aside(audit, entry->d_name))
			continue;
		if (aside->count++ == 0 ||
		    strcmp(entry->d_name, aside->oldest) < 0)
			snprintf(aside->oldest, sizeof aside->oldest, "%s",
			    entry->d_name);
		if (strcmp(entry->d_name, aside->newest) > 0)
			snprintf(aside->newest, sizeof aside->newest, "%s",
			    entry->d_name);
	}
	closedir(folder);
}

void
audit_newest_name(const struct audit *audit, char name[AUDIT_NAME_SIZE])
{
	struct aside aside;

	look_aside(audit, &aside);
	memcpy(name, aside.newest, AUDIT_NAME_SIZE);
}

/* The line comes first: what is gone was said to go. */
static void
remove_oldest(struct audit *audit)
{
	struct audit_entry entry;
	struct aside aside;
	struct err err = ERR_INIT;

	for (;;) {
		look_aside(audit, &aside);
		if (audit->keep == 0 || aside.count <= audit->keep)
			return;
		audit_begin(&entry, "log-removed");
		audit_put_str(&entry, "file", aside.oldest);
		if (entry.fields.failed ||
		    audit_file_write(
			&audit->file, buf_span(&entry.fields), &err) != 0 ||
		    unlinkat(audit->folder_fd, aside.oldest, 0) != 0) {
			audit_drop(&entry);
			log_event(LOG_LEVEL_WARN, "audit", "log-removed",
			    "%s could not be removed", aside.oldest);
			return;
		}
		audit_drop(&entry);
		audit->is_dirty = true;
	}
}

/* ---- the next file ---- */

bool
audit_was_moved(const struct audit *audit)
{
	struct stat ours, there;

	return fstat(audit->file.fd, &ours) == 0 &&
	       (fstatat(audit->folder_fd, audit->base, &there,
		    AT_SYMLINK_NOFOLLOW) != 0 ||
		   ours.st_ino != there.st_ino || ours.st_dev != there.st_dev);
}

void
audit_aside_name(const struct audit *audit, const char *kind, uint64_t number,
    char name[AUDIT_NAME_SIZE])
{
	snprintf(name, AUDIT_NAME_SIZE, "%.*s.%s%0*" PRIu64, AUDIT_BASE_MAX,
	    audit->base, kind, ASIDE_DIGITS, number);
}

int
audit_set_aside(struct audit *audit, const char *name, struct err *err)
{
	if (renameat2(audit->folder_fd, audit->base, audit->folder_fd, name,
		RENAME_NOREPLACE) != 0)
		return err_set_errno(err, ERR_FAILED,
		    "cannot set %s aside as %s", audit->path, name);
	return 0;
}

/* What a file is called that somebody moved away; "" where it is gone. */
static void
name_of_moved(const struct audit *audit, char name[AUDIT_NAME_SIZE])
{
	char link[64], path[PATH_MAX];
	const char *slash;
	struct stat st;
	ssize_t len;

	name[0] = '\0';
	snprintf(link, sizeof link, "/proc/self/fd/%d", audit->file.fd);
	len = readlink(link, path, sizeof path - 1);
	if (len <= 0 || fstat(audit->file.fd, &st) != 0 || st.st_nlink == 0)
		return;
	path[len] = '\0';
	slash = strrchr(path, '/');
	snprintf(name, AUDIT_NAME_SIZE, "%.*s", NAME_MAX,
	    slash == NULL ? path : slash + 1);
}

static int
write_first_line(struct audit *audit, struct audit_file *fresh,
    const char *from, const char *why, struct err *err)
{
	struct audit_entry entry;
	int result = -1;

	audit_begin(&entry, "log-begins");
	audit_put_str(&entry, "file", audit->base);
	if (from != NULL && from[0] != '\0')
		audit_put_str(&entry, "from", from);
	audit_put_str(&entry, "why", why);
	if (entry.fields.failed)
		err_set(err, ERR_NOMEM, "no memory for a line");
	else if (audit_file_write(fresh, buf_span(&entry.fields), err) == 0)
		result = audit_file_sync(fresh, err);
	audit_drop(&entry);
	return result;
}

/* Under a name that nobody reads, until it has its first line. */
static int
make_fresh(struct audit *audit, struct audit_file *fresh,
    char temp[AUDIT_NAME_SIZE], const char *from, const char *why,
    struct err *err)
{
	snprintf(
	    temp, AUDIT_NAME_SIZE, "%.*s.new", AUDIT_BASE_MAX, audit->base);
	unlinkat(audit->folder_fd, temp, 0);
	*fresh = (struct audit_file){.last = audit->file.last};
	fresh->fd = openat(audit->folder_fd, temp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fresh->fd < 0)
		return err_set_errno(
		    err, ERR_FAILED, "cannot begin %s", audit->path);
	if (write_first_line(audit, fresh, from, why, err) == 0)
		return 0;
	close(fresh->fd);
	unlinkat(audit->folder_fd, temp, 0);
	return -1;
}

/* Only over nothing: whatever is there under our name may be somebody's. */
static int
place(struct audit *audit, struct audit_file *fresh, const char *temp,
    struct err *err)
{
	struct stat st;

	if (fstatat(audit->folder_fd, audit->base, &st, AT_SYMLINK_NOFOLLOW) ==
		0 &&
	    S_ISREG(st.st_mode) && st.st_size == 0)
		unlinkat(audit->folder_fd, audit->base, 0);
	if (renameat2(audit->folder_fd, temp, audit->folder_fd, audit->base,
		RENAME_NOREPLACE) == 0) {
		(void)fsync(audit->folder_fd);
		if (audit->file.fd >= 0)
			close(audit->file.fd);
		audit->file = *fresh;
		audit->no_rotation_before = 0;
		audit->is_dirty = true; /* the head, and what comes now */
		remove_oldest(audit);
		return 0;
	}
	err_set_errno(err, ERR_FAILED, "cannot begin %s", audit->path);
	close(fresh->fd);
	unlinkat(audit->folder_fd, temp, 0);
	return -1;
}

int
audit_begin_file(
    struct audit *audit, const char *from, const char *why, struct err *err)
{
	struct audit_file fresh;
	char temp[AUDIT_NAME_SIZE];

	if (make_fresh(audit, &fresh, temp, from, why, err) != 0)
		return -1;
	return place(audit, &fresh, temp, err);
}

int
audit_next_file(struct audit *audit, const char *why, struct err *err)
{
	struct audit_file fresh;
	char temp[AUDIT_NAME_SIZE], name[AUDIT_NAME_SIZE];
	bool was_moved = audit_was_moved(audit);

	if (audit_file_sync(&audit->file, err) != 0)
		return -1;
	if (was_moved)
		name_of_moved(audit, name);
	else
		audit_aside_name(audit, "", audit->file.first_seq, name);
	if (make_fresh(audit, &fresh, temp, name, why, err) != 0)
		return -1;
	if (!was_moved && audit_set_aside(audit, name, err) != 0) {
		close(fresh.fd);
		unlinkat(audit->folder_fd, temp, 0);
		return -1;
	}
	if (place(audit, &fresh, temp, err) == 0)
		return 0;
	if (!was_moved)
		(void)renameat2(audit->folder_fd, name, audit->folder_fd,
		    audit->base, RENAME_NOREPLACE);
	return -1;
}
