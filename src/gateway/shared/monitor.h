#ifndef KAYA_MONITOR_H
#define KAYA_MONITOR_H

/*
 * monitor: what the two processes of kayad say to each other.
 *
 * The parent holds the files, the host keys and the way to the brokers; the
 * child holds what a peer's bytes touch.  Each thread of the child has a
 * socket pair of its own (SOCK_SEQPACKET: one message a packet), the child's
 * control has one more.  The parent takes every message as coming from an
 * enemy: it signs nothing but exchange hashes and connects to nothing but the
 * configured brokers.
 */

#include "loop.h"
#include "span.h"

/* name, who sends it, what `value` and the payload are. */
#define MONITOR_OPS(X)                                                         \
	/* child: value = index of the host key; payload = u8 length and */    \
	/* name of the algorithm, then the exchange hash */                    \
	X(MONITOR_SIGN)                                                        \
	/* parent: payload = the signature blob, empty where it failed */      \
	X(MONITOR_SIGNED)                                                      \
	/* child: value = a bit for each broker that may be connected to; */   \
	/* payload = the snapshot's generation by which they are counted */    \
	X(MONITOR_CONNECT)                                                     \
	/* parent: value = index of the broker, or -1; the descriptor, or */   \
	/* payload = why there is none */                                      \
	X(MONITOR_CONNECTED)                                                   \
	/* child: who is let in would ask the gateway itself; payload = */     \
	/* string32 of identity, role, address; answered by MONITOR_CONNECTED, \
	 * value MONITOR_CONTROL */                                            \
	X(MONITOR_ASK)                                                         \
	/* child: for the audit log (witness.h); value = enum witness_kind */  \
	X(MONITOR_WITNESS)                                                     \
	/* child: who has proven a key asks to be let in by a code; payload */ \
	/* = string32 of the address, the code (28 bytes: its secret, its */   \
	/* host), the key's blob */                                            \
	X(MONITOR_ENROLL)                                                      \
	/* parent: value = enum monitor_enrolled; payload = a sentence for */  \
	/* the user */                                                         \
	X(MONITOR_ENROLLED)                                                    \
	/* child: somebody else has to decide; value = enum access_asking; */  \
	/* payload = struct monitor_question (monitor_approval.h) */           \
	X(MONITOR_QUESTION)                                                    \
	/* parent: value = enum monitor_decision; payload = struct */          \
	/* monitor_decided */                                                  \
	X(MONITOR_DECIDED)                                                     \
	/* child: what became of a held publish; value = enum */               \
	/* approval_state; payload = u32 its number */                         \
	X(MONITOR_REPORT)                                                      \
	/* child: the connection that asked is gone */                         \
	X(MONITOR_GONE)                                                        \
	/* child: a safe state passes; payload = the topic */                  \
	X(MONITOR_STOPPED)                                                     \
	/* child: value = enum access_permit; payload = monitor_question */    \
	X(MONITOR_PERMIT)                                                      \
	/* child: refused before it was held; value = enum approval_cause; */  \
	/* payload = monitor_question */                                       \
	X(MONITOR_NOT_HELD)                                                    \
	/* parent: to who listens; value = enum access_own; payload = */       \
	/* struct monitor_told */                                              \
	X(MONITOR_TELL)                                                        \
	/* parent to the first thread: have a connection to one of these */    \
	/* brokers (value = a bit for each, 0: none) for what gateways say; */ \
	/* payload = struct monitor_peers_start */                             \
	X(MONITOR_PEERS_START)                                                 \
	/* child: value = 1: it is there, 0: it is not; payload = why not */   \
	X(MONITOR_PEERS_STATE)                                                 \
	/* parent: publish there; payload = string16 topic, the message */     \
	X(MONITOR_PEERS_SAY)                                                   \
	/* child: a message came; payload = it */                              \
	X(MONITOR_PEERS_HEARD)                                                 \
	/* parent to control: a descriptor of a sealed memfd (snapshot.h) */   \
	X(MONITOR_SNAPSHOT)                                                    \
	/* control: the snapshot of generation `ticket` is in force (value 0), \
	 * or refused (-1, payload = why) */                                   \
	X(MONITOR_IN_FORCE)                                                    \
	/* parent to control: stop accepting, drain, end; value = ms allowed   \
	 */                                                                    \
	X(MONITOR_DRAIN)                                                       \
	/* parent to control: report what is going on (ticket is returned) */  \
	X(MONITOR_STATUS)                                                      \
	/* control: a descriptor of a memfd with one JSON object */            \
	X(MONITOR_STATUS_REPLY)

enum monitor_op {
#define X(op) op,
	MONITOR_OPS(X)
#undef X
	    MONITOR_OPS_COUNT
};

/* A "broker" that is none: the gateway itself. */
enum { MONITOR_CONTROL = -2 };

enum monitor_enrolled {
	MONITOR_ENROLLED_REFUSED,
	MONITOR_ENROLLED_WRONG_CODE, /* another one may be tried */
	MONITOR_ENROLLED_IN /* the key is in force */
};

/* Room for the largest key (PUBKEY_MAX_BYTES) and what is said of it. */
enum { MONITOR_PAYLOAD_MAX = 4096 + 128 };

struct monitor_message {
	uint32_t op; /* enum monitor_op */
	int32_t value;
	uint64_t ticket; /* the asker's own, returned with the answer */
	uint32_t len; /* of the payload */
	uint8_t payload[MONITOR_PAYLOAD_MAX];
};

/* One end of a pair. */
struct monitor_unsent;
struct monitor;

/*
 * A message came; `fd` (-1: none) is the callee's to close.  `message` NULL:
 * the other process is gone.
 */
typedef void monitor_fn(
    void *arg, const struct monitor_message *message, int fd);

struct monitor {
	int fd;
	struct loop *loop;
	struct loop_watch watch;
	monitor_fn *fn;
	void *arg;
	struct monitor_unsent *unsent; /* first */
	struct monitor_unsent **last;
};

/* A pair, both ends non-blocking and close-on-exec.  0, or -1 and `err`. */
int monitor_pair(int fds[2], struct err *err);

/* Serve the end `fd` (owned from now on) in `loop`. */
void monitor_start(struct monitor *monitor, struct loop *loop, int fd,
    monitor_fn *fn, void *arg);

/* Closes the end; what was unsent is dropped, its descriptors closed. */
void monitor_stop(struct monitor *monitor);

/*
 * Send a message, with `pass_fd` (-1: none), which is closed here in any case.
 * Waits in a queue where the socket is full.  A failure is the end of the
 * other process, which the callback tells of.  No copy of the payload is left
 * in this process.
 */
void monitor_send(struct monitor *monitor, enum monitor_op op, int32_t value,
    uint64_t ticket, struct span payload, int pass_fd);

#endif
