#include "peers_private.h"

#include <sys/random.h>

enum { REFUSED_EACH_MS = 1000 };

/* A client of the broker may send as much as it likes: the log is not its. */
static void
refuse(struct peers *peers, struct span from, const char *why, uint64_t now_ms)
{
	if (peers->refused_ms != 0 &&
	    now_ms - peers->refused_ms < REFUSED_EACH_MS) {
		peers->refused_more++;
		return;
	}
	peers->events.refused(
	    peers->events.arg, from, why, peers->refused_more);
	peers->refused_ms = now_ms;
	peers->refused_more = 0;
}

static struct peers_peer_state *
peer_of(struct peers *peers, struct span name)
{
	for (size_t i = 0; i < peers->count; i++)
		if (span_is(name, peers->peers[i].name))
			return &peers->peers[i];
	return NULL;
}

/* ---- a word on what is held here ---- */

static void
answer(struct peers *peers, struct peers_peer_state *to, uint64_t request,
    enum approval_cause cause)
{
	struct peer_message message = {.kind = PEER_ANSWER,
	    .request = request,
	    .state = APPROVAL_HELD,
	    .cause = (uint8_t)cause};

	peers_send(peers, to, NULL, &message);
}

/* Whether the word is about this very command, and all that it is. */
static enum approval_cause
check(
    const struct peers *peers, const struct peer_message *word, uint64_t now_ms)
{
	const struct approval_command *command =
	    approval_look(peers->table, word->id);
	uint8_t digest[APPROVAL_DIGEST_BYTES];
	struct peer_message held;

	if (command == NULL)
		return APPROVAL_NOT_SELECTED;
	peers_describe(command, now_ms, &held);
	if (!peer_command_digest(&held, digest) ||
	    !span_equal(held.nonce, word->nonce) ||
	    !span_equal(word->command, span_of(digest, sizeof digest)))
		return APPROVAL_INCONSISTENT;
	return APPROVAL_NONE;
}

static struct peers_debt *
owe(struct peers *peers, struct peers_peer_state *asker,
    const struct peer_message *word)
{
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++) {
		struct peers_debt *debt = &peers->debts[i];

		if (debt->asker != NULL)
			continue;
		*debt = (struct peers_debt){
		    .request = word->request, .asker = asker};
		(void)span_to_str(word->id, debt->id, sizeof debt->id);
		return debt;
	}
	return NULL;
}

static void
take_word(struct peers *peers, struct peers_peer_state *from,
    const struct peer_message *message, uint64_t now_ms)
{
	const struct peers_word word = {.gateway = from->name,
	    .id = message->id,
	    .identity = message->identity,
	    .role = message->role,
	    .reason = message->reason,
	    .agrees = message->kind == PEER_AGREES};
	enum approval_cause cause = check(peers, message, now_ms);
	struct peers_debt *debt = NULL;

	if (cause == APPROVAL_NONE) {
		/* Before: its end may come while it is taken. */
		debt = owe(peers, from, message);
		cause = debt == NULL
			    ? APPROVAL_TABLE_FULL
			    : peers->events.word(peers->events.arg, &word);
	}
	if (cause == APPROVAL_NONE)
		return; /* peers_on_ended answers */
	if (debt != NULL)
		debt->asker = NULL;
	answer(peers, from, message->request, cause);
}

static void
take_answer(struct peers *peers, const struct peers_peer_state *from,
    const struct peer_message *message)
{
	for (size_t i = 0; i < PEERS_REQUESTS_MAX; i++) {
		struct peers_request *request = &peers->requests[i];

		if (request->until_ms != 0 && request->holder == from &&
		    request->number == message->request) {
			peers_settle(peers, request, message);
			return;
		}
	}
}

/* ---- messages ---- */

static void
act(struct peers *peers, struct peers_peer_state *from,
    const struct peer_message *message, struct span bytes, uint64_t now_ms)
{
	switch (message->kind) {
	case PEER_HELD:
		peers_view_hold(peers, from, message, bytes, now_ms);
		break;
	case PEER_ENDED:
		peers_view_end(peers, from, message);
		break;
	case PEER_AGREES:
	case PEER_DENIES:
		take_word(peers, from, message, now_ms);
		break;
	case PEER_ANSWER:
		take_answer(peers, from, message);
		break;
	case PEER_STOP:
		peers->events.stop(
		    peers->events.arg, from->name, message->topic);
		break;
	default:
		break; /* HELLO: that it came is all of it */
	}
}

static void
take(struct peers *peers, struct peers_peer_state *from,
    const struct peer_message *message, struct span bytes, uint64_t now_ms)
{
	struct peer_message hello = {.kind = PEER_HELLO};
	uint8_t random[PEER_TOKEN_BYTES];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return;
	switch (peer_link_take(&from->link, message, random, now_ms)) {
	case PEER_LINK_OLD:
		return;
	case PEER_LINK_ASK:
		peers_send(peers, from, message, &hello);
		return;
	case PEER_LINK_NEW_BOOT:
		/* What it held before, it does not hold any more. */
		peers_view_forget(peers, from);
		peers_tell_all(peers, from, now_ms);
		break;
	case PEER_LINK_NEW:
		break;
	}
	from->heard_ms = now_ms;
	act(peers, from, message, bytes, now_ms);
}

void
peers_on_message(struct peers *peers, struct span bytes, uint64_t now_ms)
{
	struct peer_message message;
	struct peers_peer_state *from;
	enum peer_verdict verdict = peer_message_decode(bytes, &message);

	if (verdict != PEER_GOOD) {
		refuse(peers, span_of(NULL, 0), peer_verdict_text(verdict),
		    now_ms);
		return;
	}
	/* One of ours that comes back, or one for somebody else. */
	if (!span_is(message.to, peers->name))
		return;
	from = peer_of(peers, message.from);
	if (from == NULL) {
		refuse(peers, message.from,
		    "no gateway of this name stands under gateway.peers",
		    now_ms);
		return;
	}
	verdict = peer_message_verify(bytes, from->key);
	if (verdict != PEER_GOOD)
		refuse(peers, message.from, peer_verdict_text(verdict), now_ms);
	else
		take(peers, from, &message, bytes, now_ms);
}
