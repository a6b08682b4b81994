#include "enroll_proof.h"

#include "clock.h"
#include "enroll_trial.h"
#include "mqtt_trip.h"
#include "str.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

enum { ANSWER_MS = 10000 };

/* ---- rows ---- */

static void
add(struct findings *findings, struct finding *finding, const char *layer)
{
	finding->layer = layer;
	if (finding->code == NULL)
		finding->code = "";
	findings_add(findings, finding);
}

static void __attribute__((format(printf, 2, 3)))
say(char text[FINDING_TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(text, FINDING_TEXT, format, args);
	va_end(args);
}

/* ---- what must work ---- */

enum talk { TALK_DONE, TALK_SILENT, TALK_CLOSED };

static enum talk
talk_until(
    ssh_channel channel, struct mqtt_trip *trip, enum mqtt_trip_state state)
{
	uint64_t give_up = clock_monotonic_ms() + ANSWER_MS, now;
	uint8_t bytes[2048];

	while (trip->state < state) {
		struct span out = buf_span(&trip->out);
		int n;

		if (out.len > 0 && ssh_channel_write(channel, out.data,
				       (uint32_t)out.len) != (int)out.len)
			return TALK_CLOSED;
		buf_consume(&trip->out, out.len);
		if ((now = clock_monotonic_ms()) >= give_up)
			return TALK_SILENT;
		/* When time is up: 0 in libssh 0.10, SSH_AGAIN since 0.11. */
		n = ssh_channel_read_timeout(
		    channel, bytes, sizeof bytes, 0, (int)(give_up - now));
		if (n > 0)
			mqtt_trip_feed(trip, span_of(bytes, (size_t)n));
		else if ((n < 0 && n != SSH_AGAIN) ||
			 ssh_channel_is_eof(channel))
			return TALK_CLOSED;
	}
	return TALK_DONE;
}

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* `before`, and the doctor of this host. */
static void
ask_doctor(const struct enroll_proof *proof, const char *before,
    const char *options, struct finding *finding)
{
	say(finding->remedy,
	    strchr(proof->target_host, ':') != NULL
		? "%s: kaya doctor %s-b '[%s]:%u' %s"
		: "%s: kaya doctor %s-b %s:%u %s",
	    before, options, proof->target_host, proof->target_port,
	    proof->dest);
}

static void
judge_trip(const struct enroll_proof *proof, const struct mqtt_trip *trip,
    enum talk said, double took_ms, struct finding *finding)
{
	const struct mqtt_reason *reason = mqtt_trip_reason(trip);
	const char *why = reason != NULL ? reason->cause : "nobody knows why";

	finding->status = ERR_FAILED;
	finding->state = FINDING_FAULT;
	if (trip->state == MQTT_TRIP_BACK) {
		finding->state = FINDING_OK;
		say(finding->seen, "out and back through the tunnel in %.1f ms",
		    took_ms);
		return;
	}
	if (trip->state >= MQTT_TRIP_REFUSED &&
	    trip->state <= MQTT_TRIP_ENDED) {
		/* The tunnel stands: that the broker wants more is its own. */
		finding->state = FINDING_WARNING;
		finding->code = "broker-refuses";
		say(finding->seen, "the tunnel stands; the broker refuses: %s",
		    why);
		say(finding->cause,
		    "the broker does not let a client without the right name "
		    "and password in: %s",
		    why);
		ask_doctor(proof,
		    "give them to the clients; to prove it with them",
		    "-u USER -P PASSWORD ", finding);
		return;
	}
	finding->code = "no-message";
	say(finding->seen, "no message came back");
	say(finding->cause, "what answers at the broker's address %s",
	    trip->state == MQTT_TRIP_NOT_MQTT ? "does not speak MQTT"
	    : said == TALK_SILENT	      ? "says nothing"
					      : "closes the connection");
	ask_doctor(proof, "see more", "", finding);
}

static void
begin_trip(const struct enroll_proof *proof, struct mqtt_trip *trip)
{
	unsigned random = 0;
	char id[40], topic[64];

	(void)!getrandom(&random, sizeof random, 0);
	snprintf(id, sizeof id, "kaya-enroll-%08x", random);
	snprintf(topic, sizeof topic, "kaya/enroll/%08x", random);
	mqtt_trip_init(trip, MQTT_311,
	    &(struct mqtt_trip_words){.client_id = id,
		.user = proof->broker_user,
		.password = proof->broker_password,
		.topic = topic,
		.payload = id});
}

static void
send_message(const struct enroll_proof *proof, ssh_channel channel,
    struct finding *finding)
{
	struct mqtt_trip trip;
	double sent_ms = 0;
	enum talk said;

	begin_trip(proof, &trip);
	said = talk_until(channel, &trip, MQTT_TRIP_ACCEPTED);
	if (trip.state == MQTT_TRIP_ACCEPTED) {
		mqtt_trip_send(&trip);
		said = talk_until(channel, &trip, MQTT_TRIP_PUBLISHING);
		sent_ms = now_ms();
	}
	if (said == TALK_DONE && trip.state == MQTT_TRIP_PUBLISHING)
		said = talk_until(channel, &trip, MQTT_TRIP_BACK);
	judge_trip(proof, &trip, said, now_ms() - sent_ms, finding);
	mqtt_trip_fini(&trip);
}

static void
prove_message(const struct enroll_proof *proof, const struct link *link,
    struct findings *findings)
{
	struct finding finding = {
	    .state = FINDING_FAULT, .status = ERR_FAILED, .code = "no-tunnel"};
	ssh_channel channel = ssh_channel_new(link->session);
	char why[200];

	if (channel != NULL &&
	    ssh_channel_open_forward(channel, proof->target_host,
		proof->target_port, "127.0.0.1", 0) == SSH_OK) {
		finding.code = NULL;
		send_message(proof, channel, &finding);
	} else {
		bool prohibited =
		    strstr(ssh_get_error(link->session), "error (1)") != NULL;

		str_escape(
		    span_of_str(ssh_get_error(link->session)), why, sizeof why);
		say(finding.seen, "%s:%u: %s", proof->target_host,
		    proof->target_port, why);
		say(finding.cause,
		    prohibited
			? "the server does not let the key through to %s:%u"
			: "the server cannot reach a broker at %s:%u",
		    proof->target_host, proof->target_port);
		if (prohibited)
			say(finding.remedy, "%s", proof->remedy);
		else
			say(finding.remedy,
			    "start the broker there, or name it as the server "
			    "is to reach it: kaya enroll --target HOST:PORT %s",
			    proof->dest);
	}
	if (channel != NULL)
		ssh_channel_free(channel);
	add(findings, &finding, "message");
}

/* ---- what must not ---- */

#define MATCH_BLOCK                                                            \
	"at the server, at the end of /etc/ssh/sshd_config, then reload sshd:" \
	"\nMatch User %s\n\tAllowTcpForwarding local\n"                        \
	"\tAllowStreamLocalForwarding no"

/* Who can refuse it: a line of authorized_keys, or sshd_config alone. */
enum refuser { BY_LINE, BY_CONFIG };

static const struct trial {
	const char *layer;
	enroll_trial_fn *run;
	enum refuser refuser;
	const char *code;
	const char *allowed; /* "the key ..." */
} trials[] = {
    {"shell", enroll_trial_shell, BY_LINE, "gets-shell", "gets a shell"},
    {"pty", enroll_trial_pty, BY_LINE, "gets-pty", "gets a terminal"},
    {"command", enroll_trial_command, BY_LINE, "runs-commands",
	"runs commands"},
    {"sftp", enroll_trial_sftp, BY_LINE, "gets-files",
	"reads and writes files (sftp)"},
    {"target", enroll_trial_target, BY_LINE, "other-target",
	"reaches other targets than the broker"},
    {"remote-tcp", enroll_trial_listen, BY_LINE, "listens",
	"listens on ports of the server (ssh -R)"},
    {"remote-tcp", enroll_trial_listen_permitted, BY_CONFIG, "listens-on-1",
	"listens on port 1 of the server's loopback, as the account may use "
	"ports below 1024; no line can refuse it"},
    {"remote-unix", enroll_trial_listen_unix, BY_CONFIG, "listens-unix",
	"listens on UNIX sockets at the server (ssh -R /path:...), which no "
	"line can refuse"},
};

struct prover {
	const struct enroll_proof *proof;
	struct findings *findings;
	struct link *link; /* NULL: lost, and not made again */
	char user[64];
};

/* 0 and a link that stands; it is made again where it was lost. */
static int
connect_prover(struct prover *prover, struct err *err)
{
	if (prover->link != NULL && ssh_is_connected(prover->link->session))
		return 0;
	link_free(prover->link);
	prover->link = link_open(&prover->proof->link, err);
	if (prover->link == NULL)
		return -1;
	ssh_set_blocking(prover->link->session, 1);
	return 0;
}

/*
 * A link that is lost refuses everything: then the trial is done again on a
 * new one, and only what comes of a link that stands counts.
 */
static enum enroll_trial
run_trial(struct prover *prover, const struct trial *trial,
    struct enroll_trial_words *words)
{
	struct err ignored = ERR_INIT;
	enum enroll_trial outcome;

	for (int i = 0; i < 2; i++) {
		words->seen[0] = '\0';
		if (connect_prover(prover, &ignored) != 0)
			break;
		words->link = prover->link;
		outcome = trial->run(words);
		if (outcome != ENROLL_TRIAL_REFUSED ||
		    ssh_is_connected(prover->link->session))
			return outcome;
	}
	snprintf(words->seen, sizeof words->seen,
	    "the server ends the connection over it");
	return ENROLL_TRIAL_UNTRIED;
}

static void
judge_allowed(const struct prover *prover, const struct trial *trial,
    const char *seen, struct finding *finding)
{
	finding->state = FINDING_FAULT;
	finding->code = trial->code;
	say(finding->seen, "ALLOWED%s%s", seen[0] != '\0' ? ": " : "", seen);
	say(finding->cause, "the key %s", trial->allowed);
	if (trial->refuser == BY_LINE) {
		say(finding->remedy, "%s", prover->proof->remedy);
		return;
	}
	if (prover->proof->strictness == ENROLL_LENIENT)
		finding->state = FINDING_WARNING;
	say(finding->remedy, MATCH_BLOCK, prover->user);
}

static void
judge_untried(const struct prover *prover, const struct trial *trial,
    const char *seen, struct finding *finding)
{
	finding->state = prover->proof->strictness == ENROLL_STRICT
			     ? FINDING_FAULT
			     : FINDING_NOT_KNOWN;
	finding->code = "not-tried";
	say(finding->seen, "not known: %s", seen);
	say(finding->cause, "it is not known whether the key %s",
	    trial->allowed);
	if (trial->refuser == BY_CONFIG)
		say(finding->remedy, MATCH_BLOCK, prover->user);
	else
		say(finding->remedy, "%s", prover->proof->remedy);
}

/* Of the two trials of -R one is told: what could be mended by a line. */
static bool
is_told(const struct trial *trial, enum enroll_trial outcome,
    const struct findings *findings)
{
	const struct finding *last =
	    findings->count > 0 ? &findings->items[findings->count - 1] : NULL;

	return trial->run != enroll_trial_listen_permitted ||
	       (outcome == ENROLL_TRIAL_ALLOWED &&
		   (last == NULL || last->state == FINDING_OK));
}

static void
try_it(struct prover *prover, const struct trial *trial)
{
	const struct enroll_proof *proof = prover->proof;
	struct enroll_trial_words words = {.target_host = proof->target_host,
	    .target_port = proof->target_port,
	    .key_file = proof->key_file,
	    .known_hosts = proof->known_hosts,
	    .login = proof->login};
	struct finding finding = {.state = FINDING_OK, .status = ERR_FAILED};
	enum enroll_trial outcome = run_trial(prover, trial, &words);

	if (!is_told(trial, outcome, prover->findings))
		return;
	switch (outcome) {
	case ENROLL_TRIAL_REFUSED:
		say(finding.seen, "refused%s%s",
		    words.seen[0] != '\0' ? ": " : "", words.seen);
		break;
	case ENROLL_TRIAL_ALLOWED:
		judge_allowed(prover, trial, words.seen, &finding);
		break;
	case ENROLL_TRIAL_UNTRIED:
		judge_untried(prover, trial, words.seen, &finding);
		break;
	}
	add(prover->findings, &finding, trial->layer);
}

int
enroll_proof_run(const struct enroll_proof *proof, struct findings *findings,
    struct err *err)
{
	struct prover prover = {.proof = proof, .findings = findings};

	if (connect_prover(&prover, err) != 0)
		return -1;
	snprintf(prover.user, sizeof prover.user, "%.*s",
	    (int)strcspn(prover.link->name, "@"), prover.link->name);
	prove_message(proof, prover.link, findings);
	for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
		try_it(&prover, &trials[i]);
	link_free(prover.link);
	return 0;
}
