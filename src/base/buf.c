#include "buf.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_BYTES = 256 };

void
buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes};
}

void
buf_init_secret(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){.max = max_bytes, .wipes = true};
}

static void
give_back(struct buf *b)
{
	if (b->wipes && b->mem != NULL)
		explicit_bzero(b->mem, b->cap);
	free(b->mem);
}

void
buf_fini(struct buf *b)
{
	give_back(b);
	*b = (struct buf){.max = b->max, .wipes = b->wipes};
}

void
buf_fini_wipe(struct buf *b)
{
	bool wipes = b->wipes;

	b->wipes = true;
	buf_fini(b);
	b->wipes = wipes;
}

static bool
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap == 0 ? FIRST_BYTES : b->cap;
	uint8_t *mem;

	while (cap < need)
		cap *= 2;
	mem = malloc(cap);
	if (mem == NULL)
		return false;
	if (b->mem != NULL)
		memcpy(mem, b->mem + b->head, buf_len(b));
	give_back(b);
	b->tail -= b->head;
	b->head = 0;
	b->mem = mem;
	b->cap = cap;
	return true;
}

uint8_t *
buf_reserve(struct buf *b, size_t len)
{
	size_t used = buf_len(b);

	if (len > b->max || used > b->max - len) {
		b->failed = true;
		return NULL;
	}
	if (b->cap - b->tail < len) {
		/* Moving is cheaper than growing while at least half is free.
		 */
		if (b->mem != NULL && used + len <= b->cap &&
		    b->head >= b->cap / 2) {
			memmove(b->mem, b->mem + b->head, used);
			b->head = 0;
			b->tail = used;
		} else if (!grow(b, used + len)) {
			b->failed = true;
			return NULL;
		}
	}
	if (b->mem == NULL && !grow(b, 1)) {
		b->failed = true;
		return NULL;
	}
	return b->mem + b->tail;
}

void
buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->cap - b->tail);
	b->tail += len;
}

bool
buf_append(struct buf *b, const void *data, size_t len)
{
	uint8_t *room;

	if (len == 0)
		return !b->failed;
	room = buf_reserve(b, len);
	if (room == NULL)
		return false;
	memcpy(room, data, len);
	buf_commit(b, len);
	return true;
}

void
buf_consume(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->head += len;
	if (b->head == b->tail) {
		bool failed = b->failed;

		buf_fini(b);
		b->failed = failed;
	}
}

void
buf_truncate(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->tail = b->head + len;
}
