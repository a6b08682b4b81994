#ifndef KAYA_AGENT_VIEW_H
#define KAYA_AGENT_VIEW_H

/*
 * agent_view: the user's ssh-agent, seen with one of its keys only.
 *
 * libssh tries whatever keys an agent has; who names one wants that one and no
 * other tried.  Requests pass through a thread that takes all other keys out of
 * the list (draft-miller-ssh-agent, sections 3 and 4).
 */

#include <stdint.h>

enum { AGENT_VIEW_HASH_BYTES = 32 };

struct agent_view;

/*
 * Connect to the agent at the UNIX socket `path` and show of it the key whose
 * blob has this SHA-256.  `*fd`, the caller's, is where that agent answers.
 * NULL: no agent is there.
 */
struct agent_view *agent_view_open(
    const char *path, const uint8_t hash[AGENT_VIEW_HASH_BYTES], int *fd);

/* No answer comes any more.  NULL is fine. */
void agent_view_close(struct agent_view *view);

#endif
