/* Challenges and signatures, with a clock that the tests move. */

#include "people.h"

#include <stdlib.h>

enum { NOW_S = 1700000000 };

static struct guard_rules *rules;
static struct guard *guard;
static uint64_t now_ms;
static uint8_t seed;

static int
begin(void **state)
{
	rules = people_read();
	guard = guard_new(rules);
	now_ms = 1000;
	return guard == NULL ? -1 : 0;
}

static int
end(void **state)
{
	guard_free(guard);
	guard_rules_free(rules);
	return 0;
}

static struct guard_outcome outcome;

static struct guard_command *
ask_as(const char *request, const char *topic, const char *payload)
{
	const struct guard_question question = {
	    span_of_str(request), span_of_str(topic), span_of_str(payload)};
	uint8_t random[GUARD_CHALLENGE_BYTES];

	memset(random, ++seed, sizeof random);
	return (struct guard_command *)guard_ask(
	    guard, &question, random, now_ms, &outcome);
}

static struct guard_command *
ask(const char *payload)
{
	struct guard_command *command = ask_as("r", PEOPLE_TOPIC, payload);

	assert_non_null(command);
	return command;
}

static enum guard_step
sign_text(const char *id, enum guard_will will, struct span text)
{
	struct guard_command *command;

	return guard_sign(guard, span_of_str(id), will, text, now_ms, NOW_S,
	    &command, &outcome);
}

static enum guard_step
sign(struct guard_command *command, enum person person)
{
	return sign_text(command->id, GUARD_AGREES,
	    people_sign(person, GUARD_SIGNS, buf_span(&command->statement)));
}

static enum guard_step
deny(struct guard_command *command, enum person person)
{
	return sign_text(command->id, GUARD_DISAGREES,
	    people_sign(person, GUARD_DENIES, buf_span(&command->statement)));
}

static void
test_two_people_let_a_command_through_once(void **state)
{
	struct guard_command *command = ask("open");
	char id[GUARD_ID_SIZE];

	memcpy(id, command->id, sizeof id);
	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	assert_int_equal(command->state, GUARD_SIGNED);
	assert_int_equal(sign(command, BOB), GUARD_STEP_BOTH);
	assert_int_equal(command->state, GUARD_CONSUMED);
	assert_string_equal(command->by[0], "ann");
	assert_string_equal(command->by[1], "bob");
	/* Neither before it is finished nor after. */
	assert_int_equal(sign(command, DORA), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NOT_SELECTED);
	assert_int_equal(deny(command, BOB), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NOT_SELECTED);
	assert_int_equal(command->state, GUARD_CONSUMED);
	guard_finish(guard, command);
	assert_int_equal(
	    sign_text(id, GUARD_AGREES, span_of_str("x")), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NOT_SELECTED);
}

static void
test_a_device_may_be_the_second_and_never_the_first(void **state)
{
	struct guard_command *command = ask("open");

	assert_int_equal(sign(command, PUMP), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NO_ACCESS);
	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	assert_int_equal(sign(command, PUMP), GUARD_STEP_BOTH);
}

static void
test_roles_say_who_may_do_which_part(void **state)
{
	struct guard_command *command = ask("open");
	struct guard_command *pump = ask_as("p", "plant/pump/1", "on");

	assert_int_equal(sign(command, BOB), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NO_ACCESS);
	assert_int_equal(sign(command, EVE), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NO_ACCESS);
	assert_int_equal(command->state, GUARD_ISSUED);
	assert_int_equal(sign(pump, ANN), GUARD_STEP_FIRST);
	/* There only devices permit. */
	assert_int_equal(sign(pump, BOB), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NO_ACCESS);
	assert_int_equal(sign(pump, PUMP), GUARD_STEP_BOTH);
}

static void
test_one_person_is_one_by_whatever_key(void **state)
{
	struct guard_command *command = ask("open");
	struct guard_command *hers = ask("wide");

	assert_int_equal(sign(command, DORA), GUARD_STEP_FIRST);
	assert_int_equal(sign(command, DORA), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_SAME_IDENTITY);
	assert_int_equal(sign(hers, ANN), GUARD_STEP_FIRST);
	assert_int_equal(sign(hers, ANN_AT_HOME), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_SAME_IDENTITY);
}

static void
test_a_signature_is_for_one_statement_and_one_purpose(void **state)
{
	struct guard_command *command = ask("open");
	struct guard_command *other = ask_as("s", PEOPLE_TOPIC, "open");
	struct span statement = buf_span(&command->statement);

	assert_string_not_equal(command->id, other->id);
	assert_int_equal(sign_text(other->id, GUARD_AGREES,
			     people_sign(ANN, GUARD_SIGNS, statement)),
	    GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_BAD_SIGNATURE);
	assert_int_equal(sign_text(command->id, GUARD_AGREES,
			     people_sign(ANN, GUARD_DENIES, statement)),
	    GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_BAD_SIGNATURE);
	assert_int_equal(sign_text(command->id, GUARD_DISAGREES,
			     people_sign(ANN, GUARD_SIGNS, statement)),
	    GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_BAD_SIGNATURE);
}

static void
test_time_is_over_at_the_millisecond(void **state)
{
	struct guard_command *command = ask("open");
	struct guard_command *late = ask("late");

	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	assert_int_equal(sign(late, ANN), GUARD_STEP_FIRST);
	now_ms += 29999;
	assert_int_equal(guard_over(command, now_ms), GUARD_CAUSE_NONE);
	assert_int_equal(sign(command, BOB), GUARD_STEP_BOTH);
	now_ms += 1;
	assert_int_equal(guard_over(late, now_ms), GUARD_TIME_LIMIT_OVER);
	assert_int_equal(sign(late, BOB), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NOT_SELECTED);
}

static void
test_where_only_devices_permit_an_interlock_is_the_cause(void **state)
{
	struct guard_command *pump = ask_as("p", "plant/pump/1", "on");
	struct guard_command *nobody = ask_as("q", "plant/pump/1", "on");

	assert_int_equal(sign(pump, ANN), GUARD_STEP_FIRST);
	now_ms += 10000;
	assert_int_equal(guard_over(pump, now_ms), GUARD_INTERLOCKING);
	assert_int_equal(guard_over(nobody, now_ms), GUARD_TIME_LIMIT_OVER);
}

static void
test_who_may_approve_and_who_asked_may_deny(void **state)
{
	struct guard_command *command = ask("open");
	struct guard_command *second = ask("wide");

	assert_int_equal(deny(command, ANN), GUARD_STEP_REFUSED);
	assert_int_equal(outcome.cause, GUARD_NO_ACCESS);
	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	assert_int_equal(deny(command, PUMP), GUARD_STEP_REFUSED);
	assert_int_equal(deny(command, EVE), GUARD_STEP_REFUSED);
	assert_int_equal(deny(command, BOB), GUARD_STEP_DENIED);
	assert_int_equal(outcome.cause, GUARD_CANCELLED);
	assert_int_equal(sign(second, ANN), GUARD_STEP_FIRST);
	assert_int_equal(deny(second, ANN_AT_HOME), GUARD_STEP_DENIED);
}

static void
test_sixteen_are_outstanding_at_most(void **state)
{
	char request[8];

	for (int i = 0; i < GUARD_OUTSTANDING_MAX; i++) {
		snprintf(request, sizeof request, "r%d", i);
		assert_non_null(ask_as(request, PEOPLE_TOPIC, "open"));
	}
	assert_null(ask_as("one-more", PEOPLE_TOPIC, "open"));
	assert_int_equal(outcome.cause, GUARD_TABLE_FULL);
	/* The same question again is none. */
	assert_non_null(ask_as("r0", PEOPLE_TOPIC, "open"));
	assert_null(ask_as("r0", PEOPLE_TOPIC, "close now"));
}

static void
test_a_question_that_comes_twice_gets_one_challenge(void **state)
{
	struct guard_command *command = ask("open");

	assert_ptr_equal(ask("open"), command);
	assert_ptr_not_equal(ask("wide"), command);
	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	assert_ptr_not_equal(ask("open"), command);
	/* What is over is not given out again. */
	command = ask("late");
	now_ms += 30000;
	assert_ptr_not_equal(ask("late"), command);
}

static void
test_what_cannot_be_a_command_gets_no_challenge(void **state)
{
	static char long_text[GUARD_PAYLOAD_MAX + 2];
	static const struct {
		const char *request, *topic, *payload;
		enum guard_cause cause;
	} rows[] = {
	    {"r", PEOPLE_TOPIC, "close", GUARD_NOT_SUPPORTED},
	    {"r", "plant/free", "open", GUARD_NOT_SUPPORTED},
	    {"r", "plant/valve-1/#", "open", GUARD_INCONSISTENT},
	    {"r", "", "open", GUARD_INCONSISTENT},
	    {"", PEOPLE_TOPIC, "open", GUARD_INCONSISTENT},
	    {"a b", PEOPLE_TOPIC, "open", GUARD_INCONSISTENT},
	    {"r", PEOPLE_TOPIC, long_text, GUARD_INCONSISTENT},
	    {"r", long_text, "open", GUARD_INCONSISTENT},
	};

	memset(long_text, 'x', sizeof long_text - 1);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_null(
		    ask_as(rows[i].request, rows[i].topic, rows[i].payload));
		assert_int_equal(outcome.cause, rows[i].cause);
	}
}

static void
test_signatures_that_are_no_good_end_nothing(void **state)
{
	struct guard_command *command = ask("open");

	assert_int_equal(sign(command, ANN), GUARD_STEP_FIRST);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(sign_text(command->id, GUARD_AGREES,
				     span_of_str("no signature")),
		    GUARD_STEP_REFUSED);
		assert_int_equal(deny(command, EVE), GUARD_STEP_REFUSED);
		assert_int_equal(
		    sign_text(command->id, GUARD_DISAGREES,
			people_sign(BOB, GUARD_DENIES, span_of_str("other"))),
		    GUARD_STEP_REFUSED);
	}
	assert_int_equal(sign(command, BOB), GUARD_STEP_BOTH);
}

static void
test_each_cause_has_a_word_and_a_sentence(void **state)
{
	for (enum guard_cause i = 0; i < GUARD_CAUSE_COUNT; i++) {
		assert_true(guard_cause_name(i)[0] != '\0');
		assert_true(guard_cause_text(i)[0] != '\0');
		for (enum guard_cause k = 0; k < i; k++)
			assert_string_not_equal(
			    guard_cause_name(i), guard_cause_name(k));
	}
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_two_people_let_a_command_through_once),
	    TEST(test_a_device_may_be_the_second_and_never_the_first),
	    TEST(test_roles_say_who_may_do_which_part),
	    TEST(test_one_person_is_one_by_whatever_key),
	    TEST(test_a_signature_is_for_one_statement_and_one_purpose),
	    TEST(test_time_is_over_at_the_millisecond),
	    TEST(test_where_only_devices_permit_an_interlock_is_the_cause),
	    TEST(test_who_may_approve_and_who_asked_may_deny),
	    TEST(test_sixteen_are_outstanding_at_most),
	    TEST(test_a_question_that_comes_twice_gets_one_challenge),
	    TEST(test_what_cannot_be_a_command_gets_no_challenge),
	    TEST(test_signatures_that_are_no_good_end_nothing),
	    TEST(test_each_cause_has_a_word_and_a_sentence),
	};

	return cmocka_run_group_tests_name(
	    "guard", tests, people_set_up, people_tear_down);
}
