/*
 * Any bytes as a list of invitations: what is taken is written again as a list
 * that is taken, with the same in it, and none of it fits a secret that nobody
 * has.
 */

#include "invitations.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
is_same(const struct invitation *a, const struct invitation *b)
{
	return a->state == b->state && a->keys == b->keys &&
	       strcmp(a->name, b->name) == 0 && strcmp(a->role, b->role) == 0 &&
	       a->until_s == b->until_s &&
	       memcmp(a->hash, b->hash, sizeof a->hash) == 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t secret[INVITE_CODE_SECRET_BYTES] = "nobody has it";
	struct invitation wish = {.name = "pump-7", .until_s = 2000000000};
	struct invitations list, again;
	struct invitation *found;
	struct buf text;
	size_t open;

	if (invitations_parse(&list, span_of(data, size), NULL) != 0) {
		assert(list.count == 0 && list.items == NULL);
		return 0;
	}
	buf_init(&text, INVITATIONS_FILE_MAX);
	invitations_encode(&list, &text);
	assert(!text.failed);
	assert(invitations_parse(&again, buf_span(&text), NULL) == 0);
	assert(again.count == list.count);
	for (size_t i = 0; i < list.count; i++)
		assert(is_same(&list.items[i], &again.items[i]));
	assert(invitations_find(&list, secret, 1700000000, &found) ==
	       INVITATION_UNKNOWN);
	invitation_hash(secret, wish.hash);
	if (invitations_add(&list, &wish, 1700000000, NULL) >= 0) {
		assert(invitations_find(&list, secret, 1700000000, &found) ==
		       INVITATION_GOOD);
		open = invitations_cancel(&list, "pump-7", 1700000000);
		assert(open == 1);
	}
	buf_fini(&text);
	invitations_fini(&list);
	invitations_fini(&again);
	return 0;
}
