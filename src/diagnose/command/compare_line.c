#include "compare_private.h"

#include "authorized_keys.h"
#include "clock.h"
#include "keys_file.h"
#include "keys_rights.h"
#include "local_end.h"
#include "server_line.h"

#include <stdio.h>
#include <string.h>

/* compare_line: which line of the server's file let a side in. */

/* The line of the key with this fingerprint: its blob. */
static struct span
find_blob(struct span file, const char *fingerprint,
    struct authorized_keys_line *line)
{
	size_t at = 0, number = 0;
	struct span text;

	while (authorized_keys_next_line(file, &at, &number, &text)) {
		uint8_t digest[PUBKEY_DIGEST_BYTES];
		char print[PUBKEY_FINGERPRINT_SIZE];

		if (authorized_keys_parse(text, line) != AUTHORIZED_KEYS_KEY)
			continue;
		pubkey_digest(span_of(line->blob, line->blob_len), digest);
		pubkey_fingerprint(digest, print);
		if (strcmp(print, fingerprint) == 0)
			return span_of(line->blob, line->blob_len);
	}
	return (struct span){0};
}

static void
tell_permits(struct compare_side *side, struct span file, size_t wanted)
{
	struct authorized_keys_line line;
	size_t at = 0, number = 0;
	struct span text;
	struct buf rights;

	while (authorized_keys_next_line(file, &at, &number, &text))
		if (number == wanted)
			break;
	if (number != wanted ||
	    authorized_keys_parse(text, &line) != AUTHORIZED_KEYS_KEY)
		return;
	buf_init(&rights, sizeof side->permits - 1);
	keys_rights_text(&line, &rights);
	span_to_str(buf_span(&rights), side->permits, sizeof side->permits);
	buf_fini(&rights);
}

static void
read_file(struct compare_side *side, const char *path)
{
	struct ssh_login *login = &side->login;
	struct authorized_keys_line line;
	struct server_line found;
	struct keys_files files;
	struct err err;
	struct span bytes, blob;

	if (server_line_open(&files, path, &err) != 0)
		return;
	bytes = files.items[0].bytes;
	blob = find_blob(bytes, login->key.fingerprint, &line);
	/* What sshd itself said goes before what we would have read. */
	if (login->line == 0 && blob.len > 0) {
		const struct server_line_asker asker = {
		    .blob = blob, .now_s = clock_wall_s()};

		server_line_find(bytes, &asker, &found);
		if (found.fact == SERVER_LINE_ADMITS)
			login->line = found.line;
		snprintf(login->file, sizeof login->file, "%s", path);
	}
	if (login->line > 0)
		tell_permits(side, bytes, login->line);
	keys_files_close(&files);
}

void
compare_find_line(struct compare *compare, struct compare_side *side)
{
	if (side->login.key.fingerprint[0] == '\0')
		return;
	if (compare->options->server_file != NULL)
		read_file(side, compare->options->server_file);
	/* The server has said it: "-" would be our own standard input. */
	else if (side->login.line > 0 && side->login.file[0] == '/' &&
		 local_end_is_here(side->login.address))
		read_file(side, side->login.file);
}
