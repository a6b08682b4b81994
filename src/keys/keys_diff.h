#ifndef KAYA_KEYS_DIFF_H
#define KAYA_KEYS_DIFF_H

/* keys_diff: what differs between two files of lines, as diff -u shows it. */

#include "err.h"
#include "span.h"

/*
 * One row: `mark` is '@' for a hunk's head ("@@ -1,3 +1,4 @@", terminated by
 * its LF), ' ' for a line of both, '-' of the old, '+' of the new.  A line
 * comes with its LF; a file's last line may have none.
 */
typedef void keys_diff_fn(void *arg, char mark, struct span line);

/*
 * Tell `fn` the difference, with three lines around each.  It is always right;
 * it is the shortest where changes are small.  -1 where memory fails, before
 * anything is told.
 */
int keys_diff(struct span before, struct span after, keys_diff_fn *fn,
    void *arg, struct err *err);

#endif
