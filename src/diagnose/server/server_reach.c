#include "server_private.h"

#include "authorized_keys.h"
#include "keys_file.h"
#include "str.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>

/*
 * server_reach: what those that are on this machine, or that a forward brings
 * here, could reach beside the broker.
 */

enum reach_fact {
	REACH_OK,
	REACH_ANYTHING,
	REACH_NOTHING_ELSE,
	REACH_MORE_LINES,
	REACH_LOCAL_USERS,
	REACH_SOCKETS
};

static const struct check_row rows[] = {
    {REACH_OK, FINDING_OK, ERR_NONE, NULL,
	"forwards go where permitopen lets them", NULL, NULL},
    {REACH_ANYTHING, FINDING_WARNING, ERR_NONE, "forward-anywhere",
	"{file}:{line}: may be forwarded to {what}",
	"line {line} of {file} is there for a tunnel and has no permitopen: "
	"its key reaches whatever this machine reaches, {what} among it",
	"sed -i '{line}s/^[ \\t]*/permitopen=\"127.0.0.1:{port}\",/' {path}"},
    {REACH_NOTHING_ELSE, FINDING_WARNING, ERR_NONE, "forward-anywhere",
	"{file}:{line}: may be forwarded anywhere",
	"line {line} of {file} is there for a tunnel and has no permitopen: "
	"its key reaches whatever this machine reaches",
	"sed -i '{line}s/^[ \\t]*/permitopen=\"127.0.0.1:{port}\",/' {path}"},
    {REACH_MORE_LINES, FINDING_WARNING, ERR_NONE, "forward-anywhere",
	"{file}: {line} more lines may be forwarded anywhere",
	"{line} more lines of {file} are there for a tunnel and have no "
	"permitopen",
	"see what each may do: kaya keys lint {path}"},
    {REACH_LOCAL_USERS, FINDING_WARNING, ERR_NONE, "local-users",
	"{address} lets every user of this machine in: {what}",
	"the broker asks for no password on loopback, and {what} may log in "
	"here: each of them, and whatever runs as them, reads and writes every "
	"topic",
	"touch /etc/mosquitto/passwd && mosquitto_passwd -b "
	"/etc/mosquitto/passwd NAME PASSWORD && printf 'allow_anonymous "
	"false\\npassword_file /etc/mosquitto/passwd\\n' > "
	"/etc/mosquitto/conf.d/passwords.conf && systemctl restart mosquitto; "
	"or let kayad have a broker of its own, that only the gateway reaches"},
    {REACH_SOCKETS, FINDING_OK, ERR_NONE, NULL,
	"remote UNIX sockets (-R /path): sshd leaves them open to keys that "
	"may forward; AllowStreamLocalForwarding no refuses them",
	NULL, NULL},
};

struct telling {
	const struct server_account *account;
	size_t line;
	const char *what;
	const char *address;
};

/* Where the broker listens on this machine, for permitopen. */
static uint16_t
broker_port(const struct server *server)
{
	for (size_t i = 0; i < server->system.listener_count; i++)
		if (server_is_broker(server, &server->system.listeners[i]))
			return server->system.listeners[i].port;
	return 1883;
}

static void
tell(struct server *server, enum reach_fact fact, const struct telling *t)
{
	const char *file = t->account != NULL ? t->account->file : "";
	char line[24], port[8], path[CHECK_TYPED_SIZE], shown[PATH_MAX];

	snprintf(line, sizeof line, "%zu", t->line);
	snprintf(port, sizeof port, "%u", broker_port(server));
	const struct check_word words[] = {
	    {"file", str_escape(span_of_str(file), shown, sizeof shown)},
	    {"path", check_typed(file, path, sizeof path)},
	    {"line", line},
	    {"what", t->what},
	    {"port", port},
	    {"address", t->address},
	    {0},
	};
	server_tell(server, "reach", SERVER_ROWS(rows), (int)fact, words);
}

/* ---- what a forward without permitopen reaches here ---- */

/* "127.0.0.1:5432 (postgres), ..."; how many. */
static size_t
list_others(const struct server *server, char *text, size_t size)
{
	size_t count = 0, used = 0;
	char address[80];

	text[0] = '\0';
	for (size_t i = 0; i < server->system.listener_count; i++) {
		const struct system_listener *one =
		    &server->system.listeners[i];

		/* What is open to the network is reached without a tunnel. */
		if (server_is_broker(server, one) ||
		    system_scope_of(one) != SYSTEM_LOOPBACK || used >= size)
			continue;
		count++;
		used += (size_t)snprintf(text + used, size - used, "%s%s%s%s%s",
		    count > 1 ? ", " : "",
		    system_text(one, address, sizeof address),
		    one->program[0] != '\0' ? " (" : "", one->program,
		    one->program[0] != '\0' ? ")" : "");
	}
	return count;
}

/* A login key may do all that its owner may: no tunnel's key is meant. */
static bool
is_for_tunnel(const struct authorized_keys_line *line)
{
	return line->options.len > 0 && line->rights.port_forwarding &&
	       (line->is_restricted || line->command.data != NULL ||
		   !line->rights.pty);
}

static size_t
look_at_file(struct server *server, const struct server_account *account,
    const char *others)
{
	static struct authorized_keys_line line;
	size_t at = 0, number = 0, told = 0, more = 0;
	struct keys_files files;
	struct span text;
	struct err err;

	if (keys_files_open(&files, account->file, KEYS_FILES_READ_ONE, &err) !=
	    0)
		return 0;
	while (authorized_keys_next_line(
	    files.items[0].bytes, &at, &number, &text)) {
		struct telling t = {
		    .account = account, .line = number, .what = others};

		if (authorized_keys_parse(text, &line) != AUTHORIZED_KEYS_KEY ||
		    !is_for_tunnel(&line) || line.permitopens > 0)
			continue;
		if (told == SERVER_LINES_TOLD) {
			more++;
			continue;
		}
		tell(server,
		    *others != '\0' ? REACH_ANYTHING : REACH_NOTHING_ELSE, &t);
		told++;
	}
	if (more > 0)
		tell(server, REACH_MORE_LINES,
		    &(struct telling){.account = account, .line = more});
	keys_files_close(&files);
	return told;
}

static size_t
check_forwards(struct server *server)
{
	const char *permit = ssh_settings_get(&server->sshd, "permitopen");
	char others[1024];
	size_t told = 0;

	if (*permit != '\0' && strcmp(permit, "any") != 0)
		return 0;
	list_others(server, others, sizeof others);
	for (size_t i = 0; i < server->account_count; i++)
		told += look_at_file(server, &server->accounts[i], others);
	return told;
}

/* ---- what users of this machine reach ---- */

static bool
may_log_in(const struct passwd *account)
{
	const char *shell = account->pw_shell;

	return account->pw_uid >= 1000 && account->pw_uid < 60000 &&
	       shell[0] != '\0' && strstr(shell, "nologin") == NULL &&
	       strstr(shell, "false") == NULL;
}

static size_t
list_users(char *text, size_t size)
{
	const struct passwd *account;
	size_t count = 0, used = 0;

	text[0] = '\0';
	setpwent();
	while ((account = getpwent()) != NULL && used < size)
		if (may_log_in(account))
			used += (size_t)snprintf(text + used, size - used,
			    "%s%s", count++ > 0 ? ", " : "", account->pw_name);
	endpwent();
	return count;
}

static size_t
check_users(struct server *server)
{
	char users[600], address[80];

	if (list_users(users, sizeof users) == 0)
		return 0;
	for (size_t i = 0; i < server->system.listener_count; i++) {
		const struct system_listener *one =
		    &server->system.listeners[i];
		struct telling t = {.what = users,
		    .address = system_text(one, address, sizeof address)};

		if (!server_is_broker(server, one) ||
		    system_scope_of(one) != SYSTEM_LOOPBACK ||
		    server_try_anonymous(one) != SERVER_ANONYMOUS_IN)
			continue;
		tell(server, REACH_LOCAL_USERS, &t);
		return 1;
	}
	return 0;
}

enum check_next
server_reach(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct telling t = {0};
	size_t forwarders = 0;

	if (check_forwards(server) + check_users(server) == 0)
		tell(server, REACH_OK, &t);
	for (size_t i = 0; i < server->account_count; i++)
		forwarders += server->accounts[i].forwarders;
	if (forwarders > 0 && strcmp(ssh_settings_get(&server->sshd,
					 "allowstreamlocalforwarding"),
				  "yes") == 0)
		tell(server, REACH_SOCKETS, &t);
	return CHECK_GO_ON;
}
