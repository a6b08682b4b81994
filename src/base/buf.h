#ifndef KAYA_BUF_H
#define KAYA_BUF_H

/*
 * buf: a queue of bytes with a cap from birth.
 *
 *	mem        head             tail            cap
 *	 |  free    |  what is in it |  room         |
 *
 * It owns no memory until the first byte comes and none again after the last
 * byte has gone, so that an idle connection costs nothing.  Appending past
 * `max`, or where memory fails, sets `failed`, which stays: a caller may write
 * a whole message and look once, at the end.
 */

#include "span.h"

struct buf {
	uint8_t *mem;
	size_t head;
	size_t tail;
	size_t cap;
	size_t max; /* bytes; more is a failure, not growth */
	bool failed;
	bool wipes; /* memory that it gives back */
};

/* An empty queue that never holds more than `max_bytes`. */
void buf_init(struct buf *b, size_t max_bytes);

/* The same for secrets: no copy is left where it grew, or was drained. */
void buf_init_secret(struct buf *b, size_t max_bytes);

/* Give the memory back; the queue is empty, as at its beginning. */
void buf_fini(struct buf *b);

/* As buf_fini, and the bytes are wiped first: for secrets. */
void buf_fini_wipe(struct buf *b);

static inline size_t
buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

/* What is in it; good until the next call that changes it. */
static inline struct span
buf_span(const struct buf *b)
{
	if (b->mem == NULL)
		return (struct span){0};
	return span_of(b->mem + b->head, buf_len(b));
}

/*
 * Room for `len` more bytes, to be filled and then declared by buf_commit.
 * NULL, and `failed` set, where that would pass the cap or memory fails.
 */
uint8_t *buf_reserve(struct buf *b, size_t len);

/* Declare `len` bytes of the room that buf_reserve gave as filled. */
void buf_commit(struct buf *b, size_t len);

/* Append.  False, nothing appended and `failed` set where it does not fit. */
bool buf_append(struct buf *b, const void *data, size_t len);

/* The same of a C string, without its terminator. */
static inline bool
buf_append_str(struct buf *b, const char *text)
{
	return buf_append(b, text, strlen(text));
}

/* Drop `len` bytes from the front (at most what is there). */
void buf_consume(struct buf *b, size_t len);

/* Cut back to `len` bytes, keeping the front. */
void buf_truncate(struct buf *b, size_t len);

#endif
