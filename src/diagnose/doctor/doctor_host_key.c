#include "doctor_private.h"

#include "known_hosts.h"
#include "link_auth.h"
#include "ssh_says.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum host_key_fact {
	HOST_KEY_KNOWN,
	HOST_KEY_PINNED,
	HOST_KEY_NOT_KEPT, /* pinned, and not remembered */
	HOST_KEY_UNKNOWN,
	HOST_KEY_NOT_THE_ONE,
	HOST_KEY_CHANGED,
	HOST_KEY_OTHER_TYPE,
	HOST_KEY_BY_AUTHORITY,
	HOST_KEY_LIST, /* it is of no use, so nobody is known */
	HOST_KEY_FILE /* it cannot be written to */
};

#define COMPARE                                                                \
	"compare with the server's own (there: ssh-keygen -lf "                \
	"/etc/ssh/ssh_host_ed25519_key.pub; kayad prints it at its start)"

static const struct check_row rows[] = {
    {HOST_KEY_KNOWN, FINDING_OK, ERR_NONE, NULL, "{fingerprint}, as known",
	NULL, NULL},
    {HOST_KEY_PINNED, FINDING_OK, ERR_NONE, NULL,
	"{fingerprint}, as demanded, and remembered now", NULL, NULL},
    {HOST_KEY_NOT_KEPT, FINDING_WARNING, ERR_NONE, "known-hosts",
	"{fingerprint}, as demanded, and not remembered",
	"the host key is the one that was demanded, and {file} cannot be "
	"written: it has to be named each time",
	"mend the file, or move it away: mv {typed} {typed}.old"},
    {HOST_KEY_UNKNOWN, FINDING_FAULT, ERR_HOST_KEY, "host-key-unknown",
	"{fingerprint} is not known here",
	"the host key of {host} is not known on this machine yet",
	COMPARE ", then pin it: kaya doctor --host-key {fingerprint} {again}"},
    {HOST_KEY_NOT_THE_ONE, FINDING_FAULT, ERR_HOST_KEY, "host-key-not-the-one",
	"{fingerprint} is not the one demanded",
	"the server shows {fingerprint}, not the host key that was demanded",
	"somebody may stand between; " COMPARE
	", and only if that is the same: kaya doctor --host-key {fingerprint} "
	"{again}"},
    {HOST_KEY_CHANGED, FINDING_FAULT, ERR_HOST_KEY, "host-key-changed",
	"{fingerprint} is not the one known",
	"the host key of {host} has changed since it was learned: the server "
	"was set up anew, or somebody stands between",
	COMPARE
	", and only if that is the same: ssh-keygen -f {typed} -R '{entry}' && "
	"kaya doctor --host-key {fingerprint} {again}"},
    {HOST_KEY_OTHER_TYPE, FINDING_FAULT, ERR_HOST_KEY, "host-key-other-type",
	"{fingerprint}: a host key of another type than the one known",
	"{host} is known by a host key of another type, which the server does "
	"not show",
	COMPARE
	", and only if that is the same: ssh-keygen -f {typed} -R '{entry}' && "
	"kaya doctor --host-key {fingerprint} {again}"},
    {HOST_KEY_BY_AUTHORITY, FINDING_FAULT, ERR_HOST_KEY, "host-certificate",
	"{fingerprint}: known by a certificate authority only",
	"{host} is known here by a @cert-authority line, and kaya reads no "
	"host certificates",
	COMPARE ", then pin it: kaya doctor --host-key {fingerprint} {again}"},
    {HOST_KEY_LIST, FINDING_FAULT, ERR_HOST_KEY, "known-hosts",
	"{fingerprint} is not known here", "{known_why}",
	"{known_mend}; then again: kaya doctor {again}"},
    {HOST_KEY_FILE, FINDING_FAULT, ERR_FAILED, "known-hosts", "{why}",
	"the list of known hosts cannot be used: {why}",
	"mend the file, or move it away: mv {typed} {typed}.old"},
};

/* Some line trusts an authority for hosts like this one. */
static bool
has_authority(const char *path, const char *host)
{
	FILE *file = fopen(path, "re");
	char line[8192], *names, *save, *name;
	bool found = false;

	while (
	    file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
		if (strncmp(line, "@cert-authority ", 16) != 0)
			continue;
		names = strtok_r(line + 16, " \t", &save);
		name = names != NULL ? strtok_r(names, ",", &save) : NULL;
		for (; name != NULL; name = strtok_r(NULL, ",", &save))
			found = found || strcmp(name, host) == 0 ||
				(name[0] == '*' &&
				    (strlen(name + 1) <= strlen(host) &&
					strcmp(host + strlen(host) -
						   strlen(name + 1),
					    name + 1) == 0));
	}
	if (file != NULL)
		fclose(file);
	return found;
}

/* The first file where hosts of this user are known. */
static void
take_first(void *arg, const char *value)
{
	char *path = arg, first[PATH_MAX];

	snprintf(first, sizeof first, "%.*s", (int)strcspn(value, " "), value);
	if (path[0] == '\0')
		ssh_says_path(first, path, PATH_MAX);
}

/* The link's own: of an enrolment, or the one of several that has the host. */
static void
find_known_hosts(const struct doctor *doctor, char path[PATH_MAX])
{
	char *file = NULL;

	ssh_options_get(doctor->link->session, SSH_OPTIONS_KNOWNHOSTS, &file);
	snprintf(path, PATH_MAX, "%s", file != NULL ? file : "");
	ssh_string_free_char(file);
	if (path[0] == '\0')
		ssh_says(&doctor->options->link, "userknownhostsfile",
		    take_first, path);
	if (path[0] == '\0')
		ssh_says_path("~/.ssh/known_hosts", path, PATH_MAX);
}

static enum host_key_fact
look(struct doctor *doctor, const char *known_hosts, struct known_hosts *list,
    struct err *err)
{
	const char *wanted = doctor->options->link.host_key;
	enum ssh_known_hosts_e known;
	const bool is_let =
	    link_check_host_key(doctor->link, &doctor->link_options, err) == 0;

	known = ssh_session_is_known_server(doctor->link->session);
	if (is_let && wanted != NULL)
		return known == SSH_KNOWN_HOSTS_OK ? HOST_KEY_PINNED
						   : HOST_KEY_NOT_KEPT;
	if (is_let)
		return HOST_KEY_KNOWN;
	switch (known) {
	case SSH_KNOWN_HOSTS_CHANGED:
		return HOST_KEY_CHANGED;
	case SSH_KNOWN_HOSTS_OTHER:
		return HOST_KEY_OTHER_TYPE;
	case SSH_KNOWN_HOSTS_ERROR:
	case SSH_KNOWN_HOSTS_OK:
		return HOST_KEY_FILE;
	default:
		/* It is the one: what failed is to write it down. */
		if (wanted != NULL &&
		    strcmp(wanted, doctor->link->fingerprint) == 0)
			return HOST_KEY_FILE;
		if (wanted != NULL)
			return HOST_KEY_NOT_THE_ONE;
		known_hosts_look(known_hosts, doctor->host,
		    (uint16_t)strtoul(doctor->port, NULL, 10), list);
		if (list->state != KNOWN_HOSTS_GOOD)
			return HOST_KEY_LIST;
		return has_authority(known_hosts, doctor->host) ||
			       has_authority(
				   "/etc/ssh/ssh_known_hosts", doctor->host)
			   ? HOST_KEY_BY_AUTHORITY
			   : HOST_KEY_UNKNOWN;
	}
}

enum check_next
doctor_host_key(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	struct err err = ERR_INIT;
	char entry[300], known_hosts[PATH_MAX], typed[CHECK_TYPED_SIZE];
	char known_why[FINDING_TEXT] = "", known_mend[FINDING_TEXT] = "";
	struct known_hosts list = {.state = KNOWN_HOSTS_GOOD};
	enum host_key_fact fact;

	find_known_hosts(doctor, known_hosts);
	fact = look(doctor, known_hosts, &list, &err);
	if (fact == HOST_KEY_CHANGED || fact == HOST_KEY_OTHER_TYPE)
		find_known_hosts(doctor, known_hosts);
	if (list.state != KNOWN_HOSTS_GOOD)
		known_hosts_tell(&list, known_hosts, doctor->host, known_why,
		    sizeof known_why, known_mend, sizeof known_mend);
	const struct check_word words[] = {
	    {"file", known_hosts},
	    {"typed", check_typed(known_hosts, typed, sizeof typed)},
	    {"fingerprint", doctor->link->fingerprint},
	    {"host", doctor->host},
	    {"entry", entry},
	    {"dest", doctor->words},
	    {"again", doctor->again},
	    {"why", err.what},
	    {"known_why", known_why},
	    {"known_mend", known_mend},
	    {0},
	};

	if (strcmp(doctor->port, "22") == 0)
		snprintf(entry, sizeof entry, "%s", doctor->host);
	else
		snprintf(
		    entry, sizeof entry, "[%s]:%s", doctor->host, doctor->port);
	doctor_tell(findings, "host-key", DOCTOR_ROWS(rows), (int)fact, words);
	return fact == HOST_KEY_KNOWN || fact == HOST_KEY_PINNED ||
		       fact == HOST_KEY_NOT_KEPT
		   ? CHECK_GO_ON
		   : CHECK_STOP;
}
