#include "commands.h"

#include "doctor.h"
#include "doctor_command.h"
#include "doctor_compare.h"
#include "doctor_server.h"
#include "mqtt_trip.h"
#include "str.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPTION_SERVER_FILE = CMD_OWN,
	OPTION_CLIENT_ID,
	OPTION_IDLE,
	OPTION_COMPARE,
	OPTION_DEVICES
};

enum { IDLE_MAX_S = 24 * 3600 };

static const struct cmd_option options[] = {
    {'b', "broker", "HOST:PORT",
	"the broker as the server is to reach it (127.0.0.1:1883)"},
    {'u', NULL, "USER", "the user name for the broker"},
    {'P', NULL, "PASSWORD", "the password for the broker"},
    {'t', NULL, "TOPIC", "the topic of the message (kaya/doctor/...)"},
    {OPTION_CLIENT_ID, "client-id", "ID",
	"the MQTT client id, where the broker takes not every one"},
    {OPTION_SERVER_FILE, "server-file", "FILE",
	"the server's authorized_keys, or a copy of it: judged where no key "
	"is let in, or the key may not go to the broker"},
    {OPTION_IDLE, "idle", "DURATION",
	"let links idle for so long (90s, 10m, 1h), to find out when the "
	"network forgets them"},
    {OPTION_COMPARE, "compare", NULL,
	"say what differs between two ssh commands or aliases, and which key "
	"lets each of them in"},
    {OPTION_DEVICES, "devices", "NUMBER",
	"without DEST: how many devices this server is for (as many as there "
	"are keys)"},
    {'L', NULL, "FORWARD", "where clients will connect (22883)"},
    CMD_LINK_LETTERS,
    {CMD_JSON, "json", NULL, "a JSON object in place of text"},
    {'f', NULL, NULL, "as in ssh; a doctor stays in front"},
    {'N', NULL, NULL, "as in ssh; a doctor never runs a command"},
    {'v', NULL, NULL, "as in ssh; a doctor says all it knows"},
    {'q', NULL, NULL, "as in ssh; a doctor says all it knows"},
    CMD_LINK_LONG,
    {0},
};

/* What the command line says. */
struct wanted {
	struct doctor_options doctor;
	struct cmd_broker broker;
	struct forward local; /* that doctor.local points to */
	bool as_json;
	bool compares;
	uint64_t devices;
};

/* 0, or an exit status where it was told. */
static int
take_option(struct cmd_reader *reader, int id, struct wanted *wanted)
{
	int status = 0;

	if (cmd_take_link(reader, id, &wanted->doctor.link, &status))
		return status;
	switch (id) {
	case 'b':
		wanted->doctor.broker_said = reader->argument;
		return cmd_take_broker(reader, &wanted->broker);
	case 'u':
		wanted->doctor.broker_user = reader->argument;
		break;
	case 'P':
		wanted->doctor.broker_password = reader->argument;
		break;
	case 't':
		if (strlen(reader->argument) >= MQTT_TRIP_TOPIC_SIZE)
			return cmd_misuse(reader->cmd,
			    "-t: a topic of less than %d bytes, please",
			    MQTT_TRIP_TOPIC_SIZE);
		wanted->doctor.topic = reader->argument;
		break;
	case 'L':
		wanted->doctor.local_said = reader->argument;
		break;
	case OPTION_CLIENT_ID:
		wanted->doctor.client_id = reader->argument;
		break;
	case OPTION_SERVER_FILE:
		wanted->doctor.server_file = reader->argument;
		break;
	case OPTION_IDLE:
		return cmd_take_duration(
		    reader, IDLE_MAX_S, &wanted->doctor.idle_ms);
	case OPTION_DEVICES:
		if (!str_to_u64(span_of_str(reader->argument), 1, 10000000,
			&wanted->devices))
			return cmd_misuse(reader->cmd,
			    "--devices \"%s\" is no number of devices",
			    reader->argument);
		break;
	case OPTION_COMPARE:
		wanted->compares = true;
		break;
	case CMD_JSON:
		wanted->as_json = true;
		break;
	}
	return 0;
}

/* `words` of an ssh command; NULL: wanted has a destination. */
static int
examine(const struct cmd *cmd, struct wanted *wanted, const char *const *words)
{
	struct forward *local = &wanted->local;
	struct findings findings;
	struct err err = ERR_INIT;
	int status;

	forward_default(local, wanted->broker.host, wanted->broker.port);
	if (wanted->doctor.local_said != NULL &&
	    forward_parse(local, wanted->doctor.local_said, wanted->broker.host,
		wanted->broker.port, &err) != 0)
		return cmd_misuse(cmd, "-L %s", err.what);
	wanted->doctor.local = local;
	wanted->doctor.broker_host =
	    local->host[0] != '\0' ? local->host : wanted->broker.host;
	wanted->doctor.broker_port = local->host_port;
	findings_init(&findings, stdout,
	    wanted->as_json ? FINDINGS_AS_JSON : FINDINGS_AS_TEXT,
	    FINDINGS_FIRST_CAUSE);
	if ((words != NULL ? doctor_command_run(
				 &wanted->doctor, words, &findings, &err)
			   : doctor_run(&wanted->doctor, &findings, &err)) != 0)
		status = cmd_complain(&err);
	else
		status = findings_end(&findings);
	findings_fini(&findings);
	return status;
}

static int
examine_server(const struct wanted *wanted)
{
	const struct doctor_server_options how = {
	    .state_dir = wanted->doctor.link.state_dir,
	    .devices = wanted->devices};
	struct findings findings;
	struct err err = ERR_INIT;
	int status;

	findings_init(&findings, stdout,
	    wanted->as_json ? FINDINGS_AS_JSON : FINDINGS_AS_TEXT,
	    FINDINGS_FIRST_CAUSE);
	if (doctor_server_run(&how, &findings, &err) != 0)
		status = cmd_complain(&err);
	else
		status = findings_end(&findings);
	findings_fini(&findings);
	return status;
}

static int
compare(
    const struct cmd *cmd, const struct wanted *wanted, int argc, char **argv)
{
	char broker[300];
	struct doctor_compare_options how = {
	    .state_dir = wanted->doctor.link.state_dir,
	    .ssh_config = wanted->doctor.link.ssh_config,
	    .server_file = wanted->doctor.server_file,
	    .broker = broker,
	    .form = wanted->as_json ? FINDINGS_AS_JSON : FINDINGS_AS_TEXT};
	bool v6 = strchr(wanted->broker.host, ':') != NULL;
	struct err err = ERR_INIT;
	int status = 0;

	if (optind + 2 != argc)
		return cmd_misuse(cmd,
		    "--compare takes two: a command in quotes, or an alias");
	snprintf(broker, sizeof broker, "%s%s%s:%u", v6 ? "[" : "",
	    wanted->broker.host, v6 ? "]" : "", wanted->broker.port);
	how.first = argv[optind];
	how.second = argv[optind + 1];
	if (doctor_compare_run(&how, stdout, &status, &err) != 0)
		return cmd_complain(&err);
	return status;
}

/* ---- what is asked for ---- */

enum mode {
	MODE_DEST, /* kaya doctor DEST */
	MODE_COMMAND, /* kaya doctor -- ssh ... */
	MODE_SERVER, /* kaya doctor, on a server */
	MODE_TOO_MUCH
};

static enum mode
mode_of(int argc, char **argv)
{
	if (optind > 1 && optind < argc && strcmp(argv[optind - 1], "--") == 0)
		return MODE_COMMAND;
	if (optind == argc)
		return MODE_SERVER;
	return optind + 1 == argc ? MODE_DEST : MODE_TOO_MUCH;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct wanted wanted = {.broker = {"127.0.0.1", FORWARD_BROKER_PORT}};
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		status = take_option(&reader, id, &wanted);
		if (status != 0)
			return status;
	}
	if (wanted.compares)
		return compare(cmd, &wanted, argc, argv);
	switch (mode_of(argc, argv)) {
	case MODE_DEST:
		wanted.doctor.link.dest = argv[optind];
		return examine(cmd, &wanted, NULL);
	case MODE_SERVER:
		return examine_server(&wanted);
	case MODE_COMMAND:
		return examine(
		    cmd, &wanted, (const char *const *)argv + optind);
	case MODE_TOO_MUCH:
		break;
	}
	if (strcmp(argv[optind], "ssh") == 0)
		return cmd_misuse(cmd,
		    "write -- before the ssh command: kaya doctor -- ssh ...");
	return cmd_misuse(cmd, "one destination, please");
}

static const char *const synopses[] = {
    "[-b HOST:PORT] [-u USER -P PASSWORD] [-i KEY] [--server-file FILE] "
    "[--idle DURATION] [--json] DEST",
    "[-b HOST:PORT] [-u USER -P PASSWORD] [--server-file FILE] [--json] -- "
    "ssh [OPTION]... DEST",
    "[-b HOST:PORT] [-F FILE] [--server-file FILE] [--json] --compare "
    "'ssh ...'|ALIAS 'ssh ...'|ALIAS",
    "[--devices NUMBER] [--state DIR] [--json]", NULL};

const struct cmd cmd_doctor = {
    .name = "doctor",
    .synopses = synopses,
    .summary = "Say which layer on the way to a broker is at fault, and the "
	       "remedy",
    .about =
	"It walks the way that a tunnel takes and tells one line each: name\n"
	"resolution, TCP (each address), the server's banner, key exchange,\n"
	"host key, authentication, forwarding to the broker, MQTT (3.1.1 and\n"
	"5.0), a message at QoS 1 to itself, keepalive, and the local port.\n"
	"It stops at the first layer that makes the later ones impossible; at\n"
	"the end stand the first cause and a remedy to type.\n"
	"\n"
	"A server tells no client why it refuses a key, or the way to the\n"
	"broker. Where its authorized_keys can be read here, or a copy is "
	"given\n"
	"(--server-file), the line at fault is named, of the key or of the\n"
	"authority that signed its certificate (KEY-cert.pub), and the one "
	"that\n"
	"was meant. A gateway's file is judged by the gateway's rules. At the\n"
	"server, as root, the setting of sshd_config is named, too.\n"
	"\n"
	"Behind -- it takes an ssh command as it is typed, with autossh -M 0 "
	"in its\n"
	"place or nohup before it, too (or an alias alone):\n"
	"it names what the very command does wrong, by what ssh -G makes of "
	"it,\n"
	"prints the corrected command, and walks the way by its settings:\n"
	"\n"
	"    kaya doctor -- ssh -f -L 22883:localhost:1883 dan@broker -i key\n"
	"\n"
	"With --compare it says what differs between two ways to a server, "
	"each a\n"
	"command in quotes, an alias or a DEST: the settings, the gravest "
	"first,\n"
	"which key lets each of them in, hence which line of authorized_keys, "
	"and\n"
	"why one works where the other fails:\n"
	"\n"
	"    kaya doctor --compare 'ssh -N -L 22883:localhost:1883 dan@broker' "
	"field\n"
	"\n"
	"Without DEST, on a server, it looks at what runs there: brokers' "
	"listeners\n"
	"(one that lets everybody in from the network is told first), sshd's "
	"effective\n"
	"settings, the authorized_keys of all accounts, what else a forward or "
	"a local\n"
	"user would reach, kayad, versions with known holes (by the package's\n"
	"revision), the clock, open files for so many devices, the firewall. "
	"It\n"
	"changes nothing; what only root may see is said not to be known:\n"
	"\n"
	"    sudo kaya doctor --devices 500\n"
	"\n"
	"Exit status: 0 all is well, 1 failed, 2 wrong usage, 3 not "
	"reachable,\n"
	"4 refused, 5 not the host that it was.\n",
    .options = options,
    .run = run,
};
