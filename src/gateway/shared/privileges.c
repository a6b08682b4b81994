#include "privileges.h"

#include "log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int
privileges_find(struct privileges_user *user, const char *name,
    const char *const *candidates, struct err *err)
{
	const struct passwd *entry = NULL;
	const char *const single[] = {name, NULL};

	for (const char *const *p = name != NULL ? single : candidates;
	     *p != NULL && entry == NULL; p++)
		entry = getpwnam(*p);
	if (entry == NULL) {
		err_set(err, ERR_CONFIG, "there is no user \"%s\"",
		    name != NULL ? name : candidates[0]);
		return err_hint(err,
		    "make it: adduser --system --group --no-create-home %s",
		    name != NULL ? name : candidates[0]);
	}
	snprintf(user->name, sizeof user->name, "%s", entry->pw_name);
	user->uid = entry->pw_uid;
	user->gid = entry->pw_gid;
	return 0;
}

int
privileges_drop(const struct privileges_user *user, struct err *err)
{
	if (setgroups(0, NULL) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_set_errno(
		    err, ERR_SYSTEM, "cannot become user %s", user->name);
#ifdef KAYA_WATCHED
	prctl(PR_SET_DUMPABLE, 1); /* who becomes another is not, and no
				    * sanitizer may look at him */
#endif
	if (user->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0))
		return err_set(err, ERR_SYSTEM,
		    "root's rights came back after becoming %s", user->name);
	/* Folders of root's: not where this user's files are. */
	unsetenv("HOME");
	unsetenv("XDG_STATE_HOME");
	return 0;
}

#ifndef KAYA_UNCAGED
/* What the child needs: its sockets, its memory, its threads, the time. */
static const int allowed[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(close),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(fcntl),
    SCMP_SYS(fcntl64),
    SCMP_SYS(fstat),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(memfd_create),
    SCMP_SYS(ftruncate),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(mmap),
    SCMP_SYS(mmap2),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(futex),
    SCMP_SYS(futex_time64),
    SCMP_SYS(sched_yield),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_gettime64),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(clock_nanosleep_time64),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getrandom),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(tgkill),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(membarrier),
    SCMP_SYS(getrusage),
#ifdef KAYA_WATCHED
    /* A sanitizer's thread stops the others and reads their memory. */
    SCMP_SYS(clone),
    SCMP_SYS(clone3),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(prctl),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(stat),
    SCMP_SYS(readlink),
    SCMP_SYS(getdents),
    SCMP_SYS(getdents64),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(getppid),
    SCMP_SYS(tkill),
    SCMP_SYS(kill),
    SCMP_SYS(prlimit64),
#endif
};
#endif

#ifdef KAYA_UNCAGED
int
privileges_sandbox(struct err *err)
{
	(void)err;
	log_event(LOG_LEVEL_WARN, "child", "uncaged",
	    "built without the system-call filter, for tests alone");
	return 0;
}
#else
int
privileges_sandbox(struct err *err)
{

	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int result = filter == NULL ? -ENOMEM : 0;

	for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
		int one;

		if (result < 0)
			break;
		/* A call that this machine does not have needs no rule. */
		one = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
		if (one < 0 && one != -EDOM)
			result = one;
	}
	if (result == 0)
		result = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	if (result == 0)
		result = seccomp_load(filter);
	if (filter != NULL)
		seccomp_release(filter);
	if (result < 0) {
		errno = -result;
		return err_set_errno(
		    err, ERR_SYSTEM, "the system-call filter cannot be set");
	}
	return 0;
}
#endif
