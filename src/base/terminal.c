#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Those that end or stop a program that waits at a terminal. */
static const int numbers[] = {SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGTSTP};

enum { SIGNALS = sizeof numbers / sizeof numbers[0] };

/*
 * A signal may come before we read, or to another thread than the one that
 * reads: its number comes out of here.  Open for ever, as a handler may be at
 * it whenever that is.
 */
static int wake[2] = {-1, -1};

static void
on_signal(int number)
{
	const unsigned char byte = (unsigned char)number;
	int before = errno;

	(void)!write(wake[1], &byte, 1);
	errno = before;
}

static bool
open_wake(void)
{
	return wake[0] >= 0 || pipe2(wake, O_CLOEXEC | O_NONBLOCK) == 0;
}

/*
 * The signal that came, or 0.  One that comes too late for a question breaks
 * off the next one.
 */
static int
take_signal(void)
{
	unsigned char number;

	return read(wake[0], &number, 1) == 1 ? number : 0;
}

/* ---- echo ---- */

/* Of those below; the program may end while another thread asks. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct termios shown;
static bool is_hidden, is_over;

static bool
begin_question(enum terminal_echo echo)
{
	struct termios hidden;
	bool may_ask;

	pthread_mutex_lock(&lock);
	may_ask = !is_over;
	if (may_ask && echo == TERMINAL_HIDDEN &&
	    tcgetattr(STDIN_FILENO, &shown) == 0) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		is_hidden = tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden) == 0;
	}
	pthread_mutex_unlock(&lock);
	return may_ask;
}

static void
end_question(void)
{
	pthread_mutex_lock(&lock);
	if (is_hidden)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
	is_hidden = false;
	pthread_mutex_unlock(&lock);
}

void
terminal_end(void)
{
	pthread_mutex_lock(&lock);
	is_over = true;
	pthread_mutex_unlock(&lock);
	end_question();
	if (wake[1] >= 0)
		(void)!write(wake[1], "", 1);
}

/* ---- a question ---- */

/* One that is ignored stays so: nohup. */
static void
catch_signals(struct sigaction before[SIGNALS])
{
	const struct sigaction ours = {.sa_handler = on_signal};

	for (int i = 0; i < SIGNALS; i++) {
		sigaction(numbers[i], NULL, &before[i]);
		if (before[i].sa_handler != SIG_IGN)
			sigaction(numbers[i], &ours, NULL);
	}
}

static void
let_signals(const struct sigaction before[SIGNALS])
{
	for (int i = 0; i < SIGNALS; i++)
		sigaction(numbers[i], &before[i], NULL);
}

void
terminal_tell(const char *text)
{
	const size_t len = strlen(text);

	if (write(STDIN_FILENO, text, len) != (ssize_t)len)
		(void)!write(STDERR_FILENO, text, len);
}

/* A byte at a time: what stands behind the line is somebody else's. */
static int
read_line(char *answer, size_t size)
{
	size_t len = 0;
	char c;

	for (;;) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
		    {.fd = wake[0], .events = POLLIN}};

		if (poll(fds, 2, -1) < 0 && errno == EINTR)
			continue;
		if (fds[1].revents != 0 || read(STDIN_FILENO, &c, 1) != 1)
			return -1;
		if (c == '\n')
			break;
		if (len + 1 < size)
			answer[len++] = c;
	}
	answer[len] = '\0';
	return 0;
}

static int
ask_once(
    const char *question, char *answer, size_t size, enum terminal_echo echo)
{
	struct sigaction before[SIGNALS];
	int result = -1;

	if (!open_wake())
		return -1;
	catch_signals(before);
	if (begin_question(echo)) {
		terminal_tell(question);
		result = read_line(answer, size);
		end_question();
		if (echo == TERMINAL_HIDDEN || result != 0)
			terminal_tell("\n");
	}
	let_signals(before);
	return result;
}

int
terminal_ask(
    const char *question, char *answer, size_t size, enum terminal_echo echo)
{
	int number;

	do {
		int result = ask_once(question, answer, size, echo);

		number = take_signal();
		if (number == 0)
			return result;
		explicit_bzero(answer, size);
		raise(number);
	} while (number == SIGTSTP);
	return -1;
}
