#include "guard_files.h"

#include "clock.h"
#include "keys_file.h"
#include "log.h"

#include <errno.h>

enum { AGAIN_MS = 1000 };

struct faults {
	struct err *err; /* the first one goes there */
	size_t count;
	bool is_quiet; /* they have been told */
};

static void
tell(struct faults *faults, const struct err *fault)
{
	if (!faults->is_quiet)
		log_err(LOG_LEVEL_ERROR, "guard", "fault", fault);
	if (faults->count++ == 0)
		*faults->err = *fault;
}

static void
on_rules_fault(const struct conf_fault *fault, void *arg)
{
	tell(arg, &fault->err);
}

static void
on_signers_fault(const struct err *fault, void *arg)
{
	tell(arg, fault);
}

/* A file that only its owner may write. */
static int
open_file(struct keys_files *opened, const char *path, struct err *err)
{
	if (keys_files_open(opened, path, KEYS_FILES_READ, err) != 0)
		return -1;
	if (opened->is_folder || opened->count != 1) {
		keys_files_close(opened);
		err_set(err, ERR_CONFIG, "%s is no file", path);
		return err_hint(err, "name a file");
	}
	if (keys_file_check(&opened->items[0], err) != 0) {
		keys_files_close(opened);
		return -1;
	}
	return 0;
}

static int
read_signers(struct guard_rules *rules, struct faults *faults)
{
	struct keys_files opened;
	struct err err = ERR_INIT;
	size_t lone_line;
	int result;

	if (open_file(&opened, rules->signers_file, &err) != 0) {
		tell(faults, &err);
		return -1;
	}
	result = guard_rules_take_signers(rules, rules->signers_file,
	    opened.items[0].bytes, on_signers_fault, faults, &lone_line);
	keys_files_close(&opened);
	if (result == 0 && lone_line > 0)
		log_event(LOG_LEVEL_WARN, "guard", "signers",
		    "%s:%zu: who has this authority's key can make both who "
		    "sign: give each part an authority of its own, or list "
		    "keys for one",
		    rules->signers_file, lone_line);
	return result;
}

static int
read_revoked(struct guard_rules *rules, struct faults *faults)
{
	struct keys_files opened;
	struct err err = ERR_INIT;
	int result;

	if (rules->revoked_file == NULL)
		return 0;
	result = open_file(&opened, rules->revoked_file, &err);
	if (result == 0) {
		result = guard_rules_take_revoked(
		    rules, opened.items[0].bytes, &err);
		keys_files_close(&opened);
	}
	if (result != 0)
		tell(faults, &err);
	return result;
}

/*
 * Whether it is as it was; how it is now is noted, before it is read.  No file
 * stays as it is.
 */
static bool
is_same(const char *path, struct guard_file_seen *seen)
{
	struct guard_file_seen then = *seen;
	const struct stat *a = &then.st, *b = &seen->st;

	*seen = (struct guard_file_seen){.error = 0};
	if (path != NULL && stat(path, &seen->st) != 0)
		*seen = (struct guard_file_seen){.error = errno};
	return then.error == seen->error && a->st_ino == b->st_ino &&
	       a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* `seen`: how the files that the first one names were before they were read. */
static struct guard_rules *
read_all(const struct guard_files *files, struct guard_files_seen *seen,
    struct faults *faults)
{
	struct guard_rules *rules;
	struct keys_files opened;
	struct err err = ERR_INIT;

	if (open_file(&opened, files->file, &err) != 0) {
		tell(faults, &err);
		return NULL;
	}
	rules = guard_rules_new(
	    files->file, opened.items[0].bytes, on_rules_fault, faults);
	keys_files_close(&opened);
	if (rules != NULL) {
		is_same(rules->signers_file, &seen->signers);
		is_same(rules->revoked_file, &seen->revoked);
		if (read_signers(rules, faults) == 0 &&
		    read_revoked(rules, faults) == 0)
			return rules;
	}
	guard_rules_free(rules);
	return NULL;
}

int
guard_files_open(struct guard_files *files, const char *file, struct err *err)
{
	struct faults faults = {.err = err};

	*files = (struct guard_files){.file = file};
	is_same(file, &files->seen.rules);
	files->rules = read_all(files, &files->seen, &faults);
	files->is_sound = files->rules != NULL;
	return files->is_sound ? 0 : -1;
}

void
guard_files_close(struct guard_files *files)
{
	guard_rules_free(files->rules);
	files->rules = NULL;
}

static bool
is_same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What is taken up once, at the start. */
static bool
is_same_post(const struct guard_rules *now, const struct guard_rules *then,
    struct faults *faults)
{
	struct err err = ERR_INIT;

	if (is_same_text(now->actuator, then->actuator) &&
	    is_same_text(now->audit_file, then->audit_file) &&
	    is_same_text(now->user, then->user) &&
	    is_same_text(now->password_file, then->password_file) &&
	    is_same_text(now->client_id, then->client_id))
		return true;
	err_set(&err, ERR_CONFIG,
	    "another actuator, audit, user, password_file or client_id is "
	    "taken up at the start alone");
	err_hint(&err, "start the tunnel anew");
	tell(faults, &err);
	return false;
}

enum guard_files_result
guard_files_look(struct guard_files *files, struct guard_rules **old)
{
	uint64_t now = clock_monotonic_ms();
	struct err err = ERR_INIT;
	struct faults faults = {.err = &err};
	bool is_rules_same = is_same(files->file, &files->seen.rules);
	bool is_signers_same =
	    is_same(files->rules->signers_file, &files->seen.signers);
	bool is_revoked_same =
	    is_same(files->rules->revoked_file, &files->seen.revoked);
	struct guard_files_seen seen = files->seen;
	struct guard_rules *rules;

	*old = NULL;
	if (is_rules_same && is_signers_same && is_revoked_same) {
		if (files->is_sound)
			return GUARD_FILES_SAME;
		if (now - files->tried_ms < AGAIN_MS)
			return GUARD_FILES_BROKEN;
		faults.is_quiet = true;
	}
	files->tried_ms = now;
	rules = read_all(files, &seen, &faults);
	if (rules != NULL && !is_same_post(rules, files->rules, &faults)) {
		guard_rules_free(rules);
		rules = NULL;
	}
	files->is_sound = rules != NULL;
	if (rules == NULL)
		return GUARD_FILES_BROKEN;
	files->seen = seen;
	*old = files->rules;
	files->rules = rules;
	return GUARD_FILES_CHANGED;
}
