#include "server_line.h"

#include "keyring.h"
#include "str.h"
#include "wire.h"

#include <stdio.h>
#include <string.h>

enum {
	BASE64_SIZE = 4 * ((PUBKEY_MAX_BYTES + 2) / 3) + 1,
	OWN_BYTES = 32, /* what is shorter is a name, or RSA's exponent */
	WINDOW = 16, /* characters that no other key has in a row */
	STEP = 4
};

struct search {
	char base64[BASE64_SIZE];
	size_t own_from; /* keys of one type are alike before it */
};

static size_t
find_own(struct span blob)
{
	struct span rest = blob, field;

	while (wire_take_string32(&rest, &field))
		if (field.len >= OWN_BYTES)
			return (size_t)(field.data - blob.data) * 4 / 3 + 2;
	return 0;
}

/* Whether a line that nobody understands holds a piece of the key. */
static bool
mentions(const struct search *search, struct span text)
{
	size_t len = strlen(search->base64);

	for (size_t at = search->own_from; text.len > 0 && at + WINDOW <= len;
	     at += STEP)
		if (memmem(text.data, text.len, search->base64 + at, WINDOW) !=
		    NULL)
			return true;
	return false;
}

static enum server_line_fact
judge_names(const struct server_line_certificate *certificate,
    const struct authorized_keys_line *line)
{
	struct span in = certificate->principals, name;
	const bool listed = line->principals.data != NULL;
	size_t count = 0;
	bool is_user = false;

	while (wire_take_string32(&in, &name)) {
		if (listed &&
		    !authorized_keys_has_principal(line->principals, name))
			continue;
		count++;
		is_user = is_user || span_equal(name, certificate->user);
	}
	if (listed && count == 0)
		return SERVER_LINE_PRINCIPALS;
	/* Which sshd takes for everybody's. */
	if (certificate->names == SERVER_LINE_SSHD &&
	    certificate->principals.len == 0)
		return SERVER_LINE_ADMITS;
	if (is_user ||
	    (certificate->names == SERVER_LINE_KAYAD ? count == 1 : listed))
		return SERVER_LINE_ADMITS;
	return SERVER_LINE_USER;
}

static enum server_line_fact
judge_key(const struct server_line_asker *asker,
    const struct authorized_keys_line *line)
{
	if (asker->certificate == NULL && line->is_authority)
		return SERVER_LINE_AUTHORITY;
	if (asker->certificate != NULL && !line->is_authority)
		return SERVER_LINE_PLAIN;
	if (line->expires_s != 0 && line->expires_s < asker->now_s)
		return SERVER_LINE_EXPIRED;
	if (line->from.data != NULL && asker->client.family != 0 &&
	    netaddr_match_list(&asker->client, line->from) != NETADDR_MATCH)
		return SERVER_LINE_FROM;
	if (asker->certificate != NULL)
		return judge_names(asker->certificate, line);
	return SERVER_LINE_ADMITS;
}

static void
explain(const struct authorized_keys_line *line, struct server_line *found)
{
	struct keys_reason reason;
	struct buf meant;

	buf_init(&meant, 1 << 16);
	keys_explain(line, &reason, NULL);
	found->column = reason.column;
	memcpy(found->cause, reason.cause, sizeof found->cause);
	found->can_be_mended = keys_repair(line, &meant);
	buf_fini(&meant);
}

void
server_line_find(struct span file, const struct server_line_asker *asker,
    struct server_line *found)
{
	const struct span blob = asker->blob;
	struct search search;
	struct authorized_keys_line line;
	size_t at = 0, number = 0;
	struct span text;

	*found = (struct server_line){.fact = SERVER_LINE_ABSENT};
	if (blob.len > PUBKEY_MAX_BYTES)
		return;
	str_base64_encode(blob, search.base64);
	search.own_from = find_own(blob);
	while (authorized_keys_next_line(file, &at, &number, &text)) {
		enum authorized_keys_result result =
		    authorized_keys_parse(text, &line);
		enum server_line_fact fact;

		if (result == AUTHORIZED_KEYS_KEY &&
		    span_equal(span_of(line.blob, line.blob_len), blob))
			fact = judge_key(asker, &line);
		else if (result == AUTHORIZED_KEYS_VOID &&
			 mentions(&search, text))
			fact = SERVER_LINE_VOID;
		else
			continue;
		if (fact != SERVER_LINE_ADMITS &&
		    found->fact != SERVER_LINE_ABSENT)
			continue;
		found->fact = fact;
		found->line = number;
		found->column = 1;
		found->has_options = line.options.len > 0;
		if (fact == SERVER_LINE_VOID)
			explain(&line, found);
		if (fact == SERVER_LINE_ADMITS)
			return;
	}
}

static void
on_fault(void *arg, const struct keyring_fault *fault)
{
	struct server_line *found = arg;

	if (fault->line != found->line)
		return;
	found->fact = SERVER_LINE_VOID_HERE;
	found->column = fault->column;
	snprintf(found->cause, sizeof found->cause, "%s", fault->cause);
	snprintf(found->remedy, sizeof found->remedy, "%s", fault->remedy);
}

void
server_line_judge_here(struct span file, struct server_line *found)
{
	const struct keyring_file files[] = {{.name = "", .text = file}};
	const struct keyring_source source = {
	    .files = files, .count = 1, .report = on_fault, .arg = found};
	struct err err = ERR_INIT;

	if (found->fact == SERVER_LINE_ADMITS)
		keyring_unref(keyring_new(&source, &err));
}

int
server_line_open(struct keys_files *files, const char *path, struct err *err)
{
	struct stat st;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(err, ERR_USAGE,
		    "%s is a folder: name the file in it that the key stands "
		    "in",
		    path);
	return keys_files_open(files, path, KEYS_FILES_READ_ONE, err);
}
