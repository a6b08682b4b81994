#ifndef KAYA_AGENT_WIRE_H
#define KAYA_AGENT_WIRE_H

/*
 * agent_wire: messages to and from an ssh-agent (draft-miller-ssh-agent,
 * section 3): a length of 32 bits, a type, what belongs to it.
 */

#include "buf.h"
#include "span.h"

enum {
	AGENT_WIRE_MESSAGE_MAX = 256 * 1024, /* as OpenSSH's agent has it */
	AGENT_WIRE_IDENTITIES = 11,
	AGENT_WIRE_IDENTITIES_ANSWER = 12,
	AGENT_WIRE_SIGN = 13,
	AGENT_WIRE_SIGN_RESPONSE = 14,
	AGENT_WIRE_RSA_SHA2_512 = 4 /* a flag of SIGN */
};

/* Connect to the agent at the UNIX socket `path`; -1 where none is there. */
int agent_wire_connect(const char *path);

/* One message with its length before it.  False where the agent is gone. */
bool agent_wire_read(int fd, struct buf *message);
bool agent_wire_write(int fd, struct span bytes);

#endif
