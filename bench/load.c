#include "load.h"

#include <getopt.h>
#include <libssh/libssh.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

typedef int mode_fn(const struct load_options *options, struct err *err);

static const struct {
	const char *name;
	mode_fn *run;
} modes[] = {
    {"devices", load_devices},
    {"keys", load_keys},
    {"publish", load_publish},
    {"trip", load_trip},
};

int
load_wait_for_word(void)
{
	char line[16];

	puts("ready");
	fflush(stdout);
	return fgets(line, sizeof(line), stdin) == NULL ? -1 : 0;
}

void
load_wait_for_end(void)
{
	fflush(stdout);
	while (getchar() != EOF)
		;
}

uint64_t
load_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void
load_sleep_until(uint64_t ns)
{
	struct timespec then = {.tv_sec = (time_t)(ns / 1000000000u),
	    .tv_nsec = (long)(ns % 1000000000u)};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

/* "ADDRESS:PORT", cut in two in place. */
static int
split(char *word, const char **host, unsigned *port)
{
	char *colon = strrchr(word, ':');

	if (colon == NULL)
		return -1;
	*colon = '\0';
	*host = word;
	*port = (unsigned)strtoul(colon + 1, NULL, 10);
	return *port > 0 && *port < 65536 ? 0 : -1;
}

enum option_letter {
	OPTION_TCP = 256,
	OPTION_TLS,
	OPTION_SSH,
	OPTION_USER,
	OPTION_KEY,
	OPTION_CERTIFICATE,
	OPTION_AUTHORITY,
	OPTION_TARGET,
	OPTION_CIPHERS,
	OPTION_KEYS,
	OPTION_COUNT,
	OPTION_CONCURRENCY,
	OPTION_MESSAGES,
	OPTION_RATE,
	OPTION_SIZE,
};

static const struct option words[] = {
    {"tcp", required_argument, NULL, OPTION_TCP},
    {"tls", required_argument, NULL, OPTION_TLS},
    {"ssh", required_argument, NULL, OPTION_SSH},
    {"user", required_argument, NULL, OPTION_USER},
    {"key", required_argument, NULL, OPTION_KEY},
    {"certificate", required_argument, NULL, OPTION_CERTIFICATE},
    {"authority", required_argument, NULL, OPTION_AUTHORITY},
    {"target", required_argument, NULL, OPTION_TARGET},
    {"ciphers", required_argument, NULL, OPTION_CIPHERS},
    {"keys", required_argument, NULL, OPTION_KEYS},
    {"count", required_argument, NULL, OPTION_COUNT},
    {"concurrency", required_argument, NULL, OPTION_CONCURRENCY},
    {"messages", required_argument, NULL, OPTION_MESSAGES},
    {"rate", required_argument, NULL, OPTION_RATE},
    {"size", required_argument, NULL, OPTION_SIZE},
    {NULL, 0, NULL, 0},
};

/* One of the options with a number behind it, or NULL. */
static unsigned *
number_of(struct load_options *options, int letter)
{
	switch (letter) {
	case OPTION_KEYS:
		return &options->way.keys;
	case OPTION_COUNT:
		return &options->count;
	case OPTION_CONCURRENCY:
		return &options->concurrency;
	case OPTION_MESSAGES:
		return &options->messages;
	case OPTION_RATE:
		return &options->rate;
	case OPTION_SIZE:
		return &options->size;
	default:
		return NULL;
	}
}

static const char **
text_of(struct load_options *options, int letter)
{
	switch (letter) {
	case OPTION_USER:
		return &options->way.user;
	case OPTION_KEY:
		return &options->way.key;
	case OPTION_CERTIFICATE:
		return &options->way.certificate;
	case OPTION_AUTHORITY:
		return &options->way.authority;
	case OPTION_CIPHERS:
		return &options->way.ciphers;
	default:
		return NULL;
	}
}

static int
take(struct load_options *options, int letter, char *value)
{
	unsigned *number = number_of(options, letter);
	const char **text = text_of(options, letter);

	if (number != NULL) {
		*number = (unsigned)strtoul(value, NULL, 10);
		return 0;
	}
	if (text != NULL) {
		*text = value;
		return 0;
	}
	switch (letter) {
	case OPTION_TCP:
	case OPTION_TLS:
	case OPTION_SSH:
		options->way.kind = letter == OPTION_TCP   ? LOAD_TCP
				    : letter == OPTION_TLS ? LOAD_TLS
							   : LOAD_SSH;
		return split(value, &options->way.host, &options->way.port);
	case OPTION_TARGET:
		return split(value, &options->way.target_host,
		    &options->way.target_port);
	default:
		return -1;
	}
}

static int
run(const char *name, const struct load_options *options)
{
	struct err err = ERR_INIT;
	char text[600];

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (strcmp(modes[i].name, name) != 0)
			continue;
		if (modes[i].run(options, &err) == 0)
			return 0;
		fprintf(
		    stderr, "load: %s\n", err_text(&err, text, sizeof(text)));
		return err_exit_status(err.code);
	}
	fprintf(stderr, "load: no mode \"%s\"\n", name);
	return 2;
}

int
main(int argc, char **argv)
{
	struct load_options options = {
	    .way.ciphers = "aes128-gcm@openssh.com,"
			   "chacha20-poly1305@openssh.com,aes128-ctr",
	    .way.deadline_s = 60,
	    .count = 1,
	    .concurrency = 1,
	    .messages = 1,
	    .size = 64};
	int letter;

	while ((letter = getopt_long(argc, argv, "", words, NULL)) != -1)
		if (letter == '?' || take(&options, letter, optarg) == -1)
			return 2;
	if (optind + 1 != argc || options.count == 0 ||
	    options.concurrency == 0 || options.messages == 0) {
		fputs("usage: load devices|keys|publish|trip [OPTION]...,"
		      " as bench.py does\n",
		    stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	/* Or each sleep is up to 50 us too long. */
	prctl(PR_SET_TIMERSLACK, 1UL);
	return run(argv[optind], &options);
}
