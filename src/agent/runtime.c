#include "runtime.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void
runtime_dir(char *path, size_t size)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	const char *service = getenv("RUNTIME_DIRECTORY");

	/* Several are parted by colons. */
	if (service != NULL && service[0] == '/')
		snprintf(
		    path, size, "%.*s", (int)strcspn(service, ":"), service);
	else if (geteuid() == 0)
		snprintf(path, size, "/run/kaya");
	else if (xdg != NULL && xdg[0] == '/')
		snprintf(path, size, "%s/kaya", xdg);
	else
		snprintf(path, size, "/tmp/kaya-%u", geteuid());
}

int
runtime_make(char *path, size_t size, struct err *err)
{
	struct stat st;

	runtime_dir(path, size);
	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return err_set_errno(err, ERR_FAILED, "cannot make %s", path);
	/* In /tmp somebody else may have been first. */
	if (lstat(path, &st) != 0 || !S_ISDIR(st.st_mode) ||
	    st.st_uid != geteuid() || (st.st_mode & 022) != 0)
		return err_set(err, ERR_FAILED,
		    "%s is not a folder of this user's alone", path);
	return 0;
}
