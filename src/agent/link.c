#include "link.h"

#include "jump.h"
#include "link_auth.h"
#include "link_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECT_MS = 15000, HANDSHAKE_S = 15 };

/* Parse one line of ssh_config after the other. */
static int
parse_lines(ssh_session session, const char *const *lines, size_t count,
    struct err *err)
{
	char path[64];
	int fd, result;

	if (count == 0)
		return 0;
	fd = memfd_create("kaya-options", MFD_CLOEXEC);
	if (fd < 0)
		return err_set_errno(err, ERR_SYSTEM, "no memfd");
	for (size_t i = 0; i < count; i++)
		dprintf(fd, "%s\n", lines[i]);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	lseek(fd, 0, SEEK_SET);
	result = ssh_options_parse_config(session, path);
	close(fd);
	if (result != SSH_OK)
		return err_set(
		    err, ERR_USAGE, "an -o option is not understood");
	return 0;
}

static int
apply_config(
    ssh_session session, const struct link_options *options, struct err *err)
{
	if (options->ssh_config != NULL &&
	    strcmp(options->ssh_config, "none") == 0)
		return 0;
	if (options->ssh_config != NULL &&
	    access(options->ssh_config, R_OK) != 0) {
		err_set_errno(
		    err, ERR_USAGE, "cannot read %s", options->ssh_config);
		return err_hint(
		    err, "-F takes an ssh_config(5) that is there, or none");
	}
	if (ssh_options_parse_config(session, options->ssh_config) != SSH_OK)
		return err_set(
		    err, ERR_CONFIG, "ssh_config: %s", ssh_get_error(session));
	return 0;
}

/* All that ssh_config has for the alias, which stays the host's name. */
static int
apply_all(ssh_session session, const struct link_options *options,
    const char *alias, struct err *err)
{
	if (ssh_options_set(session, SSH_OPTIONS_HOST, alias) != 0)
		return err_set(err, ERR_USAGE, "\"%s\" is no host", alias);
	if (parse_lines(session, options->words, options->word_count, err) != 0)
		return -1;
	return apply_config(session, options, err);
}

/*
 * From a HostName on libssh holds what follows in ssh_config against that name,
 * where ssh holds all of it against the alias.  So a session of its own finds
 * HostName, and the real one is kept from seeing any.
 */
static int
apply_ssh_config(ssh_session session, const struct link_options *options,
    const char *alias, struct err *err)
{
	ssh_session other = ssh_new();
	char line[300], *name = NULL;
	const char *const lines[] = {line};
	int result;

	if (other == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	result = apply_all(other, options, alias, err);
	if (result == 0)
		ssh_options_get(other, SSH_OPTIONS_HOST, &name);
	ssh_free(other);
	if (name == NULL || strcmp(name, alias) == 0) {
		ssh_string_free_char(name);
		return result != 0 ? -1
				   : apply_all(session, options, alias, err);
	}
	snprintf(line, sizeof line, "HostName %s", alias);
	ssh_options_set(session, SSH_OPTIONS_HOST, alias);
	if (parse_lines(session, lines, 1, err) != 0 ||
	    apply_all(session, options, alias, err) != 0)
		result = -1;
	else
		ssh_options_set(session, SSH_OPTIONS_HOST, name);
	ssh_string_free_char(name);
	return result;
}

/* What enrolment wrote down, then what the user said: the later wins. */
static void
apply_said(ssh_session session, const struct link_options *options,
    const struct dest *dest, const struct dest_enrolled *enrolled)
{
	unsigned port = options->port != 0 ? options->port : dest->port;
	const char *user = options->user != NULL ? options->user : dest->user;

	if (port == 0)
		port = enrolled->port;
	if (user[0] == '\0')
		user = enrolled->user;
	if (enrolled->host[0] != '\0')
		ssh_options_set(session, SSH_OPTIONS_HOST, enrolled->host);
	if (enrolled->known_hosts[0] != '\0')
		ssh_options_set(
		    session, SSH_OPTIONS_KNOWNHOSTS, enrolled->known_hosts);
	if (options->known_hosts != NULL)
		ssh_options_set(
		    session, SSH_OPTIONS_KNOWNHOSTS, options->known_hosts);
	if (port != 0)
		ssh_options_set(session, SSH_OPTIONS_PORT, &port);
	if (user[0] != '\0')
		ssh_options_set(session, SSH_OPTIONS_USER, user);
}

/* Each key is there, or its public half, whose private one an agent has. */
static int
check_keys(const struct link_options *options, struct err *err)
{
	char public_key[PATH_MAX];

	for (size_t i = 0; i < options->key_count; i++) {
		const char *path = options->keys[i];

		snprintf(public_key, sizeof public_key, "%s.pub", path);
		if (access(path, R_OK) == 0 || access(public_key, R_OK) == 0)
			continue;
		/* errno is of the .pub: both fail in the same way. */
		err_set_errno(err, ERR_USAGE, "cannot read the key %s", path);
		return err_hint(err,
		    "name a key file that is there and that this user may "
		    "read; ssh-keygen -t ed25519 -N '' -f FILE makes one");
	}
	return 0;
}

/* The way through other servers, where there is one. */
static int
apply_jump(
    ssh_session session, const struct link_options *options, struct err *err)
{
	char hops[JUMP_HOPS_SIZE], command[JUMP_COMMAND_SIZE], *proxy = NULL;

	if (options->jump != NULL) {
		snprintf(hops, sizeof hops, "%s", options->jump);
	} else {
		/* What libssh made of ProxyJump, or a ProxyCommand. */
		ssh_options_get(session, SSH_OPTIONS_PROXYCOMMAND, &proxy);
		if (proxy == NULL)
			return 0;
		ssh_string_free_char(proxy);
		jump_of_config(options, hops, sizeof hops);
		if (hops[0] == '\0')
			return 0;
	}
	if (strcmp(hops, "none") == 0)
		snprintf(command, sizeof command, "none");
	else if (jump_command(options, hops, command, err) != 0)
		return -1;
	ssh_options_set(session, SSH_OPTIONS_PROXYCOMMAND, command);
	return 0;
}

static int
configure(struct link *link, const struct link_options *options,
    struct dest_enrolled *enrolled, struct err *err)
{
	char state[PATH_MAX];
	long timeout = HANDSHAKE_S;
	int off = 0, on = 1;
	struct dest dest;

	if (dest_parse(&dest, options->dest, err) != 0)
		return -1;
	if (options->state_dir != NULL)
		snprintf(state, sizeof state, "%s", options->state_dir);
	else
		dest_default_state(state, sizeof state);
	memset(enrolled, 0, sizeof *enrolled);
	if (options->memory == LINK_REMEMBERS &&
	    dest_enrolled(enrolled, state, dest.host, err) < 0)
		return -1;
	ssh_options_set(link->session, SSH_OPTIONS_PROCESS_CONFIG, &off);
	ssh_options_set(link->session, SSH_OPTIONS_NODELAY, &on);
	if (apply_ssh_config(link->session, options, dest.host, err) != 0 ||
	    apply_jump(link->session, options, err) != 0)
		return -1;
	apply_said(link->session, options, &dest, enrolled);
	ssh_options_set(link->session, SSH_OPTIONS_TIMEOUT, &timeout);
	return 0;
}

static void
set_name(struct link *link)
{
	char *host = NULL, *user = NULL;
	unsigned port = 0;

	ssh_options_get(link->session, SSH_OPTIONS_HOST, &host);
	ssh_options_get(link->session, SSH_OPTIONS_USER, &user);
	ssh_options_get_port(link->session, &port);
	snprintf(link->name, sizeof link->name,
	    host != NULL && strchr(host, ':') != NULL ? "%s%s[%s]:%u"
						      : "%s%s%s:%u",
	    user != NULL ? user : "", user != NULL ? "@" : "",
	    host != NULL ? host : "?", port);
	ssh_string_free_char(host);
	ssh_string_free_char(user);
}

static bool
is_proxied(const struct link *link)
{
	char *proxy = NULL;

	ssh_options_get(link->session, SSH_OPTIONS_PROXYCOMMAND, &proxy);
	if (proxy == NULL)
		return false;
	ssh_string_free_char(proxy);
	return true;
}

void
link_give(struct link *link, int fd)
{
	const socket_t given = fd;
	struct stat st;

	link->fd = fd;
	if (fstat(fd, &st) == 0)
		link->socket = st.st_ino;
	ssh_options_set(link->session, SSH_OPTIONS_FD, &given);
}

/*
 * libssh closes what it was given when the other side has, or where something
 * fails, and not when it says good-bye.
 */
static void
close_given(const struct link *link)
{
	struct stat st;

	if (link->fd >= 0 && fstat(link->fd, &st) == 0 &&
	    S_ISSOCK(st.st_mode) && st.st_ino == link->socket)
		close(link->fd);
}

/* Our own connection, unless a proxy makes it. */
static int
connect_to(struct link *link, struct err *err)
{
	char *host = NULL;
	unsigned port = 0;
	int fd;

	if (is_proxied(link))
		return 0;
	ssh_options_get(link->session, SSH_OPTIONS_HOST, &host);
	ssh_options_get_port(link->session, &port);
	fd = link_connect(
	    host != NULL ? host : "", (uint16_t)port, CONNECT_MS, err);
	ssh_string_free_char(host);
	if (fd < 0)
		return -1;
	link_give(link, fd);
	return 0;
}

static int
shake_hands(struct link *link, struct err *err)
{
	const char *why;

	if (ssh_connect(link->session) == SSH_OK)
		return 0;
	why = ssh_get_error(link->session);
	if (strstr(why, "imeout") != NULL || strstr(why, "imed out") != NULL) {
		err_set(err, ERR_TIMEOUT, "%s does not finish the handshake",
		    link->name);
		return -1;
	}
	if (strstr(why, "kex") != NULL || strstr(why, "no match") != NULL ||
	    strstr(why, "version") != NULL || strstr(why, "banner") != NULL) {
		err_set(err, ERR_PROTOCOL, "%s: %s", link->name, why);
		return err_hint(
		    err, "is it an SSH server, and of this decade?");
	}
	if (strstr(why, "apply options") != NULL) {
		err_set(err, ERR_CONFIG,
		    "ssh_config has a file name for %s with a word of %% that "
		    "is not known here",
		    link->name);
		return err_hint(err,
		    "write ~ for %%d there, and the host's name for %%n; or "
		    "name the key itself: -i FILE");
	}
	if (is_proxied(link)) {
		err_set(err, ERR_UNREACHABLE,
		    "%s: the jump host or ProxyCommand that leads there gave "
		    "up: %s",
		    link->name, why);
		return err_hint(err,
		    "try the same way with ssh -N, which shows "
		    "what it says");
	}
	err_set(err, ERR_UNREACHABLE, "%s: %s", link->name,
	    why[0] != '\0' ? why : "the connection was closed");
	return -1;
}

static void
make_nonblocking(struct link *link)
{
	int fd = ssh_get_fd(link->session);

	ssh_set_blocking(link->session, 0);
	if (fd >= 0)
		fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

struct link *
link_prepare(struct link_options *options, struct err *err)
{
	struct dest_enrolled enrolled;
	struct link *link = calloc(1, sizeof *link);

	if (link == NULL || (link->session = ssh_new()) == NULL) {
		free(link);
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	link->fd = -1;
	link->keepalive_s =
	    options->keepalive_s != 0 ? options->keepalive_s : LINK_KEEPALIVE_S;
	link->keepalive_count = options->keepalive_count != 0
				    ? options->keepalive_count
				    : LINK_KEEPALIVE_COUNT;
	if (configure(link, options, &enrolled, err) != 0) {
		link_free(link);
		return NULL;
	}
	if (options->key_count == 0 && enrolled.key_file[0] != '\0') {
		snprintf(link->key_file, sizeof link->key_file, "%s",
		    enrolled.key_file);
		options->keys[options->key_count++] = link->key_file;
	}
	set_name(link);
	return link;
}

int
link_reach(struct link *link, struct err *err)
{
	if (connect_to(link, err) == 0 && shake_hands(link, err) == 0)
		return 0;
	return -1;
}

int
link_place(const struct link *link, struct err *err)
{
	if (strstr(err->what, link->name) == NULL)
		err_where(err, "%s", link->name);
	return -1;
}

struct link *
link_open(const struct link_options *given, struct err *err)
{
	struct link_options options = *given;
	struct link *link = link_prepare(&options, err);

	if (link == NULL)
		return NULL;
	if (check_keys(&options, err) != 0)
		goto fail;
	if (link_reach(link, err) != 0 ||
	    link_check_host_key(link, &options, err) != 0 ||
	    link_authenticate(link, &options, err) != 0) {
		link_place(link, err);
		goto fail;
	}
	make_nonblocking(link);
	link->log_level = ssh_get_log_level();
	return link;
fail:
	link_free(link);
	return NULL;
}

void
link_free(struct link *link)
{
	if (link == NULL)
		return;
	if (ssh_is_connected(link->session))
		ssh_disconnect(link->session);
	ssh_free(link->session);
	close_given(link);
	free(link);
}
