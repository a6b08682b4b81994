#include "server_private.h"

#include "control_ask.h"
#include "link_connect.h"
#include "str.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* server_kayad: how the gateway is, as its control socket tells it. */

/* An answer may be of anybody's program: of so many brokers it is told. */
enum { BROKER_MS = 3000, BROKERS_MAX = 16 };

enum kayad_fact {
	KAYAD_OK,
	KAYAD_NONE,
	KAYAD_BROKER_DOWN,
	KAYAD_SILENT,
	KAYAD_ELSEWHERE,
	KAYAD_DEAD,
	KAYAD_OTHERS
};

static const struct check_row rows[] = {
    {KAYAD_OK, FINDING_OK, ERR_NONE, NULL,
	"kayad {version} (pid {pid}): {sessions} sessions, its brokers are up",
	NULL, NULL},
    {KAYAD_NONE, FINDING_NOT_KNOWN, ERR_NONE, "no-kayad", "no kayad runs here",
	NULL, NULL},
    {KAYAD_BROKER_DOWN, FINDING_FAULT, ERR_UNREACHABLE, "kayad-broker-down",
	"kayad (pid {pid}): its broker {broker} is down: {why}",
	"the gateway runs and cannot reach its broker {broker}: {why}; devices "
	"are let in and then disconnected",
	"systemctl start mosquitto; if the broker is elsewhere, name it in "
	"kayad.conf (brokers) and: kill -HUP {pid}"},
    {KAYAD_SILENT, FINDING_FAULT, ERR_TIMEOUT, "kayad-silent",
	"kayad (pid {pid}) runs, and does not answer at {path}",
	"the gateway runs and its control socket says nothing: it hangs",
	"systemctl restart kayad"},
    {KAYAD_ELSEWHERE, FINDING_NOT_KNOWN, ERR_NONE, "kayad-elsewhere",
	"kayad (pid {pid}) runs, and its control socket is not {path}: name "
	"its state folder (ss -xlp | grep control.sock shows it): kaya doctor "
	"--state DIR",
	NULL, NULL},
    {KAYAD_DEAD, FINDING_FAULT, ERR_UNREACHABLE, "kayad-dead",
	"{path} is there, and nobody answers it",
	"a gateway has run here and has ended without tidying up",
	"systemctl start kayad; why it ended: journalctl -u kayad -n 20"},
    {KAYAD_OTHERS, FINDING_NOT_KNOWN, ERR_NONE, "kayad-not-asked",
	"the kayad at {path} is another user's: run sudo kaya doctor", NULL,
	NULL},
};

struct telling {
	const json_t *answer;
	const json_t *broker;
	const char *why; /* NULL: as the gateway says */
	const char *path;
	int pid;
};

static const char *
text_of(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));

	return str_escape(span_of_str(value != NULL ? value : ""), text, size);
}

static void
tell(struct server *server, enum kayad_fact fact, const struct telling *t)
{
	char pid[24], sessions[24], version[40], broker[160], why[200];
	const json_t *gateway = json_object_get(t->answer, "gateway");
	char path[CONTROL_PATH_MAX];

	snprintf(pid, sizeof pid, "%lld",
	    t->answer != NULL ? (long long)json_integer_value(
				    json_object_get(t->answer, "pid"))
			      : (long long)t->pid);
	snprintf(sessions, sizeof sessions, "%lld",
	    (long long)json_integer_value(
		json_object_get(gateway, "sessions")));
	const struct check_word words[] = {
	    {"version", text_of(t->answer, "version", version, sizeof version)},
	    {"pid", pid},
	    {"sessions", sessions},
	    {"broker", text_of(t->broker, "address", broker, sizeof broker)},
	    {"why", t->why != NULL
			? t->why
			: text_of(t->broker, "why", why, sizeof why)},
	    {"path", str_escape(span_of_str(t->path != NULL ? t->path : ""),
			 path, sizeof path)},
	    {0},
	};
	server_tell(server, "kayad", SERVER_ROWS(rows), (int)fact, words);
}

/*
 * A gateway knows of its broker by the last device that it connected: one that
 * has gone since is found by trying.
 */
static bool
is_there(const json_t *broker, char *why, size_t size)
{
	const char *address =
	    json_string_value(json_object_get(broker, "address"));
	struct err err = ERR_INIT;
	char host[256];
	uint16_t port = 0;
	int fd;

	if (address == NULL || address[0] == '/' ||
	    !str_split_host_port(
		span_of_str(address), host, sizeof host, &port) ||
	    port == 0)
		return true;
	fd = link_connect(host, port, BROKER_MS, &err);
	if (fd < 0) {
		str_escape(span_of_str(err.what), why, size);
		return false;
	}
	close(fd);
	return true;
}

static void
tell_answer(struct server *server, const json_t *answer)
{
	struct telling t = {.answer = answer};
	const json_t *broker;
	bool all_up = true;
	char why[400];
	size_t i;

	json_array_foreach(json_object_get(answer, "brokers"), i, broker)
	{
		if (i == BROKERS_MAX)
			break;
		t.why = NULL;
		if (json_is_true(json_object_get(broker, "up"))) {
			if (is_there(broker, why, sizeof why))
				continue;
			t.why = why;
		}
		all_up = false;
		t.broker = broker;
		tell(server, KAYAD_BROKER_DOWN, &t);
	}
	if (all_up)
		tell(server, KAYAD_OK, &t);
}

/* Ask at one place.  Whether there is anything to say about it. */
static bool
ask(struct server *server, const char *path)
{
	const struct system_process *running =
	    system_find(&server->system, "kayad");
	struct telling t = {
	    .path = path, .pid = running != NULL ? running->pid : 0};
	json_t *answer = control_ask(path, "status");
	int why = errno;

	if (answer != NULL)
		tell_answer(server, answer);
	else if (why == ECONNREFUSED)
		tell(server, KAYAD_DEAD, &t);
	else if (why == EACCES || why == EPERM)
		tell(server, KAYAD_OTHERS, &t);
	else if (running != NULL && why == 0)
		tell(server, KAYAD_SILENT, &t);
	else
		return false;
	json_decref(answer);
	return true;
}

enum check_next
server_kayad(void *arg, struct findings *findings)
{
	struct server *server = arg;
	const struct system_process *running =
	    system_find(&server->system, "kayad");
	const char *state = server->options->state_dir;
	struct telling t = {.path = ""};
	char path[CONTROL_PATH_MAX] = "";
	bool told = false;

	if (state == NULL && running != NULL && running->state[0] != '\0')
		state = running->state;
	for (size_t i = 0; control_place(i, state, path); i++)
		told = ask(server, path) || told;
	if (told)
		return CHECK_GO_ON;
	t.path = path;
	t.pid = running != NULL ? running->pid : 0;
	tell(server, running != NULL ? KAYAD_ELSEWHERE : KAYAD_NONE, &t);
	return CHECK_GO_ON;
}
