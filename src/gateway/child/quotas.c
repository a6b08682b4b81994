#include "quotas.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

/* Lists behind a lock each, so that threads rarely meet. */
enum { LISTS = 1024 }; /* a power of two */

struct quota {
	struct quota *next;
	struct list *list; /* that it is in */
	size_t holders;
	uint64_t full_ms; /* by then both are full again */
	struct policy_rate messages, questions;
	size_t len;
	uint8_t identity[];
};

struct list {
	pthread_mutex_t lock;
	struct quota *first;
};

struct quotas {
	struct list lists[LISTS];
};

struct quotas *
quotas_new(void)
{
	struct quotas *quotas = calloc(1, sizeof *quotas);

	if (quotas == NULL)
		return NULL;
	for (size_t i = 0; i < LISTS; i++)
		pthread_mutex_init(&quotas->lists[i].lock, NULL);
	return quotas;
}

void
quotas_free(struct quotas *quotas)
{
	if (quotas == NULL)
		return;
	for (size_t i = 0; i < LISTS; i++) {
		struct quota *quota = quotas->lists[i].first;

		while (quota != NULL) {
			struct quota *next = quota->next;

			assert(quota->holders == 0);
			free(quota);
			quota = next;
		}
		pthread_mutex_destroy(&quotas->lists[i].lock);
	}
	free(quotas);
}

/* Identities are the operator's to name: no enemy chooses where they fall. */
static struct list *
list_of(struct quotas *quotas, struct span identity)
{
	uint32_t sum = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < identity.len; i++)
		sum = (sum ^ identity.data[i]) * 16777619u;
	return &quotas->lists[sum & (LISTS - 1)];
}

static bool
is_spent(const struct quota *quota, uint64_t now_ms)
{
	return quota->holders > 0 || now_ms < quota->full_ms;
}

/* The one of that identity; on the way, those that nobody needs are dropped. */
static struct quota *
find(struct list *list, struct span identity, uint64_t now_ms)
{
	struct quota **link = &list->first, *found = NULL;

	while (*link != NULL) {
		struct quota *quota = *link;

		if (span_equal(
			span_of(quota->identity, quota->len), identity)) {
			found = quota;
		} else if (!is_spent(quota, now_ms)) {
			*link = quota->next;
			free(quota);
			continue;
		}
		link = &quota->next;
	}
	return found;
}

struct quota *
quotas_enter(struct quotas *quotas, struct span identity, uint64_t now_ms)
{
	struct list *list = list_of(quotas, identity);
	struct quota *quota;

	pthread_mutex_lock(&list->lock);
	quota = find(list, identity, now_ms);
	if (quota == NULL) {
		quota = malloc(sizeof *quota + identity.len);
		if (quota == NULL)
			goto done;
		*quota = (struct quota){
		    .next = list->first, .list = list, .len = identity.len};
		memcpy(quota->identity, identity.data, identity.len);
		list->first = quota;
	}
	quota->holders++;
done:
	pthread_mutex_unlock(&list->lock);
	return quota;
}

void
quotas_leave(struct quota *quota, uint64_t now_ms)
{
	struct list *list;

	if (quota == NULL)
		return;
	list = quota->list;
	pthread_mutex_lock(&list->lock);
	quota->holders--;
	/* No identity has no bytes: this looks for those to be dropped. */
	(void)find(list, span_of(NULL, 0), now_ms);
	pthread_mutex_unlock(&list->lock);
}

static bool
take(struct quota *quota, struct policy_rate *rate,
    const struct policy_who *who, uint64_t now_ms)
{
	bool may;

	pthread_mutex_lock(&quota->list->lock);
	may = policy_rate_take(rate, who, now_ms);
	if (quota->full_ms < now_ms + who->rate_interval_ms)
		quota->full_ms = now_ms + who->rate_interval_ms;
	pthread_mutex_unlock(&quota->list->lock);
	return may;
}

bool
quotas_take_message(
    struct quota *quota, const struct policy_who *who, uint64_t now_ms)
{
	return take(quota, &quota->messages, who, now_ms);
}

bool
quotas_take_question(struct quota *quota, uint64_t now_ms)
{
	static const struct policy_who anybody = {.rate = QUOTA_QUESTIONS,
	    .rate_interval_ms = QUOTA_QUESTIONS * QUOTA_QUESTION_EACH_MS};

	return take(quota, &quota->questions, &anybody, now_ms);
}

size_t
quotas_count(struct quotas *quotas)
{
	size_t count = 0;

	for (size_t i = 0; i < LISTS; i++) {
		pthread_mutex_lock(&quotas->lists[i].lock);
		for (const struct quota *q = quotas->lists[i].first; q != NULL;
		     q = q->next)
			count++;
		pthread_mutex_unlock(&quotas->lists[i].lock);
	}
	return count;
}
