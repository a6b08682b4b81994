#include "pipe_private.h"

#include "stream.h"

static bool
is_of_this_turn(const struct worker *worker, struct span bytes)
{
	return bytes.data >= worker->scratch &&
	       bytes.data < worker->scratch + WORKER_SCRATCH_BYTES;
}

bool
pipe_gather(struct pipe *pipe, struct span bytes)
{
	struct pipe_gather *gather = &pipe->worker->gather;
	struct iovec *part = &gather->parts[gather->count];
	struct iovec *last = gather->count > 0 ? part - 1 : NULL;

	if (gather->pipe == pipe && last != NULL &&
	    (const uint8_t *)last->iov_base + last->iov_len == bytes.data) {
		last->iov_len += bytes.len;
		return true;
	}
	if (buf_len(&pipe->to_broker) > 0 ||
	    !is_of_this_turn(pipe->worker, bytes) ||
	    (gather->pipe != NULL && gather->pipe != pipe) ||
	    gather->count == PIPE_GATHER_PARTS)
		return pipe_gather_settle(pipe) &&
		       buf_append(&pipe->to_broker, bytes.data, bytes.len);
	gather->pipe = pipe;
	gather->count++;
	/* Only ever read from. */
	part->iov_base = (void *)bytes.data;
	part->iov_len = bytes.len;
	return true;
}

void
pipe_gather_forget(struct pipe *pipe)
{
	struct pipe_gather *gather = &pipe->worker->gather;

	if (gather->pipe != pipe)
		return;
	gather->pipe = NULL;
	gather->count = 0;
}

/* All but the first `sent` bytes into the queue. */
static bool
keep_rest(struct pipe *pipe, size_t sent)
{
	const struct pipe_gather *gather = &pipe->worker->gather;
	bool done = true;

	for (size_t i = 0; i < gather->count && done; i++) {
		const struct iovec *part = &gather->parts[i];
		size_t skip = sent < part->iov_len ? sent : part->iov_len;

		sent -= skip;
		done = buf_append(&pipe->to_broker,
		    (const uint8_t *)part->iov_base + skip,
		    part->iov_len - skip);
	}
	return done;
}

bool
pipe_gather_settle(struct pipe *pipe)
{
	bool done = true;

	if (pipe->worker->gather.pipe == pipe)
		done = keep_rest(pipe, 0);
	pipe_gather_forget(pipe);
	return done;
}

bool
pipe_gather_write(struct pipe *pipe)
{
	const struct pipe_gather *gather = &pipe->worker->gather;
	enum stream_result result;
	size_t sent;
	bool done;

	if (gather->pipe != pipe)
		return true;
	result = stream_write_parts(
	    pipe->watch.fd, gather->parts, gather->count, &sent);
	done = result != STREAM_FAILED && keep_rest(pipe, sent);
	pipe_gather_forget(pipe);
	return done;
}
