#include "files_limit.h"

#include <sys/resource.h>

void
files_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur >= FILES_LIMIT_MAX ||
	    limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur =
	    limit.rlim_max < FILES_LIMIT_MAX ? limit.rlim_max : FILES_LIMIT_MAX;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
}
