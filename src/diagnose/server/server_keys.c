#include "server_private.h"

#include "clock.h"
#include "keys_file.h"
#include "keys_judge.h"
#include "str.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* server_keys: the authorized_keys of all accounts, as keys lint judges them.
 */

enum keys_fact {
	KEYS_OK,
	KEYS_LINE_FAULT,
	KEYS_LINE_WARNING,
	KEYS_RISK,
	KEYS_UNREADABLE,
	KEYS_MORE,
	KEYS_TOO_MANY,
	KEYS_OTHERS,
	KEYS_NONE
};

enum { LINES_MAX = 100000 }; /* that are judged: each may be at fault */

static const struct check_row rows[] = {
    {KEYS_OK, FINDING_OK, ERR_NONE, NULL,
	"{file}: {keys} key{plural} of {account}", NULL, NULL},
    {KEYS_LINE_FAULT, FINDING_FAULT, ERR_REFUSED, "keys-line",
	"{file}:{line}:{column}: {cause}",
	"line {line} of {file} does not do what it is there for: {cause}",
	"{remedy}"},
    {KEYS_LINE_WARNING, FINDING_WARNING, ERR_NONE, "keys-line",
	"{file}:{line}:{column}: {cause}", "line {line} of {file}: {cause}",
	"{remedy}"},
    {KEYS_RISK, FINDING_FAULT, ERR_REFUSED, "keys-modes", "{path}: {cause}",
	"{cause}, so sshd reads none of the keys of {account} (StrictModes)",
	"{remedy}"},
    {KEYS_UNREADABLE, FINDING_NOT_KNOWN, ERR_NONE, "keys-not-read",
	"{file} of {account} cannot be read by this user", NULL, NULL},
    {KEYS_MORE, FINDING_WARNING, ERR_NONE, "keys-line", "{file}: {keys} more",
	"{keys} more lines of {file} are at fault",
	"see them all: kaya keys lint {typed}"},
    {KEYS_TOO_MANY, FINDING_NOT_KNOWN, ERR_NONE, "keys-not-judged",
	"{file} of {account} has {keys} lines, too many to be judged here: "
	"kaya keys lint {typed}",
	NULL, NULL},
    {KEYS_OTHERS, FINDING_NOT_KNOWN, ERR_NONE, "keys-not-read",
	"more than {keys} files of keys: the others were not looked at", NULL,
	NULL},
    {KEYS_NONE, FINDING_NOT_KNOWN, ERR_NONE, "no-keys",
	"no account has authorized_keys that this user may read", NULL, NULL},
};

struct telling {
	const struct server_account *account;
	const struct keys_finding *finding;
	const char *path;
	const char *cause;
	const char *remedy;
	size_t count; /* of MORE, TOO_MANY and OTHERS */
};

static void
tell(struct server *server, enum keys_fact fact, const struct telling *t)
{
	const char *file = t->account != NULL ? t->account->file : "";
	char line[24] = "", column[24] = "", keys[24] = "";
	char shown[PATH_MAX], typed[CHECK_TYPED_SIZE];

	if (t->finding != NULL) {
		snprintf(line, sizeof line, "%zu", t->finding->line);
		snprintf(column, sizeof column, "%zu", t->finding->column);
	}
	snprintf(keys, sizeof keys, "%zu",
	    t->count > 0 || t->account == NULL ? t->count : t->account->keys);
	const struct check_word words[] = {
	    {"file", str_escape(span_of_str(file), shown, sizeof shown)},
	    {"typed", check_typed(file, typed, sizeof typed)},
	    {"account", t->account != NULL ? t->account->name : ""},
	    {"keys", keys},
	    {"plural", t->account != NULL && t->account->keys == 1 ? "" : "s"},
	    {"line", line},
	    {"column", column},
	    {"path", t->path},
	    {"cause", t->cause},
	    {"remedy", t->remedy},
	    {0},
	};
	server_tell(server, "keys", SERVER_ROWS(rows), (int)fact, words);
}

/* ---- which files ---- */

/* AuthorizedKeysFile's %h, %u, %U, %%; a relative path is the home's. */
static bool
expand(const char *pattern, size_t len, const struct passwd *account,
    char *path, size_t size)
{
	size_t used = 0;

	path[0] = '\0';
	if (len > 0 && pattern[0] != '/' && strncmp(pattern, "%h", 2) != 0)
		used = (size_t)snprintf(path, size, "%s/", account->pw_dir);
	for (size_t i = 0; i < len && used < size; i++) {
		char piece[PATH_MAX] = {pattern[i], '\0'};

		if (pattern[i] == '%' && i + 1 < len) {
			i++;
			if (pattern[i] == 'h')
				snprintf(
				    piece, sizeof piece, "%s", account->pw_dir);
			else if (pattern[i] == 'u')
				snprintf(piece, sizeof piece, "%s",
				    account->pw_name);
			else if (pattern[i] == 'U')
				snprintf(
				    piece, sizeof piece, "%u", account->pw_uid);
			else
				piece[0] = '%';
		}
		used += (size_t)snprintf(path + used, size - used, "%s", piece);
	}
	return used > 0 && used < size;
}

static bool
is_gathered(const struct server *server, const char *path)
{
	for (size_t i = 0; i < server->account_count; i++)
		if (strcmp(server->accounts[i].file, path) == 0)
			return true;
	return false;
}

static void
count_keys(struct server_account *account)
{
	static struct authorized_keys_line line;
	size_t at = 0, number = 0;
	struct keys_files files;
	struct span text;
	struct err err;

	if (keys_files_open(&files, account->file, KEYS_FILES_READ_ONE, &err) !=
	    0)
		return;
	while (authorized_keys_next_line(
	    files.items[0].bytes, &at, &number, &text))
		if (authorized_keys_parse(text, &line) == AUTHORIZED_KEYS_KEY) {
			account->keys++;
			account->forwarders += line.rights.port_forwarding;
		}
	keys_files_close(&files);
}

/*
 * What may not be looked at may be there all the same: of people's accounts
 * and root's that is worth saying, of daemons' it is noise.
 */
static bool
may_be_there(const char *path, const struct passwd *account)
{
	if (access(path, F_OK) == 0)
		return true;
	return errno == EACCES &&
	       (account->pw_uid == 0 || account->pw_uid >= 1000);
}

static void
gather_one(struct server *server, const struct passwd *account,
    const char *pattern, size_t len)
{
	struct server_account *one;
	char path[PATH_MAX];

	if (!expand(pattern, len, account, path, sizeof path) ||
	    server->account_count == SERVER_ACCOUNTS_MAX ||
	    is_gathered(server, path))
		return;
	if (!may_be_there(path, account))
		return;
	one = &server->accounts[server->account_count++];
	snprintf(one->name, sizeof one->name, "%.63s", account->pw_name);
	snprintf(one->file, sizeof one->file, "%s", path);
	count_keys(one);
}

void
server_gather_keys(struct server *server)
{
	const char *patterns =
	    ssh_settings_get(&server->sshd, "authorizedkeysfile");
	const struct passwd *account;

	if (*patterns == '\0')
		patterns = ".ssh/authorized_keys .ssh/authorized_keys2";
	if (strcmp(patterns, "none") == 0)
		return;
	setpwent();
	while ((account = getpwent()) != NULL)
		for (const char *p = patterns; *p != '\0';) {
			size_t len = strcspn(p, " ");

			if (len > 0)
				gather_one(server, account, p, len);
			p += len;
			p += strspn(p, " ");
		}
	endpwent();
}

/* ---- what they say ---- */

struct risks {
	struct server *server;
	const struct server_account *account;
	size_t told;
};

static void
on_risk(void *arg, const struct keys_file_risk_at *at)
{
	struct risks *risks = arg;
	char cause[PATH_MAX + 200], remedy[CHECK_TYPED_SIZE + 100];
	char path[CHECK_TYPED_SIZE], shown[PATH_MAX];
	struct telling t = {.account = risks->account,
	    .path = shown,
	    .cause = cause,
	    .remedy = remedy};

	if (at->risk == KEYS_FILE_STICKY)
		return;
	str_escape(span_of_str(at->path), shown, sizeof shown);
	check_typed(at->path, path, sizeof path);
	if (at->risk == KEYS_FILE_OTHERS_WRITE) {
		snprintf(cause, sizeof cause,
		    "others than its owner may write %s", shown);
		snprintf(remedy, sizeof remedy, "chmod go-w %s", path);
	} else {
		snprintf(
		    cause, sizeof cause, "%s belongs to %s", shown, at->owner);
		snprintf(remedy, sizeof remedy, "chown %s %s",
		    risks->account->name, path);
	}
	tell(risks->server, KEYS_RISK, &t);
	risks->told++;
}

static size_t
tell_finding(struct server *server, const struct server_account *account,
    const struct keys_finding *finding)
{
	char remedy[3 * CHECK_TYPED_SIZE + 64], path[CHECK_TYPED_SIZE];
	struct telling t = {.account = account,
	    .finding = finding,
	    .cause = finding->cause,
	    .remedy = remedy};

	if (finding->severity == KEYS_NOTE)
		return 0;
	check_typed(account->file, path, sizeof path);
	if (finding->meant != NULL)
		snprintf(remedy, sizeof remedy,
		    "kaya keys lint --fix %s; mv %s.fixed %s", path, path,
		    path);
	else
		snprintf(remedy, sizeof remedy, "%s", finding->remedy);
	tell(server,
	    finding->severity == KEYS_WARNING ? KEYS_LINE_WARNING
					      : KEYS_LINE_FAULT,
	    &t);
	return 1;
}

static bool
wants_strict_modes(const struct server *server)
{
	return strcmp(ssh_settings_get(&server->sshd, "strictmodes"), "no") !=
	       0;
}

/* Whoever writes the file says how much there is to say of it. */
static size_t
tell_findings(struct server *server, const struct server_account *account,
    const struct keys_findings *found)
{
	struct telling t = {.account = account};
	size_t told = 0;

	for (size_t i = 0; i < found->count; i++)
		if (told < SERVER_LINES_TOLD)
			told += tell_finding(server, account, &found->items[i]);
		else
			t.count += found->items[i].severity != KEYS_NOTE;
	if (t.count > 0)
		tell(server, KEYS_MORE, &t);
	return told;
}

static size_t
count_lines(struct span bytes)
{
	size_t lines = 0;

	for (size_t i = 0; i < bytes.len; i++)
		lines += bytes.data[i] == '\n';
	return lines;
}

static void
judge(struct server *server, const struct server_account *account)
{
	struct telling t = {.account = account};
	struct risks risks = {.server = server, .account = account};
	struct keys_findings found;
	struct keys_files files;
	struct err err;

	if (keys_files_open(&files, account->file, KEYS_FILES_READ_ONE, &err) !=
	    0) {
		tell(server, KEYS_UNREADABLE, &t);
		return;
	}
	if (files.items[0].target != NULL && wants_strict_modes(server))
		keys_file_risks(&files.items[0], on_risk, &risks);
	t.count = count_lines(files.items[0].bytes);
	if (t.count > LINES_MAX) {
		tell(server, KEYS_TOO_MANY, &t);
		risks.told++;
	} else if (keys_judge(files.items[0].bytes, clock_wall_s(), &found,
		       &err) == 0) {
		risks.told += tell_findings(server, account, &found);
		keys_findings_fini(&found);
	}
	t.count = 0;
	if (risks.told == 0)
		tell(server, KEYS_OK, &t);
	keys_files_close(&files);
}

enum check_next
server_keys(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct telling t = {0};

	for (size_t i = 0; i < server->account_count; i++)
		judge(server, &server->accounts[i]);
	if (server->account_count == 0)
		tell(server, KEYS_NONE, &t);
	t.count = SERVER_ACCOUNTS_MAX;
	if (server->account_count == SERVER_ACCOUNTS_MAX)
		tell(server, KEYS_OTHERS, &t);
	return CHECK_GO_ON;
}
