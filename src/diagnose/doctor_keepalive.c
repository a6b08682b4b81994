#include "doctor_private.h"

#include "clock.h"
#include "idle_plan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum keepalive_fact {
	KEEPALIVE_NOT_ASKED,
	KEEPALIVE_LIVES,
	KEEPALIVE_DIES, /* later than kaya's own keepalive comes */
	KEEPALIVE_DIES_EARLY,
	KEEPALIVE_FAILED
};

enum { OWN_KEEPALIVE_S = 15 };

static const struct check_row rows[] = {
    {KEEPALIVE_NOT_ASKED, FINDING_NOT_KNOWN, ERR_NONE, "not-asked",
	"not tried; --idle 10m finds out when an idle link is forgotten", NULL,
	NULL},
    {KEEPALIVE_LIVES, FINDING_OK, ERR_NONE, NULL,
	"a link that idles for {lived} s lives", NULL, NULL},
    {KEEPALIVE_DIES, FINDING_WARNING, ERR_NONE, "idle-forgotten",
	"a link that idles for {died} s is dead; one of {lived} s lives",
	"a NAT or firewall on the way forgets a connection that idles for "
	"{died} s",
	"for ssh: -o ServerAliveInterval={keepalive}; kaya tunnel asks each "
	"15 s by itself"},
    {KEEPALIVE_DIES_EARLY, FINDING_FAULT, ERR_UNREACHABLE,
	"idle-forgotten-early",
	"a link that idles for {died} s is dead; one of {lived} s lives",
	"a NAT or firewall on the way forgets a connection that idles for "
	"{died} s, sooner than kaya tunnel asks (15 s)",
	"for ssh: -o ServerAliveInterval={keepalive}; for kaya tunnel let the "
	"MQTT clients ping in time: mosquitto_sub -k {keepalive}; or at the "
	"router: sysctl -w net.netfilter.nf_conntrack_tcp_timeout_"
	"established=86400"},
    {KEEPALIVE_FAILED, FINDING_NOT_KNOWN, ERR_NONE, "idle-failed",
	"no links to let idle: {why}", NULL, NULL},
};

struct idler {
	struct link *link;
	uint64_t since_ms;
};

static void
sleep_until(uint64_t when_ms)
{
	uint64_t now = clock_monotonic_ms();

	if (when_ms > now) {
		struct timespec rest = {
		    .tv_sec = (time_t)((when_ms - now) / 1000),
		    .tv_nsec = (long)((when_ms - now) % 1000 * 1000000)};

		nanosleep(&rest, NULL);
	}
}

/* Any answer will do, a refusal too. */
static enum idle_end
still_lives(const struct doctor *doctor, struct link *link)
{
	ssh_channel channel = ssh_channel_new(link->session);
	enum idle_end end = IDLE_DIED;

	if (channel == NULL)
		return end;
	if (ssh_channel_open_forward(channel, doctor->broker_host,
		doctor->options->broker_port, "127.0.0.1", 0) == SSH_OK ||
	    strstr(ssh_get_error(link->session), "error (") != NULL)
		end = IDLE_LIVED;
	ssh_channel_free(channel);
	return end;
}

static void
number(char text[24], uint64_t ms)
{
	snprintf(text, 24, "%.3g", (double)ms / 1000);
}

static void
tell(struct findings *findings, enum keepalive_fact fact,
    const struct idle_verdict *verdict, const char *why)
{
	char lived[24], died[24], keepalive[24];
	const struct check_word words[] = {
	    {"lived", lived},
	    {"died", died},
	    {"keepalive", keepalive},
	    {"why", why},
	    {0},
	};

	number(lived, verdict->lived_ms);
	number(died, verdict->died_ms);
	snprintf(keepalive, sizeof keepalive, "%llu",
	    (unsigned long long)verdict->keepalive_s);
	doctor_tell(findings, "keepalive", DOCTOR_ROWS(rows), (int)fact, words);
}

/* Each idler is asked when its time has come; the shortest first. */
static void
let_idle(struct doctor *doctor, struct idler *idlers, const uint64_t *steps,
    enum idle_end *ends, size_t count)
{
	const long limit_s = DOCTOR_ANSWER_MS / 1000;

	for (size_t i = 0; i < count; i++) {
		if (idlers[i].link == NULL)
			continue;
		sleep_until(idlers[i].since_ms + steps[i]);
		ssh_options_set(
		    idlers[i].link->session, SSH_OPTIONS_TIMEOUT, &limit_s);
		ends[i] = still_lives(doctor, idlers[i].link);
	}
}

enum check_next
doctor_keepalive(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	struct idler idlers[IDLE_STEPS_MAX] = {0};
	enum idle_end ends[IDLE_STEPS_MAX] = {0};
	struct idle_verdict verdict = {0};
	uint64_t steps[IDLE_STEPS_MAX];
	struct err err = ERR_INIT;
	size_t count, open = 0;

	if (doctor->options->idle_ms == 0) {
		tell(findings, KEEPALIVE_NOT_ASKED, &verdict, NULL);
		return CHECK_GO_ON;
	}
	count = idle_plan(doctor->options->idle_ms, steps);
	/* The longest first: the others' logins fall into its time. */
	for (size_t i = count; i-- > 0;) {
		idlers[i].link = doctor_new_login(doctor, &err);
		idlers[i].since_ms = clock_monotonic_ms();
		open += idlers[i].link != NULL;
	}
	let_idle(doctor, idlers, steps, ends, count);
	idle_judge(steps, ends, count, &verdict);
	if (open == 0)
		tell(findings, KEEPALIVE_FAILED, &verdict, err.what);
	else if (verdict.died_ms == 0)
		tell(findings, KEEPALIVE_LIVES, &verdict, NULL);
	else
		tell(findings,
		    verdict.died_ms > OWN_KEEPALIVE_S * 1000
			? KEEPALIVE_DIES
			: KEEPALIVE_DIES_EARLY,
		    &verdict, NULL);
	for (size_t i = 0; i < count; i++)
		link_free(idlers[i].link);
	return CHECK_GO_ON;
}
