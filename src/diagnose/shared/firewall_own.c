#include "firewall_own.h"

#include "firewall_read.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- the way out ---- */

static struct netaddr
address_of(const struct sockaddr *name)
{
	const struct sockaddr_in *v4 = (const void *)name;
	const struct sockaddr_in6 *v6 = (const void *)name;

	if (name->sa_family == AF_INET)
		return netaddr_of_bytes(&v4->sin_addr, sizeof v4->sin_addr);
	if (name->sa_family == AF_INET6)
		return netaddr_of_bytes(&v6->sin6_addr, sizeof v6->sin6_addr);
	return (struct netaddr){0};
}

/* Our own address towards it: UDP is connected without a packet. */
static bool
find_source(const struct sockaddr *to, struct netaddr *source)
{
	const socklen_t len = to->sa_family == AF_INET
				  ? sizeof(struct sockaddr_in)
				  : sizeof(struct sockaddr_in6);
	struct sockaddr_storage name = {0};
	socklen_t name_len = sizeof name;
	int fd = socket(to->sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is_found;

	if (fd < 0)
		return false;
	is_found = connect(fd, to, len) == 0 &&
		   getsockname(fd, (struct sockaddr *)&name, &name_len) == 0;
	close(fd);
	*source = address_of((struct sockaddr *)&name);
	return is_found;
}

/* That has our own address there; "" where none is found. */
static void
find_interface(const struct sockaddr *to, char name[IF_NAMESIZE])
{
	struct ifaddrs *all = NULL;
	struct netaddr source, one;

	name[0] = '\0';
	if (!find_source(to, &source) || getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *i = all; i != NULL; i = i->ifa_next) {
		if (i->ifa_addr == NULL)
			continue;
		one = address_of(i->ifa_addr);
		if (one.family != 0 && netaddr_equal(&one, &source))
			snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
	}
	freeifaddrs(all);
}

/* ---- whose rules ---- */

/* That it can be typed as it stands. */
static bool
is_plain(const char *name)
{
	return name[0] != '\0' && name[0] != '-' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVW"
			    "XYZ0123456789_-.") == strlen(name);
}

static void
put_line(struct span text, unsigned long number, char *line, size_t size)
{
	const uint8_t *end;

	for (;;) {
		end = text.len > 0 ? memchr(text.data, '\n', text.len) : NULL;
		if (end == NULL || --number == 0)
			break;
		text.len -= (size_t)(end - text.data) + 1;
		text.data = end + 1;
	}
	if (end != NULL)
		text.len = (size_t)(end - text.data);
	firewall_read_text(text, line, size);
}

/* Whoever writes rules by iptables takes them back by it. */
static bool
ask_iptables(
    const struct firewall_connection *connection, struct firewall_own *own)
{
	const char *name =
	    connection->family == FIREWALL_IPV4 ? "iptables" : "ip6tables";
	struct firewall_place place = {0};
	struct program saved;
	char line[400];
	bool is_closed = false;
	struct span text = {0};

	if (!program_is_there("iptables-save"))
		return false;
	if (firewall_read_iptables(connection->family, &saved)) {
		text = span_of_str(program_out(&saved));
		is_closed = firewall_judge_iptables(text, connection, &place) ==
			    FIREWALL_CLOSED;
	}
	if (is_closed) {
		snprintf(line, sizeof line, "-P OUTPUT DROP");
		if (place.number != 0)
			put_line(text, place.number, line, sizeof line);
		snprintf(own->rule, sizeof own->rule, "%s %s", name, line);
		snprintf(own->mend, sizeof own->mend,
		    "%s -I OUTPUT -p tcp --dport %u -j ACCEPT", name,
		    connection->port);
	}
	program_fini(&saved);
	return is_closed;
}

static bool
ask_nft(const struct firewall_connection *connection, struct firewall_own *own)
{
	json_t *rules = firewall_read_nft();
	struct firewall_place place = {0};
	char text[256] = "policy drop";
	bool is_closed;

	is_closed =
	    rules != NULL && firewall_judge_nft(rules, FIREWALL_ALL_TABLES,
				 connection, &place) == FIREWALL_CLOSED;
	json_decref(rules);
	if (!is_closed || !is_plain(place.table) || !is_plain(place.base) ||
	    !is_plain(place.chain))
		return false;
	if (place.number != 0 && !firewall_read_rule(&place, text, sizeof text))
		return false;
	snprintf(own->rule, sizeof own->rule, "%s %s %s: %s", place.family,
	    place.table, place.chain, text);
	snprintf(own->mend, sizeof own->mend,
	    "nft insert rule %s %s %s tcp dport %u accept", place.family,
	    place.table, place.base, connection->port);
	return true;
}

bool
firewall_own_find(const struct sockaddr *to, struct firewall_own *own)
{
	char interface[IF_NAMESIZE];
	struct firewall_connection connection = {
	    .direction = FIREWALL_OUT, .to = address_of(to)};

	*own = (struct firewall_own){0};
	if (connection.to.family == 0)
		return false;
	find_interface(to, interface);
	connection.interface = interface[0] != '\0' ? interface : NULL;
	connection.family =
	    connection.to.family == 4 ? FIREWALL_IPV4 : FIREWALL_IPV6;
	connection.port =
	    ntohs(to->sa_family == AF_INET
		      ? ((const struct sockaddr_in *)to)->sin_port
		      : ((const struct sockaddr_in6 *)to)->sin6_port);
	return ask_iptables(&connection, own) || ask_nft(&connection, own);
}
