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

/* " -p 2222 dan@host", as the user gave it, for commands to type. */
static void
repeat_words(struct doctor *doctor)
{
	const struct link_options *given = &doctor->options->link;
	size_t used = 0, size = sizeof doctor->words;
	char port[8];
	struct {
		const char *letter, *value;
	} words[4 + LINK_KEYS_MAX] = {
	    {"-F", given->ssh_config},
	    {"-l", given->user},
	    {"-p", given->port != 0 ? port : NULL},
	    {"-J", given->jump},
	};

	snprintf(port, sizeof port, "%u", given->port);
	for (size_t i = 0; i < given->key_count; i++) {
		words[4 + i].letter = "-i";
		words[4 + i].value = given->keys[i];
	}
	for (size_t i = 0; i < 4 + given->key_count && used < size; i++)
		if (words[i].value != NULL)
			used +=
			    (size_t)snprintf(doctor->words + used, size - used,
				"%s %s ", words[i].letter, words[i].value);
	for (size_t i = 0; i < given->word_count && used < size; i++)
		used += (size_t)snprintf(doctor->words + used, size - used,
		    "-o %s ", given->words[i]);
	if (used < size)
		snprintf(doctor->words + used, size - used, "%s", given->dest);
}

/* What only matters behind the login, and no password. */
static void
repeat_all(struct doctor *doctor)
{
	const struct doctor_options *given = doctor->options;
	const struct {
		const char *letter, *value;
	} words[] = {
	    {"-b", given->broker_said},
	    {"-L", given->local_said},
	    {"-u", given->broker_user},
	    {"-t", given->topic},
	    {"--server-file", given->server_file},
	};
	size_t used = 0, size = sizeof doctor->again;

	for (size_t i = 0; i < sizeof words / sizeof words[0] && used < size;
	     i++)
		if (words[i].value != NULL)
			used +=
			    (size_t)snprintf(doctor->again + used, size - used,
				"%s %s ", words[i].letter, words[i].value);
	if (used < size)
		snprintf(
		    doctor->again + used, size - used, "%s", doctor->words);
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
	repeat_words(doctor);
	repeat_all(doctor);
	checks_run(checks, sizeof checks / sizeof checks[0], doctor, findings);
	if (options->learned != NULL && doctor->channel != NULL)
		memcpy(options->learned->broker_host, doctor->broker_host,
		    sizeof doctor->broker_host);
	mqtt_trip_fini(&doctor->trip);
	if (doctor->channel != NULL)
		ssh_channel_free(doctor->channel);
	link_free(doctor->link);
	free(doctor);
	return 0;
}
