#include "authorized_keys.h"

#include "authorized_keys_option.h"
#include "keys_text.h"

#include <ctype.h>

const char *
authorized_keys_fault_name(enum authorized_keys_fault fault)
{
	static const char *const names[] = {"none",
#define X(id, name, sshd) name,
	    AUTHORIZED_KEYS_FAULTS(X)
#undef X
	};

	return names[fault];
}

const char *
authorized_keys_fault_sshd(enum authorized_keys_fault fault)
{
	static const char *const words[] = {"",
#define X(id, name, sshd) sshd,
	    AUTHORIZED_KEYS_FAULTS(X)
#undef X
	};

	return words[fault];
}

static enum authorized_keys_fault
fault_at(struct authorized_keys_line *line, enum authorized_keys_fault fault,
    struct span text)
{
	line->fault = fault;
	line->fault_text = text;
	return fault;
}

static enum authorized_keys_fault
apply_options(struct authorized_keys_line *line)
{
	struct span s = line->options;
	struct authorized_keys_option option;
	enum authorized_keys_fault fault;
	struct span start;

	while (s.len > 0) {
		start = s;
		if (s.data[0] == ',') {
			/* sshd passes over an empty option. */
			keys_text_advance(&s, 1);
			continue;
		}
		fault = authorized_keys_take_option(&s, &option);
		if (fault == FAULT_UNKNOWN) {
			struct span word = keys_text_front(start);

			option.id = authorized_keys_valueless(word);
			line->fault_option = option.id;
			return fault_at(line,
			    option.id == OPTION_COUNT ? FAULT_UNKNOWN
						      : FAULT_NO_VALUE,
			    word);
		}
		line->fault_option = option.id;
		if (fault != FAULT_NONE)
			return fault_at(line, fault, s.len > 0 ? s : start);
		fault = authorized_keys_apply(line, &option);
		if (fault != FAULT_NONE)
			return fault_at(line, fault,
			    option.value.data == NULL || fault == FAULT_DOUBLE
				? option.name
				: option.value);
		if (s.len > 0 && s.data[0] != ',') {
			struct span word = keys_text_front(start);

			/* no-ptyx is a word nobody knows, "a"b a tail. */
			if (option.value.data == NULL &&
			    word.len > option.name.len)
				return fault_at(line, FAULT_UNKNOWN, word);
			return fault_at(line, FAULT_TAIL, keys_text_front(s));
		}
		if (s.len > 0)
			keys_text_advance(&s, 1);
	}
	return FAULT_NONE;
}

static enum authorized_keys_fault
fault_of_blob(enum pubkey_result result)
{
	switch (result) {
	case PUBKEY_GOOD:
		return FAULT_NONE;
	case PUBKEY_BAD_BASE64:
		return FAULT_BASE64;
	case PUBKEY_CUT_OFF:
		return FAULT_CUT_OFF;
	case PUBKEY_TRAILING:
		return FAULT_TRAILING;
	case PUBKEY_OTHER_TYPE:
		return FAULT_TYPE_MISMATCH;
	default:
		return FAULT_MALFORMED;
	}
}

/* What lies in the blob; one that is not written as it should be is mended. */
static enum pubkey_result
read_blob(struct authorized_keys_line *line, enum pubkey_type type)
{
	struct span blob = span_of(line->blob, line->blob_len), tidy;
	enum pubkey_result result = pubkey_read(blob, type, &line->key);
	struct buf out;

	if (result != PUBKEY_MALFORMED)
		return result;
	buf_init(&out, sizeof line->blob);
	if (pubkey_tidy(blob, &out)) {
		tidy = buf_span(&out);
		memcpy(line->blob, tidy.data, tidy.len);
		line->blob_len = tidy.len;
		result = pubkey_read(tidy, type, &line->key);
	}
	buf_fini(&out);
	return result;
}

static enum pubkey_result
take_blob(struct authorized_keys_line *line, struct span base64,
    enum pubkey_type type)
{
	enum pubkey_result result = pubkey_decode(
	    base64, line->blob, sizeof line->blob, &line->blob_len);

	return result == PUBKEY_GOOD ? read_blob(line, type) : result;
}

/* Whoever cuts a key off seldom cuts at a whole group of four letters. */
static bool
is_cut_within_four(struct authorized_keys_line *line, struct span base64,
    enum pubkey_type type)
{
	struct span whole = span_of(base64.data, base64.len & ~(size_t)3);

	for (size_t i = whole.len; i < base64.len; i++)
		if (!isalnum(base64.data[i]) && base64.data[i] != '+' &&
		    base64.data[i] != '/')
			return false;
	return whole.len < base64.len &&
	       take_blob(line, whole, type) == PUBKEY_CUT_OFF;
}

/* `type base64 comment` at the front of `s`. */
static enum authorized_keys_fault
read_key(struct authorized_keys_line *line, struct span s)
{
	struct span word = keys_text_take_word(&s), base64;
	enum pubkey_type type = pubkey_type_of_word(word);
	enum authorized_keys_fault fault;
	enum pubkey_result result;

	line->type_word = word;
	if (type == PUBKEY_UNKNOWN)
		return fault_at(line, FAULT_TYPE, word);
	s = keys_text_skip_blanks(s);
	if (s.len == 0)
		return fault_at(line, FAULT_NO_KEY, s);
	base64 = keys_text_take_word(&s);
	line->base64 = base64;
	line->comment = keys_text_skip_blanks(s);
	line->key.type = type;
	/* A certificate can be of any length, and is void at any. */
	if (pubkey_type_is_certificate(type))
		return fault_at(line, FAULT_CERTIFICATE, word);
	result = take_blob(line, base64, type);
	if (result == PUBKEY_BAD_BASE64 &&
	    is_cut_within_four(line, base64, type))
		result = PUBKEY_CUT_OFF;
	fault = fault_of_blob(result);
	return fault == FAULT_NONE ? FAULT_NONE : fault_at(line, fault, base64);
}

static enum authorized_keys_fault
parse(struct authorized_keys_line *line, struct span s)
{
	struct span start = s, first = s;
	enum authorized_keys_fault fault;
	size_t len;

	/* No option is named like a type: such a line can have none. */
	if (pubkey_type_of_word(keys_text_take_word(&first)) != PUBKEY_UNKNOWN)
		return read_key(line, s);
	len = keys_text_options_len(s);
	if (len == SIZE_MAX) {
		line->options = start;
		return fault_at(line, FAULT_QUOTE_OPEN, start);
	}
	line->options = span_of(start.data, len);
	keys_text_advance(&s, len);
	s = keys_text_skip_blanks(s);
	if (s.len == 0)
		return fault_at(line, FAULT_NO_KEY, start);
	fault = read_key(line, s);
	if (fault == FAULT_NONE)
		fault = apply_options(line);
	if (fault == FAULT_NONE && line->principals.data != NULL &&
	    !line->is_authority)
		fault = fault_at(line, FAULT_PRINCIPALS, line->principals);
	return fault;
}

enum authorized_keys_result
authorized_keys_parse(struct span text, struct authorized_keys_line *line)
{
	struct span s = text;
	const uint8_t *nul = s.len == 0 ? NULL : memchr(s.data, 0, s.len);

	memset(line, 0, offsetof(struct authorized_keys_line, blob));
	memset(&line->blob_len, 0,
	    sizeof *line - offsetof(struct authorized_keys_line, blob_len));
	line->text = text;
	line->touch_required = true;
	line->rights =
	    (struct authorized_keys_rights){true, true, true, true, true};
	if (nul != NULL)
		s.len = (size_t)(nul - s.data);
	s = keys_text_skip_blanks(s);
	/* A lone CR is sshd's void line and anybody else's blank one. */
	if (s.len == 0 || s.data[0] == '#' || span_is(s, "\r"))
		return AUTHORIZED_KEYS_EMPTY;
	if (parse(line, s) == FAULT_NONE)
		return AUTHORIZED_KEYS_KEY;
	return AUTHORIZED_KEYS_VOID;
}

size_t
authorized_keys_column(
    const struct authorized_keys_line *line, struct span part)
{
	return part.data == NULL ? 1
				 : (size_t)(part.data - line->text.data) + 1;
}

bool
authorized_keys_next(const struct authorized_keys_line *line, size_t *at,
    struct authorized_keys_option *option)
{
	struct span s = line->options;

	while (*at < s.len && s.data[*at] == ',')
		(*at)++;
	if (*at >= s.len)
		return false;
	keys_text_advance(&s, *at);
	if (authorized_keys_take_option(&s, option) != FAULT_NONE)
		return false;
	*at = line->options.len - s.len;
	return true;
}

bool
authorized_keys_next_line(
    struct span file, size_t *at, size_t *number, struct span *text)
{
	const uint8_t *end;

	if (*at >= file.len)
		return false;
	*text = span_of(file.data + *at, file.len - *at);
	end = memchr(text->data, '\n', text->len);
	if (end != NULL)
		text->len = (size_t)(end - text->data);
	*at += text->len + 1;
	(*number)++;
	return true;
}
