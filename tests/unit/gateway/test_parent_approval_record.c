/* Which decisions wait for the disk, and which may not. */

#include "parent_approval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <string.h>

/* ---- an audit that remembers what it was asked for ---- */

enum { LINES_MAX = 4 };

static struct {
	size_t lines, fails_at; /* from 1; 0: never */
	enum audit_when when[LINES_MAX];
	char text[LINES_MAX][512];
} said;

int __wrap_audit_commit(struct audit *audit, struct audit_entry *entry,
    enum audit_when when, struct err *err);

int
__wrap_audit_commit(struct audit *audit, struct audit_entry *entry,
    enum audit_when when, struct err *err)
{
	struct span fields = buf_span(&entry->fields);

	(void)audit;
	assert_true(said.lines < LINES_MAX);
	said.when[said.lines] = when;
	snprintf(said.text[said.lines], sizeof said.text[0], "%.*s",
	    (int)fields.len, (const char *)fields.data);
	audit_drop(entry);
	if (++said.lines == said.fails_at)
		return err_set(err, ERR_SYSTEM, "no space left");
	return 0;
}

/* ---- a command, and what becomes of it ---- */

static struct policy_approval rule;
static struct parent parent;
static struct approvals approvals = {.parent = &parent};
static struct approval_command command = {
    .id = "ab12cd34", .rule_name = "valves", .publisher = "ann", .rule = &rule};

static bool
record(enum approval_state next, const char *by)
{
	memset(said.when, 0xff, sizeof said.when);
	said.lines = 0;
	command.topic = span_of_str("plant/valve");
	return parent_approval_record(&approvals, &command,
	    &(struct approval_change){.next = next, .by = by, .reason = ""});
}

static void
what_somebody_says_is_on_the_disk_before_it_is_done(void **state)
{
	(void)state;
	assert_true(record(APPROVAL_DENIED, "bob"));
	assert_int_equal(said.lines, 1);
	assert_int_equal(said.when[0], AUDIT_DURABLE);
	/* Two lines, one wait. */
	assert_true(record(APPROVAL_RELEASED, "bob"));
	assert_int_equal(said.lines, 2);
	assert_int_equal(said.when[0], AUDIT_SOON);
	assert_non_null(strstr(said.text[0], "\"event\":\"approve\""));
	assert_int_equal(said.when[1], AUDIT_DURABLE);
	assert_non_null(strstr(said.text[1], "\"event\":\"release\""));
}

static void
what_moves_nothing_holds_nobody_up(void **state)
{
	static const enum approval_state all[] = {APPROVAL_HELD,
	    APPROVAL_EXPIRED, APPROVAL_LOST, APPROVAL_SUPERSEDED,
	    APPROVAL_REVOKED, APPROVAL_UNKNOWN};

	(void)state;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		assert_true(record(all[i], ""));
		assert_int_equal(said.lines, 1);
		assert_int_equal(said.when[0], AUDIT_SOON);
	}
}

static void
what_cannot_be_written_does_not_happen(void **state)
{
	(void)state;
	said.fails_at = 1;
	assert_false(record(APPROVAL_HELD, ""));
	assert_false(record(APPROVAL_RELEASED, "bob"));
	/* The agreement could be, the release could not. */
	said.fails_at = 2;
	assert_false(record(APPROVAL_RELEASED, "bob"));
	said.fails_at = 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(
		what_somebody_says_is_on_the_disk_before_it_is_done),
	    cmocka_unit_test(what_moves_nothing_holds_nobody_up),
	    cmocka_unit_test(what_cannot_be_written_does_not_happen),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
