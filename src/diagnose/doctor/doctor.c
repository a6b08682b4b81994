#include "doctor_private.h"

#include <stdlib.h>
#include <string.h>

static const struct check checks[] = {
    {"dns", doctor_dns, CHECK_IN_ORDER},
    {"tcp", doctor_tcp, CHECK_IN_ORDER},
    {"banner", doctor_banner, CHECK_IN_ORDER},
    {"kex", doctor_kex, CHECK_IN_ORDER},
    {"host-key", doctor_host_key, CHECK_IN_ORDER},
    {"auth", doctor_auth, CHECK_IN_ORDER},
    {"forwarding", doctor_forwarding, CHECK_IN_ORDER},
    {"mqtt", doctor_mqtt, CHECK_IN_ORDER},
    {"message", doctor_message, CHECK_IN_ORDER},
    {"keepalive", doctor_keepalive, CHECK_IN_ORDER},
    {"local", doctor_local, CHECK_ALWAYS},
};

void
doctor_tell(struct findings *findings, const char *layer,
    const struct check_row *rows, size_t count, int fact,
    const struct check_word *words)
{
	struct finding finding = {.layer = layer};

	if (check_judge(rows, count, fact, words, &finding))
		findings_add(findings, &finding);
}

static void
read_link(struct doctor *doctor)
{
	ssh_session session = doctor->link->session;
	char *text = NULL;
	unsigned port = 0;

	if (ssh_options_get(session, SSH_OPTIONS_HOST, &text) == SSH_OK)
		snprintf(doctor->host, sizeof doctor->host, "%s", text);
	ssh_string_free_char(text);
	text = NULL;
	if (ssh_options_get(session, SSH_OPTIONS_USER, &text) == SSH_OK)
		snprintf(doctor->user, sizeof doctor->user, "%s", text);
	ssh_string_free_char(text);
	text = NULL;
	doctor->proxied = ssh_options_get(session, SSH_OPTIONS_PROXYCOMMAND,
			      &text) == SSH_OK &&
			  text != NULL;
	ssh_string_free_char(text);
	ssh_options_get_port(session, &port);
	snprintf(doctor->port, sizeof doctor->port, "%u", port);
}

int
doctor_run(const struct doctor_options *options, struct findings *findings,
    struct err *err)
{
	struct doctor *doctor = calloc(1, sizeof *doctor);
	bool v6 = strchr(options->broker_host, ':') != NULL;

	if (doctor == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	doctor->options = options;
	doctor->kept = -1;
	doctor->link_options = options->link;
	doctor->link_options.asking = LINK_NEVER_ASK;
	doctor->link = link_prepare(&doctor->link_options, err);
	if (doctor->link == NULL) {
		free(doctor);
		return -1;
	}
	snprintf(doctor->broker, sizeof doctor->broker, "%s%s%s:%u",
	    v6 ? "[" : "", options->broker_host, v6 ? "]" : "",
	    options->broker_port);
	snprintf(doctor->broker_host, sizeof doctor->broker_host, "%s",
	    options->broker_host);
	read_link(doctor);
	doctor_repeat(doctor, DOCTOR_REPEAT_LINK, "", doctor->words,
	    sizeof doctor->words);
	doctor_repeat(
	    doctor, DOCTOR_REPEAT_ALL, "", doctor->again, sizeof doctor->again);
	doctor_repeat(doctor, DOCTOR_REPEAT_TUNNEL, "", doctor->tunnel,
	    sizeof doctor->tunnel);
	doctor_repeat(doctor, DOCTOR_REPEAT_TUNNEL, "-b", doctor->tunnel_to,
	    sizeof doctor->tunnel_to);
	doctor_repeat(doctor, DOCTOR_REPEAT_TUNNEL, "-L", doctor->tunnel_at,
	    sizeof doctor->tunnel_at);
	checks_run(checks, sizeof checks / sizeof checks[0], doctor, findings);
	if (options->learned != NULL && doctor->channel != NULL)
		memcpy(options->learned->broker_host, doctor->broker_host,
		    sizeof doctor->broker_host);
	doctor_keep(doctor, -1);
	mqtt_trip_fini(&doctor->trip);
	if (doctor->channel != NULL)
		ssh_channel_free(doctor->channel);
	link_free(doctor->link);
	free(doctor);
	return 0;
}
