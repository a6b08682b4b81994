#ifndef KAYA_SSH_ALGORITHM_H
#define KAYA_SSH_ALGORITHM_H

/*
 * ssh_algorithm: the kinds of users' keys that are taken, and what each is
 * called: plain, and in a certificate (OpenSSH's PROTOCOL.certkeys), whose
 * names are all made in one way.
 */

#include "span.h"

enum ssh_key_kind { SSH_KIND_ED25519, SSH_KIND_ECDSA, SSH_KIND_RSA };
enum ssh_key_holder { SSH_HOLDER_FILE, SSH_HOLDER_TOKEN };

enum { SSH_FIELD_BYTES_MAX = 66 }; /* of nistp521 */

struct ssh_algorithm {
	const char *name; /* as USERAUTH_REQUEST and the signature say it */
	const char *key_type; /* as the blob says it */
	const char *certificate; /* as USERAUTH_REQUEST says it */
	const char *certificate_type; /* as the certificate says it */
	enum ssh_key_kind kind;
	enum ssh_key_holder holder;
	const char *digest; /* libcrypto's name, NULL: none */
	const char *curve; /* RFC 5656 section 6.1, for ecdsa */
	const char *group; /* libcrypto's name of the same */
	size_t field_bytes; /* of its points' coordinates */
	unsigned strings; /* that make up the key, behind its type */
};

#define SSH_ALGORITHM_CERTIFIED(stem) stem "-cert-v01@openssh.com"

/*
 * Stem of the name and of the type, what both end with where they are plain,
 * and the rest in the order above.  The order is that of server-sig-algs.
 */
#define SSH_ALGORITHMS(X)                                                      \
	X("ssh-ed25519", "ssh-ed25519", "", SSH_KIND_ED25519, SSH_HOLDER_FILE, \
	    NULL, NULL, NULL, 0, 1)                                            \
	X("sk-ssh-ed25519", "sk-ssh-ed25519", "@openssh.com",                  \
	    SSH_KIND_ED25519, SSH_HOLDER_TOKEN, NULL, NULL, NULL, 0, 2)        \
	X("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", "", SSH_KIND_ECDSA,    \
	    SSH_HOLDER_FILE, "SHA256", "nistp256", "P-256", 32, 2)             \
	X("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384", "", SSH_KIND_ECDSA,    \
	    SSH_HOLDER_FILE, "SHA384", "nistp384", "P-384", 48, 2)             \
	X("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521", "", SSH_KIND_ECDSA,    \
	    SSH_HOLDER_FILE, "SHA512", "nistp521", "P-521",                    \
	    SSH_FIELD_BYTES_MAX, 2)                                            \
	X("sk-ecdsa-sha2-nistp256", "sk-ecdsa-sha2-nistp256", "@openssh.com",  \
	    SSH_KIND_ECDSA, SSH_HOLDER_TOKEN, "SHA256", "nistp256", "P-256",   \
	    32, 3)                                                             \
	X("rsa-sha2-512", "ssh-rsa", "", SSH_KIND_RSA, SSH_HOLDER_FILE,        \
	    "SHA512", NULL, NULL, 0, 2)                                        \
	X("rsa-sha2-256", "ssh-rsa", "", SSH_KIND_RSA, SSH_HOLDER_FILE,        \
	    "SHA256", NULL, NULL, 0, 2)

/* The row of a plain name, or of a certificate's; NULL: not taken. */
const struct ssh_algorithm *ssh_algorithm_find(struct span name);
const struct ssh_algorithm *ssh_algorithm_certified(struct span name);

/* The first row whose certificates say this type; NULL: none do. */
const struct ssh_algorithm *ssh_algorithm_of_certificate_type(struct span type);

/* All names, best first, comma separated (RFC 8308 section 3.1). */
const char *ssh_algorithm_names(void);
const char *ssh_algorithm_certificate_names(void);

#endif
