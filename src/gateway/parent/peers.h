#ifndef KAYA_PEERS_H
#define KAYA_PEERS_H

/*
 * peers: the other gateways before the same broker, as the parent knows them.
 *
 *	holder                  broker                     another gateway
 *	a command is held  --- HELD, again and again ---> shown as pending
 *	agree, deny       <--- AGREES, DENIES -------     somebody says so
 *	what came of it    --- ANSWER, ENDED -----------> told to who asked
 *	                  <--- STOP ----------------      a safe state passes
 *
 * Only the holder lets go, and decides by its own table (approval.h); what it
 * hears from another gateway is the word of a person who is logged in there,
 * on the command of that id, nonce and digest, and counts once.  A lost message
 * is as if nothing had been said; HELD comes again, and who waits for an ANSWER
 * is told that there was none.
 *
 * No I/O: bytes come in and go out by calls, time is an argument; random bytes
 * are getrandom(2)'s.
 */

#include "peer_link.h"

enum {
	PEERS_MAX = 16,
	PEERS_COMMANDS_MAX = 1024, /* of all others, at one time */
	PEERS_REQUESTS_MAX = 256, /* of ours, that wait for an answer */
	PEERS_TELL_MS = 2000, /* HELLO, and HELD of all that is held */
	PEERS_FORGET_MS = 3 * PEERS_TELL_MS, /* not heard of for so long */
	PEERS_STOPS_MAX = 64,
	PEERS_ANSWER_MS = 6000 /* patience with another gateway */
};

struct peers;

/* What another gateway holds. */
struct peers_command {
	struct peers_command *next;
	const char *holder; /* its name */
	struct peer_message held; /* spans are its own */
	uint64_t since_ms, until_ms, heard_ms; /* by our clock */
	uint8_t bytes[]; /* the message */
};

/* Somebody's word on what is held at another gateway than his. */
struct peers_word {
	const char *gateway; /* where he is */
	struct span id, identity, role, reason;
	bool agrees;
};

/* What came of our word on what another one holds. */
struct peers_outcome {
	uint64_t ticket; /* as given to peers_say */
	const char *holder;
	bool is_answered; /* false: it did not answer, or left */
	enum approval_state state; /* HELD: it changed nothing; see cause */
	enum approval_cause cause;
	const char *id, *by; /* by: "": nobody */
	/* What it was about, where that is still known, else NULL. */
	const struct peers_command *command;
};

struct peers_events {
	/* Have it published at the topic (peers_topic's) of that gateway. */
	void (*send)(void *arg, const char *to, struct span bytes);
	/* A word on `command`, which is held here: NONE where it was taken,
	 * else why not. */
	enum approval_cause (*word)(void *arg, const struct peers_word *word);
	/* Another gateway has passed a safe state of this topic. */
	void (*stop)(void *arg, const char *gateway, struct span topic);
	/* Another gateway holds this now; does not any more. */
	void (*held)(void *arg, const struct peers_command *command);
	void (*ended)(void *arg, const struct peers_command *command,
	    const struct peer_message *message);
	void (*answered)(void *arg, const struct peers_outcome *outcome);
	/* A message that is not believed; not told of more than one a second,
	 * `more` counts the others. */
	void (*refused)(
	    void *arg, struct span from, const char *why, uint64_t more);
	void *arg;
};

struct peers_peer {
	const char *name;
	struct span key; /* its public host key, as a blob */
};

struct peers_options {
	const char *name; /* ours */
	const struct ssh_host_key *key; /* ours; outlives it */
	const struct peers_peer *peers; /* copied */
	size_t count;
	const struct approval_table *table; /* what is held here; outlives it */
	struct peers_events events;
};

/* NULL where memory or random bytes fail. */
struct peers *peers_new(const struct peers_options *options);
void peers_free(struct peers *peers); /* NULL is fine */

/* A message came by the broker: from whom, nobody vouches for. */
void peers_on_message(struct peers *peers, struct span bytes, uint64_t now_ms);

/* The way to the broker is there: everybody is told where we stand. */
void peers_on_connected(struct peers *peers, uint64_t now_ms);

/* What is held here, from `held` and `ended` of approval_events. */
void peers_on_held(struct peers *peers, const struct approval_command *command,
    uint64_t now_ms);
void peers_on_ended(
    struct peers *peers, const struct approval_command *command);
/*
 * A safe state passed here.  Those who hold something older for the topic are
 * told, now or when they tell of it: PEERS_STOPS_MAX topics are remembered.
 */
void peers_on_stop(struct peers *peers, struct span topic, uint64_t now_ms);

enum peers_said {
	PEERS_NO_SUCH, /* no other gateway holds it */
	PEERS_SAID, /* `answered` follows, PEERS_ANSWER_MS at the latest */
	PEERS_TOO_MANY /* wait for an answer already; or no memory */
};

/* `word->gateway` is not looked at. */
enum peers_said peers_say(struct peers *peers, const struct peers_word *word,
    uint64_t ticket, uint64_t now_ms);

/* Before it is freed: who waits for an answer is told that there is none, and
 * what others hold has ended as far as is known here. */
void peers_give_up(struct peers *peers);

/* When peers_on_time is to be called next. */
uint64_t peers_due_ms(const struct peers *peers);
void peers_on_time(struct peers *peers, uint64_t now_ms);

/* What others hold, from NULL on; NULL: no more. */
const struct peers_command *peers_next(
    const struct peers *peers, const struct peers_command *command);
const struct peers_command *peers_find(
    const struct peers *peers, struct span id);

/* How it is with each of them, for status. */
struct peers_state {
	const char *name;
	bool is_heard; /* in the last PEERS_FORGET_MS */
};
size_t peers_states(const struct peers *peers, uint64_t now_ms,
    struct peers_state states[PEERS_MAX]);

#endif
