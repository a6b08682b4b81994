#include "doctor_certificate.h"

#include "clock.h"
#include "shell.h"
#include "str.h"
#include "wire.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum certificate_fact {
	CERTIFICATE_UNSOUND,
	CERTIFICATE_NOT_YET,
	CERTIFICATE_EXPIRED,
	CERTIFICATE_SOURCE,
	CERTIFICATE_USER,
	CERTIFICATE_REFUSED,
	CERTIFICATE_REFUSED_BY_KAYAD,
	CERTIFICATE_NO_FORWARDING
};

/* A line of authorized_keys in a remedy: RSA's of 4,096 bits have 700. */
enum { AUTHORITY_KEY_MAX = 1300 };

#define SIGN_ANEW "where the authority's key is: {sign}"

static const struct check_row rows[] = {
    {CERTIFICATE_UNSOUND, FINDING_FAULT, ERR_REFUSED, "certificate",
	"{key}: {verdict}", "no server takes the certificate {key}: {verdict}",
	SIGN_ANEW},
    {CERTIFICATE_NOT_YET, FINDING_FAULT, ERR_REFUSED, "certificate-not-yet",
	"{key} is valid from {after}, and it is {now}",
	"the certificate {key} is not valid yet: the clock of this machine, or "
	"of who signed it, is wrong",
	"where the authority's key is, with a right clock: {sign}"},
    {CERTIFICATE_EXPIRED, FINDING_FAULT, ERR_REFUSED, "certificate-expired",
	"{key} was valid until {before}, and it is {now}",
	"the certificate {key} has expired", SIGN_ANEW},
    {CERTIFICATE_SOURCE, FINDING_FAULT, ERR_REFUSED, "certificate-source",
	"{key} is for who comes from {source}; this machine is {client}",
	"the certificate {key} holds for other addresses than {client} (behind "
	"NAT the server sees another one): its source-address is {source}",
	SIGN_ANEW " (with the right -O source-address=..., or none)"},
    {CERTIFICATE_USER, FINDING_FAULT, ERR_REFUSED, "certificate-user",
	"{key} is for {names}, not for {user}", CERTIFICATE_USER_CAUSE,
	CERTIFICATE_USER_REMEDY},
    {CERTIFICATE_REFUSED, FINDING_FAULT, ERR_REFUSED, "certificate-refused",
	"{user}: refused {key}, which {authority} has signed for {names}",
	"the server does not take what the authority {authority} signs, or "
	"not from here, and tells no client why",
	"at the server, see which authorities it takes: sshd -T | grep -i "
	"trustedusercakeys; to have it take this one for {user} alone: echo "
	"{authority_line} >> ~{user}/.ssh/authorized_keys; here, with a copy "
	"of that file: kaya doctor --server-file FILE {with_file}"},
    {CERTIFICATE_REFUSED_BY_KAYAD, FINDING_FAULT, ERR_REFUSED,
	"certificate-refused",
	"{user}: refused {key}, which {authority} has signed for {names}",
	"the gateway does not take what the authority {authority} signs, or "
	"not from here, and tells no client why",
	"its log tells why (event=refuse), at the gateway: journalctl -u kayad "
	"-n 20; to have it take this authority: echo {authority_line} >> "
	"/var/lib/kayad/authorized_keys"},
    {CERTIFICATE_NO_FORWARDING, FINDING_FAULT, ERR_REFUSED,
	"certificate-no-forwarding",
	"{broker}: administratively prohibited by the certificate {key}",
	"the certificate {key} lets nobody go anywhere: it was signed without "
	"permit-port-forwarding",
	SIGN_ANEW},
};

/* ---- what it says ---- */

/* That it means itself in a list, in sed and in an option's quotes. */
static bool
is_plain_name(struct span name)
{
	for (size_t i = 0; i < name.len; i++)
		if (strchr("/,&\\\"'", name.data[i]) != NULL ||
		    name.data[i] <= ' ' || name.data[i] >= 0x7f)
			return false;
	return name.len > 0;
}

/* For people: as many as there is room for. */
static void
put_shown_names(struct span names, char *text, size_t size)
{
	static const char more[] = ", ...";
	struct span name;
	size_t used = 0;
	char one[80];

	snprintf(text, size, "nobody");
	while (wire_take_string32(&names, &name)) {
		if (used + 2 + sizeof one + sizeof more > size) {
			snprintf(text + used, size - used, "%s", more);
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%s",
		    used > 0 ? ", " : "", str_escape(name, one, sizeof one));
	}
}

/* To be typed: all of them, or none. */
static void
put_names_alone(struct span names, char *text, size_t size)
{
	struct span name;
	size_t used = 0;

	text[0] = '\0';
	while (wire_take_string32(&names, &name)) {
		if (!is_plain_name(name) || used + name.len + 2 > size) {
			text[0] = '\0';
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%.*s",
		    used > 0 ? "," : "", (int)name.len,
		    (const char *)name.data);
	}
}

static void
put_names(const struct doctor *doctor, struct doctor_certificate *certificate)
{
	const struct span names = certificate->parsed.principals;
	struct span in = names, name;

	while (wire_take_string32(&in, &name))
		certificate->has_user =
		    certificate->has_user || span_is(name, doctor->user);
	put_shown_names(names, certificate->names, sizeof certificate->names);
	put_names_alone(
	    names, certificate->names_alone, sizeof certificate->names_alone);
}

/* Cut off it would be another one: then it is not there. */
static void
take_text(struct buf *text, char *bytes, size_t size)
{
	if (text->failed || !span_to_str(buf_span(text), bytes, size))
		bytes[0] = '\0';
	buf_fini(text);
}

/* For those that it was for, if the user is one; valid from now on. */
static void
put_sign(const struct doctor *doctor, const struct identity *identity,
    struct doctor_certificate *certificate)
{
	const char *names = certificate->names_alone;
	const bool keeps =
	    names[0] != '\0' &&
	    (certificate->has_user ||
		(doctor_is_gateway(doctor) && strchr(names, ',') == NULL));
	char id[sizeof doctor->user] = "", file[PATH_MAX], public[PATH_MAX];
	struct buf text;

	if (!str_is_shown(certificate->parsed.key_id) ||
	    !span_to_str(certificate->parsed.key_id, id, sizeof id) ||
	    id[0] == '\0')
		snprintf(id, sizeof id, "%s", doctor->user);
	identity_key_file(identity, file, sizeof file);
	buf_init(&text, sizeof certificate->sign - 1);
	buf_append_str(&text, "ssh-keygen -s CA -I ");
	shell_quote(&text, id);
	buf_append_str(&text, " -n ");
	shell_quote(&text, keeps ? names : doctor->user);
	buf_append_str(&text, " -V -5m:+52w ");
	/* Of the agent's nobody knows the file. */
	snprintf(public, sizeof public, "%.*s.pub", (int)sizeof public - 8,
	    identity->in_agent ? "KEY" : file);
	shell_quote(&text, public);
	take_text(&text, certificate->sign, sizeof certificate->sign);
}

/* As tight as an enrolled key's; for these names, where the user is none. */
static void
put_options(const struct doctor *doctor,
    const struct doctor_certificate *certificate, struct buf *line)
{
	buf_append_str(line, "cert-authority");
	if (!certificate->has_user && !doctor_is_gateway(doctor) &&
	    certificate->names_alone[0] != '\0') {
		buf_append_str(line, ",principals=\"");
		buf_append_str(line, certificate->names_alone);
		buf_append_str(line, "\"");
	}
	buf_append_str(line, ",restrict,port-forwarding,permitopen=\"");
	buf_append_str(line, doctor->broker);
	buf_append_str(line, "\",permitlisten=\"localhost:1\"");
}

/* Behind a blank; where it is too long to be shown, the authority's file. */
static void
put_line(struct span blob, const char *options, struct buf *quoted)
{
	char base64[4 * ((PUBKEY_MAX_BYTES + 2) / 3) + 1];
	struct span in = blob, type;
	struct buf line;

	buf_init(&line, AUTHORITY_KEY_MAX);
	buf_append_str(&line, options);
	buf_append_str(&line, " ");
	if (wire_take_string32(&in, &type))
		buf_append(&line, type.data, type.len);
	str_base64_encode(blob, base64);
	buf_append_str(&line, " ");
	buf_append_str(&line, base64);
	buf_append(&line, "", 1);
	shell_quote(
	    quoted, line.failed ? options : (const char *)buf_span(&line).data);
	if (line.failed)
		buf_append_str(quoted, " \"$(cat CA.pub)\"");
	buf_fini(&line);
}

static void
put_authority(
    const struct doctor *doctor, struct doctor_certificate *certificate)
{
	struct span blob = certificate->parsed.authority;
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	char options[800] = "";
	struct buf text;

	if (blob.len == 0 || blob.len > PUBKEY_MAX_BYTES)
		return;
	pubkey_digest(blob, digest);
	pubkey_fingerprint(digest, certificate->authority);
	buf_init(&text, sizeof options - 1);
	put_options(doctor, certificate, &text);
	take_text(&text, options, sizeof options);
	buf_init(&text, sizeof certificate->authority_line - 1);
	put_line(blob, options, &text);
	take_text(&text, certificate->authority_line,
	    sizeof certificate->authority_line);
}

void
doctor_certificate_read(const struct doctor *doctor,
    const struct identity *identity, struct doctor_certificate *certificate)
{
	/* RSA's signatures have another name than its keys. */
	const char *algorithm =
	    strcmp(identity->type, "ssh-rsa-cert-v01@openssh.com") == 0
		? "rsa-sha2-512-cert-v01@openssh.com"
		: identity->type;

	memset(certificate, 0, sizeof *certificate);
	if (!identity->is_certificate)
		return;
	certificate->verdict = ssh_certificate_parse(span_of_str(algorithm),
	    span_of(identity->blob, identity->blob_len), &certificate->parsed);
	put_names(doctor, certificate);
	put_sign(doctor, identity, certificate);
	put_authority(doctor, certificate);
}

void
doctor_certificate_fini(struct doctor_certificate *certificate)
{
	ssh_certificate_fini(&certificate->parsed);
}

void
doctor_certificate_ask(const struct doctor *doctor,
    const struct identity *identity,
    const struct doctor_certificate *certificate,
    struct server_line_certificate *names, struct server_line_asker *asker)
{
	*asker = (struct server_line_asker){
	    .blob = span_of(identity->blob, identity->blob_len),
	    .now_s = clock_wall_s(),
	};
	netaddr_parse(span_of_str(doctor->client), &asker->client);
	if (!identity->is_certificate)
		return;
	*names = (struct server_line_certificate){
	    .principals = certificate->parsed.principals,
	    .user = span_of_str(doctor->user),
	    .names = doctor_is_gateway(doctor) ? SERVER_LINE_KAYAD
					       : SERVER_LINE_SSHD,
	};
	asker->blob = certificate->parsed.authority;
	asker->certificate = names;
}

bool
doctor_certificate_is_of(const struct identity *identity, ssh_key private_key)
{
	static const struct doctor nobody;
	char base64[4 * ((PUBKEY_MAX_BYTES + 2) / 3) + 1];
	struct doctor_certificate certificate;
	struct span certified;
	char *own = NULL;
	bool is = true;

	doctor_certificate_read(&nobody, identity, &certificate);
	certified = buf_span(&certificate.parsed.key);
	if (certified.len > 0 && certified.len <= PUBKEY_MAX_BYTES &&
	    ssh_pki_export_pubkey_base64(private_key, &own) == SSH_OK) {
		str_base64_encode(certified, base64);
		is = strcmp(base64, own) == 0;
		ssh_string_free_char(own);
	}
	doctor_certificate_fini(&certificate);
	return is;
}

/* ---- telling ---- */

static void
put_time(uint64_t seconds, char *text, size_t size)
{
	time_t when = (time_t)seconds;
	struct tm tm;

	text[0] = '\0';
	if (seconds < INT64_MAX && gmtime_r(&when, &tm) != NULL)
		strftime(text, size, "%Y-%m-%d %H:%M UTC", &tm);
}

static void
tell(const struct doctor *doctor, struct findings *findings,
    enum certificate_fact fact, const struct identity *identity,
    const struct doctor_certificate *certificate)
{
	char after[40], before[40], now[40], source[200];
	char by_name[2 * DOCTOR_COMMAND], with_file[2 * DOCTOR_COMMAND];
	const struct check_word words[] = {
	    {"key", identity->name},
	    {"verdict", ssh_certificate_text(certificate->verdict)},
	    {"sign", certificate->sign},
	    {"names", certificate->names},
	    {"authority", certificate->authority},
	    {"authority_line", certificate->authority_line},
	    {"after", after},
	    {"before", before},
	    {"now", now},
	    {"source", source},
	    {"client", doctor->client},
	    {"user", doctor->user},
	    {"broker", doctor->broker},
	    {"with_file", with_file},
	    {"by_name", by_name},
	    {0},
	};

	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "-l", by_name, sizeof by_name);
	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "--server-file", with_file,
	    sizeof with_file);
	put_time(certificate->parsed.valid_after_s, after, sizeof after);
	put_time(certificate->parsed.valid_before_s, before, sizeof before);
	put_time((uint64_t)clock_wall_s(), now, sizeof now);
	str_escape(certificate->parsed.source_address, source, sizeof source);
	doctor_tell(findings,
	    fact == CERTIFICATE_NO_FORWARDING ? "forwarding" : "auth",
	    DOCTOR_ROWS(rows), (int)fact, words);
}

/* The first fault of its own, as kayad and sshd look for them. */
static bool
find_fault(const struct doctor *doctor, struct doctor_certificate *certificate,
    enum certificate_fact *fact)
{
	struct netaddr client = {0};

	*fact = CERTIFICATE_UNSOUND;
	/* By a line of cert-authority without principals sshd takes it. */
	if (certificate->verdict == SSH_CERTIFICATE_NO_PRINCIPALS &&
	    !doctor_is_gateway(doctor))
		certificate->verdict = SSH_CERTIFICATE_GOOD;
	if (certificate->verdict == SSH_CERTIFICATE_GOOD)
		certificate->verdict = ssh_certificate_check_time(
		    &certificate->parsed, clock_wall_s());
	if (certificate->verdict == SSH_CERTIFICATE_GOOD)
		certificate->verdict =
		    ssh_certificate_verify(&certificate->parsed);
	if (certificate->verdict == SSH_CERTIFICATE_NOT_YET)
		*fact = CERTIFICATE_NOT_YET;
	if (certificate->verdict == SSH_CERTIFICATE_EXPIRED)
		*fact = CERTIFICATE_EXPIRED;
	if (certificate->verdict != SSH_CERTIFICATE_GOOD)
		return true;
	*fact = CERTIFICATE_SOURCE;
	netaddr_parse(span_of_str(doctor->client), &client);
	return certificate->parsed.source_address.data != NULL &&
	       client.family != 0 &&
	       netaddr_match_cidrs(&client,
		   certificate->parsed.source_address) != NETADDR_MATCH;
}

bool
doctor_judge_certificate(struct doctor *doctor, const struct identity *identity,
    struct findings *findings)
{
	struct doctor_certificate certificate;
	enum certificate_fact fact;
	bool found;

	doctor_certificate_read(doctor, identity, &certificate);
	found = find_fault(doctor, &certificate, &fact);
	if (found)
		tell(doctor, findings, fact, identity, &certificate);
	doctor_certificate_fini(&certificate);
	return found;
}

void
doctor_tell_certificate(struct doctor *doctor, const struct identity *identity,
    struct findings *findings)
{
	struct doctor_certificate certificate;
	enum certificate_fact fact = CERTIFICATE_REFUSED;

	doctor_certificate_read(doctor, identity, &certificate);
	if (doctor_is_gateway(doctor))
		fact = CERTIFICATE_REFUSED_BY_KAYAD;
	else if (!certificate.has_user)
		fact = CERTIFICATE_USER;
	tell(doctor, findings, fact, identity, &certificate);
	doctor_certificate_fini(&certificate);
}

bool
doctor_judge_certificate_forwards(
    struct doctor *doctor, struct findings *findings)
{
	struct doctor_certificate certificate;
	bool forwards;

	doctor_certificate_read(doctor, &doctor->identity, &certificate);
	forwards =
	    !doctor->identity.is_certificate || certificate.parsed.may_forward;
	if (!forwards)
		tell(doctor, findings, CERTIFICATE_NO_FORWARDING,
		    &doctor->identity, &certificate);
	doctor_certificate_fini(&certificate);
	return !forwards;
}
