#include "stops.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct stops {
	pthread_mutex_t lock;
	struct stops_node *first;
	_Atomic size_t count; /* mostly 0: then nobody waits for the lock */
};

struct stops *
stops_new(void)
{
	struct stops *stops = calloc(1, sizeof *stops);

	if (stops != NULL)
		pthread_mutex_init(&stops->lock, NULL);
	return stops;
}

void
stops_free(struct stops *stops)
{
	if (stops == NULL)
		return;
	assert(stops->first == NULL);
	pthread_mutex_destroy(&stops->lock);
	free(stops);
}

void
stops_enter(struct stops *stops, struct stops_node *node)
{
	node->is_stopped = false;
	pthread_mutex_lock(&stops->lock);
	node->next = stops->first;
	node->link = &stops->first;
	if (node->next != NULL)
		node->next->link = &node->next;
	stops->first = node;
	stops->count++;
	pthread_mutex_unlock(&stops->lock);
}

void
stops_leave(struct stops *stops, struct stops_node *node)
{
	/* Its neighbours, in other threads, write its link. */
	pthread_mutex_lock(&stops->lock);
	if (node->link != NULL) {
		*node->link = node->next;
		if (node->next != NULL)
			node->next->link = node->link;
		node->link = NULL;
		stops->count--;
	}
	pthread_mutex_unlock(&stops->lock);
}

size_t
stops_hit(struct stops *stops, struct span topic)
{
	size_t hits = 0;

	if (stops->count == 0)
		return 0;
	pthread_mutex_lock(&stops->lock);
	for (struct stops_node *n = stops->first; n != NULL; n = n->next) {
		if (!span_equal(n->topic, topic))
			continue;
		hits += !n->is_stopped;
		n->is_stopped = true;
	}
	pthread_mutex_unlock(&stops->lock);
	return hits;
}

bool
stops_is_stopped(struct stops *stops, const struct stops_node *node)
{
	bool is_stopped;

	pthread_mutex_lock(&stops->lock);
	is_stopped = node->is_stopped;
	pthread_mutex_unlock(&stops->lock);
	return is_stopped;
}
