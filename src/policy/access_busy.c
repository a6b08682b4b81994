#include "access_private.h"

#include <stdlib.h>

/*
 * What is under way.  Of ten thousand devices few are at it at a time, so it is
 * allocated where it begins and given back where the last of it has ended.
 */

enum { OWN_MAX_BYTES = 1 << 20 };

const struct access_busy access_idle = {.acks = {0}};

struct access_busy *
access_begin(struct access *access)
{
	if (access->busy != NULL)
		return access->busy;
	access->busy = calloc(1, sizeof *access->busy);
	if (access->busy == NULL)
		return NULL;
	buf_init(&access->busy->to_client, OWN_MAX_BYTES);
	buf_init(&access->busy->to_broker, OWN_MAX_BYTES);
	return access->busy;
}

static bool
is_idle(const struct access *access)
{
	const struct access_busy *busy = access_see(access);

	return access_is_quiet(access) && busy->refused.count == 0 &&
	       busy->withheld.count == 0 && busy->from_client.count == 0 &&
	       busy->from_broker.count == 0 && !access_hears(access);
}

void
access_end(struct access *access)
{
	struct access_busy *busy = access->busy;

	if (busy == NULL)
		return;
	while (busy->pending != NULL) {
		struct access_pending *pending = busy->pending;

		busy->pending = pending->next;
		free(pending);
	}
	access_aliases_fini(&busy->from_client);
	access_aliases_fini(&busy->from_broker);
	access_acks_fini(&busy->acks);
	access_hold_fini(busy);
	access_ids_fini(&busy->refused);
	access_ids_fini(&busy->withheld);
	buf_fini(&busy->to_client);
	buf_fini(&busy->to_broker);
	free(busy);
	access->busy = NULL;
}

void
access_rest(struct access *access)
{
	if (access->busy != NULL && is_idle(access))
		access_end(access);
}

bool
access_take_refused(struct access *access, uint16_t packet_id)
{
	return access->busy != NULL &&
	       access_ids_take(&access->busy->refused, packet_id);
}

bool
access_take_withheld(struct access *access, uint16_t packet_id)
{
	return access->busy != NULL &&
	       access_ids_take(&access->busy->withheld, packet_id);
}
