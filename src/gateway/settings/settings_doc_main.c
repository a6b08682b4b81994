/*
 * Makes anew, in the source tree, what is made of the settings' table:
 *
 *	settings_doc SAMPLE-FILE MANUAL-FILE
 */

#include "settings_doc.h"

#include "document.h"

#include <stdio.h>

int
main(int argc, char **argv)
{
	struct buf sample;
	int status = 1;

	if (argc != 3) {
		fputs("usage: settings_doc SAMPLE MANUAL\n", stderr);
		return 2;
	}
	buf_init(&sample, DOCUMENT_MAX);
	settings_doc_sample(&sample);
	if (sample.failed || document_write(argv[1], buf_span(&sample)) != 0)
		perror(argv[1]);
	else if (document_renew(argv[2], settings_doc_manual) == 0)
		status = 0;
	buf_fini(&sample);
	return status;
}
