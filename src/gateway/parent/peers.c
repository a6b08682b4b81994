#include "peers_private.h"

#include "log.h"
#include "sha256.h"

#include <stdlib.h>
#include <sys/random.h>

/* ---- life ---- */

static bool
add(struct peers *peers, const struct peers_peer *peer)
{
	struct peers_peer_state *state = &peers->peers[peers->count];
	uint8_t random[PEER_TOKEN_BYTES], *key = malloc(peer->key.len);

	if (key == NULL)
		return false;
	memcpy(key, peer->key.data, peer->key.len);
	state->key = span_of(key, peer->key.len);
	peers->count++;
	(void)span_to_str(
	    span_of_str(peer->name), state->name, sizeof state->name);
	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return false;
	peer_link_init(&state->link, random);
	return true;
}

struct peers *
peers_new(const struct peers_options *options)
{
	struct peers *peers = calloc(1, sizeof *peers);

	if (peers == NULL)
		return NULL;
	(void)span_to_str(
	    span_of_str(options->name), peers->name, sizeof peers->name);
	peers->key = options->key;
	peers->table = options->table;
	peers->events = options->events;
	if (getrandom(peers->boot, sizeof peers->boot, 0) !=
	    (ssize_t)sizeof peers->boot)
		goto fail;
	for (size_t i = 0; i < options->count && i < PEERS_MAX; i++)
		if (!add(peers, &options->peers[i]))
			goto fail;
	return peers;
fail:
	peers_free(peers);
	return NULL;
}

void
peers_free(struct peers *peers)
{
	if (peers == NULL)
		return;
	while (peers->view != NULL) {
		struct peers_command *command = peers->view;

		peers->view = command->next;
		free(command);
	}
	for (size_t i = 0; i < peers->count; i++)
		free((void *)peers->peers[i].key.data);
	free(peers);
}

/* ---- what is said ---- */

void
peers_send(struct peers *peers, struct peers_peer_state *to,
    const struct peer_message *to_unknown, struct peer_message *message)
{
	struct err err = ERR_INIT;
	struct buf bytes;

	message->from = span_of_str(peers->name);
	message->to = span_of_str(to->name);
	peer_link_fill(&to->link, peers->boot, to_unknown, message);
	buf_init(&bytes, PEER_MESSAGE_MAX);
	if (peer_message_encode(message, peers->key, &bytes, &err) == 0)
		peers->events.send(
		    peers->events.arg, to->name, buf_span(&bytes));
	else
		log_err(LOG_LEVEL_ERROR, "peers", "unsaid", &err);
	buf_fini(&bytes);
}

static void
send_all(struct peers *peers, struct peer_message *message)
{
	for (size_t i = 0; i < peers->count; i++)
		peers_send(peers, &peers->peers[i], NULL, message);
}

void
peers_describe(const struct approval_command *command, uint64_t now_ms,
    struct peer_message *held)
{
	*held = (struct peer_message){
	    .kind = PEER_HELD,
	    .id = span_of_str(command->id),
	    .nonce = span_of(command->nonce, sizeof command->nonce),
	    .rule = span_of_str(command->rule_name),
	    .publisher = span_of_str(command->publisher),
	    .topic = command->topic,
	    .digest = span_of(command->digest, sizeof command->digest),
	    .bytes = command->bytes,
	    .qos = command->qos,
	    .is_text = command->text.data != NULL,
	    .text = command->text,
	    .held_ms = now_ms - command->since_ms,
	    .left_ms =
		command->until_ms > now_ms ? command->until_ms - now_ms : 0,
	};
	if (held->text.len > APPROVAL_TEXT_MAX) {
		held->is_text = 0;
		held->text = span_of(NULL, 0);
	}
}

/* What another gateway could help with: a person's word lets it go. */
static bool
is_for_others(const struct approval_command *command)
{
	return command->state == APPROVAL_HELD && command->rule != NULL &&
	       command->rule->mode == POLICY_HOLD;
}

void
peers_tell_all(
    struct peers *peers, struct peers_peer_state *to, uint64_t now_ms)
{
	struct peer_message message = {.kind = PEER_HELLO};
	const struct approval_command *command;
	size_t place = 0;

	peers_send(peers, to, NULL, &message);
	while ((command = approval_next(peers->table, &place)) != NULL)
		if (is_for_others(command)) {
			peers_describe(command, now_ms, &message);
			peers_send(peers, to, NULL, &message);
		}
}

void
peers_on_connected(struct peers *peers, uint64_t now_ms)
{
	peers->tell_ms = now_ms;
	peers_on_time(peers, now_ms);
}

void
peers_on_held(struct peers *peers, const struct approval_command *command,
    uint64_t now_ms)
{
	struct peer_message message;

	if (!is_for_others(command))
		return;
	peers_describe(command, now_ms, &message);
	send_all(peers, &message);
}

/* ---- stops ---- */

void
peers_tell_stop(
    struct peers *peers, struct peers_peer_state *holder, struct span topic)
{
	struct peer_message message = {.kind = PEER_STOP, .topic = topic};

	peers_send(peers, holder, NULL, &message);
}

bool
peers_was_stopped(
    const struct peers *peers, struct span topic, uint64_t since_ms)
{
	uint8_t digest[APPROVAL_DIGEST_BYTES];

	if (sha256_of(topic, digest) != 0)
		return false;
	for (size_t i = 0; i < PEERS_STOPS_MAX; i++)
		if (peers->stops[i].at_ms > since_ms &&
		    memcmp(peers->stops[i].topic, digest, sizeof digest) == 0)
			return true;
	return false;
}

/* In the topic's place, or in the oldest one's. */
static void
remember_stop(struct peers *peers, struct span topic, uint64_t now_ms)
{
	uint8_t digest[APPROVAL_DIGEST_BYTES];
	size_t i;

	if (sha256_of(topic, digest) != 0)
		return;
	for (i = 0; i < PEERS_STOPS_MAX; i++)
		if (peers->stops[i].at_ms != 0 &&
		    memcmp(peers->stops[i].topic, digest, sizeof digest) == 0)
			break;
	if (i == PEERS_STOPS_MAX) {
		i = peers->next_stop;
		peers->next_stop = (i + 1) % PEERS_STOPS_MAX;
	}
	memcpy(peers->stops[i].topic, digest, sizeof digest);
	peers->stops[i].at_ms = now_ms;
}

void
peers_on_stop(struct peers *peers, struct span topic, uint64_t now_ms)
{
	if (topic.len > APPROVAL_TOPIC_MAX)
		return; /* nothing is held for such */
	remember_stop(peers, topic, now_ms);
	for (size_t i = 0; i < peers->count; i++) {
		const struct peers_command *command = peers->view;

		while (command != NULL &&
		       (command->holder != peers->peers[i].name ||
			   !span_equal(command->held.topic, topic)))
			command = command->next;
		if (command != NULL)
			peers_tell_stop(peers, &peers->peers[i], topic);
	}
}

/* ---- ends ---- */

void
peers_on_ended(struct peers *peers, const struct approval_command *command)
{
	struct peer_message message = {.kind = PEER_ENDED,
	    .id = span_of_str(command->id),
	    .nonce = span_of(command->nonce, sizeof command->nonce),
	    .state = (uint8_t)command->state,
	    .cause = (uint8_t)command->cause,
	    .by = span_of_str(command->by)};

	/* Who asked learns it from his own answer: before the others' word. */
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++) {
		struct peers_debt *debt = &peers->debts[i];
		struct peer_message answer = message;

		if (debt->asker == NULL || strcmp(debt->id, command->id) != 0)
			continue;
		answer.kind = PEER_ANSWER;
		answer.request = debt->request;
		peers_send(peers, debt->asker, NULL, &answer);
		debt->asker = NULL;
	}
	send_all(peers, &message);
}

/* ---- our word ---- */

static struct peers_request *
free_request(struct peers *peers)
{
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++)
		if (peers->requests[i].until_ms == 0)
			return &peers->requests[i];
	return NULL;
}

static struct peers_peer_state *
holder_of(struct peers *peers, const struct peers_command *command)
{
	for (size_t i = 0; i < peers->count; i++)
		if (peers->peers[i].name == command->holder)
			return &peers->peers[i];
	return NULL;
}

enum peers_said
peers_say(struct peers *peers, const struct peers_word *word, uint64_t ticket,
    uint64_t now_ms)
{
	const struct peers_command *command = peers_find(peers, word->id);
	struct peers_request *request = free_request(peers);
	uint8_t digest[APPROVAL_DIGEST_BYTES];
	struct peer_message message;
	struct peers_peer_state *holder =
	    command == NULL ? NULL : holder_of(peers, command);

	if (holder == NULL)
		return PEERS_NO_SUCH;
	if (request == NULL || !peer_command_digest(&command->held, digest))
		return PEERS_TOO_MANY;
	message = (struct peer_message){
	    .kind = word->agrees ? PEER_AGREES : PEER_DENIES,
	    .id = command->held.id,
	    .nonce = command->held.nonce,
	    .request = ++peers->last_request,
	    .command = span_of(digest, sizeof digest),
	    .identity = word->identity,
	    .role = word->role,
	    .reason = word->reason};
	if (message.reason.len > APPROVAL_REASON_MAX)
		message.reason.len = APPROVAL_REASON_MAX;
	*request = (struct peers_request){.number = message.request,
	    .ticket = ticket,
	    .until_ms = now_ms + PEERS_ANSWER_MS,
	    .holder = holder};
	(void)span_to_str(word->id, request->id, sizeof request->id);
	peers_send(peers, request->holder, NULL, &message);
	return PEERS_SAID;
}

void
peers_settle(struct peers *peers, struct peers_request *request,
    const struct peer_message *answer)
{
	char by[STR_NAME_MAX + 1] = "";
	const struct peers_request settled = *request;
	struct peers_outcome outcome = {.ticket = settled.ticket,
	    .holder = settled.holder->name,
	    .state = APPROVAL_HELD,
	    .id = settled.id,
	    .by = by,
	    .command = peers_find(peers, span_of_str(settled.id))};

	request->until_ms = 0;
	if (answer != NULL) {
		outcome.is_answered = true;
		outcome.state = (enum approval_state)answer->state;
		outcome.cause = (enum approval_cause)answer->cause;
		(void)span_to_str(answer->by, by, sizeof by);
	}
	peers->events.answered(peers->events.arg, &outcome);
}

void
peers_give_up(struct peers *peers)
{
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++)
		if (peers->requests[i].until_ms != 0)
			peers_settle(peers, &peers->requests[i], NULL);
	for (size_t i = 0; i < peers->count; i++)
		peers_view_forget(peers, &peers->peers[i]);
}

/* ---- time ---- */

uint64_t
peers_due_ms(const struct peers *peers)
{
	uint64_t due = peers->tell_ms;

	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++)
		if (peers->requests[i].until_ms != 0 &&
		    peers->requests[i].until_ms < due)
			due = peers->requests[i].until_ms;
	return due;
}

void
peers_on_time(struct peers *peers, uint64_t now_ms)
{
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++)
		if (peers->requests[i].until_ms != 0 &&
		    now_ms >= peers->requests[i].until_ms)
			peers_settle(peers, &peers->requests[i], NULL);
	peers_view_on_time(peers, now_ms);
	if (now_ms < peers->tell_ms)
		return;
	peers->tell_ms = now_ms + PEERS_TELL_MS;
	for (size_t i = 0; i < peers->count; i++)
		peers_tell_all(peers, &peers->peers[i], now_ms);
}

size_t
peers_states(const struct peers *peers, uint64_t now_ms,
    struct peers_state states[PEERS_MAX])
{
	for (size_t i = 0; i < peers->count; i++)
		states[i] = (struct peers_state){.name = peers->peers[i].name,
		    .is_heard =
			peers->peers[i].heard_ms != 0 &&
			now_ms - peers->peers[i].heard_ms < PEERS_FORGET_MS};
	return peers->count;
}
