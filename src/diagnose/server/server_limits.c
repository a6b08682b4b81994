#include "server_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* server_limits: open files, for as many devices as are to be served. */

enum limit_fact { LIMIT_OK, LIMIT_LOW, LIMIT_NOT_KNOWN, LIMIT_CONNECTIONS };

static const struct check_row rows[] = {
    {LIMIT_OK, FINDING_OK, ERR_NONE, NULL,
	"{program} (pid {pid}): {limit} open files, for {devices} devices",
	NULL, NULL},
    {LIMIT_LOW, FINDING_FAULT, ERR_FAILED, "few-files",
	"{program} (pid {pid}): {limit} open files, {devices} devices need "
	"{wanted}",
	"{program} may open {limit} files, and needs {wanted} for {devices} "
	"devices: the last ones are refused, with \"Too many open files\" in "
	"its log alone",
	"prlimit --pid {pid} --nofile={wanted}:{most} (now); to stay: mkdir "
	"-p /etc/systemd/system/{unit}.service.d && printf "
	"'[Service]\\nLimitNOFILE={wanted}\\n' > "
	"/etc/systemd/system/{unit}.service.d/files.conf && systemctl "
	"daemon-reload && systemctl restart {unit}"},
    {LIMIT_CONNECTIONS, FINDING_FAULT, ERR_FAILED, "few-connections",
	"mosquitto: max_connections {limit}, for {devices} devices",
	"mosquitto lets {limit} clients in at once, and there are {devices} "
	"devices",
	"sed -i '{line}s/.*/max_connections -1/' {path} && systemctl "
	"restart mosquitto"},
    {LIMIT_NOT_KNOWN, FINDING_NOT_KNOWN, ERR_NONE, "no-limits",
	"no broker or gateway runs here whose limits could be read", NULL,
	NULL},
};

/*
 * Open files by device and beside them.  A kayad has the device's socket and
 * the broker's; sshd has a process for each session.
 */
static const struct {
	const char *program;
	uint64_t each;
	uint64_t beside;
	const char *unit;
} needs[] = {
    {"mosquitto", 1, 32, "mosquitto"},
    {"kayad", 2, 128, "kayad"},
    {"sshd", 0, 256, "ssh"},
};

struct telling {
	size_t which;
	int pid;
	uint64_t limit;
	uint64_t most; /* up to which it may be raised; UINT64_MAX: any */
	uint64_t wanted;
};

static void
tell(struct server *server, enum limit_fact fact, const struct telling *t)
{
	char pid[24], limit[24], wanted[24], devices[24], most[24], line[24];
	char path[CHECK_TYPED_SIZE];

	snprintf(pid, sizeof pid, "%d", t->pid);
	snprintf(limit, sizeof limit, "%llu", (unsigned long long)t->limit);
	snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)t->wanted);
	/* Nobody but root raises again what is lowered once. */
	if (t->most == UINT64_MAX)
		snprintf(most, sizeof most, "unlimited");
	else
		snprintf(most, sizeof most, "%llu",
		    (unsigned long long)(t->most > t->wanted ? t->most
							     : t->wanted));
	snprintf(line, sizeof line, "%zu", server->broker.max_line);
	snprintf(devices, sizeof devices, "%llu",
	    (unsigned long long)server_devices(server));
	const struct check_word words[] = {
	    {"program", needs[t->which].program},
	    {"unit", needs[t->which].unit},
	    {"pid", pid},
	    {"limit", limit},
	    {"wanted", wanted},
	    {"devices", devices},
	    {"most", most},
	    {"line", line},
	    {"path", check_typed(server->broker.max_file, path, sizeof path)},
	    {0},
	};
	server_tell(server, "limits", SERVER_ROWS(rows), (int)fact, words);
}

static uint64_t
limit_of(const char *text)
{
	return strcmp(text, "unlimited") == 0 ? UINT64_MAX
					      : strtoull(text, NULL, 10);
}

/* "Max open files  1024  524288  files": the soft one, and the hard one. */
static bool
read_limit(int pid, struct telling *t)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof path, "/proc/%d/limits", pid);
	file = fopen(path, "re");
	while (
	    file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
		char soft[32], hard[32];

		if (sscanf(line, "Max open files %31s %31s", soft, hard) != 2)
			continue;
		t->limit = limit_of(soft);
		t->most = limit_of(hard);
		found = true;
	}
	if (file != NULL)
		fclose(file);
	return found;
}

static size_t
look_at(struct server *server, const struct system_process *process)
{
	struct telling t = {.pid = process->pid};

	while (t.which < sizeof needs / sizeof needs[0] &&
	       strcmp(needs[t.which].program, process->name) != 0)
		t.which++;
	if (t.which == sizeof needs / sizeof needs[0] ||
	    !read_limit(process->pid, &t))
		return 0;
	t.wanted = needs[t.which].each * server_devices(server) +
		   needs[t.which].beside;
	tell(server, t.limit < t.wanted ? LIMIT_LOW : LIMIT_OK, &t);
	return 1;
}

/* Of kayad's two the child; of the others the one that listens. */
static bool
holds_connections(const struct system_process *process)
{
	return process->is_child == (strcmp(process->name, "kayad") == 0);
}

enum check_next
server_limits(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct telling t = {0};
	size_t told = 0;

	for (size_t i = 0; i < server->system.process_count; i++)
		if (holds_connections(&server->system.processes[i]))
			told += look_at(server, &server->system.processes[i]);
	t.limit = server->broker.max_connections;
	if (t.limit > 0 && t.limit < server_devices(server)) {
		tell(server, LIMIT_CONNECTIONS, &t);
		told++;
	}
	if (told == 0)
		tell(server, LIMIT_NOT_KNOWN, &t);
	return CHECK_GO_ON;
}
