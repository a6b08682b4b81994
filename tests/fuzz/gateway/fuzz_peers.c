/*
 * Any bytes as a message between gateways; and, after a byte 1, as the body of
 * one that a peer has signed.  What is read must be written again as it was,
 * and whatever a peer says, nothing is let go of that is not held.
 */

#include "peers.h"
#include "wire.h"

#include <stdlib.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(condition)                                                        \
	do {                                                                   \
		if (!(condition))                                              \
			abort();                                               \
	} while (0)

static struct ssh_host_key *ours, *theirs;
static struct approval_table *table;

static void
on_send(void *arg, const char *to, struct span bytes)
{
	struct peer_message message;

	MUST(strcmp(to, "south") == 0);
	MUST(peer_message_decode(bytes, &message) == PEER_GOOD);
}

static enum approval_cause
on_word(void *arg, const struct peers_word *word)
{
	abort(); /* nothing is held here */
}

static void
on_stop(void *arg, const char *gateway, struct span topic)
{
	MUST(topic.len <= APPROVAL_TOPIC_MAX);
}

static void
on_held(void *arg, const struct peers_command *command)
{
	uint8_t digest[APPROVAL_DIGEST_BYTES];

	MUST(command->held.kind == PEER_HELD);
	MUST(peer_command_digest(&command->held, digest));
}

static void
on_ended(void *arg, const struct peers_command *command,
    const struct peer_message *message)
{
	MUST(command->held.kind == PEER_HELD);
}

static void
on_answered(void *arg, const struct peers_outcome *outcome)
{
	abort(); /* nobody has asked */
}

static void
on_refused(void *arg, struct span from, const char *why, uint64_t more)
{
	MUST(why != NULL);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const struct approval_events events = {.arg = NULL};

	ours = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	theirs = ssh_host_key_generate(SSH_HOST_KEY_ED25519, NULL);
	table = approval_new(&events);
	MUST(ours != NULL && theirs != NULL && table != NULL);
	return 0;
}

static void
check(struct span bytes)
{
	struct peer_message message;
	struct span in = bytes, before, after;
	struct buf again;

	if (peer_message_decode(bytes, &message) != PEER_GOOD)
		return;
	buf_init(&again, PEER_MESSAGE_MAX);
	MUST(peer_message_encode(&message, theirs, &again, NULL) == 0);
	MUST(wire_take_string32(&in, &before));
	in = buf_span(&again);
	MUST(wire_take_string32(&in, &after));
	MUST(span_equal(before, after));
	buf_fini(&again);
}

/* As if the peer had signed whatever this is. */
static void
put_signed(struct span body, struct buf *out)
{
	struct buf signature;

	buf_init(&signature, SSH_SIG_BLOB_MAX);
	MUST(ssh_sig_sign(theirs, PEER_NAMESPACE, body, &signature, NULL) == 0);
	wire_put_string32(out, body);
	wire_put_string32(out, buf_span(&signature));
	buf_fini(&signature);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct peers_peer peer = {
	    .name = "south", .key = ssh_host_key_blob(theirs)};
	const struct peers_options options = {.name = "north",
	    .key = ours,
	    .peers = &peer,
	    .count = 1,
	    .table = table,
	    .events = {on_send, on_word, on_stop, on_held, on_ended,
		on_answered, on_refused, NULL}};
	struct peers *peers = peers_new(&options);
	struct buf bytes;

	MUST(peers != NULL);
	buf_init(&bytes, 2 * PEER_MESSAGE_MAX);
	if (size > 0 && size < PEER_BODY_MAX && data[0] == 1)
		put_signed(span_of(data + 1, size - 1), &bytes);
	else
		wire_put_bytes(&bytes, span_of(data, size));
	check(buf_span(&bytes));
	for (uint64_t now_ms = 1000; now_ms < 4000; now_ms += 1000)
		peers_on_message(peers, buf_span(&bytes), now_ms);
	peers_on_time(peers, 10000);
	peers_free(peers);
	buf_fini(&bytes);
	return 0;
}
