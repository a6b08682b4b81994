#include "doctor_certificate.h"
#include "doctor_server_file.h"

#include "shell.h"
#include "str.h"

#include <string.h>

enum forward_fact {
	FORWARD_OPEN,
	FORWARD_OTHER_SPELLING,
	FORWARD_PROHIBITED,
	FORWARD_PROHIBITED_BY_KAYAD,
	FORWARD_NO_BROKER,
	FORWARD_NO_NAME,
	FORWARD_NO_WAY,
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
	"{broker}: {said}",
	"the gateway does not let this key go to {broker}: {said}",
	AT_ITS_LINE ", with restrict,port-forwarding before it; and in "
		    "kayad.conf, among brokers, {broker}{file_here}"},
    {FORWARD_NO_BROKER, FINDING_FAULT, ERR_UNREACHABLE, "no-broker",
	"{broker}: the server cannot connect there",
	"nothing listens on {broker} at the server",
	"at the server: systemctl start mosquitto; if the broker listens "
	"elsewhere (ss -ltn), name that: kaya tunnel -b HOST:PORT {tunnel_to}"},
    {FORWARD_NO_NAME, FINDING_FAULT, ERR_UNREACHABLE, "broker-no-name",
	"{broker}: the server cannot connect there: {said}",
	"the server knows no host {broker_host}: the broker's name is looked "
	"up there, not here",
	"at the server: getent ahosts {broker_host}; name it as it is known "
	"there, or by its address: kaya tunnel -b HOST:PORT {tunnel_to}"},
    {FORWARD_NO_WAY, FINDING_FAULT, ERR_UNREACHABLE, "broker-no-way",
	"{broker}: the server cannot connect there: {said}",
	"the server does not get to {broker}: no such host is there, or a "
	"firewall before it stops what the server sends",
	"at the server, see how far it gets: nc -vz -w 5 {broker_host} "
	"{broker_port}; at the broker's machine, let it in: nft insert rule "
	"inet filter input tcp dport {broker_port} accept; if the broker is "
	"elsewhere, name that: kaya tunnel -b HOST:PORT {tunnel_to}"},
    {FORWARD_BROKER_ELSEWHERE, FINDING_FAULT, ERR_UNREACHABLE,
	"broker-elsewhere", "{broker}: nothing there; {other} answers",
	"at the server nothing listens on {broker}, but something on {other}",
	"kaya tunnel -b {other} {tunnel_to}"},
    {FORWARD_LOST, FINDING_FAULT, ERR_UNREACHABLE, "lost", "{broker}: {said}",
	"the connection was lost when the broker was asked for: {said}",
	"see the server's log: journalctl -u ssh -n 20"},
};

/* Which line it is can be known, too. */
#define FILE_HERE                                                              \
	"; here, with a copy of the key's file: kaya doctor --server-file "    \
	"FILE {again}"

enum opening { OPENED, PROHIBITED, FAILED, LATE, LOST };

/* RFC 4254 section 5.1's reason, out of libssh's sentence. */
static enum opening
reason_of(const char *why)
{
	const char *at = strstr(why, "error (");

	if (at == NULL)
		return LOST;
	return at[7] == '1' ? PROHIBITED : FAILED;
}

/* What the server says, behind libssh's "... error (1) ". */
static const char *
words_of(const char *why)
{
	const char *at = strstr(why, "error (");
	const char *end = at != NULL ? strstr(at, ") ") : NULL;

	return end != NULL ? end + 2 : why;
}

/* Why the server did not get there: strerror(3)'s words, gai_strerror(3)'s. */
static enum forward_fact
failure_of(enum opening opening, const char *words)
{
	static const struct {
		const char *words;
		enum forward_fact fact;
	} known[] = {
	    {"not known", FORWARD_NO_NAME},
	    {"name resolution", FORWARD_NO_NAME},
	    {"No address associated", FORWARD_NO_NAME},
	    {"Unknown host", FORWARD_NO_NAME},
	    {"timed out", FORWARD_NO_WAY},
	    {"unreachable", FORWARD_NO_WAY},
	    {"No route", FORWARD_NO_WAY},
	};

	if (opening == LATE)
		return FORWARD_NO_WAY;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (strstr(words, known[i].words) != NULL)
			return known[i].fact;
	return FORWARD_NO_BROKER;
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
	/* libssh has waited for its time-out, and says nothing of it. */
	if (opening == LOST && ssh_is_connected(session))
		opening = LATE;
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

static enum forward_fact
fact_of(const struct doctor *doctor, enum opening opening, const char *spelling,
    const char *said)
{
	switch (opening) {
	case OPENED:
		return FORWARD_OPEN;
	case PROHIBITED:
		return spelling != NULL		   ? FORWARD_OTHER_SPELLING
		       : doctor_is_gateway(doctor) ? FORWARD_PROHIBITED_BY_KAYAD
						   : FORWARD_PROHIBITED;
	case FAILED:
	case LATE:
		return spelling != NULL ? FORWARD_BROKER_ELSEWHERE
					: failure_of(opening, said);
	case LOST:
		break;
	}
	return FORWARD_LOST;
}

static void
tell(const struct doctor *doctor, struct findings *findings,
    enum forward_fact fact, const char *other, const char *said)
{
	const char *host = doctor->options->broker_host;
	char broker_host[4 * sizeof doctor->broker_host + 2], broker_port[8];
	char file_here[2 * DOCTOR_COMMAND + 100] = "";

	snprintf(broker_port, sizeof broker_port, "%u",
	    doctor->options->broker_port);
	if (doctor->options->server_file == NULL) {
		const struct check_word again[] = {
		    {"again", doctor->again}, {0}};

		check_fill(FILE_HERE, again, file_here, sizeof file_here);
	}
	const struct check_word words[] = {
	    {"broker", doctor->broker},
	    {"broker_host",
		shell_quoted(host, broker_host, sizeof broker_host)},
	    {"broker_port", broker_port},
	    {"other", other},
	    {"user", doctor->user},
	    {"dest", doctor->words},
	    {"tunnel_to", doctor->tunnel_to},
	    {"again", doctor->again},
	    {"said", said},
	    {"file_here", file_here},
	    {0},
	};
	doctor_tell(
	    findings, "forwarding", DOCTOR_ROWS(rows), (int)fact, words);
}

enum check_next
doctor_forwarding(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	const char *spelling = NULL, *said;
	char other[80] = "", why[400];
	enum forward_fact fact;
	enum opening opening =
	    try_host(doctor, doctor->options->broker_host, &doctor->channel);

	str_escape(
	    span_of_str(ssh_get_error(doctor->link->session)), why, sizeof why);
	said = opening == LATE ? "no answer within 10 s" : words_of(why);
	if (opening == PROHIBITED || opening == FAILED)
		spelling = try_spellings(doctor, opening);
	if (spelling != NULL) {
		bool v6 = strchr(spelling, ':') != NULL;

		snprintf(other, sizeof other, "%s%s%s:%u", v6 ? "[" : "",
		    spelling, v6 ? "]" : "", doctor->options->broker_port);
		snprintf(doctor->broker_host, sizeof doctor->broker_host, "%s",
		    spelling);
	}
	fact = fact_of(doctor, opening, spelling, said);
	if ((fact == FORWARD_PROHIBITED ||
		fact == FORWARD_PROHIBITED_BY_KAYAD) &&
	    (doctor_judge_certificate_forwards(doctor, findings) ||
		doctor_judge_line(doctor, findings)))
		return CHECK_STOP;
	tell(doctor, findings, fact, other, said);
	return doctor->channel != NULL ? CHECK_GO_ON : CHECK_STOP;
}
