#ifndef KAYA_KEYRING_POLICY_H
#define KAYA_KEYRING_POLICY_H

/*
 * keyring_policy: what lines' options come to, each different set kept once.
 * A part of keyring; nobody else includes it.
 */

#include "authorized_keys.h"
#include "buf.h"
#include "keyring.h"

struct policies;

/* NULL where memory fails. */
struct policies *policies_new(void);
void policies_free(struct policies *p);

/* Keep the options of a line, or find them kept.  -1 where memory fails. */
int policies_add(struct policies *p, const struct authorized_keys_line *line,
    uint32_t *policy);

/* No more will be added: give back what only adding needs. */
void policies_finish(struct policies *p);

size_t policies_bytes(const struct policies *p);

/* Its principals="...", data NULL where it has none; borrowed. */
struct span policies_principals(const struct policies *p, uint32_t policy);

const char *policies_role(const struct policies *p, uint32_t policy);

/* Fill the verdict's role, flags and, where it says no, `why`. */
bool policies_admit(const struct policies *p, uint32_t policy,
    const struct netaddr *client, int64_t now_s, struct keyring_verdict *v);

enum keyring_open policies_may_open(
    const struct policies *p, uint32_t policy, struct span host, uint16_t port);

#endif
