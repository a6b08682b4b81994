#include "keys_guess.h"

#include "keys_text.h"

#include <ctype.h>

static const uint8_t *
end_of(struct span s)
{
	return s.data + s.len;
}

/* The last of the options. */
static struct span
last_option(struct span options)
{
	size_t i = options.len;

	while (
	    i > 0 && options.data[i - 1] != ',' && options.data[i - 1] != '"')
		i--;
	return span_of(options.data + i, options.len - i);
}

/* ---- where options and key meet ---- */

static bool
guess_joint(struct keys_guess *g)
{
	struct span type = g->key.type, joint;

	if (type.data == NULL || type.data == g->text.data ||
	    type.data == g->line->type_word.data ||
	    keys_text_is_blank(type.data[-1]))
		return false;
	joint = span_of(type.data - 1, 1);
	if (joint.data[0] == ',' || joint.data[0] == ';') {
		keys_guess_replace(g, joint, " ");
		return keys_guess_say(g, "comma-before-key", joint,
		    "\"@\" stands between the options and the key, where a "
		    "blank must",
		    "put a blank there in place of the \"@\"");
	}
	/* Not a word that only ends like a type. */
	if (joint.data[0] != '"' &&
	    !keys_guess_is_option(
		last_option(keys_guess_piece(g->text.data, type.data))))
		return false;
	keys_guess_replace(g, keys_guess_before(type), " ");
	return keys_guess_say(g, "blank-missing", type,
	    "there is no blank between the options and the key",
	    "put one before @");
}

/* ssh-ed25519,AAAA... and ssh-ed25519AAAA... */
static bool
guess_glued_type(struct keys_guess *g)
{
	for (size_t i = 1; i < g->text.len; i++) {
		struct span rest = span_of(g->text.data + i, g->text.len - i);
		struct span glue = span_of(rest.data, 0);

		if (!keys_guess_is_base64(rest) ||
		    keys_text_is_blank(rest.data[-1]))
			continue;
		if (memchr(",;:=", rest.data[-1], 4) != NULL)
			glue = span_of(rest.data - 1, 1);
		for (const uint8_t *p = g->text.data; p < glue.data; p++) {
			struct span word = keys_guess_piece(p, glue.data);

			if (pubkey_type_of_word(word) == PUBKEY_UNKNOWN)
				continue;
			keys_guess_replace(g, glue, " ");
			return keys_guess_say(g, "blank-missing",
			    keys_guess_before(rest),
			    "there is no blank between the key's type and the "
			    "key",
			    "put one there");
		}
		return false;
	}
	return false;
}

/* The `=` outside quotes that no quote follows; NULL where there is none. */
static const uint8_t *
find_unquoted(struct span s)
{
	bool quoted = false;

	for (size_t i = 0; i + 1 < s.len; i++) {
		if (s.data[i] == '\\' && s.data[i + 1] == '"')
			i++;
		else if (s.data[i] == '"')
			quoted = !quoted;
		else if (!quoted && s.data[i] == '=' && s.data[i + 1] != '"')
			return s.data + i;
	}
	return NULL;
}

/*
 * Cut a value whose end nobody marked before the first comma with an option
 * behind it: options that the value swallowed would not hold.  False where
 * those give rights: whether they were meant to nobody can know.
 */
static bool
end_value(struct span *value)
{
	size_t end = value->len;

	for (size_t i = 0; i < value->len; i++) {
		struct span rest = keys_text_skip_blanks(
		    keys_guess_piece(value->data + i + 1, end_of(*value)));

		if (value->data[i] != ',' || !keys_guess_is_option(rest))
			continue;
		if (keys_guess_is_grant(keys_text_front(rest)))
			return false;
		if (i < end)
			end = i;
	}
	value->len = end;
	return true;
}

/* What stands behind the quote that is never closed. */
static struct span
open_value(struct span s)
{
	const uint8_t *start = s.data;
	bool quoted = false;

	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '\\' && i + 1 < s.len &&
		    s.data[i + 1] == '"') {
			i++;
		} else if (s.data[i] == '"') {
			quoted = !quoted;
			start = s.data + i + 1;
		}
	}
	return keys_guess_piece(start, end_of(s));
}

static bool
guess_quote_open(struct keys_guess *g)
{
	const uint8_t *p = g->key.type.data, *equals;
	struct span before, value;

	if (g->line->fault != FAULT_QUOTE_OPEN || p == NULL)
		return false;
	before = keys_guess_piece(g->text.data, p);
	equals = find_unquoted(before);
	if (equals != NULL) {
		struct span at = span_of(equals + 1, 0);

		keys_guess_replace(g, at, "\"");
		return keys_guess_say(g, "quote-missing", at,
		    "the value has no quote before it", "put a \" there");
	}
	while (before.len > 0 &&
	       (keys_text_is_blank(before.data[before.len - 1]) ||
		   before.data[before.len - 1] == ','))
		before.len--;
	value = open_value(before);
	if (end_value(&value))
		keys_guess_replace(g, keys_guess_behind(value), "\"");
	return keys_guess_say(g, "quote-open", keys_guess_behind(value),
	    "a quote is opened and never closed", "put a \" there");
}

/* command=echo hi ssh-ed25519 ...: the value wants quotes, not the blank. */
static bool
guess_unquoted_blank(struct keys_guess *g)
{
	const uint8_t *equals;
	struct span value;
	struct buf quoted;
	bool knows_end;

	if (g->line->fault != FAULT_TYPE || g->key.type.data == NULL)
		return false;
	equals = find_unquoted(g->line->options);
	/* A key may stand before it, in what is no line at all. */
	if (equals == NULL || g->key.type.data <= equals)
		return false;
	value = keys_guess_piece(equals + 1, g->key.type.data);
	while (
	    value.len > 0 && (keys_text_is_blank(value.data[value.len - 1]) ||
				 value.data[value.len - 1] == ','))
		value.len--;
	if (value.len == 0 || memchr(value.data, '"', value.len) != NULL)
		return false;
	knows_end = end_value(&value);
	buf_init(&quoted, g->text.len + 3);
	buf_append(&quoted, "\"", 1);
	buf_append(&quoted, value.data, value.len);
	buf_append(&quoted, "\"", 2);
	if (knows_end && !quoted.failed)
		keys_guess_replace(
		    g, value, (const char *)buf_span(&quoted).data);
	buf_fini(&quoted);
	return keys_guess_say(g, "value-unquoted", value,
	    "a value with blanks is not in quotes",
	    "put the value between two \"");
}

static bool
guess_blank_in_options(struct keys_guess *g)
{
	struct span options = g->line->options, word = g->line->fault_text;
	struct span gap;
	uint8_t last;

	if (g->line->fault != FAULT_TYPE || options.len == 0 || word.len == 0)
		return false;
	gap = keys_guess_piece(end_of(options), word.data);
	last = end_of(options)[-1];
	if (last == ',' || word.data[0] == ',') {
		keys_guess_replace(g, gap, "");
		return keys_guess_say(g,
		    last == ',' ? "blank-after-comma" : "blank-before-comma",
		    gap, "there is a blank beside a comma among the options",
		    "take the blank out: the first one ends the options");
	}
	if (last == '=' || word.data[0] == '=') {
		keys_guess_replace(g, gap, "");
		return keys_guess_say(g, "blank-around-equals", gap,
		    "there is a blank beside a = among the options",
		    "take the blank out: the first one ends the options");
	}
	if (!keys_guess_is_option(word) || !keys_guess_is_option(options))
		return false;
	keys_guess_replace(g, gap, ",");
	return keys_guess_say(g, "blank-between-options", gap,
	    "there is a blank between options, where a comma must be",
	    "put a comma there: the first blank ends the options");
}

static bool
guess_options_behind_type(struct keys_guess *g)
{
	struct span rest = g->line->comment, options;

	if (g->line->options.len > 0 || g->line->base64.data == NULL ||
	    !keys_guess_is_option(g->line->base64))
		return false;
	while (rest.len > 0 && !keys_guess_is_base64(rest)) {
		keys_text_take_word(&rest);
		rest = keys_text_skip_blanks(rest);
	}
	if (rest.len > 0 && g->meant != NULL) {
		options = keys_guess_piece(g->line->base64.data, rest.data);
		buf_append(g->meant, options.data, options.len);
		buf_append(
		    g->meant, g->line->type_word.data, g->line->type_word.len);
		buf_append(g->meant, " ", 1);
		buf_append(g->meant, rest.data, rest.len);
	}
	return keys_guess_say(g, "options-behind-type", g->line->base64,
	    "options stand between the key's type and the key",
	    "put them before the type");
}

/* ---- the type's word ---- */

/* What a key's blob says of itself; PUBKEY_UNKNOWN where it says nothing. */
static enum pubkey_type
type_of_base64(struct span base64)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	struct pubkey key;
	size_t len;

	if (!keys_guess_is_base64(base64) ||
	    pubkey_decode(base64, blob, sizeof blob, &len) != PUBKEY_GOOD ||
	    pubkey_read(span_of(blob, len), PUBKEY_UNKNOWN, &key) !=
		PUBKEY_GOOD)
		return PUBKEY_UNKNOWN;
	return key.type;
}

static bool
say_type(struct keys_guess *g, struct span at, const char *before,
    enum pubkey_type type)
{
	char word[80];

	word[0] = '\0';
	strcat(strcat(strcat(word, before), pubkey_type_word(type)),
	    at.len == 0 ? " " : "");
	keys_guess_replace(g, at, word);
	strcpy(word, "write ");
	strcat(strcat(word, pubkey_type_word(type)), " there");
	return keys_guess_say(g, at.len == 0 ? "type-missing" : "key-type", at,
	    at.len == 0 ? "the key's type is missing before the key"
			: "\"@\" is not the type of the key behind it",
	    word);
}

/* restrict ed25519 AAAA...: some word stands where the type must. */
static bool
guess_other_word(struct keys_guess *g)
{
	struct span word = g->line->fault_text, rest;
	enum pubkey_type type;

	/* The CR of a foreign line end may be of the word, never of the text.
	 */
	if (g->line->fault != FAULT_TYPE || word.len == 0 ||
	    end_of(word) >= end_of(g->text) || keys_guess_is_option(word))
		return false;
	rest = keys_text_skip_blanks(
	    keys_guess_piece(end_of(word), g->text.data + g->text.len));
	type = type_of_base64(keys_text_take_word(&rest));
	return type != PUBKEY_UNKNOWN && say_type(g, word, "", type);
}

static bool
guess_type(struct keys_guess *g)
{
	const struct authorized_keys_line *line = g->line;
	struct span text = keys_text_skip_blanks(g->text), first, word;
	enum pubkey_type type;

	if (line->fault == FAULT_TYPE_MISMATCH)
		return say_type(g, line->type_word, "", line->key.type);
	if (line->fault != FAULT_TYPE && line->fault != FAULT_NO_KEY)
		return false;
	first = text;
	first = keys_text_take_word(&first);
	type = type_of_base64(first);
	if (type != PUBKEY_UNKNOWN)
		return say_type(g, keys_guess_before(first), "", type);
	type = type_of_base64(line->fault_text);
	if (type == PUBKEY_UNKNOWN)
		return guess_other_word(g);
	word = last_option(line->options);
	if (word.len == 0 || keys_guess_is_option(word))
		return say_type(
		    g, keys_guess_before(line->fault_text), "", type);
	if (word.data > line->options.data && word.data[-1] == ',')
		return say_type(
		    g, span_of(word.data - 1, word.len + 1), " ", type);
	return say_type(g, word, "", type);
}

/* A line that is nothing but base64: the rest of a wrapped key. */
static bool
guess_piece(struct keys_guess *g)
{
	struct span rest = keys_text_skip_blanks(g->text), word;

	word = keys_text_take_word(&rest);
	for (size_t i = 0; i < word.len; i++) {
		uint8_t c = word.data[i];

		if (!isalnum(c) && c != '+' && c != '/' && c != '=')
			return false;
	}
	if (word.len < 16 || keys_guess_is_base64(word) ||
	    g->key.type.data != NULL)
		return false;
	return keys_guess_say(g, "wrapped", keys_guess_before(word),
	    "this is a piece of a key, without its beginning",
	    "join it to the line before it: a key is one line");
}

keys_guess_fn *const keys_guess_shapes[] = {
    guess_piece,
    guess_joint,
    guess_glued_type,
    guess_quote_open,
    guess_unquoted_blank,
    guess_blank_in_options,
    guess_options_behind_type,
    guess_type,
    NULL,
};
