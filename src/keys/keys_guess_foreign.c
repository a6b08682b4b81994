#include "keys_guess.h"

#include "keys_text.h"

/* ---- things that are no line of this file at all ---- */

static bool
contains(struct span s, const char *word)
{
	return s.len > 0 && memmem(s.data, s.len, word, strlen(word)) != NULL;
}

enum keys_block
keys_block_begins(struct span line)
{
	struct span s = keys_text_skip_blanks(line);

	if (keys_text_starts_with(s, "PuTTY-User-Key-File"))
		return KEYS_BLOCK_PUTTY;
	if (keys_text_starts_with(s, "---- BEGIN SSH2 PUBLIC KEY"))
		return KEYS_BLOCK_SSH2;
	if (!keys_text_starts_with(s, "-----BEGIN"))
		return KEYS_BLOCK_NONE;
	if (contains(s, "PRIVATE KEY"))
		return KEYS_BLOCK_PRIVATE;
	return contains(s, "PUBLIC KEY") ? KEYS_BLOCK_PUBLIC : KEYS_BLOCK_OTHER;
}

static bool
block_ends(enum keys_block block, struct span line)
{
	struct span s = keys_text_skip_blanks(line);

	if (block == KEYS_BLOCK_PUTTY)
		return keys_text_starts_with(s, "Private-MAC:");
	if (block == KEYS_BLOCK_SSH2)
		return keys_text_starts_with(s, "---- END");
	return keys_text_starts_with(s, "-----END");
}

void
keys_block_skip(struct span file, size_t *at, size_t *number,
    enum keys_block block, struct authorized_keys_line *scratch)
{
	size_t ahead = *at, counted = *number;
	struct span text;

	while (authorized_keys_next_line(file, &ahead, &counted, &text)) {
		if (authorized_keys_parse(text, scratch) == AUTHORIZED_KEYS_KEY)
			return;
		*at = ahead;
		*number = counted;
		if (block_ends(block, text))
			return;
	}
}

static bool
guess_block(struct keys_guess *g)
{
	static const char take_out[] =
	    "take it out, and make a new pair: whoever could read this file "
	    "has the key. What belongs here is the .pub file's one line";

	switch (keys_block_begins(g->text)) {
	case KEYS_BLOCK_NONE:
		return false;
	case KEYS_BLOCK_PRIVATE:
		return keys_guess_say(g, "private-key", g->text,
		    "a private key was put into this file", take_out);
	case KEYS_BLOCK_PUTTY:
		return keys_guess_say(g, "private-key-putty", g->text,
		    "PuTTY's private key file was put into this file",
		    take_out);
	case KEYS_BLOCK_SSH2:
		return keys_guess_say(g, "ssh2-key", g->text,
		    "this public key is in RFC 4716's form (PuTTYgen's save)",
		    "turn it into one line: ssh-keygen -i -f FILE");
	case KEYS_BLOCK_PUBLIC:
		return keys_guess_say(g, "pem-key", g->text,
		    "this public key is in PEM form",
		    "turn it into one line: ssh-keygen -i -m PKCS8 -f FILE");
	case KEYS_BLOCK_OTHER:
		break;
	}
	return keys_guess_say(g, "pem-block", g->text,
	    "this block is no SSH key",
	    "take it out: what belongs here is the .pub file's one line");
}

static bool
guess_utf16(struct keys_guess *g)
{
	struct span s = g->line->text;
	bool marked =
	    s.len >= 2 && ((s.data[0] == 0xff && s.data[1] == 0xfe) ||
			      (s.data[0] == 0xfe && s.data[1] == 0xff));
	bool wide = s.len >= 4 && ((s.data[0] == 0) != (s.data[1] == 0)) &&
		    ((s.data[2] == 0) != (s.data[3] == 0));

	if (!marked && !wide)
		return false;
	return keys_guess_say(g, "utf-16", s, "the file is in UTF-16",
	    "save it again as UTF-8 or ASCII");
}

/* ---- characters that look like others ---- */

static const struct look_alike {
	const char *bytes; /* UTF-8 */
	const char *meant;
	const char *code;
	const char *cause;
	const char *remedy;
} look_alikes[] = {
#define LOOK_ALIKE(bytes, meant, code, what, remedy)                           \
	{                                                                      \
		bytes, meant, code, what " stands in the line", remedy         \
	}
#define BLANK(bytes)                                                           \
	LOOK_ALIKE(bytes, " ", "no-break-space",                               \
	    "a blank that is no plain blank", "write a plain blank")
#define QUOTE(bytes)                                                           \
	LOOK_ALIKE(bytes, "\"", "curly-quote", "a typographic quote",          \
	    "write a plain \" there, in an editor that leaves it alone")
#define DASH(bytes)                                                            \
	LOOK_ALIKE(bytes, "-", "dash", "a dash that is no plain -",            \
	    "write a plain - there")
#define NOTHING(bytes)                                                         \
	LOOK_ALIKE(bytes, "", "invisible", "an invisible character",           \
	    "take it out, or type the line anew")
#define WIDE(bytes, plain)                                                     \
	LOOK_ALIKE(bytes, plain, "fullwidth", "a full-width character",        \
	    "write its plain form, " plain)
    BLANK("\xc2\xa0"),
    BLANK("\xe2\x80\x87"),
    BLANK("\xe2\x80\xaf"),
    BLANK("\xe3\x80\x80"),
    QUOTE("\xe2\x80\x9c"),
    QUOTE("\xe2\x80\x9d"),
    QUOTE("\xe2\x80\x9e"),
    QUOTE("\xe2\x80\x9f"),
    QUOTE("\xe2\x80\x98"),
    QUOTE("\xe2\x80\x99"),
    QUOTE("\xe2\x80\xb3"),
    QUOTE("\xc2\xab"),
    QUOTE("\xc2\xbb"),
    QUOTE("\xef\xbc\x82"),
    DASH("\xe2\x80\x90"),
    DASH("\xe2\x80\x91"),
    DASH("\xe2\x80\x92"),
    DASH("\xe2\x80\x93"),
    DASH("\xe2\x80\x94"),
    DASH("\xe2\x88\x92"),
    DASH("\xef\xbc\x8d"),
    NOTHING("\xe2\x80\x8b"),
    NOTHING("\xe2\x80\x8c"),
    NOTHING("\xe2\x80\x8d"),
    NOTHING("\xe2\x81\xa0"),
    NOTHING("\xef\xbb\xbf"),
    NOTHING("\xc2\xad"),
    WIDE("\xef\xbc\x8c", ","),
    WIDE("\xe3\x80\x81", ","),
    WIDE("\xef\xbc\x9a", ":"),
    WIDE("\xef\xbc\x9d", "="),
#undef LOOK_ALIKE
#undef BLANK
#undef QUOTE
#undef DASH
#undef NOTHING
#undef WIDE
};

static bool
guess_bom(struct keys_guess *g)
{
	struct span mark = span_of(g->text.data, 3);

	if (g->text.len < 3 || memcmp(mark.data, "\xef\xbb\xbf", 3) != 0)
		return false;
	keys_guess_replace(g, mark, "");
	return keys_guess_say(g, "byte-order-mark", mark,
	    "the file begins with an invisible byte order mark",
	    "save it again as UTF-8 without BOM");
}

static bool
guess_look_alike(struct keys_guess *g)
{
	/* A comment may hold what it likes. */
	size_t end = g->line->comment.data == NULL
			 ? g->text.len
			 : (size_t)(g->line->comment.data - g->text.data);

	for (size_t i = 0; i < end; i++) {
		if (g->text.data[i] < 0x80)
			continue;
		for (size_t k = 0;
		     k < sizeof look_alikes / sizeof look_alikes[0]; k++) {
			const struct look_alike *l = &look_alikes[k];
			struct span at =
			    span_of(g->text.data + i, strlen(l->bytes));

			if (at.len > g->text.len - i ||
			    memcmp(at.data, l->bytes, at.len) != 0)
				continue;
			keys_guess_replace(g, at, l->meant);
			return keys_guess_say(
			    g, l->code, at, l->cause, l->remedy);
		}
	}
	return false;
}

keys_guess_fn *const keys_guess_foreign[] = {
    guess_block,
    guess_utf16,
    guess_bom,
    guess_look_alike,
    NULL,
};
