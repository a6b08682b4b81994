#include "doctor_private.h"

#include "clock.h"
#include "greeting.h"
#include "str.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What a greeting is, and what else may come of listening for one. */
enum banner_fact {
	BANNER_SSH,
	BANNER_PROXIED,
	BANNER_SSH_1,
	BANNER_TOO_MANY,
	BANNER_LOCKED_OUT,
	BANNER_HTTP,
	BANNER_TLS,
	BANNER_MQTT,
	BANNER_MAIL,
	BANNER_OTHER,
	BANNER_SILENT,
	BANNER_CLOSED,
	BANNER_RESET,
	BANNER_GONE
};

#define WHERE_SSH                                                              \
	"name the port of the SSH server (at the server: ss -ltnp): kaya "     \
	"doctor -p PORT {at_port}"

#define RAISE_MAX_STARTUPS                                                     \
	"sed -i -e '1iMaxStartups 100:30:1000' -e '/^ *MaxStartups/Id' "       \
	"/etc/ssh/sshd_config && systemctl reload ssh"

static const struct check_row rows[] = {
    {BANNER_SSH, FINDING_OK, ERR_NONE, NULL, "{line}", NULL, NULL},
    {BANNER_PROXIED, FINDING_NOT_KNOWN, ERR_NONE, "proxied",
	"the proxy's business", NULL, NULL},
    {BANNER_SSH_1, FINDING_FAULT, ERR_PROTOCOL, "ssh-1", "{line}",
	"the server speaks only SSH 1, which nobody speaks any more, or "
	"something on the way makes it say so",
	"at the server: apt install openssh-server, of this decade; if it has "
	"that, another way out: kaya survey {host}"},
    {BANNER_TOO_MANY, FINDING_FAULT, ERR_UNREACHABLE, "max-startups", "{line}",
	"more connections at once wait to log in than the server's "
	"MaxStartups allows",
	"at the server: " RAISE_MAX_STARTUPS
	"; or put kayad there, which needs no such limit"},
    {BANNER_LOCKED_OUT, FINDING_FAULT, ERR_REFUSED, "locked-out", "{line}",
	"the server takes no connection from this address now: more at once "
	"wait to log in than its MaxStartups allows, or it has shut the "
	"address out for a while, for failed logins of any device behind it, "
	"looks like this one among them (PerSourcePenalties); it says the same "
	"of both",
	"its log tells which, at the server: journalctl -u ssh | grep 'drop "
	"connection' | tail -n 3; for Maxstartups: " RAISE_MAX_STARTUPS
	"; for a penalty, stop the device that fails, wait, and: echo "
	"'PerSourcePenaltyExemptList {client}' > "
	"/etc/ssh/sshd_config.d/penalties.conf && systemctl reload ssh"},
    {BANNER_HTTP, FINDING_FAULT, ERR_PROTOCOL, "http", "{line}",
	"a web server answers on {address}, not SSH", WHERE_SSH},
    {BANNER_TLS, FINDING_FAULT, ERR_PROTOCOL, "tls", "a TLS record",
	"a TLS server answers on {address}, not SSH", WHERE_SSH},
    {BANNER_MQTT, FINDING_FAULT, ERR_PROTOCOL, "mqtt", "a CONNACK",
	"the MQTT broker itself answers on {address}, without SSH around it",
	WHERE_SSH},
    {BANNER_MAIL, FINDING_FAULT, ERR_PROTOCOL, "mail", "{line}",
	"a mail or FTP server answers on {address}, not SSH", WHERE_SSH},
    {BANNER_OTHER, FINDING_FAULT, ERR_PROTOCOL, "not-ssh", "{line}",
	"what answers on {address} is no SSH server", WHERE_SSH},
    {BANNER_SILENT, FINDING_FAULT, ERR_TIMEOUT, "silent",
	"{address} is open, and nothing comes within 10 s",
	"something takes the connection and says nothing: a firewall that "
	"answers in the server's place, a server that hangs, or no SSH",
	"at the server: systemctl restart ssh; from this network: kaya survey "
	"{host}"},
    {BANNER_CLOSED, FINDING_FAULT, ERR_UNREACHABLE, "closed-at-once",
	"closed without a word",
	"the server closes the connection before it says a word: it lets this "
	"address in by no rule (hosts.deny, a firewall), or cannot serve now",
	"its log tells which, at the server: journalctl -u ssh -n 20; where it "
	"says \"refused connect\" (hosts.deny): echo 'sshd: {listed}' >> "
	"/etc/hosts.allow"},
    {BANNER_RESET, FINDING_FAULT, ERR_UNREACHABLE, "reset",
	"the connection was reset",
	"the server, or a firewall on the way, resets the connection as soon "
	"as it speaks SSH",
	"its log tells if it was the server: journalctl -u ssh -n 20; if not, "
	"another way out: kaya survey {host}"},
    {BANNER_GONE, FINDING_FAULT, ERR_UNREACHABLE, "gone",
	"no second connection to {address}",
	"{address} took one connection and refuses the next: a firewall counts "
	"connections (ufw limit), or the server has just ended",
	"try again in a minute; if it stays, at the server: nft insert rule "
	"inet filter input tcp dport {port} accept (or: ufw allow {port}/tcp); "
	"from this network: kaya survey {host}"},
};

static const enum banner_fact fact_of_greeting[] = {
    [GREETING_NEED_MORE] = BANNER_SILENT,
    [GREETING_SSH] = BANNER_SSH,
    [GREETING_SSH_1] = BANNER_SSH_1,
    [GREETING_TOO_MANY] = BANNER_TOO_MANY,
    [GREETING_LOCKED_OUT] = BANNER_LOCKED_OUT,
    [GREETING_HTTP] = BANNER_HTTP,
    [GREETING_TLS] = BANNER_TLS,
    [GREETING_MQTT] = BANNER_MQTT,
    [GREETING_MAIL] = BANNER_MAIL,
    [GREETING_OTHER] = BANNER_OTHER,
};

/* One connection, and what came on it. */
struct answer {
	int fd; /* -1: there was none */
	uint8_t bytes[GREETING_MAX];
	size_t len;
	struct span line;
};

enum end { END_LATE, END_CLOSED, END_RESET };

/* A connection, with `opening` sent on it. */
static enum banner_fact
begin(struct doctor *doctor, struct span opening, struct answer *answer)
{
	answer->len = 0;
	answer->line = (struct span){0};
	answer->fd = doctor_connect(doctor);
	if (answer->fd < 0)
		return BANNER_GONE;
	if (opening.len > 0)
		(void)!send(
		    answer->fd, opening.data, opening.len, MSG_NOSIGNAL);
	return BANNER_SILENT;
}

/* Nothing more comes: what there is, is all. */
static enum banner_fact
fact_at_end(struct answer *answer, enum end end)
{
	if (answer->len > 0)
		return fact_of_greeting[greeting_read(
		    span_of(answer->bytes, answer->len), GREETING_IS_ALL,
		    &answer->line)];
	return end == END_RESET	   ? BANNER_RESET
	       : end == END_CLOSED ? BANNER_CLOSED
				   : BANNER_SILENT;
}

/*
 * Until it is known what answers, or it is over, or `limit_ms` have gone by.
 * What has come is left there for who reads next.
 */
static enum banner_fact
listen_to(struct answer *answer, unsigned limit_ms)
{
	uint64_t give_up = clock_monotonic_ms() + limit_ms, now;
	struct pollfd slot = {.events = POLLIN, .fd = answer->fd};
	enum greeting greeting = GREETING_NEED_MORE;
	enum end end = END_LATE;
	const int one = 1;
	int more = 1;

	while (greeting == GREETING_NEED_MORE && end == END_LATE &&
	       answer->len < sizeof answer->bytes &&
	       (now = clock_monotonic_ms()) < give_up) {
		ssize_t got;

		if (poll(&slot, 1, (int)(give_up - now)) <= 0)
			continue;
		got = recv(
		    slot.fd, answer->bytes, sizeof answer->bytes, MSG_PEEK);
		/* No more than the last time: it is at its end. */
		if (got < more)
			end = got < 0 && errno == ECONNRESET ? END_RESET
							     : END_CLOSED;
		else
			answer->len = (size_t)got;
		greeting = greeting_read(span_of(answer->bytes, answer->len),
		    GREETING_MAY_GO_ON, &answer->line);
		more = (int)answer->len + 1;
		setsockopt(
		    slot.fd, SOL_SOCKET, SO_RCVLOWAT, &more, sizeof more);
	}
	setsockopt(slot.fd, SOL_SOCKET, SO_RCVLOWAT, &one, sizeof one);
	return greeting == GREETING_NEED_MORE ? fact_at_end(answer, end)
					      : fact_of_greeting[greeting];
}

static bool
is_worth_asking(enum banner_fact fact)
{
	return fact == BANNER_CLOSED || fact == BANNER_SILENT ||
	       fact == BANNER_OTHER || fact == BANNER_RESET;
}

static enum banner_fact
hear(struct doctor *doctor, struct span opening, unsigned limit_ms,
    struct answer *answer)
{
	enum banner_fact fact = begin(doctor, opening, answer);

	if (fact != BANNER_GONE)
		fact = listen_to(answer, limit_ms);
	/* SSH comes to those who say nothing: that connection goes on. */
	if (fact == BANNER_SSH)
		doctor_keep(doctor, answer->fd);
	else if (answer->fd >= 0)
		close(answer->fd);
	return fact;
}

/*
 * SSH servers speak first.  Who does not is spoken to, each time alone, for
 * there are servers that serve one at a time; who says nothing even then gets
 * the time that a slow server needs.
 */
static enum banner_fact
find_out(struct doctor *doctor, struct answer *answer)
{
	static const struct span nothing = {0};
	enum banner_fact first =
	    hear(doctor, nothing, DOCTOR_OPENING_MS, answer);
	const struct {
		struct span bytes;
		enum banner_fact means;
	} openings[] = {
	    {greeting_mqtt_connect(), BANNER_MQTT},
	    {greeting_http_get(), BANNER_HTTP},
	    {greeting_tls_hello(), BANNER_TLS},
	};
	struct answer other;

	for (size_t i = 0;
	     is_worth_asking(first) && i < sizeof openings / sizeof openings[0];
	     i++) {
		enum banner_fact said =
		    hear(doctor, openings[i].bytes, DOCTOR_OPENING_MS, &other);

		if (said == openings[i].means || said == BANNER_HTTP) {
			*answer = other;
			answer->line = span_of(
			    answer->bytes + (other.line.data - other.bytes),
			    other.line.len);
			return said;
		}
	}
	if (first == BANNER_SILENT)
		first = hear(doctor, nothing, DOCTOR_ANSWER_MS, answer);
	return first;
}

static void
tell(const struct doctor *doctor, struct findings *findings, const char *layer,
    enum banner_fact fact, const char *line)
{
	char at_port[2 * DOCTOR_COMMAND], listed[sizeof doctor->client + 2];
	const bool v6 = strchr(doctor->client, ':') != NULL;
	const struct check_word words[] = {
	    {"line", line},
	    {"listed", listed},
	    {"host", doctor->host},
	    {"port", doctor->port},
	    {"at_port", at_port},
	    {"client", doctor->client},
	    {"address", doctor->open != NULL ? doctor->open->text : ""},
	    {0},
	};

	/* hosts_access(5) */
	snprintf(listed, sizeof listed, v6 ? "[%s]" : "%s", doctor->client);
	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "-p", at_port, sizeof at_port);
	doctor_tell(findings, layer, DOCTOR_ROWS(rows), (int)fact, words);
}

enum check_next
doctor_banner(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	struct answer answer = {0};
	char line[200];
	enum banner_fact fact = BANNER_PROXIED;

	if (!doctor->proxied)
		fact = find_out(doctor, &answer);
	if (fact == BANNER_SSH)
		str_escape(greeting_software(answer.line), doctor->software,
		    sizeof doctor->software);
	str_escape(answer.line, line, sizeof line);
	tell(doctor, findings, "banner", fact, line);
	return fact == BANNER_SSH || fact == BANNER_PROXIED ? CHECK_GO_ON
							    : CHECK_STOP;
}

/* ---- shut out later ---- */

int
doctor_connect_ssh(struct doctor *doctor)
{
	struct answer answer = {.fd = doctor_connect(doctor)};
	enum banner_fact fact;

	fact =
	    answer.fd >= 0 ? listen_to(&answer, DOCTOR_ANSWER_MS) : BANNER_GONE;
	if (fact != BANNER_TOO_MANY && fact != BANNER_LOCKED_OUT &&
	    fact != BANNER_GONE)
		return answer.fd;
	str_escape(answer.line, doctor->shut_out, sizeof doctor->shut_out);
	doctor->shut_out_fact = (int)fact;
	doctor->is_shut_out = true;
	if (answer.fd >= 0)
		close(answer.fd);
	return -1;
}

bool
doctor_tell_shut_out(
    const struct doctor *doctor, struct findings *findings, const char *layer)
{
	if (doctor->is_shut_out)
		tell(doctor, findings, layer,
		    (enum banner_fact)doctor->shut_out_fact, doctor->shut_out);
	return doctor->is_shut_out;
}
