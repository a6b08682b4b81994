#ifndef KAYA_SESSION_H
#define KAYA_SESSION_H

/*
 * session: one SSH connection of a device, from accept to close.
 *
 *	HANDSHAKE --key shown--> OPEN --our end--> ENDING --written--> ENDED
 *
 * It moves bytes between the socket and the ssh_conn, answers the conn's
 * questions (may this key in? may it go there?), and owns the pipes of its
 * channels.
 */

#include "keyring.h"
#include "log.h"
#include "netaddr.h"
#include "quotas.h"
#include "roster.h"
#include "session_certificate.h"
#include "ssh_conn.h"
#include "witness.h"
#include "worker.h"

#include <sys/socket.h>

enum session_state {
	SESSION_HANDSHAKE, /* until the login grace ends */
	SESSION_OPEN,
	SESSION_ENDING, /* DISCONNECT is being written out */
	SESSION_ENDED, /* freed at the end of this turn */
};

/* Whom a log line is about. */
struct session_who {
	uint32_t id; /* of the session; 0: it never became one */
	uint16_t port;
	bool has_key; /* proven: the two below are set */
	struct netaddr address;
	uint8_t key[PUBKEY_DIGEST_BYTES];
	char *identity; /* the owner's to free */
};

struct session {
	struct worker *worker;
	struct session *next;
	struct session **link;
	struct ssh_conn *conn;
	struct snapshot_setup *setup; /* that it began with */
	struct pipe *pipes;
	struct loop_watch watch;
	struct wheel_node deadline;
	struct loop_deferred deferred;
	uint64_t ticket;
	uint64_t since_ms;
	uint64_t heard_ms;
	/* HANDSHAKE: a refusal is told (0: none waits); OPEN: a sign of life is
	 * due (0: not asked for); ENDING: end */
	uint64_t due_ms;
	uint64_t refused; /* HANDSHAKE: of the last key that was counted; or 0
			   */
	uint32_t late_ms; /* that refusals have waited, in all */
	uint8_t *held; /* part of a packet, or input that must wait */
	uint32_t held_len;
	uint32_t source;
	uint8_t state; /* enum session_state */
	uint8_t unanswered; /* keepalives */
	uint8_t codes; /* that were wrong */
	bool is_late; /* HANDSHAKE: it takes nobody's place (worker.h) */
	bool is_unheard; /* sent something before it had its answer */
	bool is_turning; /* inside session_turn: no flush from below */
	struct session_who who;
	struct roster_node roster; /* while OPEN */
	uint32_t entry; /* of the keyring in force */
	struct session_certificate *certificate; /* NULL: it has a plain key */
	/* When its line, or its certificate, lets it in no more: in seconds
	 * since 1970; INT64_MAX: never. */
	int64_t ends_s;
	struct quota *quota; /* its identity's; NULL: not asked for yet */
	const char *why; /* it ended; a constant */
	char *said; /* the same from the conn, or NULL */
	char *sentence; /* of a code's refusal, told late; or NULL */
	uint8_t code; /* of the DISCONNECT, 0: none */
	bool by_peer;
};

/* Takes `fd` over.  Where memory fails it is closed, and NULL returned. */
struct session *session_new(struct worker *worker, int fd,
    const struct sockaddr *peer, uint32_t source);

/* Say good-bye, write out what there is, and end. */
void session_disconnect(
    struct session *session, enum ssh_disconnect reason, const char *why);

/* Whether nothing of it is on its way, in either direction. */
bool session_is_quiet(const struct session *session);

/* The parent's answer to a signature asked for by this session. */
void session_on_signed(struct session *session, struct span signature);

/* The parent's answer to a code, with a sentence for the user. */
void session_on_enrolled(
    struct session *session, enum monitor_enrolled outcome, struct span said);

/* A new snapshot is in force: its key may have been taken out. */
void session_on_snapshot(struct session *session, struct snapshot *snapshot);

/*
 * The same key has come again: give a sign of life within limits.takeover, or
 * make room.
 */
void session_probe(struct session *session);

/* Its deadline has passed. */
void session_on_deadline(struct session *session);

/* Begin a log line with what is known of the session. */
bool session_log(struct log_line *line, enum log_level level,
    const struct session_who *who, const char *event);

/* The same of what the audit log has to know of, too (witness.h). */
void session_witness(struct witness *witness, enum witness_kind kind,
    enum log_level level, const struct session_who *who, const char *event);

/* Somebody of whom nothing is known but the address. */
struct session_who session_who_at(const struct sockaddr *peer);

/* A copy that outlives the session; false where memory fails. */
bool session_who_copy(struct session_who *copy, const struct session_who *who);

/* For the pipes: write out what they left in the conn, wait for the rest. */
void session_flush(struct session *session);

/* For the pipes: pipes_on_deadline is wanted at `at_ms`, and may come before.
 */
void session_look_at(struct session *session, uint64_t at_ms);

/* What its identity has left; NULL where memory fails. */
struct quota *session_quota(struct session *session);

/* For status: one JSON object. */
void session_report(const struct session *session, struct buf *json);

#endif
