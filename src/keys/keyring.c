#include "keyring.h"

#include "authorized_keys.h"
#include "keys_explain.h"
#include "keyring_name.h"
#include "keyring_policy.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	NONE = UINT32_MAX,
	FIRST_ENTRIES = 16,
	/* What a name costs at most: its length's byte and itself. */
	NAMES_MAX = INT32_MAX
};

/* One line: 52 bytes, and about 8 of index. */
struct entry {
	uint8_t digest[PUBKEY_DIGEST_BYTES];
	uint32_t line;
	uint32_t next; /* the next line of the same key and kind, or NONE */
	uint32_t policy; /* what its options come to */
	uint32_t name; /* of its identity among names; 0: the key's own */
	uint16_t file;
	bool is_authority; /* whose certificates enter, not the key itself */
};

struct keyring {
	atomic_size_t refs;
	char **files;
	size_t file_count;
	struct entry *entries;
	size_t count;
	size_t cap;
	uint32_t *index; /* of the first line of each key, open addressing */
	uint32_t *name_index; /* of a line of each identity, likewise */
	size_t mask;
	struct policies *policies;
	struct buf names; /* zero-terminated, one behind the other */
	struct keyring_stats stats;
};

/* ---- building ---- */

struct builder {
	struct keyring *ring;
	keyring_report_fn *report;
	void *arg;
	struct authorized_keys_line line;
	const char *file;
	size_t file_number;
	size_t number;
};

static void
report(struct builder *b, const struct keys_reason *reason)
{
	const struct keyring_fault fault = {
	    .file = b->file,
	    .line = b->number,
	    .column = reason->column,
	    .code = reason->code,
	    .cause = reason->cause,
	    .remedy = reason->remedy,
	};

	b->ring->stats.void_lines++;
	if (b->report != NULL)
		b->report(b->arg, &fault);
}

/* Void for kayad, though sshd would take it. */
static bool
is_refused_here(struct builder *b, struct keys_reason *reason)
{
	const struct authorized_keys_line *line = &b->line;
	const char *cause = NULL, *remedy = "";
	struct span at = line->type_word;

	reason->code = "identity";
	if (line->identity.data != NULL && !str_is_name(line->identity)) {
		cause = "KAYA_ID is no identity";
		remedy = "use 1 to 64 of A-Z a-z 0-9 . _ -";
		at = line->identity;
	} else if (line->role.data != NULL && !str_is_name(line->role)) {
		reason->code = "role";
		cause = "KAYA_ROLE is no role";
		remedy = "use 1 to 64 of A-Z a-z 0-9 . _ -";
		at = line->role;
	} else if (line->identity.data != NULL && line->is_authority) {
		cause = "KAYA_ID on a cert-authority line would give all its "
			"certificates one name";
		remedy = "take it out: a certificate's name is its principal";
		at = line->identity;
	} else if (line->key.type == PUBKEY_DSA) {
		reason->code = "dsa";
		cause = "DSA keys are broken and let nobody in";
		remedy = "make a new key: ssh-keygen -t ed25519";
	} else if (line->key.type == PUBKEY_RSA &&
		   line->key.bits < KEYRING_RSA_MIN_BITS) {
		reason->code = "rsa-short";
		cause = "an RSA key below 2048 bits lets nobody in";
		remedy = "make a new key: ssh-keygen -t ed25519";
	}
	if (cause == NULL)
		return false;
	reason->column = authorized_keys_column(line, at);
	snprintf(reason->cause, sizeof reason->cause, "%s", cause);
	snprintf(reason->remedy, sizeof reason->remedy, "%s", remedy);
	return true;
}

static struct entry *
entry_append(struct keyring *ring)
{
	struct entry *bigger;
	size_t cap;

	if (ring->count == ring->cap) {
		cap = ring->cap == 0 ? FIRST_ENTRIES : ring->cap * 2;
		bigger = realloc(ring->entries, cap * sizeof *bigger);
		if (bigger == NULL)
			return NULL;
		ring->entries = bigger;
		ring->cap = cap;
	}
	return &ring->entries[ring->count++];
}

static int
add_name(struct keyring *ring, struct span name, uint32_t *offset)
{
	static const char end = '\0';

	*offset = 0;
	if (name.data == NULL)
		return 0;
	*offset = (uint32_t)buf_len(&ring->names);
	buf_append(&ring->names, name.data, name.len);
	buf_append(&ring->names, &end, 1);
	return ring->names.failed ? -1 : 0;
}

static int
add_line(struct builder *b)
{
	struct keyring *ring = b->ring;
	struct entry *entry;
	uint32_t policy, name;

	if (ring->count >= KEYRING_MAX_LINES ||
	    policies_add(ring->policies, &b->line, &policy) < 0 ||
	    add_name(ring, b->line.identity, &name) < 0)
		return -1;
	entry = entry_append(ring);
	if (entry == NULL)
		return -1;
	*entry = (struct entry){
	    .line = (uint32_t)b->number,
	    .next = NONE,
	    .policy = policy,
	    .name = name,
	    .file = (uint16_t)b->file_number,
	    .is_authority = b->line.is_authority,
	};
	ring->stats.authorities += entry->is_authority;
	pubkey_digest(span_of(b->line.blob, b->line.blob_len), entry->digest);
	return 0;
}

static int
add_file(struct builder *b, struct span text)
{
	struct keys_reason reason;
	enum keys_block block;
	struct span line;
	size_t at = 0;

	b->number = 0;
	while (authorized_keys_next_line(text, &at, &b->number, &line)) {
		switch (authorized_keys_parse(line, &b->line)) {
		case AUTHORIZED_KEYS_EMPTY:
			break;
		case AUTHORIZED_KEYS_VOID:
			keys_explain(&b->line, &reason, NULL);
			report(b, &reason);
			block = keys_block_begins(line);
			if (block != KEYS_BLOCK_NONE)
				keys_block_skip(
				    text, &at, &b->number, block, &b->line);
			break;
		case AUTHORIZED_KEYS_KEY:
			if (is_refused_here(b, &reason))
				report(b, &reason);
			else if (add_line(b) < 0)
				return -1;
			break;
		}
	}
	return 0;
}

/* What is looked up: a key, or a key as an authority; never both at once. */
struct wanted {
	const uint8_t *digest;
	bool is_authority;
};

static bool
is_wanted(const struct entry *entry, struct wanted wanted)
{
	return entry->is_authority == wanted.is_authority &&
	       memcmp(entry->digest, wanted.digest, PUBKEY_DIGEST_BYTES) == 0;
}

static size_t
slot_of(const struct keyring *ring, struct wanted wanted)
{
	uint64_t hash;
	size_t slot;

	/* The digest is as good a hash as there is. */
	memcpy(&hash, wanted.digest, sizeof hash);
	slot = (size_t)hash & ring->mask;
	while (ring->index[slot] != NONE &&
	       !is_wanted(&ring->entries[ring->index[slot]], wanted))
		slot = (slot + 1) & ring->mask;
	return slot;
}

/* From the last line to the first, so that each chain is in file order. */
static int
build_index(struct keyring *ring)
{
	size_t slots = 16;

	while (slots < ring->count + ring->count / 2)
		slots *= 2;
	ring->index = malloc(slots * sizeof *ring->index);
	if (ring->index == NULL)
		return -1;
	memset(ring->index, 0xff, slots * sizeof *ring->index);
	ring->mask = slots - 1;
	for (size_t i = ring->count; i-- > 0;) {
		struct entry *entry = &ring->entries[i];
		size_t slot = slot_of(
		    ring, (struct wanted){entry->digest, entry->is_authority});

		entry->next = ring->index[slot];
		if (entry->next == NONE && !entry->is_authority)
			ring->stats.keys++;
		ring->index[slot] = (uint32_t)i;
	}
	return 0;
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

/* Where the identity stands, or would. */
static size_t
name_slot_of(const struct keyring *ring, struct span name)
{
	size_t slot = hash_name(name) & ring->mask;
	char text[STR_NAME_MAX + 1];

	while (ring->name_index[slot] != NONE &&
	       !span_is(
		   name, keyring_identity(ring, ring->name_index[slot], text)))
		slot = (slot + 1) & ring->mask;
	return slot;
}

/* As large as the other one, and after it. */
static int
build_name_index(struct keyring *ring)
{
	size_t size = (ring->mask + 1) * sizeof *ring->name_index;
	char text[STR_NAME_MAX + 1];

	ring->name_index = malloc(size);
	if (ring->name_index == NULL)
		return -1;
	memset(ring->name_index, 0xff, size);
	for (size_t i = 0; i < ring->count; i++)
		if (!ring->entries[i].is_authority)
			ring->name_index[name_slot_of(
			    ring, span_of_str(keyring_identity(
				      ring, (uint32_t)i, text)))] = (uint32_t)i;
	return 0;
}

static struct keyring *
keyring_alloc(size_t file_count)
{
	static const char zero = '\0';
	struct keyring *ring = calloc(1, sizeof *ring);

	if (ring == NULL)
		return NULL;
	atomic_init(&ring->refs, 1);
	buf_init(&ring->names, NAMES_MAX);
	ring->files = calloc(file_count + 1, sizeof *ring->files);
	ring->file_count = file_count;
	ring->policies = policies_new();
	/* Offset 0 is kept for "no name". */
	if (ring->files == NULL || ring->policies == NULL ||
	    !buf_append(&ring->names, &zero, 1)) {
		keyring_unref(ring);
		return NULL;
	}
	return ring;
}

/* Give back what growing by doubling took too much of. */
static void
shrink(struct keyring *ring)
{
	struct entry *smaller;

	if (ring->count > 0 && ring->count < ring->cap) {
		smaller =
		    realloc(ring->entries, ring->count * sizeof *ring->entries);
		if (smaller != NULL) {
			ring->entries = smaller;
			ring->cap = ring->count;
		}
	}
	policies_finish(ring->policies);
}

struct keyring *
keyring_new(const struct keyring_file *files, size_t n,
    keyring_report_fn *report_fn, void *arg, struct err *err)
{
	struct builder *b;
	struct keyring *ring;

	if (n > KEYRING_MAX_FILES) {
		err_set(err, ERR_FAILED, "more than %d files of keys",
		    KEYRING_MAX_FILES);
		return NULL;
	}
	ring = keyring_alloc(n);
	b = malloc(sizeof *b);
	if (ring == NULL || b == NULL)
		goto nomem;
	b->ring = ring;
	b->report = report_fn;
	b->arg = arg;
	for (size_t i = 0; i < n; i++) {
		b->file = ring->files[i] = strdup(files[i].name);
		b->file_number = i;
		if (b->file == NULL || add_file(b, files[i].text) < 0)
			goto nomem;
	}
	if (build_index(ring) < 0 || build_name_index(ring) < 0)
		goto nomem;
	free(b);
	shrink(ring);
	return ring;
nomem:
	free(b);
	keyring_unref(ring);
	err_set(err, ERR_NOMEM, "no memory for the table of keys");
	return NULL;
}

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
	const struct entry *e = &ring->entries[entry];

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
	return ring->name_index[name_slot_of(ring, identity)] != NONE;
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
	const struct entry *entry = &ring->entries[at];

	v->entry = at;
	v->file = ring->files[entry->file];
	v->line = entry->line;
	return policies_admit(
	    ring->policies, entry->policy, who->client, who->now_s, v);
}

/* The first line that admits; `certificate` is NULL for a key itself. */
static enum keyring_result
admit(const struct keyring *ring, struct wanted wanted,
    const struct keyring_certificate *certificate, const struct who *who,
    struct keyring_verdict *verdict)
{
	uint32_t at = ring->index[slot_of(ring, wanted)];

	memset(verdict, 0, sizeof *verdict);
	verdict->role = "";
	if (at == NONE)
		return KEYRING_UNKNOWN;
	for (; at != NONE; at = ring->entries[at].next) {
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
	return admit(ring, (struct wanted){digest, false}, NULL,
	    &(struct who){client, now_s}, verdict);
}

enum keyring_result
keyring_admit_certificate(const struct keyring *ring,
    const struct keyring_certificate *certificate, const struct netaddr *client,
    int64_t now_s, struct keyring_verdict *verdict)
{
	return admit(ring, (struct wanted){certificate->authority, true},
	    certificate, &(struct who){client, now_s}, verdict);
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
