#ifndef KAYA_COMMAND_FORWARD_H
#define KAYA_COMMAND_FORWARD_H

/*
 * command_forward: what ssh's -L, -R and -D say, as ssh reads it.
 *
 *	[BIND:]PORT:HOST:HOSTPORT  [BIND:]PORT:/PATH  /PATH:HOST:HOSTPORT
 *	/PATH:/PATH                [BIND:]PORT (-D, and -R as a proxy)
 */

#include "buf.h"

struct command_forward {
	bool has_bind; /* ":22883:..." has an empty one: all addresses */
	char bind[256];
	char near_path[108]; /* "": a port */
	uint16_t port; /* 0: a service's name, or any */
	char host[256]; /* "": none is named: a proxy */
	char far_path[108];
	uint16_t host_port;
};

/* False where ssh would say "Bad ... forwarding specification". */
bool command_forward_parse(
    struct command_forward *forward, const char *text, char letter);

/* A line's value of `ssh -G`: "22883 [localhost]:1883". */
bool command_forward_read(
    struct command_forward *forward, const char *value, char letter);

/*
 * What a specification that ssh does not take was meant to be: a broker's port
 * or host that was left out, IPv6 without brackets.  False: nobody can know.
 */
bool command_forward_guess(const char *text, char *meant, size_t size);

/* Whether two are one to ssh, which keeps an equal one once. */
bool command_forward_equal(
    const struct command_forward *a, const struct command_forward *b);

/* As ssh takes it. */
const char *command_forward_text(
    const struct command_forward *forward, char *text, size_t size);

#endif
