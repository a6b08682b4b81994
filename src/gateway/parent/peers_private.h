#ifndef KAYA_PEERS_PRIVATE_H
#define KAYA_PEERS_PRIVATE_H

/*
 * What the modules behind peers.h share.  Nobody else includes it.
 *
 *	peers        life, time, what is said
 *	peers_take   what is heard
 *	peers_view   what others hold
 */

#include "peers.h"

struct peers_peer_state {
	char name[STR_NAME_MAX + 1];
	struct span key; /* own memory */
	struct peer_link link;
	uint64_t heard_ms; /* 0: never */
};

/* Our word, on its way; `until_ms` 0: free. */
struct peers_request {
	uint64_t number; /* of the message */
	uint64_t ticket;
	uint64_t until_ms;
	char id[APPROVAL_ID_DIGITS + 1];
	struct peers_peer_state *holder;
};

/* A safe state that passed here. */
struct peers_stop {
	uint8_t topic[APPROVAL_DIGEST_BYTES]; /* SHA-256 */
	uint64_t at_ms; /* 0: free */
};

/* Another gateway waits for what comes of its word. */
struct peers_debt {
	uint64_t request; /* its number */
	struct peers_peer_state *asker; /* NULL: free */
	char id[APPROVAL_ID_DIGITS + 1];
};

struct peers {
	char name[STR_NAME_MAX + 1];
	uint8_t boot[PEER_TOKEN_BYTES];
	const struct ssh_host_key *key;
	const struct approval_table *table;
	struct peers_events events;
	struct peers_peer_state peers[PEERS_MAX];
	size_t count;
	struct peers_command *view;
	size_t view_count;
	struct peers_request requests[PEERS_REQUESTS_MAX];
	uint64_t last_request;
	struct peers_debt debts[PEERS_REQUESTS_MAX];
	struct peers_stop stops[PEERS_STOPS_MAX]; /* a ring */
	size_t next_stop;
	uint64_t tell_ms; /* when HELLO and HELD go out again */
	uint64_t refused_ms, refused_more;
};

/* ---- peers ---- */

/*
 * Send it to one of them; the link's part is filled in here.  `to_unknown` as
 * peer_link_fill has it.
 */
void peers_send(struct peers *peers, struct peers_peer_state *to,
    const struct peer_message *to_unknown, struct peer_message *message);

/* HELLO and all that is held here. */
void peers_tell_all(
    struct peers *peers, struct peers_peer_state *to, uint64_t now_ms);

/* A command of ours as others are told of it. */
void peers_describe(const struct approval_command *command, uint64_t now_ms,
    struct peer_message *held);

/* A safe state of this topic passed here after `since_ms`: tell its holder. */
void peers_tell_stop(
    struct peers *peers, struct peers_peer_state *holder, struct span topic);
bool peers_was_stopped(
    const struct peers *peers, struct span topic, uint64_t since_ms);

/* What came of a request of ours, and it is free. */
void peers_settle(struct peers *peers, struct peers_request *request,
    const struct peer_message *answer);

/* ---- peers_view ---- */

/* A HELD came. */
void peers_view_hold(struct peers *peers, struct peers_peer_state *from,
    const struct peer_message *held, struct span bytes, uint64_t now_ms);
/* An ENDED came. */
void peers_view_end(struct peers *peers, const struct peers_peer_state *from,
    const struct peer_message *ended);
/* Forget all of one holder's (it has just started); what is out of date. */
void peers_view_forget(
    struct peers *peers, const struct peers_peer_state *from);
void peers_view_on_time(struct peers *peers, uint64_t now_ms);

#endif
