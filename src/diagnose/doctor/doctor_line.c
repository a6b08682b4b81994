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
    {LINE_NOT_THERE, FINDING_NOT_KNOWN, ERR_NONE, "server-file",
	"no line of {file} lets {key} in, but the server did: it reads another "
	"file",
	NULL, NULL},
    {LINE_NOT_READ, FINDING_NOT_KNOWN, ERR_NONE, "server-file", "{cause}", NULL,
	NULL},
};

/* A remedy has to fit into a finding, whole. */
enum { REMEDY_SIZE = FINDING_TEXT - 256 };

/* Whether it can be shown, and typed, as it stands. */
static bool
is_plain(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] == 0x7f)
			return false;
	return true;
}

/* sed's command to put `meant` in the place of line `number`. */
static bool
put_command(struct span meant, size_t number, const char *path, char *remedy)
{
	char script[REMEDY_SIZE];
	size_t used = (size_t)snprintf(script, sizeof script, "%zuc\\", number);
	struct buf text;
	bool fits;

	if (!is_plain(meant))
		return false;
	for (size_t i = 0; i < meant.len; i++) {
		if (used + 3 > sizeof script)
			return false;
		if (meant.data[i] == '\\')
			script[used++] = '\\';
		script[used++] = (char)meant.data[i];
	}
	script[used] = '\0';
	buf_init(&text, REMEDY_SIZE - 1);
	buf_append_str(&text, "at the server: sed -i ");
	shell_quote(&text, script);
	buf_append_str(&text, " ");
	/* Appended last: what does not fit is not there at all. */
	fits = buf_append_str(&text, path);
	span_to_str(buf_span(&text), remedy, REMEDY_SIZE);
	buf_fini(&text);
	return fits;
}

static void
put_remedy(enum line_lack lack, struct span meant,
    const struct server_line *found, const struct doctor *doctor,
    const char *path, char *remedy)
{
	if (lack == LINE_LACKS_NOTHING ||
	    put_command(meant, found->line, path, remedy))
		return;
	snprintf(remedy, REMEDY_SIZE,
	    "at the server, among the options of line %zu of %.*s: "
	    "%spermitopen=\"%s\"",
	    found->line, REMEDY_SIZE / 2, path,
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

static enum line_fact
judge(const struct doctor *doctor, struct span file, const char *path,
    struct server_line *found, const char **taker, char *remedy)
{
	const struct line_target target = {
	    .host = doctor->options->broker_host,
	    .port = doctor->options->broker_port,
	    .text = doctor->broker,
	};
	struct authorized_keys_line line;
	enum line_lack lack;
	struct buf meant;

	if (!find_line(doctor, file, &line, found))
		return LINE_NOT_THERE;
	buf_init(&meant, line.text.len + 2 * sizeof doctor->broker);
	lack = line_lacks(&line, &target, &meant);
	*taker = line_lacks_taker(&line);
	put_remedy(lack, buf_span(&meant), found, doctor, path, remedy);
	buf_fini(&meant);
	return (enum line_fact)lack;
}

/* ---- the server's settings, where it is this machine ---- */

static bool
find_setting(const struct doctor *doctor, struct server_setting *setting)
{
	const struct server_setting_asker asker = {
	    .user = doctor->user,
	    .client = doctor->client,
	    .port = (uint16_t)strtoul(doctor->port, NULL, 10),
	    .target = doctor->broker,
	};

	return doctor_is_at_server(doctor) && !doctor_is_gateway(doctor) &&
	       server_setting_find(&asker, setting);
}

bool
doctor_judge_line(struct doctor *doctor, struct findings *findings)
{
	char path[PATH_MAX], remedy[REMEDY_SIZE] = "", number[24];
	enum line_fact fact = LINE_NOT_READ;
	struct server_line found = {0};
	struct err err = ERR_INIT;
	const char *taker = "";
	struct server_setting setting = {0};
	struct keys_files files;

	if (doctor->identity.blob_len == 0 ||
	    !doctor_find_server_file(doctor, path, sizeof path))
		return false;
	if (keys_files_open(&files, path, KEYS_FILES_READ, &err) == 0) {
		fact = judge(
		    doctor, files.items[0].bytes, path, &found, &taker, remedy);
		keys_files_close(&files);
	}
	if (fact == LINE_PERMITS && find_setting(doctor, &setting)) {
		fact = LINE_SETTING;
		snprintf(remedy, sizeof remedy, "at the server: %.*s",
		    REMEDY_SIZE - 32, setting.remedy);
	}
	/* Then it is the gateway's own business, and it has said why. */
	if (fact == LINE_PERMITS && doctor_is_gateway(doctor))
		return false;
	snprintf(number, sizeof number, "%zu", found.line);
	const struct check_word words[] = {
	    {"broker", doctor->broker},
	    {"file", path},
	    {"line", number},
	    {"key", doctor->identity.name},
	    {"taker", taker},
	    {"user", doctor->user},
	    {"setting", setting.says},
	    {"remedy", remedy},
	    {"cause", err.what},
	    {0},
	};
	doctor_tell(
	    findings, "forwarding", DOCTOR_ROWS(rows), (int)fact, words);
	return fact != LINE_NOT_THERE && fact != LINE_NOT_READ;
}
