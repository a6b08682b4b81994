#ifndef KAYA_KEYS_GUESS_H
#define KAYA_KEYS_GUESS_H

/*
 * keys_guess: what was probably meant where a line is void.  A part of
 * keys_explain and keys_judge; nobody else includes it.
 */

#include "keys_explain.h"

/* A type's word with base64 behind it, wherever it stands. */
struct keys_guess_key {
	struct span type; /* data NULL: there is none */
	struct span base64;
};

/* One void line, and what is said of it. */
struct keys_guess {
	const struct authorized_keys_line *line;
	struct span text; /* up to a zero byte */
	struct keys_reason *reason;
	struct buf *meant; /* may be NULL */
	struct keys_guess_key key;
};

/* True where it knows: the reason is filled, and `meant` where possible. */
typedef bool keys_guess_fn(struct keys_guess *g);

/*
 * Guesses about what is no line of this format, or holds what only looks like
 * it; about the line's shape; about options' values.  NULL-ended.
 */
extern keys_guess_fn *const keys_guess_foreign[];
extern keys_guess_fn *const keys_guess_shapes[];
extern keys_guess_fn *const keys_guess_values[];

/*
 * Fill the reason.  In cause and remedy `@` stands for the word at fault.
 * Always true.
 */
bool keys_guess_say(struct keys_guess *g, const char *code, struct span at,
    const char *cause, const char *remedy);

/* Append to `meant` the text with `part`, a piece of it, made `by`. */
void keys_guess_replace(struct keys_guess *g, struct span part, const char *by);

/* The piece from `start` up to `end`. */
struct span keys_guess_piece(const uint8_t *start, const uint8_t *end);

/* An empty piece right before or behind `part`, to put something into. */
struct span keys_guess_before(struct span part);
struct span keys_guess_behind(struct span part);

/* The first key in `text`. */
struct keys_guess_key keys_guess_find(struct span text);

/* Whether base64 begins here that is long enough to be of a key. */
bool keys_guess_is_base64(struct span word);

/* Whether a word, up to `=` or comma, is an option's name. */
bool keys_guess_is_option(struct span word);

/* Whether an option's name gives a right: all others take one, or narrow it. */
bool keys_guess_is_grant(struct span name);

#endif
