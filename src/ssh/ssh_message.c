#include "ssh_conn_private.h"

#include <stdio.h>

#define IN(state)     (1u << SSH_STATE_##state)
#define IN_EVERY      (~0u)
#define IN_AFTER_KEYS (IN(SERVICE) | IN(AUTH) | IN(QUESTION) | IN(OPEN))
#define NEVER	      0u
/*
 * A later exchange, channels being open.  Between a peer's KEXINIT and NEWKEYS
 * nothing of the kind should come (RFC 4253 section 7.1), but AsyncSSH 2.10
 * writes on, as if nothing were going on.  It is under the old keys and
 * does no harm; sshd takes it too.
 */
#define IN_LATER_EXCHANGE (1u << 31)
#define IN_OPEN		  (IN(OPEN) | IN_LATER_EXCHANGE)

static void
on_disconnect(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
	struct span body = message->body, why, language;
	uint32_t reason;

	/* The language is left out by some. */
	if (!wire_take_u32(&body, &reason) ||
	    !wire_take_string32(&body, &why)) {
		ssh_message_malformed(conn, message);
		return;
	}
	(void)wire_take_string32(&body, &language);
	ssh_conn_gone_by_peer(conn, reason, why);
}

/* IGNORE, UNIMPLEMENTED, DEBUG, EXT_INFO: nothing in them is for us. */
static void
on_noise(struct ssh_conn *conn, const struct ssh_message *message,
    struct ssh_event *event)
{
}

/*
 * Every message that has a number here is known; where its state's bit is not
 * set it is in the wrong place, and the connection ends.  What has no number
 * here is answered by UNIMPLEMENTED (RFC 4253 section 11.4).
 */
struct row {
	const char *name;
	ssh_handler_fn *handle;
	uint32_t states; /* bits of enum ssh_state */
};

static const struct row rows[] = {
    [SSH_MSG_DISCONNECT] = {"DISCONNECT", on_disconnect, IN_EVERY},
    [SSH_MSG_IGNORE] = {"IGNORE", on_noise, IN_EVERY},
    [SSH_MSG_UNIMPLEMENTED] = {"UNIMPLEMENTED", on_noise, IN_EVERY},
    [SSH_MSG_DEBUG] = {"DEBUG", on_noise, IN_EVERY},
    /* paramiko asks again before each try. */
    [SSH_MSG_SERVICE_REQUEST] = {"SERVICE_REQUEST", ssh_auth_on_service_request,
	IN(SERVICE) | IN(AUTH) | IN(QUESTION)},
    [SSH_MSG_SERVICE_ACCEPT] = {"SERVICE_ACCEPT", NULL, NEVER},
    [SSH_MSG_EXT_INFO] = {"EXT_INFO", on_noise,
	IN(SERVICE) | IN(AUTH) | IN(QUESTION)},
    [SSH_MSG_KEXINIT] = {"KEXINIT", ssh_exchange_on_kexinit,
	IN(KEXINIT) | IN_AFTER_KEYS},
    [SSH_MSG_NEWKEYS] = {"NEWKEYS", ssh_exchange_on_newkeys, IN(NEWKEYS)},
    [SSH_MSG_KEX_ECDH_INIT] = {"KEX_ECDH_INIT", ssh_exchange_on_ecdh_init,
	IN(ECDH_INIT)},
    [SSH_MSG_KEX_ECDH_REPLY] = {"KEX_ECDH_REPLY", NULL, NEVER},
    /* In OPEN it is ignored (RFC 4252 section 5.1). */
    [SSH_MSG_USERAUTH_REQUEST] = {"USERAUTH_REQUEST", ssh_auth_on_request,
	IN(AUTH) | IN(QUESTION) | IN(OPEN)},
    [SSH_MSG_USERAUTH_FAILURE] = {"USERAUTH_FAILURE", NULL, NEVER},
    [SSH_MSG_USERAUTH_SUCCESS] = {"USERAUTH_SUCCESS", NULL, NEVER},
    [SSH_MSG_USERAUTH_BANNER] = {"USERAUTH_BANNER", NULL, NEVER},
    [SSH_MSG_USERAUTH_PK_OK] = {"USERAUTH_PK_OK", NULL, NEVER},
    [SSH_MSG_USERAUTH_INFO_RESPONSE] = {"USERAUTH_INFO_RESPONSE",
	ssh_auth_question_on_response, IN(QUESTION)},
    [SSH_MSG_GLOBAL_REQUEST] = {"GLOBAL_REQUEST", ssh_global_on_request,
	IN_OPEN},
    [SSH_MSG_REQUEST_SUCCESS] = {"REQUEST_SUCCESS", ssh_global_on_reply,
	IN_OPEN},
    [SSH_MSG_REQUEST_FAILURE] = {"REQUEST_FAILURE", ssh_global_on_reply,
	IN_OPEN},
    [SSH_MSG_CHANNEL_OPEN] = {"CHANNEL_OPEN", ssh_channel_on_open, IN_OPEN},
    /* We open none and ask for nothing on one. */
    [SSH_MSG_CHANNEL_OPEN_CONFIRMATION] = {"CHANNEL_OPEN_CONFIRMATION", NULL,
	NEVER},
    [SSH_MSG_CHANNEL_OPEN_FAILURE] = {"CHANNEL_OPEN_FAILURE", NULL, NEVER},
    [SSH_MSG_CHANNEL_WINDOW_ADJUST] = {"CHANNEL_WINDOW_ADJUST",
	ssh_channel_on_adjust, IN_OPEN},
    [SSH_MSG_CHANNEL_DATA] = {"CHANNEL_DATA", ssh_channel_on_data, IN_OPEN},
    [SSH_MSG_CHANNEL_EXTENDED_DATA] = {"CHANNEL_EXTENDED_DATA",
	ssh_channel_on_extended_data, IN_OPEN},
    [SSH_MSG_CHANNEL_EOF] = {"CHANNEL_EOF", ssh_channel_on_eof, IN_OPEN},
    [SSH_MSG_CHANNEL_CLOSE] = {"CHANNEL_CLOSE", ssh_channel_on_close, IN_OPEN},
    [SSH_MSG_CHANNEL_REQUEST] = {"CHANNEL_REQUEST", ssh_channel_on_request,
	IN_OPEN},
    [SSH_MSG_CHANNEL_SUCCESS] = {"CHANNEL_SUCCESS", NULL, NEVER},
    [SSH_MSG_CHANNEL_FAILURE] = {"CHANNEL_FAILURE", NULL, NEVER},
};
enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const char *
ssh_message_name(uint8_t number)
{
	return number < ROW_COUNT ? rows[number].name : NULL;
}

void
ssh_message_malformed(struct ssh_conn *conn, const struct ssh_message *message)
{
	ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR, "malformed %s",
	    ssh_message_name(message->number));
}

/*
 * Strict key exchange: before the first NEWKEYS nothing passes but the
 * exchange itself and a DISCONNECT, so that nobody can shift the sequence.
 */
static bool
is_stray_under_strict(const struct ssh_conn *conn, uint8_t number)
{
	return conn->is_strict && conn->key_exchanges == 0 &&
	       number != SSH_MSG_DISCONNECT &&
	       (number < SSH_MSG_KEXINIT || number > 49 ||
		   ssh_message_name(number) == NULL);
}

/* RFC 4253 section 7: a packet of a wrongly guessed exchange is dropped. */
static bool
is_wrong_guess(struct ssh_conn *conn, uint8_t number)
{
	bool skips =
	    conn->state == SSH_STATE_ECDH_INIT && conn->exchange->skips_guess;

	if (!skips || number < SSH_MSG_KEX_ECDH_INIT || number > 49)
		return false;
	conn->exchange->skips_guess = false;
	return true;
}

static bool
has_place(const struct ssh_conn *conn, uint8_t number)
{
	uint32_t states = 1u << conn->state;

	if (conn->is_accepted && conn->state != SSH_STATE_OPEN)
		states |= IN_LATER_EXCHANGE;
	return (rows[number].states & states) != 0;
}

static void
reject_unknown(struct ssh_conn *conn)
{
	struct buf *out = ssh_packet_begin(conn, SSH_MSG_UNIMPLEMENTED);

	wire_put_u32(out, conn->in.sequence - 1);
	ssh_packet_end(conn, out);
}

static void
reject_stray(struct ssh_conn *conn, uint8_t number)
{
	const char *name = ssh_message_name(number);
	char digits[24];

	if (name == NULL) {
		snprintf(digits, sizeof digits, "message %u", number);
		name = digits;
	}
	ssh_conn_fail(conn, SSH_DISCONNECT_PROTOCOL_ERROR,
	    "%s came out of place (state: %s)", name,
	    ssh_state_name(conn->state));
}

void
ssh_message_dispatch(
    struct ssh_conn *conn, struct span payload, struct ssh_event *event)
{
	struct ssh_message message = {.payload = payload, .body = payload};
	uint8_t number;

	if (!wire_take_u8(&message.body, &number))
		return; /* ssh_packet_read gives no empty ones */
	message.number = number;
	if (is_wrong_guess(conn, number))
		return;
	if (is_stray_under_strict(conn, number))
		reject_stray(conn, number);
	else if (ssh_message_name(number) == NULL)
		reject_unknown(conn);
	else if (!has_place(conn, number))
		reject_stray(conn, number);
	else
		rows[number].handle(conn, &message, event);
}
