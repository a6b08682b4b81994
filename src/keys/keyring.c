#include "keyring.h"

#include "keyring_name.h"
#include "keyring_policy.h"
#include "keyring_private.h"

#include <stdio.h>
#include <stdlib.h>

struct keyring *
keyring_ref(struct keyring *ring)
{
	atomic_fetch_add_explicit(&ring->refs, 1, memory_order_relaxed);
	return ring;
}

void
keyring_unref(struct keyring *ring)
{
	if (ring == NULL || atomic_fetch_sub_explicit(
				&ring->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; ring->files != NULL && i < ring->file_count; i++)
		free(ring->files[i]);
	free(ring->files);
	free(ring->entries);
	free(ring->index);
	free(ring->name_index);
	policies_free(ring->policies);
	buf_fini(&ring->names);
	free(ring);
}

struct keyring_stats
keyring_stats(const struct keyring *ring)
{
	struct keyring_stats stats = ring->stats;

	stats.lines = ring->count - stats.authorities;
	stats.bytes = sizeof *ring + ring->cap * sizeof *ring->entries +
		      2 * (ring->mask + 1) * sizeof *ring->index +
		      ring->names.cap + policies_bytes(ring->policies);
	return stats;
}

/* ---- looking up ---- */

static bool
is_wanted(const struct keyring_entry *entry, struct keyring_wanted wanted)
{
	return entry->is_authority == wanted.is_authority &&
	       memcmp(entry->digest, wanted.digest, PUBKEY_DIGEST_BYTES) == 0;
}

size_t
keyring_slot(const struct keyring *ring, struct keyring_wanted wanted)
{
	uint64_t hash;
	size_t slot;

	/* The digest is as good a hash as there is. */
	memcpy(&hash, wanted.digest, sizeof hash);
	slot = (size_t)hash & ring->mask;
	while (ring->index[slot] != KEYRING_NONE &&
	       !is_wanted(&ring->entries[ring->index[slot]], wanted))
		slot = (slot + 1) & ring->mask;
	return slot;
}

/* FNV-1a. */
static size_t
hash_name(struct span name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t i = 0; i < name.len; i++)
		hash = (hash ^ name.data[i]) * 0x100000001b3u;
	return (size_t)(hash ^ hash >> 32);
}

size_t
keyring_name_slot(const struct keyring *ring, struct span name)
{
	size_t slot = hash_name(name) & ring->mask;
	char text[STR_NAME_MAX + 1];

	while (ring->name_index[slot] != KEYRING_NONE &&
	       !span_is(
		   name, keyring_identity(ring, ring->name_index[slot], text)))
		slot = (slot + 1) & ring->mask;
	return slot;
}

/* ---- asking ---- */

bool
keyring_is_authority(const struct keyring *ring, uint32_t entry)
{
	return ring->entries[entry].is_authority;
}

const uint8_t *
keyring_digest(const struct keyring *ring, uint32_t entry)
{
	return ring->entries[entry].digest;
}

const char *
keyring_identity(
    const struct keyring *ring, uint32_t entry, char text[STR_NAME_MAX + 1])
{
	const struct keyring_entry *e = &ring->entries[entry];

	if (e->is_authority)
		text[0] = '\0';
	else if (e->name == 0)
		pubkey_identity(e->digest, text);
	else
		snprintf(text, STR_NAME_MAX + 1, "%s",
		    (const char *)buf_span(&ring->names).data + e->name);
	return text;
}

bool
keyring_has_identity(const struct keyring *ring, struct span identity)
{
	return ring->name_index[keyring_name_slot(ring, identity)] !=
	       KEYRING_NONE;
}

const char *
keyring_role(const struct keyring *ring, uint32_t entry)
{
	return policies_role(ring->policies, ring->entries[entry].policy);
}

/* Who asks, and when. */
struct who {
	const struct netaddr *client;
	int64_t now_s;
};

static bool
is_admitted(const struct keyring *ring, uint32_t at, const struct who *who,
    struct keyring_verdict *v)
{
	const struct keyring_entry *entry = &ring->entries[at];

	v->entry = at;
	v->file = ring->files[entry->file];
	v->line = entry->line;
	if (entry->is_revoked) {
		snprintf(v->why, sizeof v->why, "the %s is revoked",
		    entry->is_authority ? "certificate's authority" : "key");
		return false;
	}
	return policies_admit(
	    ring->policies, entry->policy, who->client, who->now_s, v);
}

/* The first line that admits; `certificate` is NULL for a key itself. */
static enum keyring_result
admit(const struct keyring *ring, struct keyring_wanted wanted,
    const struct keyring_certificate *certificate, const struct who *who,
    struct keyring_verdict *verdict)
{
	uint32_t at = ring->index[keyring_slot(ring, wanted)];

	memset(verdict, 0, sizeof *verdict);
	verdict->role = "";
	if (at == KEYRING_NONE)
		return KEYRING_UNKNOWN;
	for (; at != KEYRING_NONE; at = ring->entries[at].next) {
		bool in = is_admitted(ring, at, who, verdict);

		keyring_identity(ring, at, verdict->identity);
		if (in && certificate != NULL)
			in = keyring_name(certificate,
			    policies_principals(
				ring->policies, ring->entries[at].policy),
			    verdict);
		if (in)
			return KEYRING_ADMITTED;
	}
	return KEYRING_REFUSED;
}

enum keyring_result
keyring_admit_digest(const struct keyring *ring,
    const uint8_t digest[PUBKEY_DIGEST_BYTES], const struct netaddr *client,
    int64_t now_s, struct keyring_verdict *verdict)
{
	return admit(ring, (struct keyring_wanted){digest, false}, NULL,
	    &(struct who){client, now_s}, verdict);
}

enum keyring_result
keyring_admit_certificate(const struct keyring *ring,
    const struct keyring_certificate *certificate, const struct netaddr *client,
    int64_t now_s, struct keyring_verdict *verdict)
{
	return admit(ring,
	    (struct keyring_wanted){certificate->authority, true}, certificate,
	    &(struct who){client, now_s}, verdict);
}

enum keyring_result
keyring_admit(const struct keyring *ring, struct span blob,
    const struct netaddr *client, int64_t now_s,
    struct keyring_verdict *verdict)
{
	uint8_t digest[PUBKEY_DIGEST_BYTES];

	pubkey_digest(blob, digest);
	return keyring_admit_digest(ring, digest, client, now_s, verdict);
}

enum keyring_open
keyring_may_open(
    const struct keyring *ring, uint32_t entry, struct span host, uint16_t port)
{
	return policies_may_open(
	    ring->policies, ring->entries[entry].policy, host, port);
}
