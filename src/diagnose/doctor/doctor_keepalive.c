#include "doctor_private.h"

#include "clock.h"
#include "idle_plan.h"
#include "ssh_says.h"
#include "str.h"

#include <string.h>
#include <time.h>

enum keepalive_fact {
	KEEPALIVE_NOT_ASKED,
	KEEPALIVE_LIVES,
	KEEPALIVE_DIES, /* later than kaya's own keepalive comes */
	KEEPALIVE_DIES_EARLY,
	KEEPALIVE_FAILED
};

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
	"{own} s by itself"},
    {KEEPALIVE_DIES_EARLY, FINDING_FAULT, ERR_UNREACHABLE,
	"idle-forgotten-early",
	"a link that idles for {died} s is dead; one of {lived} s lives",
	"a NAT or firewall on the way forgets a connection that idles for "
	"{died} s, sooner than kaya tunnel asks ({own} s)",
	"ask sooner: kaya tunnel -o ServerAliveInterval={keepalive} {tunnel} "
	"(for ssh the same word); or at the router: sysctl -w "
	"net.netfilter.nf_conntrack_tcp_timeout_established=86400"},
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
	uint64_t give_up = clock_monotonic_ms() + DOCTOR_TCP_MS;
	ssh_channel channel = ssh_channel_new(link->session);
	int opening;

	if (channel == NULL)
		return IDLE_DIED;
	ssh_set_blocking(link->session, 0);
	do
		opening = ssh_channel_open_forward(channel, doctor->broker_host,
		    doctor->options->broker_port, "127.0.0.1", 0);
	while (opening == SSH_AGAIN &&
	       doctor_wait(link->session, give_up) == DOCTOR_READY);
	ssh_channel_free(channel);
	return opening == SSH_OK || (opening == SSH_ERROR &&
					strstr(ssh_get_error(link->session),
					    "error (") != NULL)
		   ? IDLE_LIVED
		   : IDLE_DIED;
}

static void
number(char text[24], uint64_t ms)
{
	snprintf(text, 24, "%.3g", (double)ms / 1000);
}

static void
tell(struct doctor *doctor, struct findings *findings, enum keepalive_fact fact,
    const struct idle_verdict *verdict, const char *why)
{
	unsigned own_s = ssh_says_keepalive_s(&doctor->options->link);
	char lived[24], died[24], keepalive[24], own[24], escaped[400];
	const struct check_word words[] = {
	    {"lived", lived},
	    {"died", died},
	    {"keepalive", keepalive},
	    {"own", own},
	    {"dest", doctor->words},
	    {"tunnel", doctor->tunnel},
	    /* It repeats what the server said. */
	    {"why", str_escape(span_of_str(why != NULL ? why : ""), escaped,
			sizeof escaped)},
	    {0},
	};

	if (fact == KEEPALIVE_DIES &&
	    verdict->died_ms <= own_s * UINT64_C(1000))
		fact = KEEPALIVE_DIES_EARLY;
	number(lived, verdict->lived_ms);
	number(died, verdict->died_ms);
	snprintf(own, sizeof own, "%u", own_s);
	snprintf(keepalive, sizeof keepalive, "%llu",
	    (unsigned long long)verdict->keepalive_s);
	doctor_tell(findings, "keepalive", DOCTOR_ROWS(rows), (int)fact, words);
}

/*
 * Each idler is asked when its time has come, the shortest first.  Where one is
 * dead those that idle longer are not waited for.
 */
static void
let_idle(struct doctor *doctor, struct idler *idlers, const uint64_t *steps,
    enum idle_end *ends, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (idlers[i].link == NULL)
			continue;
		sleep_until(idlers[i].since_ms + steps[i]);
		ends[i] = still_lives(doctor, idlers[i].link);
		if (ends[i] == IDLE_DIED)
			return;
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
		tell(doctor, findings, KEEPALIVE_NOT_ASKED, &verdict, NULL);
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
		tell(doctor, findings, KEEPALIVE_FAILED, &verdict, err.what);
	else
		tell(doctor, findings,
		    verdict.died_ms == 0 ? KEEPALIVE_LIVES : KEEPALIVE_DIES,
		    &verdict, NULL);
	for (size_t i = 0; i < count; i++)
		link_free(idlers[i].link);
	return CHECK_GO_ON;
}
