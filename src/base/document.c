#include "document.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
document_read(const char *file, struct buf *out)
{
	FILE *stream = fopen(file, "r");
	uint8_t *room;

	buf_init(out, DOCUMENT_MAX);
	if (stream == NULL)
		return -1;
	room = buf_reserve(out, DOCUMENT_MAX);
	if (room != NULL)
		buf_commit(out, fread(room, 1, DOCUMENT_MAX, stream));
	fclose(stream);
	if (room == NULL)
		errno = ENOMEM;
	return room == NULL ? -1 : 0;
}

int
document_write(const char *file, struct span content)
{
	FILE *stream = fopen(file, "w");
	size_t written;

	if (stream == NULL)
		return -1;
	written = fwrite(content.data, 1, content.len, stream);
	return fclose(stream) == 0 && written == content.len ? 0 : -1;
}

int
document_renew(const char *file, document_fn *make)
{
	struct buf page, made;
	const char *why = NULL;

	buf_init(&made, DOCUMENT_MAX);
	if (document_read(file, &page) != 0)
		why = strerror(errno);
	else if (!make(buf_span(&page), &made) || made.failed)
		why = "it is not that manual";
	else if (document_write(file, buf_span(&made)) != 0)
		why = strerror(errno);
	if (why != NULL)
		fprintf(stderr, "%s: %s\n", file, why);
	buf_fini(&page);
	buf_fini(&made);
	return why == NULL ? 0 : -1;
}
