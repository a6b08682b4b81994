/*
 * Makes anew, in the source tree, what is made of the policy's table and
 * starter:
 *
 *	policy_doc STARTER-FILE MANUAL-FILE
 */

#include "document.h"
#include "policy_starter.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	if (argc != 3) {
		fputs("usage: policy_doc STARTER MANUAL\n", stderr);
		return 2;
	}
	if (document_write(argv[1], span_of_str(policy_starter)) != 0) {
		perror(argv[1]);
		return 1;
	}
	return document_renew(argv[2], policy_doc_manual) == 0 ? 0 : 1;
}
