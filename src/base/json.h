#ifndef KAYA_JSON_H
#define KAYA_JSON_H

/* json: text as JSON has it (RFC 8259 section 7), for those that write it. */

#include "buf.h"

/*
 * Append `text` in quotes.  Quotes, backslashes and controls are escaped; a
 * byte that is no UTF-8 becomes U+FFFD.  Look at out->failed.
 */
void json_put_string(struct buf *out, struct span text);

/* The same of a C string; "null" where it is NULL. */
void json_put_str(struct buf *out, const char *text);

/*
 * Append `before`, then `"name":"value"`; null where the value is NULL or "".
 */
void json_put_member(
    struct buf *out, const char *before, const char *name, const char *value);

#endif
