#include "server_private.h"

#include "firewall_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * server_firewall: can devices come in by SSH, and is the broker's port closed
 * to everybody else?
 */

enum firewall_fact {
	WALL_SSH_CLOSED,
	WALL_SSH_OPEN,
	WALL_SSH_DEPENDS,
	WALL_BROKER_OPEN,
	WALL_BROKER_DEPENDS,
	WALL_BROKER_CLOSED,
	WALL_NONE,
	WALL_NOT_READ
};

static const struct check_row rows[] = {
    {WALL_SSH_CLOSED, FINDING_FAULT, ERR_UNREACHABLE, "ssh-closed",
	"port {port} ({program}): closed to other machines",
	"the firewall ({place}) lets no new connection to port {port} in, "
	"where {program} waits for devices",
	"{mend}"},
    {WALL_SSH_OPEN, FINDING_OK, ERR_NONE, NULL,
	"port {port} ({program}): open to other machines", NULL, NULL},
    {WALL_SSH_DEPENDS, FINDING_OK, ERR_NONE, NULL,
	"port {port} ({program}): open to some machines", NULL, NULL},
    {WALL_BROKER_OPEN, FINDING_WARNING, ERR_NONE, "broker-port-open",
	"port {port} ({program}): open to other machines",
	"the broker listens to the network on port {port}, and no rule keeps "
	"others away",
	"{shut}"},
    {WALL_BROKER_DEPENDS, FINDING_WARNING, ERR_NONE, "broker-port-open",
	"port {port} ({program}): open to some machines",
	"the broker listens to the network on port {port}, and the firewall "
	"keeps some machines away, not all",
	"if none is to get there without SSH: {shut}"},
    {WALL_BROKER_CLOSED, FINDING_OK, ERR_NONE, NULL,
	"port {port} ({program}): closed to other machines", NULL, NULL},
    {WALL_NONE, FINDING_OK, ERR_NONE, NULL,
	"no rules filter what comes in: each listener is open to whoever "
	"reaches this machine",
	NULL, NULL},
    {WALL_NOT_READ, FINDING_NOT_KNOWN, ERR_NONE, "firewall-not-read",
	"the firewall's rules: {why}", NULL, NULL},
};

enum { FAMILIES = 2 }; /* firewall_family's */

struct wall {
	json_t *nft; /* NULL: not read */
	struct program saved[FAMILIES]; /* what iptables-save says */
	bool has_saved[FAMILIES];
	char place[200]; /* of the chain that closes a port */
	char mend[300]; /* the command that opens it */
	char why[200]; /* nothing could be read */
};

/* ---- reading the rules ---- */

static bool
read_rules(const struct server *server, struct wall *wall)
{
	memset(wall, 0, sizeof *wall);
	if (!server->is_root) {
		snprintf(wall->why, sizeof wall->why,
		    "only root may read them: sudo kaya doctor");
		return false;
	}
	wall->nft = firewall_read_nft();
	if (program_is_there("iptables-save"))
		for (int family = 0; family < FAMILIES; family++)
			wall->has_saved[family] = firewall_read_iptables(
			    (enum firewall_family)family, &wall->saved[family]);
	if (wall->nft != NULL || wall->has_saved[FIREWALL_IPV4])
		return true;
	snprintf(wall->why, sizeof wall->why,
	    "neither nft nor iptables-save can read them here");
	return false;
}

static void
wall_fini(struct wall *wall)
{
	json_decref(wall->nft);
	for (int family = 0; family < FAMILIES; family++)
		program_fini(&wall->saved[family]);
}

/* What one accepts the other may still drop. */
static enum firewall_verdict
both(enum firewall_verdict one, enum firewall_verdict other)
{
	if (one == FIREWALL_CLOSED || other == FIREWALL_CLOSED)
		return FIREWALL_CLOSED;
	return one > other ? one : other;
}

static enum firewall_verdict
judge(struct wall *wall, enum firewall_family family, uint16_t port)
{
	const struct firewall_connection connection = {
	    .direction = FIREWALL_IN, .family = family, .port = port};
	enum firewall_verdict nft = FIREWALL_NO_RULES,
			      iptables = FIREWALL_NO_RULES;
	struct firewall_place place;

	if (wall->has_saved[family])
		iptables = firewall_judge_iptables(
		    span_of_str(program_out(&wall->saved[family])), &connection,
		    NULL);
	if (wall->nft != NULL)
		nft = firewall_judge_nft(wall->nft,
		    wall->has_saved[family] ? FIREWALL_OWN_TABLES
					    : FIREWALL_ALL_TABLES,
		    &connection, &place);
	else if (!wall->has_saved[family])
		return FIREWALL_DEPENDS; /* on what nobody could read */
	if (iptables == FIREWALL_CLOSED) {
		snprintf(wall->place, sizeof wall->place, "INPUT");
		snprintf(wall->mend, sizeof wall->mend,
		    "%s -I INPUT -p tcp --dport %u -j ACCEPT",
		    family == FIREWALL_IPV4 ? "iptables" : "ip6tables", port);
	} else if (nft == FIREWALL_CLOSED) {
		snprintf(wall->place, sizeof wall->place, "%s %s %s",
		    place.family, place.table, place.base);
		snprintf(wall->mend, sizeof wall->mend,
		    "nft insert rule %s tcp dport %u accept", wall->place,
		    port);
	}
	return both(nft, iptables);
}

/* ---- telling ---- */

static void
tell(struct server *server, enum firewall_fact fact, const struct wall *wall,
    const struct system_listener *listener)
{
	char port[8] = "", shut[300] = "";

	if (listener != NULL) {
		snprintf(port, sizeof port, "%u", listener->port);
		if (wall->nft != NULL)
			snprintf(shut, sizeof shut,
			    "nft add table inet kaya && nft 'add chain inet "
			    "kaya input { type filter hook input priority 0; "
			    "}' && nft add rule inet kaya input iifname != lo "
			    "tcp dport %s drop",
			    port);
		else
			snprintf(shut, sizeof shut,
			    "for each in iptables ip6tables; do $each -I "
			    "INPUT ! -i lo -p tcp --dport %s -j DROP; done",
			    port);
	}
	const struct check_word words[] = {
	    {"port", port},
	    {"program", listener != NULL && listener->program[0] != '\0'
			    ? listener->program
			    : "a program"},
	    {"place", wall->place},
	    {"mend", wall->mend},
	    {"shut", shut},
	    {"why", wall->why},
	    {0},
	};
	server_tell(server, "firewall", SERVER_ROWS(rows), (int)fact, words);
}

static bool
is_ssh(const struct system_listener *listener)
{
	return strcmp(listener->program, "sshd") == 0 ||
	       strcmp(listener->program, "kayad") == 0 ||
	       strcmp(listener->program, "dropbear") == 0;
}

/* By which families others reach a port, of all that listen there. */
static void
find_families(
    const struct server *server, uint16_t port, bool reached[FAMILIES])
{
	bool v6_for_all = false;

	reached[FIREWALL_IPV4] = reached[FIREWALL_IPV6] = false;
	for (size_t i = 0; i < server->system.listener_count; i++) {
		const struct system_listener *one =
		    &server->system.listeners[i];
		enum system_scope scope = system_scope_of(one);

		if (one->port != port || scope == SYSTEM_LOOPBACK)
			continue;
		reached[one->v6 ? FIREWALL_IPV6 : FIREWALL_IPV4] = true;
		v6_for_all = v6_for_all || (one->v6 && scope == SYSTEM_ALL);
	}
	/* Who listens on [::] alone has, mostly, IPv4's connections too. */
	reached[FIREWALL_IPV4] = reached[FIREWALL_IPV4] || v6_for_all;
}

/* NO_RULES, OPEN, DEPENDS, CLOSED: from the most open to the least. */
static int
tightness(enum firewall_verdict verdict)
{
	static const int places[] = {[FIREWALL_NO_RULES] = 0,
	    [FIREWALL_OPEN] = 0,
	    [FIREWALL_DEPENDS] = 1,
	    [FIREWALL_CLOSED] = 2};

	return places[verdict];
}

/* One port of one program once, though it listens in both families. */
static bool
was_seen(const struct server *server, size_t which)
{
	const struct system_listener *one = &server->system.listeners[which];

	for (size_t i = 0; i < which; i++)
		if (server->system.listeners[i].port == one->port &&
		    system_scope_of(&server->system.listeners[i]) !=
			SYSTEM_LOOPBACK)
			return true;
	return false;
}

/* A port is as open as by the family that it is most open by. */
static void
look_at(
    struct server *server, struct wall *wall, const struct system_listener *one)
{
	static const enum firewall_fact ssh[] = {
	    WALL_SSH_OPEN, WALL_SSH_DEPENDS, WALL_SSH_CLOSED};
	static const enum firewall_fact broker[] = {
	    WALL_BROKER_OPEN, WALL_BROKER_DEPENDS, WALL_BROKER_CLOSED};
	bool reached[FAMILIES];
	int least = tightness(FIREWALL_CLOSED);

	find_families(server, one->port, reached);
	for (int family = FAMILIES - 1; family >= 0; family--) {
		int tight = reached[family]
				? tightness(judge(wall,
				      (enum firewall_family)family, one->port))
				: least;

		least = tight < least ? tight : least;
	}
	if (is_ssh(one))
		tell(server, ssh[least], wall, one);
	else if (server_is_broker(server, one))
		tell(server, broker[least], wall, one);
}

enum check_next
server_firewall(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct wall wall;

	if (!read_rules(server, &wall)) {
		tell(server, WALL_NOT_READ, &wall, NULL);
	} else if (judge(&wall, FIREWALL_IPV4, 22) == FIREWALL_NO_RULES &&
		   judge(&wall, FIREWALL_IPV6, 22) == FIREWALL_NO_RULES) {
		tell(server, WALL_NONE, &wall, NULL);
	} else {
		for (size_t i = 0; i < server->system.listener_count; i++)
			if (system_scope_of(&server->system.listeners[i]) !=
				SYSTEM_LOOPBACK &&
			    !was_seen(server, i))
				look_at(server, &wall,
				    &server->system.listeners[i]);
	}
	wall_fini(&wall);
	return CHECK_GO_ON;
}
