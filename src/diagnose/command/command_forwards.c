#include "command_private.h"

#include "local_end.h"
#include "str.h"

#include <errno.h>
#include <stdio.h>

/* command_forwards: where the command listens, and what it asks for. */

enum { BROKER_PORT = 1883, NEAR_PORT = 22883 };

enum forward_fact {
	FORWARD_NONE,
	FORWARD_TWICE,
	FORWARD_ALL_ADDRESSES,
	FORWARD_GATEWAY,
	FORWARD_LOW_PORT,
	FORWARD_TAKEN,
	FORWARD_TAKEN_BY_BROKER,
	FORWARD_SWAPPED,
	FORWARD_REMOTE_MEANT_LOCAL,
	FORWARD_LOCALHOST,
	FORWARD_OUTER_NAME
};

#define AT_CONFIG "{option} {better}"

static const struct check_row rows[] = {
    {FORWARD_NONE, FINDING_WARNING, ERR_NONE, "no-forward",
	"nothing is forwarded",
	"neither the command nor ssh_config has a -L (LocalForward): no MQTT "
	"client could use this connection",
	"-L 22883:127.0.0.1:1883"},
    {FORWARD_TWICE, FINDING_FAULT, ERR_TAKEN, "port-twice",
	"port {port} is listened on twice",
	"two forwards of the command listen on {port}: the second one finds "
	"it taken by the first",
	AT_CONFIG},
    {FORWARD_ALL_ADDRESSES, FINDING_WARNING, ERR_NONE, "open-to-all",
	"{option} {given} listens on all addresses",
	"whoever reaches this machine uses the tunnel, with the rights of its "
	"key",
	AT_CONFIG},
    {FORWARD_GATEWAY, FINDING_WARNING, ERR_NONE, "open-to-all",
	"{gateway}: {option} {given} listens on all addresses",
	"by {gateway} whoever reaches this machine uses the tunnel, with the "
	"rights of its key",
	AT_CONFIG},
    {FORWARD_LOW_PORT, FINDING_FAULT, ERR_FAILED, "port-of-root",
	"{option} {given}: this user may not listen on {port}",
	"ports below {first} are root's here: ssh says \"bind: Permission "
	"denied\"",
	AT_CONFIG},
    {FORWARD_TAKEN, FINDING_FAULT, ERR_TAKEN, "port-taken",
	"{option} {given}: {address} is taken by {holder}",
	"{holder} listens on {address} already; where only one of 127.0.0.1 "
	"and ::1 is taken ssh listens on the other and says nothing worse "
	"than a warning, and clients talk to a stranger",
	AT_CONFIG "; or stop {holder}"},
    {FORWARD_TAKEN_BY_BROKER, FINDING_FAULT, ERR_TAKEN, "r-was-meant",
	"{option} {given}: {address} is taken by {holder}",
	"{holder} listens on {address}: -L makes a port here that leads to "
	"the server; where the broker here is to be reached from the server, "
	"-R was meant",
	AT_CONFIG "; or, to reach {holder} from the server: -R "
		  "22883:127.0.0.1:{port}"},
    {FORWARD_SWAPPED, FINDING_WARNING, ERR_NONE, "ports-swapped",
	"{option} {given}: listens on 1883 here and asks for {port} there",
	"the first port is the one here, the last one the broker's at the "
	"server: they seem to have changed places",
	AT_CONFIG},
    {FORWARD_REMOTE_MEANT_LOCAL, FINDING_FAULT, ERR_FAILED, "l-was-meant",
	"-R {given}: nothing listens on {address} here",
	"-R makes a port at the server that leads to {address} of this "
	"machine, and nothing is there; the broker is at the server, so -L "
	"was meant",
	"-L {given}"},
    {FORWARD_LOCALHOST, FINDING_WARNING, ERR_NONE, "localhost",
	"-L {given}: localhost is looked up at the server",
	"the server compares localhost as text with the key's permitopen, "
	"where mostly 127.0.0.1 stands: then the tunnel stands, and every "
	"connection through it is refused; and localhost may be ::1 there, "
	"where the broker does not listen",
	"ask for it as the key's line has it, mostly: -L {better}"},
    {FORWARD_OUTER_NAME, FINDING_WARNING, ERR_NONE, "outer-name",
	"-L {given}: {host} is the server itself, by its outer name",
	"the server connects to its own outer address, where a broker that "
	"keeps to loopback does not listen, and permitopen=\"127.0.0.1:...\" "
	"does not fit",
	"-L {better}"},
};

struct telling {
	const struct command_case_forward *forward;
	const char *better;
	const char *address;
	const char *holder;
	const char *gateway;
	unsigned first;
	uint16_t port; /* 0: the forward's own */
};

static void
tell(struct command_case *c, enum forward_fact fact, const struct telling *t)
{
	char given[700] = "", option[16] = "", port[8], first[8];

	if (t->forward != NULL) {
		command_forward_text(&t->forward->forward, given, sizeof given);
		snprintf(option, sizeof option, "-%c", t->forward->letter);
	}
	snprintf(port, sizeof port, "%u",
	    t->port != 0 || t->forward == NULL
		? (unsigned)t->port
		: (unsigned)t->forward->forward.port);
	snprintf(first, sizeof first, "%u", t->first);
	const struct check_word words[] = {
	    {"given", given},
	    {"option", option},
	    {"better", t->better},
	    {"address", t->address},
	    {"holder", t->holder},
	    {"gateway", t->gateway},
	    {"host", t->forward != NULL ? t->forward->forward.host : ""},
	    {"port", port},
	    {"first", first},
	    {0},
	};
	command_tell(c, COMMAND_ROWS(rows), (int)fact, words);
}

/* Put `better` in the place of the forward's option, if it has one. */
static const char *
mend(struct command_case *c, struct command_case_forward *f,
    const struct command_forward *better)
{
	char text[700];
	const char *copy;

	command_forward_text(better, text, sizeof text);
	copy = arena_str(&c->given->arena, span_of_str(text));
	if (copy == NULL)
		return "";
	f->forward = *better;
	if (f->option != NULL)
		command_set(c, f->option, copy);
	return copy;
}

/* ---- trying an address ---- */

/* The first error that a forward's listening meets; 0: none. */
static int
try_forward(const struct command_forward *forward, struct local_end *end)
{
	static const char *const loopback[] = {"127.0.0.1", "::1"};
	const char *bind = forward->bind;

	if (forward->port == 0 || forward->near_path[0] != '\0')
		return 0;
	if (strcmp(bind, "*") == 0 || (forward->has_bind && *bind == '\0'))
		bind = "0.0.0.0";
	if (*bind != '\0' && local_end_set(end, bind, forward->port)) {
		local_end_probe(end);
		return end->error;
	}
	for (size_t i = 0; i < 2; i++) {
		local_end_set(end, loopback[i], forward->port);
		local_end_probe(end);
		if (end->error == EADDRINUSE || end->error == EACCES)
			return end->error;
	}
	return 0;
}

/* A port like this one that is free: 22883 for the broker's, else the next. */
static uint16_t
find_free(const struct command_forward *forward)
{
	struct command_forward other = *forward;
	struct local_end end;
	uint16_t port = forward->port < 1024 ? NEAR_PORT : forward->port;

	for (int tries = 0; tries < 100; tries++) {
		other.port = port;
		if (other.port != forward->port &&
		    try_forward(&other, &end) == 0)
			return port;
		port = port < 65535 ? (uint16_t)(port + 1) : NEAR_PORT;
	}
	return NEAR_PORT;
}

/* ---- the checks ---- */

static void
check_none(struct command_case *c)
{
	struct telling t = {0};

	if (c->forward_count > 0 || !c->has_settings ||
	    command_line_option(&c->mended, 'W', NULL) != NULL ||
	    c->mended.command != NULL)
		return;
	tell(c, FORWARD_NONE, &t);
	command_add(c, 'L', "22883:127.0.0.1:1883");
}

static bool
is_all(const struct command_forward *forward)
{
	const char *bind = forward->bind;

	return forward->has_bind &&
	       (*bind == '\0' || strcmp(bind, "*") == 0 ||
		   strcmp(bind, "0.0.0.0") == 0 || strcmp(bind, "::") == 0);
}

/* -L and -D alone: where -R listens the server's GatewayPorts says. */
static void
check_all_addresses(struct command_case *c, struct command_case_forward *f)
{
	struct telling t = {.forward = f, .gateway = "GatewayPorts yes"};
	struct command_option *g = command_line_option(&c->mended, 'g', NULL);
	struct command_forward better = f->forward;
	enum forward_fact fact = FORWARD_ALL_ADDRESSES;
	struct command_case_forward before = *f;

	if (f->letter == 'R' || f->forward.near_path[0] != '\0')
		return;
	if (!f->forward.has_bind && command_is(c, "gatewayports", "yes")) {
		fact = FORWARD_GATEWAY;
		if (g != NULL)
			t.gateway = "-g";
	} else if (!is_all(&f->forward)) {
		return;
	}
	better.has_bind = true;
	snprintf(better.bind, sizeof better.bind, "127.0.0.1");
	t.forward = &before;
	t.better = mend(c, f, &better);
	tell(c, fact, &t);
	if (g != NULL)
		command_drop(g);
}

static unsigned
first_free_port(void)
{
	FILE *file =
	    fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
	uint64_t port = 1024;
	char text[16];

	if (file != NULL) {
		if (fgets(text, sizeof text, file) != NULL &&
		    !str_to_u64(span_of(text, strcspn(text, "\n")), 0,
			UINT16_MAX, &port))
			port = 1024;
		fclose(file);
	}
	return (unsigned)port;
}

static bool
is_held_by_broker(const char *holder)
{
	return strncmp(holder, "mosquitto", 9) == 0;
}

static void
check_listening(struct command_case *c, struct command_case_forward *f)
{
	struct telling t = {.forward = f};
	struct command_forward better = f->forward;
	enum forward_fact fact = FORWARD_TAKEN;
	struct command_case_forward before = *f;
	struct local_end end;
	int error;

	if (f->letter == 'R')
		return;
	error = try_forward(&f->forward, &end);
	if (error == EACCES)
		fact = FORWARD_LOW_PORT;
	else if (error != EADDRINUSE)
		return;
	if (error == EADDRINUSE && is_held_by_broker(end.holder))
		fact = FORWARD_TAKEN_BY_BROKER;
	better.port = f->forward.port == BROKER_PORT
			  ? find_free(&(struct command_forward){.port = 1})
			  : find_free(&f->forward);
	t.forward = &before;
	t.better = mend(c, f, &better);
	t.address = end.text;
	t.holder = end.holder;
	t.first = first_free_port();
	tell(c, fact, &t);
}

static void
check_swapped(struct command_case *c, struct command_case_forward *f)
{
	struct telling t = {.forward = f, .port = f->forward.host_port};
	struct command_forward better = f->forward;
	struct command_case_forward before = *f;

	if (f->letter != 'L' || f->forward.port != BROKER_PORT ||
	    f->forward.host_port < 10000)
		return;
	better.port = f->forward.host_port;
	better.host_port = BROKER_PORT;
	t.forward = &before;
	t.better = mend(c, f, &better);
	tell(c, FORWARD_SWAPPED, &t);
}

/* -R to a broker that is not here. */
static void
check_remote(struct command_case *c, struct command_case_forward *f)
{
	struct telling t = {.forward = f};
	struct local_end v4, v6;

	if (f->letter != 'R' || f->forward.host[0] == '\0' ||
	    f->forward.host_port != BROKER_PORT ||
	    (strcmp(f->forward.host, "localhost") != 0 &&
		strcmp(f->forward.host, "127.0.0.1") != 0 &&
		strcmp(f->forward.host, "::1") != 0))
		return;
	local_end_set(&v4, "127.0.0.1", BROKER_PORT);
	local_end_set(&v6, "::1", BROKER_PORT);
	local_end_probe(&v4);
	local_end_probe(&v6);
	if (v4.error == EADDRINUSE || v6.error == EADDRINUSE)
		return;
	t.address = v4.text;
	tell(c, FORWARD_REMOTE_MEANT_LOCAL, &t);
	f->letter = 'L';
	if (f->option != NULL)
		f->option->letter = 'L';
}

static void
check_host(struct command_case *c, struct command_case_forward *f)
{
	struct telling t = {.forward = f};
	struct command_forward better = f->forward;
	const char *host = ssh_settings_get(&c->settings, "hostname");
	struct command_case_forward before = *f;
	char text[700];

	if (f->letter != 'L')
		return;
	snprintf(better.host, sizeof better.host, "127.0.0.1");
	command_forward_text(&better, text, sizeof text);
	t.better = text;
	t.forward = &before;
	/* What its line says only the server knows: the walk finds out. */
	if (strcmp(f->forward.host, "localhost") == 0)
		tell(c, FORWARD_LOCALHOST, &t);
	else if (f->forward.host[0] != '\0' &&
		 strcmp(f->forward.host, "127.0.0.1") != 0 &&
		 strcmp(f->forward.host, "::1") != 0 &&
		 (strcmp(f->forward.host, host) == 0 ||
		     strcmp(f->forward.host, c->dest.host) == 0))
		tell(c, FORWARD_OUTER_NAME, &t);
}

static void
check_twice(struct command_case *c)
{
	for (size_t i = 0; i < c->forward_count; i++) {
		struct command_case_forward *f = &c->forwards[i];
		struct telling t = {.forward = f};

		for (size_t j = 0; j < i; j++) {
			struct command_forward better = f->forward;

			if (f->letter == 'R' || c->forwards[j].letter == 'R' ||
			    f->forward.port == 0 ||
			    f->forward.port != c->forwards[j].forward.port ||
			    strcmp(f->forward.bind,
				c->forwards[j].forward.bind) != 0)
				continue;
			t.port = f->forward.port;
			better.port = find_free(&f->forward);
			t.better = mend(c, f, &better);
			tell(c, FORWARD_TWICE, &t);
			break;
		}
	}
}

static void
check_each(struct command_case *c)
{
	static void (*const checks[])(struct command_case *,
	    struct command_case_forward *) = {check_remote, check_swapped,
	    check_all_addresses, check_listening, check_host};

	for (size_t i = 0; i < c->forward_count; i++)
		for (size_t j = 0; j < sizeof checks / sizeof checks[0]; j++)
			checks[j](c, &c->forwards[i]);
}

command_check_fn *const command_forward_checks[] = {
    check_none,
    check_twice,
    check_each,
    NULL,
};
