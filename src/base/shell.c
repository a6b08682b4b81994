#include "shell.h"

#include <string.h>

void
shell_quote(struct buf *out, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789%+,-./:=@_[]";

	/* A shell may take brackets for a pattern, but finds no such file. */
	if (*word != '\0' && word[strspn(word, plain)] == '\0') {
		buf_append_str(out, word);
		return;
	}
	buf_append_str(out, "'");
	for (; *word != '\0'; word++)
		if (*word == '\'')
			buf_append_str(out, "'\\''");
		else
			buf_append(out, word, 1);
	buf_append_str(out, "'");
}

const char *
shell_quoted(const char *word, char *text, size_t size)
{
	struct buf out;

	buf_init(&out, 4 * strlen(word) + 2);
	shell_quote(&out, word);
	if (!span_to_str(buf_span(&out), text, size))
		text[0] = '\0';
	buf_fini(&out);
	return text;
}

bool
shell_is_literal(const char *text)
{
	return text[strcspn(text, "\\'%\n")] == '\0';
}
