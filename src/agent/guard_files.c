#include "guard_files.h"

#include "keys_file.h"
#include "log.h"

struct faults {
	struct err *err; /* the first one goes there */
	size_t count;
};

static void
tell(struct faults *faults, const struct err *fault)
{
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
open_file(struct keys_files *opened, const char *path, struct stat *st,
    struct err *err)
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
	*st = opened->items[0].st;
	return 0;
}

static int
read_signers(
    struct guard_files *files, struct guard_rules *rules, struct faults *faults)
{
	struct keys_files opened;
	struct err err = ERR_INIT;
	size_t lone_line;
	int result;

	if (open_file(&opened, rules->signers_file, &files->signers_st, &err) !=
	    0) {
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

static struct guard_rules *
read_both(struct guard_files *files, struct err *err)
{
	struct faults faults = {.err = err};
	struct guard_rules *rules;
	struct keys_files opened;

	if (open_file(&opened, files->file, &files->rules_st, err) != 0) {
		log_err(LOG_LEVEL_ERROR, "guard", "fault", err);
		return NULL;
	}
	rules = guard_rules_new(
	    files->file, opened.items[0].bytes, on_rules_fault, &faults);
	keys_files_close(&opened);
	if (rules != NULL && read_signers(files, rules, &faults) == 0)
		return rules;
	guard_rules_free(rules);
	return NULL;
}

int
guard_files_open(struct guard_files *files, const char *file, struct err *err)
{
	*files = (struct guard_files){.file = file};
	files->rules = read_both(files, err);
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
is_same(const char *path, const struct stat *then)
{
	struct stat now;

	return stat(path, &now) == 0 && now.st_ino == then->st_ino &&
	       now.st_dev == then->st_dev && now.st_size == then->st_size &&
	       now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == then->st_mtim.tv_nsec &&
	       now.st_ctim.tv_sec == then->st_ctim.tv_sec &&
	       now.st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

/* What is taken up once, at the start. */
static bool
is_same_post(const struct guard_rules *now, const struct guard_rules *then)
{
	if (strcmp(now->actuator, then->actuator) == 0 &&
	    strcmp(now->audit_file, then->audit_file) == 0)
		return true;
	log_event(LOG_LEVEL_ERROR, "guard", "fault",
	    "another actuator or audit needs a new start of the tunnel");
	return false;
}

enum guard_files_result
guard_files_look(struct guard_files *files, struct guard_rules **old)
{
	struct guard_rules *rules;
	struct err err = ERR_INIT;

	*old = NULL;
	/* Of a broken pair either may have been mended. */
	if (is_same(files->file, &files->rules_st) &&
	    is_same(files->rules->signers_file, &files->signers_st))
		return files->is_sound ? GUARD_FILES_SAME : GUARD_FILES_BROKEN;
	rules = read_both(files, &err);
	if (rules != NULL && !is_same_post(rules, files->rules)) {
		guard_rules_free(rules);
		rules = NULL;
	}
	files->is_sound = rules != NULL;
	if (rules == NULL)
		return GUARD_FILES_BROKEN;
	*old = files->rules;
	files->rules = rules;
	return GUARD_FILES_CHANGED;
}
