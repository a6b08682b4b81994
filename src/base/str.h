#ifndef KAYA_STR_H
#define KAYA_STR_H

/* str: text for people, from bytes that nobody vouches for. */

#include "span.h"

/*
 * Write `bytes` as text that is safe on a terminal and in a log: printable
 * ASCII and well-formed UTF-8 as it is; `"`, `\` and everything else escaped
 * (`\"`, `\\`, `\n`, `\xNN`), characters too that turn the direction of text or
 * have no shape.  What does not fit ends in "...".  Always
 * terminated.  Returns `text`.
 */
const char *str_escape(struct span bytes, char *text, size_t size);

/*
 * Whether it can be shown as it is: str_escape would change nothing in it but
 * quotes and backslashes, which a command may need.
 */
bool str_is_shown(struct span bytes);

/*
 * Bytes of the UTF-8 character at the front; 0 where there is none, it is not
 * well formed, or it is one of the controls U+0080 to U+009F.
 */
size_t str_utf8_len(struct span bytes);

/*
 * The word of `words` (NULL-terminated) that `word` was probably meant to be,
 * or NULL where none is near (more than a third of its letters differ).
 * Letters' case does not count.
 */
const char *str_nearest(const char *word, const char *const *words);

/*
 * Identities and roles: 1 to 64 of A-Z a-z 0-9 . _ -
 */
bool str_is_name(struct span name);
enum { STR_NAME_MAX = 64 };

/*
 * A decimal number from `min` to `max`, all of `text`, no sign, no space.
 */
bool str_to_u64(struct span text, uint64_t min, uint64_t max, uint64_t *value);

/* Lower-case hex digits of `bytes`; `text` holds 2 * bytes.len + 1. */
void str_hex(struct span bytes, char *text);

/*
 * Base64 (RFC 4648 section 4) with padding, as keys have it.  Decoding fails
 * on any foreign byte, wrong padding, or where `size` is too small; returns
 * the number of bytes, or -1.
 */
long str_base64_decode(struct span text, uint8_t *bytes, size_t size);
/* `text` holds 4 * ((bytes.len + 2) / 3) + 1. */
void str_base64_encode(struct span bytes, char *text);

/*
 * HOST:PORT, [V6]:PORT, or HOST alone (port 0 then).  `host` gets no brackets.
 * False where it is none of these.
 */
bool str_split_host_port(
    struct span text, char *host, size_t size, uint16_t *port);

#endif
