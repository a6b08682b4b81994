#include "netaddr.h"

#include "keys_pattern.h"
#include "str.h"

#include <arpa/inet.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/* Digits as getaddrinfo(3) with AI_NUMERICHOST takes them; nothing mapped. */
static bool
parse_digits(struct span text, struct netaddr *addr)
{
	char host[64];
	struct in_addr v4;

	*addr = (struct netaddr){0};
	if (!span_to_str(text, host, sizeof host) || host[0] == '\0')
		return false;
	if (inet_pton(AF_INET6, host, addr->bytes) == 1) {
		addr->family = 6;
		return true;
	}
	/* inet_aton takes 10.1 and 0x0a000001, and stops at white space. */
	if (host[strcspn(host, " \t\r\n\v\f")] != '\0' ||
	    inet_aton(host, &v4) == 0)
		return false;
	memcpy(addr->bytes, &v4, 4);
	addr->family = 4;
	return true;
}

struct netaddr
netaddr_of_bytes(const void *bytes, size_t len)
{
	struct netaddr addr = {0};

	if (len == 16 && memcmp(bytes, mapped, sizeof mapped) == 0) {
		bytes = (const uint8_t *)bytes + sizeof mapped;
		len = 4;
	}
	if (len != 4 && len != 16)
		return addr;
	memcpy(addr.bytes, bytes, len);
	addr.family = len == 4 ? 4 : 6;
	return addr;
}

bool
netaddr_parse(struct span text, struct netaddr *addr)
{
	const uint8_t *zone;

	*addr = (struct netaddr){0};
	if (text.len > 2 && text.data[0] == '[' &&
	    text.data[text.len - 1] == ']')
		text = span_of(text.data + 1, text.len - 2);
	zone = text.len == 0 ? NULL : memchr(text.data, '%', text.len);
	if (zone != NULL)
		text.len = (size_t)(zone - text.data);
	if (!parse_digits(text, addr) || (zone != NULL && addr->family != 6)) {
		*addr = (struct netaddr){0};
		return false;
	}
	if (addr->family == 6)
		*addr = netaddr_of_bytes(addr->bytes, 16);
	return true;
}

const char *
netaddr_text(const struct netaddr *addr, char text[NETADDR_TEXT_SIZE])
{
	int family = addr->family == 4 ? AF_INET : AF_INET6;

	if (addr->family == 0 ||
	    inet_ntop(family, addr->bytes, text, NETADDR_TEXT_SIZE) == NULL)
		memcpy(text, "unknown", sizeof "unknown");
	return text;
}

bool
netaddr_equal(const struct netaddr *a, const struct netaddr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, a->family == 4 ? 4 : 16) == 0;
}

/* Whether the first `bits` bits are the same. */
static bool
same_prefix(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	size_t whole = bits / 8;
	uint8_t mask = (uint8_t)(0xff00U >> (bits % 8));

	return memcmp(a, b, whole) == 0 &&
	       (bits % 8 == 0 || ((a[whole] ^ b[whole]) & mask) == 0);
}

enum netaddr_cidr
netaddr_parse_cidr(struct span text, struct netaddr *net, unsigned *prefix_bits)
{
	const uint8_t *slash =
	    text.len == 0 ? NULL : memchr(text.data, '/', text.len);
	struct span host = text;
	uint64_t bits = 0;
	unsigned width;

	if (slash != NULL) {
		host.len = (size_t)(slash - text.data);
		if (!str_to_u64(span_of(slash + 1, text.len - host.len - 1), 0,
			INT32_MAX, &bits))
			return NETADDR_CIDR_NONE;
	}
	if (!parse_digits(host, net))
		return NETADDR_CIDR_NONE;
	width = net->family == 4 ? 32 : 128;
	if (slash == NULL)
		bits = width;
	*prefix_bits = (unsigned)bits;
	if (bits > width)
		return NETADDR_CIDR_TOO_LONG;
	for (unsigned i = (unsigned)bits; i < width; i++)
		if ((net->bytes[i / 8] & (0x80U >> (i % 8))) != 0)
			return NETADDR_CIDR_HOST_BITS;
	return NETADDR_CIDR_GOOD;
}

bool
netaddr_match_pattern(struct span text, struct span pattern)
{
	return keys_pattern_fits(text, pattern, KEYS_PATTERN_ANY_CASE);
}

static enum netaddr_match
match_net(
    const struct netaddr *client, const struct netaddr *net, unsigned bits)
{
	return net->family == client->family &&
		       same_prefix(net->bytes, client->bytes, bits)
		   ? NETADDR_MATCH
		   : NETADDR_NO_MATCH;
}

/* One element without its `!`: MATCH, NO_MATCH or INVALID. */
static enum netaddr_match
match_element(
    const struct netaddr *client, struct span text, struct span element)
{
	struct netaddr net;
	unsigned bits = 0;

	switch (netaddr_parse_cidr(element, &net, &bits)) {
	case NETADDR_CIDR_HOST_BITS:
	case NETADDR_CIDR_TOO_LONG:
		return NETADDR_INVALID;
	case NETADDR_CIDR_GOOD:
		return match_net(client, &net, bits);
	case NETADDR_CIDR_NONE:
		break;
	}
	return netaddr_match_pattern(text, element) ? NETADDR_MATCH
						    : NETADDR_NO_MATCH;
}

/* What stands before the next comma; false behind the last element. */
static bool
take_element(struct span list, size_t *at, struct span *element)
{
	size_t start = *at;

	if (start > list.len)
		return false;
	while (*at < list.len && list.data[*at] != ',')
		(*at)++;
	*element = span_of(list.data + start, *at - start);
	(*at)++;
	return true;
}

enum netaddr_match
netaddr_match_list(const struct netaddr *client, struct span list)
{
	char name[NETADDR_TEXT_SIZE];
	struct span text = span_of_str(netaddr_text(client, name)), element;
	enum netaddr_match result = NETADDR_NO_MATCH;
	size_t at = 0;

	while (take_element(list, &at, &element)) {
		bool negated = element.len > 0 && element.data[0] == '!';
		enum netaddr_match match;

		if (negated)
			element = span_of(element.data + 1, element.len - 1);
		if (element.len == 0)
			return NETADDR_INVALID;
		match = match_element(client, text, element);
		if (match == NETADDR_INVALID)
			return match;
		if (match == NETADDR_MATCH && negated)
			return NETADDR_FORBIDDEN;
		if (match == NETADDR_MATCH)
			result = NETADDR_MATCH;
	}
	return result;
}

enum netaddr_match
netaddr_match_cidrs(const struct netaddr *client, struct span list)
{
	enum netaddr_match result = NETADDR_NO_MATCH;
	struct span element;
	struct netaddr net;
	unsigned bits = 0;
	size_t at = 0;

	while (take_element(list, &at, &element)) {
		if (netaddr_parse_cidr(element, &net, &bits) !=
		    NETADDR_CIDR_GOOD)
			return NETADDR_INVALID;
		if (match_net(client, &net, bits) == NETADDR_MATCH)
			result = NETADDR_MATCH;
	}
	return result;
}
