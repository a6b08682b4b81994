/* Makes kaya-guard(5) anew: guard_doc <OLD >NEW. */

#include "guard_doc.h"

#include <stdio.h>

enum { PAGE_MAX = 1 << 20 };

int
main(void)
{
	static uint8_t page[PAGE_MAX];
	size_t len = fread(page, 1, sizeof page, stdin);
	struct buf out;
	int status = 1;

	buf_init(&out, PAGE_MAX);
	if (!guard_doc_manual(span_of(page, len), &out) || out.failed)
		fputs("guard_doc: this is not kaya-guard(5)\n", stderr);
	else if (fwrite(buf_span(&out).data, 1, buf_len(&out), stdout) ==
		 buf_len(&out))
		status = 0;
	buf_fini(&out);
	return status;
}
