#ifndef KAYA_PIPE_GATHER_H
#define KAYA_PIPE_GATHER_H

/*
 * pipe_gather: what a turn brought for a broker is written at the turn's end,
 * from where it was decrypted: only what the broker does not take is copied.
 *
 * It is good while the turn lasts: before that ends it was written, settled or
 * forgotten.
 */

#include "span.h"

#include <sys/uio.h>

struct pipe;

enum { PIPE_GATHER_PARTS = 16 };

/* A worker's: the pieces for one pipe's broker. */
struct pipe_gather {
	struct pipe *pipe; /* NULL: nothing */
	size_t count;
	struct iovec parts[PIPE_GATHER_PARTS];
};

/* As buf_append(&pipe->to_broker, ...), and behind what is there. */
bool pipe_gather(struct pipe *pipe, struct span bytes);

/* Into the queue with it: it has to outlive the turn, or something follows. */
bool pipe_gather_settle(struct pipe *pipe);

void pipe_gather_forget(struct pipe *pipe);

/* Write it; the rest goes to the queue.  False: the broker is gone, or there
 * is no memory. */
bool pipe_gather_write(struct pipe *pipe);

#endif
