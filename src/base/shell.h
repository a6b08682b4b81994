#ifndef KAYA_SHELL_H
#define KAYA_SHELL_H

/* shell: words that a person copies to a shell. */

#include "buf.h"

/* Append `word` as a shell takes it back: in '' where that is needed. */
void shell_quote(struct buf *out, const char *word);

/* The same into `text`; "" where `size` is too small.  Returns `text`. */
const char *shell_quoted(const char *word, char *text, size_t size);

/*
 * Whether `text` means itself in a command that has it between single quotes:
 * in sed's a, c and i, and in printf's format, too.
 */
bool shell_is_literal(const char *text);

#endif
