#ifndef KAYA_ERR_H
#define KAYA_ERR_H

/*
 * err: what went wrong, told once, to the person who can mend it.
 *
 * A function that can fail takes a `struct err *` as its last argument, fills
 * it, returns -1 (or NULL) and prints nothing.  Whoever passes it on may say
 * where it happened (err_wrap).  Only main, a command, or the closing of a
 * session prints it.
 *
 * Expected outcomes are no failures: they are enums of their own module.
 */

#include <stdarg.h>
#include <stddef.h>

/*
 * code, exit status of the program that ends with it, name in --json, and the
 * hint that is given where the failing function knows no better one.
 */
#define ERR_CODES(X)                                                           \
	X(ERR_NONE, 0, "none", "")                                             \
	X(ERR_FAILED, 1, "failed", "")                                         \
	X(ERR_SYSTEM, 1, "system", "see the system's own message above")       \
	X(ERR_NOMEM, 1, "out-of-memory",                                       \
	    "give the machine more memory, or the process a higher limit")     \
	X(ERR_TAKEN, 1, "address-taken",                                       \
	    "stop the program that holds the address, or choose another")      \
	X(ERR_USAGE, 2, "usage", "see --help")                                 \
	X(ERR_CONFIG, 2, "configuration",                                      \
	    "mend the file at the place named and try again")                  \
	X(ERR_UNREACHABLE, 3, "unreachable",                                   \
	    "check the name, the network and that the server runs")            \
	X(ERR_TIMEOUT, 3, "timeout",                                           \
	    "check that no firewall drops the traffic, then try again")        \
	X(ERR_REFUSED, 4, "refused",                                           \
	    "have the key let in: kaya keys add, at the server")               \
	X(ERR_HOST_KEY, 5, "host-key",                                         \
	    "compare the fingerprint with the server's own")                   \
	X(ERR_PROTOCOL, 1, "protocol",                                         \
	    "the other side does not speak as its standard says")

enum err_code {
#define X(code, status, name, hint) code,
	ERR_CODES(X)
#undef X
	    ERR_CODES_COUNT
};

struct err {
	enum err_code code;
	int os_errno; /* errno at the time, 0 where none belongs to it */
	char what[320]; /* the cause, one sentence, no full stop */
	char where[192]; /* file:line:column, host:port ...; may be empty */
	char hint[1024]; /* the remedy, one sentence; may be empty */
};

enum { ERR_TEXT_MAX = 1600 }; /* bytes that err_text needs for all of it */

/* An empty error: `struct err err = ERR_INIT;` */
#define ERR_INIT                                                               \
	{                                                                      \
		.code = ERR_NONE                                               \
	}

/*
 * Fill `err` with `code` and a cause.  The hint becomes the code's own.
 * Always returns -1, so that `return err_set(...)` reads as it acts.
 * `err` may be NULL: then only the -1 remains.
 */
int err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same, with errno's message behind the cause. */
int err_set_errno(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Say where it happened.  An inner place already named stays. Returns -1. */
int err_where(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put a better remedy in the place of the code's own.  Returns -1. */
int err_hint(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "context: " before the cause, on the way up.  Returns -1. */
int err_wrap(struct err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Forget what is in it. */
void err_clear(struct err *err);

/* The exit status that product's commands promise for this code (0 to 5). */
int err_exit_status(enum err_code code);

/* The word for this code in --json and in logs. */
const char *err_name(enum err_code code);

/* The hint of a code, "" where it has none. */
const char *err_default_hint(enum err_code code);

/*
 * "where: what" and, on a second line, "  remedy: hint", as a person reads
 * it, into `text`.  Always terminated.  Returns `text`.
 */
const char *err_text(const struct err *err, char *text, size_t size);

#endif
