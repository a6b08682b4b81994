#include "authorized_keys.h"

#include "str.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

/* sshd's own limits (auth-options.c). */
enum { MAX_PERMITS = 4097, MAX_ENVIRONMENTS = 1025, MAX_HOST_LEN = 1024 };

static const struct option_row {
	const char *name;
	bool negatable;
	bool valued;
} options[] = {
#define X(id, name, negatable, valued) {name, negatable, valued},
    AUTHORIZED_KEYS_OPTIONS(X)
#undef X
};

const char *
authorized_keys_option_name(enum authorized_keys_option_id id)
{
	return id < OPTION_COUNT ? options[id].name : "";
}

const char *const *
authorized_keys_option_words(void)
{
	static const char *const words[] = {
#define X(id, name, negatable, valued) name,
	    AUTHORIZED_KEYS_OPTIONS(X)
#undef X
		"no-port-forwarding",
	    "no-agent-forwarding", "no-X11-forwarding", "no-pty", "no-user-rc",
	    "no-touch-required", "no-verify-required", NULL};

	return words;
}

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

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static struct span
skip_blanks(struct span s)
{
	while (s.len > 0 && is_blank(s.data[0]))
		s = span_of(s.data + 1, s.len - 1);
	return s;
}

/* Cut off everything up to the first blank. */
static struct span
take_word(struct span *s)
{
	struct span word = {.data = s->data, .len = 0};

	while (word.len < s->len && !is_blank(s->data[word.len]))
		word.len++;
	*s = span_of(s->data + word.len, s->len - word.len);
	return word;
}

static bool
starts_with(struct span s, const char *word)
{
	size_t len = strlen(word);

	return s.len >= len &&
	       strncasecmp((const char *)s.data, word, len) == 0;
}

static void
advance(struct span *s, size_t len)
{
	*s = span_of(s->data + len, s->len - len);
}

/* A quoted value; the span is moved behind the closing quote. */
static enum authorized_keys_fault
take_quoted(struct span *s, struct span *value)
{
	size_t i = 1;

	if (s->len == 0 || s->data[0] != '"')
		return FAULT_NO_QUOTE;
	while (i < s->len && s->data[i] != '"')
		i += s->data[i] == '\\' && i + 1 < s->len &&
			     s->data[i + 1] == '"'
			 ? 2
			 : 1;
	if (i >= s->len)
		return FAULT_QUOTE_OPEN;
	*value = span_of(s->data + 1, i - 1);
	advance(s, i + 1);
	return FAULT_NONE;
}

/*
 * One option at the front of `s`.  As in sshd a name need only begin the text:
 * what stands behind it is then found not to be a comma.
 */
static enum authorized_keys_fault
take_option(struct span *s, struct authorized_keys_option *option)
{
	struct span start = *s, rest = *s;
	bool negated = starts_with(rest, "no-");

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &options[i];
		size_t len = strlen(row->name);

		rest = start;
		if (negated && row->negatable)
			advance(&rest, 3);
		if (!starts_with(rest, row->name))
			continue;
		if (row->valued && (rest.len == len || rest.data[len] != '='))
			continue;
		option->id = (enum authorized_keys_option_id)i;
		option->negated = negated;
		option->value = span_of(NULL, 0);
		advance(&rest, len);
		option->name = span_of(start.data, start.len - rest.len);
		*s = rest;
		if (!row->valued)
			return FAULT_NONE;
		advance(s, 1);
		return take_quoted(s, &option->value);
	}
	return FAULT_UNKNOWN;
}

enum authorized_keys_fault
authorized_keys_split_permit(enum authorized_keys_option_id id,
    struct span value, struct span *host, uint16_t *port)
{
	const uint8_t *end;
	struct span number;
	uint64_t n;

	*port = 0;
	if (id == OPTION_PERMITLISTEN &&
	    (value.len == 0 || memchr(value.data, ':', value.len) == NULL)) {
		*host = span_of_str("*");
		number = value;
	} else if (value.len > 0 && value.data[0] == '[') {
		end = memchr(value.data, ']', value.len);
		if (end == NULL)
			return FAULT_HOST;
		*host = span_of(value.data + 1, (size_t)(end - value.data) - 1);
		number = span_of(end + 1, value.len - host->len - 2);
		if (number.len > 0 && number.data[0] != ':')
			return FAULT_HOST;
		if (number.len == 0)
			return FAULT_PORT;
		advance(&number, 1);
	} else {
		*host = value;
		for (host->len = 0; host->len < value.len; host->len++)
			if (value.data[host->len] == ':' ||
			    value.data[host->len] == '/')
				break;
		if (host->len == value.len)
			return FAULT_PORT;
		if (value.data[host->len] == '/')
			return FAULT_HOST;
		number = span_of(
		    value.data + host->len + 1, value.len - host->len - 1);
	}
	if (host->len > MAX_HOST_LEN)
		return FAULT_HOST;
	if (span_is(number, "*"))
		return FAULT_NONE;
	/* strtonum(3) lets white space and a plus sign pass. */
	while (number.len > 0 && isspace(number.data[0]))
		advance(&number, 1);
	if (number.len > 0 && number.data[0] == '+')
		advance(&number, 1);
	if (!str_to_u64(number, 1, 65535, &n)) {
		/* The two names of /etc/services that can be meant here. */
		if (span_is(number, "mqtt"))
			n = 1883;
		else if (span_is(number, "secure-mqtt"))
			n = 8883;
		else
			return FAULT_PORT;
	}
	*port = (uint16_t)n;
	return FAULT_NONE;
}

static bool
take_digits(struct span *s, size_t count, int min, int max, int *value)
{
	uint64_t n;

	if (s->len < count || !str_to_u64(span_of(s->data, count),
				  (uint64_t)min, (uint64_t)max, &n))
		return false;
	advance(s, count);
	*value = (int)n;
	return true;
}

/* YYYYMMDD[HHMM[SS]], in local time unless Z or UTC stands behind it. */
static bool
parse_expiry(struct span s, int64_t *when)
{
	struct tm tm = {.tm_isdst = 0};
	bool utc = true;
	time_t t;

	if (s.len > 1 && tolower(s.data[s.len - 1]) == 'z')
		s.len -= 1;
	else if (s.len > 3 &&
		 starts_with(span_of(s.data + s.len - 3, 3), "UTC"))
		s.len -= 3;
	else
		utc = false;
	if (s.len != 8 && s.len != 12 && s.len != 14)
		return false;
	if (!take_digits(&s, 4, 0, 9999, &tm.tm_year) ||
	    !take_digits(&s, 2, 1, 12, &tm.tm_mon) ||
	    !take_digits(&s, 2, 1, 31, &tm.tm_mday))
		return false;
	if (s.len > 0 && (!take_digits(&s, 2, 0, 23, &tm.tm_hour) ||
			     !take_digits(&s, 2, 0, 59, &tm.tm_min)))
		return false;
	if (s.len > 0 && !take_digits(&s, 2, 0, 61, &tm.tm_sec))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	t = utc ? timegm(&tm) : mktime(&tm);
	*when = t;
	return t > 0;
}

static enum authorized_keys_fault
apply_environment(struct authorized_keys_line *line, struct span value)
{
	const uint8_t *equals =
	    value.len == 0 ? NULL : memchr(value.data, '=', value.len);
	struct span name = value, *slot = NULL;

	if (equals == NULL || equals == value.data)
		return FAULT_ENVIRONMENT;
	name.len = (size_t)(equals - value.data);
	for (size_t i = 0; i < name.len; i++)
		if (name.data[i] > 0x7f ||
		    (!isalnum(name.data[i]) && name.data[i] != '_'))
			return FAULT_ENVIRONMENT;
	if (span_is(name, "KAYA_ID"))
		slot = &line->identity;
	else if (span_is(name, "KAYA_ROLE"))
		slot = &line->role;
	/* sshd keeps the first of those that have one name. */
	if (slot != NULL && slot->data == NULL)
		*slot = span_of(equals + 1, value.len - name.len - 1);
	return FAULT_NONE;
}

static enum authorized_keys_fault
apply_once(struct span *slot, struct span value)
{
	if (slot->data != NULL)
		return FAULT_DOUBLE;
	*slot = value;
	return FAULT_NONE;
}

static enum authorized_keys_fault
apply_permit(const struct authorized_keys_option *option, size_t *count)
{
	struct span host;
	uint16_t port;

	if ((*count)++ >= MAX_PERMITS)
		return FAULT_TOO_MANY;
	return authorized_keys_split_permit(
	    option->id, option->value, &host, &port);
}

static enum authorized_keys_fault
apply_expiry(struct authorized_keys_line *line, struct span value)
{
	int64_t when;

	if (!parse_expiry(value, &when))
		return FAULT_EXPIRY;
	if (line->expires_s == 0 || when < line->expires_s)
		line->expires_s = when;
	return FAULT_NONE;
}

static enum authorized_keys_fault
apply_valued(struct authorized_keys_line *line,
    const struct authorized_keys_option *option)
{
	uint64_t device;

	switch (option->id) {
	case OPTION_COMMAND:
		return apply_once(&line->command, option->value);
	case OPTION_PRINCIPALS:
		return apply_once(&line->principals, option->value);
	case OPTION_FROM:
		return apply_once(&line->from, option->value);
	case OPTION_EXPIRY_TIME:
		return apply_expiry(line, option->value);
	case OPTION_ENVIRONMENT:
		return apply_environment(line, option->value);
	case OPTION_PERMITOPEN:
		return apply_permit(option, &line->permitopens);
	case OPTION_PERMITLISTEN:
		return apply_permit(option, &line->permitlistens);
	default: /* OPTION_TUNNEL */
		if (option->value.len == 3 && starts_with(option->value, "any"))
			return FAULT_NONE;
		return str_to_u64(option->value, 0, INT32_MAX - 2, &device)
			   ? FAULT_NONE
			   : FAULT_TUNNEL;
	}
}

static enum authorized_keys_fault
apply(struct authorized_keys_line *line,
    const struct authorized_keys_option *option)
{
	bool on = !option->negated;

	switch (option->id) {
	case OPTION_RESTRICT:
		line->is_restricted = true;
		line->rights = (struct authorized_keys_rights){0};
		return FAULT_NONE;
	case OPTION_CERT_AUTHORITY:
		line->is_authority = true;
		return FAULT_NONE;
	case OPTION_PORT_FORWARDING:
		line->rights.port_forwarding = on;
		return FAULT_NONE;
	case OPTION_AGENT_FORWARDING:
		line->rights.agent_forwarding = on;
		return FAULT_NONE;
	case OPTION_X11_FORWARDING:
		line->rights.x11_forwarding = on;
		return FAULT_NONE;
	case OPTION_PTY:
		line->rights.pty = on;
		return FAULT_NONE;
	case OPTION_USER_RC:
		line->rights.user_rc = on;
		return FAULT_NONE;
	case OPTION_TOUCH_REQUIRED:
		line->touch_optional = !on;
		return FAULT_NONE;
	case OPTION_VERIFY_REQUIRED:
		line->verify_required = on;
		return FAULT_NONE;
	default:
		return apply_valued(line, option);
	}
}

static enum authorized_keys_fault
fault_at(struct authorized_keys_line *line, enum authorized_keys_fault fault,
    struct span text)
{
	line->fault = fault;
	line->fault_text = text;
	return fault;
}

/* The word at the front, for a report: up to a comma, `=` or blank. */
static struct span
front_word(struct span s)
{
	struct span word = {.data = s.data, .len = 0};

	while (word.len < s.len && s.data[word.len] != ',' &&
	       s.data[word.len] != '=' && s.data[word.len] != '"' &&
	       !is_blank(s.data[word.len]))
		word.len++;
	return word;
}

/* A name that is right, but for the `=` that must follow it, is told apart. */
static enum authorized_keys_fault
fault_of_word(struct authorized_keys_line *line, struct span word)
{
	for (size_t i = 0; i < OPTION_COUNT; i++) {
		if (!options[i].valued || word.len != strlen(options[i].name) ||
		    !starts_with(word, options[i].name))
			continue;
		line->fault_option = (enum authorized_keys_option_id)i;
		return FAULT_NO_VALUE;
	}
	return FAULT_UNKNOWN;
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
			advance(&s, 1);
			continue;
		}
		fault = take_option(&s, &option);
		if (fault == FAULT_UNKNOWN) {
			struct span word = front_word(start);

			return fault_at(line, fault_of_word(line, word), word);
		}
		line->fault_option = option.id;
		if (fault != FAULT_NONE)
			return fault_at(line, fault, s.len > 0 ? s : start);
		fault = apply(line, &option);
		if (fault != FAULT_NONE)
			return fault_at(line, fault,
			    option.value.data == NULL || fault == FAULT_DOUBLE
				? option.name
				: option.value);
		if (s.len > 0 && s.data[0] != ',') {
			struct span word = front_word(start);

			/* no-ptyx is a word nobody knows, "a"b a tail. */
			if (option.value.data == NULL &&
			    word.len > option.name.len)
				return fault_at(line, FAULT_UNKNOWN, word);
			return fault_at(line, FAULT_TAIL, front_word(s));
		}
		if (s.len > 0)
			advance(&s, 1);
	}
	return FAULT_NONE;
}

/* sshd's measure of where the options end.  False: within quotes. */
static bool
skip_options(struct span *s)
{
	bool quoted = false;
	size_t i = 0;

	for (; i < s->len && (quoted || !is_blank(s->data[i])); i++) {
		if (s->data[i] == '\\' && i + 1 < s->len &&
		    s->data[i + 1] == '"')
			i++;
		else if (s->data[i] == '"')
			quoted = !quoted;
	}
	advance(s, i);
	return !(s->len == 0 && quoted);
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

/* `type base64 comment` at the front of `s`. */
static enum authorized_keys_fault
read_key(struct authorized_keys_line *line, struct span s)
{
	struct span word = take_word(&s), base64;
	enum pubkey_type type = pubkey_type_of_word(word);
	enum authorized_keys_fault fault;
	enum pubkey_result result;

	line->type_word = word;
	if (type == PUBKEY_UNKNOWN)
		return fault_at(line, FAULT_TYPE, word);
	s = skip_blanks(s);
	if (s.len == 0)
		return fault_at(line, FAULT_NO_KEY, s);
	base64 = take_word(&s);
	line->base64 = base64;
	line->comment = skip_blanks(s);
	line->key.type = type;
	/* A certificate can be of any length, and is void at any. */
	if (pubkey_type_is_certificate(type))
		return fault_at(line, FAULT_CERTIFICATE, word);
	result = pubkey_decode(
	    base64, line->blob, sizeof line->blob, &line->blob_len);
	if (result == PUBKEY_GOOD)
		result = pubkey_read(
		    span_of(line->blob, line->blob_len), type, &line->key);
	fault = fault_of_blob(result);
	return fault == FAULT_NONE ? FAULT_NONE : fault_at(line, fault, base64);
}

static enum authorized_keys_fault
parse(struct authorized_keys_line *line, struct span s)
{
	struct span start = s, first = s;
	enum authorized_keys_fault fault;

	/* No option is named like a type: such a line can have none. */
	if (pubkey_type_of_word(take_word(&first)) != PUBKEY_UNKNOWN)
		return read_key(line, s);
	if (!skip_options(&s)) {
		line->options = start;
		return fault_at(line, FAULT_QUOTE_OPEN, start);
	}
	line->options = span_of(start.data, start.len - s.len);
	s = skip_blanks(s);
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
	line->rights =
	    (struct authorized_keys_rights){true, true, true, true, true};
	if (nul != NULL)
		s.len = (size_t)(nul - s.data);
	s = skip_blanks(s);
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
	advance(&s, *at);
	if (take_option(&s, option) != FAULT_NONE)
		return false;
	*at = line->options.len - s.len;
	return true;
}

const char *
authorized_keys_unquote(struct span value, char *text, size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < value.len && len + 1 < size; i++) {
		if (value.data[i] == '\\' && i + 1 < value.len &&
		    value.data[i + 1] == '"')
			i++;
		text[len++] = (char)value.data[i];
	}
	text[len] = '\0';
	return text;
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
