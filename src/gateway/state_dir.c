#include "state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
			return err_set_errno(
			    err, ERR_SYSTEM, "cannot make %s", part);
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

int
state_dir_make(const struct settings *settings,
    const struct privileges_user *owner, struct err *err)
{
	char keys[PATH_MAX];
	int fd;

	if (make_folders(settings->state, err) != 0 ||
	    give(settings->state, owner, err) != 0)
		return -1;
	snprintf(keys, sizeof keys, "%s/authorized_keys", settings->state);
	if (strcmp(keys, settings->authorized_keys) != 0)
		return 0;
	fd = open(keys, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return errno == EEXIST ? 0
				       : err_set_errno(err, ERR_SYSTEM,
					     "cannot make %s", keys);
	close(fd);
	return give(keys, owner, err);
}
