#include "authorized_keys_option.h"

#include "keys_pattern.h"
#include "keys_text.h"
#include "str.h"

#include <ctype.h>
#include <time.h>

/* sshd's own limits (auth-options.c). */
enum { MAX_PERMITS = 4097, MAX_VARIABLES = 1025, MAX_HOST_LEN = 1024 };

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
	keys_text_advance(s, i + 1);
	return FAULT_NONE;
}

bool
authorized_keys_take_value(struct span *s, struct span *value)
{
	return take_quoted(s, value) == FAULT_NONE;
}

enum authorized_keys_fault
authorized_keys_take_option(
    struct span *s, struct authorized_keys_option *option)
{
	struct span start = *s, rest = *s;
	bool negated = keys_text_starts_with(rest, "no-");

	for (size_t i = 0; i < OPTION_COUNT; i++) {
		const struct option_row *row = &options[i];
		size_t len = strlen(row->name);

		rest = start;
		if (negated && row->negatable)
			keys_text_advance(&rest, 3);
		if (!keys_text_starts_with(rest, row->name))
			continue;
		if (row->valued && (rest.len == len || rest.data[len] != '='))
			continue;
		option->id = (enum authorized_keys_option_id)i;
		option->negated = negated;
		option->value = span_of(NULL, 0);
		keys_text_advance(&rest, len);
		option->name = span_of(start.data, start.len - rest.len);
		*s = rest;
		if (!row->valued)
			return FAULT_NONE;
		keys_text_advance(s, 1);
		return take_quoted(s, &option->value);
	}
	return FAULT_UNKNOWN;
}

/* As strtonum(3) does, let white space and a sign pass before it. */
static bool
take_number(struct span s, uint64_t min, uint64_t max, uint64_t *n)
{
	bool is_negative;

	while (s.len > 0 && isspace(s.data[0]))
		keys_text_advance(&s, 1);
	is_negative = s.len > 0 && s.data[0] == '-';
	if (is_negative || (s.len > 0 && s.data[0] == '+'))
		keys_text_advance(&s, 1);
	return str_to_u64(s, min, max, n) && (!is_negative || *n == 0);
}

/* sshd takes localhost/1883 for localhost:1883. */
static bool
ends_host(uint8_t c)
{
	return c == ':' || c == '/';
}

enum authorized_keys_fault
authorized_keys_split_permit(enum authorized_keys_option_id id,
    struct span value, struct span *host, uint16_t *port)
{
	size_t max_len = MAX_HOST_LEN;
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
		max_len -= 2; /* sshd counts the brackets */
		number = span_of(end + 1, value.len - host->len - 2);
		if (number.len > 0 && !ends_host(number.data[0]))
			return FAULT_HOST;
		if (number.len == 0)
			return FAULT_PORT;
		keys_text_advance(&number, 1);
	} else {
		*host = value;
		for (host->len = 0; host->len < value.len; host->len++)
			if (ends_host(value.data[host->len]))
				break;
		if (host->len == value.len)
			return FAULT_PORT;
		number = span_of(
		    value.data + host->len + 1, value.len - host->len - 1);
	}
	if (host->len > max_len)
		return FAULT_HOST;
	if (span_is(number, "*"))
		return FAULT_NONE;
	if (!take_number(number, 1, 65535, &n))
		return FAULT_PORT;
	*port = (uint16_t)n;
	return FAULT_NONE;
}

/* strptime(3) passes over blanks before a number. */
static bool
take_digits(struct span *s, size_t count, int min, int max, int *value)
{
	struct span digits = span_of(s->data, count);
	uint64_t n;

	if (s->len < count)
		return false;
	while (digits.len > 0 && digits.data[0] == ' ')
		keys_text_advance(&digits, 1);
	if (!str_to_u64(digits, (uint64_t)min, (uint64_t)max, &n))
		return false;
	keys_text_advance(s, count);
	*value = (int)n;
	return true;
}

bool
authorized_keys_time(struct span s, int64_t *when)
{
	struct tm tm = {.tm_isdst = 0};
	bool utc = true;
	time_t t;

	if (s.len > 1 && tolower(s.data[s.len - 1]) == 'z')
		s.len -= 1;
	else if (s.len > 3 &&
		 keys_text_starts_with(span_of(s.data + s.len - 3, 3), "UTC"))
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

	/* sshd counts those of one name once: that is not worth the looking. */
	if (line->variables++ >= MAX_VARIABLES)
		return FAULT_TOO_MANY;
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

	if (!authorized_keys_time(value, &when))
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
		if (option->value.len == 3 &&
		    keys_text_starts_with(option->value, "any"))
			return FAULT_NONE;
		return take_number(option->value, 0, INT32_MAX - 2, &device)
			   ? FAULT_NONE
			   : FAULT_TUNNEL;
	}
}

/* The flag that an option sets, NULL where it sets none or more than one. */
static bool *
flag_of(struct authorized_keys_line *line, enum authorized_keys_option_id id)
{
	switch (id) {
	case OPTION_CERT_AUTHORITY:
		return &line->is_authority;
	case OPTION_PORT_FORWARDING:
		return &line->rights.port_forwarding;
	case OPTION_AGENT_FORWARDING:
		return &line->rights.agent_forwarding;
	case OPTION_X11_FORWARDING:
		return &line->rights.x11_forwarding;
	case OPTION_PTY:
		return &line->rights.pty;
	case OPTION_USER_RC:
		return &line->rights.user_rc;
	case OPTION_TOUCH_REQUIRED:
		return &line->touch_required;
	case OPTION_VERIFY_REQUIRED:
		return &line->verify_required;
	default:
		return NULL;
	}
}

enum authorized_keys_fault
authorized_keys_apply(struct authorized_keys_line *line,
    const struct authorized_keys_option *option)
{
	bool *flag = flag_of(line, option->id);

	if (flag != NULL) {
		*flag = !option->negated;
		return FAULT_NONE;
	}
	if (option->id != OPTION_RESTRICT)
		return apply_valued(line, option);
	line->is_restricted = true;
	line->rights = (struct authorized_keys_rights){0};
	return FAULT_NONE;
}

bool
authorized_keys_has_principal(struct span principals, struct span name)
{
	struct span one;

	while (keys_pattern_next(&principals, &one) && one.len > 0)
		if (span_equal(one, name))
			return true;
	return false;
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

enum authorized_keys_option_id
authorized_keys_valueless(struct span word)
{
	size_t i = 0;

	while (i < OPTION_COUNT &&
	       (!options[i].valued || word.len != strlen(options[i].name) ||
		   !keys_text_starts_with(word, options[i].name)))
		i++;
	return (enum authorized_keys_option_id)i;
}
