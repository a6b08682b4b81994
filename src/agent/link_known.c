#include "link_known.h"

#include "ssh_says.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILES_MAX = 8 };

struct places {
	char files[FILES_MAX][PATH_MAX];
	size_t count;
	char alias[256]; /* HostKeyAlias; "" where there is none */
};

/*
 * A file, told from the root: of a name with blanks the second half is none,
 * lest it be looked for in whatever folder this was called in.
 */
static bool
is_list(const char *file)
{
	struct stat st;

	return file[0] == '/' && stat(file, &st) == 0 && S_ISREG(st.st_mode) &&
	       access(file, R_OK) == 0;
}

/*
 * ssh writes the files with blanks between, and does not quote those that have
 * some: what is a file up to a blank is one.
 */
static void
take_files(void *arg, const char *value)
{
	struct places *places = arg;
	size_t len = 0;

	while (*value != '\0' && places->count < FILES_MAX) {
		char *file = places->files[places->count];

		len += strcspn(value + len, " ");
		snprintf(file, PATH_MAX, "%.*s", (int)len, value);
		if (is_list(file)) {
			places->count++;
			value += len;
			value += strspn(value, " ");
			len = 0;
		} else if (value[len] == ' ') {
			len++;
		} else {
			/* None begins here: the next word may. */
			value += strcspn(value, " ");
			value += strspn(value, " ");
			len = 0;
		}
	}
}

static void
take_alias(void *arg, const char *value)
{
	struct places *places = arg;

	snprintf(places->alias, sizeof places->alias, "%s", value);
}

static enum ssh_known_hosts_e
look(ssh_session session, const struct places *places)
{
	enum ssh_known_hosts_e found = SSH_KNOWN_HOSTS_UNKNOWN;

	for (size_t i = 0; i < places->count; i++) {
		ssh_options_set(
		    session, SSH_OPTIONS_KNOWNHOSTS, places->files[i]);
		found = ssh_session_is_known_server(session);
		if (found == SSH_KNOWN_HOSTS_OK ||
		    found == SSH_KNOWN_HOSTS_CHANGED)
			return found;
	}
	return SSH_KNOWN_HOSTS_UNKNOWN;
}

enum ssh_known_hosts_e
link_known_elsewhere(struct link *link, const struct link_options *options)
{
	struct places places = {.count = 0};
	enum ssh_known_hosts_e found;
	char *host = NULL, *file = NULL;
	unsigned port = 0, plain = 22;

	/* Somebody said which file counts. */
	if (options->known_hosts != NULL)
		return SSH_KNOWN_HOSTS_UNKNOWN;
	ssh_says(options, "userknownhostsfile", take_files, &places);
	ssh_says(options, "hostkeyalias", take_alias, &places);
	ssh_options_get(link->session, SSH_OPTIONS_HOST, &host);
	ssh_options_get(link->session, SSH_OPTIONS_KNOWNHOSTS, &file);
	ssh_options_get_port(link->session, &port);
	/* An alias stands in the files without a port. */
	if (places.alias[0] != '\0') {
		ssh_options_set(link->session, SSH_OPTIONS_HOST, places.alias);
		ssh_options_set(link->session, SSH_OPTIONS_PORT, &plain);
	}
	found = look(link->session, &places);
	ssh_options_set(link->session, SSH_OPTIONS_PORT, &port);
	if (host != NULL)
		ssh_options_set(link->session, SSH_OPTIONS_HOST, host);
	/* A key that is accepted goes where it always would. */
	if (file != NULL && found == SSH_KNOWN_HOSTS_UNKNOWN)
		ssh_options_set(link->session, SSH_OPTIONS_KNOWNHOSTS, file);
	ssh_string_free_char(host);
	ssh_string_free_char(file);
	return found;
}
