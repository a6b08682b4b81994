#ifndef KAYA_IDENTITY_H
#define KAYA_IDENTITY_H

/*
 * identity: the keys that would be offered to a server: those that were named,
 * or the agent's and then the files', as ssh and kaya tunnel offer them.
 */

#include "link.h"
#include "pubkey.h"

enum { IDENTITIES_MAX = 64 };

enum identity_state {
	IDENTITY_NOT_TRIED,
	IDENTITY_REFUSED,
	IDENTITY_ACCEPTED, /* the server would let it in */
	IDENTITY_NOT_OFFERED, /* no signature algorithm in common */
	IDENTITY_MISSING, /* the file cannot be read */
	IDENTITY_UNREADABLE /* the file is no key */
};

struct identity {
	enum identity_state state;
	bool in_agent;
	bool is_certificate; /* shown in place of the key that it certifies */
	char name[512]; /* the file, or the agent's comment */
	uint8_t blob[PUBKEY_MAX_BYTES];
	size_t blob_len;
	char type[64]; /* "ssh-ed25519" */
	char fingerprint[PUBKEY_FINGERPRINT_SIZE];
	unsigned mode; /* of the private key's file; 0 for the agent's */
};

struct identities {
	struct identity *items;
	size_t count;
};

/*
 * Gather them for `options` (whose keys, if there are any, are all); a file's
 * certificate, FILE-cert.pub, goes before the file.  -1 and `err` where memory
 * fails.
 */
int identities_gather(struct identities *identities,
    const struct link_options *options, struct err *err);
void identities_fini(struct identities *identities);

/* The file of the private key: of FILE-cert.pub it is FILE.  Returns `path`. */
const char *identity_key_file(
    const struct identity *identity, char *path, size_t size);

/*
 * Read an agent's answer to SSH_AGENTC_REQUEST_IDENTITIES (the message without
 * the length before it); how many were added.  Pure.
 */
size_t identities_read_agent(struct identities *identities, struct span answer);

#endif
