#include "state_dir.h"

#include "policy_starter.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int
cannot_make(const char *path, struct err *err)
{
	err_set_errno(err, ERR_SYSTEM, "cannot make %s", path);
	return err_hint(err,
	    "kayad keeps its state there: name a folder that this user may "
	    "write to, --state DIR");
}

static int
make_folders(const char *path, struct err *err)
{
	char part[PATH_MAX];

	for (size_t i = 1; path[i - 1] != '\0'; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		snprintf(part, sizeof part, "%.*s", (int)i, path);
		if (mkdir(part, path[i] == '\0' ? 0700 : 0755) != 0 &&
		    errno != EEXIST)
			return cannot_make(part, err);
	}
	return 0;
}

static int
give(const char *path, const struct privileges_user *owner, struct err *err)
{
	if (owner != NULL && lchown(path, owner->uid, owner->gid) != 0)
		return err_set_errno(
		    err, ERR_SYSTEM, "cannot give %s to %s", path, owner->name);
	return 0;
}

/* What is there stays as it is. */
static int
make_file(const char *path, mode_t mode, const char *text,
    const struct privileges_user *owner, struct err *err)
{
	size_t len = strlen(text);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	bool is_whole;

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return cannot_make(path, err);
	is_whole = write(fd, text, len) == (ssize_t)len;
	if (close(fd) != 0 || !is_whole) {
		err_set_errno(err, ERR_SYSTEM, "cannot write %s", path);
		unlink(path);
		return -1;
	}
	return give(path, owner, err);
}

int
state_dir_make(const struct settings *settings,
    const struct privileges_user *owner, struct err *err)
{
	char keys[PATH_MAX];

	if (make_folders(settings->state, err) != 0 ||
	    give(settings->state, owner, err) != 0)
		return -1;
	snprintf(keys, sizeof keys, "%s/authorized_keys", settings->state);
	if (strcmp(keys, settings->authorized_keys) == 0 &&
	    make_file(keys, 0600, "", owner, err) != 0)
		return -1;
	if (!settings->policy_is_default)
		return 0;
	return make_file(settings->policy, 0644, policy_starter, owner, err);
}
