#include "keys_check.h"

#include "keys_guess.h"
#include "keys_line.h"
#include "keys_text.h"
#include "str.h"

#include <stdio.h>
#include <time.h>

/* sshd's own minimum (RequiredRSASize), and kayad's. */
enum { SSHD_RSA_MIN_BITS = 1024, KAYAD_RSA_MIN_BITS = 2048 };

enum { SOON_S = 30 * 24 * 3600 };

bool
keys_case_say(struct keys_case *c, struct span at, const char *remedy,
    const char *cause, ...)
{
	va_list args;

	va_start(args, cause);
	vsnprintf(c->finding->cause, sizeof c->finding->cause, cause, args);
	va_end(args);
	snprintf(c->finding->remedy, sizeof c->finding->remedy, "%s", remedy);
	c->finding->column = authorized_keys_column(c->line, at);
	return true;
}

void
keys_case_replace(struct keys_case *c, struct span part, struct span by)
{
	struct span text = keys_text_line(c->line->text);
	const uint8_t *end = part.data + part.len;

	buf_append(c->meant, text.data, (size_t)(part.data - text.data));
	buf_append(c->meant, by.data, by.len);
	buf_append(c->meant, end, text.len - (size_t)(end - text.data));
}

void
keys_case_add(struct keys_case *c, const char *text)
{
	struct span options = c->line->options;

	/* A comma that stands there already is not doubled. */
	while (options.len > 0 && options.data[options.len - 1] == ',')
		options.len--;
	keys_case_replace(c,
	    keys_guess_piece(options.data + options.len,
		c->line->options.data + c->line->options.len),
	    span_of_str(text));
}

bool
keys_case_option(const struct keys_case *c, enum authorized_keys_option_id id,
    struct authorized_keys_option *option)
{
	size_t at = 0;

	while (authorized_keys_next(c->line, &at, option))
		if (option->id == id)
			return true;
	return false;
}

/* ---- the key ---- */

static bool
say_expiry(struct keys_case *c, const char *remedy, const char *verb)
{
	struct authorized_keys_option option;
	time_t t = (time_t)c->line->expires_s;
	char stamp[32];
	struct tm tm;

	if (!keys_case_option(c, OPTION_EXPIRY_TIME, &option))
		return false;
	gmtime_r(&t, &tm);
	strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S UTC", &tm);
	return keys_case_say(
	    c, option.name, remedy, "the line %s at %s", verb, stamp);
}

static bool
check_expired(struct keys_case *c)
{
	int64_t t = c->line->expires_s;

	return t != 0 && t < c->now_s &&
	       say_expiry(c, "take the line out, or write a later expiry-time",
		   "expired");
}

static bool
check_expires_soon(struct keys_case *c)
{
	int64_t t = c->line->expires_s;

	return t >= c->now_s && t - c->now_s < SOON_S &&
	       say_expiry(c, "write a later expiry-time if the key is to stay",
		   "expires");
}

static bool
check_dsa(struct keys_case *c)
{
	if (c->line->key.type != PUBKEY_DSA)
		return false;
	return keys_case_say(c, c->line->type_word,
	    "make a new key: ssh-keygen -t ed25519",
	    "DSA keys are broken, and no server of today takes them");
}

static bool
check_rsa(struct keys_case *c)
{
	if (c->line->key.type != PUBKEY_RSA ||
	    c->line->key.bits >= KAYAD_RSA_MIN_BITS)
		return false;
	if (c->line->key.bits < SSHD_RSA_MIN_BITS) {
		c->finding->severity = KEYS_VOID;
		c->finding->sshd = "";
	}
	return keys_case_say(c, c->line->type_word,
	    "make a new key: ssh-keygen -t ed25519",
	    "an RSA key of %u bits is too short", c->line->key.bits);
}

static bool
check_curve(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;

	if (pubkey_is_on_curve(span_of(line->blob, line->blob_len)))
		return false;
	return keys_case_say(c, line->base64,
	    "copy the .pub file again, as one line",
	    "the key is no point of its curve: some of it has been changed");
}

static bool
check_name(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	bool bad_role = line->role.data != NULL && !str_is_name(line->role);
	bool bad_identity =
	    line->identity.data != NULL && !str_is_name(line->identity);

	if (!bad_identity && !bad_role)
		return false;
	return keys_case_say(c, bad_identity ? line->identity : line->role,
	    "use 1 to 64 of A-Z a-z 0-9 . _ -", "%s is no name",
	    bad_identity ? "KAYA_ID" : "KAYA_ROLE");
}

/* ---- authorities ---- */

static bool
check_authority_name(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;

	if (!line->is_authority || line->identity.data == NULL)
		return false;
	return keys_case_say(c, line->identity,
	    "take KAYA_ID out: a certificate's name is its principal",
	    "KAYA_ID would give all certificates of this authority one name");
}

static bool
check_principals(struct keys_case *c)
{
	struct span list = c->line->principals, name;
	const uint8_t *comma;

	if (list.data == NULL)
		return false;
	if (list.len == 0)
		return keys_case_say(c, list,
		    "name those who may come in, or take principals out",
		    "principals names nobody: no certificate is let in");
	while (list.len > 0) {
		comma = memchr(list.data, ',', list.len);
		name = span_of(list.data,
		    comma == NULL ? list.len : (size_t)(comma - list.data));
		if (name.len == 0)
			return keys_case_say(c, list,
			    "take the comma that has no name beside it out",
			    "an empty principal ends the list: what stands "
			    "behind it lets nobody in");
		if (!str_is_name(name))
			return keys_case_say(c, list,
			    "use names of A-Z a-z 0-9 . _ - with commas, and "
			    "no blanks, between them",
			    "a principal here can be nobody's identity");
		keys_text_advance(&list, name.len + (comma != NULL));
	}
	return false;
}

/* ---- what stands behind the key ---- */

/* An option as nobody writes it into a comment by chance. */
static bool
is_option_text(struct span word)
{
	struct span name = keys_text_front(word);

	if (!keys_guess_is_option(word))
		return false;
	return name.len == word.len
		   ? memchr(name.data, '-', name.len) != NULL ||
			 span_is(name, "restrict")
		   : word.data[name.len] == ',' ||
			 (word.data[name.len] == '=' &&
			     name.len + 1 < word.len &&
			     word.data[name.len + 1] == '"');
}

static bool
check_options_behind(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	struct span options = line->comment, key;
	size_t len;

	if (!is_option_text(options))
		return false;
	keys_case_say(c, line->comment, "put the options before the key's type",
	    "options stand behind the key, where they are only a comment");
	len = keys_text_options_len(options);
	if (len == SIZE_MAX)
		return true;
	options.len = len;
	key = keys_guess_piece(
	    line->type_word.data, line->base64.data + line->base64.len);
	buf_append(c->meant, line->options.data, line->options.len);
	if (line->options.len > 0)
		buf_append(c->meant, ",", 1);
	buf_append(c->meant, options.data, options.len);
	buf_append(c->meant, " ", 1);
	buf_append(c->meant, key.data, key.len);
	buf_append(c->meant, line->comment.data + len, line->comment.len - len);
	return true;
}

static bool
check_two_keys(struct keys_case *c)
{
	const struct authorized_keys_line *line = c->line;
	struct keys_guess_key second = keys_guess_find(line->comment);
	struct span first;

	if (second.type.data == NULL)
		return false;
	first = keys_guess_piece(line->text.data, second.type.data);
	while (keys_text_is_blank(first.data[first.len - 1]))
		first.len--;
	buf_append(c->meant, first.data, first.len);
	buf_append(c->meant, "\n", 1);
	/* The second must not get out looser than the first. */
	buf_append(c->meant, line->options.data, line->options.len);
	if (line->options.len > 0)
		buf_append(c->meant, " ", 1);
	buf_append(c->meant, second.type.data,
	    line->comment.len -
		(size_t)(second.type.data - line->comment.data));
	return keys_case_say(c, second.type,
	    "put each key on a line of its own",
	    "a second key stands in the comment of the first");
}

const struct keys_check keys_checks[] = {
    {"expired", KEYS_VOID, "logs \"entry expired\" and asks for a password",
	check_expired},
    {"expires-soon", KEYS_NOTE, "", check_expires_soon},
    {"dsa", KEYS_VOID, "refuses ssh-dss since 7.0", check_dsa},
    {"rsa-short", KEYS_WARNING, "takes it; kayad does not", check_rsa},
    {"key-malformed", KEYS_VOID, "", check_curve},
    {"name", KEYS_ERROR, "does not mind; kayad passes over the line",
	check_name},
    {"authority-name", KEYS_ERROR, "does not mind; kayad passes over the line",
	check_authority_name},
    {"principals-list", KEYS_WARNING,
	"compares them, letter by letter, with the certificate's",
	check_principals},
    {"options-behind-key", KEYS_ERROR, "takes them for a comment: none holds",
	check_options_behind},
    {"two-keys", KEYS_ERROR, "takes the second key for a comment",
	check_two_keys},
    {NULL, KEYS_NOTE, NULL, NULL},
};
