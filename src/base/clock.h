#ifndef KAYA_CLOCK_H
#define KAYA_CLOCK_H

/*
 * clock: time comes in as an argument everywhere else; this is where it comes
 * from.
 */

#include <stdint.h>

/* Milliseconds that never go back, from no particular origin. */
uint64_t clock_monotonic_ms(void);

/*
 * The same, and it goes on while the machine sleeps: for what must not be
 * older than it may be.
 */
uint64_t clock_boot_ms(void);

/* Seconds since 1970, UTC, as the machine believes: for texts and expiry. */
int64_t clock_wall_s(void);

/* The same moment for people, UTC: "2026-03-01T12:00:00.123Z". */
enum { CLOCK_TEXT_SIZE = 25 };
void clock_wall_text(char text[CLOCK_TEXT_SIZE]);

#endif
