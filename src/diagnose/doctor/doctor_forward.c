#include "doctor_certificate.h"
#include "doctor_server_file.h"

#include "str.h"

#include <string.h>

enum forward_fact {
	FORWARD_OPEN,
	FORWARD_OTHER_SPELLING,
	FORWARD_PROHIBITED,
	FORWARD_PROHIBITED_BY_KAYAD,
	FORWARD_NO_BROKER,
	FORWARD_BROKER_ELSEWHERE,
	FORWARD_LOST
};

#define AT_ITS_LINE                                                            \
	"at the server, among the options of the key's line in "               \
	"authorized_keys: permitopen=\"{broker}\""

static const struct check_row rows[] = {
    {FORWARD_OPEN, FINDING_OK, ERR_NONE, NULL, "{broker} is let through", NULL,
	NULL},
    {FORWARD_OTHER_SPELLING, FINDING_FAULT, ERR_REFUSED, "other-spelling",
	"{broker}: administratively prohibited; {other} is allowed",
	"the server lets this key go to {other} and not to {broker}: it "
	"compares what is asked for as text, letter by letter",
	"ask for it as it stands there: kaya tunnel -b {other} {tunnel_to} "
	"(ssh: -L "
	"22883:{other})"},
    {FORWARD_PROHIBITED, FINDING_FAULT, ERR_REFUSED, "prohibited",
	"{broker}: administratively prohibited, in every spelling",
	"the server does not let this key go to {broker}: its line says "
	"restrict, no-port-forwarding or another permitopen, or sshd_config "
	"says AllowTcpForwarding no",
	AT_ITS_LINE ", with restrict,port-forwarding before it; and for the "
		    "whole server see: sshd -T -C user={user} | grep -i "
		    "-e forwarding -e permitopen{file_here}"},
    {FORWARD_PROHIBITED_BY_KAYAD, FINDING_FAULT, ERR_REFUSED, "prohibited",
	"{broker}: {why}",
	"the gateway does not let this key go to {broker}: {kayad_why}",
	AT_ITS_LINE ", with restrict,port-forwarding before it; and in "
		    "kayad.conf, among brokers, {broker}{file_here}"},
    {FORWARD_NO_BROKER, FINDING_FAULT, ERR_UNREACHABLE, "no-broker",
	"{broker}: the server cannot connect there",
	"nothing listens on {broker} at the server",
	"at the server: systemctl start mosquitto; if the broker listens "
	"elsewhere (ss -ltn), name that: kaya tunnel -b HOST:PORT {tunnel_to}"},
    {FORWARD_BROKER_ELSEWHERE, FINDING_FAULT, ERR_UNREACHABLE,
	"broker-elsewhere", "{broker}: nothing there; {other} answers",
	"at the server nothing listens on {broker}, but something on {other}",
	"kaya tunnel -b {other} {tunnel_to}"},
    {FORWARD_LOST, FINDING_FAULT, ERR_UNREACHABLE, "lost", "{broker}: {why}",
	"the connection was lost when the broker was asked for: {why}",
	"see the server's log: journalctl -u ssh -n 20"},
};

/* Which line it is can be known, too. */
#define FILE_HERE                                                              \
	"; here, with a copy of the key's file: kaya doctor --server-file "    \
	"FILE {again}"

enum opening { OPENED, PROHIBITED, FAILED, LOST };

/* RFC 4254 section 5.1's reason, out of libssh's sentence. */
static enum opening
reason_of(const char *why)
{
	const char *at = strstr(why, "error (");

	if (at == NULL)
		return LOST;
	return at[7] == '1' ? PROHIBITED : FAILED;
}

/* What kayad says, behind libssh's "... error (1) ". */
static const char *
kayad_why_of(const char *why)
{
	const char *at = strstr(why, "error (");
	const char *end = at != NULL ? strstr(at, ") ") : NULL;

	return end != NULL ? end + 2 : why;
}

static enum opening
try_host(struct doctor *doctor, const char *host, ssh_channel *channel)
{
	ssh_session session = doctor->link->session;
	enum opening opening;

	*channel = ssh_channel_new(session);
	if (*channel == NULL)
		return LOST;
	if (ssh_channel_open_forward(*channel, host,
		doctor->options->broker_port, "127.0.0.1", 0) == SSH_OK)
		return OPENED;
	opening = reason_of(ssh_get_error(session));
	ssh_channel_free(*channel);
	*channel = NULL;
	return opening;
}

static const char *const loopback[] = {"127.0.0.1", "localhost", "::1"};

static bool
is_loopback(const char *host)
{
	for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++)
		if (strcmp(host, loopback[i]) == 0)
			return true;
	return false;
}

/* The first other spelling that comes further than `than`. */
static const char *
try_spellings(struct doctor *doctor, enum opening than)
{
	const char *asked = doctor->options->broker_host, *further = NULL;

	if (!is_loopback(asked))
		return NULL;
	for (size_t i = 0; i < sizeof loopback / sizeof loopback[0]; i++) {
		enum opening opening;

		if (strcmp(loopback[i], asked) == 0)
			continue;
		opening = try_host(doctor, loopback[i], &doctor->channel);
		if (opening == OPENED)
			return loopback[i];
		if (opening == FAILED && than == PROHIBITED && further == NULL)
			further = loopback[i];
	}
	return further;
}

enum check_next
doctor_forwarding(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	char other[80] = "", why[400], file_here[2 * DOCTOR_COMMAND + 100] = "";
	const char *spelling = NULL;
	enum forward_fact fact = FORWARD_OPEN;
	enum opening opening =
	    try_host(doctor, doctor->options->broker_host, &doctor->channel);

	str_escape(
	    span_of_str(ssh_get_error(doctor->link->session)), why, sizeof why);
	if (opening == PROHIBITED || opening == FAILED)
		spelling = try_spellings(doctor, opening);
	if (spelling != NULL) {
		bool v6 = strchr(spelling, ':') != NULL;

		snprintf(other, sizeof other, "%s%s%s:%u", v6 ? "[" : "",
		    spelling, v6 ? "]" : "", doctor->options->broker_port);
		snprintf(doctor->broker_host, sizeof doctor->broker_host, "%s",
		    spelling);
	}
	if (opening == PROHIBITED)
		fact = spelling != NULL		   ? FORWARD_OTHER_SPELLING
		       : doctor_is_gateway(doctor) ? FORWARD_PROHIBITED_BY_KAYAD
						   : FORWARD_PROHIBITED;
	else if (opening == FAILED)
		fact = spelling != NULL ? FORWARD_BROKER_ELSEWHERE
					: FORWARD_NO_BROKER;
	else if (opening == LOST)
		fact = FORWARD_LOST;
	if ((fact == FORWARD_PROHIBITED ||
		fact == FORWARD_PROHIBITED_BY_KAYAD) &&
	    (doctor_judge_certificate_forwards(doctor, findings) ||
		doctor_judge_line(doctor, findings)))
		return CHECK_STOP;
	if (doctor->options->server_file == NULL) {
		const struct check_word again[] = {
		    {"again", doctor->again}, {0}};

		check_fill(FILE_HERE, again, file_here, sizeof file_here);
	}
	const struct check_word words[] = {
	    {"broker", doctor->broker},
	    {"other", other},
	    {"user", doctor->user},
	    {"dest", doctor->words},
	    {"tunnel_to", doctor->tunnel_to},
	    {"again", doctor->again},
	    {"why", why},
	    {"kayad_why", kayad_why_of(why)},
	    {"file_here", file_here},
	    {0},
	};
	doctor_tell(
	    findings, "forwarding", DOCTOR_ROWS(rows), (int)fact, words);
	return doctor->channel != NULL ? CHECK_GO_ON : CHECK_STOP;
}
