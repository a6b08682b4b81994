#include "enroll_private.h"

#include "invite_code.h"
#include "pubkey.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*
 * The gateway lets one new key in for a code: user `enroll`, the key as a
 * partial success, then the code by keyboard-interactive.  What came of it is
 * said in a banner; nobody is logged in by it.
 */

enum { ROUNDS_MAX = 4, GATEWAY_PORT = 2222 };

static int
read_code(const char *text, struct invite_code *code, struct err *err)
{
	switch (invite_code_parse(span_of_str(text), code)) {
	case INVITE_CODE_GOOD:
		return 0;
	case INVITE_CODE_NONE:
		err_set(err, ERR_USAGE, "that is no code of an invitation");
		return err_hint(err,
		    "it is 8 groups of 6 letters and digits, as kaya invite "
		    "printed it at the gateway");
	case INVITE_CODE_SLIP:
		break;
	}
	err_set(err, ERR_USAGE, "the code was mistyped");
	return err_hint(
	    err, "compare it with what kaya invite printed at the gateway");
}

/* ---- to the gateway ---- */

static int
prepare(struct enroll *enroll, struct err *err)
{
	struct link_options options = enroll->options->link;
	const struct dest_enrolled *old = &enroll->place.enrolled;

	options.memory = LINK_ENROLLS;
	options.user = "enroll";
	options.key_count = 0;
	/* The code alone says who the gateway is: no other list counts. */
	options.known_hosts = enroll->place.known_hosts;
	if (options.port == 0 && enroll->place.dest.port == 0)
		options.port = old->port;
	enroll->link = link_prepare(&options, err);
	if (enroll->link == NULL)
		return -1;
	ssh_options_set(
	    enroll->link->session, SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null");
	enroll_read_way(enroll);
	/* Nobody named another one. */
	if (options.port == 0 && enroll->place.dest.port == 0 &&
	    enroll->way.port == 22) {
		unsigned port = GATEWAY_PORT;

		ssh_options_set(enroll->link->session, SSH_OPTIONS_PORT, &port);
		enroll->way.port = GATEWAY_PORT;
	}
	snprintf(enroll->link->name, sizeof enroll->link->name,
	    strchr(enroll->way.host, ':') != NULL ? "[%s]:%u" : "%s:%u",
	    enroll->way.host, enroll->way.port);
	return 0;
}

static int
read_host_key(struct enroll *enroll, uint8_t *blob, size_t size, size_t *len,
    struct err *err)
{
	char *base64 = NULL;
	enum pubkey_result result = PUBKEY_BAD_BASE64;
	ssh_key key = NULL;

	if (ssh_get_server_publickey(enroll->link->session, &key) == SSH_OK &&
	    ssh_pki_export_pubkey_base64(key, &base64) == SSH_OK)
		result = pubkey_decode(span_of_str(base64), blob, size, len);
	ssh_string_free_char(base64);
	ssh_key_free(key);
	if (result != PUBKEY_GOOD)
		return err_set(err, ERR_PROTOCOL, "the server has no host key");
	return 0;
}

/* Before anything is sent: is it the gateway where the code was made? */
static int
check_host_key(
    struct enroll *enroll, const struct invite_code *code, struct err *err)
{
	uint8_t blob[PUBKEY_MAX_BYTES], digest[PUBKEY_DIGEST_BYTES];
	const char *named = enroll->options->link.host_key;
	struct link *link = enroll->link;
	size_t len = 0;

	if (read_host_key(enroll, blob, sizeof blob, &len, err) != 0)
		return -1;
	pubkey_digest(span_of(blob, len), digest);
	pubkey_fingerprint(digest, link->fingerprint);
	if (invite_code_is_of(code, span_of(blob, len)) &&
	    (named == NULL || strcmp(named, link->fingerprint) == 0))
		return 0;
	err_set(err, ERR_HOST_KEY,
	    "%s is not the gateway where the code was made: its host key is %s",
	    link->name, link->fingerprint);
	return err_hint(err, "check host and port (a kayad's own is -p 2222); "
			     "if they are right, "
			     "somebody stands between (the code was not sent)");
}

/* ---- the key, then the code ---- */

static int
offer_key(struct enroll *enroll, struct err *err)
{
	ssh_session session = enroll->link->session;
	ssh_key key = NULL;
	int result;

	if (ssh_pki_import_privkey_file(
		enroll->place.key, NULL, NULL, NULL, &key) != SSH_OK)
		return err_set(err, ERR_FAILED, "the key %s cannot be used",
		    enroll->place.key);
	result = ssh_userauth_publickey(session, NULL, key);
	ssh_key_free(key);
	if (result == SSH_AUTH_PARTIAL)
		return 0;
	if (!ssh_is_connected(session))
		return err_set(err, ERR_UNREACHABLE,
		    "%s closed the connection: %s", enroll->link->name,
		    ssh_get_error(session));
	err_set(err, ERR_REFUSED, "%s takes no new keys by code",
	    enroll->link->name);
	return err_hint(err,
	    "is it a kayad, and does its configuration let keys in by code? "
	    "At a stock sshd: kaya enroll without --code");
}

/* The first question is for the code; any other is none of ours. */
static int
answer(ssh_session session, const char *code, unsigned *answered)
{
	int count = ssh_userauth_kbdint_getnprompts(session);

	for (int i = 0; i < count; i++)
		if (ssh_userauth_kbdint_setanswer(session, (unsigned)i,
			(*answered)++ == 0 ? code : "") != 0)
			return -1;
	return 0;
}

/* As it was written at the gateway, however it was typed here. */
static void
give_code(ssh_session session, const struct invite_code *code)
{
	int result = ssh_userauth_kbdint(session, NULL, NULL);
	char text[INVITE_CODE_SIZE];
	unsigned answered = 0;

	invite_code_text(code, text);
	for (int i = 0; i < ROUNDS_MAX && result == SSH_AUTH_INFO; i++) {
		if (answer(session, text, &answered) != 0)
			break;
		result = ssh_userauth_kbdint(session, NULL, NULL);
	}
	explicit_bzero(text, sizeof text);
}

/* The NAME behind `mark`, anywhere in the banner. */
static bool
find_name(const char *banner, const char *mark, char name[STR_NAME_MAX + 1])
{
	const char *at = strstr(banner, mark);
	struct span word;

	if (at == NULL)
		return false;
	at += strlen(mark);
	word = span_of(at, strcspn(at, " \r\n"));
	return str_is_name(word) && span_to_str(word, name, STR_NAME_MAX + 1);
}

static int
on_not_taken(const struct enroll *enroll, const char *banner, struct err *err)
{
	struct span said = span_of_str(banner);
	char text[200];

	while (said.len > 0 && said.data[said.len - 1] <= ' ')
		said.len--;
	str_escape(said, text, sizeof text);
	err_set(err, ERR_REFUSED, "%s does not take the code%s%s",
	    enroll->link->name, text[0] != '\0' ? ": " : "", text);
	return err_hint(err,
	    "a code works once, and not for ever: have a new one made at the "
	    "gateway (kaya invite NAME)");
}

/*
 * "kaya: enrolled as NAME (SHA256:...)"; or the same key was let in before, and
 * this machine was cut off before it could write that down.
 */
static int
read_banner(struct enroll *enroll, struct err *err)
{
	char *said = ssh_get_issue_banner(enroll->link->session);
	const char *banner = said != NULL ? said : "";
	char name[STR_NAME_MAX + 1];
	const char *what = NULL;

	if (find_name(banner, "kaya: enrolled as ", name))
		what = "taken: the key is in as";
	else if (find_name(
		     banner, "kaya: this key is let in already, as ", name))
		what = "not needed: the key is in already, as";
	if (what != NULL) {
		snprintf(
		    enroll->way.user, sizeof enroll->way.user, "%.63s", name);
		snprintf(enroll->identity, sizeof enroll->identity, "%s", name);
		enroll_tell(enroll, "code", "%s %s", what, name);
	} else {
		on_not_taken(enroll, banner, err);
	}
	ssh_string_free_char(said);
	return what != NULL ? 0 : -1;
}

/* ---- all of it ---- */

static int
be_let_in(
    struct enroll *enroll, const struct invite_code *code, struct err *err)
{
	/* Learns the server's methods. */
	if (ssh_userauth_none(enroll->link->session, NULL) == SSH_AUTH_SUCCESS)
		return err_set(err, ERR_REFUSED,
		    "%s lets anybody in: it is no kayad", enroll->link->name);
	if (offer_key(enroll, err) != 0)
		return -1;
	give_code(enroll->link->session, code);
	return read_banner(enroll, err);
}

static int
enroll_with(
    struct enroll *enroll, const struct invite_code *code, struct err *err)
{
	char remedy[160];

	/* No key is made for a gateway that is not the right one. */
	if (prepare(enroll, err) != 0 || link_reach(enroll->link, err) != 0 ||
	    check_host_key(enroll, code, err) != 0 ||
	    enroll_make_key(enroll, err) != 0 ||
	    be_let_in(enroll, code, err) != 0 || enroll_pin(enroll, err) != 0)
		return -1;
	/* That connection is at its end; the key makes the next one. */
	link_free(enroll->link);
	enroll->link = NULL;
	snprintf(remedy, sizeof remedy,
	    "at the gateway, see and mend the line of %s: kaya keys lint FILE",
	    enroll->identity);
	if (enroll_prove(enroll, remedy, err) == 0)
		return 0;
	if (err->code != ERR_REFUSED)
		return -1;
	err_set(err, ERR_REFUSED,
	    "the gateway let the key in as %s and refuses it now",
	    enroll->identity);
	return err_hint(
	    err, "at the gateway: kaya keys list FILE, and its log");
}

int
enroll_by_code(struct enroll *enroll, struct err *err)
{
	struct invite_code code;
	int result = read_code(enroll->options->code, &code, err);

	if (result == 0)
		result = enroll_with(enroll, &code, err);
	explicit_bzero(&code, sizeof code);
	return result;
}
