#ifndef KAYA_SETTINGS_SOURCE_H
#define KAYA_SETTINGS_SOURCE_H

/*
 * settings_source: settings from where they stand: the file, the command line,
 * and what both name on this machine, judged as a whole.
 */

#include "key_files.h"
#include "policy_check.h"
#include "settings.h"

struct settings_source {
	const char *file; /* NULL: there is none */
	const struct settings_overrides *overrides; /* may be NULL */
	conf_fault_fn on_fault; /* told of every fault, in order */
	void *arg;
};

/*
 * Read them all into `settings`, and the file as it was into `content` (its
 * name NULL where there is none; both for settings_source_free).  0; or -1
 * with the first fault in `err`, and nothing to be freed.
 */
int settings_source_read(const struct settings_source *source,
    struct settings *settings, struct snapshot_file *content, struct err *err);

void settings_source_free(struct snapshot_file *content);

/* Whether the policy that `settings` name is sound; each fault is told. */
int settings_source_check_policy(
    const struct settings *settings, const struct settings_source *source);

/* The same of the file of revoked keys. */
int settings_source_check_revoked(
    const struct settings *settings, const struct settings_source *source);

/* Told of what is no fault; any may be NULL. */
struct settings_advice {
	keyring_report_fn *on_void; /* a line that lets nobody in */
	policy_finding_fn on_finding; /* what a policy cannot have meant */
	void *arg;
};

/*
 * Look into the files that `settings` name: can the keys be read, are host
 * keys keys, do secrets have a first line, is the policy one?  What is missing
 * and will be made is passed over.  0, or -1 where there were faults.
 */
int settings_source_look_into(const struct settings *settings,
    const struct settings_source *source, const struct settings_advice *advice);

/*
 * Tell in the log of what differs and is in force from the next start on only,
 * a line each.
 */
void settings_source_tell_late(
    const struct settings *in_force, const struct settings *read);

enum settings_test_form { SETTINGS_TEST_TEXT, SETTINGS_TEST_JSON };

/*
 * kayad -t: check it all, print each fault to stderr (or, as JSON, to stdout),
 * and say at the end how many.  Returns the exit status: 0, 2 for faults, 1
 * where it could not be done.
 */
int settings_test(const char *file, const struct settings_overrides *overrides,
    enum settings_test_form form);

/* A fault as people read it, to stderr (conf_fault_fn). */
void settings_print_fault(const struct conf_fault *fault, void *arg);

#endif
