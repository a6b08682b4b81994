/*
 * Two gateways, and a broker between them that keeps what was said, so that it
 * can be lost, repeated, and brought late or in another order.
 */

#include "peers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static const char POLICY[] =
    "roles:\n"
    "  - {name: operator, publish: 'plant/#'}\n"
    "  - {name: supervisor, publish: 'plant/#'}\n"
    "identities:\n"
    "  - {names: [ann, abe], roles: operator}\n"
    "  - {names: bob, roles: supervisor}\n"
    "approval:\n"
    "  - {name: valves, topics: plant/valve, from: operator, by: supervisor,\n"
    "     within: 10s, safe_state: close}\n";

enum { SAID_MAX = 512, A = 0, B = 1 };

struct gateway {
	struct peers *peers;
	struct approval_table *table;
	size_t released, ended, seen, gone, stops, answers, refusals;
	enum approval_state ended_as;
	bool is_answered; /* the last answer */
	enum approval_state answer;
	enum approval_cause cause;
	char by[STR_NAME_MAX + 1];
};

struct said {
	int to;
	size_t len;
	uint8_t bytes[PEER_MESSAGE_MAX];
};

static struct world {
	struct ssh_host_key *keys[2];
	struct policy *policy;
	struct gateway gateways[2];
	struct said said[SAID_MAX];
	size_t count, brought;
	uint64_t now_ms;
	uint8_t next_id;
} * world;

static const char *const names[2] = {"north", "south"};

static int
place_of(const void *arg)
{
	return arg == &world->gateways[B];
}

/* ---- events ---- */

static void
on_send(void *arg, const char *to, struct span bytes)
{
	struct said *said = &world->said[world->count++];

	assert_true(world->count < SAID_MAX);
	said->to = strcmp(to, names[B]) == 0;
	assert_int_not_equal(said->to, place_of(arg));
	said->len = bytes.len;
	memcpy(said->bytes, bytes.data, bytes.len);
}

static struct policy_who
who(struct span identity, struct span role)
{
	struct policy_who who;

	policy_who_init(&who, world->policy, identity, role);
	return who;
}

static enum approval_cause
on_word(void *arg, const struct peers_word *word)
{
	struct gateway *gateway = arg;
	const struct policy_who asks = who(word->identity, word->role);

	return word->agrees ? approval_agree(gateway->table, word->id, &asks,
				  world->now_ms, NULL)
			    : approval_deny(gateway->table, word->id, &asks,
				  word->reason, world->now_ms);
}

static void
on_stop(void *arg, const char *from, struct span topic)
{
	struct gateway *gateway = arg;

	gateway->stops++;
	approval_stop(gateway->table, topic);
}

static void
on_view_held(void *arg, const struct peers_command *command)
{
	((struct gateway *)arg)->seen++;
}

static void
on_view_ended(void *arg, const struct peers_command *command,
    const struct peer_message *message)
{
	((struct gateway *)arg)->gone++;
}

static void
on_answered(void *arg, const struct peers_outcome *outcome)
{
	struct gateway *gateway = arg;

	assert_int_equal(outcome->ticket, 42);
	gateway->answers++;
	gateway->is_answered = outcome->is_answered;
	gateway->answer = outcome->state;
	gateway->cause = outcome->cause;
	strcpy(gateway->by, outcome->by);
}

static void
on_refused(void *arg, struct span from, const char *why, uint64_t more)
{
	((struct gateway *)arg)->refusals++;
}

static bool
on_record(void *arg, const struct approval_command *command,
    const struct approval_change *change)
{
	return true;
}

static void
on_held(void *arg, const struct approval_command *command)
{
	struct gateway *gateway = arg;

	peers_on_held(gateway->peers, command, world->now_ms);
}

static void
on_released(void *arg, const struct approval_command *command)
{
	((struct gateway *)arg)->released++;
}

static void
on_ended(void *arg, const struct approval_command *command)
{
	struct gateway *gateway = arg;

	gateway->ended++;
	gateway->ended_as = command->state;
	peers_on_ended(gateway->peers, command);
}

static void
on_permit(
    void *arg, const struct approval_permit *permit, enum approval_cause cause)
{
}

/* ---- the world ---- */

/* Begin, or begin again: nothing is kept. */
static void
boot(int place)
{
	struct gateway *gateway = &world->gateways[place];
	const struct approval_events events = {
	    on_record, on_held, on_released, on_ended, on_permit, gateway};
	const struct peers_peer peer = {.name = names[1 - place],
	    .key = ssh_host_key_blob(world->keys[1 - place])};
	struct peers_options options = {.name = names[place],
	    .key = world->keys[place],
	    .peers = &peer,
	    .count = 1,
	    .events = {on_send, on_word, on_stop, on_view_held, on_view_ended,
		on_answered, on_refused, gateway}};

	peers_free(gateway->peers);
	approval_free(gateway->table);
	*gateway = (struct gateway){.table = approval_new(&events)};
	options.table = gateway->table;
	gateway->peers = peers_new(&options);
	assert_non_null(gateway->peers);
}

static void
bring(size_t number)
{
	const struct said *said = &world->said[number];

	peers_on_message(world->gateways[said->to].peers,
	    span_of(said->bytes, said->len), world->now_ms);
}

/* All that was not brought yet, and what it leads to. */
static void
bring_all(void)
{
	while (world->brought < world->count)
		bring(world->brought++);
}

static void
lose_all(void)
{
	world->brought = world->count;
}

static void
pass(uint64_t ms)
{
	world->now_ms += ms;
	for (int i = A; i <= B; i++) {
		approval_on_time(world->gateways[i].table, world->now_ms);
		peers_on_time(world->gateways[i].peers, world->now_ms);
	}
}

static int
begin(void **state)
{
	const struct policy_source source = {.file = "p.yaml",
	    .bytes = span_of_str(POLICY),
	    .format = POLICY_YAML};

	world = calloc(1, sizeof *world);
	world->now_ms = 100000;
	world->policy = policy_new(&source);
	for (int i = A; i <= B; i++)
		world->keys[i] =
		    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	for (int i = A; i <= B; i++)
		boot(i);
	for (int i = A; i <= B; i++)
		peers_on_connected(world->gateways[i].peers, world->now_ms);
	bring_all();
	return world->policy == NULL;
}

static int
end(void **state)
{
	for (int i = A; i <= B; i++) {
		peers_free(world->gateways[i].peers);
		approval_free(world->gateways[i].table);
		ssh_host_key_free(world->keys[i]);
	}
	policy_free(world->policy);
	free(world);
	return 0;
}

/* `publisher` opens the valve at that gateway; the command's id. */
static struct span
hold(int place, const char *publisher)
{
	static const uint8_t digest[APPROVAL_DIGEST_BYTES] = {1};
	uint8_t random[APPROVAL_RANDOM_BYTES] = {world->next_id++};
	const struct policy_who asks =
	    who(span_of_str(publisher), span_of(NULL, 0));
	const struct approval_request request = {.who = &asks,
	    .rule =
		policy_approval_of(world->policy, span_of_str("plant/valve")),
	    .topic = span_of_str("plant/valve"),
	    .text = span_of_str("open"),
	    .digest = digest,
	    .bytes = 4,
	    .qos = 1,
	    .owner = {.ticket = 1, .number = world->next_id},
	    .random = random};
	const struct approval_command *command;
	enum approval_cause cause;

	assert_int_equal(approval_ask(world->gateways[place].table, &request,
			     world->now_ms, &command, &cause),
	    APPROVAL_IS_HELD);
	return span_of_str(command->id);
}

/* The publish went out. */
static void
report(int place)
{
	const struct approval_owner owner = {
	    .ticket = 1, .number = world->next_id};

	assert_true(approval_report(
	    world->gateways[place].table, &owner, APPROVAL_RELEASED));
}

static enum peers_said
say(int place, struct span id, const char *identity, bool agrees)
{
	const struct peers_word word = {
	    .id = id, .identity = span_of_str(identity), .agrees = agrees};

	return peers_say(
	    world->gateways[place].peers, &word, 42, world->now_ms);
}

static void
stop_at(int place)
{
	peers_on_stop(world->gateways[place].peers, span_of_str("plant/valve"),
	    world->now_ms);
}

/* ---- tests ---- */

static void
test_a_yes_at_one_gateway_lets_go_at_the_other(void **state)
{
	for (int holder = A; holder <= B; holder++) {
		struct gateway *here = &world->gateways[holder],
			       *there = &world->gateways[1 - holder];
		struct span id = hold(holder, "ann");
		size_t before = there->released;

		bring_all();
		assert_int_equal(there->seen, 1);
		assert_string_equal(
		    peers_next(there->peers, NULL)->holder, names[holder]);
		assert_int_equal(say(1 - holder, id, "bob", true), PEERS_SAID);
		bring_all();
		assert_int_equal(here->released, 1);
		assert_int_equal(there->released, before);
		assert_int_equal(there->answers, 0);
		report(holder);
		bring_all();
		assert_int_equal(there->answers, 1);
		assert_true(there->is_answered);
		assert_int_equal(there->answer, APPROVAL_RELEASED);
		assert_string_equal(there->by, "bob");
		assert_int_equal(there->gone, 1);
		assert_null(peers_next(there->peers, NULL));
	}
}

static void
test_a_no_at_one_gateway_denies_at_the_other(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	assert_int_equal(say(B, id, "bob", false), PEERS_SAID);
	bring_all();
	assert_int_equal(world->gateways[A].ended_as, APPROVAL_DENIED);
	assert_int_equal(world->gateways[B].answer, APPROVAL_DENIED);
	assert_int_equal(world->gateways[A].released, 0);
}

static void
test_the_same_identity_at_another_gateway_is_the_same(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	say(B, id, "ann", true);
	bring_all();
	assert_int_equal(world->gateways[A].released, 0);
	assert_true(world->gateways[B].is_answered);
	assert_int_equal(world->gateways[B].answer, APPROVAL_HELD);
	assert_int_equal(world->gateways[B].cause, APPROVAL_SAME_IDENTITY);
}

static void
test_the_holder_judges_roles_by_its_own_policy(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	say(B, id, "abe", true);
	bring_all();
	assert_int_equal(world->gateways[A].released, 0);
	assert_int_equal(world->gateways[B].cause, APPROVAL_NO_ACCESS);
}

static void
test_a_yes_that_comes_again_counts_once(void **state)
{
	struct span id = hold(A, "ann");
	size_t first;

	bring_all();
	first = world->count;
	say(B, id, "bob", true);
	bring_all();
	report(A);
	/* The same command once more: what was said of the first stays. */
	hold(A, "ann");
	bring_all();
	for (size_t i = 0; i < world->count; i++)
		bring(i);
	bring(first);
	assert_int_equal(world->gateways[A].released, 1);
}

static void
test_a_yes_after_the_time_is_too_late(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	say(B, id, "bob", true);
	world->now_ms += 10000; /* the timer is late */
	bring_all();
	assert_int_equal(world->gateways[A].released, 0);
	assert_int_equal(world->gateways[A].ended_as, APPROVAL_EXPIRED);
}

static void
test_nothing_that_was_said_before_a_restart_counts_after_it(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	say(B, id, "bob", true);
	boot(A);
	/* The same id and nonce: as bad as random numbers can be. */
	world->next_id--;
	hold(A, "ann");
	bring_all();
	for (size_t i = 0; i < world->count; i++)
		bring(i);
	assert_int_equal(world->gateways[A].released, 0);
}

static void
test_what_was_said_by_a_gateway_that_has_restarted_is_old(void **state)
{
	size_t stop;

	hold(A, "ann");
	bring_all();
	stop = world->count;
	stop_at(B);
	bring_all();
	assert_int_equal(world->gateways[A].stops, 1);
	boot(B);
	peers_on_connected(world->gateways[B].peers, world->now_ms);
	bring_all();
	pass(PEERS_TELL_MS);
	bring_all();
	bring(stop);
	assert_int_equal(world->gateways[A].stops, 1);
	/* And what it says now is new. */
	hold(A, "ann");
	bring_all();
	stop_at(B);
	bring_all();
	assert_int_equal(world->gateways[A].stops, 2);
}

static void
test_a_stop_at_one_gateway_ends_what_the_other_holds(void **state)
{
	hold(A, "ann");
	bring_all();
	stop_at(B);
	bring_all();
	assert_int_equal(world->gateways[A].ended_as, APPROVAL_SUPERSEDED);
	assert_int_equal(world->gateways[B].gone, 1);
}

static void
test_a_stop_that_was_lost_counts_when_the_command_is_told(void **state)
{
	hold(A, "ann");
	lose_all();
	world->now_ms += 100;
	stop_at(B);
	lose_all();
	pass(PEERS_TELL_MS);
	bring_all();
	assert_int_equal(world->gateways[A].ended_as, APPROVAL_SUPERSEDED);
	/* What came after the stop is not stopped by it. */
	hold(A, "ann");
	bring_all();
	pass(PEERS_TELL_MS);
	bring_all();
	assert_int_equal(world->gateways[A].ended, 1);
}

static void
test_what_is_lost_is_told_again(void **state)
{
	hold(A, "ann");
	lose_all();
	assert_int_equal(world->gateways[B].seen, 0);
	pass(PEERS_TELL_MS);
	bring_all();
	assert_int_equal(world->gateways[B].seen, 1);
	pass(PEERS_TELL_MS);
	bring_all();
	assert_int_equal(world->gateways[B].seen, 1);
}

static void
test_who_waits_for_an_answer_does_not_wait_for_ever(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	say(B, id, "bob", true);
	lose_all();
	assert_int_equal(peers_due_ms(world->gateways[B].peers) <=
			     world->now_ms + PEERS_ANSWER_MS,
	    1);
	pass(PEERS_ANSWER_MS - 1);
	assert_int_equal(world->gateways[B].answers, 0);
	pass(1);
	assert_int_equal(world->gateways[B].answers, 1);
	assert_false(world->gateways[B].is_answered);
	assert_int_equal(world->gateways[A].released, 0);
}

static void
test_who_waits_when_it_ends_is_told_and_what_was_shown_is_gone(void **state)
{
	struct span id = hold(A, "ann");
	struct gateway *there = &world->gateways[B];

	bring_all();
	say(B, id, "bob", true);
	lose_all();
	peers_give_up(there->peers);
	assert_int_equal(there->answers, 1);
	assert_false(there->is_answered);
	assert_int_equal(there->gone, 1);
	assert_null(peers_next(there->peers, NULL));
	peers_give_up(there->peers);
	assert_int_equal(there->answers, 1);
}

static void
test_a_gateway_that_is_silent_is_forgotten(void **state)
{
	struct peers_state states[PEERS_MAX];

	hold(A, "ann");
	bring_all();
	assert_int_equal(
	    peers_states(world->gateways[B].peers, world->now_ms, states), 1);
	assert_true(states[0].is_heard);
	for (int i = 0; i < 3; i++) {
		pass(PEERS_TELL_MS);
		lose_all();
	}
	assert_int_equal(world->gateways[B].gone, 1);
	peers_states(world->gateways[B].peers, world->now_ms, states);
	assert_false(states[0].is_heard);
}

static void
test_order_does_not_matter(void **state)
{
	struct span id = hold(A, "ann");
	size_t from, to;

	bring_all();
	from = world->count;
	pass(PEERS_TELL_MS);
	say(B, id, "bob", true);
	to = world->count;
	while (to-- > from)
		bring(to);
	world->brought = world->count;
	assert_int_equal(world->gateways[A].released, 1);
}

static void
test_a_command_that_nobody_holds_is_known_as_such(void **state)
{
	assert_int_equal(say(B, span_of_str("0123456789abcdef"), "bob", true),
	    PEERS_NO_SUCH);
}

static void
test_what_is_not_signed_by_a_peer_changes_nothing(void **state)
{
	struct ssh_host_key *key =
	    ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	struct span id = hold(A, "ann");
	struct peer_message message;
	struct said *said;
	struct buf forged;

	bring_all();
	say(B, id, "bob", true);
	said = &world->said[world->count - 1];
	assert_int_equal(
	    peer_message_decode(span_of(said->bytes, said->len), &message),
	    PEER_GOOD);
	assert_int_equal(message.kind, PEER_AGREES);
	buf_init(&forged, PEER_MESSAGE_MAX);
	assert_int_equal(peer_message_encode(&message, key, &forged, NULL), 0);
	lose_all();
	peers_on_message(
	    world->gateways[A].peers, buf_span(&forged), world->now_ms);
	/* By A's own key, who is no peer of A's. */
	buf_truncate(&forged, 0);
	assert_int_equal(
	    peer_message_encode(&message, world->keys[A], &forged, NULL), 0);
	peers_on_message(
	    world->gateways[A].peers, buf_span(&forged), world->now_ms);
	/* By nobody, of nobody, at random. */
	peers_on_message(
	    world->gateways[A].peers, span_of_str("let me in"), world->now_ms);
	message.from = span_of_str("west");
	buf_truncate(&forged, 0);
	assert_int_equal(peer_message_encode(&message, key, &forged, NULL), 0);
	peers_on_message(
	    world->gateways[A].peers, buf_span(&forged), world->now_ms);
	assert_int_equal(world->gateways[A].released, 0);
	/* All told as one: a flood does not fill the log. */
	assert_int_equal(world->gateways[A].refusals, 1);
	buf_fini(&forged);
	ssh_host_key_free(key);
}

/* A peer that is honest about who it is, and wrong about the command. */
static void
test_a_word_on_another_command_is_not_one_on_this(void **state)
{
	struct span id = hold(A, "ann");
	uint8_t wrong[APPROVAL_NONCE_BYTES] = {200};
	struct peers_command *seen;

	bring_all();
	seen =
	    (struct peers_command *)peers_next(world->gateways[B].peers, NULL);
	/* Another nonce; then another topic with the right one. */
	for (int i = 0; i < 2; i++) {
		const struct peer_message held = seen->held;

		if (i == 0)
			seen->held.nonce = span_of(wrong, sizeof wrong);
		else
			seen->held.topic = span_of_str("plant/other");
		say(B, id, "bob", true);
		seen->held = held;
		bring_all();
		assert_int_equal(world->gateways[B].answers, i + 1);
		assert_int_equal(
		    world->gateways[B].cause, APPROVAL_INCONSISTENT);
	}
	assert_int_equal(world->gateways[A].released, 0);
	say(B, id, "bob", true);
	bring_all();
	assert_int_equal(world->gateways[A].released, 1);
}

/* A gateway that was taken over shows its own command by another's id. */
static void
test_an_id_that_is_held_here_is_nobody_elses(void **state)
{
	struct span id = hold(A, "ann");

	bring_all();
	assert_int_equal(world->gateways[B].seen, 1);
	world->next_id--;
	assert_true(span_equal(hold(B, "abe"), id));
	bring_all();
	assert_int_equal(world->gateways[A].seen, 0);
	assert_null(peers_find(world->gateways[A].peers, id));
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    EACH(test_a_yes_at_one_gateway_lets_go_at_the_other),
	    EACH(test_a_no_at_one_gateway_denies_at_the_other),
	    EACH(test_the_same_identity_at_another_gateway_is_the_same),
	    EACH(test_the_holder_judges_roles_by_its_own_policy),
	    EACH(test_a_yes_that_comes_again_counts_once),
	    EACH(test_a_yes_after_the_time_is_too_late),
	    EACH(test_nothing_that_was_said_before_a_restart_counts_after_it),
	    EACH(test_what_was_said_by_a_gateway_that_has_restarted_is_old),
	    EACH(test_a_stop_at_one_gateway_ends_what_the_other_holds),
	    EACH(test_a_stop_that_was_lost_counts_when_the_command_is_told),
	    EACH(test_what_is_lost_is_told_again),
	    EACH(test_who_waits_for_an_answer_does_not_wait_for_ever),
	    EACH(
		test_who_waits_when_it_ends_is_told_and_what_was_shown_is_gone),
	    EACH(test_a_gateway_that_is_silent_is_forgotten),
	    EACH(test_order_does_not_matter),
	    EACH(test_a_command_that_nobody_holds_is_known_as_such),
	    EACH(test_what_is_not_signed_by_a_peer_changes_nothing),
	    EACH(test_a_word_on_another_command_is_not_one_on_this),
	    EACH(test_an_id_that_is_held_here_is_nobody_elses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
