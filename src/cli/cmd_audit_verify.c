#include "cmd_audit.h"

#include "audit_chain.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	OPTION_HEAD = CMD_OWN,
	FILES_MAX = 1024,
	HEADS_MAX = 2, /* FILE.head, and one that was noted elsewhere */
	TRIES = 5, /* while somebody writes the last line */
	TRY_MS = 50,
};

static const struct cmd_option options[] = {
    {OPTION_HEAD, "head", "HASH",
	"a head noted elsewhere: is its line still there"},
    {CMD_JSON, "json", NULL, "a JSON object in place of text"},
    {0},
};

struct verify {
	struct audit_chain chain;
	struct audit_chain_file files[FILES_MAX];
	struct audit_chain_head heads[HEADS_MAX];
	char *paths[FILES_MAX]; /* of the files, in any order */
	bool has_file_head;
};

/* ---- files ---- */

static int
map_file(const char *path, struct span *bytes, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map = NULL;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		if (fd >= 0)
			errno = EINVAL;
		err_set_errno(err, ERR_FAILED, "cannot read %s", path);
		if (fd >= 0)
			close(fd);
		return err_hint(err,
		    "name an audit log, as its owner or as root: it is "
		    "audit.log in kayad's state folder");
	}
	if (st.st_size > 0)
		map = mmap(
		    NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return err_set_errno(err, ERR_SYSTEM, "cannot read %s", path);
	*bytes = span_of(map, (size_t)st.st_size);
	return 0;
}

static bool
has_file(const struct verify *v, const char *path)
{
	for (size_t i = 0; i < v->chain.file_count; i++)
		if (strcmp(v->paths[i], path) == 0)
			return true;
	return false;
}

static int
add_file(struct verify *v, const char *path, struct err *err)
{
	size_t i = v->chain.file_count;

	if (has_file(v, path))
		return 0;
	if (i == FILES_MAX)
		return err_set(err, ERR_USAGE, "more than %d files", FILES_MAX);
	if (map_file(path, &v->files[i].bytes, err) != 0)
		return -1;
	v->paths[i] = strdup(path);
	if (v->paths[i] == NULL) {
		munmap((void *)v->files[i].bytes.data, v->files[i].bytes.len);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	v->files[i].name = v->paths[i];
	v->chain.file_count++;
	return 0;
}

/* Those that came before, as far as they are there. */
static int
add_earlier(struct verify *v, size_t i, struct err *err)
{
	struct span from = audit_chain_from(v->files[i].bytes);
	const char *path = v->paths[i], *slash = strrchr(path, '/');
	int folder = slash == NULL ? 0 : (int)(slash - path) + 1;
	char earlier[PATH_MAX];

	if (from.len == 0 || memchr(from.data, '/', from.len) != NULL ||
	    snprintf(earlier, sizeof earlier, "%.*s%.*s", folder, path,
		(int)from.len, (const char *)from.data) >= PATH_MAX ||
	    access(earlier, F_OK) != 0)
		return 0;
	return add_file(v, earlier, err);
}

/* Its head comes before the file, which may be written meanwhile. */
static void
read_head(struct verify *v, const char *path)
{
	char name[PATH_MAX], text[128];
	struct audit_chain_head *head = &v->heads[v->chain.head_count];
	FILE *file;
	size_t len;

	if (snprintf(name, sizeof name, "%s.head", path) >= PATH_MAX ||
	    v->has_file_head)
		return;
	file = fopen(name, "re");
	if (file == NULL)
		return;
	len = fread(text, 1, sizeof text, file);
	fclose(file);
	if (!audit_chain_read_head(span_of(text, len), &head->mark))
		return;
	v->chain.head_count++;
	v->has_file_head = true;
}

/* A shell's audit.log* names the head, too. */
static bool
is_head(const char *path)
{
	size_t len = strlen(path);

	return len > 5 && strcmp(path + len - 5, ".head") == 0;
}

/* Each log has one beginning. */
static int
check_one_log(const struct verify *v, struct err *err)
{
	const char *first = NULL;

	for (size_t i = 0; i < v->chain.file_count; i++) {
		if (audit_chain_first(v->files[i].bytes) != 1)
			continue;
		if (first != NULL) {
			err_set(err, ERR_USAGE, "%s and %s are two logs", first,
			    v->paths[i]);
			return err_hint(err, "verify each of them by itself");
		}
		first = v->paths[i];
	}
	return 0;
}

static int
add_files(struct verify *v, int count, char **paths, struct err *err)
{
	for (int i = 0; i < count; i++) {
		if (is_head(paths[i]) && count > 1)
			continue;
		read_head(v, paths[i]);
		if (add_file(v, paths[i], err) != 0)
			return -1;
	}
	for (size_t i = 0; i < v->chain.file_count; i++)
		if (add_earlier(v, i, err) != 0)
			return -1;
	return check_one_log(v, err);
}

static void
drop_files(struct verify *v)
{
	for (size_t i = 0; i < v->chain.file_count; i++) {
		if (v->files[i].bytes.len > 0)
			munmap((void *)v->files[i].bytes.data,
			    v->files[i].bytes.len);
		free(v->paths[i]);
	}
	v->chain.file_count = v->chain.head_count = 0;
	v->has_file_head = false;
}

/* ---- telling ---- */

static void
print_fault(const struct verify *v)
{
	const struct audit_chain *chain = &v->chain;

	printf("%s:%zu: %s: %s\n", chain->files[chain->file].name, chain->line,
	    audit_finding_word(chain->finding),
	    audit_finding_text(chain->finding));
	printf("  %ju line%s before it %s as written\n",
	    (uintmax_t)chain->count, chain->count == 1 ? "" : "s",
	    chain->count == 1 ? "is" : "are");
}

static void
print_whole(const struct verify *v)
{
	const struct audit_chain *chain = &v->chain;
	const struct audit_report *first = &chain->files[0].report;
	const struct audit_report *last =
	    &chain->files[chain->file_count - 1].report;

	printf("whole: %ju lines in %zu file%s, from %.*s to %.*s\n",
	    (uintmax_t)chain->count, chain->file_count,
	    chain->file_count == 1 ? "" : "s", (int)first->first_time.len,
	    (const char *)first->first_time.data, (int)last->last_time.len,
	    (const char *)last->last_time.data);
	printf(
	    "head: %s, line %ju\n", last->last.hash, (uintmax_t)last->last.seq);
	if (first->first_seq > 1)
		printf("it begins with line %ju: what came before is not "
		       "here\n",
		    (uintmax_t)first->first_seq);
	if (chain->head_count == 0)
		printf("no head was there to compare with: a cut at the end "
		       "would not be seen\n");
}

/* Null of a file that was not come to. */
static json_t *
json_of_time(struct span time)
{
	return time.len == 0 ? json_null()
			     : json_stringn((const char *)time.data, time.len);
}

static json_t *
json_of(const struct verify *v)
{
	const struct audit_chain *chain = &v->chain;
	const struct audit_report *last =
	    &chain->files[chain->file_count - 1].report;
	json_t *root, *files = json_array();

	for (size_t i = 0; i < chain->file_count; i++) {
		const struct audit_report *r = &chain->files[i].report;

		json_array_append_new(files,
		    json_pack("{ss sI sI so so}", "file", chain->files[i].name,
			"lines", (json_int_t)r->count, "first",
			(json_int_t)r->first_seq, "from",
			json_of_time(r->first_time), "to",
			json_of_time(r->last_time)));
	}
	root = json_pack("{sb ss sI so sb}", "whole",
	    chain->finding == AUDIT_WHOLE, "finding",
	    audit_finding_word(chain->finding), "lines",
	    (json_int_t)chain->count, "files", files, "head_compared",
	    chain->head_count > 0);
	if (chain->finding == AUDIT_WHOLE) {
		json_object_set_new(root, "head",
		    json_pack("{sI ss}", "seq", (json_int_t)last->last.seq,
			"hash", last->last.hash));
	} else {
		json_object_set_new(
		    root, "file", json_string(chain->files[chain->file].name));
		json_object_set_new(
		    root, "line", json_integer((json_int_t)chain->line));
		json_object_set_new(root, "cause",
		    json_string(audit_finding_text(chain->finding)));
	}
	return root;
}

static void
tell(const struct verify *v, bool as_json)
{
	json_t *root;

	if (!as_json) {
		(v->chain.finding == AUDIT_WHOLE ? print_whole : print_fault)(
		    v);
		return;
	}
	root = json_of(v);
	json_dumpf(root, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(root);
}

/* ---- the command ---- */

static int
verify(struct verify *v, int count, char **paths, const char *noted,
    struct err *err)
{
	const struct timespec pause = {.tv_nsec = TRY_MS * 1000000L};

	for (int tries = 0;; tries++) {
		drop_files(v);
		if (add_files(v, count, paths, err) != 0)
			return -1;
		if (noted != NULL) {
			struct audit_mark *mark =
			    &v->heads[v->chain.head_count++].mark;

			mark->seq = 0;
			snprintf(mark->hash, sizeof mark->hash, "%s", noted);
		}
		audit_chain_verify(&v->chain);
		if (v->chain.finding != AUDIT_TORN || tries == TRIES)
			return 0;
		nanosleep(&pause, NULL);
	}
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	const char *noted = NULL;
	bool as_json = false;
	struct err err = ERR_INIT;
	struct verify *v;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		if (id == OPTION_HEAD)
			noted = reader.argument;
		as_json = as_json || id == CMD_JSON;
	}
	if (optind == argc)
		return cmd_misuse(cmd, "name an audit log");
	if (noted != NULL && !audit_hash_is(span_of_str(noted)))
		return cmd_misuse(cmd,
		    "a head is 64 digits of 0-9 and a-f, not \"%s\"", noted);
	v = calloc(1, sizeof *v);
	if (v == NULL) {
		err_set(&err, ERR_NOMEM, "no memory");
		return cmd_complain(&err);
	}
	v->chain.files = v->files;
	v->chain.heads = v->heads;
	if (verify(v, argc - optind, argv + optind, noted, &err) != 0) {
		status = cmd_complain(&err);
	} else {
		tell(v, as_json);
		status = v->chain.finding == AUDIT_WHOLE ? 0 : 1;
	}
	drop_files(v);
	free(v);
	return status;
}

static const char *const synopses[] = {"[--head HASH] [--json] FILE...", NULL};

const struct cmd cmd_audit_verify = {
    .name = "audit verify",
    .synopses = synopses,
    .summary = "Say whether an audit log is as it was written",
    .about =
	"Finds lines that were altered, removed, put in another order or cut "
	"off,\n"
	"and names the first. Files that FILE goes on from, as its first line "
	"says,\n"
	"are verified with it where they are there. FILE.head, beside it, "
	"shows a cut\n"
	"at the end.\n"
	"\n"
	"Whoever may write the log may write all of it anew, and its head: "
	"that shows\n"
	"only by a head that was noted where he could not write, as in the "
	"journal of\n"
	"another machine (kayad logs its head as event=audit-head). --head "
	"looks for\n"
	"that line.\n"
	"\n"
	"The exit status is 1 where anything was found.\n",
    .options = options,
    .run = run,
};
