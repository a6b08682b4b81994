#include "keys_check.h"

#include "keys_guess.h"
#include "keys_text.h"
#include "netaddr.h"
#include "str.h"

#include <ctype.h>
#include <stdio.h>

/* Where none of the families has a longer one, releases of sshd differ. */
enum { LONGEST_PREFIX = 128 };

/* Walk over the elements of a list: false at the end. */
static bool
next_element(struct span list, size_t *at, struct span *element)
{
	if (list.data == NULL || *at > list.len)
		return false;
	*element = span_of(list.data + *at, 0);
	while (
	    *at + element->len < list.len && element->data[element->len] != ',')
		element->len++;
	*at += element->len + 1;
	return true;
}

static bool
is_negated(struct span element)
{
	return element.len > 0 && element.data[0] == '!';
}

/* Without its `!`. */
static struct span
bare(struct span element)
{
	return is_negated(element) ? span_of(element.data + 1, element.len - 1)
				   : element;
}

static struct span
trimmed(struct span s)
{
	s = keys_text_skip_blanks(s);
	while (s.len > 0 && keys_text_is_blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

static bool
has_blank(struct span element)
{
	struct span s = bare(element);

	return s.len > 0 && (keys_text_is_blank(s.data[0]) ||
				keys_text_is_blank(s.data[s.len - 1]));
}

/* Whether any address at all can match. */
static bool
is_alive(struct span element)
{
	struct span s = bare(element);
	struct netaddr net;
	unsigned bits;

	switch (netaddr_parse_cidr(s, &net, &bits)) {
	case NETADDR_CIDR_GOOD:
		return true;
	case NETADDR_CIDR_NONE:
		break;
	default:
		return false;
	}
	for (size_t i = 0; i < s.len; i++)
		if (!isxdigit(s.data[i]) &&
		    memchr("*?.:", s.data[i], 4) == NULL)
			return false;
	return s.len > 0;
}

static bool
has_living_positive(struct span list)
{
	struct span element;
	size_t at = 0;

	while (next_element(list, &at, &element))
		if (!is_negated(element) && is_alive(element))
			return true;
	return false;
}

static void
put_network(struct keys_case *c, struct span element, struct netaddr *net,
    unsigned bits)
{
	unsigned width = net->family == 4 ? 32 : 128;
	char text[NETADDR_TEXT_SIZE + 8], host[NETADDR_TEXT_SIZE];

	for (unsigned i = bits; i < width; i++)
		net->bytes[i / 8] &= (uint8_t) ~(0x80U >> (i % 8));
	snprintf(text, sizeof text, "%s/%u", netaddr_text(net, host), bits);
	keys_case_replace(c, bare(element), span_of_str(text));
}

static bool
check_block(struct keys_case *c)
{
	struct span element;
	struct netaddr net;
	unsigned bits;
	size_t at = 0;

	while (next_element(c->line->from, &at, &element)) {
		char word[64];

		str_escape(bare(element), word, sizeof word);
		switch (netaddr_parse_cidr(bare(element), &net, &bits)) {
		case NETADDR_CIDR_HOST_BITS:
			put_network(c, element, &net, bits);
			return keys_case_say(c, bare(element),
			    "write the network's own address, or the address "
			    "without its prefix",
			    "\"%s\" has bits set behind its prefix, which "
			    "voids the whole list",
			    word);
		case NETADDR_CIDR_TOO_LONG:
			if (bits > LONGEST_PREFIX) {
				c->finding->severity = KEYS_ERROR;
				c->finding->sshd =
				    "passes over the element, up to 9.8; logs "
				    "\"invalid from criteria\" and asks for a "
				    "password, from 10.0 on";
			}
			return keys_case_say(c, bare(element),
			    "write at most /32 for IPv4, /128 for IPv6",
			    "\"%s\" has a prefix longer than an address, "
			    "which voids the whole list",
			    word);
		default:
			break;
		}
	}
	return false;
}

static bool
check_empty_element(struct keys_case *c)
{
	struct span list = c->line->from, element;
	struct buf better;
	size_t at = 0;
	bool found = false;

	buf_init(&better, list.len + 1);
	while (next_element(list, &at, &element)) {
		if (bare(element).len == 0) {
			if (!found)
				keys_case_say(c, element,
				    "take the comma, or the !, out",
				    "an empty element voids the whole list");
			found = true;
			continue;
		}
		if (buf_len(&better) > 0)
			buf_append(&better, ",", 1);
		buf_append(&better, element.data, element.len);
	}
	if (found && buf_len(&better) > 0)
		keys_case_replace(c, list, buf_span(&better));
	buf_fini(&better);
	return found;
}

static bool
check_only_negated(struct keys_case *c)
{
	struct span element;
	size_t at = 0;

	if (c->line->from.data == NULL)
		return false;
	while (next_element(c->line->from, &at, &element))
		if (!is_negated(element))
			return false;
	keys_case_replace(
	    c, keys_guess_behind(c->line->from), span_of_str(",*"));
	return keys_case_say(c, c->line->from,
	    "add what may come in: ,* for all others",
	    "a list of negations alone lets nobody in");
}

static bool
check_blank(struct keys_case *c)
{
	struct span list = c->line->from, element;
	struct buf better;
	size_t at = 0;
	bool found = false;

	buf_init(&better, list.len + 1);
	while (next_element(list, &at, &element)) {
		if (has_blank(element) && !found) {
			keys_case_say(c, element, "take the blanks out",
			    "an address with a blank beside it matches "
			    "nothing");
			found = true;
		}
		if (buf_len(&better) > 0)
			buf_append(&better, ",", 1);
		if (is_negated(element))
			buf_append(&better, "!", 1);
		/* One within an address may stand for anything. */
		element = trimmed(bare(element));
		buf_append(&better, element.data, element.len);
	}
	if (found) {
		keys_case_replace(c, list, buf_span(&better));
		if (!has_living_positive(list))
			c->finding->severity = KEYS_VOID;
	}
	buf_fini(&better);
	return found;
}

/* What another check tells of. */
static bool
is_told(struct span element)
{
	struct netaddr net;
	unsigned bits;

	switch (netaddr_parse_cidr(bare(element), &net, &bits)) {
	case NETADDR_CIDR_HOST_BITS:
	case NETADDR_CIDR_TOO_LONG:
		return true;
	default:
		return bare(element).len == 0 || has_blank(element);
	}
}

static bool
check_name_element(struct keys_case *c)
{
	struct span element;
	size_t at = 0;

	while (next_element(c->line->from, &at, &element)) {
		char word[64];
		bool is_block;

		if (is_told(element) || is_alive(element))
			continue;
		is_block = memchr(element.data, '/', element.len) != NULL;
		str_escape(bare(element), word, sizeof word);
		if (!has_living_positive(c->line->from))
			c->finding->severity = KEYS_ERROR;
		return keys_case_say(c, element,
		    is_block ? "write a network as 192.0.2.0/24, or a pattern "
			       "as 192.0.2.*"
			     : "write addresses; names need UseDNS yes in "
			       "sshd_config, and kayad has no names at all",
		    is_block ? "\"%s\" is neither a network nor a pattern and "
			       "matches nothing"
			     : "\"%s\" is a name, and names are not looked up",
		    word);
	}
	return false;
}

const struct keys_check keys_checks_from[] = {
    {"from-block", KEYS_VOID,
	"logs \"invalid from criteria\" and asks for a password", check_block},
    {"from-empty", KEYS_VOID,
	"logs \"invalid from criteria\" and asks for a password",
	check_empty_element},
    {"from-only-negated", KEYS_VOID,
	"logs \"not from a permitted host\" and asks for a password",
	check_only_negated},
    {"from-blank", KEYS_WARNING,
	"compares the blank too, and it is in no address", check_blank},
    {"from-name", KEYS_WARNING, "", check_name_element},
    {NULL, KEYS_NOTE, NULL, NULL},
};
