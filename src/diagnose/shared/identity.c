#include "identity.h"

#include "ssh_certificate.h"
#include "ssh_says.h"
#include "str.h"
#include "wire.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CERTIFICATE_TAIL "-cert.pub"

enum {
	AGENT_REQUEST_IDENTITIES = 11,
	AGENT_IDENTITIES_ANSWER = 12,
	AGENT_MAX = 256 * 1024, /* as OpenSSH has it */
};

static struct identity *
add(struct identities *identities)
{
	if (identities->count == IDENTITIES_MAX)
		return NULL;
	return &identities->items[identities->count++];
}

static void
set_blob(struct identity *identity, struct span blob)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	struct span in = blob, type = {0};

	if (blob.len > sizeof identity->blob)
		return;
	memcpy(identity->blob, blob.data, blob.len);
	identity->blob_len = blob.len;
	if (wire_take_string32(&in, &type))
		str_escape(type, identity->type, sizeof identity->type);
	/* Every algorithm's name but RSA's is its type's, too. */
	identity->is_certificate =
	    ssh_certificate_is(type) ||
	    span_is(type, "ssh-rsa-cert-v01@openssh.com");
	pubkey_digest(blob, digest);
	pubkey_fingerprint(digest, identity->fingerprint);
}

/* ---- the agent ---- */

size_t
identities_read_agent(struct identities *identities, struct span answer)
{
	struct span blob, comment;
	uint32_t count;
	uint8_t type;
	size_t added = 0;

	if (!wire_take_u8(&answer, &type) || type != AGENT_IDENTITIES_ANSWER ||
	    !wire_take_u32(&answer, &count))
		return 0;
	while (count-- > 0 && wire_take_string32(&answer, &blob) &&
	       wire_take_string32(&answer, &comment)) {
		struct identity *identity = add(identities);

		if (identity == NULL)
			break;
		identity->in_agent = true;
		str_escape(comment, identity->name, sizeof identity->name);
		set_blob(identity, blob);
		added++;
	}
	return added;
}

static int
open_agent(void)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	const struct timeval limit = {.tv_sec = 5};
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd;

	if (path == NULL || strlen(path) >= sizeof name.sun_path)
		return -1;
	strcpy(name.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	/* A full backlog keeps connect(2) waiting as long as a send. */
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (connect(fd, (const struct sockaddr *)&name, sizeof name) == 0)
		return fd;
	close(fd);
	return -1;
}

static void
ask_agent(struct identities *identities)
{
	static const uint8_t request[] = {0, 0, 0, 1, AGENT_REQUEST_IDENTITIES};
	uint8_t head[4], *answer = NULL;
	uint32_t len;
	int fd = open_agent();

	if (fd < 0)
		return;
	if (send(fd, request, sizeof request, MSG_NOSIGNAL) == sizeof request &&
	    recv(fd, head, sizeof head, MSG_WAITALL) == sizeof head &&
	    (len = wire_peek_u32(head)) <= AGENT_MAX &&
	    (answer = malloc(len)) != NULL &&
	    recv(fd, answer, len, MSG_WAITALL) == (ssize_t)len)
		identities_read_agent(identities, span_of(answer, len));
	free(answer);
	close(fd);
}

/* ---- files ---- */

/* The public half, from FILE.pub or from FILE. */
static ssh_key
read_public(const char *path)
{
	char name[PATH_MAX];
	ssh_key key = NULL, private_key = NULL;

	snprintf(name, sizeof name, "%s.pub", path);
	if (ssh_pki_import_pubkey_file(name, &key) == SSH_OK ||
	    ssh_pki_import_pubkey_file(path, &key) == SSH_OK)
		return key;
	if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL, &private_key) ==
	    SSH_OK)
		ssh_pki_export_privkey_to_pubkey(private_key, &key);
	ssh_key_free(private_key);
	return key;
}

static void
take_blob(struct identity *identity, ssh_key key)
{
	uint8_t blob[PUBKEY_MAX_BYTES];
	char *base64 = NULL;
	long len;

	if (ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK)
		return;
	len = str_base64_decode(span_of_str(base64), blob, sizeof blob);
	if (len > 0)
		set_blob(identity, span_of(blob, (size_t)len));
	ssh_string_free_char(base64);
}

/* The certificate beside a key, where kaya tunnel and ssh look for it, too. */
static void
add_certificate(struct identities *identities, const char *path, unsigned mode)
{
	struct identity *identity;
	ssh_key certificate = NULL;
	char name[PATH_MAX];

	snprintf(name, sizeof name, "%s" CERTIFICATE_TAIL, path);
	if (ssh_pki_import_cert_file(name, &certificate) != SSH_OK)
		return;
	identity = add(identities);
	if (identity != NULL) {
		snprintf(identity->name, sizeof identity->name, "%.511s", name);
		identity->mode = mode;
		take_blob(identity, certificate);
	}
	ssh_key_free(certificate);
}

const char *
identity_key_file(const struct identity *identity, char *path, size_t size)
{
	size_t len = strlen(identity->name);
	const size_t tail = sizeof CERTIFICATE_TAIL - 1;

	if (!identity->in_agent && identity->is_certificate && len > tail)
		len -= tail;
	snprintf(path, size, "%.*s", (int)len, identity->name);
	return path;
}

enum wanted { WANTED_BY_NAME, WANTED_IF_THERE };

static void
add_file(struct identities *identities, const char *path, enum wanted wanted)
{
	struct identity *identity;
	struct stat st = {0};
	ssh_key key;

	if (wanted == WANTED_IF_THERE && access(path, F_OK) != 0)
		return;
	if (stat(path, &st) == 0)
		add_certificate(identities, path, st.st_mode & 07777);
	identity = add(identities);
	if (identity == NULL)
		return;
	snprintf(identity->name, sizeof identity->name, "%s", path);
	identity->mode = st.st_mode & 07777;
	if (access(path, R_OK) != 0) {
		identity->state = IDENTITY_MISSING;
		return;
	}
	key = read_public(path);
	if (key == NULL)
		identity->state = IDENTITY_UNREADABLE;
	else
		take_blob(identity, key);
	ssh_key_free(key);
}

static void
add_if_there(void *arg, const char *path)
{
	char full[PATH_MAX];

	add_file(arg, ssh_says_path(path, full, sizeof full), WANTED_IF_THERE);
}

/* The files that ssh_config names for this destination; else ssh's own. */
static void
add_usual(struct identities *identities, const struct link_options *options)
{
	static const char *const usual[] = {
	    "~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa"};
	size_t before = identities->count;

	ssh_says(options, "identityfile", add_if_there, identities);
	for (size_t i = 0;
	     i < sizeof usual / sizeof usual[0] && identities->count == before;
	     i++)
		add_if_there(identities, usual[i]);
}

int
identities_gather(struct identities *identities,
    const struct link_options *options, struct err *err)
{
	identities->count = 0;
	identities->items = calloc(IDENTITIES_MAX, sizeof identities->items[0]);
	if (identities->items == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	for (size_t i = 0; i < options->key_count; i++)
		add_file(identities, options->keys[i], WANTED_BY_NAME);
	if (options->key_count == 0) {
		ask_agent(identities);
		add_usual(identities, options);
	}
	return 0;
}

void
identities_fini(struct identities *identities)
{
	free(identities->items);
	identities->items = NULL;
	identities->count = 0;
}
