#include "cmd_policy.h"

#include "authorized_keys.h"
#include "keys_file.h"
#include "policy_check.h"

#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

static const struct cmd_option options[] = {
    {POLICY_KEYS, "keys", "KEYS",
	"the file or folder of keys, to find names without a key"},
    {CMD_JSON, "json", NULL, "a JSON array in place of text"},
    {0},
};

struct lint {
	const char *file;
	json_t *array; /* NULL: text is wanted */
	struct keys_files keys;
	struct policy_known *known; /* NULL: no keys were named */
	size_t known_count;
};

/* ---- the keys ---- */

/* Names of the lines that let in; counts alone where `known` is NULL. */
static size_t
take_names(const struct keys_files *files, struct policy_known *known)
{
	static struct authorized_keys_line line;
	size_t count = 0;

	for (size_t i = 0; i < files->count; i++) {
		size_t at = 0, number = 0;
		struct span text;

		while (authorized_keys_next_line(
		    files->items[i].bytes, &at, &number, &text)) {
			if (authorized_keys_parse(text, &line) !=
				AUTHORIZED_KEYS_KEY ||
			    line.identity.len == 0)
				continue;
			if (known != NULL)
				known[count] = (struct policy_known){
				    line.identity, line.role};
			count++;
		}
	}
	return count;
}

static int
read_keys(struct lint *lint, const char *path, struct err *err)
{
	if (keys_files_open(&lint->keys, path, KEYS_FILES_READ, err) != 0)
		return -1;
	lint->known_count = take_names(&lint->keys, NULL);
	lint->known = calloc(lint->known_count + 1, sizeof *lint->known);
	if (lint->known == NULL) {
		keys_files_close(&lint->keys);
		return err_set(err, ERR_NOMEM, "no memory for the keys");
	}
	take_names(&lint->keys, lint->known);
	return 0;
}

/* ---- telling ---- */

static void
on_finding(const struct policy_finding *finding, void *arg)
{
	struct lint *lint = arg;
	char where[256];

	if (lint->array != NULL) {
		json_array_append_new(lint->array,
		    json_pack("{ss sI sI ss ss ss}", "file", lint->file, "line",
			(json_int_t)finding->line, "column",
			(json_int_t)finding->column, "code", finding->code,
			"cause", finding->cause, "remedy", finding->remedy));
		return;
	}
	conf_where((struct conf_mark){finding->line, finding->column},
	    lint->file, where, sizeof where);
	printf("%s: %s [%s]\n  remedy: %s\n", where, finding->cause,
	    finding->code, finding->remedy);
}

static int
lint_policy(struct lint *lint, const struct policy *policy)
{
	struct policy_check check = {.policy = policy,
	    .known = lint->known,
	    .known_count = lint->known_count,
	    .on_finding = on_finding,
	    .arg = lint};
	struct err err = ERR_INIT;
	int count;

	lint->file = policy_file(policy);
	count = policy_check(&check);
	if (count < 0) {
		err_set(&err, ERR_NOMEM, "no memory to check the policy");
		return cmd_complain(&err);
	}
	if (lint->array != NULL) {
		json_dumpf(lint->array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (count == 0) {
		printf("%s: nothing to complain of\n", lint->file);
	}
	return count > 0 ? 1 : 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct lint lint = {.file = NULL};
	const char *keys = NULL;
	bool as_json = false;
	struct policy *policy;
	struct err err = ERR_INIT;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (id == POLICY_KEYS)
			keys = reader.argument;
		as_json = as_json || id == CMD_JSON;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "name one policy");
	policy = cmd_policy_open(argv[optind], &status);
	if (policy == NULL)
		return status;
	if (keys != NULL && read_keys(&lint, keys, &err) != 0) {
		policy_free(policy);
		return cmd_complain(&err);
	}
	lint.array = as_json ? json_array() : NULL;
	status = lint_policy(&lint, policy);
	json_decref(lint.array);
	if (keys != NULL)
		keys_files_close(&lint.keys);
	free(lint.known);
	policy_free(policy);
	return status;
}

static const char *const synopses[] = {"[--keys KEYS] [--json] FILE", NULL};

const struct cmd cmd_policy_lint = {
    .name = "policy lint",
    .synopses = synopses,
    .summary = "Say what in a policy has no effect, or cannot have been meant",
    .about =
	"Rules that others make superfluous and rules that can never match; "
	"with\n"
	"the keys, roles that nobody has and names without a key, too. The "
	"exit\n"
	"status is 1 where there is anything to tell, and 2 where FILE has a\n"
	"fault.\n",
    .options = options,
    .run = run,
};
