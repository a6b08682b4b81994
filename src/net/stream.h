#ifndef KAYA_STREAM_H
#define KAYA_STREAM_H

/*
 * stream: reading and writing of non-blocking stream sockets, their results
 * as words in place of errno.
 */

#include "buf.h"

#include <sys/uio.h>

enum stream_result {
	STREAM_OK, /* something was read; everything was written */
	STREAM_AGAIN, /* nothing there; not everything was taken */
	STREAM_EOF, /* the peer sends no more */
	STREAM_FAILED /* the connection is gone; errno tells */
};

/* At most `size` bytes; `*len` of them came (0 but for STREAM_OK). */
enum stream_result stream_read(
    int fd, uint8_t *bytes, size_t size, size_t *len);

/* Write from the front of `out`, consuming what was taken. */
enum stream_result stream_write(int fd, struct buf *out);

/* Write these by one call; `*len` bytes of them were taken. */
enum stream_result stream_write_parts(
    int fd, const struct iovec *parts, size_t count, size_t *len);

/*
 * Set TCP_NODELAY (nothing on a UNIX socket): messages are small, and what
 * one wake-up brings is gathered before it is written.
 */
void stream_set_nodelay(int fd);

#endif
