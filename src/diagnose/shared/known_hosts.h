#ifndef KAYA_KNOWN_HOSTS_H
#define KAYA_KNOWN_HOSTS_H

/*
 * known_hosts: why a host is not known though somebody may have written it
 * down.  libssh says "unknown" of a list that it cannot read, and of one in
 * which a line for the host is damaged, whatever stands behind that line.
 */

#include <stddef.h>
#include <stdint.h>

enum known_hosts_state {
	KNOWN_HOSTS_GOOD, /* or there is no such file */
	KNOWN_HOSTS_NOT_READ,
	KNOWN_HOSTS_DAMAGED /* line `line` of it */
};

struct known_hosts {
	enum known_hosts_state state;
	int error; /* errno, where it is not read */
	size_t line; /* from 1 */
};

/* Look into the file at `path` for what keeps that host from being known. */
void known_hosts_look(const char *path, const char *host, uint16_t port,
    struct known_hosts *found);

/*
 * What it is, as a sentence without full stop, and the command that mends it.
 * Not for KNOWN_HOSTS_GOOD.
 */
void known_hosts_tell(const struct known_hosts *found, const char *path,
    const char *host, char *cause, size_t cause_size, char *remedy,
    size_t remedy_size);

#endif
