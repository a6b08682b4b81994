#include "doctor_server_file.h"

#include "clock.h"
#include "doctor_certificate.h"
#include "keys_file.h"
#include "ssh_says.h"
#include "shell.h"
#include "str.h"

#include <glob.h>
#include <limits.h>
#include <pwd.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum file_fact {
	FILE_ABSENT = SERVER_LINE_ABSENT,
	FILE_VOID = SERVER_LINE_VOID,
	FILE_AUTHORITY = SERVER_LINE_AUTHORITY,
	FILE_PLAIN = SERVER_LINE_PLAIN,
	FILE_PRINCIPALS = SERVER_LINE_PRINCIPALS,
	FILE_USER = SERVER_LINE_USER,
	FILE_EXPIRED = SERVER_LINE_EXPIRED,
	FILE_FROM = SERVER_LINE_FROM,
	FILE_ADMITS = SERVER_LINE_ADMITS,
	FILE_VOID_HERE = SERVER_LINE_VOID_HERE,
	FILE_VOID_UNMENDABLE,
	FILE_NO_AUTHORITY,
	FILE_ADMITS_AT_GATEWAY,
	FILE_OTHERS_WRITE,
	FILE_OTHER_OWNER,
	FILE_UNREADABLE
};

static const struct check_row rows[] = {
    {FILE_ABSENT, FINDING_FAULT, ERR_REFUSED, "key-not-in-file",
	"{file} does not have {key} ({fingerprint})",
	"no line of {file} has the key {key}",
	"at the server: kaya keys add --name NAME {path} {public}"},
    {FILE_NO_AUTHORITY, FINDING_FAULT, ERR_REFUSED, "authority-not-in-file",
	"{file} does not have the authority {authority} of {key}",
	"no line of {file} has the authority {authority}, which has signed "
	"{key}, as cert-authority",
	"at the server: echo {authority_line} >> {path}"},
    {FILE_PLAIN, FINDING_FAULT, ERR_REFUSED, "line-not-authority",
	"{file}:{line}: the authority of {key} stands there as a key",
	"line {line} of {file} has the authority {authority} of {key} without "
	"cert-authority: it lets in that very key, and nothing that it signs",
	"at the server: sed -i '{line}s/^[ \\t]*/cert-authority{between}/' "
	"{path}"},
    {FILE_PRINCIPALS, FINDING_FAULT, ERR_REFUSED, "line-principals",
	"{file}:{line}: principals=\"...\" has none of {names}",
	"line {line} of {file} lets in what the authority of {key} signs for "
	"others: its principals=\"...\" names none of {names}",
	"at the server: sed -i "
	"'{line}s/principals=\"[^\"]*\"/principals=\"{names_alone}\"/I' "
	"{path}"},
    {FILE_USER, FINDING_FAULT, ERR_REFUSED, "certificate-user",
	"{key} is for {names}, not for {user}", CERTIFICATE_USER_CAUSE,
	CERTIFICATE_USER_REMEDY},
    {FILE_VOID, FINDING_FAULT, ERR_REFUSED, "line-void",
	"{file}:{line}:{column}: {cause}",
	"sshd passes over line {line} of {file}, on which {what} "
	"stands: {cause}",
	"at the server: kaya keys lint --fix {path}; mv {path}.fixed {path}"},
    {FILE_VOID_UNMENDABLE, FINDING_FAULT, ERR_REFUSED, "line-void",
	"{file}:{line}:{column}: {cause}",
	"sshd passes over line {line} of {file}, on which {what} "
	"stands: {cause}",
	"at the server, write that line anew: sed -i {line}d {path}; {anew}"},
    {FILE_AUTHORITY, FINDING_FAULT, ERR_REFUSED, "line-authority",
	"{file}:{line}: {key} stands there as a certificate authority",
	"line {line} of {file} has the key {key} as cert-authority: it lets in "
	"what the key has signed, not the key",
	"at the server: sed -i -E -e "
	"'{line}s/,(cert-authority|principals=\"[^\"]*\")//Ig' -e "
	"'{line}s/(cert-authority|principals=\"[^\"]*\"),*//Ig' {path}"},
    {FILE_EXPIRED, FINDING_FAULT, ERR_REFUSED, "line-expired",
	"{file}:{line}: its expiry-time is over",
	"line {line} of {file}, on which {what} stands, has expired",
	"at the server, for one year more: sed -i "
	"'{line}s/expiry-time=\"[^\"]*\"/expiry-time=\"{year}\"/Ig' {path}"},
    {FILE_FROM, FINDING_FAULT, ERR_REFUSED, "line-from",
	"{file}:{line}: its from list does not let {client} in",
	"line {line} of {file}, on which {what} stands, does not let in "
	"who comes from {client} (behind NAT the server sees another address)",
	"at the server: sed -i '{line}s|from=\"[^\"]*\"|from=\"{client}\"|I' "
	"{path}"},
    {FILE_ADMITS, FINDING_FAULT, ERR_REFUSED, "other-file",
	"{file}:{line} would let {key} in",
	"{file} would let the key in, so the server reads another file, or has "
	"no user {user}, or forbids {user} to log in or this type of key",
	"at the server: getent passwd {user}; sshd -T -C user={user} | grep -i "
	"-e authorizedkeys -e allow -e deny -e permitroot -e pubkeyaccepted"},
    {FILE_VOID_HERE, FINDING_FAULT, ERR_REFUSED, "line-void",
	"{file}:{line}:{column}: {cause}",
	"kayad passes over line {line} of {file}, on which {what} stands: "
	"{cause}",
	"at the gateway, on line {line} of {file}: {remedy}"},
    {FILE_ADMITS_AT_GATEWAY, FINDING_FAULT, ERR_REFUSED, "other-file",
	"{file}:{line} would let {key} in",
	"{file} would let {key} in, so the gateway reads another file, or has "
	"not read it anew, or it is revoked (revoked_keys)",
	"at the gateway, its log tells which: journalctl -u kayad | grep "
	"event=refuse | tail -n 3; what it reads: kayad -t"},
    {FILE_OTHERS_WRITE, FINDING_FAULT, ERR_REFUSED, "others-may-write",
	"others may write {file}",
	"others than its owner may write {file}, so sshd does not read the "
	"keys at all (StrictModes)",
	"at the server: chmod go-w {path}"},
    {FILE_OTHER_OWNER, FINDING_FAULT, ERR_REFUSED, "other-owner",
	"{file} belongs to {owner}",
	"{file} belongs to {owner}, so sshd does not read the keys at all "
	"(StrictModes)",
	"at the server: chown {user} {path}"},
    {FILE_UNREADABLE, FINDING_NOT_KNOWN, ERR_NONE, "server-file", "{cause}",
	NULL, NULL},
};

enum { QUOTED_SIZE = 600 }; /* a path in a remedy, as it is typed */

struct case_file {
	struct doctor *doctor;
	struct findings *findings;
	const struct identity *identity;
	struct doctor_certificate certificate; /* where it is one */
	const char *path;
	bool told; /* a risk of StrictModes */
};

/* ---- which file ---- */

bool
doctor_is_at_server(const struct doctor *doctor)
{
	const struct sockaddr *there;
	struct sockaddr_storage here;
	socklen_t len = sizeof here;
	bool same = false;
	int fd;

	if (doctor->open == NULL)
		return false;
	there = (const void *)&doctor->open->name;
	/* An address that we can bind is ours. */
	memcpy(&here, there, doctor->open->len);
	len = doctor->open->len;
	if (here.ss_family == AF_INET)
		((struct sockaddr_in *)&here)->sin_port = 0;
	else
		((struct sockaddr_in6 *)&here)->sin6_port = 0;
	fd = socket(here.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0) {
		same = bind(fd, (struct sockaddr *)&here, len) == 0;
		close(fd);
	}
	return same;
}

/* A server on another port than 22 may well read another file. */
bool
doctor_find_server_file(const struct doctor *doctor, char *path, size_t size)
{
	const struct passwd *account;

	if (doctor->options->server_file != NULL) {
		snprintf(path, size, "%s", doctor->options->server_file);
		return true;
	}
	if (strcmp(doctor->port, "22") != 0 || !doctor_is_at_server(doctor))
		return false;
	account = getpwnam(doctor->user);
	if (account == NULL)
		return false;
	snprintf(path, size, "%s/.ssh/authorized_keys", account->pw_dir);
	return access(path, R_OK) == 0;
}

/* ---- what it says ---- */

static void
tell(struct case_file *c, enum file_fact fact, const struct server_line *line,
    const char *file, const char *owner)
{
	const struct doctor_certificate *certificate = &c->certificate;
	char number[24], column[24], year[24] = "";
	char what[sizeof c->identity->name + 32];
	char anew[FINDING_TEXT], by_name[2 * DOCTOR_COMMAND];
	char path[QUOTED_SIZE], public[QUOTED_SIZE];
	time_t next = (time_t)clock_wall_s() + 365 * 86400;
	struct tm tm;

	if (gmtime_r(&next, &tm) != NULL)
		strftime(year, sizeof year, "%Y%m%dZ", &tm);
	snprintf(number, sizeof number, "%zu", line->line);
	snprintf(column, sizeof column, "%zu", line->column);
	snprintf(what, sizeof what,
	    c->identity->is_certificate ? "the authority of %s" : "the key %s",
	    c->identity->name);
	shell_quoted(file, path, sizeof path);
	/* An agent's comment is no file. */
	snprintf(anew, sizeof anew, "%.*s.pub", (int)sizeof public,
	    c->identity->in_agent ? "KEY" : c->identity->name);
	shell_quoted(anew, public, sizeof public);
	if (c->identity->is_certificate)
		snprintf(anew, sizeof anew, "echo %s >> %s",
		    certificate->authority_line, path);
	else
		snprintf(anew, sizeof anew, "kaya keys add --name NAME %s %s",
		    path, public);
	doctor_repeat(
	    c->doctor, DOCTOR_REPEAT_ALL, "-l", by_name, sizeof by_name);
	const struct check_word words[] = {
	    {"file", file},
	    {"path", path},
	    {"public", public},
	    {"what", what},
	    {"by_name", by_name},
	    {"anew", anew},
	    {"names", certificate->names},
	    {"names_alone", certificate->names_alone},
	    {"authority", certificate->authority},
	    {"authority_line", certificate->authority_line},
	    {"sign", certificate->sign},
	    {"between", line->has_options ? "," : " "},
	    {"line", number},
	    {"column", column},
	    {"cause", line->cause},
	    {"remedy", line->remedy},
	    {"key", c->identity->name},
	    {"fingerprint", c->identity->fingerprint},
	    {"client", c->doctor->client},
	    {"user", c->doctor->user},
	    {"owner", owner},
	    {"year", year},
	    {0},
	};
	doctor_tell(c->findings, "auth", DOCTOR_ROWS(rows), (int)fact, words);
}

static void
on_risk(void *arg, const struct keys_file_risk_at *at)
{
	static const struct server_line none = {0};
	struct case_file *c = arg;

	if (c->told)
		return;
	c->told = true;
	tell(c,
	    at->risk == KEYS_FILE_OTHER_OWNER ? FILE_OTHER_OWNER
					      : FILE_OTHERS_WRITE,
	    &none, at->path, at->owner);
}

/* Where the account is one of this machine, it is known whose it has to be. */
static void
check_owner(struct case_file *c, const struct keys_file *file)
{
	const struct passwd *account = getpwnam(c->doctor->user), *owner;
	struct keys_file_risk_at at = {
	    .risk = KEYS_FILE_OTHER_OWNER, .path = file->target};
	char digits[24];

	if (account == NULL || !doctor_is_at_server(c->doctor) ||
	    file->st.st_uid == 0 || file->st.st_uid == account->pw_uid)
		return;
	snprintf(digits, sizeof digits, "%u", (unsigned)file->st.st_uid);
	owner = getpwuid(file->st.st_uid);
	at.owner = owner != NULL ? owner->pw_name : digits;
	on_risk(c, &at);
}

static void
find(const struct doctor *doctor, const struct identity *identity,
    const struct doctor_certificate *certificate, struct span file,
    struct server_line *found)
{
	struct server_line_certificate names;
	struct server_line_asker asker;

	doctor_certificate_ask(doctor, identity, certificate, &names, &asker);
	server_line_find(file, &asker, found);
}

static void
judge(struct case_file *c, const struct keys_file *file)
{
	struct server_line found;
	enum file_fact fact;

	find(c->doctor, c->identity, &c->certificate, file->bytes, &found);
	if (doctor_is_gateway(c->doctor))
		server_line_judge_here(file->bytes, &found);
	fact = (enum file_fact)found.fact;
	if (fact == FILE_ABSENT && c->identity->is_certificate)
		fact = FILE_NO_AUTHORITY;
	/* Whose names no sed takes is signed for anew. */
	if (fact == FILE_PRINCIPALS && c->certificate.names_alone[0] == '\0')
		fact = FILE_USER;
	if (fact == FILE_ADMITS && doctor_is_gateway(c->doctor))
		fact = FILE_ADMITS_AT_GATEWAY;
	if (fact == FILE_VOID && !found.can_be_mended)
		fact = FILE_VOID_UNMENDABLE;
	/* Where a line would let it in, the file itself may be distrusted. */
	if (fact == FILE_ADMITS && file->target != NULL) {
		keys_file_risks(file, on_risk, c);
		check_owner(c, file);
	}
	if (!c->told)
		tell(c, fact, &found, c->path, NULL);
}

/* The refused key that the file knows best: one of its lines, if any. */
static const struct identity *
choose(const struct doctor *doctor, const struct identities *identities,
    const struct keys_file *file)
{
	const struct identity *first = NULL;
	struct server_line found;

	for (size_t i = 0; i < identities->count; i++) {
		const struct identity *one = &identities->items[i];
		struct doctor_certificate certificate;

		if (one->state != IDENTITY_REFUSED)
			continue;
		if (first == NULL)
			first = one;
		doctor_certificate_read(doctor, one, &certificate);
		find(doctor, one, &certificate, file->bytes, &found);
		doctor_certificate_fini(&certificate);
		if (found.fact != SERVER_LINE_ABSENT)
			return one;
	}
	return first;
}

bool
doctor_judge_server_file(struct doctor *doctor,
    const struct identities *identities, struct findings *findings)
{
	struct case_file c = {.doctor = doctor, .findings = findings};
	struct server_line why = {0};
	struct keys_files files;
	struct err err = ERR_INIT;
	char path[PATH_MAX];

	if (!doctor_find_server_file(doctor, path, sizeof path))
		return false;
	c.path = path;
	if (server_line_open(&files, path, &err) != 0) {
		static const struct identity nobody = {0};

		c.identity = &nobody;
		snprintf(why.cause, sizeof why.cause, "%.255s", err.what);
		tell(&c, FILE_UNREADABLE, &why, path, NULL);
		return false;
	}
	c.identity = choose(doctor, identities, &files.items[0]);
	if (c.identity != NULL) {
		doctor_certificate_read(doctor, c.identity, &c.certificate);
		judge(&c, &files.items[0]);
		doctor_certificate_fini(&c.certificate);
	}
	keys_files_close(&files);
	return c.identity != NULL;
}

void
doctor_find_key_file(const struct identity *identity, char *file, size_t size)
{
	char pattern[PATH_MAX], base64[8192];
	glob_t found;

	file[0] = '\0';
	str_base64_encode(span_of(identity->blob, identity->blob_len), base64);
	ssh_says_path("~/.ssh/*.pub", pattern, sizeof pattern);
	if (glob(pattern, GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc && file[0] == '\0'; i++) {
		FILE *stream = fopen(found.gl_pathv[i], "re");
		char line[8192] = "";

		if (stream == NULL)
			continue;
		if (fgets(line, sizeof line, stream) != NULL &&
		    strstr(line, base64) != NULL)
			snprintf(file, size, "%.*s",
			    (int)strlen(found.gl_pathv[i]) - 4,
			    found.gl_pathv[i]);
		fclose(stream);
		if (file[0] != '\0' && access(file, R_OK) != 0)
			file[0] = '\0';
	}
	globfree(&found);
}
