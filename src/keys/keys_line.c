#include "keys_line.h"

#include "keys_judge.h"
#include "keys_text.h"
#include "str.h"

#include <ctype.h>
#include <stdio.h>

/* ---- the key, as it came ---- */

static int
refuse_block(enum keys_block block, struct err *err)
{
	switch (block) {
	case KEYS_BLOCK_NONE:
		return 0;
	case KEYS_BLOCK_PRIVATE:
	case KEYS_BLOCK_PUTTY:
		err_set(err, ERR_FAILED,
		    "this is a private key, which stays on its device");
		return err_hint(err,
		    "give the public one: the .pub file beside it, or what "
		    "ssh-keygen -y -f KEY prints");
	case KEYS_BLOCK_SSH2:
		err_set(err, ERR_FAILED,
		    "this public key is in RFC 4716's form (PuTTYgen's save)");
		return err_hint(
		    err, "turn it into one line: ssh-keygen -i -f FILE");
	case KEYS_BLOCK_PUBLIC:
		err_set(err, ERR_FAILED, "this public key is in PEM form");
		return err_hint(err,
		    "turn it into one line: ssh-keygen -i -m PKCS8 -f FILE");
	case KEYS_BLOCK_OTHER:
		break;
	}
	err_set(err, ERR_FAILED, "this is no SSH key");
	return err_hint(err, "give the .pub file that ssh-keygen made");
}

static int
refuse_void(const struct authorized_keys_line *line, struct err *err)
{
	struct keys_reason reason;

	keys_explain(line, &reason, NULL);
	err_set(err, ERR_FAILED, "%s", reason.cause);
	return err_hint(err, "%s", reason.remedy);
}

static int
refuse_key(const struct authorized_keys_line *line, struct err *err)
{
	if (line->options.len == 0 && !line->is_authority)
		return 0;
	err_set(err, ERR_FAILED, "options stand before the key");
	return err_hint(err,
	    "give the key alone, as its .pub file has it: kaya writes the "
	    "options");
}

int
keys_line_take_key(
    struct span file, struct authorized_keys_line *key, struct err *err)
{
	struct authorized_keys_line other = {.text = {0}};
	size_t at = 0, number = 0, found = 0;
	struct span text;

	while (authorized_keys_next_line(file, &at, &number, &text)) {
		struct authorized_keys_line *line = found == 0 ? key : &other;
		enum authorized_keys_result result =
		    authorized_keys_parse(text, line);

		if (result == AUTHORIZED_KEYS_EMPTY)
			continue;
		if (refuse_block(keys_block_begins(text), err) != 0)
			return -1;
		if (found++ > 0) {
			err_set(err, ERR_FAILED, "more than one line is there");
			return err_hint(err, "add one key at a time");
		}
		if (result == AUTHORIZED_KEYS_VOID)
			return refuse_void(line, err);
		if (refuse_key(line, err) != 0)
			return -1;
	}
	if (found > 0)
		return 0;
	err_set(err, ERR_FAILED, "there is no key");
	return err_hint(err, "give the .pub file that ssh-keygen made");
}

/* ---- the line ---- */

static bool
is_loopback(const char *host)
{
	return strcmp(host, "127.0.0.1") == 0 || strcmp(host, "::1") == 0 ||
	       strcasecmp(host, "localhost") == 0;
}

static void
put(struct buf *line, const char *text)
{
	buf_append(line, text, strlen(text));
}

static void
put_option(struct buf *line, const char *name, const char *value)
{
	put(line, ",");
	put(line, name);
	put(line, "=\"");
	put(line, value);
	put(line, "\"");
}

static void
put_permits(struct buf *line, const struct keys_line_wish *wish)
{
	static const char *const loopbacks[] = {
	    "127.0.0.1", "localhost", "[::1]", NULL};
	const char *const one[] = {wish->broker_host, NULL};
	const char *const *host =
	    is_loopback(wish->broker_host) ? loopbacks : one;

	for (; *host != NULL; host++) {
		bool is_bare_v6 =
		    strchr(*host, ':') != NULL && (*host)[0] != '[';
		char value[512];

		snprintf(value, sizeof value, is_bare_v6 ? "[%s]:%u" : "%s:%u",
		    *host, wish->broker_port);
		put_option(line, "permitopen", value);
	}
}

static void
put_environment(struct buf *line, const char *name, const char *value)
{
	char text[STR_NAME_MAX + 32];

	snprintf(text, sizeof text, "%s=%s", name, value);
	put_option(line, "environment", text);
}

/* The comment, as far as it is text; blanks at its ends are left off. */
static void
put_comment(struct buf *line, struct span comment)
{
	comment = keys_text_skip_blanks(comment);
	while (comment.len > 0 && comment.data[comment.len - 1] <= ' ')
		comment.len--;
	if (comment.len > 0)
		put(line, " ");
	for (size_t i = 0; i < comment.len; i++)
		if (comment.data[i] >= ' ' && comment.data[i] != 0x7f)
			buf_append(line, &comment.data[i], 1);
}

static void
put_key(struct buf *line, const struct authorized_keys_line *key)
{
	/* From the blob: whatever was odd in the writing stays behind. */
	char base64[4 * (PUBKEY_MAX_BYTES + 2) / 3 + 2];

	str_base64_encode(span_of(key->blob, key->blob_len), base64);
	put(line, " ");
	put(line, pubkey_type_word(key->key.type));
	put(line, " ");
	put(line, base64);
	put_comment(line, key->comment);
}

/* ---- what may stand in it ---- */

/* Nothing that could end a quoted value or a line. */
static bool
is_made_of(const char *text, const char *letters)
{
	for (; *text != '\0'; text++)
		if (!isalnum((unsigned char)*text) &&
		    strchr(letters, *text) == NULL)
			return false;
	return true;
}

static int
check_wish(const struct keys_line_wish *wish, struct err *err)
{
	static const char rule[] = "use 1 to 64 of A-Z a-z 0-9 . _ -";

	if (!str_is_name(span_of_str(wish->identity))) {
		err_set(err, ERR_USAGE, "that is no name for an identity");
		return err_hint(err, rule);
	}
	if (wish->role != NULL && !str_is_name(span_of_str(wish->role))) {
		err_set(err, ERR_USAGE, "that is no name for a role");
		return err_hint(err, rule);
	}
	if (wish->from != NULL && !is_made_of(wish->from, "*?.:/,!-_ ")) {
		err_set(err, ERR_USAGE, "from is a list of addresses");
		return err_hint(
		    err, "write it as 192.0.2.0/24,2001:db8::/32,10.0.0.*");
	}
	if (wish->expires != NULL && !is_made_of(wish->expires, "")) {
		err_set(err, ERR_USAGE, "that is no date");
		return err_hint(err, "write YYYYMMDD or YYYYMMDDHHMM");
	}
	if (wish->broker_host[0] == '\0' || wish->broker_port == 0 ||
	    !is_made_of(wish->broker_host, ".:-_")) {
		err_set(err, ERR_USAGE, "the broker is no host and port");
		return err_hint(err, "write it as 127.0.0.1:1883");
	}
	return 0;
}

/* What the judge says of anybody's line holds for ours. */
static int
check_line(struct span line, int64_t now_s, struct err *err)
{
	struct keys_findings findings;
	int result = 0;

	if (keys_judge(line, now_s, &findings, err) != 0)
		return -1;
	for (size_t i = 0; i < findings.count; i++) {
		const struct keys_finding *finding = &findings.items[i];

		if (finding->severity < KEYS_WARNING)
			continue;
		err_set(err, ERR_FAILED, "%s", finding->cause);
		result = err_hint(err, "%s", finding->remedy);
		break;
	}
	keys_findings_fini(&findings);
	return result;
}

int
keys_line_write(const struct keys_line_wish *wish,
    const struct authorized_keys_line *key, int64_t now_s, struct buf *line,
    struct err *err)
{
	size_t before = buf_len(line);
	struct span all;

	if (check_wish(wish, err) != 0)
		return -1;
	put(line, "restrict,port-forwarding");
	put_permits(line, wish);
	put_option(line, "permitlisten", "localhost:1");
	put(line, "," KEYS_LINE_COMMAND);
	if (wish->from != NULL)
		put_option(line, "from", wish->from);
	if (wish->expires != NULL)
		put_option(line, "expiry-time", wish->expires);
	put_environment(line, "KAYA_ID", wish->identity);
	if (wish->role != NULL)
		put_environment(line, "KAYA_ROLE", wish->role);
	put_key(line, key);
	if (line->failed)
		return err_set(err, ERR_NOMEM, "no memory for the line");
	all = buf_span(line);
	return check_line(
	    span_of(all.data + before, all.len - before), now_s, err);
}

int
keys_line_check(
    const struct keys_line_wish *wish, int64_t now_s, struct err *err)
{
	/* It stands for any: the point of 32 bytes that is Ed25519's base. */
	static const char any[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFhmZmZm"
				  "ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZm";
	struct authorized_keys_line key = {.blob_len = 0};
	struct buf line;
	int result;

	buf_init(&line, KEYS_LINE_MAX_BYTES);
	result = keys_line_take_key(span_of_str(any), &key, err);
	if (result == 0)
		result = keys_line_write(wish, &key, now_s, &line, err);
	buf_fini(&line);
	/* With this key nothing is wrong. */
	if (result != 0 && err != NULL && err->code == ERR_FAILED)
		err->code = ERR_USAGE;
	return result;
}
