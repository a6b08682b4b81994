#include "doctor_server_file.h"

#include "doctor_certificate.h"
#include "keys_file.h"
#include "line_lacks.h"
#include "server_setting.h"
#include "shell.h"
#include "str.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* doctor_line: where the key's own line in the server's file lets it go. */

enum line_fact {
	LINE_NO_FORWARDING = LINE_LACKS_FORWARDING,
	LINE_OTHER_TARGET = LINE_LACKS_TARGET,
	LINE_PERMITS = LINE_LACKS_NOTHING,
	LINE_SETTING = LINE_LACKS_TARGET + 1, /* it permits, this does not */
	LINE_OTHER_FILE, /* both permit: the server has read another line */
	LINE_NOT_THERE,
	LINE_NOT_READ
};

static const struct check_row rows[] = {
    {LINE_NO_FORWARDING, FINDING_FAULT, ERR_REFUSED, "line-no-forwarding",
	"{broker}: administratively prohibited by {file}:{line}: {taker}",
	"line {line} of {file}, which lets the key {key} in, lets it go "
	"nowhere: it says {taker}",
	"{remedy}"},
    {LINE_OTHER_TARGET, FINDING_FAULT, ERR_REFUSED, "line-other-target",
	"{broker}: administratively prohibited by {file}:{line}: no "
	"permitopen names it",
	"line {line} of {file}, which lets the key {key} in, lets it go "
	"elsewhere: no permitopen of it names {broker}",
	"{remedy}"},
    {LINE_PERMITS, FINDING_FAULT, ERR_REFUSED, "server-prohibits",
	"{broker}: administratively prohibited, and not by {file}:{line}",
	"line {line} of {file}, which lets the key {key} in, would let it go "
	"to {broker}: it is sshd_config that does not (AllowTcpForwarding, "
	"DisableForwarding or PermitOpen)",
	"at the server, see which of them: sshd -T -C user={user} | grep -i -e "
	"forwarding -e permitopen; where it is AllowTcpForwarding: echo "
	"'AllowTcpForwarding local' > "
	"/etc/ssh/sshd_config.d/00-forwarding.conf && systemctl reload ssh"},
    {LINE_SETTING, FINDING_FAULT, ERR_REFUSED, "server-prohibits",
	"{broker}: administratively prohibited by sshd_config: {setting}",
	"line {line} of {file}, which lets the key {key} in, would let it go "
	"to {broker}: it is sshd_config that does not, for {user}: {setting}",
	"{remedy}"},
    {LINE_OTHER_FILE, FINDING_FAULT, ERR_REFUSED, "other-file",
	"{broker}: administratively prohibited, and not by {file}:{line}",
	"line {line} of {file} would let the key {key} go to {broker}, and so "
	"would sshd_config, for {user}: the server has not read its settings "
	"since they were changed, or reads another file of keys",
	"at the server: systemctl reload ssh; if it stays, see which file it "
	"reads: sshd -T -C user={user} | grep -i authorizedkeys; then, with "
	"that one: kaya doctor --server-file FILE {with_file}"},
    {LINE_NOT_THERE, FINDING_NOT_KNOWN, ERR_NONE, "server-file",
	"no line of {file} lets {key} in, but the server did: it reads another "
	"file",
	NULL, NULL},
    {LINE_NOT_READ, FINDING_NOT_KNOWN, ERR_NONE, "server-file", "{cause}", NULL,
	NULL},
};

/* A remedy has to fit into a finding, whole. */
enum { REMEDY_SIZE = FINDING_TEXT - 256 };

/* What the file says of the key that was let in. */
struct verdict {
	enum line_fact fact;
	char path[PATH_MAX]; /* the file */
	struct server_line found;
	const char *taker; /* what of the line takes forwarding away */
	struct server_setting setting; /* of LINE_SETTING */
	struct err err; /* of LINE_NOT_READ */
	char remedy[REMEDY_SIZE];
};

/*
 * sed's command to put `meant` in the place of line `number`; "" where it
 * cannot be typed, or does not fit.
 */
static void
put_command(struct span meant, size_t number, const char *path, char *remedy)
{
	char script[REMEDY_SIZE];
	size_t used = (size_t)snprintf(script, sizeof script, "%zuc\\", number);
	struct buf text;

	remedy[0] = '\0';
	if (!str_is_shown(meant))
		return;
	for (size_t i = 0; i < meant.len; i++) {
		if (used + 3 > sizeof script)
			return;
		if (meant.data[i] == '\\')
			script[used++] = '\\';
		script[used++] = (char)meant.data[i];
	}
	script[used] = '\0';
	buf_init(&text, REMEDY_SIZE - 1);
	buf_append_str(&text, "at the server: sed -i ");
	shell_quote(&text, script);
	buf_append_str(&text, " ");
	shell_quote(&text, path);
	if (!text.failed)
		span_to_str(buf_span(&text), remedy, REMEDY_SIZE);
	buf_fini(&text);
}

/* The same in words. */
static void
put_words(const struct doctor *doctor, enum line_lack lack, size_t number,
    const char *path, char *remedy)
{
	snprintf(remedy, REMEDY_SIZE,
	    "at the server, among the options of line %zu of %.*s: "
	    "%spermitopen=\"%s\"",
	    number, REMEDY_SIZE / 2, path,
	    lack == LINE_LACKS_FORWARDING
		? "port-forwarding (behind restrict; no no-port-forwarding), "
		: "",
	    doctor->broker);
}

/* ---- the line ---- */

/* The line that let the key in; false where there is none. */
static bool
find_line(const struct doctor *doctor, struct span file,
    struct authorized_keys_line *line, struct server_line *found)
{
	struct server_line_certificate names;
	struct doctor_certificate certificate;
	struct server_line_asker asker;
	size_t at = 0, number = 0;
	struct span text;

	doctor_certificate_read(doctor, &doctor->identity, &certificate);
	doctor_certificate_ask(
	    doctor, &doctor->identity, &certificate, &names, &asker);
	server_line_find(file, &asker, found);
	doctor_certificate_fini(&certificate);
	if (found->fact != SERVER_LINE_ADMITS)
		return false;
	while (authorized_keys_next_line(file, &at, &number, &text))
		if (number == found->line)
			return authorized_keys_parse(text, line) ==
			       AUTHORIZED_KEYS_KEY;
	return false;
}

static void
judge(const struct doctor *doctor, struct span file, struct verdict *verdict)
{
	const struct line_target target = {
	    .host = doctor->options->broker_host,
	    .port = doctor->options->broker_port,
	    .text = doctor->broker,
	};
	const size_t *number = &verdict->found.line;
	struct authorized_keys_line line;
	enum line_lack lack;
	struct buf meant;

	verdict->fact = LINE_NOT_THERE;
	if (!find_line(doctor, file, &line, &verdict->found))
		return;
	buf_init(&meant, line.text.len + 2 * sizeof doctor->broker);
	lack = line_lacks(&line, &target, &meant);
	verdict->fact = (enum line_fact)lack;
	verdict->taker = line_lacks_taker(&line);
	if (lack != LINE_LACKS_NOTHING) {
		put_command(
		    buf_span(&meant), *number, verdict->path, verdict->remedy);
		if (verdict->remedy[0] == '\0')
			put_words(doctor, lack, *number, verdict->path,
			    verdict->remedy);
	}
	buf_fini(&meant);
}

/* ---- the server's settings, where it is this machine ---- */

static void
judge_setting(const struct doctor *doctor, struct verdict *verdict)
{
	const struct server_setting_asker asker = {
	    .user = doctor->user,
	    .client = doctor->client,
	    .port = (uint16_t)strtoul(doctor->port, NULL, 10),
	    .target = doctor->broker,
	};
	enum server_setting_answer answer = SERVER_SETTING_NOT_KNOWN;
	int len;

	if (doctor_is_at_server(doctor) && !doctor_is_gateway(doctor))
		answer = server_setting_find(&asker, &verdict->setting);
	if (answer == SERVER_SETTING_LETS)
		verdict->fact = LINE_OTHER_FILE;
	if (answer != SERVER_SETTING_FORBIDS)
		return;
	len = snprintf(verdict->remedy, sizeof verdict->remedy,
	    "at the server: %s", verdict->setting.remedy);
	/* Cut off it would be another one. */
	if (len > 0 && (size_t)len < sizeof verdict->remedy)
		verdict->fact = LINE_SETTING;
}

static void
tell(const struct doctor *doctor, struct findings *findings,
    const struct verdict *verdict)
{
	char number[24], with_file[2 * DOCTOR_COMMAND];

	snprintf(number, sizeof number, "%zu", verdict->found.line);
	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "--server-file", with_file,
	    sizeof with_file);
	const struct check_word words[] = {
	    {"broker", doctor->broker},
	    {"file", verdict->path},
	    {"line", number},
	    {"key", doctor->identity.name},
	    {"taker", verdict->taker},
	    {"user", doctor->user},
	    {"setting", verdict->setting.says},
	    {"remedy", verdict->remedy},
	    {"with_file", with_file},
	    {"cause", verdict->err.what},
	    {0},
	};
	doctor_tell(findings, "forwarding", DOCTOR_ROWS(rows),
	    (int)verdict->fact, words);
}

/* False where the line permits it at a kayad, which has said why it does not.
 */
static bool
judge_file(
    struct doctor *doctor, struct findings *findings, struct verdict *verdict)
{
	struct keys_files files;

	verdict->fact = LINE_NOT_READ;
	if (server_line_open(&files, verdict->path, &verdict->err) == 0) {
		judge(doctor, files.items[0].bytes, verdict);
		keys_files_close(&files);
	}
	if (verdict->fact == LINE_PERMITS)
		judge_setting(doctor, verdict);
	if (verdict->fact == LINE_PERMITS && doctor_is_gateway(doctor))
		return false;
	tell(doctor, findings, verdict);
	return verdict->fact != LINE_NOT_THERE &&
	       verdict->fact != LINE_NOT_READ;
}

bool
doctor_judge_line(struct doctor *doctor, struct findings *findings)
{
	struct verdict *verdict = calloc(1, sizeof *verdict);
	bool is_told = false;

	if (verdict != NULL && doctor->identity.blob_len > 0 &&
	    doctor_find_server_file(
		doctor, verdict->path, sizeof verdict->path))
		is_told = judge_file(doctor, findings, verdict);
	free(verdict);
	return is_told;
}
