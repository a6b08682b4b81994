/* kayad: the gateway's command line. */

#include "log.h"
#include "parent.h"
#include "settings_source.h"
#include "standard.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: kayad [-c FILE] [--state DIR] [--listen ADDR:PORT]...\n"
    "             [--broker ADDR:PORT|/PATH] [--log-level LEVEL]\n"
    "       kayad -t [--json] [-c FILE]\n"
    "\n"
    "An SSH server that carries MQTT and nothing else. Runs in the "
    "foreground.\n"
    "Without a file it listens on port 2222, keeps its keys in the state "
    "folder\n"
    "and runs a private mosquitto that only it can reach.\n"
    "\n"
    "  -c, --config FILE      read the configuration, kayad.conf(5)\n"
    "  -t, --test             check the configuration and exit\n"
    "      --json             with -t: tell the faults as JSON\n"
    "      --state DIR        keep authorized_keys, host key and sockets "
    "there\n"
    "      --listen ADDR:PORT listen there (repeatable)\n"
    "      --broker ADDRESS   go to this broker, HOST:PORT or /PATH\n"
    "      --log-level LEVEL  error, warn, info or debug\n"
    "  -h, --help             this text\n"
    "      --version          the version\n"
    "\n"
    "Signals: HUP reads configuration and keys anew; TERM ends in order.\n"
    "Manual: kayad(8), kayad.conf(5), kaya-authorized_keys(5)\n";

enum long_option {
	OPTION_STATE = 256,
	OPTION_LISTEN,
	OPTION_BROKER,
	OPTION_LOG_LEVEL,
	OPTION_JSON,
	OPTION_VERSION,
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'},
    {"test", no_argument, NULL, 't'},
    {"json", no_argument, NULL, OPTION_JSON},
    {"state", required_argument, NULL, OPTION_STATE},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"broker", required_argument, NULL, OPTION_BROKER},
    {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int
complain(const struct err *err)
{
	char text[ERR_TEXT_MAX];

	fprintf(stderr, "kayad: %s\n", err_text(err, text, sizeof text));
	return err_exit_status(err->code);
}

static int
serve(const struct parent_options *parent)
{
	struct err err = ERR_INIT;

	return parent_run(parent, &err) == 0 ? 0 : complain(&err);
}

/*
 * A folder as it was typed, told from the root: sockets in it become brokers'
 * addresses, and the programs that are started there have other folders.  As
 * it is where that cannot be told.
 */
static const char *
from_root(const char *folder, char path[PATH_MAX])
{
	char here[PATH_MAX];

	if (folder[0] == '/' || folder[0] == '\0' ||
	    getcwd(here, sizeof here) == NULL ||
	    snprintf(path, PATH_MAX, "%s/%s",
		strcmp(here, "/") == 0 ? "" : here, folder) >= PATH_MAX)
		return folder;
	return path;
}

int
main(int argc, char **argv)
{
	struct settings_overrides overrides = {0};
	struct parent_options parent = {
	    .overrides = &overrides, .on_fault = settings_print_fault};
	enum settings_test_form form = SETTINGS_TEST_TEXT;
	struct err err = ERR_INIT;
	char state[PATH_MAX];
	int letter, test = 0;

	standard_hold();
	while (
	    (letter = getopt_long(argc, argv, "c:th", options, NULL)) != -1) {
		switch (letter) {
		case 'c':
			parent.configuration = optarg;
			break;
		case 't':
			test = 1;
			break;
		case OPTION_JSON:
			form = SETTINGS_TEST_JSON;
			break;
		case OPTION_STATE:
			overrides.state = from_root(optarg, state);
			break;
		case OPTION_LISTEN:
			if (overrides.listen_count == SETTINGS_LISTEN_MAX) {
				err_set(&err, ERR_USAGE, "too many --listen");
				return complain(&err);
			}
			overrides.listen[overrides.listen_count++] = optarg;
			break;
		case OPTION_BROKER:
			overrides.broker = optarg;
			break;
		case OPTION_LOG_LEVEL:
			overrides.log_level = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		case OPTION_VERSION:
			puts("kayad " KAYA_VERSION);
			return 0;
		default:
			fputs("see kayad --help\n", stderr);
			return 2;
		}
	}
	if (optind < argc) {
		err_set(
		    &err, ERR_USAGE, "unexpected word \"%s\"", argv[optind]);
		err_hint(&err, "see kayad --help");
		return complain(&err);
	}
	if (form == SETTINGS_TEST_JSON && !test) {
		err_set(&err, ERR_USAGE, "--json is for -t");
		return complain(&err);
	}
	return test ? settings_test(parent.configuration, &overrides, form)
		    : serve(&parent);
}
