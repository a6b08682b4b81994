#include "commands.h"

#include "standard.h"
#include "str.h"
#include "survey.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum {
	OPTION_PORTS = CMD_OWN,
	OPTION_PROXY,
	OPTION_TLS_PIN,
	OPTION_IDLE,
	OPTION_TIMEOUT,
	OPTION_RELAY
};

enum { IDLE_MAX_S = 24 * 3600, TIMEOUT_MAX_S = 120 };

static const struct cmd_option options[] = {
    {OPTION_PORTS, "ports", "PORT,...",
	"look at these ports (the server's own, 22, 2222, 443, 8883, 1883, "
	"80)"},
    {OPTION_PROXY, "proxy", "URL",
	"the HTTP proxy, in place of the environment's"},
    {OPTION_TLS_PIN, "tls-pin", "SHA256:...",
	"the digest of the server's TLS certificate, or of its public key"},
    {OPTION_IDLE, "idle", "DURATION",
	"let connections of the best way idle for so long (90s, 10m, 1h), to "
	"find out when the network forgets them"},
    {OPTION_TIMEOUT, "timeout", "DURATION", "wait so long for an answer (5s)"},
    {OPTION_RELAY, "relay", NULL,
	"be a ProxyCommand: connect to HOST PORT through the proxy"},
    {'p', NULL, "PORT", "the server's own port, which is looked at, too"},
    {'i', NULL, "FILE", "for the command that is recommended"},
    {'l', NULL, "USER", "for the command that is recommended"},
    {'F', NULL, "FILE", "read this file in place of ssh_config"},
    {'o', NULL, "WORD=VALUE", "an option as in ssh_config"},
    {CMD_JSON, "json", NULL, "a JSON object in place of text"},
    {CMD_KEY, "key", "FILE", "for the command that is recommended"},
    {CMD_SSH_CONFIG, "ssh-config", "FILE",
	"read this file in place of ssh_config"},
    {CMD_HOST_KEY, "host-key", "SHA256:...",
	"the server's host key; nothing is remembered"},
    {CMD_STATE, "state", "DIR", "where kaya keeps what it enrolled"},
    {0},
};

struct wanted {
	struct survey_options survey;
	enum { SURVEYS, RELAYS } task;
};

/* "22,443": 0, or an exit status where it was told. */
static int
take_ports(const struct cmd_reader *reader, struct survey_options *survey)
{
	const char *text = reader->argument;

	for (;;) {
		size_t len = strcspn(text, ",");
		uint64_t port;

		if (!str_to_u64(span_of(text, len), 1, 65535, &port))
			return cmd_misuse(reader->cmd,
			    "--ports \"%s\": write 22,443", reader->argument);
		if (survey->port_count == SURVEY_PORTS_MAX)
			return cmd_misuse(reader->cmd, "%d ports at most",
			    (int)SURVEY_PORTS_MAX);
		survey->ports[survey->port_count++] = (uint16_t)port;
		if (text[len] == '\0')
			return 0;
		text += len + 1;
	}
}

/* 0, or an exit status where it was told. */
static int
take_option(struct cmd_reader *reader, int id, struct wanted *wanted)
{
	struct survey_options *survey = &wanted->survey;
	int status = 0;

	if (cmd_take_link(reader, id, &survey->link, &status))
		return status;
	switch (id) {
	case OPTION_PORTS:
		return take_ports(reader, survey);
	case OPTION_PROXY:
		survey->proxy = reader->argument;
		break;
	case OPTION_TLS_PIN:
		survey->tls_pin = reader->argument;
		if (strncmp(survey->tls_pin, "SHA256:", 7) != 0)
			return cmd_misuse(reader->cmd,
			    "--tls-pin \"%s\": write SHA256:...",
			    survey->tls_pin);
		break;
	case OPTION_IDLE:
		return cmd_take_duration(reader, IDLE_MAX_S, &survey->idle_ms);
	case OPTION_TIMEOUT:
		return cmd_take_duration(
		    reader, TIMEOUT_MAX_S, &survey->timeout_ms);
	case OPTION_RELAY:
		wanted->task = RELAYS;
		break;
	case CMD_JSON:
		survey->form = SURVEY_AS_JSON;
		break;
	}
	return 0;
}

/* --relay HOST PORT */
static int
relay(const struct cmd *cmd, const struct wanted *wanted, int count,
    char *const *words)
{
	struct err err = ERR_INIT;
	uint64_t port;

	if (count != 2 || !str_to_u64(span_of_str(words[1]), 1, 65535, &port))
		return cmd_misuse(cmd, "--relay goes with HOST and PORT");
	if (survey_relay(
		wanted->survey.proxy, words[0], (uint16_t)port, &err) != 0)
		return cmd_complain(&err);
	return 0;
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct wanted wanted = {.survey = {.out = stdout}};
	struct err err = ERR_INIT;
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		status = take_option(&reader, id, &wanted);
		if (status != 0)
			return status;
	}
	if (wanted.task == RELAYS)
		return relay(cmd, &wanted, argc - optind, argv + optind);
	if (optind == argc)
		return cmd_misuse(cmd, "which host? A name is missing");
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "one host, please");
	if (wanted.survey.form != SURVEY_AS_JSON && standard_is_screen(stdout))
		wanted.survey.form = SURVEY_AS_TABLE;
	wanted.survey.link.dest = argv[optind];
	cmd_keep_typed(&reader, &wanted.survey.link);
	status = survey_run(&wanted.survey, &err);
	return status >= 0 ? status : cmd_complain(&err);
}

static const char *const synopses[] = {
    "[--ports PORT,...] [--proxy URL] [--tls-pin SHA256:...] "
    "[--idle DURATION] [--json] HOST",
    "--relay [--proxy URL] HOST PORT", NULL};

const struct cmd cmd_survey = {
    .name = "survey",
    .synopses = synopses,
    .summary = "Say which ways out of this network lead to a host, and which "
	       "to use",
    .about =
	"It tries all ports of all addresses of the host at the same time, "
	"and\n"
	"each port through the HTTP proxy that https_proxy, http_proxy or\n"
	"ALL_PROXY names (no_proxy is honoured; credentials are sent to the\n"
	"proxy and shown nowhere). Each way becomes a line, which begins with\n"
	"\"way\" (SSH answers, and its host key is the known one, or new), "
	"\"open\"\n"
	"(something else than SSH answers), \"shut\" (nothing gets through) "
	"or\n"
	"\"fault\" (somebody stands between, or the server turns us away).\n"
	"\n"
	"Below stand faults of the network: a captive portal, a DNS that "
	"lies,\n"
	"SSH or TLS that somebody intercepts, packets that vanish by their "
	"size,\n"
	"idle connections that are forgotten; at the end the one command to "
	"use,\n"
	"and why. Nobody but the host, the proxy and the system's resolver is\n"
	"sent anything, nobody logs in, and nothing is remembered.\n"
	"\n"
	"With --relay it is a ProxyCommand for ssh and kaya tunnel: it asks "
	"the\n"
	"proxy for a connection and carries standard input and output over "
	"it.\n"
	"\n"
	"Exit status: 0 there is a way, 1 failed, 2 wrong usage, 3 nothing "
	"gets\n"
	"through, 4 the server or the proxy refuses, 5 not the host that it "
	"was.\n",
    .options = options,
    .run = run,
};
