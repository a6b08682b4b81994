#include "cmd_keys.h"

#include "cmd_keys_show.h"
#include "keys_edit.h"
#include "keys_rights.h"
#include "shell.h"

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct cmd_option options[] = {
    {CMD_JSON, "json", NULL, "a JSON array in place of text"},
    {KEYS_FIX, "fix", NULL,
	"write the file that was meant to FILE.fixed, and show what differs"},
    {0},
};

enum { RIGHTS_MAX_BYTES = 1 << 20 };

struct lint {
	json_t *array; /* NULL: text is wanted */
	bool fixes;
	time_t now;
	/* of all files */
	size_t faults;
	size_t mendable;
	size_t keys;
	size_t written; /* files beside them */
	struct keys_files files;
	const struct keys_file *file; /* this one of them */
};

/* ---- telling ---- */

static json_t *
json_line(size_t number)
{
	return number > 0 ? json_integer((json_int_t)number) : json_null();
}

static void
put_json(const struct lint *lint, const struct keys_finding *finding)
{
	json_t *meant = finding->meant == NULL
			    ? json_null()
			    : cmd_keys_json(span_of_str(finding->meant));

	json_array_append_new(lint->array,
	    json_pack("{so so so ss ss so ss so so sI}", "file",
		cmd_keys_json(span_of_str(lint->file->name)), "line",
		json_line(finding->line), "column",
		json_line(finding->line > 0 ? finding->column : 0), "severity",
		keys_severity_name(finding->severity), "code", finding->code,
		"cause", cmd_keys_json(span_of_str(finding->cause)), "sshd",
		finding->sshd, "remedy",
		cmd_keys_json(span_of_str(finding->remedy)), "meant", meant,
		"replaces", (json_int_t)finding->replaces));
}

static void
report(
    struct lint *lint, const struct keys_finding *finding, struct span source)
{
	if (finding->severity > KEYS_NOTE)
		lint->faults++;
	if (finding->meant != NULL)
		lint->mendable++;
	if (lint->array != NULL)
		put_json(lint, finding);
	else
		cmd_keys_show_finding(lint->file->name, finding, source);
}

/* Who may what from where. */
static void
show_rights(const struct lint *lint, const struct authorized_keys_line *line,
    size_t number)
{
	char name[KEYS_IDENTITY_SIZE], print[PUBKEY_FINGERPRINT_SIZE];
	struct buf rights;
	char *text;

	buf_init(&rights, RIGHTS_MAX_BYTES);
	keys_rights_text(line, &rights);
	text = cmd_keys_text(buf_span(&rights));
	printf("%s:%zu: %s (%s) may: %s%s\n", lint->file->name, number,
	    cmd_keys_name(line, name), keys_fingerprint(line, print),
	    text != NULL ? text : "",
	    line->from.data == NULL ? "; from anywhere" : "");
	free(text);
	buf_fini(&rights);
}

/* ---- the file among others ---- */

static const struct {
	enum keys_severity severity;
	const char *code;
	const char *sshd;
	const char *cause; /* path, owner, account */
	const char *remedy; /* path, account */
} risks[] = {
    [KEYS_FILE_OTHERS_WRITE] = {KEYS_ERROR, "others-may-write",
	"lets nobody in: \"bad ownership or modes\" (StrictModes)",
	"others than its owner may write %1$s", "chmod go-w %1$s"},
    [KEYS_FILE_STICKY] = {KEYS_NOTE, "sticky-folder",
	"lets nobody in: \"bad ownership or modes\" (StrictModes)",
	"everybody may write to %1$s", "keep the file elsewhere"},
    [KEYS_FILE_OTHER_OWNER] = {KEYS_ERROR, "other-owner",
	"lets nobody in: \"bad ownership or modes\" (StrictModes)",
	"%1$s belongs to %2$s, who may thus change the keys of %3$s",
	"chown %2$s %1$s"},
};

static void
on_risk(void *arg, const struct keys_file_risk_at *at)
{
	struct keys_finding finding = {
	    .severity = risks[at->risk].severity,
	    .code = risks[at->risk].code,
	    .sshd = risks[at->risk].sshd,
	};

	snprintf(finding.cause, sizeof finding.cause, risks[at->risk].cause,
	    at->path, at->owner, at->account);
	snprintf(finding.remedy, sizeof finding.remedy, risks[at->risk].remedy,
	    at->path, at->account);
	report(arg, &finding, (struct span){0});
}

/* ---- --fix ---- */

/* In a folder the name must be one that kayad passes over. */
static char *
fixed_name(const struct keys_file *file, const char *folder_mark)
{
	char *name;

	if (asprintf(&name, "%s.fixed%s", strrchr(file->target, '/') + 1,
		folder_mark) < 0)
		return NULL;
	return name;
}

static int
show_fixed(const struct keys_file *file, const char *name, struct span fixed,
    struct err *err)
{
	struct cmd_keys_versions versions = {.old_name = file->name,
	    .old_bytes = file->bytes,
	    .new_bytes = fixed};
	char *path;
	int result;

	if (asprintf(&path, "%.*s/%s",
		(int)(strrchr(file->target, '/') - file->target), file->target,
		name) < 0)
		return err_set(err, ERR_NOMEM, "no memory");
	versions.new_name = path;
	result = cmd_keys_show_difference(&versions, err);
	free(path);
	return result;
}

static int
fix(struct lint *lint, struct err *err)
{
	struct buf fixed;
	char *name = fixed_name(lint->file, lint->files.is_folder ? "~" : "");
	int result;

	buf_init(&fixed, KEYS_EDIT_MAX_BYTES);
	result = name == NULL ? err_set(err, ERR_NOMEM, "no memory")
			      : keys_edit_mend(
				    lint->file->bytes, lint->now, &fixed, err);
	if (result == 0 && !span_equal(buf_span(&fixed), lint->file->bytes)) {
		result = keys_file_write_beside(
		    lint->file, name, buf_span(&fixed), err);
		lint->written += result == 0;
		if (result == 0)
			result =
			    show_fixed(lint->file, name, buf_span(&fixed), err);
	}
	buf_fini(&fixed);
	free(name);
	return result;
}

/* ---- the command ---- */

static bool
is_void(const struct keys_findings *findings, size_t number)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].line == number &&
		    findings->items[i].severity == KEYS_VOID)
			return true;
	return false;
}

static void
lint_file(struct lint *lint, const struct keys_findings *findings)
{
	static struct authorized_keys_line line;
	const struct keys_file *file = lint->file;
	size_t at = 0, number = 0, i = 0;
	struct span text;

	if (file->target != NULL)
		keys_file_risks(file, on_risk, lint);
	while (authorized_keys_next_line(file->bytes, &at, &number, &text)) {
		if (authorized_keys_parse(text, &line) == AUTHORIZED_KEYS_KEY) {
			lint->keys++;
			if (lint->array == NULL && !is_void(findings, number))
				show_rights(lint, &line, number);
		}
		for (; i < findings->count && findings->items[i].line == number;
		     i++)
			report(lint, &findings->items[i], text);
	}
}

static void
summarise(const struct lint *lint)
{
	const struct keys_files *files = &lint->files;
	char name[PATH_MAX];

	if (lint->array != NULL) {
		json_dumpf(lint->array, stdout, JSON_INDENT(2));
		putchar('\n');
	} else if (lint->faults == 0) {
		printf("%s: %zu key%s, no fault\n",
		    files->is_folder ? files->path : files->items[0].name,
		    lint->keys, lint->keys == 1 ? "" : "s");
	} else if (lint->mendable > 0 && !lint->fixes &&
		   strcmp(files->path, "-") != 0) {
		fprintf(stderr,
		    "what was meant, as a file beside it: kaya keys lint "
		    "--fix %s\n",
		    shell_quoted(files->path, name, sizeof name));
	} else if (lint->fixes && lint->written == 0) {
		fputs("no file was written: none of this mends itself, take "
		      "the remedies above\n",
		    stderr);
	}
}

static int
lint_all(struct lint *lint, const char *path)
{
	struct err err = ERR_INIT;
	struct keys_findings *findings;
	int result = 0;

	if (keys_files_open(&lint->files, path, KEYS_FILES_READ, &err) != 0)
		return cmd_complain(&err);
	findings = cmd_keys_judge(&lint->files, lint->now, &err);
	if (findings == NULL)
		result = -1;
	for (size_t i = 0; i < lint->files.count && result == 0; i++) {
		lint->file = &lint->files.items[i];
		lint_file(lint, &findings[i]);
		if (lint->fixes)
			result = fix(lint, &err);
	}
	if (result == 0)
		summarise(lint);
	cmd_keys_judge_free(&lint->files, findings);
	keys_files_close(&lint->files);
	if (result != 0)
		return cmd_complain(&err);
	return lint->faults > 0 ? 1 : 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct lint lint = {.now = time(NULL)};
	bool as_json = false;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		as_json = as_json || id == CMD_JSON;
		lint.fixes = lint.fixes || id == KEYS_FIX;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "name one file or folder of keys");
	if (lint.fixes && as_json)
		return cmd_misuse(cmd, "--fix and --json do not go together");
	if (lint.fixes && strcmp(argv[optind], "-") == 0)
		return cmd_misuse(cmd, "--fix needs a file to write beside");
	if (as_json)
		lint.array = json_array();
	status = lint_all(&lint, argv[optind]);
	json_decref(lint.array);
	return status;
}

static const char *const synopses[] = {"[--json | --fix] FILE", NULL};

const struct cmd cmd_keys_lint = {
    .name = "keys lint",
    .synopses = synopses,
    .summary = "Say what in a file of keys does not do what it looks like",
    .about =
	"Of each line that lets a key in it is told who may what from where; "
	"of\n"
	"each fault its line and column, what sshd makes of it, a remedy, and "
	"the\n"
	"line that was meant. A void line lets nobody in; an error lets in\n"
	"but does not do what it is there for; a warning allows more, or "
	"less,\n"
	"than it looks; a note is harmless. FILE may be - for standard input.\n"
	"In JSON there are faults alone; kaya keys list --json has the "
	"rights.\n"
	"\n"
	"The file is never written to. What --fix writes beside it (in a "
	"folder\n"
	"to NAME.fixed~, which kayad passes over) is to be read before it is "
	"put\n"
	"in the file's place. The exit status is 1 where there is more than a\n"
	"note.\n",
    .options = options,
    .run = run,
};
