#include "server_setting.h"

#include "server_private.h"
#include "str.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of the process that listens there, the file that it was started with. */
static bool
find_sshd(struct server *server, uint16_t port)
{
	const struct system *system = &server->system;

	for (size_t i = 0; i < system->listener_count; i++)
		for (size_t k = 0; system->listeners[i].port == port &&
				   k < system->process_count;
		     k++) {
			const struct system_process *one =
			    &system->processes[k];

			if (one->pid != system->listeners[i].pid ||
			    strcmp(one->name, "sshd") != 0)
				continue;
			snprintf(server->sshd_file, sizeof server->sshd_file,
			    "%s", one->config);
			server->sshd_pid = one->pid;
			return true;
		}
	return false;
}

/* ---- which setting ---- */

/* Whether PermitOpen's list, blanks between, has it. */
static bool
is_permitted(const char *list, const char *target)
{
	size_t len = strlen(target);

	if (list[0] == '\0' || strcmp(list, "any") == 0)
		return true;
	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		if (word == len && memcmp(list, target, len) == 0)
			return true;
		list += word;
		list += strspn(list, " ");
	}
	return false;
}

struct prohibition {
	const char *word; /* as sshd -T writes it */
	char says[400];
	char line[400]; /* that goes in its place */
};

static bool
find_prohibition(const struct ssh_settings *settings, const char *target,
    struct prohibition *found)
{
	const char *allow = ssh_settings_get(settings, "allowtcpforwarding");
	const char *permit = ssh_settings_get(settings, "permitopen");

	if (strcmp(ssh_settings_get(settings, "disableforwarding"), "yes") ==
	    0) {
		found->word = "disableforwarding";
		strcpy(found->says, "DisableForwarding yes");
		strcpy(found->line, "DisableForwarding no");
		return true;
	}
	if (strcmp(allow, "no") == 0 || strcmp(allow, "remote") == 0) {
		found->word = "allowtcpforwarding";
		snprintf(found->says, sizeof found->says,
		    "AllowTcpForwarding %s", allow);
		strcpy(found->line, "AllowTcpForwarding local");
		return true;
	}
	if (is_permitted(permit, target))
		return false;
	found->word = "permitopen";
	snprintf(found->says, sizeof found->says, "PermitOpen %s", permit);
	snprintf(found->line, sizeof found->line, "PermitOpen %s%s%s",
	    strcmp(permit, "none") == 0 ? "" : permit,
	    strcmp(permit, "none") == 0 ? "" : " ", target);
	return strlen(permit) + strlen(target) + 16 < sizeof found->line;
}

/* ---- the command ---- */

/* As it stands in a command of sed's, between single quotes. */
static bool
is_plain(const char *text)
{
	return text[strcspn(text, "/&\\'\"\n")] == '\0';
}

/*
 * The first value of a word wins, but that a Match block goes before what
 * stands outside; of those the first that matches wins.
 */
static void
put_remedy(const struct server *server, const char *user,
    const struct prohibition *prohibition, struct server_setting *found)
{
	const char *file = server->sshd_file[0] != '\0'
			       ? server->sshd_file
			       : "/etc/ssh/sshd_config";
	const bool is_for_all =
	    strcmp(ssh_settings_get(&server->sshd, prohibition->word),
		strchr(prohibition->says, ' ') + 1) == 0;
	char reload[40];

	snprintf(reload, sizeof reload, "kill -HUP %d", server->sshd_pid);
	if (server->sshd_file[0] == '\0')
		strcpy(reload, "systemctl reload ssh");
	if (is_for_all)
		snprintf(found->remedy, sizeof found->remedy,
		    "sed -i '1i %s' %s && %s", prohibition->line, file, reload);
	else
		snprintf(found->remedy, sizeof found->remedy,
		    "sed -i '0,/^[ \\t]*Match /Is//Match User %s\\n  "
		    "%s\\n&/' %s && %s",
		    user, prohibition->line, file, reload);
}

bool
server_setting_find(
    const struct server_setting_asker *asker, struct server_setting *found)
{
	struct server *server = calloc(1, sizeof *server);
	struct prohibition prohibition = {0};
	struct ssh_settings his = {0};
	bool is_found = false;
	char why[200];

	if (server == NULL)
		return false;
	system_look(&server->system);
	server->sshd_client = asker->client;
	if (find_sshd(server, asker->port) && is_plain(asker->user) &&
	    server_ask_sshd(server, NULL, &server->sshd, why, sizeof why) ==
		0 &&
	    server_ask_sshd(server, asker->user, &his, why, sizeof why) == 0)
		is_found = find_prohibition(&his, asker->target, &prohibition);
	if (is_found && is_plain(prohibition.line)) {
		snprintf(
		    found->says, sizeof found->says, "%s", prohibition.says);
		put_remedy(server, asker->user, &prohibition, found);
	}
	ssh_settings_fini(&his);
	ssh_settings_fini(&server->sshd);
	free(server);
	return is_found && is_plain(prohibition.line);
}
