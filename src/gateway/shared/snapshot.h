#ifndef KAYA_SNAPSHOT_H
#define KAYA_SNAPSHOT_H

/*
 * snapshot: configuration and keys as they were at one moment, whole.
 *
 * The parent reads the files and packs their bytes (snapshot_pack) into a
 * sealed memfd; the child makes of them what its threads share, read only,
 * and swaps it for the one before.  A session keeps the setup that it began
 * with; the keyring is always the newest.
 */

#include "keyring.h"
#include "mqtt_walk.h"
#include "policy.h"
#include "pubkey.h"
#include "settings.h"
#include "ssh_conn.h"

#include <stdatomic.h>

/* What the configuration says; shared by sessions. */
struct snapshot_setup {
	_Atomic uint32_t refs;
	struct settings settings;
	struct ssh_setup ssh;
	struct mqtt_limits mqtt_up; /* what clients send */
	struct mqtt_limits mqtt_down; /* what brokers send */
	/* Passwords that brokers are given; empty where there is none. */
	struct span secrets[SETTINGS_BROKERS_MAX];
	uint8_t *host_keys; /* the blobs' memory */
	struct buf secret_bytes; /* the secrets' memory */
};
struct snapshot_setup *snapshot_setup_ref(struct snapshot_setup *setup);
void snapshot_setup_unref(struct snapshot_setup *setup);

/* Who may say what; shared by connections, the newest. */
struct snapshot_policy {
	_Atomic uint32_t refs;
	struct policy *policy;
	uint8_t digest[PUBKEY_DIGEST_BYTES]; /* of its text */
};
struct snapshot_policy *snapshot_policy_ref(struct snapshot_policy *policy);
void snapshot_policy_unref(struct snapshot_policy *policy); /* NULL is fine */

struct snapshot {
	_Atomic uint32_t refs;
	uint64_t generation;
	struct snapshot_setup *setup;
	struct keyring *ring;
	struct revoked_keys *revoked; /* NULL: none */
	struct snapshot_policy *policy; /* NULL: none */
};
struct snapshot *snapshot_ref(struct snapshot *snapshot);
void snapshot_unref(struct snapshot *snapshot); /* NULL is fine */

/* A file's name and content, borrowed. */
struct snapshot_file {
	const char *name;
	struct span bytes;
};

struct snapshot_parts {
	uint64_t generation;
	struct snapshot_file configuration; /* name NULL: there is none */
	const struct span *host_keys; /* public blobs */
	size_t host_key_count;
	const struct span *secrets; /* one a broker; empty: none */
	size_t secret_count;
	struct snapshot_file policy; /* name NULL: there is none */
	struct snapshot_file revoked; /* likewise */
	const struct snapshot_file *key_files;
	size_t key_file_count;
};

/* A sealed memfd with all of it, or -1 and `err`. */
int snapshot_pack(const struct snapshot_parts *parts, struct err *err);

/*
 * Read what snapshot_pack wrote (`fd` stays the caller's); `overrides` are the
 * command line's words, as at the start.  Lines of key files that mean nothing
 * are logged, and so is every fault of the policy, in whose place the one
 * `before` stays (NULL: it is a failure).  It also stays where nothing has
 * changed in it.  A fault in the list of revoked keys is a failure.  NULL and
 * `err` on failure.
 */
struct snapshot *snapshot_unpack(int fd,
    const struct settings_overrides *overrides, struct snapshot_policy *before,
    struct err *err);

#endif
