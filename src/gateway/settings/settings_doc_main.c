/*
 * Makes anew, in the source tree, what is made of the settings' table:
 *
 *	settings_doc SAMPLE-FILE MANUAL-FILE
 */

#include "settings_doc.h"

#include <stdio.h>

enum { DOCUMENT_MAX = 1 << 20 };

static int
read_whole(const char *name, struct buf *out)
{
	FILE *file = fopen(name, "r");
	uint8_t *room = buf_reserve(out, DOCUMENT_MAX);

	if (file == NULL || room == NULL) {
		perror(name);
		return -1;
	}
	buf_commit(out, fread(room, 1, DOCUMENT_MAX, file));
	return fclose(file);
}

static int
write_whole(const char *name, const struct buf *content)
{
	struct span bytes = buf_span(content);
	FILE *file = content->failed ? NULL : fopen(name, "w");

	if (file == NULL ||
	    fwrite(bytes.data, 1, bytes.len, file) != bytes.len ||
	    fclose(file) != 0) {
		perror(name);
		return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	struct buf sample, page, manual;
	int status = 1;

	buf_init(&sample, DOCUMENT_MAX);
	buf_init(&page, DOCUMENT_MAX);
	buf_init(&manual, DOCUMENT_MAX);
	if (argc != 3) {
		fprintf(stderr, "usage: settings_doc SAMPLE MANUAL\n");
		return 2;
	}
	settings_doc_sample(&sample);
	if (read_whole(argv[2], &page) == 0 &&
	    settings_doc_manual(buf_span(&page), &manual) &&
	    write_whole(argv[1], &sample) == 0 &&
	    write_whole(argv[2], &manual) == 0)
		status = 0;
	buf_fini(&sample);
	buf_fini(&page);
	buf_fini(&manual);
	return status;
}
