#ifndef KAYA_ARENA_H
#define KAYA_ARENA_H

/*
 * arena: many small pieces of memory with one end.  For what is read once and
 * then kept or dropped as a whole, such as a configuration.
 */

#include "span.h"

struct arena_piece;

/* All zero is an empty arena. */
struct arena {
	struct arena_piece *pieces;
};

/* `size` zeroed bytes (0 is fine), or NULL; good until arena_fini. */
void *arena_alloc(struct arena *arena, size_t size);

/* A terminated copy of `text`, or NULL; good until arena_fini. */
char *arena_str(struct arena *arena, struct span text);

/* A formatted text, or NULL; good until arena_fini. */
char *arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Give all of it back; the arena is empty again. */
void arena_fini(struct arena *arena);

#endif
