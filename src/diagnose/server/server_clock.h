#ifndef KAYA_SERVER_CLOCK_H
#define KAYA_SERVER_CLOCK_H

/* server_clock: whether this machine knows what time it is. */

#include <stdint.h>

enum server_clock_fact {
	SERVER_CLOCK_OK,
	SERVER_CLOCK_UNSYNCHRONISED,
	SERVER_CLOCK_PAST, /* before this program was made */
	SERVER_CLOCK_FUTURE /* decades ahead */
};

/*
 * `now_s`: seconds since 1970; `built_s`: a time that has certainly passed;
 * `state`: what adjtimex(2) returned, `status` its STA_ flags.  Pure.
 */
enum server_clock_fact server_clock_judge(
    int64_t now_s, int64_t built_s, int state, int status);

#endif
