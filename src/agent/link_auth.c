#include "link_auth.h"

#include "agent_view.h"
#include "link_known.h"
#include "link_person.h"
#include "shell.h"
#include "terminal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ANSWER_BYTES = 256, COMMAND_BYTES = 900 };

/* ---- who the server is ---- */

static int
read_fingerprint(struct link *link, struct err *err)
{
	unsigned char *hash = NULL;
	char *text;
	ssh_key key;
	size_t len;

	if (ssh_get_server_publickey(link->session, &key) != SSH_OK)
		return err_set(err, ERR_PROTOCOL, "the server has no host key");
	if (ssh_get_publickey_hash(
		key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != 0) {
		ssh_key_free(key);
		return err_set(err, ERR_NOMEM, "no memory");
	}
	ssh_key_free(key);
	text = ssh_get_fingerprint_hash(SSH_PUBLICKEY_HASH_SHA256, hash, len);
	snprintf(link->fingerprint, sizeof link->fingerprint, "%s",
	    text != NULL ? text : "");
	ssh_string_free_char(text);
	ssh_clean_pubkey_hash(&hash);
	return 0;
}

static bool
person_agrees(const struct link *link)
{
	char question[900], answer[ANSWER_BYTES];

	snprintf(question, sizeof question,
	    "%s shows a host key that is not known here:\n  %s\n"
	    "Compare it with the server's own (kayad prints it when it "
	    "starts); at an sshd:\n"
	    "  cat /etc/ssh/ssh_host_*.pub | ssh-keygen -lf -\n"
	    "Is it the right one? [yes/no] ",
	    link->name, link->fingerprint);
	return terminal_ask(question, answer, sizeof answer, TERMINAL_SHOWN) ==
		   0 &&
	       strcmp(answer, "yes") == 0;
}

/* The command that was typed, with --host-key. */
static void
put_pinning(const struct link *link, const struct link_options *options,
    char *text, size_t size)
{
	const bool knows = options->typed[0] != '\0';
	int len = snprintf(text, size, "%s --host-key %s %s",
	    knows ? options->typed : "kaya tunnel", link->fingerprint,
	    knows ? options->typed_words : options->dest);

	if (len >= (int)size)
		snprintf(text, size, "the same command with --host-key %s",
		    link->fingerprint);
}

static int
on_other_than_named(const struct link *link, struct err *err)
{
	err_set(err, ERR_HOST_KEY, "%s shows another host key: %s", link->name,
	    link->fingerprint);
	return err_hint(err, "somebody may stand between; compare with the "
			     "server's own, not with this");
}

/* Where the old key stands, and under what name. */
static int
on_changed(const struct link *link, const struct link_options *options,
    struct err *err)
{
	char *file = NULL, *host = NULL, place[300], pinning[COMMAND_BYTES];
	char command[COMMAND_BYTES], name[PATH_MAX];
	unsigned port = 0;
	int len;

	ssh_options_get(link->session, SSH_OPTIONS_KNOWNHOSTS, &file);
	ssh_options_get(link->session, SSH_OPTIONS_HOST, &host);
	ssh_options_get_port(link->session, &port);
	snprintf(place, sizeof place, port == 22 ? "%s" : "[%s]:%u",
	    host != NULL ? host : "?", port);
	put_pinning(link, options, pinning, sizeof pinning);
	len =
	    snprintf(command, sizeof command, "ssh-keygen -f %s -R '%s' && %s",
		file != NULL ? shell_quoted(file, name, sizeof name)
			     : "~/.ssh/known_hosts",
		place, pinning);
	if (len >= (int)sizeof command)
		snprintf(command, sizeof command,
		    "forget its old key (ssh-keygen -R), then the same "
		    "command with --host-key %s",
		    link->fingerprint);
	err_hint(err,
	    "somebody may stand between; only if that is the server's own, "
	    "and it was set up anew: %s",
	    command);
	ssh_string_free_char(file);
	ssh_string_free_char(host);
	return -1;
}

static int
on_unknown(
    struct link *link, const struct link_options *options, struct err *err)
{
	char pinning[COMMAND_BYTES];
	bool pinned = options->host_key != NULL;

	if (!pinned &&
	    (options->asking == LINK_NEVER_ASK || !person_agrees(link))) {
		err_set(err, ERR_HOST_KEY,
		    "the host key of %s is not known here: %s", link->name,
		    link->fingerprint);
		put_pinning(link, options, pinning, sizeof pinning);
		return err_hint(err,
		    "if that is the server's own, pin it once: %s", pinning);
	}
	/* One that is named each time need not be: on a disk for reading only.
	 */
	if (options->memory != LINK_REMEMBERS ||
	    ssh_session_update_known_hosts(link->session) == SSH_OK || pinned)
		return 0;
	err_set(err, ERR_FAILED, "the host key cannot be remembered: %s",
	    ssh_get_error(link->session));
	return err_hint(err,
	    "make that writable for this user, or name the host key each time: "
	    "--host-key %s",
	    link->fingerprint);
}

int
link_check_host_key(
    struct link *link, const struct link_options *options, struct err *err)
{
	enum ssh_known_hosts_e known;

	if (read_fingerprint(link, err) != 0)
		return -1;
	if (options->host_key != NULL &&
	    strcmp(options->host_key, link->fingerprint) != 0)
		return on_other_than_named(link, err);
	known = ssh_session_is_known_server(link->session);
	if (known == SSH_KNOWN_HOSTS_UNKNOWN ||
	    known == SSH_KNOWN_HOSTS_NOT_FOUND)
		known = link_known_elsewhere(link, options);
	switch (known) {
	case SSH_KNOWN_HOSTS_OK:
		return 0;
	case SSH_KNOWN_HOSTS_CHANGED:
		err_set(err, ERR_HOST_KEY,
		    "the host key of %s has CHANGED; it is now %s", link->name,
		    link->fingerprint);
		return on_changed(link, options, err);
	case SSH_KNOWN_HOSTS_OTHER:
		err_set(err, ERR_HOST_KEY,
		    "%s shows a host key of another type than the one known: "
		    "%s",
		    link->name, link->fingerprint);
		return on_changed(link, options, err);
	case SSH_KNOWN_HOSTS_UNKNOWN:
	case SSH_KNOWN_HOSTS_NOT_FOUND:
		return on_unknown(link, options, err);
	case SSH_KNOWN_HOSTS_ERROR:
		break;
	}
	return err_set(err, ERR_FAILED, "the list of known hosts: %s",
	    ssh_get_error(link->session));
}

/* ---- who we are ---- */

/* What was offered and refused, for the person who has to mend it. */
struct offers {
	char text[200];
};

static void
note(struct offers *offers, const char *what)
{
	size_t used = strlen(offers->text);

	snprintf(offers->text + used, sizeof offers->text - used, "%s%s",
	    used > 0 ? ", " : "", what);
}

static int
ask_nobody(const char *prompt, char *answer, size_t size, int echo, int verify,
    void *arg)
{
	(void)prompt;
	(void)echo;
	(void)verify;
	(void)arg;
	if (size > 0)
		answer[0] = '\0';
	return -1;
}

/* The public half: from FILE.pub, or from FILE where that is one. */
static ssh_key
public_half(const char *file)
{
	char name[PATH_MAX + 8];
	ssh_key key = NULL;

	snprintf(name, sizeof name, "%s.pub", file);
	if (ssh_pki_import_pubkey_file(name, &key) == SSH_OK ||
	    ssh_pki_import_pubkey_file(file, &key) == SSH_OK)
		return key;
	return NULL;
}

/* The certificate beside it, FILE-cert.pub, where ssh looks for it too. */
static ssh_key
certificate_of(const char *file, char *name, size_t size)
{
	ssh_key certificate = NULL;

	snprintf(name, size, "%s-cert.pub", file);
	return ssh_pki_import_cert_file(name, &certificate) == SSH_OK
		   ? certificate
		   : NULL;
}

static bool
is_in_token(ssh_key public_key)
{
	enum ssh_keytypes_e type = ssh_key_type(public_key);

	return type == SSH_KEYTYPE_SK_ECDSA || type == SSH_KEYTYPE_SK_ED25519 ||
	       type == SSH_KEYTYPE_SK_ECDSA_CERT01 ||
	       type == SSH_KEYTYPE_SK_ED25519_CERT01;
}

/* What a key is shown as: itself, or by the certificate beside it. */
struct shown {
	const char *file; /* of the private key */
	const char *name; /* of what is shown, for people */
	ssh_key key; /* NULL: the public half is not at hand */
	bool is_certificate;
};

/* By the private key in the file, where it can be opened. */
static int
try_private(struct link *link, const struct shown *shown, ssh_auth_callback ask,
    struct link_person_key *person)
{
	ssh_key key = NULL;
	int result = SSH_AUTH_DENIED;

	if (ssh_pki_import_privkey_file(shown->file, NULL, ask, person, &key) !=
	    SSH_OK)
		return SSH_AUTH_ERROR;
	if (!shown->is_certificate ||
	    ssh_pki_copy_cert_to_privkey(shown->key, key) == SSH_OK)
		result = ssh_userauth_publickey(link->session, NULL, key);
	ssh_key_free(key);
	return result;
}

/* The same, opened by what a person types. */
static int
try_asking(struct link *link, const struct shown *shown,
    struct link_person_key *person)
{
	int result;

	do {
		result = try_private(link, shown, link_person_asked, person);
	} while (result == SSH_AUTH_ERROR &&
		 person->answered < LINK_PERSON_TRIES &&
		 person->answered == person->asked && person->asked > 0 &&
		 ssh_is_connected(link->session));
	return result;
}

/* By the agent, which may hold the other half. */
static int
try_agent(struct link *link, ssh_key public_key)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	unsigned char *hash = NULL;
	struct agent_view *view = NULL;
	int fd, result = SSH_AUTH_ERROR;
	size_t len;

	if (public_key == NULL || path == NULL ||
	    ssh_get_publickey_hash(
		public_key, SSH_PUBLICKEY_HASH_SHA256, &hash, &len) != 0)
		return SSH_AUTH_ERROR;
	if (len == AGENT_VIEW_HASH_BYTES)
		view = agent_view_open(path, hash, &fd);
	ssh_clean_pubkey_hash(&hash);
	if (view == NULL)
		return SSH_AUTH_ERROR;
	ssh_set_agent_socket(link->session, fd); /* which is libssh's now */
	if (ssh_userauth_agent(link->session, NULL) == SSH_AUTH_SUCCESS)
		result = SSH_AUTH_SUCCESS;
	agent_view_close(view);
	return result;
}

/* Nobody can make a signature: neither the file nor the agent. */
static int
on_no_signature(const struct shown *shown, const struct link_person_key *person,
    struct err *err)
{
	char name[PATH_MAX];

	if (person->answered > 0) {
		err_set(err, ERR_REFUSED, "that is no passphrase of the key %s",
		    shown->file);
		return err_hint(err,
		    "set another one, if you know it: "
		    "ssh-keygen -p -f %s; else name another "
		    "key: -i FILE",
		    shell_quoted(shown->file, name, sizeof name));
	}

	if (is_in_token(shown->key)) {
		err_set(err, ERR_USAGE,
		    "the key %s is in a FIDO token, which only the agent can "
		    "ask here",
		    shown->file);
		return err_hint(err, "ssh-add %s",
		    shell_quoted(shown->file, name, sizeof name));
	}
	err_set(err, ERR_USAGE, "the key %s cannot be used", shown->file);
	return err_hint(err,
	    "a key that has a passphrase, or is not in its file, must be in "
	    "the agent (ssh-add) where nobody is there to be asked");
}

/* 1: it is let in; 0: it is not; -1 and `err`. */
static int
show(struct link *link, const struct link_options *options,
    const struct shown *shown, struct offers *offers, struct err *err)
{
	struct link_person_key person = {.file = shown->file};
	int result = SSH_AUTH_SUCCESS;

	/* A key that the server does not know needs no passphrase. */
	if (shown->key != NULL)
		result =
		    ssh_userauth_try_publickey(link->session, NULL, shown->key);
	if (result == SSH_AUTH_SUCCESS) {
		result = try_private(link, shown, ask_nobody, NULL);
		if (result == SSH_AUTH_ERROR)
			result = try_agent(link, shown->key);
		if (result == SSH_AUTH_ERROR && options->asking == LINK_MAY_ASK)
			result = try_asking(link, shown, &person);
		if (result == SSH_AUTH_ERROR && ssh_is_connected(link->session))
			return on_no_signature(shown, &person, err);
	}
	if (result == SSH_AUTH_SUCCESS)
		return 1;
	note(offers, shown->name);
	return 0;
}

static int
try_file(struct link *link, const struct link_options *options,
    const char *file, struct offers *offers, struct err *err)
{
	char certificate[PATH_MAX + 10];
	struct shown shown = {.file = file, .name = file};
	int result = 0;

	shown.key = certificate_of(file, certificate, sizeof certificate);
	if (shown.key != NULL) {
		shown.name = certificate;
		shown.is_certificate = true;
		result = show(link, options, &shown, offers, err);
		ssh_key_free(shown.key);
	}
	if (result != 0)
		return result;
	shown = (struct shown){
	    .file = file, .name = file, .key = public_half(file)};
	if (shown.key == NULL && access(file, R_OK) != 0)
		return err_set_errno(
		    err, ERR_USAGE, "cannot read the key %s", file);
	result = show(link, options, &shown, offers, err);
	ssh_key_free(shown.key);
	return result;
}

static int
try_keys(struct link *link, const struct link_options *options,
    struct offers *offers, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < options->key_count && result == 0; i++)
		result = try_file(link, options, options->keys[i], offers, err);
	if (options->key_count > 0)
		return result;
	if (ssh_userauth_publickey_auto(link->session, NULL, NULL) ==
	    SSH_AUTH_SUCCESS)
		return 1;
	note(offers, "the agent's keys and the usual files");
	return 0;
}

/* It had enough of us; sshd counts each key that an agent offers. */
static int
on_closed(const struct link *link, const struct link_options *options,
    struct err *err)
{
	const char *why = ssh_get_error(link->session);
	const bool has_counted = strstr(why, "Too many auth") != NULL;

	err_set(err, has_counted ? ERR_REFUSED : ERR_UNREACHABLE,
	    "%s closed the connection while we logged in: %s", link->name, why);
	if (has_counted && options->key_count > 0)
		return err_hint(
		    err, "name the one key that it lets in: -i KEY");
	if (has_counted)
		return err_hint(err,
		    "name the one key that it lets in, so that those of the "
		    "agent are not tried before it: -i KEY");
	/* sshd 10 resets the connection, and its word may be lost by that. */
	if (options->key_count == 0)
		err_hint(err,
		    "check the network; where an agent has many keys here, the "
		    "server may have had enough of them: name the one that it "
		    "lets in: -i KEY");
	return -1;
}

static int
on_refused(const struct link *link, const struct link_options *options,
    const struct offers *offers, enum link_person person, struct err *err)
{
	err_set(err, ERR_REFUSED, "%s lets none of our keys in: %s%s",
	    link->name, offers->text,
	    person == LINK_PERSON_REFUSED ? "; nor does it take what was typed"
					  : "");
	if (options->memory == LINK_ENROLLS)
		return err_hint(err,
		    "it needs one login of yours: a key (-i FILE), an agent "
		    "(ssh-add), or the password at a terminal");
	return err_hint(err, "at the server: kaya keys add "
			     "DIR/authorized_keys --name NAME KEY.pub");
}

int
link_authenticate(
    struct link *link, const struct link_options *options, struct err *err)
{
	enum link_person person = LINK_PERSON_SILENT;
	struct offers offers = {""};
	int result;

	/* Learns the server's methods; a server may let anybody in. */
	result = ssh_userauth_none(link->session, NULL);
	if (result == SSH_AUTH_SUCCESS)
		return 0;
	if (result != SSH_AUTH_ERROR) {
		result = try_keys(link, options, &offers, err);
		if (result != 0)
			return result < 0 ? -1 : 0;
	}
	/* A server that has had enough of our keys asks for no password. */
	if (ssh_is_connected(link->session))
		person = link_person_logs_in(link, options);
	if (person == LINK_PERSON_LET_IN)
		return 0;
	if (!ssh_is_connected(link->session))
		return on_closed(link, options, err);
	return on_refused(link, options, &offers, person, err);
}
