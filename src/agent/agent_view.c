#include "agent_view.h"

#include "agent_wire.h"
#include "wire.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct agent_view {
	uint8_t hash[AGENT_VIEW_HASH_BYTES];
	int near, far; /* who asks; the agent */
	pthread_t thread;
};

static bool
is_wanted(const struct agent_view *view, struct span blob)
{
	uint8_t hash[AGENT_VIEW_HASH_BYTES];

	return EVP_Digest(
		   blob.data, blob.len, hash, NULL, EVP_sha256(), NULL) == 1 &&
	       memcmp(hash, view->hash, sizeof hash) == 0;
}

/* The list with the one key, or with none; what is no list as it is. */
static bool
write_answer(const struct agent_view *view, struct span answer)
{
	struct span in = answer, blob, comment, kept = {0}, what = {0};
	uint8_t head[9] = {0, 0, 0, 5, AGENT_WIRE_IDENTITIES_ANSWER};
	uint32_t len, count;
	uint8_t type;

	if (!wire_take_u32(&in, &len) || !wire_take_u8(&in, &type) ||
	    type != AGENT_WIRE_IDENTITIES_ANSWER || !wire_take_u32(&in, &count))
		return agent_wire_write(view->near, answer);
	while (kept.len == 0 && count-- > 0 && wire_take_string32(&in, &blob) &&
	       wire_take_string32(&in, &comment))
		if (is_wanted(view, blob)) {
			kept = blob;
			what = comment;
		}
	if (kept.len > 0) {
		/* Both lie in one piece, each with its length before it. */
		kept = span_of(kept.data - 4,
		    (size_t)(what.data + what.len - kept.data) + 4);
		wire_poke_u32(head, (uint32_t)(5 + kept.len));
		head[8] = 1;
	}
	return agent_wire_write(view->near, span_of(head, sizeof head)) &&
	       agent_wire_write(view->near, kept);
}

static void *
pass_on(void *arg)
{
	struct agent_view *view = arg;
	struct buf message;
	bool goes_on = true;

	while (goes_on) {
		buf_init(&message, AGENT_WIRE_MESSAGE_MAX);
		goes_on = agent_wire_read(view->near, &message) &&
			  agent_wire_write(view->far, buf_span(&message));
		buf_fini(&message);
		goes_on = goes_on && agent_wire_read(view->far, &message) &&
			  write_answer(view, buf_span(&message));
		buf_fini(&message);
	}
	shutdown(view->near, SHUT_RDWR);
	return NULL;
}

struct agent_view *
agent_view_open(
    const char *path, const uint8_t hash[AGENT_VIEW_HASH_BYTES], int *fd)
{
	struct agent_view *view = calloc(1, sizeof *view);
	int ends[2];

	if (view == NULL)
		return NULL;
	memcpy(view->hash, hash, sizeof view->hash);
	view->far = agent_wire_connect(path);
	if (view->far < 0)
		goto no_agent;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
		goto no_pair;
	view->near = ends[0];
	*fd = ends[1];
	if (pthread_create(&view->thread, NULL, pass_on, view) == 0)
		return view;
	close(ends[0]);
	close(ends[1]);
no_pair:
	close(view->far);
no_agent:
	free(view);
	return NULL;
}

void
agent_view_close(struct agent_view *view)
{
	if (view == NULL)
		return;
	shutdown(view->near, SHUT_RDWR);
	shutdown(view->far, SHUT_RDWR);
	pthread_join(view->thread, NULL);
	close(view->near);
	close(view->far);
	free(view);
}
