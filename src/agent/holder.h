#ifndef KAYA_HOLDER_H
#define KAYA_HOLDER_H

/* holder: which program has an address that we wanted. */

#include <stddef.h>
#include <sys/socket.h>

/*
 * "mosquitto (pid 1234)" for who listens on `address`, as far as /proc tells
 * it to this user; else "another program".  Returns `text`.
 */
const char *holder_of(const struct sockaddr *address, char *text, size_t size);

#endif
