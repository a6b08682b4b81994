#include "dest.h"

#include "ssh_says.h"
#include "str.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
wrong(const char *text, struct err *err)
{
	err_set(err, ERR_USAGE, "\"%s\" is no destination", text);
	return err_hint(err,
	    "write [user@]host[:port], ssh://[user@]host[:port] "
	    "or [user@][v6address]:port");
}

int
dest_parse(struct dest *dest, const char *text, struct err *err)
{
	static const char scheme[] = "ssh://";
	const char *rest = text, *at;
	size_t len;

	memset(dest, 0, sizeof *dest);
	if (strncmp(rest, scheme, sizeof scheme - 1) == 0)
		rest += sizeof scheme - 1;
	len = strlen(rest);
	if (rest != text && len > 0 && rest[len - 1] == '/')
		len--;
	at = memrchr(rest, '@', len);
	if (at != NULL) {
		if (at == rest ||
		    !span_to_str(span_of(rest, (size_t)(at - rest)), dest->user,
			sizeof dest->user))
			return wrong(text, err);
		len -= (size_t)(at + 1 - rest);
		rest = at + 1;
	}
	/* A host that begins with a dash would be taken for an option. */
	if (len == 0 || rest[0] == '-' ||
	    !str_split_host_port(
		span_of(rest, len), dest->host, sizeof dest->host, &dest->port))
		return wrong(text, err);
	for (const char *p = dest->host; *p != '\0'; p++)
		if ((unsigned char)*p <= ' ' || *p == '/' || *p == '\\')
			return wrong(text, err);
	return 0;
}

const char *
dest_home(void)
{
	const char *home = getenv("HOME");

	return home != NULL && home[0] == '/' ? home : ssh_says_home();
}

void
dest_default_state(char *path, size_t size)
{
	const char *xdg = getenv("XDG_STATE_HOME");

	if (geteuid() == 0)
		snprintf(path, size, "/var/lib/kaya");
	else if (xdg != NULL && xdg[0] == '/')
		snprintf(path, size, "%s/kaya", xdg);
	else
		snprintf(path, size, "%s/.local/state/kaya", dest_home());
}

void
dest_record_name(const char *host, char *name, size_t size)
{
	if (!span_to_str(span_of_str(host), name, size))
		return;
	for (char *p = name; *p != '\0'; p++)
		if (*p == ':' || *p == '%')
			*p = '_';
	if (name[0] == '.' || !str_is_name(span_of_str(name)))
		name[0] = '\0';
}

static int
take_word(struct dest_enrolled *enrolled, const char *word, const char *value)
{
	const struct {
		const char *word;
		char *text;
		size_t size;
	} texts[] = {
	    {"host", enrolled->host, sizeof enrolled->host},
	    {"user", enrolled->user, sizeof enrolled->user},
	    {"key", enrolled->key_file, sizeof enrolled->key_file},
	    {"known_hosts", enrolled->known_hosts,
		sizeof enrolled->known_hosts},
	};
	uint64_t port;

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		if (strcmp(texts[i].word, word) == 0)
			return span_to_str(span_of_str(value), texts[i].text,
				   texts[i].size)
				   ? 0
				   : -1;
	if (strcmp(word, "port") != 0 ||
	    !str_to_u64(span_of_str(value), 1, 65535, &port))
		return -1;
	enrolled->port = (uint16_t)port;
	return 0;
}

int
dest_enrolled(struct dest_enrolled *enrolled, const char *state_dir,
    const char *name, struct err *err)
{
	char path[PATH_MAX], line[PATH_MAX + 64], word[32], file_name[256];
	FILE *file;
	int number = 0, result = 1;

	memset(enrolled, 0, sizeof *enrolled);
	dest_record_name(name, file_name, sizeof file_name);
	if (file_name[0] == '\0')
		return 0;
	snprintf(path, sizeof path, "%s/hosts/%s", state_dir, file_name);
	file = fopen(path, "re");
	if (file == NULL)
		return errno == ENOENT || errno == EACCES || errno == ENOTDIR
			   ? 0
			   : err_set_errno(
				 err, ERR_CONFIG, "cannot read %s", path);
	while (result == 1 && fgets(line, sizeof line, file) != NULL) {
		int used = 0;

		number++;
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] == '\0' || line[0] == '#')
			continue;
		if (sscanf(line, "%31s %n", word, &used) != 1 || used == 0 ||
		    take_word(enrolled, word, line + used) != 0) {
			err_set(
			    err, ERR_CONFIG, "not understood: \"%s\"", line);
			err_hint(err, "the words are host, port, user, key, "
				      "known_hosts, each with a value");
			result = err_where(err, "%s:%d", path, number);
		}
	}
	fclose(file);
	return result;
}
