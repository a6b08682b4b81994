#ifndef KAYA_GUARD_DOC_H
#define KAYA_GUARD_DOC_H

/* guard_doc: what kaya-guard(5) has from the tables of this room. */

#include "buf.h"
#include "span.h"

/*
 * Write `page`, kaya-guard(5), with its words and causes made anew.  False
 * where it is not that page.
 */
bool guard_doc_manual(struct span page, struct buf *out);

#endif
