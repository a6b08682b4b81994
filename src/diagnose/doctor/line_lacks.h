#ifndef KAYA_LINE_LACKS_H
#define KAYA_LINE_LACKS_H

/*
 * line_lacks: what keeps a key whose line lets it in from going to a target,
 * as sshd reads the line, and the line that was meant.
 */

#include "authorized_keys.h"
#include "buf.h"

enum line_lack {
	LINE_LACKS_NOTHING,
	LINE_LACKS_FORWARDING,
	LINE_LACKS_TARGET /* forwards, but permitopen names others */
};

struct line_target {
	const char *host;
	uint16_t port;
	const char *text; /* "[::1]:1883", as permitopen has it */
};

/*
 * Judge `line`, which is a KEY.  Where something is lacking, the line with it
 * is appended to `meant`: all else that it says stays, in its order, and what
 * forwarding would open besides the target (others, ssh -R) is closed again.
 */
enum line_lack line_lacks(const struct authorized_keys_line *line,
    const struct line_target *target, struct buf *meant);

/* What of the line takes forwarding away, in words: "restrict ...". */
const char *line_lacks_taker(const struct authorized_keys_line *line);

#endif
