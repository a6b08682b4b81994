#ifndef KAYA_PEER_MESSAGE_H
#define KAYA_PEER_MESSAGE_H

/*
 * peer_message: what gateways before one broker say to each other, as bytes.
 *
 *	string32 body, string32 signature
 *	body:  version, kind, from, to, boot, challenge, echo, seq, the kind's
 *own
 *
 * The signature is an SSHSIG (ssh_sig.h) of the body by the sender's host key,
 * namespace "kaya-gateway": the broker, and whoever may publish at it, can
 * bring, hold back, repeat and reorder messages, and make none.  peer_link.h
 * tells what is new from what is repeated.
 *
 * Integers are big-endian, texts have a length of 32 bits before them (SSH).
 * A message has one encoding: what is not written as peer_message_encode
 * writes it is not read.  Pure.
 */

#include "approval.h"
#include "ssh_sig.h"

#define PEER_NAMESPACE "kaya-gateway"

enum {
	PEER_VERSION = 1,
	PEER_TOKEN_BYTES = 16, /* boot, challenge, echo */
	PEER_BODY_MAX = 3072, /* bytes */
	PEER_MESSAGE_MAX = 4096 /* bytes, with the signature */
};

#define PEER_KINDS(X)                                                          \
	X(PEER_HELLO, "hello") /* I am here */                                 \
	X(PEER_HELD, "held") /* this is held here: said again and again */     \
	X(PEER_ENDED, "ended") /* it is not any more */                        \
	X(PEER_AGREES, "agrees") /* to what the receiver holds */              \
	X(PEER_DENIES, "denies") /* the same */                                \
	X(PEER_ANSWER, "answer") /* what came of the two */                    \
	X(PEER_STOP, "stop") /* a safe state passed here */

enum peer_kind {
#define X(kind, name) kind,
	PEER_KINDS(X)
#undef X
	    PEER_KIND_COUNT
};

const char *peer_kind_name(enum peer_kind kind);

/* Every span is borrowed: from the caller, or from the bytes that were read. */
struct peer_message {
	uint8_t kind; /* enum peer_kind */
	struct span from, to; /* the gateways' names */
	struct span boot; /* the sender's, new at each start of it */
	struct span challenge; /* the sender's, for the receiver to echo */
	struct span echo; /* the receiver's challenge; zeros: not known */
	uint64_t seq; /* counts the sender's messages to this receiver */

	/* HELD, ENDED, AGREES, DENIES: which command */
	struct span id; /* APPROVAL_ID_DIGITS */
	struct span nonce; /* APPROVAL_NONCE_BYTES, the holder's */
	/* HELD; and topic alone: STOP */
	struct span rule, publisher, topic;
	struct span digest; /* of the payload */
	struct span text; /* of the payload; at most APPROVAL_TEXT_MAX */
	uint8_t is_text; /* `text` is the payload */
	uint8_t qos;
	uint64_t bytes; /* of payload */
	uint64_t held_ms, left_ms; /* since when, until when */
	/* ENDED, ANSWER */
	uint8_t state; /* enum approval_state; ANSWER: HELD where it still is */
	uint8_t cause; /* enum approval_cause */
	struct span by; /* who agreed or denied; may be empty */
	/* AGREES, DENIES, ANSWER */
	uint64_t request; /* the asker's, to know the answer by */
	/* AGREES, DENIES */
	struct span command; /* peer_command_digest of what was agreed to */
	struct span identity, role; /* whose word it is; role may be empty */
	struct span reason; /* DENIES; may be empty */
};

enum peer_verdict {
	PEER_GOOD,
	PEER_MALFORMED,
	PEER_OTHER_VERSION,
	PEER_BAD_SIGNATURE, /* or by another key than `key` */
	PEER_NO_MEMORY
};
const char *peer_verdict_text(enum peer_verdict verdict);

/*
 * Read a message, without looking at its signature: nothing in it is true
 * until peer_message_verify says so.  GOOD, MALFORMED or OTHER_VERSION.
 */
enum peer_verdict peer_message_decode(
    struct span bytes, struct peer_message *message);

/* Whether `key` (a public key's blob) has signed it. */
enum peer_verdict peer_message_verify(struct span bytes, struct span key);

/*
 * Append the message, signed by `key`.  -1 and `err` where that fails, or
 * where what is in it could not be read again.
 */
int peer_message_encode(const struct peer_message *message,
    const struct ssh_host_key *key, struct buf *out, struct err *err);

/*
 * SHA-256 over all that a command is (id, nonce, rule, publisher, topic,
 * digest, bytes, qos of a HELD): what an AGREES is given for.  False: no
 * memory.
 */
bool peer_command_digest(
    const struct peer_message *held, uint8_t digest[APPROVAL_DIGEST_BYTES]);

#endif
