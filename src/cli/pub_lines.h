#ifndef KAYA_PUB_LINES_H
#define KAYA_PUB_LINES_H

/*
 * pub_lines: lines of a file, each a message.  One that is published is kept
 * until it is acknowledged, so that another connection can publish it again:
 * so many at a time, and in their order.
 */

#include "buf.h"
#include "err.h"

enum { PUB_LINES_UNDER_WAY = 100 };

struct pub_line {
	int id; /* the publisher's; 0: not published on this connection */
	size_t len, end_len; /* of its text, of that with its end */
	bool is_acknowledged;
};

struct pub_lines {
	struct buf bytes; /* those under way, then what else was read */
	struct pub_line under_way[PUB_LINES_UNDER_WAY]; /* a ring */
	size_t first, count;
	size_t published; /* of `count`, on this connection */
	size_t at; /* bytes of those */
	size_t searched; /* bytes behind them all that have no end of line */
	bool is_read; /* to its end */
};

void pub_lines_init(struct pub_lines *lines);
void pub_lines_fini(struct pub_lines *lines);

/* Whether there is room for more: then read what `fd` has at the moment. */
bool pub_lines_has_room(const struct pub_lines *lines);
int pub_lines_read(struct pub_lines *lines, int fd, struct err *err);

/*
 * The next one to publish; false: there is none now.  What it is published as
 * goes to *id, before it can be acknowledged; `line` lives until then.
 */
bool pub_lines_next(struct pub_lines *lines, struct span *line, int **id);

void pub_lines_acknowledge(struct pub_lines *lines, int id);

/* On another connection: what was not acknowledged comes again. */
void pub_lines_begin_again(struct pub_lines *lines);

/* All of the file is acknowledged. */
bool pub_lines_are_done(const struct pub_lines *lines);

#endif
