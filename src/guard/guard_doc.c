#include "guard_doc.h"

#include "guard.h"

#define WORDS_BEGIN  "; Made of the table of words (guard_doc).\n"
#define WORDS_END    "; End of the words.\n"
#define CAUSES_BEGIN "; Made of the table of causes (guard_doc).\n"
#define CAUSES_END   "; End of the causes.\n"

static void
put_causes(struct buf *out)
{
	for (enum guard_cause i = 0; i < GUARD_CAUSE_COUNT; i++) {
		buf_append_str(out, "*");
		buf_append_str(out, guard_cause_name(i));
		buf_append_str(out, "*\n\t");
		buf_append_str(out, guard_cause_text(i));
		buf_append_str(out, "\n\n");
	}
}

/* Where a line of its own begins and ends in the page. */
static const uint8_t *
find(struct span page, const char *line)
{
	return page.len == 0 ? NULL
			     : memmem(page.data, page.len, line, strlen(line));
}

bool
guard_doc_manual(struct span page, struct buf *out)
{
	const uint8_t *begin = find(page, CAUSES_BEGIN);
	const uint8_t *end = find(page, CAUSES_END);
	struct buf half;
	bool done;

	if (begin == NULL || end == NULL || end < begin)
		return false;
	begin += strlen(CAUSES_BEGIN);
	buf_init(&half, out->max);
	buf_append(&half, page.data, (size_t)(begin - page.data));
	buf_append_str(&half, "\n");
	put_causes(&half);
	buf_append(&half, end, (size_t)(page.data + page.len - end));
	done = !half.failed && conf_manual_renew(buf_span(&half), WORDS_BEGIN,
				   WORDS_END, guard_keys, out);
	buf_fini(&half);
	return done;
}
