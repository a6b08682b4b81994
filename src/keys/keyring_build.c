/* keyring_build: from files of authorized_keys to the keyring's tables. */

#include "authorized_keys.h"
#include "keys_explain.h"
#include "keyring_policy.h"
#include "keyring_private.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	FIRST_ENTRIES = 16,
	/* What a name costs at most: its length's byte and itself. */
	NAMES_MAX = INT32_MAX
};

struct builder {
	struct keyring *ring;
	const struct keyring_source *source;
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
	if (b->source->report != NULL)
		b->source->report(b->source->arg, &fault);
}

/* It stays known: whoever shows it is told of in the log as what he is. */
static void
report_revoked(struct builder *b)
{
	struct keys_reason reason = {.code = "revoked",
	    .cause = "the key is revoked",
	    .remedy = "take the line out"};

	reason.column = authorized_keys_column(&b->line, b->line.type_word);
	report(b, &reason);
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

static struct keyring_entry *
entry_append(struct keyring *ring)
{
	struct keyring_entry *bigger;
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
	struct keyring_entry *entry;
	struct revoked_key key;
	uint32_t policy, name;

	if (ring->count >= KEYRING_MAX_LINES ||
	    policies_add(ring->policies, &b->line, &policy) < 0 ||
	    add_name(ring, b->line.identity, &name) < 0)
		return -1;
	entry = entry_append(ring);
	if (entry == NULL)
		return -1;
	*entry = (struct keyring_entry){
	    .line = (uint32_t)b->number,
	    .next = KEYRING_NONE,
	    .policy = policy,
	    .name = name,
	    .file = (uint16_t)b->file_number,
	    .is_authority = b->line.is_authority,
	};
	ring->stats.authorities += entry->is_authority;
	/* Here alone all of the key is at hand. */
	revoked_key_init(&key, span_of(b->line.blob, b->line.blob_len));
	memcpy(entry->digest, key.sha256, sizeof entry->digest);
	entry->is_revoked = revoked_keys_has(b->source->revoked, &key);
	if (entry->is_revoked)
		report_revoked(b);
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
		struct keyring_entry *entry = &ring->entries[i];
		size_t slot =
		    keyring_slot(ring, (struct keyring_wanted){
					   entry->digest, entry->is_authority});

		entry->next = ring->index[slot];
		if (entry->next == KEYRING_NONE && !entry->is_authority)
			ring->stats.keys++;
		ring->index[slot] = (uint32_t)i;
	}
	return 0;
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
			ring->name_index[keyring_name_slot(
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
	struct keyring_entry *smaller;

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
keyring_new(const struct keyring_source *source, struct err *err)
{
	struct builder *b;
	struct keyring *ring;

	if (source->count > KEYRING_MAX_FILES) {
		err_set(err, ERR_FAILED, "more than %d files of keys",
		    KEYRING_MAX_FILES);
		return NULL;
	}
	ring = keyring_alloc(source->count);
	b = malloc(sizeof *b);
	if (ring == NULL || b == NULL)
		goto nomem;
	b->ring = ring;
	b->source = source;
	for (size_t i = 0; i < source->count; i++) {
		b->file = ring->files[i] = strdup(source->files[i].name);
		b->file_number = i;
		if (b->file == NULL || add_file(b, source->files[i].text) < 0)
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
