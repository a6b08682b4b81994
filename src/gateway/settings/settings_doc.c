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
	return conf_manual_renew(
	    page, SETTINGS_DOC_BEGIN, SETTINGS_DOC_END, settings_keys, out);
}
