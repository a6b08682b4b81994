#ifndef KAYA_DOCUMENT_H
#define KAYA_DOCUMENT_H

/*
 * document: committed files that are made of tables, for the programs that
 * make them anew and the tests that hold them to it.
 */

#include "buf.h"
#include "span.h"

enum { DOCUMENT_MAX = 1 << 20 }; /* bytes */

/*
 * `page`, with the part that is made of a table made anew.  False where the
 * page has no place for it.
 */
typedef bool document_fn(struct span page, struct buf *out);

/* All of `file` into `out`, initialized here.  0, or -1 and errno. */
int document_read(const char *file, struct buf *out);

/* In place of what it holds.  0, or -1 and errno. */
int document_write(const char *file, struct span content);

/* 0; or -1, said on stderr, and the file is as it was. */
int document_renew(const char *file, document_fn *make);

#endif
