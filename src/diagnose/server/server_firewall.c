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
	"nft add table inet kaya && nft 'add chain inet kaya input {hook}' && "
	"nft add rule inet kaya input iifname != lo tcp dport {port} drop"},
    {WALL_BROKER_CLOSED, FINDING_OK, ERR_NONE, NULL,
	"port {port} ({program}): closed to other machines", NULL, NULL},
    {WALL_NONE, FINDING_OK, ERR_NONE, NULL,
	"no rules filter what comes in: each listener is open to whoever "
	"reaches this machine",
	NULL, NULL},
    {WALL_NOT_READ, FINDING_NOT_KNOWN, ERR_NONE, "firewall-not-read",
	"the firewall's rules: {why}", NULL, NULL},
};

struct wall {
	json_t *nft; /* NULL: none */
	struct program iptables; /* where there is no nft */
	struct program ip6tables;
	bool has_iptables;
	char place[200]; /* of the chain that closes a port */
	char why[200]; /* nothing could be read */
};

/* ---- reading the rules ---- */

static bool
read_iptables(struct wall *wall)
{
	wall->has_iptables =
	    firewall_read_iptables(FIREWALL_IPV4, &wall->iptables);
	firewall_read_iptables(FIREWALL_IPV6, &wall->ip6tables);
	return wall->has_iptables;
}

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
	if (wall->nft != NULL)
		return true;
	if (program_is_there("iptables-save") && read_iptables(wall))
		return true;
	snprintf(wall->why, sizeof wall->why,
	    "neither nft nor iptables-save can read them here");
	return false;
}

static void
wall_fini(struct wall *wall)
{
	json_decref(wall->nft);
	program_fini(&wall->iptables);
	program_fini(&wall->ip6tables);
}

static enum firewall_verdict
judge(struct wall *wall, enum firewall_family family, uint16_t port)
{
	const struct firewall_connection connection = {
	    .direction = FIREWALL_IN, .family = family, .port = port};
	const struct program *save =
	    family == FIREWALL_IPV4 ? &wall->iptables : &wall->ip6tables;
	enum firewall_verdict verdict;
	struct firewall_place place;

	snprintf(wall->place, sizeof wall->place, "INPUT");
	if (wall->nft == NULL)
		return firewall_judge_iptables(
		    span_of_str(program_out(save)), &connection, NULL);
	verdict = firewall_judge_nft(wall->nft, &connection, &place);
	if (verdict == FIREWALL_CLOSED)
		snprintf(wall->place, sizeof wall->place, "%s %s %s",
		    place.family, place.table, place.base);
	return verdict;
}

/* ---- telling ---- */

static void
tell(struct server *server, enum firewall_fact fact, const struct wall *wall,
    const struct system_listener *listener)
{
	char port[8] = "", mend[300] = "";

	if (listener != NULL) {
		snprintf(port, sizeof port, "%u", listener->port);
		if (wall->nft != NULL)
			snprintf(mend, sizeof mend,
			    "nft insert rule %s tcp dport %s accept",
			    wall->place, port);
		else
			snprintf(mend, sizeof mend,
			    "iptables -I INPUT -p tcp --dport %s -j ACCEPT",
			    port);
	}
	const struct check_word words[] = {
	    {"port", port},
	    {"program", listener != NULL && listener->program[0] != '\0'
			    ? listener->program
			    : "a program"},
	    {"place", wall->place},
	    {"mend", mend},
	    {"hook", "{ type filter hook input priority 0; }"},
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

static void
look_at_ssh(struct server *server, struct wall *wall,
    const struct system_listener *one, enum firewall_verdict verdict)
{
	if (verdict == FIREWALL_CLOSED)
		tell(server, WALL_SSH_CLOSED, wall, one);
	else if (verdict == FIREWALL_DEPENDS)
		tell(server, WALL_SSH_DEPENDS, wall, one);
	else
		tell(server, WALL_SSH_OPEN, wall, one);
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

static void
look_at(
    struct server *server, struct wall *wall, const struct system_listener *one)
{
	enum firewall_verdict verdict =
	    judge(wall, one->v6 ? FIREWALL_IPV6 : FIREWALL_IPV4, one->port);

	if (is_ssh(one))
		look_at_ssh(server, wall, one, verdict);
	else if (server_is_broker(server, one))
		tell(server,
		    verdict == FIREWALL_CLOSED ? WALL_BROKER_CLOSED
					       : WALL_BROKER_OPEN,
		    wall, one);
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
