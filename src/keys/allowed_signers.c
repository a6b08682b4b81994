#include "allowed_signers.h"

#include "authorized_keys.h"
#include "authorized_keys_option.h"
#include "keys_pattern.h"
#include "keys_text.h"

#include <stdio.h>

enum { LINE_MAX_BYTES = 64 << 10, OPTION_BYTES = 256 };

struct reader {
	struct allowed_signers *signers;
	const char *file;
	allowed_signers_fault_fn *on_fault;
	void *arg;
	size_t line;
	size_t faults;
	size_t room;
};

static bool
tell(struct reader *reader, const char *what, const char *hint)
{
	struct err err = ERR_INIT;

	err_set(&err, ERR_CONFIG, "%s", what);
	err_where(&err, "%s:%zu", reader->file, reader->line);
	err_hint(&err, "%s", hint);
	reader->faults++;
	if (reader->on_fault != NULL)
		reader->on_fault(&err, reader->arg);
	return false;
}

/* ---- principals and options ---- */

/* The first word; in quotes it may hold blanks. */
static bool
take_principals(struct span *s, struct span *principals)
{
	const uint8_t *end;

	if (s->data[0] != '"') {
		*principals = keys_text_take_word(s);
	} else {
		keys_text_advance(s, 1);
		end = s->len == 0 ? NULL : memchr(s->data, '"', s->len);
		if (end == NULL)
			return false;
		*principals = span_of(s->data, (size_t)(end - s->data));
		keys_text_advance(s, principals->len + 1);
	}
	*s = keys_text_skip_blanks(*s);
	return principals->len > 0 && s->len > 0;
}

static bool
take_word(struct span *s, const char *word)
{
	if (!keys_text_starts_with(*s, word))
		return false;
	keys_text_advance(s, strlen(word));
	return true;
}

/* ="...", with \" for a quote; the text goes to the arena. */
static bool
take_value(struct reader *reader, struct span *s, struct span *value)
{
	char text[OPTION_BYTES];
	struct span quoted;
	char *copy;

	if (!authorized_keys_take_value(s, &quoted))
		return tell(reader, "an option's value is not in quotes",
		    "write it as namespaces=\"kaya-command\"");
	if (value->data != NULL)
		return tell(reader, "an option stands there twice",
		    "leave one of them out");
	if (quoted.len >= sizeof text)
		return tell(reader, "an option's value is too long",
		    "write less than 256 characters");
	authorized_keys_unquote(quoted, text, sizeof text);
	copy = arena_str(&reader->signers->arena, span_of_str(text));
	if (copy == NULL)
		return tell(reader, "no memory", "give the machine more");
	*value = span_of_str(copy);
	return true;
}

static bool
take_time(struct reader *reader, struct span *s, int64_t *when)
{
	struct span text = {0};

	if (*when != 0)
		return tell(reader, "an option stands there twice",
		    "leave one of them out");
	if (!take_value(reader, s, &text))
		return false;
	return authorized_keys_time(text, when) ||
	       tell(reader, "a time is not understood",
		   "write YYYYMMDD or YYYYMMDDHHMM[SS], with Z for UTC");
}

static bool
take_option(struct reader *reader, struct span *s, struct allowed_signer *into)
{
	if (take_word(s, "cert-authority")) {
		into->is_authority = true;
		return true;
	}
	if (take_word(s, "namespaces="))
		return take_value(reader, s, &into->namespaces);
	if (take_word(s, "valid-after="))
		return take_time(reader, s, &into->valid_after_s);
	if (take_word(s, "valid-before="))
		return take_time(reader, s, &into->valid_before_s);
	return tell(reader, "an option is not known",
	    "ssh-keygen knows cert-authority, namespaces=\"...\", "
	    "valid-after=\"...\" and valid-before=\"...\"");
}

static bool
take_options(
    struct reader *reader, struct span options, struct allowed_signer *into)
{
	while (options.len > 0) {
		/* ssh-keygen passes over an empty option. */
		if (options.data[0] != ',' &&
		    !take_option(reader, &options, into))
			return false;
		if (options.len == 0)
			break;
		if (options.data[0] != ',' || options.len == 1)
			return tell(reader, "an option is not known",
			    "put a comma, and no blank, between options");
		keys_text_advance(&options, 1);
	}
	if (into->valid_after_s != 0 && into->valid_before_s != 0 &&
	    into->valid_before_s <= into->valid_after_s)
		return tell(reader, "valid-before is not after valid-after",
		    "mend one of the times");
	return true;
}

/* ---- lines ---- */

static bool
keep(struct reader *reader, const struct allowed_signer *signer)
{
	struct allowed_signers *signers = reader->signers;
	struct allowed_signer *list;

	if (signers->count == ALLOWED_SIGNERS_MAX)
		return tell(reader, "there are more than 4096 lines",
		    "leave out those that are not needed here");
	if (signers->count == reader->room) {
		size_t room = reader->room == 0 ? 16 : 2 * reader->room;

		list = arena_alloc(&signers->arena, room * sizeof *list);
		if (list == NULL)
			return tell(
			    reader, "no memory", "give the machine more");
		if (signers->count > 0)
			memcpy(
			    list, signers->list, signers->count * sizeof *list);
		signers->list = list;
		reader->room = room;
	}
	signers->list[signers->count++] = *signer;
	return true;
}

/* The key, read as authorized_keys has it: the same type, base64, comment. */
static bool
take_key(struct reader *reader, struct span s, struct allowed_signer *into)
{
	struct authorized_keys_line line;
	char *copy;

	if (authorized_keys_parse(s, &line) != AUTHORIZED_KEYS_KEY ||
	    line.options.len > 0)
		return tell(reader, "no key can be read",
		    "write TYPE BASE64, as in a .pub file of ssh-keygen's");
	copy = arena_alloc(&reader->signers->arena, line.blob_len);
	if (copy == NULL)
		return tell(reader, "no memory", "give the machine more");
	memcpy(copy, line.blob, line.blob_len);
	into->key = span_of(copy, line.blob_len);
	return true;
}

static bool
take_line(struct reader *reader, struct span s)
{
	struct allowed_signer signer = {.line = reader->line};
	struct span first;
	char *copy;
	size_t len;

	s = keys_text_skip_blanks(keys_text_line(s));
	if (s.len == 0 || s.data[0] == '#')
		return true;
	if (s.len > LINE_MAX_BYTES)
		return tell(reader, "the line is too long", "shorten it");
	if (!take_principals(&s, &signer.principals))
		return tell(reader, "there is no principal, or no key",
		    "write NAME TYPE BASE64");
	copy = arena_str(&reader->signers->arena, signer.principals);
	if (copy == NULL)
		return tell(reader, "no memory", "give the machine more");
	signer.principals = span_of_str(copy);
	first = s;
	if (pubkey_type_of_word(keys_text_take_word(&first)) ==
	    PUBKEY_UNKNOWN) {
		len = keys_text_options_len(s);
		if (len == SIZE_MAX || len == s.len)
			return tell(reader,
			    "there is no key, or a quote is open",
			    "write NAME [OPTIONS] TYPE BASE64");
		if (!take_options(reader, span_of(s.data, len), &signer))
			return false;
		keys_text_advance(&s, len);
		s = keys_text_skip_blanks(s);
	}
	return take_key(reader, s, &signer) && keep(reader, &signer);
}

int
allowed_signers_parse(struct allowed_signers *signers, struct span text,
    const char *file, allowed_signers_fault_fn *on_fault, void *arg)
{
	struct reader reader = {
	    .signers = signers, .file = file, .on_fault = on_fault, .arg = arg};
	struct span line;
	size_t at = 0;

	*signers = (struct allowed_signers){0};
	while (authorized_keys_next_line(text, &at, &reader.line, &line))
		take_line(&reader, line);
	if (reader.faults == 0)
		return 0;
	allowed_signers_fini(signers);
	return -1;
}

void
allowed_signers_fini(struct allowed_signers *signers)
{
	arena_fini(&signers->arena);
	*signers = (struct allowed_signers){0};
}

/* ---- who may sign ---- */

static enum allowed_signers_result
judge(const struct allowed_signer *signer, const char *namespace, int64_t now_s)
{
	if (signer->namespaces.data != NULL &&
	    keys_pattern_list(span_of_str(namespace), signer->namespaces) !=
		KEYS_PATTERN_MATCH)
		return ALLOWED_SIGNERS_NAMESPACE;
	if (signer->valid_after_s != 0 && now_s < signer->valid_after_s)
		return ALLOWED_SIGNERS_NOT_YET;
	if (signer->valid_before_s != 0 && now_s > signer->valid_before_s)
		return ALLOWED_SIGNERS_OVER;
	return ALLOWED_SIGNERS_FOUND;
}

/* Is the line one for this key: a plain one, or an authority's? */
static bool
is_for(const struct allowed_signer *line, struct span key,
    const struct span *certified)
{
	if (line->is_authority != (certified != NULL) ||
	    !span_equal(line->key, key))
		return false;
	return certified == NULL || keys_pattern_list(*certified,
					line->principals) == KEYS_PATTERN_MATCH;
}

static enum allowed_signers_result
find(const struct allowed_signers *signers, struct span key,
    const struct span *certified, const char *namespace, int64_t now_s,
    const struct allowed_signer **signer)
{
	enum allowed_signers_result result = ALLOWED_SIGNERS_UNKNOWN;

	*signer = NULL;
	for (size_t i = 0; i < signers->count; i++) {
		const struct allowed_signer *line = &signers->list[i];
		enum allowed_signers_result here;

		if (!is_for(line, key, certified))
			continue;
		here = judge(line, namespace, now_s);
		if (here == ALLOWED_SIGNERS_FOUND) {
			*signer = line;
			return here;
		}
		if (result == ALLOWED_SIGNERS_UNKNOWN)
			result = here;
	}
	return result;
}

enum allowed_signers_result
allowed_signers_find(const struct allowed_signers *signers, struct span key,
    const char *namespace, int64_t now_s, const struct allowed_signer **signer)
{
	return find(signers, key, NULL, namespace, now_s, signer);
}

enum allowed_signers_result
allowed_signers_find_authority(const struct allowed_signers *signers,
    struct span authority, struct span principal, const char *namespace,
    int64_t now_s, const struct allowed_signer **signer)
{
	return find(signers, authority, &principal, namespace, now_s, signer);
}

const char *
allowed_signers_result_text(enum allowed_signers_result result)
{
	static const char *const texts[] = {
	    [ALLOWED_SIGNERS_FOUND] = "the key is listed",
	    [ALLOWED_SIGNERS_UNKNOWN] = "the key is in no line of "
					"allowed_signers",
	    [ALLOWED_SIGNERS_NAMESPACE] = "the key's line is for other "
					  "namespaces",
	    [ALLOWED_SIGNERS_NOT_YET] = "the key's valid-after is still to "
					"come",
	    [ALLOWED_SIGNERS_OVER] = "the key's valid-before has passed",
	};

	return texts[result];
}
