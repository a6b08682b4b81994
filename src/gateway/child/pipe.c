#include "pipe_private.h"

#include "json.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { ORPHAN_MS = 10000 }; /* to bring to the broker what is left */

struct pipe *
pipe_next(const struct pipe *pipe)
{
	return pipe->next;
}

const char *
pipe_goal(const struct pipe *pipe)
{
	if (pipe->is_control)
		return "control";
	return pipe->broker < 0 ? NULL
				: settings_broker_name(&pipe->setup->settings,
				      (size_t)pipe->broker);
}

/* ---- lists and the end ---- */

void
pipe_link_in(struct pipe *pipe, struct pipe **head)
{
	pipe->next = *head;
	pipe->link = head;
	if (pipe->next != NULL)
		pipe->next->link = &pipe->next;
	*head = pipe;
}

static void
link_out(struct pipe *pipe)
{
	*pipe->link = pipe->next;
	if (pipe->next != NULL)
		pipe->next->link = pipe->link;
	pipe->next = NULL;
	pipe->link = NULL;
}

static void
free_pipe(void *arg)
{
	struct pipe *pipe = arg;
	struct worker *worker = pipe->worker;

	pipe_access_end(pipe);
	pipe_facts_fini(&pipe->facts);
	mqtt_walk_fini(&pipe->from_client);
	mqtt_walk_fini(&pipe->from_broker);
	buf_fini(&pipe->to_broker);
	buf_fini(&pipe->to_client);
	snapshot_setup_unref(pipe->setup);
	if (pipe->owner != NULL)
		free(pipe->owner->identity);
	free(pipe->owner);
	free(pipe->target);
	free(pipe);
	worker_on_session_gone(worker);
}

void
pipe_log_client(const struct pipe *pipe, struct log_line *line)
{
	if (!pipe->has_names)
		return;
	log_span(line, "client_id", pipe_client_id(pipe));
	log_span(line, "user", pipe_user(pipe));
	log_str(
	    line, "mqtt", mqtt_level_name(mqtt_walk_level(&pipe->from_client)));
}

static void
log_close(const struct pipe *pipe)
{
	const struct session_who nobody = {.id = 0};
	const struct session_who *who = pipe->session != NULL
					    ? &pipe->session->who
					: pipe->owner != NULL ? pipe->owner
							      : &nobody;
	struct log_line line;

	if (!session_log(&line, LOG_LEVEL_INFO, who, "channel-close"))
		return;
	log_u64(&line, "channel", pipe->channel);
	log_str(&line, "broker", pipe_goal(pipe));
	log_str(&line, "why", pipe->why != NULL ? pipe->why : "closed");
	log_u64(&line, "in", pipe->bytes_in);
	log_u64(&line, "out", pipe->bytes_out);
	log_u64(&line, "ms", worker_now_ms(pipe->worker) - pipe->since_ms);
	pipe_log_client(pipe, &line);
	if (pipe->has_connect)
		pipe_facts_log(&pipe->facts, &line);
	log_end(&line);
}

/* Nothing more goes either way. */
void
pipe_end(struct pipe *pipe)
{
	struct worker *worker = pipe->worker;

	if (pipe->state == PIPE_ENDED)
		return;
	pipe_gather_forget(pipe);
	pipe_approval_leave(pipe);
	if (pipe->state != PIPE_WAITING)
		log_close(pipe);
	pipe->state = PIPE_ENDED;
	if (pipe->session != NULL)
		ssh_conn_close(pipe->session->conn, pipe->channel);
	slots_remove(&worker->tickets, pipe->ticket);
	if (pipe->watch.loop != NULL) {
		loop_watch_stop(&pipe->watch);
		close(pipe->watch.fd);
	}
	atomic_fetch_add(&worker->counts->bytes_in, pipe->bytes_in);
	atomic_fetch_add(&worker->counts->bytes_out, pipe->bytes_out);
	link_out(pipe);
	loop_defer(worker->loop, &pipe->deferred, free_pipe, pipe);
	/* Last: where that fails the session ends, and all pipes in its list.
	 */
	if (pipe->session != NULL)
		session_flush(pipe->session);
}

void
pipe_drop(struct pipe *pipe)
{
	if (pipe->why == NULL)
		pipe->why = "dropped";
	pipe_end(pipe);
}

bool
pipe_is_quiet(const struct pipe *pipe)
{
	return pipe->state != PIPE_WAITING && buf_len(&pipe->to_broker) == 0 &&
	       buf_len(&pipe->to_client) == 0 && pipe->holds == NULL;
}

void
pipe_detach(struct pipe *pipe)
{
	pipe_approval_leave(pipe);
	if (pipe_gather_settle(pipe) && pipe->state == PIPE_OPEN &&
	    buf_len(&pipe->to_broker) > 0) {
		link_out(pipe);
		/* Without memory the log knows the channel alone. */
		pipe->owner = calloc(1, sizeof *pipe->owner);
		if (pipe->owner != NULL)
			session_who_copy(pipe->owner, &pipe->session->who);
		pipe->session = NULL;
		pipe->state = PIPE_CLOSING;
		pipe->give_up_ms = worker_now_ms(pipe->worker) + ORPHAN_MS;
		pipe_link_in(pipe, &pipe->worker->orphans);
		worker_poll(pipe->worker);
		pipe_flush(pipe);
		return;
	}
	if (pipe->why == NULL)
		pipe->why = "the session ended";
	pipe_end(pipe);
}

/* ---- status ---- */

struct span
pipe_client_id(const struct pipe *pipe)
{
	return pipe->access != NULL ? access_client_id(pipe->access)
				    : pipe_facts_client_id(&pipe->facts);
}

/* Where the gateway puts it in, it is the identity, and not kept twice. */
struct span
pipe_user(const struct pipe *pipe)
{
	const struct session_who *who =
	    pipe->session != NULL ? &pipe->session->who : pipe->owner;
	enum settings_identity how =
	    settings_identity_of(&pipe->setup->settings, (size_t)pipe->broker);

	if (how == SETTINGS_PASS_THROUGH || how == SETTINGS_PROXY_V2)
		return pipe_facts_user(&pipe->facts);
	return who == NULL || who->identity == NULL
		   ? span_of(NULL, 0)
		   : span_of_str(who->identity);
}

static void
report_client(const struct pipe *pipe, struct buf *json)
{
	buf_append_str(json, ",\"client_id\":");
	json_put_string(json, pipe_client_id(pipe));
	buf_append_str(json, ",\"user\":");
	json_put_string(json, pipe_user(pipe));
	buf_append_str(json, ",\"mqtt\":");
	json_put_str(
	    json, mqtt_level_name(mqtt_walk_level(&pipe->from_client)));
	pipe_facts_put_json(&pipe->facts, json);
}

void
pipe_report(const struct pipe *pipe, struct buf *json)
{
	char text[192];

	snprintf(
	    text, sizeof text, "{\"channel\":%u,\"broker\":", pipe->channel);
	buf_append_str(json, text);
	json_put_str(json, pipe_goal(pipe));
	if (pipe->has_connect)
		report_client(pipe, json);
	snprintf(text, sizeof text, ",\"in\":%ju,\"out\":%ju,\"since_ms\":%ju}",
	    (uintmax_t)pipe->bytes_in, (uintmax_t)pipe->bytes_out,
	    (uintmax_t)(worker_now_ms(pipe->worker) - pipe->since_ms));
	buf_append_str(json, text);
}

uint64_t
pipe_give_up_ms(const struct pipe *pipe)
{
	return pipe->give_up_ms;
}
