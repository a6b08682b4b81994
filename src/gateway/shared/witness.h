#ifndef KAYA_WITNESS_H
#define KAYA_WITNESS_H

/*
 * witness: what the child decides, told to the log and, by the parent, to the
 * audit log.
 *
 *	struct witness witness;
 *
 *	session_witness(&witness, WITNESS_REFUSE, LOG_LEVEL_INFO, &who,
 *"refuse"); witness_str(&witness, "why", "no line has this key");
 *	witness_send(&witness, &worker->monitor);
 *
 * The log takes all of it, where it is printed at that level; the audit log
 * what stands in witness.c's table of words.
 */

#include "audit.h"
#include "log.h"
#include "monitor.h"

/*
 * kind, event in the audit log, lines that may come at once, and then in each
 * minute: a hostile peer must not fill the disk, nor drive out what matters.
 */
#define WITNESS_KINDS(X)                                                       \
	X(WITNESS_CONNECT, "connect", 50000, 1200)                             \
	X(WITNESS_REFUSE, "refuse", 1000, 60)                                  \
	X(WITNESS_REFUSE_CHANNEL, "refuse-channel", 1000, 60)                  \
	X(WITNESS_REFUSE_ACCESS, "refuse-access", 5000, 300)                   \
	/* The parent's own: nothing that the child may say. */                \
	X(WITNESS_CONTROL, "control", 5000, 300)

enum witness_kind {
#define X(kind, event, burst, minute) kind,
	WITNESS_KINDS(X)
#undef X
	    WITNESS_KINDS_COUNT
};

enum { WITNESS_MAX_BYTES = 2048, WITNESS_VALUE_MAX = 512 };

struct witness {
	struct log_line line;
	bool is_logged;
	enum witness_kind kind;
	size_t len;
	uint8_t bytes[WITNESS_MAX_BYTES];
};

/* ---- the child's side ---- */

/* Begin; `event` is the log's word for it. */
void witness_begin(struct witness *witness, enum witness_kind kind,
    enum log_level level, const char *module, const char *event);

/* Of a value that is longer than WITNESS_VALUE_MAX the audit has the front. */
void witness_str(struct witness *witness, const char *key, const char *value);
void witness_span(struct witness *witness, const char *key, struct span value);
void witness_u64(struct witness *witness, const char *key, uint64_t value);

/* Log it, and have the parent write it (MONITOR_WITNESS). */
void witness_send(struct witness *witness, struct monitor *monitor);

/* ---- the parent's side ---- */

/*
 * What the child says, as an entry that has been begun.  False, and no entry,
 * where it is none.
 */
bool witness_read(int32_t kind, struct span payload, struct audit_entry *entry);

/* How many lines of each kind may come yet.  All zero: never asked, full. */
struct witness_bounds {
	struct witness_bound {
		uint64_t at_ms; /* of the last filling */
		uint64_t spent; /* in minutes' shares: see witness.c */
		uint64_t lost; /* lines that were not written */
	} of[WITNESS_KINDS_COUNT];
};

/* Whether a line of that kind may be written now; else it counts as lost. */
bool witness_may(
    struct witness_bounds *bounds, enum witness_kind kind, uint64_t now_ms);

/*
 * A line that says how many of a kind were lost, and forgets them.  False where
 * none were.
 */
bool witness_take_lost(struct witness_bounds *bounds, enum witness_kind kind,
    struct audit_entry *entry);

#endif
