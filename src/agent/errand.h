#ifndef KAYA_ERRAND_H
#define KAYA_ERRAND_H

/*
 * errand: a tunnel for one purpose of this process: no port that others could
 * use; what is to be carried is handed over, and carried by a thread.
 */

#include "link.h"

struct errand;

/*
 * Connect (once, as link_open); what is handed over leads to `host`:`port` of
 * the server's.  NULL and `err` on failure.
 */
struct errand *errand_start(const struct link_options *options,
    const char *host, uint16_t port, struct err *err);

/*
 * Carry the connected socket `fd`, which is not blocking; owned from now on.
 * 0; or -1 and `err`, and it is closed.
 */
int errand_carry(struct errand *errand, int fd, struct err *err);

/* A socket that leads there, blocking, the caller's; -1 and `err`. */
int errand_connect(struct errand *errand, struct err *err);

/*
 * What went wrong on the way since the start (a channel that was refused, a
 * link that was lost): -1 and `err`; 0 where nothing did.
 */
int errand_check(struct errand *errand, struct err *err);

/*
 * What is under way still goes out (1 s at most); then the connection is
 * closed.  NULL is fine.
 */
void errand_stop(struct errand *errand);

#endif
