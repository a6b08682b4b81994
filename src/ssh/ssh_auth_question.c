#include "ssh_conn_private.h"

#include <stdlib.h>

/*
 * A key that was proven and is one of two parts: the user is asked one
 * question (RFC 4256), and the answer is for the caller.  There is no way from
 * here to OPEN.
 */

enum { TEXTS_MAX = 2048 };

struct ssh_proven {
	struct buf user, blob;
	struct buf request; /* of USERAUTH_INFO_REQUEST, the body */
	struct buf reply;
	bool is_asked; /* the time to answer has begun */
};

struct ssh_proven *
ssh_proven_new(
    struct span user, struct span blob, const struct ssh_question *question)
{
	struct ssh_proven *proven = calloc(1, sizeof *proven);

	if (proven == NULL)
		return NULL;
	buf_init(&proven->user, SSH_USER_MAX);
	buf_init(&proven->blob, SSH_PACKET_MAX);
	buf_init(&proven->request, TEXTS_MAX);
	buf_init_secret(&proven->reply, SSH_PACKET_MAX);
	wire_put_bytes(&proven->user, user);
	wire_put_bytes(&proven->blob, blob);
	wire_put_cstring32(&proven->request, question->name);
	wire_put_cstring32(&proven->request, question->instruction);
	wire_put_cstring32(&proven->request, ""); /* language tag */
	wire_put_u32(&proven->request, 1);
	wire_put_cstring32(&proven->request, question->prompt);
	wire_put_u8(&proven->request, question->echo == SSH_QUESTION_ECHOED);
	if (proven->user.failed || proven->blob.failed ||
	    proven->request.failed) {
		ssh_proven_free(proven);
		return NULL;
	}
	return proven;
}

void
ssh_proven_free(struct ssh_proven *proven)
{
	if (proven == NULL)
		return;
	buf_fini(&proven->user);
	buf_fini(&proven->blob);
	buf_fini(&proven->request);
	buf_fini(&proven->reply);
	free(proven);
}

static void
ask(struct ssh_conn *conn)
{
	struct ssh_proven *proven = conn->proven;
	uint64_t until_ms = conn->now_ms + conn->setup->question_ms;
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_USERAUTH_INFO_REQUEST);

	wire_put_bytes(out, buf_span(&proven->request));
	ssh_packet_end(conn, out);
	/* A person types longer than a program. */
	if (!proven->is_asked && until_ms > conn->deadline_ms) {
		conn->grace_ms += (uint32_t)(until_ms - conn->deadline_ms);
		conn->deadline_ms = until_ms;
	}
	proven->is_asked = true;
	ssh_state_set(conn, SSH_STATE_QUESTION);
}

void
ssh_auth_question_on_request(struct ssh_conn *conn,
    const struct ssh_message *message, const struct ssh_proven_request *request)
{
	struct span rest = request->rest, language, submethods;

	/* A request that comes before the answer gives the question up. */
	if (conn->state == SSH_STATE_QUESTION)
		ssh_state_set(conn, SSH_STATE_AUTH);
	/* What was proven was so for that user (RFC 4252 section 5). */
	if (!span_equal(request->user, buf_span(&conn->proven->user))) {
		ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
		    "the user name has changed since the key was proven");
	} else if (span_is(request->method, "none")) {
		ssh_auth_send_failure(conn, SSH_SUCCESS_NONE);
	} else if (!span_is(request->method, "keyboard-interactive")) {
		ssh_auth_fail_try(conn);
	} else if (!wire_take_string32(&rest, &language) ||
		   !wire_take_string32(&rest, &submethods) || rest.len > 0) {
		ssh_message_malformed(conn, message);
	} else {
		ask(conn);
	}
}

/*
 * RFC 4256 section 3.4.  The answer is kept, and wiped from the packet that
 * brought it: that lies in memory of many connections.
 */
void
ssh_auth_question_on_response(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event)
{
	struct span body = message->body, answer = {0};
	struct ssh_proven *proven = conn->proven;
	uint32_t count;
	bool is_whole = wire_take_u32(&body, &count);

	/* Each takes bytes: what is not there ends it soon. */
	for (uint32_t i = 0; is_whole && i < count; i++)
		is_whole = wire_take_string32(&body, &answer);
	is_whole = is_whole && body.len == 0;
	if (is_whole && count == 1)
		wire_put_bytes(&proven->reply, answer);
	explicit_bzero((void *)message->body.data, message->body.len);
	if (!is_whole) {
		ssh_message_malformed(conn, message);
	} else if (proven->reply.failed) {
		ssh_conn_break(conn, "out of memory");
	} else if (count != 1) {
		ssh_state_set(conn, SSH_STATE_AUTH);
		ssh_auth_fail_try(conn);
	} else {
		ssh_state_set(conn, SSH_STATE_ASKED);
		event->kind = SSH_EVENT_REPLY;
		event->reply.blob = buf_span(&proven->blob);
		event->reply.text = buf_span(&proven->reply);
	}
}

void
ssh_auth_question_refuse(struct ssh_conn *conn)
{
	buf_fini(&conn->proven->reply);
	ssh_state_set(conn, SSH_STATE_AUTH);
	ssh_auth_fail_try(conn);
}
