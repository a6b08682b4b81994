#include "known_hosts.h"

#include "check.h"

#include <errno.h>
#include <libssh/libssh.h>
#include <stdio.h>
#include <string.h>

/* As long as libssh takes one. */
enum { LINE_BYTES = 8192 };

static bool
is_damaged(const char *entry, const char *line)
{
	struct ssh_knownhosts_entry *known = NULL;
	const char *text = line + strspn(line, " \t");
	int result;

	if (*text == '\0' || *text == '#')
		return false;
	result = ssh_known_hosts_parse_line(entry, line, &known);
	if (result == SSH_OK)
		ssh_knownhosts_entry_free(known);
	return result == SSH_ERROR;
}

void
known_hosts_look(const char *path, const char *host, uint16_t port,
    struct known_hosts *found)
{
	char entry[300], line[LINE_BYTES];
	FILE *file = fopen(path, "re");
	bool begins = true;

	*found = (struct known_hosts){.state = KNOWN_HOSTS_GOOD};
	if (file == NULL) {
		found->error = errno;
		found->state =
		    errno == ENOENT ? KNOWN_HOSTS_GOOD : KNOWN_HOSTS_NOT_READ;
		return;
	}
	snprintf(
	    entry, sizeof entry, port == 22 ? "%s" : "[%s]:%u", host, port);
	while (found->state == KNOWN_HOSTS_GOOD &&
	       fgets(line, sizeof line, file) != NULL) {
		/* A line that is longer comes in pieces, and is one line. */
		found->line += begins;
		begins = strchr(line, '\n') != NULL;
		line[strcspn(line, "\r\n")] = '\0';
		if (is_damaged(entry, line))
			found->state = KNOWN_HOSTS_DAMAGED;
	}
	if (found->state == KNOWN_HOSTS_GOOD && ferror(file)) {
		found->error = errno;
		found->state = KNOWN_HOSTS_NOT_READ;
	}
	fclose(file);
}

void
known_hosts_tell(const struct known_hosts *found, const char *path,
    const char *host, char *cause, size_t cause_size, char *remedy,
    size_t remedy_size)
{
	char typed[CHECK_TYPED_SIZE];

	path = check_typed(path, typed, sizeof typed);
	if (found->state == KNOWN_HOSTS_DAMAGED) {
		snprintf(cause, cause_size,
		    "line %zu of %s, which is for %s, is damaged: nothing in "
		    "that file counts for %s",
		    found->line, path, host, host);
		snprintf(remedy, remedy_size,
		    "take that line out: sed -i.old %zud %s", found->line,
		    path);
	} else {
		snprintf(cause, cause_size,
		    "the list of known hosts, %s, cannot be read: %s", path,
		    strerror(found->error));
		snprintf(remedy, remedy_size,
		    found->error == EACCES ? "let its owner read it: chmod "
					     "u+rw %s"
					   : "move it away: mv %s %s.old",
		    path, path);
	}
}
