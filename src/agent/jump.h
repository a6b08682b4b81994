#ifndef KAYA_JUMP_H
#define KAYA_JUMP_H

/*
 * jump: -J and ProxyJump: the way through other SSH servers, by the ssh
 * program, as ssh itself does it.  (libssh goes through several in the wrong
 * order, and with nobody's configuration but the user's own.)
 */

#include "link.h"

enum { JUMP_HOPS_SIZE = 1024, JUMP_COMMAND_SIZE = 2048 };

/*
 * Has libssh make a ProxyCommand of ssh_config's ProxyJump, as it always did
 * before 0.11.  Since then it goes through the hosts by itself, and does not
 * tell: with a connection of our own they would be left out.  Once, before any
 * session and any thread.
 */
void jump_init(void);

/*
 * The ProxyCommand that goes through `hops` ("[user@]host[:port]" or ssh://,
 * the nearest first, commas between them).  Nothing in it is the shell's.
 * ERR_USAGE for what is no such list.
 */
int jump_command(const struct link_options *options, const char *hops,
    char command[JUMP_COMMAND_SIZE], struct err *err);

/*
 * What ssh_config has as ProxyJump for the destination, into `hops`; "": it has
 * none, or there is no ssh here to tell.
 */
void jump_of_config(
    const struct link_options *options, char *hops, size_t size);

#endif
