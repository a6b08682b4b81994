#include "keys_guess.h"

#include "keys_text.h"
#include "netaddr.h"
#include "str.h"

#include <ctype.h>
#include <stdio.h>

enum { VALUE_SIZE = 1024 };

/* `value` between two quotes, as keys_guess_replace takes it. */
static const char *
quoted(struct span value, char text[VALUE_SIZE])
{
	if (value.len + 3 > VALUE_SIZE)
		return NULL;
	text[0] = '"';
	memcpy(text + 1, value.data, value.len);
	memcpy(text + 1 + value.len, "\"", 2);
	return text;
}

static bool
guess_unquoted(struct keys_guess *g)
{
	struct span value = g->line->fault_text, inner;
	const uint8_t *end = NULL;
	char text[VALUE_SIZE];

	if (g->line->fault != FAULT_NO_QUOTE)
		return false;
	if (value.len > 1 && value.data[0] == '\'')
		end = memchr(value.data + 1, '\'', value.len - 1);
	if (end != NULL) {
		inner = keys_guess_piece(value.data + 1, end);
		value.len = inner.len + 2;
	} else {
		value = keys_text_take_word(&value);
		for (size_t i = 0; i < value.len; i++)
			if (value.data[i] == ',')
				value.len = i;
		inner = value;
	}
	if (inner.len > 0 && quoted(inner, text) != NULL)
		keys_guess_replace(g, value, text);
	return keys_guess_say(g, "value-unquoted", value,
	    end != NULL ? "a value stands in ' where only \" counts"
			: "a value is not in quotes",
	    "put the value between two \"");
}

static bool
is_negated(const char *word)
{
	return keys_text_starts_with(span_of_str(word), "no-");
}

static bool
guess_misspelt(struct keys_guess *g)
{
	struct span at = g->line->fault_text;
	char word[64], remedy[96];
	const char *nearest;

	if (g->line->fault != FAULT_UNKNOWN ||
	    !span_to_str(at, word, sizeof word))
		return false;
	nearest = str_nearest(word, authorized_keys_option_words());
	if (nearest == NULL)
		return false;
	/* no-restrict is not restrict: the opposite was meant, or nothing. */
	if (is_negated(word) != is_negated(nearest))
		return false;
	/* -forwarding may be the rest of anything: it gives nobody X11. */
	if (keys_guess_is_grant(span_of_str(nearest)) &&
	    tolower((unsigned char)word[0]) !=
		tolower((unsigned char)nearest[0]))
		return false;
	keys_guess_replace(g, at, nearest);
	snprintf(remedy, sizeof remedy, "write %s", nearest);
	return keys_guess_say(
	    g, "option-unknown", at, "no option is called \"@\"", remedy);
}

/* permitopen"x" and no-pty;pty */
static bool
guess_separator(struct keys_guess *g)
{
	struct span at = g->line->fault_text;

	if (g->line->fault == FAULT_NO_VALUE && at.data[at.len] == '"') {
		keys_guess_replace(g, keys_guess_behind(at), "=");
		return keys_guess_say(g, "value-missing", at,
		    "there is no = between \"@\" and its value", "write @=");
	}
	if (g->line->fault != FAULT_TAIL)
		return false;
	if (at.len > 0 && at.data[0] == ';') {
		at.len = 1;
		keys_guess_replace(g, at, ",");
	} else if (keys_guess_is_option(at)) {
		keys_guess_replace(g, keys_guess_before(at), ",");
	} else {
		return false;
	}
	return keys_guess_say(g, "comma-missing", at,
	    "there is no comma between two options", "put a comma there");
}

/* A second `from` is a longer list; of two commands nobody knows which. */
static bool
guess_double(struct keys_guess *g)
{
	struct authorized_keys_option option = {0};
	struct span at = g->line->fault_text, first = g->line->from;
	size_t walk = 0;
	struct buf joined;

	if (g->line->fault != FAULT_DOUBLE ||
	    g->line->fault_option != OPTION_FROM)
		return false;
	while (authorized_keys_next(g->line, &walk, &option) &&
	       option.name.data != at.data)
		;
	buf_init(&joined, g->text.len + 2);
	buf_append(&joined, ",", 1);
	buf_append(&joined, option.value.data, option.value.len);
	if (g->meant != NULL && !joined.failed) {
		const uint8_t *cut = at.data - 1;
		struct span head =
		    keys_guess_piece(g->text.data, first.data + first.len);
		struct span middle =
		    keys_guess_piece(first.data + first.len, cut);
		const uint8_t *tail = option.value.data + option.value.len + 1;

		buf_append(g->meant, head.data, head.len);
		buf_append(g->meant, buf_span(&joined).data, buf_len(&joined));
		buf_append(g->meant, middle.data, middle.len);
		buf_append(g->meant, tail,
		    g->text.len - (size_t)(tail - g->text.data));
	}
	buf_fini(&joined);
	return keys_guess_say(g, "option-double", at, "\"@\" stands twice",
	    "put both lists into one, with a comma between");
}

/* ::1:1883 for [::1]:1883 */
static bool
guess_brackets(struct keys_guess *g)
{
	struct span value = g->line->fault_text, host = value;
	const uint8_t *colon =
	    value.len == 0 ? NULL : memrchr(value.data, ':', value.len);
	struct netaddr addr;
	char text[80];

	if (g->line->fault != FAULT_PORT || colon == NULL)
		return false;
	host.len = (size_t)(colon - value.data);
	if (host.len == 0 || memchr(host.data, ':', host.len) == NULL ||
	    host.data[0] == '[' || !netaddr_parse(host, &addr) ||
	    value.len + 3 > sizeof text)
		return false;
	snprintf(text, sizeof text, "[%.*s]%.*s", (int)host.len, host.data,
	    (int)(value.len - host.len), colon);
	keys_guess_replace(g, value, text);
	return keys_guess_say(g, "ipv6-brackets", value,
	    "the IPv6 address in \"@\" has no brackets",
	    "put brackets around it: [::1]:1883");
}

/* permitopen="a:1,b:2" for two of them */
static bool
guess_permit_list(struct keys_guess *g)
{
	const char *name = authorized_keys_option_name(g->line->fault_option);
	struct span value = g->line->fault_text;
	struct buf parts;

	if ((g->line->fault != FAULT_PORT && g->line->fault != FAULT_HOST) ||
	    value.len == 0 || memchr(value.data, ',', value.len) == NULL)
		return false;
	buf_init(&parts, 16 * VALUE_SIZE);
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] != ',') {
			if (!keys_text_is_blank(value.data[i]))
				buf_append(&parts, value.data + i, 1);
			continue;
		}
		buf_append(&parts, "\",", 2);
		buf_append(&parts, name, strlen(name));
		buf_append(&parts, "=\"", 2);
	}
	buf_append(&parts, "", 1);
	if (!parts.failed)
		keys_guess_replace(
		    g, value, (const char *)buf_span(&parts).data);
	buf_fini(&parts);
	return keys_guess_say(g, "permit-list", value,
	    "a list stands in one option that takes a single host:port",
	    "write the option once for each");
}

static bool
guess_none(struct keys_guess *g)
{
	struct span value = g->line->fault_text;

	if (g->line->fault != FAULT_PORT || !span_is(value, "none"))
		return false;
	if (g->line->fault_option == OPTION_PERMITOPEN)
		return keys_guess_say(g, "permit-none", value,
		    "\"none\" is known only to sshd_config, not here",
		    "write no-port-forwarding in place of the option");
	keys_guess_replace(g, value, "localhost:1");
	return keys_guess_say(g, "permit-none", value,
	    "\"none\" is known only to sshd_config, not here",
	    "write permitlisten=\"localhost:1\", a port that nobody gets");
}

/*
 * The digits of a date as people write it, each part of it in two at least:
 * 2030-1-5 is another day than 20301 5.  False where it is none.
 */
static bool
take_date(struct span value, char *digits, size_t size)
{
	size_t len = 0, part = 0;
	bool has_time = false;

	for (size_t i = 0; i < value.len; i++) {
		uint8_t c = value.data[i];

		if (len + 3 > size)
			return false;
		if (isdigit(c)) {
			digits[len++] = (char)c;
			part++;
			continue;
		}
		if (part == 1) {
			digits[len] = digits[len - 1];
			digits[len - 1] = '0';
			len++;
		}
		part = 0;
		/* Behind a time it would be a time zone. */
		if (c == '-' && has_time)
			return false;
		has_time = has_time || c == ':';
		if (toupper(c) == 'Z' && i + 1 == value.len)
			digits[len++] = 'Z';
		else if (memchr("-:/. T", c, 6) == NULL)
			return false;
	}
	if (part == 1) {
		digits[len] = digits[len - 1];
		digits[len - 1] = '0';
		len++;
	}
	digits[len] = '\0';
	return true;
}

/* 2030-01-31 12:00 for 203001311200 */
static bool
guess_time(struct keys_guess *g)
{
	struct span value = g->line->fault_text;
	char digits[20];

	if (g->line->fault != FAULT_EXPIRY ||
	    !take_date(value, digits, sizeof digits))
		return false;
	/* What stands there must change, or mending would never end. */
	if (span_is(value, digits))
		return false;
	keys_guess_replace(g, value, digits);
	return keys_guess_say(g, "expiry-time", value,
	    "\"@\" is no time as sshd reads it",
	    "write digits only: YYYYMMDD, or with HHMM or HHMMSS behind");
}

keys_guess_fn *const keys_guess_values[] = {
    guess_unquoted,
    guess_misspelt,
    guess_separator,
    guess_double,
    guess_permit_list,
    guess_brackets,
    guess_none,
    guess_time,
    NULL,
};
