#include "private_broker.h"

#include "buf.h"
#include "clock.h"
#include "log.h"
#include "settings_files.h"
#include "shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	READY_MS = 5000,
	STOP_MS = 5000,
	POLL_MS = 5,
	FIRST_RESTART_MS = 200,
	LAST_RESTART_MS = 30000,
	STEADY_MS = 60000, /* one that lived so long starts afresh */
};

struct private_broker {
	struct loop *loop;
	struct loop_timer *restart;
	char program[256];
	char dir[200];
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	char conf[256];
	pid_t pid; /* 0: not running */
	uint64_t started_ms;
	uint64_t restart_ms;
};

static void
sleep_ms(unsigned ms)
{
	const struct timespec delay = {
	    .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

	nanosleep(&delay, NULL);
}

static int
find_program(
    struct private_broker *broker, const char *program, struct err *err)
{
	if (settings_find_program(
		program, broker->program, sizeof broker->program))
		return 0;
	err_set(err, ERR_FAILED, "the program %s is not there", program);
	return err_hint(err,
	    "install it (apt-get install mosquitto), or name a broker: "
	    "--broker 127.0.0.1:1883");
}

/*
 * The folder as it is told to mosquitto, which cuts the words of `listener` at
 * blanks and knows no quotes: where there are some it is started in it.
 */
static const char *
told_dir(const struct private_broker *broker)
{
	return broker->dir[strcspn(broker->dir, " \t")] == '\0' ? broker->dir
								: ".";
}

static int
write_conf(struct private_broker *broker,
    const struct private_broker_options *options, struct err *err)
{
	FILE *file;
	int fd = open(broker->conf,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || (file = fdopen(fd, "w")) == NULL) {
		if (fd >= 0)
			close(fd);
		return err_set_errno(
		    err, ERR_SYSTEM, "cannot write %s", broker->conf);
	}
	/*
	 * Nobody but the gateway can reach the socket, and the gateway has put
	 * the key's identity into CONNECT: mosquitto has nobody to ask.
	 */
	fprintf(file,
	    "# written by kayad at each start\n"
	    "listener 0 %s/mosquitto.sock\n"
	    "allow_anonymous true\n"
	    "log_dest stderr\n"
	    "log_type error\n"
	    "log_type warning\n",
	    told_dir(broker));
	if (options->persistence)
		/* What was acknowledged is kept; of a kill -9 see
		 * doc/design.md. */
		fprintf(file,
		    "persistence true\n"
		    "persistence_location %s/\n"
		    "autosave_on_changes true\n"
		    "autosave_interval 1\n",
		    told_dir(broker));
	if (options->extra != NULL)
		fprintf(file, "%s\n", options->extra);
	if (fclose(file) != 0)
		return err_set_errno(
		    err, ERR_SYSTEM, "cannot write %s", broker->conf);
	return 0;
}

static int
spawn(struct private_broker *broker, struct err *err)
{
	pid_t parent = getpid();
	sigset_t none;

	unlink(broker->path);
	broker->started_ms = clock_monotonic_ms();
	broker->pid = fork();
	if (broker->pid < 0) {
		broker->pid = 0;
		return err_set_errno(
		    err, ERR_SYSTEM, "cannot start %s", broker->program);
	}
	if (broker->pid > 0)
		return 0;
	/* However kayad ends, it leaves no broker behind. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(1);
	/* What systemd told us is not for it. */
	unsetenv("NOTIFY_SOCKET");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(077);
	if (told_dir(broker) != broker->dir && chdir(broker->dir) != 0)
		_exit(127);
	execl(
	    broker->program, broker->program, "-c", broker->conf, (char *)NULL);
	_exit(127);
}

static bool
is_reachable(const struct private_broker *broker)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool reached;

	strcpy(un.sun_path, broker->path);
	reached = fd >= 0 && connect(fd, (void *)&un, sizeof un) == 0;
	if (fd >= 0)
		close(fd);
	return reached;
}

static int
wait_until_reachable(struct private_broker *broker, struct err *err)
{
	uint64_t give_up = broker->started_ms + READY_MS;
	char dir[2 * sizeof broker->dir];
	int status;

	while (clock_monotonic_ms() < give_up) {
		if (is_reachable(broker))
			return 0;
		if (waitpid(broker->pid, &status, WNOHANG) == broker->pid) {
			broker->pid = 0;
			err_set(err, ERR_FAILED, "%s ended at once (status %d)",
			    broker->program,
			    WIFEXITED(status) ? WEXITSTATUS(status)
					      : 128 + WTERMSIG(status));
			return err_hint(err,
			    "see what it says: cd %s && %s -c mosquitto.conf",
			    shell_quoted(broker->dir, dir, sizeof dir),
			    broker->program);
		}
		sleep_ms(POLL_MS);
	}
	return err_set(err, ERR_TIMEOUT, "%s does not listen on %s",
	    broker->program, broker->path);
}

static void
on_restart(void *arg)
{
	struct private_broker *broker = arg;
	struct err err = ERR_INIT;

	if (spawn(broker, &err) != 0) {
		log_err(LOG_LEVEL_ERROR, "broker", "start", &err);
		loop_timer_start(broker->restart, LAST_RESTART_MS);
	}
}

struct private_broker *
private_broker_start(struct loop *loop,
    const struct private_broker_options *options, struct err *err)
{
	struct private_broker *broker = calloc(1, sizeof *broker);

	if (broker == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	broker->loop = loop;
	broker->restart_ms = FIRST_RESTART_MS;
	broker->restart = loop_timer_new(loop, on_restart, broker);
	if (snprintf(broker->dir, sizeof broker->dir, "%s/broker",
		options->state_dir) >= (int)sizeof broker->dir ||
	    snprintf(broker->path, sizeof broker->path, "%s/mosquitto.sock",
		broker->dir) >= (int)sizeof broker->path) {
		err_set(err, ERR_CONFIG,
		    "the state folder's path is too long "
		    "for a socket in it: %s",
		    options->state_dir);
		err_hint(err, "choose one below 80 bytes with --state");
		goto fail;
	}
	snprintf(broker->conf, sizeof broker->conf, "%s/mosquitto.conf",
	    broker->dir);
	if (mkdir(broker->dir, 0700) != 0 && errno != EEXIST) {
		err_set_errno(err, ERR_SYSTEM, "cannot make %s", broker->dir);
		goto fail;
	}
	if (broker->restart == NULL ||
	    find_program(broker, options->program, err) != 0 ||
	    write_conf(broker, options, err) != 0 || spawn(broker, err) != 0 ||
	    wait_until_reachable(broker, err) != 0)
		goto fail;
	return broker;
fail:
	private_broker_stop(broker);
	return NULL;
}

const char *
private_broker_path(const struct private_broker *broker)
{
	return broker->path;
}

pid_t
private_broker_pid(const struct private_broker *broker)
{
	return broker->pid;
}

bool
private_broker_on_exit(struct private_broker *broker, pid_t pid, int status)
{
	if (pid != broker->pid)
		return false;
	broker->pid = 0;
	if (clock_monotonic_ms() - broker->started_ms > STEADY_MS)
		broker->restart_ms = FIRST_RESTART_MS;
	log_event(LOG_LEVEL_ERROR, "broker", "ended",
	    "mosquitto ended (%s %d), starting it again in %ju ms",
	    WIFEXITED(status) ? "status" : "signal",
	    WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status),
	    (uintmax_t)broker->restart_ms);
	loop_timer_start(broker->restart, broker->restart_ms);
	broker->restart_ms *= 2;
	if (broker->restart_ms > LAST_RESTART_MS)
		broker->restart_ms = LAST_RESTART_MS;
	return true;
}

void
private_broker_stop(struct private_broker *broker)
{
	if (broker == NULL)
		return;
	if (broker->pid > 0) {
		uint64_t give_up = clock_monotonic_ms() + STOP_MS;

		/* More than once: mosquitto 2.0 forgets a signal that comes
		 * between its "running" and its loop. */
		do {
			kill(broker->pid,
			    clock_monotonic_ms() > give_up ? SIGKILL : SIGTERM);
			sleep_ms(POLL_MS);
		} while (waitpid(broker->pid, NULL, WNOHANG) == 0);
		unlink(broker->path);
	}
	loop_timer_free(broker->restart);
	free(broker);
}
