#include "invitations.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEPT_S = 30 * 24 * 3600 };
#define UNTIL_MAX (UINT64_C(1) << 40)

static const char *const states[INVITATION_STATES] = {
    [INVITATION_OPEN] = "open",
    [INVITATION_USED] = "used",
    [INVITATION_CANCELLED] = "cancelled",
};
static const char *const keys[] = {
    [INVITATION_ONE_KEY] = "one", [INVITATION_MORE_KEYS] = "more"};

const char *
invitation_state_name(enum invitation_state state)
{
	return states[state];
}

const char *
invitation_verdict_name(enum invitation_verdict verdict)
{
	static const char *const names[] = {
	    [INVITATION_GOOD] = "the code is good",
	    [INVITATION_UNKNOWN] = "no such code",
	    [INVITATION_EXPIRED] = "the code has expired",
	    [INVITATION_SPENT] = "the code has been used",
	    [INVITATION_WITHDRAWN] = "the code was cancelled",
	};

	return names[verdict];
}

/* ---- bytes ---- */

/* The next word; words are parted by one blank each. */
static struct span
take_word(struct span *line)
{
	const uint8_t *blank =
	    line->len == 0 ? NULL : memchr(line->data, ' ', line->len);
	size_t len = blank == NULL ? line->len : (size_t)(blank - line->data);
	struct span word = span_of(line->data, len);

	len += blank != NULL;
	*line = span_of(line->data + len, line->len - len);
	return word;
}

static bool
take_choice(
    struct span *line, const char *const *words, size_t count, unsigned *choice)
{
	struct span word = take_word(line);

	for (*choice = 0; *choice < count; ++*choice)
		if (span_is(word, words[*choice]))
			return true;
	return false;
}

static bool
take_name(struct span *line, char name[STR_NAME_MAX + 1])
{
	struct span word = take_word(line);

	return str_is_name(word) && span_to_str(word, name, STR_NAME_MAX + 1);
}

static int
hex_value(uint8_t digit)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = digit == '\0' ? NULL : strchr(digits, digit);

	return at == NULL ? -1 : (int)(at - digits);
}

static bool
read_hash(struct span word, uint8_t hash[PUBKEY_DIGEST_BYTES])
{
	if (word.len != 2 * PUBKEY_DIGEST_BYTES)
		return false;
	for (size_t i = 0; i < PUBKEY_DIGEST_BYTES; i++) {
		int high = hex_value(word.data[2 * i]);
		int low = hex_value(word.data[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		hash[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool
parse_line(struct span line, struct invitation *item)
{
	unsigned state, count;
	uint64_t until;

	*item = (struct invitation){.role = ""};
	if (!take_choice(&line, states, INVITATION_STATES, &state) ||
	    !take_name(&line, item->name) || !take_name(&line, item->role) ||
	    !str_to_u64(take_word(&line), 0, UNTIL_MAX, &until) ||
	    !take_choice(&line, keys, 2, &count) ||
	    !read_hash(line, item->hash))
		return false;
	if (strcmp(item->role, "-") == 0)
		item->role[0] = '\0';
	item->state = state;
	item->keys = count;
	item->until_s = (int64_t)until;
	return true;
}

static struct invitation *
grow(struct invitations *list, struct err *err)
{
	struct invitation *bigger =
	    realloc(list->items, (list->count + 1) * sizeof *bigger);

	if (bigger == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the invitations");
		return NULL;
	}
	list->items = bigger;
	return &bigger[list->count];
}

int
invitations_parse(struct invitations *list, struct span file, struct err *err)
{
	*list = (struct invitations){.count = 0};
	if (file.len > INVITATIONS_FILE_MAX)
		return err_set(err, ERR_FAILED, "too large for invitations");
	while (file.len > 0) {
		const uint8_t *end = memchr(file.data, '\n', file.len);
		size_t len = end == NULL ? 0 : (size_t)(end - file.data);
		struct invitation *item = grow(list, err);

		if (item == NULL)
			goto fail;
		/* Without its end the line may be without more than that. */
		if (end == NULL || !parse_line(span_of(file.data, len), item)) {
			err_set(err, ERR_FAILED, "line %zu is no invitation",
			    list->count + 1);
			err_hint(err,
			    "nobody is invited by it any more: remove it and "
			    "make new codes");
			goto fail;
		}
		list->count++;
		file = span_of(file.data + len + 1, file.len - len - 1);
	}
	return 0;
fail:
	invitations_fini(list);
	return -1;
}

void
invitations_encode(const struct invitations *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct invitation *item = &list->items[i];
		char hash[2 * PUBKEY_DIGEST_BYTES + 1], line[400];

		str_hex(span_of(item->hash, sizeof item->hash), hash);
		snprintf(line, sizeof line, "%s %s %s %" PRId64 " %s %s\n",
		    states[item->state], item->name,
		    item->role[0] == '\0' ? "-" : item->role, item->until_s,
		    keys[item->keys], hash);
		buf_append_str(out, line);
	}
}

void
invitations_fini(struct invitations *list)
{
	free(list->items);
	*list = (struct invitations){.count = 0};
}

/* ---- the list ---- */

void
invitation_hash(const uint8_t secret[INVITE_CODE_SECRET_BYTES],
    uint8_t hash[PUBKEY_DIGEST_BYTES])
{
	/* 128 bits that nobody chose need neither salt nor slowness. */
	pubkey_digest(span_of(secret, INVITE_CODE_SECRET_BYTES), hash);
}

static bool
is_open(const struct invitation *item, int64_t now_s)
{
	return item->state == INVITATION_OPEN && now_s < item->until_s;
}

/* Forget what nobody asks for any more, the oldest first. */
static void
prune(struct invitations *list, int64_t now_s)
{
	size_t spent = 0, kept = 0;

	for (size_t i = 0; i < list->count; i++)
		spent += !is_open(&list->items[i], now_s);
	for (size_t i = 0; i < list->count; i++) {
		const struct invitation *item = &list->items[i];

		if (!is_open(item, now_s) &&
		    (spent > INVITATIONS_SPENT_MAX ||
			item->until_s + KEPT_S < now_s))
			spent--;
		else
			list->items[kept++] = *item;
	}
	list->count = kept;
}

size_t
invitations_cancel(struct invitations *list, const char *name, int64_t now_s)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct invitation *item = &list->items[i];

		if (is_open(item, now_s) && strcmp(item->name, name) == 0) {
			item->state = INVITATION_CANCELLED;
			count++;
		}
	}
	return count;
}

int
invitations_add(struct invitations *list, const struct invitation *wish,
    int64_t now_s, struct err *err)
{
	size_t replaced = invitations_cancel(list, wish->name, now_s);
	struct invitation *item;
	size_t open = 0;

	prune(list, now_s);
	for (size_t i = 0; i < list->count; i++)
		open += is_open(&list->items[i], now_s);
	if (open >= INVITATIONS_OPEN_MAX) {
		err_set(err, ERR_FAILED, "%zu invitations are open", open);
		return err_hint(err,
		    "cancel some, or wait until they expire: kaya invite "
		    "--list");
	}
	item = grow(list, err);
	if (item == NULL)
		return -1;
	*item = *wish;
	item->state = INVITATION_OPEN;
	list->count++;
	return (int)replaced;
}

/* As long for every hash, whatever it shares with the other. */
static bool
is_same_hash(
    const uint8_t a[PUBKEY_DIGEST_BYTES], const uint8_t b[PUBKEY_DIGEST_BYTES])
{
	volatile uint8_t difference = 0;

	for (size_t i = 0; i < PUBKEY_DIGEST_BYTES; i++)
		difference |= a[i] ^ b[i];
	return difference == 0;
}

enum invitation_verdict
invitations_find(struct invitations *list,
    const uint8_t secret[INVITE_CODE_SECRET_BYTES], int64_t now_s,
    struct invitation **found)
{
	uint8_t hash[PUBKEY_DIGEST_BYTES];

	*found = NULL;
	invitation_hash(secret, hash);
	for (size_t i = 0; i < list->count; i++)
		if (is_same_hash(list->items[i].hash, hash))
			*found = &list->items[i];
	if (*found == NULL)
		return INVITATION_UNKNOWN;
	if ((*found)->state == INVITATION_USED)
		return INVITATION_SPENT;
	if ((*found)->state == INVITATION_CANCELLED)
		return INVITATION_WITHDRAWN;
	return now_s < (*found)->until_s ? INVITATION_GOOD : INVITATION_EXPIRED;
}
