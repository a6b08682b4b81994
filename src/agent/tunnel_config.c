#include "tunnel.h"

#include "log.h"
#include "ssh_says.h"

#include <stdio.h>
#include <stdlib.h>

struct config {
	struct tunnel_options *options;
	const char *host;
	uint16_t host_port;
};

/* ssh's words: "[127.0.0.1]:8080 [localhost]:80". */
static void
add_forward(void *arg, const char *value)
{
	struct config *config = arg;
	struct tunnel_options *options = config->options;
	char near[300], far[300], text[640];
	struct err err;

	if (options->forward_count == TUNNEL_FORWARDS_MAX ||
	    sscanf(value, "%299s %299s", near, far) != 2)
		return;
	snprintf(text, sizeof text, "%s:%s", near, far);
	if (forward_parse(&options->forwards[options->forward_count], text,
		config->host, config->host_port, &err) == 0)
		options->forward_count++;
}

static void
set_count(void *arg, const char *value)
{
	struct config *config = arg;
	unsigned count = (unsigned)strtoul(value, NULL, 10);

	/* One that nobody had the time to answer proves nothing. */
	config->options->link.keepalive_count = count == 1 ? 2 : count;
}

void
tunnel_read_config(
    struct tunnel_options *options, const char *host, uint16_t host_port)
{
	struct config config = {options, host, host_port};
	char fault[300];

	if (ssh_says_fault(&options->link, fault, sizeof fault)[0] != '\0')
		log_event(LOG_LEVEL_WARN, "tunnel", "ssh-config",
		    "ssh refuses this, and it is passed over here: %s", fault);
	if (options->forward_count == 0)
		ssh_says(&options->link, "localforward", add_forward, &config);
	options->link.keepalive_s = ssh_says_keepalive_s(&options->link);
	ssh_says(&options->link, "serveralivecountmax", set_count, &config);
}
