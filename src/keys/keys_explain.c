#include "keys_explain.h"

#include "keys_guess.h"
#include "keys_text.h"
#include "str.h"

#include <ctype.h>
#include <stdlib.h>

enum {
	WORD_SIZE = 96,
	/* Each step mends one fault; a line has not many more words. */
	MAX_STEPS = 64,
	/* A run of base64 of this length may be a key. */
	SECRET_LEN = 24,
	MEANT_MAX = 1 << 20
};

/* In the texts `@` stands for the word at fault. */
static const struct row {
	enum authorized_keys_fault fault;
	const char *code;
	const char *cause;
	const char *remedy;
} rows[] = {
    {FAULT_NO_KEY, "no-key", "there is no key on the line",
	"write the whole of the .pub file behind the options, on one line"},
    {FAULT_TYPE, "key-type", "\"@\" stands where the key's type should",
	"put a key type there, such as ssh-ed25519, and the key behind it"},
    {FAULT_BASE64, "key-base64", "the key's base64 is damaged",
	"copy the .pub file again, as one line"},
    {FAULT_CUT_OFF, "key-cut-off", "the key is cut off before its own end",
	"copy the .pub file again, as one line"},
    {FAULT_TRAILING, "key-trailing", "there is more behind the key's own end",
	"copy the .pub file again, with a blank between key and comment"},
    {FAULT_TYPE_MISMATCH, "key-type-mismatch",
	"the key is not of the type that stands before it",
	"copy the .pub file again, as one line"},
    {FAULT_MALFORMED, "key-malformed", "this is no key that SSH knows",
	"copy the .pub file again, as one line"},
    {FAULT_CERTIFICATE, "certificate",
	"a certificate in this file lets nobody in",
	"write cert-authority and the authority's public key in its place"},
    {FAULT_QUOTE_OPEN, "quote-open", "a quote is opened and never closed",
	"close it, and write a quote within a value as \\\""},
    {FAULT_UNKNOWN, "option-unknown", "no option is called \"@\"",
	"take it out, or write it as sshd(8) does"},
    {FAULT_TAIL, "option-tail", "\"@\" stands where a comma should",
	"put a comma between options, and a blank before the key"},
    {FAULT_DOUBLE, "option-double", "\"@\" stands twice",
	"make one of the two"},
    {FAULT_NO_VALUE, "value-missing", "\"@\" has no value", "write @=\"...\""},
    {FAULT_NO_QUOTE, "value-unquoted", "a value is not in quotes",
	"put the value between two \""},
    {FAULT_EXPIRY, "expiry-time", "\"@\" is no time",
	"write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and Z for UTC"},
    {FAULT_ENVIRONMENT, "environment", "\"@\" sets no variable",
	"write NAME=value, the name of letters, digits and _"},
    {FAULT_HOST, "permit-host", "\"@\" names no host",
	"write host:port, an IPv6 address in brackets: [::1]:1883"},
    {FAULT_PORT, "permit-port", "\"@\" has no port between 1 and 65535",
	"write host:port with the port as a number, or * for any"},
    {FAULT_TUNNEL, "tunnel", "\"@\" is no tunnel device",
	"write a number or any, or take the option out"},
    {FAULT_TOO_MANY, "too-many",
	"there are more of one option than sshd takes (4097, or 1025 "
	"environment)",
	"write fewer, or use a wildcard"},
    {FAULT_PRINCIPALS, "principals", "principals goes only with cert-authority",
	"put cert-authority before it, or take it out"},
};

/* A word for a sentence; a piece of a key is not repeated. */
static const char *
word_of(struct span word, char text[WORD_SIZE])
{
	size_t run = 0;

	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = word.data[i];

		run = isalnum(c) || c == '+' || c == '/' ? run + 1 : 0;
		if (run >= SECRET_LEN)
			return strcpy(text, "a piece of a key");
	}
	return str_escape(word, text, WORD_SIZE);
}

static void
fill(char text[KEYS_SENTENCE_SIZE], const char *pattern, const char *word)
{
	size_t len = 0;

	for (; *pattern != '\0'; pattern++) {
		const char *part = *pattern == '@' ? word : pattern;
		size_t part_len = *pattern == '@' ? strlen(word) : 1;

		if (part_len >= KEYS_SENTENCE_SIZE - len)
			break;
		memcpy(text + len, part, part_len);
		len += part_len;
	}
	text[len] = '\0';
}

bool
keys_guess_say(struct keys_guess *g, const char *code, struct span at,
    const char *cause, const char *remedy)
{
	char word[WORD_SIZE];

	word_of(at, word);
	g->reason->code = code;
	g->reason->column = authorized_keys_column(g->line, at);
	fill(g->reason->cause, cause, word);
	fill(g->reason->remedy, remedy, word);
	return true;
}

struct span
keys_guess_piece(const uint8_t *start, const uint8_t *end)
{
	return span_of(start, (size_t)(end - start));
}

struct span
keys_guess_before(struct span part)
{
	return span_of(part.data, 0);
}

struct span
keys_guess_behind(struct span part)
{
	return span_of(part.data + part.len, 0);
}

void
keys_guess_replace(struct keys_guess *g, struct span part, const char *by)
{
	const uint8_t *end = part.data + part.len;

	if (g->meant == NULL)
		return;
	buf_append(g->meant, g->text.data, (size_t)(part.data - g->text.data));
	buf_append(g->meant, by, strlen(by));
	buf_append(g->meant, end, g->text.len - (size_t)(end - g->text.data));
}

bool
keys_guess_is_base64(struct span word)
{
	static const char head[] = "AAAA";

	return word.len >= SECRET_LEN && memcmp(word.data, head, 4) == 0;
}

bool
keys_guess_is_option(struct span word)
{
	const char *const *words = authorized_keys_option_words();
	struct span name = keys_text_front(word);

	for (; *words != NULL; words++)
		if (name.len == strlen(*words) &&
		    keys_text_starts_with(name, *words))
			return true;
	return false;
}

bool
keys_guess_is_grant(struct span word)
{
	static const char *const grants[] = {"port-forwarding",
	    "agent-forwarding", "X11-forwarding", "pty", "user-rc",
	    "cert-authority", "no-touch-required", "no-verify-required"};

	for (size_t i = 0; i < sizeof grants / sizeof grants[0]; i++)
		if (word.len == strlen(grants[i]) &&
		    keys_text_starts_with(word, grants[i]))
			return true;
	return false;
}

struct keys_guess_key
keys_guess_find(struct span text)
{
	struct keys_guess_key key = {0};

	for (size_t i = 4; i < text.len; i++) {
		struct span rest = span_of(text.data + i, text.len - i);
		size_t end = i, start;

		if (!keys_guess_is_base64(rest) ||
		    !keys_text_is_blank(text.data[i - 1]))
			continue;
		while (end > 0 && keys_text_is_blank(text.data[end - 1]))
			end--;
		/* The longest type that ends there: sk-ssh-... before ssh-. */
		for (start = 0; start < end; start++) {
			struct span word =
			    span_of(text.data + start, end - start);

			if (pubkey_type_of_word(word) == PUBKEY_UNKNOWN)
				continue;
			key.type = word;
			key.base64 = keys_text_take_word(&rest);
			return key;
		}
	}
	return key;
}

static bool
guess(struct keys_guess *g, keys_guess_fn *const *guesses)
{
	for (; *guesses != NULL; guesses++)
		if ((*guesses)(g))
			return true;
	return false;
}

void
keys_explain(const struct authorized_keys_line *line,
    struct keys_reason *reason, struct buf *meant)
{
	struct keys_guess g = {
	    .line = line,
	    .text = keys_text_line(line->text),
	    .reason = reason,
	    .meant = meant,
	};
	const struct row *row = &rows[0];

	g.key = keys_guess_find(g.text);
	if (guess(&g, keys_guess_foreign) || guess(&g, keys_guess_shapes) ||
	    guess(&g, keys_guess_values))
		return;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].fault == line->fault)
			row = &rows[i];
	keys_guess_say(
	    &g, row->code, line->fault_text, row->cause, row->remedy);
}

/* True where `meant` is a line with a key, or two of them. */
static bool
is_mended(struct span meant, struct authorized_keys_line *line)
{
	struct span text;
	size_t at = 0, number = 0;

	while (authorized_keys_next_line(meant, &at, &number, &text))
		if (authorized_keys_parse(text, line) != AUTHORIZED_KEYS_KEY)
			return false;
	return number > 0;
}

bool
keys_repair(const struct authorized_keys_line *line, struct buf *meant)
{
	struct authorized_keys_line *now = calloc(1, sizeof *now);
	struct keys_reason reason;
	struct buf step[2];
	bool mended = false;
	size_t i;

	buf_init(&step[0], MEANT_MAX);
	buf_init(&step[1], MEANT_MAX);
	if (now == NULL)
		return false;
	keys_explain(line, &reason, &step[0]);
	for (i = 0; i < MAX_STEPS && buf_len(&step[i % 2]) > 0; i++) {
		struct buf *old = &step[i % 2], *next = &step[(i + 1) % 2];

		mended = !old->failed && is_mended(buf_span(old), now);
		if (mended || old->failed)
			break;
		buf_truncate(next, 0);
		keys_explain(now, &reason, next);
	}
	if (mended)
		mended = buf_append(
		    meant, buf_span(&step[i % 2]).data, buf_len(&step[i % 2]));
	buf_fini(&step[0]);
	buf_fini(&step[1]);
	free(now);
	return mended;
}
