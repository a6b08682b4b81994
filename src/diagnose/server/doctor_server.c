#include "doctor_server.h"

#include "server_private.h"

#include <stdlib.h>
#include <unistd.h>

/* The worst fault of all first: a broker that is open to the network. */
static const struct check checks[] = {
    {"broker", server_broker, CHECK_ALWAYS},
    {"sshd", server_sshd, CHECK_ALWAYS},
    {"keys", server_keys, CHECK_ALWAYS},
    {"reach", server_reach, CHECK_ALWAYS},
    {"kayad", server_kayad, CHECK_ALWAYS},
    {"versions", server_versions, CHECK_ALWAYS},
    {"clock", server_clock, CHECK_ALWAYS},
    {"limits", server_limits, CHECK_ALWAYS},
    {"firewall", server_firewall, CHECK_ALWAYS},
};

void
server_tell(struct server *server, const char *layer,
    const struct check_row *rows, size_t count, int fact,
    const struct check_word *words)
{
	struct finding finding = {.layer = layer};

	if (check_judge(rows, count, fact, words, &finding))
		findings_add(server->findings, &finding);
}

uint64_t
server_devices(const struct server *server)
{
	uint64_t keys = 0;

	if (server->options->devices > 0)
		return server->options->devices;
	for (size_t i = 0; i < server->account_count; i++)
		keys += server->accounts[i].keys;
	return keys;
}

int
doctor_server_run(const struct doctor_server_options *options,
    struct findings *findings, struct err *err)
{
	struct server *server = calloc(1, sizeof *server);

	if (server == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	server->options = options;
	server->findings = findings;
	server->is_root = geteuid() == 0;
	system_look(&server->system);
	server_gather_sshd(server);
	server_gather_keys(server);
	findings->causes = FINDINGS_EVERY_CAUSE;
	checks_run(checks, sizeof checks / sizeof checks[0], server, findings);
	findings->causes = FINDINGS_FIRST_CAUSE;
	ssh_settings_fini(&server->sshd);
	free(server);
	return 0;
}
