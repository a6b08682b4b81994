#ifndef KAYA_GREETING_H
#define KAYA_GREETING_H

/*
 * greeting: what answered on the port, from the first bytes that came.
 *
 * An SSH server sends its identification by itself (RFC 4253 section 4.2),
 * after lines of its own if it likes; sshd says in such a line why it will not
 * talk.
 */

#include "span.h"

#include <stdbool.h>

enum greeting {
	GREETING_NEED_MORE,
	GREETING_SSH, /* 2.0, or 1.99 */
	GREETING_SSH_1, /* 1.x alone: nobody speaks that any more */
	GREETING_TOO_MANY, /* "Exceeded MaxStartups" */
	/*
	 * "Not allowed at this time": what sshd has said since 9.8 of too many
	 * as well as of an address that it has shut out.
	 */
	GREETING_LOCKED_OUT,
	GREETING_HTTP,
	GREETING_TLS,
	GREETING_MQTT,
	GREETING_MAIL, /* 220 ...: SMTP, FTP */
	GREETING_OTHER
};

enum { GREETING_MAX = 8192 };

/*
 * `line` becomes the line that decided (without CR and LF), or the first
 * bytes.  NEED_MORE as long as a line is cut off; at the end of the stream
 * `is_end` makes the best of what is there.
 */
enum greeting_end { GREETING_MAY_GO_ON, GREETING_IS_ALL };
enum greeting greeting_read(
    struct span bytes, enum greeting_end end, struct span *line);

/* Of "SSH-2.0-OpenSSH_9.2p1 Debian-2": what stands behind the second dash. */
struct span greeting_software(struct span line);

/* What one says to servers that do not speak first; constant. */
struct span greeting_mqtt_connect(void);
struct span greeting_http_get(void);
struct span greeting_tls_hello(void);

#endif
