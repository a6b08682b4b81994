/* kaya: MQTT through SSH, on devices and desks. */

#include "cmd.h"

#include "jump.h"
#include "standard.h"
#include "str.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void
print_usage(FILE *to)
{
	fputs("usage: kaya COMMAND [OPTION]... [WORD]...\n\n"
	      "MQTT through SSH.\n\n",
	    to);
	for (const struct cmd *const *p = cmds; *p != NULL; p++)
		fprintf(to, "  %-10s %s\n", (*p)->name, (*p)->summary);
	fputs(
	    "\nkaya COMMAND --help tells more; the gateway is kayad(8).\n", to);
}

static int
tell_unknown(const char *word)
{
	const char *names[32], *near;
	size_t count = 0;

	for (const struct cmd *const *p = cmds; *p != NULL; p++)
		names[count++] = (*p)->name;
	names[count] = NULL;
	near = str_nearest(word, names);
	fprintf(stderr, "kaya: unknown command \"%s\"\n", word);
	if (near != NULL)
		fprintf(stderr, "  remedy: is kaya %s meant?\n", near);
	else
		fprintf(stderr, "  remedy: see kaya --help\n");
	return 2;
}

static int
run(int argc, char **argv)
{
	if (argc < 2) {
		print_usage(stderr);
		return 2;
	}
	/* "kaya help tunnel" is "kaya tunnel --help". */
	if (argc == 3 && strcmp(argv[1], "help") == 0) {
		argv[1] = argv[2];
		argv[2] = "--help";
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		print_usage(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("kaya " KAYA_VERSION);
		return 0;
	}
	jump_init();
	for (const struct cmd *const *p = cmds; *p != NULL; p++)
		if (strcmp((*p)->name, argv[1]) == 0)
			return (*p)->run(*p, argc - 1, argv + 1);
	return tell_unknown(argv[1]);
}

int
main(int argc, char **argv)
{
	struct err err = ERR_INIT;
	int status;

	standard_hold();
	/* A server, a broker or a reader that is gone is told, not died of. */
	signal(SIGPIPE, SIG_IGN);
	status = run(argc, argv);
	if (standard_flush(&err) == 0)
		return status;
	cmd_complain(&err);
	return status != 0 ? status : 1;
}
