#ifndef KAYA_SETTINGS_DOC_H
#define KAYA_SETTINGS_DOC_H

/* settings_doc: the documents that are made of the settings' table. */

#include "settings.h"

/* The lines between which kayad.conf(5) has what is made of the table. */
#define SETTINGS_DOC_BEGIN                                                     \
	"; begin: made of src/gateway/settings/settings_table.c\n"
#define SETTINGS_DOC_END "; end\n"

/* All of packaging/kayad.conf.sample. */
void settings_doc_sample(struct buf *out);

/*
 * `page`, with what stands between the two lines made anew.  False where it
 * does not have them.
 */
bool settings_doc_manual(struct span page, struct buf *out);

#endif
