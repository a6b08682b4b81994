#include "make.h"

#include "approval.h"

#include <stdlib.h>

static const char POLICY[] =
    "roles:\n"
    "  - {name: operator, publish: 'plant/#'}\n"
    "  - {name: supervisor, publish: 'plant/#'}\n"
    "  - {name: chief, publish: 'plant/#'}\n"
    "identities:\n"
    "  - {names: [ann, abe], roles: operator}\n"
    "  - {names: [bob, bea], roles: supervisor}\n"
    "  - {names: both, roles: [operator, supervisor]}\n"
    "  - {names: cy, roles: chief}\n"
    "approval:\n"
    "  - {name: valves, topics: plant/valve, from: operator, by: supervisor,\n"
    "     within: 10s, safe_state: close, break_glass: chief}\n"
    "  - {name: pairs, topics: plant/pair, from: operator, by: supervisor,\n"
    "     within: 10s, mode: twice}\n"
    "  - {name: peers, topics: plant/peer, by: operator, mode: twice}\n"
    "  - {name: locks, topics: plant/lock, by: supervisor, within: 10s,\n"
    "     mode: permissive, permit_topic: plant/permit}\n";

/* What the table told, one letter a call, and the last of each. */
struct desk {
	struct policy *policy;
	struct approval_table *table;
	char told[2 * APPROVAL_COMMANDS_MAX]; /* h, r, e, p (permit), q
						 (permit's end) */
	size_t lines; /* of the audit */
	bool is_full; /* the disk */
	struct approval_command last;
	enum approval_cause permit_cause;
	char giver[STR_NAME_MAX + 1];
	uint8_t next_id;
};

static void
tell(struct desk *desk, char what)
{
	size_t len = strlen(desk->told);

	assert_true(len + 1 < sizeof desk->told);
	desk->told[len] = what;
	desk->told[len + 1] = '\0';
}

static bool
on_record(void *arg, const struct approval_command *command,
    const struct approval_change *change)
{
	struct desk *desk = arg;

	/* What is written is what is about to be, and may be. */
	assert_true(
	    approval_may_follow(command->state, change->next) ||
	    (command->state == APPROVAL_FREE && change->next == APPROVAL_HELD));
	if (desk->is_full)
		return false;
	desk->lines++;
	return true;
}

static void
on_held(void *arg, const struct approval_command *command)
{
	assert_int_equal(command->state, APPROVAL_HELD);
	tell(arg, 'h');
}

static void
on_released(void *arg, const struct approval_command *command)
{
	struct desk *desk = arg;

	assert_int_equal(command->state, APPROVAL_RELEASED);
	assert_string_not_equal(command->by, command->publisher);
	assert_true(desk->lines > 0);
	desk->last = *command;
	tell(desk, 'r');
}

static void
on_ended(void *arg, const struct approval_command *command)
{
	struct desk *desk = arg;

	assert_true(approval_may_follow(command->state, APPROVAL_FREE));
	desk->last = *command;
	tell(desk, 'e');
}

static void
on_permit(
    void *arg, const struct approval_permit *permit, enum approval_cause cause)
{
	struct desk *desk = arg;

	snprintf(desk->giver, sizeof desk->giver, "%s", permit->giver);
	desk->permit_cause = cause;
	tell(desk, cause == APPROVAL_NONE ? 'p' : 'q');
}

static int
setup(void **state)
{
	struct desk *desk = calloc(1, sizeof *desk);
	const struct approval_events events = {
	    on_record, on_held, on_released, on_ended, on_permit, desk};

	desk->policy = make_policy(POLICY);
	desk->table = approval_new(&events);
	assert_non_null(desk->table);
	*state = desk;
	return 0;
}

static int
teardown(void **state)
{
	struct desk *desk = *state;

	approval_free(desk->table);
	policy_free(desk->policy);
	free(desk);
	return 0;
}

/* ---- asking, in one line ---- */

struct wish {
	const char *by, *topic, *payload;
	uint64_t now_ms;
	uint64_t within_ms;
	uint32_t number; /* of the publish; its connection is that of `by` */
	bool is_break_glass;
};

static struct approval_owner
owner_of(const char *identity, uint32_t number)
{
	return (struct approval_owner){
	    .ticket = (uint8_t)identity[0] * 256u + (uint8_t)identity[1],
	    .desk = 1,
	    .number = number};
}

static enum approval_answer
ask(struct desk *desk, const struct wish *wish,
    const struct approval_command **command, enum approval_cause *cause)
{
	struct policy_who who = make_who(desk->policy, wish->by, "");
	uint8_t random[APPROVAL_RANDOM_BYTES] = {++desk->next_id};
	uint8_t digest[APPROVAL_DIGEST_BYTES] = {0};
	struct approval_request request = {
	    .who = &who,
	    .rule = policy_approval_of(desk->policy, span_of_str(wish->topic)),
	    .topic = span_of_str(wish->topic),
	    .text = span_of_str(wish->payload),
	    .digest = digest,
	    .bytes = strlen(wish->payload),
	    .qos = 1,
	    .is_break_glass = wish->is_break_glass,
	    .within_ms = wish->within_ms,
	    .owner = owner_of(wish->by, wish->number),
	    .random = random,
	};

	assert_non_null(request.rule);
	memcpy(digest, wish->payload, strlen(wish->payload));
	return approval_ask(
	    desk->table, &request, wish->now_ms, command, cause);
}

static const struct approval_command *
hold(struct desk *desk, const char *by, const char *topic, const char *payload,
    uint64_t now_ms)
{
	const struct wish wish = {by, topic, payload, now_ms, 0, 1, false};
	const struct approval_command *command;
	enum approval_cause cause;

	assert_int_equal(ask(desk, &wish, &command, &cause), APPROVAL_IS_HELD);
	assert_int_equal(cause, APPROVAL_NONE);
	return command;
}

static enum approval_cause
refused(struct desk *desk, const struct wish *wish)
{
	const struct approval_command *command;
	enum approval_cause cause;

	assert_int_equal(ask(desk, wish, &command, &cause), APPROVAL_REFUSED);
	assert_int_not_equal(cause, APPROVAL_NONE);
	return cause;
}

static enum approval_cause
agree(struct desk *desk, const char *id, const char *by, uint64_t now_ms)
{
	struct policy_who who = make_who(desk->policy, by, "");

	return approval_agree(desk->table, span_of_str(id), &who, now_ms, NULL);
}

static enum approval_cause
deny(struct desk *desk, const char *id, const char *by, const char *reason,
    uint64_t now_ms)
{
	struct policy_who who = make_who(desk->policy, by, "");

	return approval_deny(
	    desk->table, span_of_str(id), &who, span_of_str(reason), now_ms);
}

static bool
report(struct desk *desk, const char *identity, enum approval_state state)
{
	struct approval_owner owner = owner_of(identity, 1);

	return approval_report(desk->table, &owner, state);
}

static size_t
count(struct desk *desk)
{
	size_t place = 0, found = 0;

	while (approval_next(desk->table, &place) != NULL)
		found++;
	return found;
}

/* ---- states ---- */

static void
test_the_table_of_successors_is_as_the_manual_draws_it(void **state)
{
	static const char *const drawn[APPROVAL_STATE_COUNT] = {
	    /* FHRDELSVU: free held released denied expired lost superseded
	     * revoked unknown */
	    [APPROVAL_FREE] = ".H.......",
	    [APPROVAL_HELD] = "..RDELSV.",
	    [APPROVAL_RELEASED] = "F...ELSVU",
	    [APPROVAL_DENIED] = "F........",
	    [APPROVAL_EXPIRED] = "F........",
	    [APPROVAL_LOST] = "F........",
	    [APPROVAL_SUPERSEDED] = "F........",
	    [APPROVAL_REVOKED] = "F........",
	    [APPROVAL_UNKNOWN] = "F........",
	};

	for (int from = 0; from < APPROVAL_STATE_COUNT; from++)
		for (int to = 0; to < APPROVAL_STATE_COUNT; to++)
			assert_int_equal(approval_may_follow(from, to),
			    drawn[from][to] != '.');
}

static void
test_every_word_has_a_name_of_its_own(void **state)
{
	for (int i = 0; i < APPROVAL_CAUSE_COUNT; i++) {
		assert_true(strlen(approval_cause_text(i)) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    approval_cause_name(i), approval_cause_name(k));
	}
	for (int i = 0; i < APPROVAL_STATE_COUNT; i++)
		for (int k = 0; k < i; k++)
			assert_string_not_equal(
			    approval_state_name(i), approval_state_name(k));
}

/* Text of a manual's source, as its reader sees it. */
static char *
manual(void)
{
	static char text[1 << 17];
	FILE *file = fopen(SOURCE_ROOT "/doc/kaya-policy.5.scd", "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[len] = '\0';
	return text;
}

static void
test_every_cause_and_outcome_stands_in_the_manual(void **state)
{
	const char *text = manual();
	char word[64];

	for (int i = 0; i < APPROVAL_CAUSE_COUNT; i++) {
		snprintf(word, sizeof word, "*%s*\n", approval_cause_name(i));
		assert_non_null(strstr(text, word));
	}
	for (int i = APPROVAL_RELEASED; i < APPROVAL_STATE_COUNT; i++) {
		snprintf(word, sizeof word, "*%s*", approval_state_name(i));
		assert_non_null(strstr(text, word));
	}
}

static void
test_a_command_is_held_until_another_identity_agrees(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 1000);

	assert_string_equal(command->id, "0100000000000000");
	assert_string_equal(command->publisher, "ann");
	assert_string_equal(command->rule_name, "valves");
	assert_true(span_is(command->topic, "plant/valve"));
	assert_true(span_is(command->text, "open"));
	assert_int_equal(command->until_ms, 11000);
	assert_int_equal(agree(desk, command->id, "bob", 2000), APPROVAL_NONE);
	assert_string_equal(desk->last.by, "bob");
	assert_true(report(desk, "ann", APPROVAL_RELEASED));
	assert_string_equal(desk->told, "hre");
	assert_int_equal(desk->last.state, APPROVAL_RELEASED);
	assert_int_equal(desk->last.cause, APPROVAL_NONE);
	assert_int_equal(count(desk), 0);
}

static void
test_a_command_is_let_go_once(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	char id[APPROVAL_ID_DIGITS + 1];

	memcpy(id, command->id, sizeof id);
	assert_int_equal(agree(desk, id, "bob", 1), APPROVAL_NONE);
	assert_int_equal(agree(desk, id, "bea", 2), APPROVAL_IN_EXECUTION);
	assert_int_equal(deny(desk, id, "bea", "", 2), APPROVAL_IN_EXECUTION);
	assert_true(report(desk, "ann", APPROVAL_RELEASED));
	assert_int_equal(agree(desk, id, "bea", 3), APPROVAL_NOT_SELECTED);
	assert_false(report(desk, "ann", APPROVAL_RELEASED));
	assert_string_equal(desk->told, "hre");
}

static void
test_nobody_agrees_to_what_he_asked_for_himself(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "both", "plant/valve", "open", 0);

	/* By another key and another session it is the same name. */
	assert_int_equal(
	    agree(desk, command->id, "both", 1), APPROVAL_SAME_IDENTITY);
	assert_string_equal(desk->told, "h");
	assert_int_equal(agree(desk, command->id, "bob", 1), APPROVAL_NONE);
}

static void
test_only_the_roles_of_the_rule_agree(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(
	    agree(desk, command->id, "abe", 1), APPROVAL_NO_ACCESS);
	assert_int_equal(agree(desk, command->id, "cy", 1), APPROVAL_NO_ACCESS);
	assert_int_equal(
	    agree(desk, command->id, "nobody", 1), APPROVAL_NO_ACCESS);
	assert_int_equal(
	    deny(desk, command->id, "abe", "", 1), APPROVAL_NO_ACCESS);
	assert_string_equal(desk->told, "h");
}

static void
test_only_the_roles_of_the_rule_ask(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(
	    refused(desk, &(struct wish){"bob", "plant/valve", "open"}),
	    APPROVAL_NO_ACCESS);
	assert_int_equal(refused(desk, &(struct wish){.by = "ann",
					   .topic = "plant/valve",
					   .payload = "open",
					   .is_break_glass = true}),
	    APPROVAL_NO_ACCESS);
	assert_int_equal(count(desk), 0);
}

static void
test_an_id_that_nobody_gave_selects_nothing(void **state)
{
	struct desk *desk = *state;
	static const char *const ids[] = {"", "0", "0100000000000001",
	    "01000000000000000", "010000000000000"};

	hold(desk, "ann", "plant/valve", "open", 0);
	for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
		assert_int_equal(
		    agree(desk, ids[i], "bob", 1), APPROVAL_NOT_SELECTED);
}

static void
test_the_last_moment_is_before_its_time_is_over(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(approval_due_ms(desk->table), 10000);
	approval_on_time(desk->table, 9999);
	assert_int_equal(count(desk), 1);
	assert_int_equal(agree(desk, command->id, "bob", 9999), APPROVAL_NONE);
}

static void
test_agreement_at_its_end_comes_too_late(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	char id[APPROVAL_ID_DIGITS + 1];

	memcpy(id, command->id, sizeof id);
	/* The timer may be late; the time is not. */
	assert_int_equal(agree(desk, id, "bob", 10000), APPROVAL_TIME_LIMIT);
	assert_int_equal(desk->last.state, APPROVAL_EXPIRED);
	assert_int_equal(desk->last.cause, APPROVAL_TIME_LIMIT);
	assert_int_equal(agree(desk, id, "bob", 10001), APPROVAL_NOT_SELECTED);
	assert_string_equal(desk->told, "he");
}

static void
test_time_ends_it_where_nobody_answers(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/valve", "open", 0);
	approval_on_time(desk->table, 10000);
	assert_string_equal(desk->told, "he");
	assert_int_equal(desk->last.state, APPROVAL_EXPIRED);
	assert_int_equal(approval_due_ms(desk->table), UINT64_MAX);
}

static void
test_a_publish_that_expires_first_is_held_no_longer(void **state)
{
	struct desk *desk = *state;
	const struct wish wish = {
	    .by = "ann",
	    .topic = "plant/valve",
	    .payload = "open",
	    .within_ms = 2000,
	};
	const struct approval_command *command;
	enum approval_cause cause;

	assert_int_equal(ask(desk, &wish, &command, &cause), APPROVAL_IS_HELD);
	assert_int_equal(approval_due_ms(desk->table), 2000);
}

static void
test_who_may_agree_may_deny_and_says_why(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(
	    deny(desk, command->id, "bob", "not today\n", 1), APPROVAL_NONE);
	assert_int_equal(desk->last.state, APPROVAL_DENIED);
	assert_int_equal(desk->last.cause, APPROVAL_CANCELLED);
	assert_string_equal(desk->last.by, "bob");
	assert_string_equal(desk->last.reason, "not today\\n");
	assert_string_equal(desk->told, "he");
}

static void
test_a_reason_that_is_too_long_is_cut(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	char reason[1000];

	memset(reason, 'x', sizeof reason - 1);
	reason[sizeof reason - 1] = '\0';
	assert_int_equal(
	    deny(desk, command->id, "bob", reason, 1), APPROVAL_NONE);
	assert_int_equal(strlen(desk->last.reason), APPROVAL_REASON_MAX);
}

static void
test_its_publisher_may_call_it_off(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(deny(desk, command->id, "ann", "", 1), APPROVAL_NONE);
	assert_int_equal(desk->last.state, APPROVAL_DENIED);
	assert_string_equal(desk->last.by, "ann");
}

static void
test_a_publisher_that_leaves_takes_it_along(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	struct approval_owner other = owner_of("abe", 1),
			      owner = owner_of("ann", 0);
	char id[APPROVAL_ID_DIGITS + 1];

	memcpy(id, command->id, sizeof id);
	approval_lose(desk->table, &other);
	assert_string_equal(desk->told, "h");
	approval_lose(desk->table, &owner);
	assert_int_equal(desk->last.state, APPROVAL_LOST);
	assert_int_equal(desk->last.cause, APPROVAL_LINK_LOST);
	assert_int_equal(agree(desk, id, "bob", 1), APPROVAL_NOT_SELECTED);
	assert_string_equal(desk->told, "he");
}

static void
test_an_agreement_while_the_publisher_leaves_moves_nothing(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(agree(desk, command->id, "bob", 1), APPROVAL_NONE);
	assert_true(report(desk, "ann", APPROVAL_LOST));
	assert_int_equal(desk->last.state, APPROVAL_LOST);
	assert_string_equal(desk->last.by, "bob");
	assert_string_equal(desk->told, "hre");
}

static void
test_what_an_owner_never_reports_is_unknown(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(agree(desk, command->id, "bob", 1), APPROVAL_NONE);
	assert_int_equal(approval_due_ms(desk->table), 1 + APPROVAL_REPORT_MS);
	/* It cannot get out when it has been given up. */
	assert_int_equal(desk->last.until_ms, 1 + APPROVAL_GO_MS);
	assert_true(APPROVAL_GO_MS < APPROVAL_REPORT_MS);
	approval_on_time(desk->table, 1 + APPROVAL_REPORT_MS);
	assert_int_equal(desk->last.state, APPROVAL_UNKNOWN);
	assert_int_equal(desk->last.cause, APPROVAL_UNTOLD);
	assert_string_equal(desk->last.by, "bob");
	assert_int_equal(count(desk), 0);
	/* What it says later finds nothing. */
	assert_false(report(desk, "ann", APPROVAL_RELEASED));
}

static void
test_when_all_owners_are_gone_what_was_let_go_is_unknown(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(agree(desk, command->id, "bob", 1), APPROVAL_NONE);
	approval_end(desk->table);
	assert_int_equal(desk->last.state, APPROVAL_UNKNOWN);
	hold(desk, "ann", "plant/valve", "open", 2);
	approval_end(desk->table);
	assert_int_equal(desk->last.state, APPROVAL_LOST);
	assert_string_equal(desk->told, "hrehe");
	assert_int_equal(count(desk), 0);
}

static void
test_an_owner_cannot_let_go_what_it_was_not_told_to(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/valve", "open", 0);
	assert_false(report(desk, "ann", APPROVAL_RELEASED));
	assert_false(report(desk, "ann", APPROVAL_HELD));
	assert_false(report(desk, "ann", APPROVAL_FREE));
	assert_false(report(desk, "ann", APPROVAL_DENIED));
	assert_false(report(desk, "abe", APPROVAL_LOST));
	assert_string_equal(desk->told, "h");
	assert_true(report(desk, "ann", APPROVAL_SUPERSEDED));
	assert_string_equal(desk->told, "he");
}

static void
test_a_stop_is_never_followed_by_an_older_start(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	char id[APPROVAL_ID_DIGITS + 1];

	memcpy(id, command->id, sizeof id);
	approval_stop(desk->table, span_of_str("plant/other"));
	assert_string_equal(desk->told, "h");
	approval_stop(desk->table, span_of_str("plant/valve"));
	assert_int_equal(desk->last.state, APPROVAL_SUPERSEDED);
	assert_int_equal(desk->last.cause, APPROVAL_OVERTAKEN);
	assert_int_equal(agree(desk, id, "bob", 1), APPROVAL_NOT_SELECTED);
}

static void
test_another_policy_moves_nothing(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);
	char id[APPROVAL_ID_DIGITS + 1];

	memcpy(id, command->id, sizeof id);
	approval_revoke(desk->table, APPROVAL_POLICY_CHANGED);
	assert_int_equal(desk->last.state, APPROVAL_REVOKED);
	assert_int_equal(desk->last.cause, APPROVAL_POLICY_CHANGED);
	assert_int_equal(agree(desk, id, "bob", 1), APPROVAL_NOT_SELECTED);
}

static void
test_what_was_let_go_outlives_its_policy(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	assert_int_equal(agree(desk, command->id, "bob", 1), APPROVAL_NONE);
	approval_revoke(desk->table, APPROVAL_POLICY_CHANGED);
	policy_free(desk->policy);
	desk->policy = make_policy(POLICY);
	assert_true(report(desk, "ann", APPROVAL_RELEASED));
	assert_string_equal(desk->last.rule_name, "valves");
	assert_string_equal(desk->told, "hre");
}

/* ---- the audit ---- */

static void
test_nothing_is_held_that_the_audit_cannot_take(void **state)
{
	struct desk *desk = *state;

	desk->is_full = true;
	assert_int_equal(
	    refused(desk, &(struct wish){"ann", "plant/valve", "open"}),
	    APPROVAL_AUDIT_FAILED);
	assert_int_equal(count(desk), 0);
	assert_string_equal(desk->told, "");
}

static void
test_nothing_is_let_go_that_the_audit_cannot_take(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	desk->is_full = true;
	assert_int_equal(
	    agree(desk, command->id, "bob", 1), APPROVAL_AUDIT_FAILED);
	assert_string_equal(desk->told, "h");
	desk->is_full = false;
	assert_int_equal(agree(desk, command->id, "bob", 2), APPROVAL_NONE);
}

static void
test_a_full_disk_does_not_keep_a_command_from_ending(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/valve", "open", 0);

	desk->is_full = true;
	assert_int_equal(deny(desk, command->id, "bob", "", 1), APPROVAL_NONE);
	assert_string_equal(desk->told, "he");
}

/* ---- break-glass ---- */

static const struct wish BREAK = {.by = "cy",
    .topic = "plant/valve",
    .payload = "open",
    .number = 1,
    .is_break_glass = true};

static void
test_break_glass_needs_nobody_but_the_audit(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command;
	enum approval_cause cause;

	assert_int_equal(
	    ask(desk, &BREAK, &command, &cause), APPROVAL_IS_RELEASED);
	assert_int_equal(desk->lines, 1);
	assert_true(desk->last.is_break_glass);
	assert_string_equal(desk->last.by, "");
	assert_true(report(desk, "cy", APPROVAL_RELEASED));
	assert_string_equal(desk->told, "re");
}

static void
test_break_glass_waits_for_a_disk_that_is_full(void **state)
{
	struct desk *desk = *state;

	desk->is_full = true;
	assert_int_equal(refused(desk, &BREAK), APPROVAL_AUDIT_FAILED);
	assert_int_equal(count(desk), 0);
	assert_string_equal(desk->told, "");
}

/* ---- twice ---- */

static void
test_the_same_from_another_identity_lets_the_first_go(void **state)
{
	struct desk *desk = *state;
	const struct wish second = {"bob", "plant/pair", "run", 1};
	const struct approval_command *first, *command;
	enum approval_cause cause;

	first = hold(desk, "ann", "plant/pair", "run", 0);
	assert_int_equal(
	    ask(desk, &second, &command, &cause), APPROVAL_HAS_AGREED);
	assert_ptr_equal(command, first);
	assert_string_equal(desk->last.publisher, "ann");
	assert_string_equal(desk->last.by, "bob");
	assert_true(report(desk, "ann", APPROVAL_RELEASED));
	assert_string_equal(desk->told, "hre");
	assert_int_equal(count(desk), 0);
}

static void
test_either_of_the_two_may_come_first(void **state)
{
	struct desk *desk = *state;
	const struct wish second = {"ann", "plant/pair", "run", 1};
	const struct approval_command *command;
	enum approval_cause cause;

	hold(desk, "bob", "plant/pair", "run", 0);
	assert_int_equal(
	    ask(desk, &second, &command, &cause), APPROVAL_HAS_AGREED);
}

static void
test_another_payload_is_another_command(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/pair", "run", 0);
	hold(desk, "bob", "plant/pair", "stop", 1);
	assert_string_equal(desk->told, "hh");
	assert_int_equal(count(desk), 2);
}

static void
test_two_that_may_only_ask_are_no_pair(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/pair", "run", 0);
	hold(desk, "abe", "plant/pair", "run", 1);
	assert_string_equal(desk->told, "hh");
}

static void
test_two_of_one_role_are_a_pair_where_it_may_do_both(void **state)
{
	struct desk *desk = *state;
	const struct wish second = {"abe", "plant/peer", "run", 1};
	const struct approval_command *command;
	enum approval_cause cause;

	hold(desk, "ann", "plant/peer", "run", 0);
	assert_int_equal(
	    ask(desk, &second, &command, &cause), APPROVAL_HAS_AGREED);
}

static void
test_one_who_publishes_twice_is_one(void **state)
{
	struct desk *desk = *state;

	hold(desk, "both", "plant/pair", "run", 0);
	assert_int_equal(refused(desk, &(struct wish){.by = "both",
					   .topic = "plant/pair",
					   .payload = "run",
					   .number = 2}),
	    APPROVAL_SAME_IDENTITY);
	assert_string_equal(desk->told, "h");
}

static void
test_a_second_that_comes_too_late_is_a_first(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/pair", "run", 0);
	hold(desk, "bob", "plant/pair", "run", 10000);
	assert_string_equal(desk->told, "hh");
}

static void
test_twice_is_not_agreed_to_by_id_but_may_be_denied(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command =
	    hold(desk, "ann", "plant/pair", "run", 0);

	assert_int_equal(
	    agree(desk, command->id, "bob", 1), APPROVAL_INCONSISTENT);
	assert_int_equal(deny(desk, command->id, "bob", "", 1), APPROVAL_NONE);
}

/* ---- permissive ---- */

static const struct wish LOCK = {
    .by = "ann", .topic = "plant/lock", .payload = "turn", .number = 1};

static enum approval_cause
permit(struct desk *desk, const char *giver, uint64_t now_ms)
{
	struct policy_who who = make_who(desk->policy, giver, "");
	struct approval_owner owner = owner_of(giver, 0);

	return approval_permit(desk->table,
	    policy_approval_of(desk->policy, span_of_str("plant/lock")), &who,
	    &owner, now_ms);
}

static void
lock_passes(struct desk *desk, uint64_t now_ms)
{
	const struct approval_command *command;
	enum approval_cause cause;
	struct wish wish = LOCK;

	wish.now_ms = now_ms;
	assert_int_equal(
	    ask(desk, &wish, &command, &cause), APPROVAL_IS_RELEASED);
	assert_true(report(desk, "ann", APPROVAL_RELEASED));
}

static enum approval_cause
lock_refused(struct desk *desk, uint64_t now_ms)
{
	struct wish wish = LOCK;

	wish.now_ms = now_ms;
	return refused(desk, &wish);
}

static void
test_a_publish_passes_while_a_permit_lives(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(lock_refused(desk, 0), APPROVAL_INTERLOCKED);
	assert_int_equal(permit(desk, "bob", 1000), APPROVAL_NONE);
	lock_passes(desk, 1000);
	lock_passes(desk, 10999);
	assert_string_equal(desk->last.by, "bob");
	assert_int_equal(lock_refused(desk, 11000), APPROVAL_INTERLOCKED);
	assert_string_equal(desk->told, "prere");
}

static void
test_a_permit_is_renewed_by_giving_it_again(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	assert_int_equal(permit(desk, "bob", 9000), APPROVAL_NONE);
	assert_int_equal(approval_due_ms(desk->table), 19000);
	lock_passes(desk, 18999);
	approval_on_time(desk->table, 19000);
	assert_int_equal(desk->permit_cause, APPROVAL_TIME_LIMIT);
	assert_string_equal(desk->told, "preq");
}

static void
test_what_a_permit_lets_go_has_its_time(void **state)
{
	struct desk *desk = *state;
	const struct approval_command *command;
	enum approval_cause cause;
	struct wish wish = LOCK;

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	wish.now_ms = 9000;
	assert_int_equal(
	    ask(desk, &wish, &command, &cause), APPROVAL_IS_RELEASED);
	assert_int_equal(command->until_ms, 10000);
}

static void
test_who_publishes_cannot_permit_it_himself(void **state)
{
	struct desk *desk = *state;
	struct wish wish = LOCK;

	wish.by = "both";
	assert_int_equal(permit(desk, "both", 0), APPROVAL_NONE);
	assert_int_equal(refused(desk, &wish), APPROVAL_INTERLOCKED);
	lock_passes(desk, 0);
}

static void
test_only_the_roles_of_the_rule_permit(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(permit(desk, "abe", 0), APPROVAL_NO_ACCESS);
	assert_int_equal(lock_refused(desk, 0), APPROVAL_INTERLOCKED);
	assert_string_equal(desk->told, "");
}

static void
test_another_value_takes_every_permit_back(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	assert_int_equal(permit(desk, "bea", 0), APPROVAL_NONE);
	approval_take_back(desk->table,
	    policy_approval_of(desk->policy, span_of_str("plant/lock")));
	assert_int_equal(desk->permit_cause, APPROVAL_CANCELLED);
	assert_int_equal(lock_refused(desk, 1), APPROVAL_INTERLOCKED);
	assert_string_equal(desk->told, "ppqq");
}

static void
test_a_permit_is_lost_with_its_givers_session(void **state)
{
	struct desk *desk = *state;
	struct approval_owner other = owner_of("bea", 0),
			      owner = owner_of("bob", 0);

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	approval_lose(desk->table, &other);
	lock_passes(desk, 1);
	approval_lose(desk->table, &owner);
	assert_int_equal(desk->permit_cause, APPROVAL_LINK_LOST);
	assert_int_equal(lock_refused(desk, 1), APPROVAL_INTERLOCKED);
}

static void
test_a_permit_does_not_outlive_its_policy(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	approval_revoke(desk->table, APPROVAL_POLICY_CHANGED);
	assert_int_equal(lock_refused(desk, 1), APPROVAL_INTERLOCKED);
}

static void
test_a_permissive_rule_writes_before_it_lets_go(void **state)
{
	struct desk *desk = *state;

	assert_int_equal(permit(desk, "bob", 0), APPROVAL_NONE);
	desk->is_full = true;
	assert_int_equal(lock_refused(desk, 1), APPROVAL_AUDIT_FAILED);
	assert_int_equal(count(desk), 0);
}

static void
test_permits_have_room_for_so_many(void **state)
{
	struct desk *desk = *state;
	struct policy_who who = make_who(desk->policy, "bob", "");
	const struct policy_approval *rule =
	    policy_approval_of(desk->policy, span_of_str("plant/lock"));
	struct approval_owner owner = {.desk = 1};

	for (; owner.ticket < APPROVAL_PERMITS_MAX; owner.ticket++) {
		desk->told[0] = '\0';
		assert_int_equal(
		    approval_permit(desk->table, rule, &who, &owner, 0),
		    APPROVAL_NONE);
	}
	assert_int_equal(approval_permit(desk->table, rule, &who, &owner, 0),
	    APPROVAL_TABLE_FULL);
}

/* ---- room ---- */

static void
test_one_identity_holds_so_many_and_no_more(void **state)
{
	struct desk *desk = *state;
	struct wish wish = {.by = "ann", .topic = "plant/valve", .payload = ""};
	const struct approval_command *command;
	enum approval_cause cause;

	for (; wish.number < APPROVAL_COMMANDS_EACH; wish.number++)
		assert_int_equal(
		    ask(desk, &wish, &command, &cause), APPROVAL_IS_HELD);
	assert_int_equal(refused(desk, &wish), APPROVAL_ONE_OF_N);
	hold(desk, "abe", "plant/valve", "open", 0);
}

static void
test_a_full_table_refuses_and_keeps_what_it_has(void **state)
{
	static const char text[] = "roles: [{name: r, publish: '#'}]\n"
				   "identities: [{names: '*', roles: r}]\n"
				   "approval: [{name: a, topics: t, by: r}]\n";
	struct desk *desk = *state;
	struct policy *policy = make_policy(text);
	const struct approval_command *command;
	enum approval_cause cause = APPROVAL_NONE;
	uint8_t digest[APPROVAL_DIGEST_BYTES] = {0};
	uint8_t random[APPROVAL_RANDOM_BYTES] = {0};
	char name[8];
	struct policy_who who;
	struct approval_request request = {.who = &who,
	    .rule = policy_approval_of(policy, span_of_str("t")),
	    .topic = span_of_str("t"),
	    .digest = digest,
	    .random = random};
	enum approval_answer answer = APPROVAL_IS_HELD;

	for (unsigned i = 0; i <= APPROVAL_COMMANDS_MAX; i++) {
		assert_int_equal(answer, APPROVAL_IS_HELD);
		desk->told[0] = '\0';
		snprintf(name, sizeof name, "d%u", i / 10);
		policy_who_init(
		    &who, policy, span_of_str(name), (struct span){0});
		random[0] = (uint8_t)i;
		random[1] = (uint8_t)(i >> 8);
		answer =
		    approval_ask(desk->table, &request, 0, &command, &cause);
	}
	assert_int_equal(answer, APPROVAL_REFUSED);
	assert_int_equal(cause, APPROVAL_TABLE_FULL);
	assert_int_equal(count(desk), APPROVAL_COMMANDS_MAX);
	approval_revoke(desk->table, APPROVAL_STOPPING);
	policy_free(policy);
}

static void
test_an_id_is_never_given_twice_at_a_time(void **state)
{
	struct desk *desk = *state;

	hold(desk, "ann", "plant/valve", "open", 0);
	desk->next_id--;
	assert_int_equal(
	    refused(desk, &(struct wish){"abe", "plant/valve", "open"}),
	    APPROVAL_TABLE_FULL);
}

static void
test_what_is_too_long_to_be_shown_is_not_held(void **state)
{
	struct desk *desk = *state;
	char topic[APPROVAL_TOPIC_MAX + 2];
	struct policy_who who = make_who(desk->policy, "ann", "");
	struct approval_request request = {.who = &who,
	    .rule =
		policy_approval_of(desk->policy, span_of_str("plant/valve"))};
	const struct approval_command *command;
	enum approval_cause cause;

	memset(topic, 't', sizeof topic);
	request.topic = span_of(topic, APPROVAL_TOPIC_MAX + 1);
	assert_int_equal(
	    approval_ask(desk->table, &request, 0, &command, &cause),
	    APPROVAL_REFUSED);
	assert_int_equal(cause, APPROVAL_TOO_LARGE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(test_the_table_of_successors_is_as_the_manual_draws_it),
	    TEST(test_every_word_has_a_name_of_its_own),
	    TEST(test_every_cause_and_outcome_stands_in_the_manual),
	    TEST(test_a_command_is_held_until_another_identity_agrees),
	    TEST(test_a_command_is_let_go_once),
	    TEST(test_nobody_agrees_to_what_he_asked_for_himself),
	    TEST(test_only_the_roles_of_the_rule_agree),
	    TEST(test_only_the_roles_of_the_rule_ask),
	    TEST(test_an_id_that_nobody_gave_selects_nothing),
	    TEST(test_the_last_moment_is_before_its_time_is_over),
	    TEST(test_agreement_at_its_end_comes_too_late),
	    TEST(test_time_ends_it_where_nobody_answers),
	    TEST(test_a_publish_that_expires_first_is_held_no_longer),
	    TEST(test_who_may_agree_may_deny_and_says_why),
	    TEST(test_a_reason_that_is_too_long_is_cut),
	    TEST(test_its_publisher_may_call_it_off),
	    TEST(test_a_publisher_that_leaves_takes_it_along),
	    TEST(test_an_agreement_while_the_publisher_leaves_moves_nothing),
	    TEST(test_what_an_owner_never_reports_is_unknown),
	    TEST(test_when_all_owners_are_gone_what_was_let_go_is_unknown),
	    TEST(test_an_owner_cannot_let_go_what_it_was_not_told_to),
	    TEST(test_a_stop_is_never_followed_by_an_older_start),
	    TEST(test_another_policy_moves_nothing),
	    TEST(test_what_was_let_go_outlives_its_policy),
	    TEST(test_nothing_is_held_that_the_audit_cannot_take),
	    TEST(test_nothing_is_let_go_that_the_audit_cannot_take),
	    TEST(test_a_full_disk_does_not_keep_a_command_from_ending),
	    TEST(test_break_glass_needs_nobody_but_the_audit),
	    TEST(test_break_glass_waits_for_a_disk_that_is_full),
	    TEST(test_the_same_from_another_identity_lets_the_first_go),
	    TEST(test_either_of_the_two_may_come_first),
	    TEST(test_another_payload_is_another_command),
	    TEST(test_two_that_may_only_ask_are_no_pair),
	    TEST(test_two_of_one_role_are_a_pair_where_it_may_do_both),
	    TEST(test_one_who_publishes_twice_is_one),
	    TEST(test_a_second_that_comes_too_late_is_a_first),
	    TEST(test_twice_is_not_agreed_to_by_id_but_may_be_denied),
	    TEST(test_a_publish_passes_while_a_permit_lives),
	    TEST(test_a_permit_is_renewed_by_giving_it_again),
	    TEST(test_what_a_permit_lets_go_has_its_time),
	    TEST(test_who_publishes_cannot_permit_it_himself),
	    TEST(test_only_the_roles_of_the_rule_permit),
	    TEST(test_another_value_takes_every_permit_back),
	    TEST(test_a_permit_is_lost_with_its_givers_session),
	    TEST(test_a_permit_does_not_outlive_its_policy),
	    TEST(test_a_permissive_rule_writes_before_it_lets_go),
	    TEST(test_permits_have_room_for_so_many),
	    TEST(test_one_identity_holds_so_many_and_no_more),
	    TEST(test_a_full_table_refuses_and_keeps_what_it_has),
	    TEST(test_an_id_is_never_given_twice_at_a_time),
	    TEST(test_what_is_too_long_to_be_shown_is_not_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
