#ifndef KAYA_POLICY_STARTER_H
#define KAYA_POLICY_STARTER_H

/*
 * policy_starter: the policy to begin with, and the documents that are made of
 * policy's table.
 */

#include "conf.h"

/* All of packaging/policy.starter.yaml: a sound policy, with comments. */
extern const char policy_starter[];

/* The lines between which kaya-policy(5) has what is made of the table. */
#define POLICY_DOC_BEGIN "; begin: made of src/policy/policy_table.c\n"
#define POLICY_DOC_END	 "; end\n"

/* `page` with that made anew.  False where it does not have the lines. */
bool policy_doc_manual(struct span page, struct buf *out);

#endif
