#include "conf_value.h"
#include "str.h"

#include <inttypes.h>
#include <stdio.h>

enum { VALUE_TEXT = 128, ADDRESS_HOST_MAX = 256 };

struct unit {
	const char *name;
	uint64_t factor;
};

/* Largest first, so that the first that divides is the one to print. */
static const struct unit durations[] = {
    {"d", 86400000},
    {"h", 3600000},
    {"m", 60000},
    {"s", 1000},
    {"ms", 1},
    {NULL, 0},
};
static const struct unit sizes[] = {
    {"GiB", 1 << 30},
    {"MiB", 1 << 20},
    {"KiB", 1 << 10},
    {"B", 1},
    {NULL, 0},
};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const struct unit *
units_of(const struct conf_key *key)
{
	if (key->type == CONF_DURATION)
		return durations;
	return key->type == CONF_SIZE ? sizes : counts;
}

static void
number_text(const struct conf_key *key, uint64_t n, char *text, size_t size)
{
	const struct unit *unit = units_of(key);

	if (n == 0) {
		snprintf(text, size, "0%s",
		    key->type == CONF_DURATION ? "s"
		    : key->type == CONF_SIZE   ? "B"
					       : "");
		return;
	}
	while (n % unit->factor != 0)
		unit++;
	snprintf(text, size, "%" PRIu64 "%s", n / unit->factor, unit->name);
}

/* ---- what is allowed, in words ---- */

static void
words_text(const char *const *words, char *text, size_t size)
{
	size_t len = 0;

	text[0] = '\0';
	for (size_t i = 0; words[i] != NULL && len < size; i++)
		len += (size_t)snprintf(text + len, size - len, "%s`%s`",
		    i == 0		   ? ""
		    : words[i + 1] == NULL ? " or "
					   : ", ",
		    words[i]);
}

static void
range_text(
    const struct conf_key *key, const char *noun, char *text, size_t size)
{
	char min[32], max[32];

	number_text(key, key->min, min, sizeof min);
	number_text(key, key->max, max, sizeof max);
	snprintf(text, size, "%s from %s to %s%s", noun, min, max,
	    (key->flags & CONF_NEVER) != 0 ? ", or `never`" : "");
}

static void
address_text(unsigned flags, char *text, size_t size)
{
	snprintf(text, size, "HOST:PORT or [IPV6]:PORT%s%s",
	    (flags & CONF_PORT_ALONE) != 0 ? ", or PORT alone for all addresses"
					   : "",
	    (flags & CONF_SOCKET) != 0 ? ", or the /PATH of a UNIX socket"
				       : "");
}

void
conf_allowed_text(const struct conf_key *key, char *text, size_t size)
{
	switch (key->type) {
	case CONF_BOOL:
		snprintf(text, size, "`yes` or `no`");
		break;
	case CONF_INT:
		range_text(key, "a number", text, size);
		break;
	case CONF_DURATION:
		range_text(key, "a duration", text, size);
		break;
	case CONF_SIZE:
		range_text(key, "a size", text, size);
		break;
	case CONF_WORD:
		words_text(key->words, text, size);
		break;
	case CONF_STRING:
		snprintf(text, size, "%s",
		    (key->flags & CONF_NAME) != 0
			? "1 to 64 of A-Z a-z 0-9 . _ -"
			: "a text in one line");
		break;
	case CONF_PATH:
		snprintf(text, size, "the path of a file or folder");
		break;
	case CONF_ADDRESS:
		address_text(key->flags, text, size);
		break;
	case CONF_MAPPING:
		snprintf(text, size, "a section of `key: value` lines");
		break;
	}
}

/* ---- from text ---- */

static int
refuse(const struct conf_value_input *in, struct err *err, const char *noun)
{
	char shown[VALUE_TEXT], allowed[VALUE_TEXT];

	str_escape(in->text, shown, sizeof shown);
	conf_allowed_text(in->key, allowed, sizeof allowed);
	err_set(err, ERR_CONFIG, "\"%s\" is not %s", shown, noun);
	return err_hint(err, "write %s", allowed);
}

static int
no_memory(struct err *err)
{
	return err_set(err, ERR_NOMEM, "no memory to read the configuration");
}

static int
parse_bool(const struct conf_value_input *in, void *value, struct err *err)
{
	static const struct {
		const char *word;
		bool is_on;
	} words[] = {{"yes", true}, {"no", false}, {"true", true},
	    {"false", false}, {"on", true}, {"off", false}};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (span_is(in->text, words[i].word)) {
			memcpy(value, &words[i].is_on, sizeof(bool));
			return 0;
		}
	}
	return refuse(in, err, "yes or no");
}

static void
store_number(const struct conf_key *key, uint64_t n, void *value)
{
	uint32_t narrow = (uint32_t)n;

	if (key->size == sizeof narrow)
		memcpy(value, &narrow, sizeof narrow);
	else
		memcpy(value, &n, sizeof n);
}

/* The unit whose name is `name`, or NULL. */
static const struct unit *
unit_find(const struct unit *units, struct span name)
{
	for (; units->name != NULL; units++)
		if (span_is(name, units->name))
			return units;
	return NULL;
}

/* Digits, then a unit.  False where it is anything else, or too large. */
static bool
take_number(struct span text, const struct unit *units, uint64_t *n)
{
	struct span digits = text, name;
	const struct unit *unit;

	for (digits.len = 0; digits.len < text.len; digits.len++)
		if (text.data[digits.len] < '0' || text.data[digits.len] > '9')
			break;
	name = span_of(text.data + digits.len, text.len - digits.len);
	unit = unit_find(units, name);
	return unit != NULL && str_to_u64(digits, 0, UINT64_MAX, n) &&
	       !__builtin_mul_overflow(*n, unit->factor, n);
}

static int
parse_number(const struct conf_value_input *in, void *value, struct err *err)
{
	const struct conf_key *key = in->key;
	char shown[VALUE_TEXT];
	uint64_t n, plain;

	if ((key->flags & CONF_NEVER) != 0 && span_is(in->text, "never")) {
		store_number(key, 0, value);
		return 0;
	}
	if (take_number(in->text, units_of(key), &n)) {
		if (n >= key->min && n <= key->max) {
			store_number(key, n, value);
			return 0;
		}
		refuse(in, err, "in the range");
		str_escape(in->text, shown, sizeof shown);
		snprintf(err->what, sizeof err->what, "%s is %s", shown,
		    n < key->min ? "too little" : "too much");
		return -1;
	}
	if (key->type == CONF_INT)
		return refuse(in, err, "a whole number");
	refuse(in, err, key->type == CONF_SIZE ? "a size" : "a duration");
	if (str_to_u64(in->text, 0, UINT64_MAX, &plain))
		snprintf(err->what, sizeof err->what,
		    "the unit of %" PRIu64 " is missing (%s)", plain,
		    key->type == CONF_SIZE ? "B, KiB, MiB or GiB"
					   : "ms, s, m, h or d");
	return -1;
}

static int
parse_word(const struct conf_value_input *in, void *value, struct err *err)
{
	char word[VALUE_TEXT], allowed[VALUE_TEXT];
	const char *nearest = NULL;

	_Static_assert(sizeof(enum conf_type) == sizeof(uint32_t), "enums");
	for (uint32_t i = 0; in->key->words[i] != NULL; i++) {
		if (span_is(in->text, in->key->words[i])) {
			memcpy(value, &i, sizeof i);
			return 0;
		}
	}
	refuse(in, err, "a word known here");
	if (span_to_str(in->text, word, sizeof word))
		nearest = str_nearest(word, in->key->words);
	conf_allowed_text(in->key, allowed, sizeof allowed);
	if (nearest != NULL)
		err_hint(
		    err, "did you mean `%s`?  Allowed: %s", nearest, allowed);
	return -1;
}

/* UTF-8 without control characters. */
static bool
is_line(struct span text)
{
	while (text.len > 0) {
		size_t len = str_utf8_len(text);

		if (len == 0 || text.data[0] < 0x20 || text.data[0] == 0x7f)
			return false;
		text = span_of(text.data + len, text.len - len);
	}
	return true;
}

static int
parse_text(const struct conf_value_input *in, void *value, struct err *err)
{
	const char *text;

	if (in->text.len == 0) {
		refuse(in, err, "a value");
		snprintf(err->what, sizeof err->what, "the value is empty");
		return -1;
	}
	if (!is_line(in->text))
		return refuse(in, err, "in one line of plain text");
	if ((in->key->flags & CONF_NAME) != 0 && !str_is_name(in->text))
		return refuse(in, err, "a name");
	if (in->key->type == CONF_PATH && in->text.data[0] != '/' &&
	    in->folder[0] != '\0')
		text = arena_format(in->arena, "%s%.*s", in->folder,
		    (int)in->text.len, (const char *)in->text.data);
	else
		text = arena_str(in->arena, in->text);
	if (text == NULL)
		return no_memory(err);
	memcpy(value, &text, sizeof text);
	return 0;
}

/* PORT or *:PORT, where that is allowed. */
static bool
is_port_alone(const struct conf_key *key, struct span text, uint64_t *port)
{
	if ((key->flags & CONF_PORT_ALONE) == 0)
		return false;
	if (text.len > 2 && memcmp(text.data, "*:", 2) == 0)
		text = span_of(text.data + 2, text.len - 2);
	return str_to_u64(text, 1, 65535, port);
}

/* HOST:0, where any port will do. */
static bool
is_port_any(const struct conf_key *key, struct span *text)
{
	if ((key->flags & CONF_PORT_ALONE) == 0 || text->len < 3 ||
	    memcmp(text->data + text->len - 2, ":0", 2) != 0)
		return false;
	text->len -= 2;
	return true;
}

static int
split_address(const struct conf_value_input *in, struct conf_address *address,
    char *host, struct err *err)
{
	struct span text = in->text;
	bool is_any;
	uint64_t port;

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] <= 0x20 || text.data[i] >= 0x7f)
			return refuse(in, err, "an address");
	if (is_port_alone(in->key, text, &port)) {
		address->port = (uint16_t)port;
		return 0;
	}
	is_any = is_port_any(in->key, &text);
	if (!str_split_host_port(text, host, ADDRESS_HOST_MAX, &address->port))
		return refuse(in, err, "an address");
	if (is_any != (address->port == 0))
		return refuse(in, err, "an address with a port");
	return 0;
}

static int
parse_address(const struct conf_value_input *in, void *value, struct err *err)
{
	struct conf_address address = {0};
	char host[ADDRESS_HOST_MAX] = "";
	const char *text = NULL;

	if ((in->key->flags & CONF_SOCKET) != 0 && in->text.len > 0 &&
	    in->text.data[0] == '/') {
		if (parse_text(in, &address.path, err) != 0)
			return -1;
		text = address.path;
	} else {
		if (split_address(in, &address, host, err) != 0)
			return -1;
		text = arena_str(in->arena,
		    host[0] == '\0' || (in->key->flags & CONF_TEXT) != 0
			? in->text
			: span_of_str(host));
		if (text == NULL)
			return no_memory(err);
		if (host[0] != '\0')
			address.host = text;
	}
	if ((in->key->flags & CONF_TEXT) != 0)
		memcpy(value, &text, sizeof text);
	else
		memcpy(value, &address, sizeof address);
	return 0;
}

int
conf_value_parse(
    const struct conf_value_input *input, void *value, struct err *err)
{
	switch (input->key->type) {
	case CONF_BOOL:
		return parse_bool(input, value, err);
	case CONF_INT:
	case CONF_DURATION:
	case CONF_SIZE:
		return parse_number(input, value, err);
	case CONF_WORD:
		return parse_word(input, value, err);
	case CONF_STRING:
	case CONF_PATH:
		return parse_text(input, value, err);
	case CONF_ADDRESS:
		return parse_address(input, value, err);
	case CONF_MAPPING:
		break;
	}
	return refuse(input, err, "a section");
}

/* ---- to text ---- */

static void
address_value_text(const struct conf_address *address, char *text, size_t size)
{
	if (address->path != NULL)
		snprintf(text, size, "%s", address->path);
	else if (address->host == NULL && address->port == 0)
		text[0] = '\0'; /* not set: a port alone may not be 0 */
	else if (address->host == NULL)
		snprintf(text, size, "%u", address->port);
	else if (strchr(address->host, ':') != NULL)
		snprintf(text, size, "[%s]:%u", address->host, address->port);
	else
		snprintf(text, size, "%s:%u", address->host, address->port);
}

static void
text_value_text(const void *value, char *text, size_t size)
{
	const char *string;

	memcpy(&string, value, sizeof string);
	snprintf(text, size, "%s", string == NULL ? "" : string);
}

static uint64_t
load_number(const struct conf_key *key, const void *value)
{
	uint32_t narrow;
	uint64_t n;

	if (key->size == sizeof narrow) {
		memcpy(&narrow, value, sizeof narrow);
		return narrow;
	}
	memcpy(&n, value, sizeof n);
	return n;
}

void
conf_value_text(
    const struct conf_key *key, const void *value, char *text, size_t size)
{
	struct conf_address address;
	bool is_on;
	uint32_t word;
	uint64_t n;

	text[0] = '\0';
	switch (key->type) {
	case CONF_BOOL:
		memcpy(&is_on, value, sizeof is_on);
		snprintf(text, size, "%s", is_on ? "yes" : "no");
		break;
	case CONF_INT:
	case CONF_DURATION:
	case CONF_SIZE:
		n = load_number(key, value);
		if (n == 0 && (key->flags & CONF_NEVER) != 0)
			snprintf(text, size, "never");
		else
			number_text(key, n, text, size);
		break;
	case CONF_WORD:
		memcpy(&word, value, sizeof word);
		snprintf(text, size, "%s", key->words[word]);
		break;
	case CONF_STRING:
	case CONF_PATH:
		text_value_text(value, text, size);
		break;
	case CONF_ADDRESS:
		if ((key->flags & CONF_TEXT) != 0) {
			text_value_text(value, text, size);
			break;
		}
		memcpy(&address, value, sizeof address);
		address_value_text(&address, text, size);
		break;
	case CONF_MAPPING:
		break;
	}
}
