/*
 * cli_manual: man pages (scdoc) and shell completions, from the table of
 * commands, at build time.
 *
 *	cli_manual man [COMMAND] | bash | zsh | fish
 */

#include "commands.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* scdoc's own marks, made harmless. */
static void
put_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr("_*\\#<>`~|", *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

/* An option as its man page and --help write it. */
static void
put_option(const struct cmd_option *option)
{
	if (option->id < CMD_LONG)
		printf("*-%c*", option->id);
	if (option->id < CMD_LONG && option->name != NULL)
		printf(", ");
	if (option->name != NULL)
		printf("*--%s*", option->name);
	if (option->argument != NULL) {
		printf(" _");
		put_text(option->argument);
		printf("_");
	}
	printf("\n\t");
	put_text(option->help);
	printf(".\n\n");
}

/* Lines that begin with four blanks are an example: as they are. */
static void
put_about(const char *about)
{
	char line[512];
	bool literal = false;

	while (*about != '\0') {
		size_t len = strcspn(about, "\n");
		bool is_example = strncmp(about, "    ", 4) == 0;

		if (is_example != literal)
			printf("```\n");
		literal = is_example;
		snprintf(line, sizeof line, "%.*s", (int)len, about);
		if (literal)
			fputs(line + 4, stdout);
		else
			put_text(line);
		putchar('\n');
		about += len + (about[len] == '\n');
	}
	if (literal)
		printf("```\n");
	printf("\n");
}

static const char exit_status[] =
    "# EXIT STATUS\n\n"
    "*0* done; *1* the thing asked for failed; *2* wrong usage; *3* not\n"
    "reachable; *4* refused (key, permission, policy); *5* the other side is\n"
    "not who it was (host key).\n\n";

/* Each line of a synopsis but the last ends in scdoc's line break. */
static void
put_synopses(const struct cmd *cmd, bool is_last)
{
	for (const char *const *p = cmd->synopses; *p != NULL; p++) {
		printf("*kaya %s* ", cmd->name);
		put_text(*p);
		printf("%s\n", p[1] != NULL || !is_last ? "++" : "\n");
	}
}

static void
put_subs(const struct cmd *cmd)
{
	for (const struct cmd *const *p = cmd->subs; *p != NULL; p++) {
		printf("## kaya %s\n\n", (*p)->name);
		put_text((*p)->summary);
		printf(".\n\n");
		if ((*p)->about != NULL)
			put_about((*p)->about);
	}
}

static int
man_of(const struct cmd *cmd)
{
	const struct cmd_option *option;

	printf("kaya-%s(1)\n\n# NAME\n\nkaya-%s - ", cmd->name, cmd->name);
	printf("%c%s\n\n# SYNOPSIS\n\n",
	    tolower((unsigned char)cmd->summary[0]), cmd->summary + 1);
	put_synopses(cmd, cmd->subs == NULL);
	for (const struct cmd *const *p = cmd->subs; p != NULL && *p != NULL;
	     p++)
		put_synopses(*p, p[1] == NULL);
	printf("# DESCRIPTION\n\n");
	put_text(cmd->summary);
	printf(".\n\n");
	if (cmd->about != NULL)
		put_about(cmd->about);
	if (cmd->subs != NULL)
		put_subs(cmd);
	printf("# OPTIONS\n\n");
	for (size_t i = 0; (option = cmd_option_at(cmd, i)) != NULL; i++)
		put_option(option);
	printf("*--help*\n\tPrint a summary of all this.\n\n");
	if (cmd->about == NULL || strstr(cmd->about, "Exit status") == NULL)
		fputs(exit_status, stdout);
	printf("# SEE ALSO\n\n*kaya*(1), *kayad*(8), *ssh*(1)\n");
	return 0;
}

static int
man_of_all(void)
{
	printf("kaya(1)\n\n# NAME\n\nkaya - MQTT through SSH\n\n"
	       "# SYNOPSIS\n\n*kaya* _COMMAND_ [_OPTION_]... [_WORD_]...\n\n"
	       "# DESCRIPTION\n\n"
	       "kaya carries MQTT through SSH, to *kayad*(8) or to any stock "
	       "SSH server.\n\n# COMMANDS\n\n");
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		printf("*kaya-%s*(1)\n\t", (*p)->name);
		put_text((*p)->summary);
		printf(".\n\n");
	}
	printf(
	    "# DESTINATIONS\n\n"
	    "_DEST_ is [user@]host[:port], ssh://[user@]host[:port], "
	    "[user@][v6address]:port,\nan alias of *ssh\\_config*(5), or the "
	    "name of a host that was enrolled.\n\n");
	fputs(exit_status, stdout);
	printf("# FILES\n\n"
	       "_~/.local/state/kaya_, for root _/var/lib/kaya_\n"
	       "\tWhat was enrolled: hosts, keys, host keys.\n\n"
	       "_~/.ssh/config_, _~/.ssh/known\\_hosts_\n"
	       "\tAs *ssh*(1) uses them.\n\n"
	       "# SEE ALSO\n\n*kayad*(8), *kayad.conf*(5), "
	       "*kaya-authorized\\_keys*(5), *ssh*(1)\n");
	return 0;
}

/* ---- completions ---- */

static void
put_words_of(const struct cmd *cmd)
{
	const struct cmd_option *option;

	for (size_t i = 0; (option = cmd_option_at(cmd, i)) != NULL; i++) {
		if (option->name != NULL)
			printf("--%s ", option->name);
		if (option->id < CMD_LONG)
			printf("-%c ", option->id);
	}
	printf("--help");
}

static void
put_sub_names(const struct cmd *cmd)
{
	for (const struct cmd *const *p = cmd->subs; *p != NULL; p++)
		printf("%s%s", cmd_last_word(*p), p[1] != NULL ? " " : "");
}

/* The word behind a command that has subs. */
static void
put_bash_subs(void)
{
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		if ((*p)->subs == NULL)
			continue;
		printf("\tif [ \"$COMP_CWORD\" -eq 2 ] && "
		       "[ \"${COMP_WORDS[1]}\" = %s ]; then\n"
		       "\t\tCOMPREPLY=($(compgen -W '",
		    (*p)->name);
		put_sub_names(*p);
		printf(" --help' -- \"$word\"))\n\t\treturn\n\tfi\n");
	}
}

static int
bash(void)
{
	printf("# bash completion for kaya(1)\n"
	       "_kaya()\n{\n"
	       "\tlocal word=${COMP_WORDS[COMP_CWORD]}\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	       "\t\tCOMPREPLY=($(compgen -W '");
	for (const struct cmd *const *p = cmds; *p != NULL; p++)
		printf("%s ", (*p)->name);
	printf("--help --version' -- \"$word\"))\n\t\treturn\n\tfi\n");
	put_bash_subs();
	printf("\tcase $word in -*) ;; *) COMPREPLY=($(compgen -f -A hostname "
	       "-- \"$word\")); return ;; esac\n"
	       "\tcase ${COMP_WORDS[1]} in\n");
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		printf("\t%s) COMPREPLY=($(compgen -W '", (*p)->name);
		put_words_of(*p);
		printf("' -- \"$word\")) ;;\n");
	}
	printf("\tesac\n}\ncomplete -F _kaya kaya\n");
	return 0;
}

static void
put_zsh_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			printf("'\\''");
		else if (*text == '[' || *text == ']' || *text == ':')
			printf("\\%c", *text);
		else
			putchar(*text);
	}
}

static int
zsh(void)
{
	const struct cmd_option *o;

	printf("#compdef kaya\n"
	       "local -a commands\n"
	       "commands=(\n");
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		printf("\t'%s:", (*p)->name);
		put_zsh_text((*p)->summary);
		printf("'\n");
	}
	printf(")\n"
	       "if (( CURRENT == 2 )); then\n"
	       "\t_describe command commands\n\treturn\nfi\n"
	       "local command=$words[2]\n"
	       "shift words\n(( CURRENT-- ))\n"
	       "case $command in\n");
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		printf("%s)\n\t_arguments \\\n", (*p)->name);
		for (size_t i = 0; (o = cmd_option_at(*p, i)) != NULL; i++) {
			if (o->name != NULL)
				printf("\t\t'*--%s[", o->name);
			else
				printf("\t\t'*-%c[", o->id);
			put_zsh_text(o->help);
			printf("]%s", o->argument != NULL ? ":" : "");
			if (o->argument != NULL) {
				put_zsh_text(o->argument);
				printf(":_files");
			}
			printf("' \\\n");
		}
		if ((*p)->subs != NULL) {
			printf("\t\t'1:command:(");
			put_sub_names(*p);
			printf(")' \\\n\t\t'*:file:_files'\n\t;;\n");
		} else {
			printf("\t\t'*:destination:_hosts'\n\t;;\n");
		}
	}
	printf("esac\n");
	return 0;
}

static void
put_fish_text(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'' || *text == '\\')
			putchar('\\');
		putchar(*text);
	}
}

static void
put_fish_subs(const struct cmd *cmd)
{
	for (const struct cmd *const *p = cmd->subs; *p != NULL; p++) {
		printf("complete -c kaya -n "
		       "'__fish_seen_subcommand_from %s' -a %s -d '",
		    cmd->name, cmd_last_word(*p));
		put_fish_text((*p)->summary);
		printf("'\n");
	}
}

static int
fish(void)
{
	const struct cmd_option *o;

	printf("# fish completion for kaya(1)\n");
	for (const struct cmd *const *p = cmds; *p != NULL; p++) {
		printf("complete -c kaya -n __fish_use_subcommand -f -a %s "
		       "-d '",
		    (*p)->name);
		put_fish_text((*p)->summary);
		printf("'\n");
		if ((*p)->subs != NULL)
			put_fish_subs(*p);
		for (size_t i = 0; (o = cmd_option_at(*p, i)) != NULL; i++) {
			printf("complete -c kaya -n "
			       "'__fish_seen_subcommand_from %s'",
			    (*p)->name);
			if (o->id < CMD_LONG)
				printf(" -s %c", o->id);
			if (o->name != NULL)
				printf(" -l %s", o->name);
			if (o->argument != NULL)
				printf(" -r");
			printf(" -d '");
			put_fish_text(o->help);
			printf("'\n");
		}
	}
	return 0;
}

int
main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "bash") == 0)
		return bash();
	if (strcmp(what, "zsh") == 0)
		return zsh();
	if (strcmp(what, "fish") == 0)
		return fish();
	if (strcmp(what, "man") == 0 && argc == 2)
		return man_of_all();
	for (const struct cmd *const *p = cmds; *p != NULL && argc == 3; p++)
		if (strcmp((*p)->name, argv[2]) == 0)
			return man_of(*p);
	fputs("usage: cli_manual man [COMMAND] | bash | zsh | fish\n", stderr);
	return 2;
}
