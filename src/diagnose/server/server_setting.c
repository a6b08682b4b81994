#include "server_setting.h"

#include "server_private.h"
#include "shell.h"
#include "sshd_lines.h"
#include "str.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct system_process *
process_of(const struct system *system, int pid)
{
	for (size_t i = 0; i < system->process_count; i++)
		if (system->processes[i].pid == pid)
			return &system->processes[i];
	return NULL;
}

/* Of the process that listens there, the file that it was started with. */
static bool
find_sshd(struct server *server, uint16_t port)
{
	const struct system *system = &server->system;

	for (size_t i = 0; i < system->listener_count; i++) {
		const struct system_process *one =
		    system->listeners[i].port == port
			? process_of(system, system->listeners[i].pid)
			: NULL;

		if (one == NULL || strcmp(one->name, "sshd") != 0)
			continue;
		snprintf(server->sshd_file, sizeof server->sshd_file, "%s",
		    one->config);
		server->sshd_pid = one->pid;
		server->sshd_port = port;
		return true;
	}
	return false;
}

/* ---- which setting ---- */

/* "127.0.0.1:1883"; in a pattern either may be a star. */
static bool
is_target(struct span pattern, const char *target)
{
	const uint8_t *colon = memrchr(pattern.data, ':', pattern.len);
	const char *port = strrchr(target, ':');
	struct span host;

	if (colon == NULL || port == NULL)
		return false;
	host = span_of(pattern.data, (size_t)(colon - pattern.data));
	pattern.data += host.len + 1;
	pattern.len -= host.len + 1;
	return (span_is(host, "*") ||
		   span_equal(
		       host, span_of(target, (size_t)(port - target)))) &&
	       (span_is(pattern, "*") || span_is(pattern, port + 1));
}

/* Whether PermitOpen's list, blanks between, has it. */
static bool
is_permitted(const char *list, const char *target)
{
	if (list[0] == '\0' || strcmp(list, "any") == 0)
		return true;
	while (*list != '\0') {
		size_t word = strcspn(list, " ");

		if (is_target(span_of(list, word), target))
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
	/* Cut off it would be another one. */
	if (strlen(permit) + strlen(target) + 16 >= sizeof found->line)
		found->line[0] = '\0';
	return true;
}

/* ---- on which line ---- */

/*
 * Of several lines for some the first that matches: sshd itself is asked, by a
 * configuration in which each has a banner of its own.
 */
static bool
put_question(
    const struct server *server, const struct sshd_lines *lines, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	FILE *file = own >= 0 ? fdopen(own, "w") : NULL;

	if (file == NULL) {
		if (own >= 0)
			close(own);
		return false;
	}
	/* It answers nobody without one. */
	fprintf(
	    file, "HostKey %s\n", ssh_settings_get(&server->sshd, "hostkey"));
	for (size_t i = 0; i < lines->count; i++) {
		if (lines->items[i].criteria[0] == '\0')
			continue;
		fprintf(file, "Match %s\n\tBanner /%zu\n",
		    lines->items[i].criteria, i);
	}
	return fclose(file) == 0;
}

enum which { WHICH_NONE, WHICH_FOUND, WHICH_NOT_KNOWN };

static enum which
read_answer(const struct ssh_settings *settings, size_t count, size_t *which)
{
	const char *banner = ssh_settings_get(settings, "banner");
	uint64_t number;

	if (banner[0] != '/' ||
	    !str_to_u64(span_of_str(banner + 1), 0, count - 1, &number))
		return WHICH_NONE;
	*which = (size_t)number;
	return WHICH_FOUND;
}

static bool
has_criteria(const struct sshd_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		if (lines->items[i].criteria[0] != '\0')
			return true;
	return false;
}

static enum which
ask_which(struct server *server, const char *user,
    const struct sshd_lines *lines, size_t *which)
{
	char own[sizeof server->sshd_file], why[200];
	struct ssh_settings settings = {0};
	enum which answer = WHICH_NOT_KNOWN;
	int fd;

	if (!has_criteria(lines))
		return WHICH_NONE;
	/* No file that would be left behind where somebody ends us. */
	fd = memfd_create("kaya-sshd", MFD_CLOEXEC);
	if (fd < 0)
		return answer;
	memcpy(own, server->sshd_file, sizeof own);
	snprintf(server->sshd_file, sizeof server->sshd_file, "/proc/%d/fd/%d",
	    (int)getpid(), fd);
	if (put_question(server, lines, fd) &&
	    server_ask_sshd(server, user, &settings, why, sizeof why) == 0)
		answer = read_answer(&settings, lines->count, which);
	memcpy(server->sshd_file, own, sizeof own);
	ssh_settings_fini(&settings);
	close(fd);
	return answer;
}

/* The line that is in force for the user; false where that cannot be known. */
static bool
find_line(struct server *server, const char *user, const char *word,
    struct sshd_line *found)
{
	struct sshd_lines lines;
	size_t which = 0, first_of_all;
	enum which answer;
	bool is_known;

	sshd_lines_find(&lines, server_sshd_file(server), word);
	for (first_of_all = 0; first_of_all < lines.count; first_of_all++)
		if (lines.items[first_of_all].criteria[0] == '\0')
			break;
	answer = ask_which(server, user, &lines, &which);
	if (answer == WHICH_NONE)
		which = first_of_all;
	is_known =
	    answer != WHICH_NOT_KNOWN && !lines.failed && which < lines.count;
	if (is_known)
		*found = lines.items[which];
	sshd_lines_fini(&lines);
	return is_known;
}

/* ---- the command ---- */

/* A name that stands for itself alone in a Match, and in sshd -T's -C. */
static bool
is_plain(const char *user)
{
	return shell_is_literal(user) && user[strcspn(user, ",*?!\" ")] == '\0';
}

/*
 * For everybody on its very line; where it is a Match that says so, for this
 * user alone, by one before it: the first that matches wins.
 */
static void
put_remedy(const struct server *server, const char *user,
    const struct prohibition *prohibition, const struct sshd_line *line,
    struct server_setting *found)
{
	char reload[40], file[CHECK_TYPED_SIZE];

	snprintf(reload, sizeof reload, "kill -HUP %d", server->sshd_pid);
	if (server->sshd_file[0] == '\0')
		strcpy(reload, "systemctl reload ssh");
	check_typed(line->match.line == 0 ? line->at.file : line->match.file,
	    file, sizeof file);
	if (line->match.line == 0)
		snprintf(found->remedy, sizeof found->remedy,
		    "sed -i '%zuc %s' %s && %s", line->at.line,
		    prohibition->line, file, reload);
	else
		snprintf(found->remedy, sizeof found->remedy,
		    "sed -i '%zui Match User %s\\n  %s' %s && %s",
		    line->match.line, user, prohibition->line, file, reload);
}

static enum server_setting_answer
judge(struct server *server, const struct server_setting_asker *asker,
    const struct ssh_settings *his, struct server_setting *found)
{
	struct sshd_line *line = calloc(1, sizeof *line);
	enum server_setting_answer answer = SERVER_SETTING_NOT_KNOWN;
	struct prohibition prohibition = {0};

	if (!find_prohibition(his, asker->target, &prohibition)) {
		answer = SERVER_SETTING_LETS;
	} else if (line != NULL && prohibition.line[0] != '\0' &&
		   shell_is_literal(prohibition.line) &&
		   find_line(server, asker->user, prohibition.word, line)) {
		answer = SERVER_SETTING_FORBIDS;
		snprintf(found->says, sizeof found->says, "%s (%s:%zu)",
		    prohibition.says, line->at.file, line->at.line);
		put_remedy(server, asker->user, &prohibition, line, found);
	}
	free(line);
	return answer;
}

enum server_setting_answer
server_setting_find(
    const struct server_setting_asker *asker, struct server_setting *found)
{
	struct server *server = calloc(1, sizeof *server);
	enum server_setting_answer answer = SERVER_SETTING_NOT_KNOWN;
	struct ssh_settings his = {0};
	char why[200];

	if (server == NULL)
		return answer;
	system_look(&server->system);
	server->sshd_client = asker->client;
	if (find_sshd(server, asker->port) && is_plain(asker->user) &&
	    server_ask_sshd(server, NULL, &server->sshd, why, sizeof why) ==
		0 &&
	    server_ask_sshd(server, asker->user, &his, why, sizeof why) == 0)
		answer = judge(server, asker, &his, found);
	ssh_settings_fini(&his);
	ssh_settings_fini(&server->sshd);
	free(server);
	return answer;
}
