#include "doctor_offer.h"

#include "doctor_certificate.h"
#include "doctor_server_file.h"
#include "str.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum auth_fact {
	AUTH_IN,
	AUTH_IN_BY_OTHER, /* only after a new connection: too many keys */
	AUTH_ANYBODY,
	AUTH_PARTLY,
	AUTH_KEY_LOOSE,
	AUTH_NO_KEYS,
	AUTH_KEY_MISSING,
	AUTH_KEY_UNREADABLE,
	AUTH_PASSPHRASE,
	AUTH_OTHER_HALF,
	AUTH_NO_PUBLICKEY,
	AUTH_ALGORITHM,
	AUTH_SHA1,
	AUTH_CLOSED,
	AUTH_REFUSED,
	AUTH_REFUSED_BY_KAYAD
};

#define ASK_THE_SERVER                                                         \
	"at the server: kaya keys lint ~{user}/.ssh/authorized_keys; here, "   \
	"with a copy of that file: kaya doctor --server-file FILE {with_file}"

static const struct check_row rows[] = {
    {AUTH_IN, FINDING_OK, ERR_NONE, NULL, "{user} is let in by {key}", NULL,
	NULL},
    {AUTH_IN_BY_OTHER, FINDING_FAULT, ERR_REFUSED, "too-many-keys",
	"closed after {tries} keys; {key} would be let in, and comes as "
	"number {place}",
	"the agent has so many keys that the server closes the connection "
	"(MaxAuthTries) before the right one is offered",
	"{one}"},
    {AUTH_ANYBODY, FINDING_WARNING, ERR_NONE, "anybody",
	"{user} is let in without any key",
	"the server lets {user} in without asking for anything",
	"at the server: sed -i '1i PermitEmptyPasswords no' "
	"/etc/ssh/sshd_config && systemctl reload ssh; if it is still so, see "
	"what lets it: sshd -T -C user={user} | grep -i -e permitempty -e "
	"authentication"},
    {AUTH_PARTLY, FINDING_FAULT, ERR_REFUSED, "more-wanted",
	"{key} is accepted, and the server wants {methods} too",
	"the server wants more than a key (AuthenticationMethods): {methods}",
	"at the server, for {user}: printf 'Match User {user}\\n  "
	"AuthenticationMethods publickey\\n' >> /etc/ssh/sshd_config && "
	"systemctl reload ssh"},
    {AUTH_KEY_LOOSE, FINDING_WARNING, ERR_NONE, "key-file-open",
	"others may read {key_file} (mode {mode})",
	"others than its owner may read the private key {key_file}: ssh does "
	"not use it then",
	"chmod 600 {typed_file}"},
    {AUTH_NO_KEYS, FINDING_FAULT, ERR_REFUSED, "no-key",
	"there is no key to offer",
	"this user has no key: none in an agent, no ~/.ssh/id_*",
	"make one and have it let in: kaya enroll {enroll}"},
    {AUTH_KEY_MISSING, FINDING_FAULT, ERR_REFUSED, "key-file-missing",
	"{key}: {why}", "the key file {key} cannot be read: {why}",
	"name one that can: ls -l ~/.ssh; or make it: ssh-keygen -t ed25519 -N "
	"'' -f {typed_key}"},
    {AUTH_KEY_UNREADABLE, FINDING_FAULT, ERR_REFUSED, "key-file-malformed",
	"{key} is no key", "the file {key} holds no key that can be read",
	"see what it is: file {typed_key}; to make a new one there: mv "
	"{typed_key} "
	"{typed_key}.old && ssh-keygen -t ed25519 -N '' -f {typed_key}; then "
	"have its "
	"public half let in"},
    {AUTH_PASSPHRASE, FINDING_FAULT, ERR_REFUSED, "passphrase",
	"{key} would be let in, and has a passphrase",
	"{key_file} has a passphrase, and nobody is there to type it",
	"for an unattended device take it off: ssh-keygen -p -N '' -f "
	"{typed_file}; or give it to an agent: ssh-add {typed_file}"},
    {AUTH_OTHER_HALF, FINDING_FAULT, ERR_REFUSED, "other-half",
	"{key_file} and {shown} are not of one pair",
	"{shown} would be let in, but {key_file} is the private half of "
	"another key",
	"write the public half anew: ssh-keygen -y -f {typed_file} > "
	"{typed_file}.pub, and have that one let in"},
    {AUTH_NO_PUBLICKEY, FINDING_FAULT, ERR_REFUSED, "no-publickey",
	"the server takes {methods} from {user}, no keys",
	"the server lets nobody in by a key (PubkeyAuthentication no)",
	"at the server: echo 'PubkeyAuthentication yes' > "
	"/etc/ssh/sshd_config.d/00-keys.conf && systemctl reload ssh"},
    {AUTH_ALGORITHM, FINDING_FAULT, ERR_REFUSED, "signature-algorithm",
	"{key} ({type}) is not offered",
	"this side's PubkeyAcceptedAlgorithms and what the server says it "
	"takes have no signature of a key of type {type} in common",
	"see which this side allows: ssh -G {dest} | grep -i pubkeyaccepted; "
	"or make a key of another type: ssh-keygen -t ed25519 -N '' -f FILE"},
    {AUTH_SHA1, FINDING_FAULT, ERR_REFUSED, "sha1-only",
	"{key} would be let in by a SHA-1 signature alone",
	"the server takes an RSA key's signature with SHA-1 only, which is "
	"broken and not made unless asked for",
	"take a key that old servers know, too: ssh-keygen -t ed25519 -N '' "
	"-f FILE; until it is let in: kaya tunnel -o "
	"PubkeyAcceptedAlgorithms=ssh-rsa {tunnel}"},
    {AUTH_CLOSED, FINDING_FAULT, ERR_REFUSED, "closed-while-logging-in",
	"the server closed the connection: {why}",
	"the server ends the connection while {user} logs in: {why}",
	"its log tells why, at the server: journalctl -u ssh -n 20"},
    {AUTH_REFUSED, FINDING_FAULT, ERR_REFUSED, "refused",
	"{user}: refused {offered}",
	"the server lets none of our keys in as {user}, and tells no client "
	"why",
	ASK_THE_SERVER},
    {AUTH_REFUSED_BY_KAYAD, FINDING_FAULT, ERR_REFUSED, "refused",
	"{user}: refused {offered}",
	"the gateway lets none of our keys in, and tells no client why",
	"its log tells why (event=refuse), at the gateway: journalctl -u kayad "
	"-n 20; to let a new key in: kaya invite NAME there, kaya enroll here"},
};

/* What is known after the keys were offered. */
struct auth {
	struct doctor *doctor;
	struct findings *findings;
	struct offers offers;
	char methods[100];
	char one[2 * PATH_MAX +
		 2 * DOCTOR_COMMAND]; /* the command that mends it */
};

static void
tell(struct auth *auth, enum auth_fact fact, const struct identity *identity)
{
	char offered[400] = "", mode[8], place[24], tries[24];
	char key_file[PATH_MAX] = "", shown[PATH_MAX] = "";
	char typed_file[CHECK_TYPED_SIZE], typed_key[CHECK_TYPED_SIZE];
	char enroll[DOCTOR_COMMAND], with_file[2 * DOCTOR_COMMAND];
	const struct doctor *doctor = auth->doctor;
	size_t used = 0;

	for (size_t i = 0; i < auth->offers.identities.count; i++) {
		const struct identity *one = &auth->offers.identities.items[i];

		if (one->state == IDENTITY_REFUSED && used < sizeof offered)
			used += (size_t)snprintf(offered + used,
			    sizeof offered - used, "%s%s (%s %s)",
			    used > 0 ? ", " : "", one->name, one->type,
			    one->fingerprint);
	}
	if (identity != NULL)
		identity_key_file(identity, key_file, sizeof key_file);
	if (identity != NULL)
		snprintf(shown, sizeof shown, "%s%s", identity->name,
		    identity->is_certificate ? "" : ".pub");
	snprintf(
	    mode, sizeof mode, "%04o", identity != NULL ? identity->mode : 0);
	doctor_repeat(doctor, DOCTOR_REPEAT_ENROLL, "", enroll, sizeof enroll);
	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "--server-file", with_file,
	    sizeof with_file);
	snprintf(place, sizeof place, "%zu", auth->offers.place);
	snprintf(tries, sizeof tries, "%zu", auth->offers.tries);
	const struct check_word words[] = {
	    {"user", doctor->user},
	    {"dest", doctor->words},
	    {"tunnel", doctor->tunnel},
	    {"with_file", with_file},
	    {"enroll", enroll},
	    {"key", identity != NULL ? identity->name : ""},
	    {"key_file", key_file},
	    {"typed_file",
		check_typed(key_file, typed_file, sizeof typed_file)},
	    {"typed_key", check_typed(identity != NULL ? identity->name : "",
			      typed_key, sizeof typed_key)},
	    {"shown", shown},
	    {"type", identity != NULL ? identity->type : ""},
	    {"mode", mode},
	    {"methods", auth->methods},
	    {"offered", offered},
	    {"why", auth->offers.why},
	    {"place", place},
	    {"tries", tries},
	    {"one", auth->one},
	    {0},
	};
	doctor_tell(
	    auth->findings, "auth", DOCTOR_ROWS(rows), (int)fact, words);
}

/* ---- what the server says of itself ---- */

static void
read_methods(struct auth *auth, ssh_session session)
{
	static const struct {
		int bit;
		const char *name;
	} names[] = {
	    {SSH_AUTH_METHOD_PUBLICKEY, "publickey"},
	    {SSH_AUTH_METHOD_PASSWORD, "password"},
	    {SSH_AUTH_METHOD_INTERACTIVE, "keyboard-interactive"},
	    {SSH_AUTH_METHOD_HOSTBASED, "hostbased"},
	    {SSH_AUTH_METHOD_GSSAPI_MIC, "gssapi-with-mic"},
	};
	int methods = ssh_userauth_list(session, NULL);
	size_t used = 0;

	auth->methods[0] = '\0';
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if ((methods & names[i].bit) != 0)
			used += (size_t)snprintf(auth->methods + used,
			    sizeof auth->methods - used, "%s%s",
			    used > 0 ? ", " : "", names[i].name);
}

/* ---- logging in by the one that was accepted ---- */

static int
on_passphrase(const char *prompt, char *answer, size_t size, int echo,
    int verify, void *arg)
{
	int *asked = arg;

	(void)prompt;
	(void)echo;
	(void)verify;
	if (size > 0)
		answer[0] = '\0';
	*asked = 1;
	return -1;
}

static bool
is_pair(const struct identity *identity, ssh_key private_key)
{
	ssh_key offered = doctor_public_key(identity), own = NULL;
	bool same = true;

	if (identity->is_certificate)
		same = doctor_certificate_is_of(identity, private_key);
	else if (offered != NULL &&
		 ssh_pki_export_privkey_to_pubkey(private_key, &own) == SSH_OK)
		same = ssh_key_cmp(offered, own, SSH_KEY_CMP_PUBLIC) == 0;
	if (same && offered != NULL && identity->is_certificate)
		same = ssh_pki_copy_cert_to_privkey(offered, private_key) ==
		       SSH_OK;
	ssh_key_free(offered);
	ssh_key_free(own);
	return same;
}

static enum auth_fact
log_in(ssh_session session, const struct identity *identity)
{
	ssh_key key = NULL;
	int asked = 0, result;
	char file[PATH_MAX];

	if (identity->in_agent) {
		result = ssh_userauth_agent(session, NULL);
		return result == SSH_AUTH_SUCCESS   ? AUTH_IN
		       : result == SSH_AUTH_PARTIAL ? AUTH_PARTLY
						    : AUTH_REFUSED;
	}
	if (ssh_pki_import_privkey_file(
		identity_key_file(identity, file, sizeof file), NULL,
		on_passphrase, &asked, &key) != SSH_OK)
		return asked ? AUTH_PASSPHRASE : AUTH_KEY_UNREADABLE;
	if (!is_pair(identity, key)) {
		ssh_key_free(key);
		return AUTH_OTHER_HALF;
	}
	result = ssh_userauth_publickey(session, NULL, key);
	ssh_key_free(key);
	return result == SSH_AUTH_SUCCESS   ? AUTH_IN
	       : result == SSH_AUTH_PARTIAL ? AUTH_PARTLY
					    : AUTH_REFUSED;
}

/* The agent's key as a file, by ssh_config or in ~/.ssh. */
static void
find_file(const struct auth *auth, char *file, size_t size)
{
	const struct identity *one = auth->offers.accepted;

	for (size_t i = 0; i < auth->offers.identities.count; i++) {
		const struct identity *other =
		    &auth->offers.identities.items[i];

		if (!other->in_agent &&
		    span_equal(span_of(other->blob, other->blob_len),
			span_of(one->blob, one->blob_len))) {
			snprintf(file, size, "%s", other->name);
			return;
		}
	}
	doctor_find_key_file(one, file, size);
}

/* The very key in a file of ~/.ssh, for -i; else the agent emptied of others.
 */
static void
name_the_one(struct auth *auth)
{
	const struct identity *one = auth->offers.accepted;
	char file[PATH_MAX] = "", typed[CHECK_TYPED_SIZE];

	if (one->in_agent)
		find_file(auth, file, sizeof file);
	else
		snprintf(file, sizeof file, "%s", one->name);
	if (file[0] != '\0')
		snprintf(auth->one, sizeof auth->one,
		    "offer that one alone: kaya doctor -i %s %s (ssh: -o "
		    "IdentitiesOnly=yes -i %s)",
		    check_typed(file, typed, sizeof typed), auth->doctor->again,
		    typed);
	else
		snprintf(auth->one, sizeof auth->one,
		    "leave that one alone in the agent: ssh-add -D && ssh-add "
		    "FILE (its comment is %s)",
		    one->name);
}

static enum check_next
tell_accepted(struct auth *auth)
{
	struct doctor *doctor = auth->doctor;
	const struct identity *one = auth->offers.accepted;
	enum auth_fact fact;

	if (!one->in_agent && (one->mode & 077) != 0)
		tell(auth, AUTH_KEY_LOOSE, one);
	if (auth->offers.closed) {
		name_the_one(auth);
		tell(auth, AUTH_IN_BY_OTHER, one);
		return CHECK_STOP;
	}
	fact = log_in(doctor->link->session, one);
	if (fact == AUTH_PARTLY)
		read_methods(auth, doctor->link->session);
	tell(auth, fact, one);
	doctor->identity = *one;
	return fact == AUTH_IN ? CHECK_GO_ON : CHECK_STOP;
}

/* ---- none was accepted ---- */

static const struct identity *
first_of(const struct auth *auth, enum identity_state state)
{
	for (size_t i = 0; i < auth->offers.identities.count; i++)
		if (auth->offers.identities.items[i].state == state)
			return &auth->offers.identities.items[i];
	return NULL;
}

static const struct identity *
refused_certificate(const struct auth *auth)
{
	for (size_t i = 0; i < auth->offers.identities.count; i++) {
		const struct identity *one = &auth->offers.identities.items[i];

		if (one->is_certificate && one->state == IDENTITY_REFUSED)
			return one;
	}
	return NULL;
}

static void
tell_refused(struct auth *auth)
{
	const struct identity *one = first_of(auth, IDENTITY_REFUSED);
	const struct identity *withheld = first_of(auth, IDENTITY_NOT_OFFERED);
	const struct identity *certificate = refused_certificate(auth);

	if (auth->methods[0] != '\0' &&
	    strstr(auth->methods, "publickey") == NULL) {
		tell(auth, AUTH_NO_PUBLICKEY, NULL);
		return;
	}
	/* Among those that were not tried may be the right one. */
	if (first_of(auth, IDENTITY_NOT_TRIED) != NULL &&
	    doctor_tell_shut_out(auth->doctor, auth->findings, "auth"))
		return;
	if (one != NULL && doctor_is_let_in_by_sha1(auth->doctor, one)) {
		tell(auth, AUTH_SHA1, one);
		return;
	}
	/* Some servers name what they take (server-sig-algs, RFC 8308). */
	if (one == NULL && withheld != NULL &&
	    doctor_is_let_in_by_sha1(auth->doctor, withheld)) {
		tell(auth, AUTH_SHA1, withheld);
		return;
	}
	if (certificate != NULL &&
	    doctor_judge_certificate(auth->doctor, certificate, auth->findings))
		return;
	if (one != NULL && doctor_judge_server_file(auth->doctor,
			       &auth->offers.identities, auth->findings))
		return;
	if (certificate != NULL) {
		doctor_tell_certificate(
		    auth->doctor, certificate, auth->findings);
		return;
	}
	if (one != NULL)
		tell(auth,
		    doctor_is_gateway(auth->doctor) ? AUTH_REFUSED_BY_KAYAD
						    : AUTH_REFUSED,
		    one);
	else if (withheld != NULL)
		tell(auth, AUTH_ALGORITHM, withheld);
	else if (auth->offers.closed)
		tell(auth, AUTH_CLOSED, NULL);
	else if (auth->offers.identities.count == 0)
		tell(auth, AUTH_NO_KEYS, NULL);
}

/* Named key files that cannot be used at all. */
static bool
tell_unusable(struct auth *auth)
{
	bool any = false;

	for (size_t i = 0; i < auth->offers.identities.count; i++) {
		const struct identity *one = &auth->offers.identities.items[i];

		if (one->state != IDENTITY_MISSING &&
		    one->state != IDENTITY_UNREADABLE)
			continue;
		snprintf(auth->offers.why, sizeof auth->offers.why, "%s",
		    strerror(one->mode == 0 ? ENOENT : EACCES));
		tell(auth,
		    one->state == IDENTITY_MISSING ? AUTH_KEY_MISSING
						   : AUTH_KEY_UNREADABLE,
		    one);
		any = true;
	}
	return any;
}

enum check_next
doctor_auth(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	struct auth auth = {.doctor = doctor, .findings = findings};
	enum check_next next = CHECK_STOP;
	struct err err = ERR_INIT;
	bool unusable;
	int result;

	if (identities_gather(
		&auth.offers.identities, &doctor->link_options, &err) != 0)
		return CHECK_STOP;
	unusable = tell_unusable(&auth);
	result = ssh_userauth_none(doctor->link->session, NULL);
	if (result == SSH_AUTH_SUCCESS) {
		tell(&auth, AUTH_ANYBODY, NULL);
		next = CHECK_GO_ON;
	} else if (result == SSH_AUTH_ERROR) {
		doctor_note_close(&auth.offers, doctor->link->session, 0);
		tell(&auth, AUTH_CLOSED, NULL);
	} else {
		read_methods(&auth, doctor->link->session);
		doctor_offer_all(doctor, &auth.offers);
		if (auth.offers.accepted != NULL)
			next = tell_accepted(&auth);
		else if (!unusable || first_of(&auth, IDENTITY_REFUSED))
			tell_refused(&auth);
	}
	identities_fini(&auth.offers.identities);
	return next;
}

struct link *
doctor_new_login(struct doctor *doctor, struct err *err)
{
	struct link *link = doctor_new_link(doctor, err);
	int result;

	if (link == NULL)
		return NULL;
	result = ssh_userauth_none(link->session, NULL);
	if (result == SSH_AUTH_SUCCESS ||
	    log_in(link->session, &doctor->identity) == AUTH_IN)
		return link;
	err_set(err, ERR_REFUSED, "a second login is refused: %s",
	    ssh_get_error(link->session));
	link_free(link);
	return NULL;
}
