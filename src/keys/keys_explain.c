#include "keys_explain.h"

#include "str.h"

#include <strings.h>

enum { WORD_SIZE = 96 };

/* `@` in the texts stands for the word at fault, `#` for its best guess. */
struct row {
	enum authorized_keys_fault fault;
	const char *code;
	const char *cause;
	const char *remedy;
};

static const struct row rows[] = {
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
	"the line says @, the key itself is another", "write # in its place"},
    {FAULT_MALFORMED, "key-malformed", "this is no key that SSH knows",
	"copy the .pub file again, as one line"},
    {FAULT_CERTIFICATE, "certificate",
	"a certificate in this file lets nobody in",
	"write cert-authority and the public key of the authority in its "
	"place"},
    {FAULT_QUOTE_OPEN, "quote-open", "a quote is opened and never closed",
	"close it, and write a quote within a value as \\\""},
    {FAULT_UNKNOWN, "option-unknown", "no option is called \"@\"",
	"take it out, or write it as sshd(8) does"},
    {FAULT_TAIL, "option-tail", "\"@\" stands where a comma should",
	"put a comma between options, and a blank before the key"},
    {FAULT_DOUBLE, "option-double", "\"@\" stands twice",
	"make one of the two; its value may be a list"},
    {FAULT_NO_VALUE, "value-missing", "\"@\" has no value", "write @=\"...\""},
    {FAULT_NO_QUOTE, "value-unquoted", "the value of # is not in quotes",
	"write #=\"...\""},
    {FAULT_EXPIRY, "expiry-time", "\"@\" is no time",
	"write YYYYMMDD, YYYYMMDDHHMM or YYYYMMDDHHMMSS, and Z for UTC"},
    {FAULT_ENVIRONMENT, "environment", "\"@\" sets no variable",
	"write NAME=value, the name of letters, digits and _"},
    {FAULT_HOST, "permit-host", "\"@\" names no host",
	"write host:port, an IPv6 address in brackets: [::1]:1883"},
    {FAULT_PORT, "permit-port", "\"@\" has no port between 1 and 65535",
	"write host:port, an IPv6 address in brackets: [::1]:1883"},
    {FAULT_TUNNEL, "tunnel", "\"@\" is no tunnel device",
	"write a number or any, or take the option out"},
    {FAULT_TOO_MANY, "too-many", "there are more than 4097 of @",
	"write fewer, or use a wildcard"},
    {FAULT_PRINCIPALS, "principals", "principals goes only with cert-authority",
	"put cert-authority before it, or take it out"},
};

static void
fill(char *text, size_t size, const char *pattern, const char *word,
    const char *guess)
{
	size_t len = 0;

	for (; *pattern != '\0'; pattern++) {
		char one[2] = {*pattern, '\0'};
		const char *part = *pattern == '@'   ? word
				   : *pattern == '#' ? guess
						     : one;
		size_t part_len = strlen(part);

		if (part_len >= size - len)
			break;
		memcpy(text + len, part, part_len);
		len += part_len;
	}
	text[len] = '\0';
}

static const char *
guess_for(const struct authorized_keys_line *line, const char *word)
{
	const char *near;

	switch (line->fault) {
	case FAULT_TYPE_MISMATCH:
		return pubkey_type_word(line->key.type);
	case FAULT_NO_QUOTE:
		return authorized_keys_option_name(line->fault_option);
	case FAULT_UNKNOWN:
		near = str_nearest(word, authorized_keys_option_words());
		return near == NULL ? "" : near;
	default:
		return "";
	}
}

void
keys_explain(
    const struct authorized_keys_line *line, struct keys_reason *reason)
{
	const struct row *row = &rows[0];
	char word[WORD_SIZE];
	struct span at = line->fault_text;
	const char *guess;

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		if (rows[i].fault == line->fault)
			row = &rows[i];
	if (line->fault == FAULT_TYPE_MISMATCH)
		at = line->type_word;
	str_escape(at, word, sizeof word);
	guess = guess_for(line, word);
	reason->code = row->code;
	reason->column = authorized_keys_column(line, line->fault_text);
	fill(reason->cause, sizeof reason->cause, row->cause, word, guess);
	fill(reason->remedy, sizeof reason->remedy, row->remedy, word, guess);
	if (line->fault == FAULT_UNKNOWN && guess[0] != '\0')
		fill(reason->remedy, sizeof reason->remedy, "write #", word,
		    guess);
}
