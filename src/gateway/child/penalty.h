#ifndef KAYA_PENALTY_H
#define KAYA_PENALTY_H

/*
 * penalty: how late a refusal is told.
 *
 * Who shows the same wrong key again and again is told so ever later; so is,
 * after four times as many, an address that shows many.  Only refusals are
 * late: a key that is let in never meets this table, whoever else comes from
 * its address.  A count halves a minute after it began, and each minute more.
 *
 * Shared by threads without a lock: a count lost now and then is no matter, and
 * two that share a cell have their refusals a little later than they should.
 */

#include <stdatomic.h>
#include <stdint.h>

enum { PENALTY_CELLS = 4096 }; /* a power of two */

struct penalty {
	/* second that it began or halved << 32 | count; zeroes at first */
	_Atomic uint64_t sources[PENALTY_CELLS];
	_Atomic uint64_t pairs[PENALTY_CELLS];
};

struct penalty_refusal {
	uint32_t source; /* below PENALTY_CELLS: a keyed hash of the address */
	uint64_t key; /* any bits of the key's digest */
	uint64_t now_ms;
	uint32_t free; /* so many of one key are told at once */
	uint64_t max_ms;
};

/*
 * Take one back: it was of the key that a certificate is about, which many
 * clients show before the certificate, and whose holder was then let in.
 */
void penalty_forgive(
    struct penalty *penalty, const struct penalty_refusal *refusal);

/* Count a refusal; how many ms to wait before it is told. */
uint64_t penalty_count(
    struct penalty *penalty, const struct penalty_refusal *refusal);

#endif
