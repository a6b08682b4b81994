#include "settings_doc.h"

static const char sample_head[] =
    "# kayad.conf: what kayad is told to do; see kayad.conf(5).\n"
    "#\n"
    "# Every word that there is stands here with its default, or with an\n"
    "# example where the default is not a fixed text.  All are commented out:\n"
    "# kayad runs without any of them.  To set one, take the # away at the\n"
    "# beginning of its line, and of the line of the section that it is in.\n"
    "# `kayad -t -c FILE` tells what is wrong in a file, and where.\n";

void
settings_doc_sample(struct buf *out)
{
	buf_append(out, sample_head, strlen(sample_head));
	conf_sample(settings_keys, out);
}

bool
settings_doc_manual(struct span page, struct buf *out)
{
	static const char begin[] = SETTINGS_DOC_BEGIN;
	static const char end[] = SETTINGS_DOC_END;
	const uint8_t *first, *last;
	size_t head;

	first = memmem(page.data, page.len, begin, strlen(begin));
	if (first == NULL)
		return false;
	head = (size_t)(first - page.data) + strlen(begin);
	last = memmem(page.data + head, page.len - head, end, strlen(end));
	if (last == NULL)
		return false;
	buf_append(out, page.data, head);
	conf_manual(settings_keys, out);
	buf_append(out, "\n", 1);
	buf_append(out, last, page.len - (size_t)(last - page.data));
	return true;
}
