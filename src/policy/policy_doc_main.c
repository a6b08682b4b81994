/*
 * Makes anew, in the source tree, what is made of the policy's table and
 * starter:
 *
 *	policy_doc STARTER-FILE MANUAL-FILE
 */

#include "policy_starter.h"

#include <stdio.h>

enum { DOCUMENT_MAX = 1 << 20 };

static int
put(const char *name, struct span content)
{
	FILE *file = fopen(name, "w");

	if (file == NULL ||
	    fwrite(content.data, 1, content.len, file) != content.len ||
	    fclose(file) != 0) {
		perror(name);
		return -1;
	}
	return 0;
}

static int
renew(const char *name)
{
	static uint8_t page[DOCUMENT_MAX];
	FILE *file = fopen(name, "r");
	struct buf manual;
	size_t len = 0;
	int result = -1;

	buf_init(&manual, DOCUMENT_MAX);
	if (file != NULL) {
		len = fread(page, 1, sizeof page, file);
		fclose(file);
	}
	if (!policy_doc_manual(span_of(page, len), &manual) || manual.failed)
		fprintf(stderr, "%s: not kaya-policy(5)\n", name);
	else
		result = put(name, buf_span(&manual));
	buf_fini(&manual);
	return result;
}

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: policy_doc STARTER MANUAL\n");
		return 2;
	}
	if (put(argv[1], span_of_str(policy_starter)) != 0 ||
	    renew(argv[2]) != 0)
		return 1;
	return 0;
}
