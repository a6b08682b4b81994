#ifndef KAYA_CONF_FAULT_H
#define KAYA_CONF_FAULT_H

/* conf_fault: who is told of faults, and where values stood.  For conf alone.
 */

#include "conf.h"

#include <stdarg.h>

struct conf_listener {
	const char *file;
	conf_fault_fn on_fault; /* may be NULL */
	void *arg;
	size_t count; /* of faults so far */
};

/* Tell of `err` at `mark`; its `where` is set. */
void conf_fault_pass(struct conf_listener *listener, struct conf_mark mark,
    const struct err *err);

/* The same, of an ERR_CONFIG made of these. */
void conf_fault_tell(struct conf_listener *listener, struct conf_mark mark,
    const char *hint, const char *format, va_list args)
    __attribute__((format(printf, 4, 0)));

/* Remember where the value of `path` stands; false where memory fails. */
bool conf_fault_keep_place(
    struct conf *conf, const char *path, struct conf_mark mark);

#endif
