#include "cmd_keys.h"

#include "keys_edit.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct cmd_option options[] = {{0}};

/* What was taken out of one file, told once that is on the disk. */
struct revocation {
	const struct keys_file *file;
	FILE *report;
};

static void
on_removed(void *arg, const struct keys_edit_removed *removed)
{
	struct revocation *r = arg;

	fprintf(r->report, "%s:%zu: took out %s, %s %s%s\n", r->file->name,
	    removed->number, removed->identity, pubkey_type_word(removed->type),
	    removed->fingerprint,
	    removed->was_void ? " (a line that let nobody in)" : "");
}

/* The number of lines that are gone, or -1. */
static long
revoke_in(const struct keys_file *file, const char *who, struct err *err)
{
	struct revocation r = {.file = file};
	struct buf out;
	char *told = NULL;
	size_t size;
	long count = -1;

	buf_init(&out, KEYS_EDIT_MAX_BYTES);
	r.report = open_memstream(&told, &size);
	if (r.report == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the report");
	} else {
		count = keys_edit_remove(
		    file->bytes, who, on_removed, &r, &out, err);
		fclose(r.report);
	}
	if (count > 0 && keys_file_replace(file, buf_span(&out), err) != 0)
		count = -1;
	if (count > 0)
		fputs(told, stdout);
	buf_fini(&out);
	free(told);
	return count;
}

/* ---- nobody of that name ---- */

/* NULL-terminated; NULL where there are none. */
struct names {
	const char **items;
	size_t count;
};

static void
add_name(struct names *names, const char *name)
{
	const char **bigger =
	    realloc(names->items, (names->count + 2) * sizeof *bigger);

	if (bigger == NULL)
		return;
	names->items = bigger;
	bigger[names->count] = strdup(name);
	if (bigger[names->count] != NULL)
		bigger[++names->count] = NULL;
}

static void
add_names(struct names *names, const struct keys_file *file)
{
	struct authorized_keys_line line;
	char name[KEYS_IDENTITY_SIZE];
	size_t at = 0, number = 0;
	struct span text;

	while (authorized_keys_next_line(file->bytes, &at, &number, &text))
		if (authorized_keys_parse(text, &line) == AUTHORIZED_KEYS_KEY)
			add_name(names, keys_identity(&line, name));
}

static int
tell_unknown(const struct keys_files *files, const char *who, struct err *err)
{
	struct names names = {0};
	const char *near = NULL;
	char word[128];

	for (size_t i = 0; i < files->count; i++)
		add_names(&names, &files->items[i]);
	if (names.items != NULL)
		near = str_nearest(who, names.items);
	str_escape(span_of_str(who), word, sizeof word);
	err_set(err, ERR_FAILED, "no key of %s is in %s", word, files->path);
	if (near != NULL)
		err_hint(err, "is %s meant?", near);
	else
		err_hint(
		    err, "see who is there: kaya keys list %s", files->path);
	for (size_t i = 0; names.items != NULL && i < names.count; i++)
		free((char *)names.items[i]);
	free(names.items);
	return -1;
}

/* ---- the command ---- */

static int
revoke(const char *path, const char *who, struct err *err)
{
	struct keys_files files;
	long total = 0, count = 0;
	int result = 0;

	if (keys_files_open(&files, path, KEYS_FILES_CHANGE, err) != 0)
		return -1;
	if (!files.is_folder && !files.items[0].exists) {
		err_set(err, ERR_FAILED, "there is no %s", path);
		result = err_hint(err, "check the name of the file");
	}
	for (size_t i = 0; i < files.count && count >= 0; i++) {
		count = revoke_in(&files.items[i], who, err);
		total += count;
	}
	if (count < 0)
		result = -1;
	else if (total == 0 && result == 0)
		result = tell_unknown(&files, who, err);
	keys_files_close(&files);
	return result;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct err err = ERR_INIT;
	int status = 0;

	if (cmd_next(&reader, &status) != CMD_END)
		return status;
	if (optind + 2 != argc)
		return cmd_misuse(
		    cmd, "name a file of keys, and an identity or fingerprint");
	if (revoke(argv[optind], argv[optind + 1], &err) != 0)
		return cmd_complain(&err);
	fputs("kayad ends the sessions of it that stand; a stock sshd lets "
	      "them live on\n",
	    stderr);
	return 0;
}

static const char *const synopses[] = {"FILE ID|SHA256:...", NULL};

const struct cmd cmd_keys_revoke = {
    .name = "keys revoke",
    .synopses = synopses,
    .summary = "Take every line of an identity or a fingerprint out",
    .about =
	"Each line that is taken out is told. A line with a fault goes too "
	"where\n"
	"it would let the same key in once it was mended. FILE is replaced "
	"whole\n"
	"or not at all; in a folder each file is.\n"
	"\n"
	"kayad ends the sessions of a revoked key at once; a stock sshd lets\n"
	"those that stand live on until they end or it is told to end them.\n",
    .options = options,
    .run = run,
};
