#ifndef KAYA_TEST_DOCUMENTS_H
#define KAYA_TEST_DOCUMENTS_H

/* documents: what is committed and made of a table is what the table makes. */

#include "conf.h"
#include "document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* `target`: what meson compiles to make it anew. */
static inline void
document_check(const char *file, struct span made, const char *target)
{
	struct buf committed;

	if (document_read(file, &committed) != 0)
		fail_msg("cannot read %s", file);
	if (!span_equal(buf_span(&committed), made))
		fail_msg("%s is not what is made of it: run meson compile -C "
			 "build %s",
		    file, target);
	buf_fini(&committed);
}

/* The part of a manual that `make` writes is what it writes now. */
static inline void
document_check_manual(const char *file, document_fn *make, const char *target)
{
	struct buf page, manual;

	if (document_read(file, &page) != 0)
		fail_msg("cannot read %s", file);
	buf_init(&manual, DOCUMENT_MAX);
	assert_true(make(buf_span(&page), &manual));
	assert_false(manual.failed);
	document_check(file, buf_span(&manual), target);
	buf_fini(&page);
	buf_fini(&manual);
}

/* A whole sentence for each word, and what is where it is not given. */
static inline void
document_check_words(const struct conf_key *keys)
{
	for (; keys->name != NULL; keys++) {
		assert_int_equal(keys->doc[strlen(keys->doc) - 1], '.');
		assert_true((keys->flags & CONF_REQUIRED) != 0 ||
			    keys->fallback != NULL ||
			    keys->fallback_doc != NULL);
		if (keys->keys != NULL)
			document_check_words(keys->keys);
	}
}

#endif
