#include "roster.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/*
 * Stripes, each with a lock of its own, so that threads rarely meet; in each a
 * table that doubles as it fills.  Keys are digests: any bytes of them do.
 */
enum { STRIPES = 64, FIRST_BUCKETS = 16 };

struct stripe {
	pthread_mutex_t lock;
	struct roster_node **buckets; /* a power of two, NULL: none yet */
	size_t bucket_count;
	size_t count;
};

struct roster {
	struct stripe stripes[STRIPES];
};

struct roster *
roster_new(void)
{
	struct roster *roster = calloc(1, sizeof *roster);

	if (roster == NULL)
		return NULL;
	for (size_t i = 0; i < STRIPES; i++)
		pthread_mutex_init(&roster->stripes[i].lock, NULL);
	return roster;
}

void
roster_free(struct roster *roster)
{
	if (roster == NULL)
		return;
	for (size_t i = 0; i < STRIPES; i++) {
		assert(roster->stripes[i].count == 0);
		pthread_mutex_destroy(&roster->stripes[i].lock);
		free(roster->stripes[i].buckets);
	}
	free(roster);
}

static struct stripe *
stripe_of(struct roster *roster, const uint8_t *key)
{
	return &roster->stripes[key[0] % STRIPES];
}

static struct roster_node **
bucket_of(struct roster_node **buckets, size_t count, const uint8_t *key)
{
	uint32_t bits;

	memcpy(&bits, key + 1, sizeof bits);
	return &buckets[bits & (count - 1)];
}

static void
push(struct roster_node **buckets, size_t count, struct roster_node *node)
{
	struct roster_node **bucket = bucket_of(buckets, count, node->key);

	node->next = *bucket;
	*bucket = node;
}

/* False where there is no memory for any table at all. */
static bool
make_room(struct stripe *stripe)
{
	size_t count = stripe->bucket_count == 0 ? FIRST_BUCKETS
						 : 2 * stripe->bucket_count;
	struct roster_node **grown;

	if (stripe->count < stripe->bucket_count)
		return true;
	grown = calloc(count, sizeof(struct roster_node *));
	if (grown == NULL)
		return stripe->bucket_count > 0;
	for (size_t i = 0; i < stripe->bucket_count; i++)
		while (stripe->buckets[i] != NULL) {
			struct roster_node *node = stripe->buckets[i];

			stripe->buckets[i] = node->next;
			push(grown, count, node);
		}
	free(stripe->buckets);
	stripe->buckets = grown;
	stripe->bucket_count = count;
	return true;
}

size_t
roster_enter(struct roster *roster, struct roster_node *node,
    struct roster_place *others, size_t max)
{
	struct stripe *stripe = stripe_of(roster, node->key);
	size_t found = 0;

	pthread_mutex_lock(&stripe->lock);
	if (!make_room(stripe)) {
		node->key = NULL;
		goto done;
	}
	for (const struct roster_node *p =
		 *bucket_of(stripe->buckets, stripe->bucket_count, node->key);
	     p != NULL && found < max; p = p->next)
		if (memcmp(p->key, node->key, PUBKEY_DIGEST_BYTES) == 0 &&
		    strcmp(p->identity, node->identity) == 0)
			others[found++] =
			    (struct roster_place){p->ticket, p->worker};
	push(stripe->buckets, stripe->bucket_count, node);
	stripe->count++;
done:
	pthread_mutex_unlock(&stripe->lock);
	return found;
}

bool
roster_has(struct roster *roster, const uint8_t *key)
{
	struct stripe *stripe = stripe_of(roster, key);
	const struct roster_node *p = NULL;

	pthread_mutex_lock(&stripe->lock);
	if (stripe->bucket_count > 0)
		p = *bucket_of(stripe->buckets, stripe->bucket_count, key);
	while (p != NULL && memcmp(p->key, key, PUBKEY_DIGEST_BYTES) != 0)
		p = p->next;
	pthread_mutex_unlock(&stripe->lock);
	return p != NULL;
}

void
roster_leave(struct roster *roster, struct roster_node *node)
{
	struct stripe *stripe;
	struct roster_node **link;

	if (node->key == NULL)
		return;
	stripe = stripe_of(roster, node->key);
	pthread_mutex_lock(&stripe->lock);
	link = bucket_of(stripe->buckets, stripe->bucket_count, node->key);
	while (*link != node)
		link = &(*link)->next;
	*link = node->next;
	stripe->count--;
	pthread_mutex_unlock(&stripe->lock);
	node->key = NULL;
}
