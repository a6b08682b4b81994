#ifndef KAYA_ERRAND_H
#define KAYA_ERRAND_H

/*
 * errand: a tunnel for one purpose of this process: no port that others could
 * use, only a UNIX socket in a folder of its own, served by a thread.
 */

#include "link.h"

struct errand;

/*
 * Connect (once, as link_open), then lead the socket at errand_path to
 * `host`:`port` of the server's.  NULL and `err` on failure.
 */
struct errand *errand_start(const struct link_options *options,
    const char *host, uint16_t port, struct err *err);

/* The socket's path; borrowed. */
const char *errand_path(const struct errand *errand);

/*
 * What went wrong on the way since the start (a channel that was refused, a
 * link that was lost): -1 and `err`; 0 where nothing did.
 */
int errand_check(struct errand *errand, struct err *err);

/*
 * What is under way still goes out (1 s at most); then the connection is
 * closed and the folder removed.  NULL is fine.
 */
void errand_stop(struct errand *errand);

#endif
