/* Makes anew what kaya-guard(5) has from the tables: guard_doc MANUAL-FILE. */

#include "guard_doc.h"

#include "document.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fputs("usage: guard_doc MANUAL\n", stderr);
		return 2;
	}
	return document_renew(argv[1], guard_doc_manual) == 0 ? 0 : 1;
}
