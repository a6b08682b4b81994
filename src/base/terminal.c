#include "terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Those that end or stop a program that waits at a terminal. */
static const int numbers[] = {SIGINT, SIGHUP, SIGQUIT, SIGTERM, SIGTSTP};

enum { SIGNALS = sizeof numbers / sizeof numbers[0] };

static volatile sig_atomic_t came; /* one of them, or 0 */

static void
on_signal(int number)
{
	came = number;
}

/* One that is ignored stays so: nohup. */
static void
catch_signals(struct sigaction before[SIGNALS])
{
	const struct sigaction ours = {.sa_handler = on_signal};

	came = 0;
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
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n < 0 && errno == EINTR && came == 0)
			continue;
		if (n <= 0)
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
	struct termios shown, hidden;
	bool hides =
	    echo == TERMINAL_HIDDEN && tcgetattr(STDIN_FILENO, &shown) == 0;
	int result;

	catch_signals(before);
	if (hides) {
		hidden = shown;
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ECHONL);
		hides = tcsetattr(STDIN_FILENO, TCSADRAIN, &hidden) == 0;
	}
	terminal_tell(question);
	result = read_line(answer, size);
	if (hides)
		tcsetattr(STDIN_FILENO, TCSADRAIN, &shown);
	if (hides || result != 0)
		terminal_tell("\n");
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

		number = came;
		if (number == 0)
			return result;
		explicit_bzero(answer, size);
		raise(number);
	} while (number == SIGTSTP);
	return -1;
}
