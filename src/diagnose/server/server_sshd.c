#include "server_private.h"

#include "program.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* server_sshd: sshd's effective settings, as sshd -T tells them. */

enum sshd_fact {
	SSHD_OK,
	SSHD_NONE,
	SSHD_STOPPED,
	SSHD_BROKEN,
	SSHD_NOT_ROOT,
	SSHD_NO_KEYS,
	SSHD_NO_FORWARDING,
	SSHD_ALL_DISABLED,
	SSHD_EMPTY_PASSWORDS,
	SSHD_ROOT_PASSWORD,
	SSHD_PASSWORDS,
	SSHD_QUESTIONS,
	SSHD_NOT_STRICT,
	SSHD_GATEWAY_PORTS,
	SSHD_NO_ALIVE,
	SSHD_FEW_STARTUPS,
	SSHD_PERMIT_OPEN
};

/* The first value of a word wins, so it goes before all others. */
#define SET "sed -i '1i {line}' {path} && {reload}"

static const struct check_row rows[] = {
    {SSHD_OK, FINDING_OK, ERR_NONE, NULL,
	"{file}: port {port}, keys alone, forwarding allowed", NULL, NULL},
    {SSHD_NONE, FINDING_NOT_KNOWN, ERR_NONE, "no-sshd", "there is no sshd here",
	NULL, NULL},
    {SSHD_STOPPED, FINDING_WARNING, ERR_NONE, "sshd-stopped",
	"sshd is installed, and does not run",
	"no sshd runs here: no device can connect to it",
	"systemctl start ssh"},
    {SSHD_BROKEN, FINDING_FAULT, ERR_CONFIG, "sshd-config", "sshd -T: {why}",
	"sshd does not take its configuration, and will not start again: "
	"{why}",
	"mend it, then: sshd -t -f {path} && {reload}"},
    {SSHD_NOT_ROOT, FINDING_NOT_KNOWN, ERR_NONE, "sshd-not-root",
	"sshd's settings: only root may ask for them ({why}); run: sudo kaya "
	"doctor",
	NULL, NULL},
    {SSHD_NO_KEYS, FINDING_FAULT, ERR_REFUSED, "no-publickey",
	"PubkeyAuthentication no", "sshd lets nobody in by a key", SET},
    {SSHD_NO_FORWARDING, FINDING_FAULT, ERR_REFUSED, "no-forwarding",
	"AllowTcpForwarding {value}",
	"sshd refuses -L to everybody: tunnels stand and carry nothing", SET},
    {SSHD_ALL_DISABLED, FINDING_FAULT, ERR_REFUSED, "no-forwarding",
	"DisableForwarding yes",
	"sshd refuses every forwarding: tunnels stand and carry nothing", SET},
    {SSHD_EMPTY_PASSWORDS, FINDING_FAULT, ERR_FAILED, "empty-passwords",
	"PermitEmptyPasswords yes",
	"an account without a password is open to everybody", SET},
    {SSHD_ROOT_PASSWORD, FINDING_WARNING, ERR_NONE, "root-password",
	"PermitRootLogin yes, with passwords",
	"root may log in with a password: the one account whose name every "
	"attacker knows",
	SET},
    {SSHD_PASSWORDS, FINDING_WARNING, ERR_NONE, "passwords",
	"PasswordAuthentication yes",
	"passwords may be tried: machines on the internet are tried thousands "
	"of times a day, and devices need keys alone",
	"have a key let in first; then " SET},
    {SSHD_QUESTIONS, FINDING_WARNING, ERR_NONE, "passwords",
	"KbdInteractiveAuthentication yes, with UsePAM",
	"passwords may be tried, as answers to PAM's questions: machines on "
	"the internet are tried thousands of times a day, and devices need "
	"keys alone",
	"have a key let in first; then " SET},
    {SSHD_NOT_STRICT, FINDING_WARNING, ERR_NONE, "not-strict", "StrictModes no",
	"sshd reads authorized_keys that others may write: they let "
	"themselves in",
	SET},
    {SSHD_GATEWAY_PORTS, FINDING_WARNING, ERR_NONE, "gateway-ports",
	"GatewayPorts {value}",
	"a key that may use -R opens ports of this machine to the network",
	SET},
    {SSHD_NO_ALIVE, FINDING_WARNING, ERR_NONE, "no-alive",
	"ClientAliveInterval 0",
	"sessions of devices that have gone (power, NAT) stay for hours, with "
	"the broker's connections behind them",
	SET},
    {SSHD_FEW_STARTUPS, FINDING_WARNING, ERR_NONE, "few-startups",
	"MaxStartups {value}, for {devices} devices",
	"when {devices} devices come back at once (after a power cut) sshd "
	"drops connections at random from {start} unfinished logins on",
	SET},
    {SSHD_PERMIT_OPEN, FINDING_OK, ERR_NONE, NULL, "PermitOpen {value}", NULL,
	NULL},
};

struct telling {
	const char *value;
	const char *line;
	const char *why;
	uint64_t start;
};

static void
put_reload(const struct server *server, char *text, size_t size)
{
	const struct system_process *sshd =
	    system_find(&server->system, "sshd");

	if (server->sshd_file[0] == '\0' || sshd == NULL)
		snprintf(text, size, "systemctl reload ssh");
	else
		snprintf(text, size, "kill -HUP %d", sshd->pid);
}

static void
tell(struct server *server, enum sshd_fact fact, const struct telling *t)
{
	char start[24], devices[24], reload[64];
	char file[PATH_MAX], path[CHECK_TYPED_SIZE];

	snprintf(start, sizeof start, "%llu", (unsigned long long)t->start);
	snprintf(devices, sizeof devices, "%llu",
	    (unsigned long long)server_devices(server));
	put_reload(server, reload, sizeof reload);
	const struct check_word words[] = {
	    {"file", str_escape(span_of_str(server_sshd_file(server)), file,
			 sizeof file)},
	    {"path", check_typed(server_sshd_file(server), path, sizeof path)},
	    {"value", t->value},
	    {"line", t->line},
	    {"why", t->why},
	    {"start", start},
	    {"devices", devices},
	    {"reload", reload},
	    {"port", ssh_settings_get(&server->sshd, "port")},
	    {0},
	};
	server_tell(server, "sshd", SERVER_ROWS(rows), (int)fact, words);
}

/* ---- asking ---- */

/* The last line that says something. */
static void
last_line(const char *text, char *why, size_t size)
{
	why[0] = '\0';
	while (*text != '\0') {
		size_t len = strcspn(text, "\r\n");

		if (len > 0)
			str_escape(span_of(text, len), why, size);
		text += len;
		text += strspn(text, "\r\n");
	}
}

const char *
server_sshd_file(const struct server *server)
{
	return server->sshd_file[0] != '\0' ? server->sshd_file
					    : "/etc/ssh/sshd_config";
}

/*
 * All that a Match may ask for: sshd -T does not answer where one is missing.
 * What does not come from anybody matches no user and no address.
 */
static void
put_who(const struct server *server, const char *user, char *who, size_t size)
{
	const char *client =
	    server->sshd_client != NULL ? server->sshd_client : "127.0.0.1";
	const char *port = ssh_settings_get(&server->sshd, "port");
	char asked[8];
	size_t used;

	snprintf(asked, sizeof asked, "%u", server->sshd_port);
	if (server->sshd_port != 0)
		port = asked;
	/* From here, both ends have one address. */
	used = (size_t)snprintf(who, size, "laddr=%s,lport=%s", client,
	    port[0] != '\0' ? port : "22");
	if (user != NULL && used < size)
		snprintf(who + used, size - used,
		    ",user=%s,host=%s,addr=%s,rdomain=", user,
		    server->sshd_client != NULL ? client : "localhost", client);
}

int
server_ask_sshd(const struct server *server, const char *user,
    struct ssh_settings *settings, char *why, size_t size)
{
	const char *words[8] = {"sshd", "-T"};
	struct program program;
	char who[400];
	size_t count = 2;
	int result = -1;

	memset(settings, 0, sizeof *settings);
	if (server->sshd_file[0] != '\0') {
		words[count++] = "-f";
		words[count++] = server->sshd_file;
	}
	put_who(server, user, who, sizeof who);
	words[count++] = "-C";
	words[count++] = who;
	words[count] = NULL;
	snprintf(why, size, "it could not be run");
	if (program_run(&program, words, SERVER_ASK_MS)) {
		last_line(program_said(&program), why, size);
		if (program.status == 0)
			result = ssh_settings_parse(
			    settings, span_of_str(program_out(&program)));
	}
	program_fini(&program);
	return result;
}

void
server_gather_sshd(struct server *server)
{
	const struct system_process *sshd =
	    system_find(&server->system, "sshd");
	char why[300];

	if (sshd != NULL)
		snprintf(server->sshd_file, sizeof server->sshd_file, "%s",
		    sshd->config);
	if (program_is_there("sshd"))
		server->has_sshd = server_ask_sshd(server, NULL, &server->sshd,
				       why, sizeof why) == 0;
}

/* ---- the settings ---- */

static bool
is(const struct server *server, const char *word, const char *value)
{
	return strcmp(ssh_settings_get(&server->sshd, word), value) == 0;
}

/* A word that has a wrong value, and the line that mends it. */
static const struct {
	const char *word;
	const char *value;
	enum sshd_fact fact;
	const char *line;
} wrong_values[] = {
    {"permitemptypasswords", "yes", SSHD_EMPTY_PASSWORDS,
	"PermitEmptyPasswords no"},
    {"pubkeyauthentication", "no", SSHD_NO_KEYS, "PubkeyAuthentication yes"},
    {"disableforwarding", "yes", SSHD_ALL_DISABLED, "DisableForwarding no"},
    {"allowtcpforwarding", "no", SSHD_NO_FORWARDING,
	"AllowTcpForwarding local"},
    {"allowtcpforwarding", "remote", SSHD_NO_FORWARDING,
	"AllowTcpForwarding local"},
    {"strictmodes", "no", SSHD_NOT_STRICT, "StrictModes yes"},
    {"gatewayports", "yes", SSHD_GATEWAY_PORTS, "GatewayPorts no"},
    {"gatewayports", "clientspecified", SSHD_GATEWAY_PORTS, "GatewayPorts no"},
    {"passwordauthentication", "yes", SSHD_PASSWORDS,
	"PasswordAuthentication no"},
    {"clientaliveinterval", "0", SSHD_NO_ALIVE, "ClientAliveInterval 60"},
};

static size_t
check_values(struct server *server)
{
	size_t told = 0;

	for (size_t i = 0; i < sizeof wrong_values / sizeof wrong_values[0];
	     i++) {
		struct telling t = {.value = wrong_values[i].value,
		    .line = wrong_values[i].line};

		if (!is(server, wrong_values[i].word, wrong_values[i].value))
			continue;
		tell(server, wrong_values[i].fact, &t);
		told++;
	}
	return told;
}

static bool
asks_questions(const struct server *server)
{
	return is(server, "kbdinteractiveauthentication", "yes") &&
	       is(server, "usepam", "yes");
}

static size_t
check_questions(struct server *server)
{
	struct telling t = {.line = "KbdInteractiveAuthentication no"};

	if (!asks_questions(server))
		return 0;
	tell(server, SSHD_QUESTIONS, &t);
	return 1;
}

static size_t
check_root(struct server *server)
{
	struct telling t = {.line = "PermitRootLogin prohibit-password"};

	if (!is(server, "permitrootlogin", "yes") ||
	    (!is(server, "passwordauthentication", "yes") &&
		!asks_questions(server)))
		return 0;
	tell(server, SSHD_ROOT_PASSWORD, &t);
	return 1;
}

/* "10:30:100": from the first number on some are dropped. */
static size_t
check_startups(struct server *server)
{
	uint64_t devices = server_devices(server);
	struct telling t = {
	    .value = ssh_settings_get(&server->sshd, "maxstartups")};
	char line[80];

	t.start = strtoull(t.value, NULL, 10);
	if (t.start == 0 || devices <= t.start)
		return 0;
	snprintf(line, sizeof line, "MaxStartups %llu:30:%llu",
	    (unsigned long long)devices + 10,
	    (unsigned long long)devices * 2 + 20);
	t.line = line;
	tell(server, SSHD_FEW_STARTUPS, &t);
	return 1;
}

/* A service manager may listen in its place, and start it for each. */
static bool
is_listened_for(const struct server *server)
{
	uint64_t port;

	for (size_t i = 0; i < server->system.listener_count; i++)
		if (str_to_u64(
			span_of_str(ssh_settings_get(&server->sshd, "port")), 1,
			UINT16_MAX, &port) &&
		    server->system.listeners[i].port == port)
			return true;
	return false;
}

enum check_next
server_sshd(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct telling t = {0};
	struct ssh_settings again;
	char why[300];
	size_t told;

	if (!program_is_there("sshd")) {
		tell(server, SSHD_NONE, &t);
		return CHECK_GO_ON;
	}
	if (!server->has_sshd) {
		server_ask_sshd(server, NULL, &again, why, sizeof why);
		ssh_settings_fini(&again);
		t.why = why;
		tell(server, server->is_root ? SSHD_BROKEN : SSHD_NOT_ROOT, &t);
		return CHECK_GO_ON;
	}
	if (!is_listened_for(server) &&
	    system_find(&server->system, "sshd") == NULL &&
	    system_find(&server->system, "kayad") == NULL &&
	    system_find(&server->system, "dropbear") == NULL)
		tell(server, SSHD_STOPPED, &t);
	told = check_values(server);
	told += check_questions(server);
	told += check_root(server);
	told += check_startups(server);
	if (!is(server, "permitopen", "any")) {
		t.value = ssh_settings_get(&server->sshd, "permitopen");
		tell(server, SSHD_PERMIT_OPEN, &t);
	}
	if (told == 0)
		tell(server, SSHD_OK, &t);
	return CHECK_GO_ON;
}
