#include "command_private.h"

#include "identity.h"
#include "ssh_says.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* command_keys: the key files that the command names. */

enum key_fact {
	KEY_MISSING,
	KEY_OPEN,
	KEY_OTHERS,
	KEY_PUBLIC,
	KEY_PUTTY,
	KEY_UNREADABLE,
	KEY_PASSPHRASE,
	KEY_AMONG_OTHERS
};

static const struct check_row rows[] = {
    {KEY_MISSING, FINDING_FAULT, ERR_REFUSED, "key-file-missing",
	"-i {file}: there is no such file",
	"ssh only warns that {file} is not there, and goes on with other keys "
	"or a password",
	"{near}"},
    {KEY_OPEN, FINDING_FAULT, ERR_REFUSED, "key-file-open",
	"-i {file}: others may read it (mode {mode})",
	"ssh says \"UNPROTECTED PRIVATE KEY FILE\" and does not use a key that "
	"others may read",
	"chmod 600 {typed}"},
    {KEY_OTHERS, FINDING_FAULT, ERR_REFUSED, "key-file-unreadable",
	"-i {file}: this user may not read it",
	"{file} belongs to somebody else, and this user may not read it",
	"run ssh as its owner, or make a key for this user: ssh-keygen -t "
	"ed25519 -N '' -f ~/.ssh/id_mqtt"},
    {KEY_PUBLIC, FINDING_FAULT, ERR_REFUSED, "public-key",
	"-i {file}: that is the public key",
	"{file} is the public half, which nobody can log in by; -i wants the "
	"private one",
	"{better}"},
    {KEY_PUTTY, FINDING_FAULT, ERR_REFUSED, "putty-key",
	"-i {file}: that is PuTTY's format",
	"OpenSSH does not read PuTTY's key files",
	"puttygen {typed} -O private-openssh -o {typed}.key && chmod 600 "
	"{typed}.key, then {better}"},
    {KEY_UNREADABLE, FINDING_FAULT, ERR_REFUSED, "key-file-malformed",
	"-i {file}: no key that can be read",
	"the file {file} holds no private key",
	"see what it is: head -1 {typed}; a new one: ssh-keygen -t ed25519 -N "
	"'' -f NAME"},
    {KEY_PASSPHRASE, FINDING_WARNING, ERR_NONE, "passphrase",
	"-i {file}: it has a passphrase, and no agent holds it",
	"ssh asks for the passphrase each time it connects; with -f, BatchMode "
	"or in a service nobody types it",
	"for an unattended device take it off: ssh-keygen -p -N '' -f {typed}; "
	"or give it to an agent: ssh-add {typed}"},
    {KEY_AMONG_OTHERS, FINDING_WARNING, ERR_NONE, "agent-first",
	"the agent's {count} keys are offered before {file}",
	"without IdentitiesOnly ssh offers all of the agent's keys, too: "
	"another one may be let in, with another line of authorized_keys, or "
	"the server hangs up before the right one comes (MaxAuthTries, 6)",
	"-o IdentitiesOnly=yes"},
};

struct key {
	const char *file; /* as written */
	char path[PATH_MAX];
	struct command_option *option; /* NULL: of ssh_config */
	struct stat st;
	const char *better;
	char near[PATH_MAX + 2 * CHECK_TYPED_SIZE];
};

/* A shell knows ~ outside of quotes alone. */
static const char *
put_typed(const struct key *key, char typed[CHECK_TYPED_SIZE])
{
	const bool tilde = strncmp(key->file, "~/", 2) == 0;

	check_typed(key->file + (tilde ? 2 : 0), typed, CHECK_TYPED_SIZE);
	if (tilde && typed[0] != '\'' && strcmp(typed, "FILE") != 0)
		snprintf(typed, CHECK_TYPED_SIZE, "%.*s", CHECK_TYPED_SIZE - 1,
		    key->file);
	else if (tilde)
		check_typed(key->path, typed, CHECK_TYPED_SIZE);
	return typed;
}

static void
tell(struct command_case *c, enum key_fact fact, const struct key *key,
    size_t others)
{
	char mode[8], count[24], typed[CHECK_TYPED_SIZE];

	snprintf(mode, sizeof mode, "%04o", key->st.st_mode & 07777);
	snprintf(count, sizeof count, "%zu", others);
	const struct check_word words[] = {
	    {"file", key->file},
	    {"typed", put_typed(key, typed)},
	    {"mode", mode},
	    {"count", count},
	    {"near", key->near},
	    {"better", key->better},
	    {0},
	};
	command_tell(c, COMMAND_ROWS(rows), (int)fact, words);
}

/* ---- what a file is ---- */

enum content {
	CONTENT_PRIVATE,
	CONTENT_LOCKED,
	CONTENT_PUBLIC,
	CONTENT_PUTTY,
	CONTENT_OTHER
};

static int
on_passphrase(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg)
{
	*(int *)arg = 1;
	return -1;
}

static enum content
look_into(const char *path)
{
	char head[64] = "";
	FILE *file = fopen(path, "re");
	ssh_key key = NULL;
	int asked = 0;

	if (file != NULL) {
		if (fgets(head, sizeof head, file) == NULL)
			head[0] = '\0';
		fclose(file);
	}
	if (strncmp(head, "PuTTY-User-Key-File", 19) == 0)
		return CONTENT_PUTTY;
	if (ssh_pki_import_privkey_file(
		path, NULL, on_passphrase, &asked, &key) == SSH_OK) {
		ssh_key_free(key);
		return CONTENT_PRIVATE;
	}
	if (asked)
		return CONTENT_LOCKED;
	if (ssh_pki_import_pubkey_file(path, &key) == SSH_OK) {
		ssh_key_free(key);
		return CONTENT_PUBLIC;
	}
	return CONTENT_OTHER;
}

/* Where a missing file may be: ~/.ssh has one of that name. */
static void
find_near(struct key *key)
{
	const char *slash = strrchr(key->file, '/');
	const char *name = slash != NULL ? slash + 1 : key->file;
	char path[PATH_MAX], typed[CHECK_TYPED_SIZE];

	snprintf(path, sizeof path, "%s/.ssh/%s", ssh_says_home(), name);
	if (access(path, F_OK) == 0 && strcmp(path, key->path) != 0) {
		snprintf(key->near, sizeof key->near, "-i %s", path);
		key->better = key->near + 3;
		return;
	}
	put_typed(key, typed);
	snprintf(key->near, sizeof key->near,
	    "name one that is there (ls ~/.ssh), or make it and have it let "
	    "in: ssh-keygen -t ed25519 -N '' -f %s; ssh-copy-id -i %s.pub ...",
	    typed, typed);
}

static void
replace(struct command_case *c, const struct key *key)
{
	const char *copy;

	if (key->option == NULL || key->better == NULL)
		return;
	copy = arena_str(&c->given->arena, span_of_str(key->better));
	if (copy != NULL)
		command_set(c, key->option, copy);
}

/* The agent has this very key: its passphrase is typed already. */
static bool
is_in_agent(const struct identities *agent, const char *path)
{
	struct link_options options = {.keys = {path}, .key_count = 1};
	struct identities own;
	struct err err;
	bool found = false;

	if (identities_gather(&own, &options, &err) != 0)
		return false;
	for (size_t i = 0; i < agent->count; i++)
		found = found || (agent->items[i].in_agent && own.count > 0 &&
				     own.items[0].blob_len > 0 &&
				     strcmp(agent->items[i].fingerprint,
					 own.items[0].fingerprint) == 0);
	identities_fini(&own);
	return found;
}

static void
check_public(
    struct command_case *c, struct key *key, const struct identities *agent)
{
	char private_path[PATH_MAX], better[PATH_MAX];
	size_t len = strlen(key->path), said = strlen(key->file);

	/* With a public file ssh asks the agent for its private half. */
	if (is_in_agent(agent, key->path))
		return;
	snprintf(better, sizeof better, "-i %s", key->file);
	if (len > 4 && strcmp(key->path + len - 4, ".pub") == 0) {
		snprintf(private_path, sizeof private_path, "%.*s",
		    (int)len - 4, key->path);
		snprintf(
		    better, sizeof better, "-i %.*s", (int)said - 4, key->file);
		key->better = better;
		tell(c, KEY_PUBLIC, key, 0);
		key->better = better + 3;
		if (access(private_path, F_OK) == 0)
			replace(c, key);
		key->better = NULL;
		return;
	}
	key->better = "-i the file of that name without .pub";
	tell(c, KEY_PUBLIC, key, 0);
}

static void
check_content(
    struct command_case *c, struct key *key, const struct identities *agent)
{
	char better[PATH_MAX + 8];

	switch (look_into(key->path)) {
	case CONTENT_PUBLIC:
		check_public(c, key, agent);
		break;
	case CONTENT_PUTTY:
		snprintf(better, sizeof better, "-i %s.key", key->file);
		key->better = better;
		tell(c, KEY_PUTTY, key, 0);
		key->better = better + 3;
		replace(c, key);
		key->better = NULL;
		break;
	case CONTENT_LOCKED:
		if (!is_in_agent(agent, key->path))
			tell(c, KEY_PASSPHRASE, key, 0);
		break;
	case CONTENT_OTHER:
		tell(c, KEY_UNREADABLE, key, 0);
		break;
	case CONTENT_PRIVATE:
		break;
	}
}

static void
check_file(
    struct command_case *c, struct key *key, const struct identities *agent)
{
	ssh_says_path(key->file, key->path, sizeof key->path);
	if (stat(key->path, &key->st) != 0) {
		find_near(key);
		tell(c, KEY_MISSING, key, 0);
		replace(c, key);
		return;
	}
	if (access(key->path, R_OK) != 0) {
		tell(c, KEY_OTHERS, key, 0);
		return;
	}
	/* ssh asks this of its own user's files alone, whoever runs it. */
	if ((key->st.st_mode & 077) != 0 && key->st.st_uid == getuid() &&
	    look_into(key->path) != CONTENT_PUBLIC)
		tell(c, KEY_OPEN, key, 0);
	check_content(c, key, agent);
}

static void
check_agent(struct command_case *c, const struct key *key,
    const struct identities *agent)
{
	size_t others = 0;

	if (command_is(c, "identitiesonly", "yes") ||
	    command_is(c, "identityagent", "none"))
		return;
	for (size_t i = 0; i < agent->count; i++)
		others += agent->items[i].in_agent;
	if (others == 0 || (others == 1 && is_in_agent(agent, key->path)))
		return;
	tell(c, KEY_AMONG_OTHERS, key, others);
	command_set_word(c, "IdentitiesOnly", "yes");
}

/* What ssh tries where nobody names a file: not there is no fault. */
static bool
is_usual(const char *file)
{
	static const char *const names[] = {
	    "rsa", "ecdsa", "ecdsa_sk", "ed25519", "ed25519_sk", "xmss", "dsa"};

	if (strncmp(file, "~/.ssh/id_", 10) != 0)
		return false;
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(file + 10, names[i]) == 0)
			return true;
	return false;
}

static bool
is_option(struct command_case *c, const char *file)
{
	for (size_t i = 0; i < c->mended.option_count; i++)
		if (c->mended.options[i].letter == 'i' &&
		    strcmp(c->mended.options[i].argument, file) == 0)
			return true;
	return false;
}

/* Those of -i, then those of ssh_config; the agent's are for comparing. */
static void
check_keys(struct command_case *c)
{
	struct link_options anything = {
	    .dest = "localhost", .ssh_config = "none"};
	size_t at = 0, count = c->mended.option_count;
	struct identities agent;
	struct key first = {0};
	const char *file;
	struct err err;

	if (identities_gather(&agent, &anything, &err) != 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct command_option *option = &c->mended.options[i];
		struct key key = {0};

		key.file = option->argument;
		key.option = option;
		if (option->letter != 'i' || option->dropped)
			continue;
		check_file(c, &key, &agent);
		if (first.file == NULL)
			first = key;
	}
	while ((file = ssh_settings_next(&c->settings, "identityfile", &at)) !=
	       NULL) {
		struct key key = {.file = file};

		if (is_usual(file) || is_option(c, file))
			continue;
		check_file(c, &key, &agent);
		if (first.file == NULL)
			first = key;
	}
	if (first.file != NULL)
		check_agent(c, &first, &agent);
	identities_fini(&agent);
}

command_check_fn *const command_key_checks[] = {check_keys, NULL};
