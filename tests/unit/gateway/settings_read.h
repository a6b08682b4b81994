#ifndef KAYA_SETTINGS_READ_H
#define KAYA_SETTINGS_READ_H

/* settings_read: settings from a text, and their faults as one text. */

#include "settings.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

struct read {
	struct settings s;
	struct err err;
	char faults[4096];
	int result;
};

static inline void
keep_fault(const struct conf_fault *fault, void *arg)
{
	struct read *r = arg;
	size_t len = strlen(r->faults);

	snprintf(r->faults + len, sizeof r->faults - len, "%s: %s [%s]\n",
	    fault->err.where, fault->err.what, fault->err.hint);
}

static inline void
read_with(struct read *r, const char *text,
    const struct settings_overrides *overrides)
{
	memset(r, 0, sizeof *r);
	assert_int_equal(settings_defaults(&r->s, &r->err), 0);
	if (text != NULL)
		r->result = settings_load(&r->s, "etc/kayad.conf",
		    span_of_str(text), keep_fault, r, &r->err);
	if (r->result == 0)
		r->result = settings_override(&r->s, overrides, &r->err);
}

static inline void
read_text(struct read *r, const char *text)
{
	read_with(r, text, NULL);
}

#endif
