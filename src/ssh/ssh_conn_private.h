#ifndef KAYA_SSH_CONN_PRIVATE_H
#define KAYA_SSH_CONN_PRIVATE_H

/*
 * What the modules behind ssh_conn.h share.  Nobody else includes it.
 *
 *	ssh_conn      life, states, deadlines, the step loop
 *	ssh_version   the two version lines
 *	ssh_packet    payload <-> packet, what must wait for a key exchange
 *	ssh_message   which message may come in which state, and who takes it
 *	ssh_kexinit   the offer, and what comes of two offers
 *	ssh_exchange  key exchange from KEXINIT to NEWKEYS, first and later ones
 *	ssh_auth      the service request and the user's key
 *	ssh_auth_question   what is asked of a user whose key is proven
 *	ssh_channel   channels: open, EOF, close, requests
 *	ssh_channel_data   their data and windows
 *	ssh_global    global requests
 */

#include "ssh_conn.h"
#include "wire.h"

/* RFC 4250 section 4.1.2 */
enum ssh_message_number {
	SSH_MSG_DISCONNECT = 1,
	SSH_MSG_IGNORE = 2,
	SSH_MSG_UNIMPLEMENTED = 3,
	SSH_MSG_DEBUG = 4,
	SSH_MSG_SERVICE_REQUEST = 5,
	SSH_MSG_SERVICE_ACCEPT = 6,
	SSH_MSG_EXT_INFO = 7,
	SSH_MSG_KEXINIT = 20,
	SSH_MSG_NEWKEYS = 21,
	SSH_MSG_KEX_ECDH_INIT = 30,
	SSH_MSG_KEX_ECDH_REPLY = 31,
	SSH_MSG_USERAUTH_REQUEST = 50,
	SSH_MSG_USERAUTH_FAILURE = 51,
	SSH_MSG_USERAUTH_SUCCESS = 52,
	SSH_MSG_USERAUTH_BANNER = 53,
	SSH_MSG_USERAUTH_PK_OK = 60,
	SSH_MSG_USERAUTH_INFO_REQUEST = 60, /* RFC 4256: with that method */
	SSH_MSG_USERAUTH_INFO_RESPONSE = 61,
	SSH_MSG_GLOBAL_REQUEST = 80,
	SSH_MSG_REQUEST_SUCCESS = 81,
	SSH_MSG_REQUEST_FAILURE = 82,
	SSH_MSG_CHANNEL_OPEN = 90,
	SSH_MSG_CHANNEL_OPEN_CONFIRMATION = 91,
	SSH_MSG_CHANNEL_OPEN_FAILURE = 92,
	SSH_MSG_CHANNEL_WINDOW_ADJUST = 93,
	SSH_MSG_CHANNEL_DATA = 94,
	SSH_MSG_CHANNEL_EXTENDED_DATA = 95,
	SSH_MSG_CHANNEL_EOF = 96,
	SSH_MSG_CHANNEL_CLOSE = 97,
	SSH_MSG_CHANNEL_REQUEST = 98,
	SSH_MSG_CHANNEL_SUCCESS = 99,
	SSH_MSG_CHANNEL_FAILURE = 100
};

/*
 * What is expected of the peer.  A key exchange asked for by us alone is no
 * state: until the peer's KEXINIT comes everything may still come.
 */
enum ssh_state {
	SSH_STATE_VERSION, /* its version line */
	SSH_STATE_KEXINIT, /* its first KEXINIT */
	SSH_STATE_ECDH_INIT,
	SSH_STATE_SIGNING, /* nothing: the host key signs */
	SSH_STATE_NEWKEYS,
	SSH_STATE_SERVICE, /* SERVICE_REQUEST */
	SSH_STATE_AUTH, /* USERAUTH_REQUEST */
	SSH_STATE_ASKED, /* nothing: the caller judges a key, or a reply */
	SSH_STATE_QUESTION, /* USERAUTH_INFO_RESPONSE */
	SSH_STATE_OPEN, /* channels */
	SSH_STATE_GONE,
	SSH_STATE_COUNT
};
const char *ssh_state_name(enum ssh_state state);

enum {
	SSH_VERSION_LINE_MAX = 255, /* with CR LF (RFC 4253 section 4.2) */
	SSH_PACKET_HEAD = 5, /* packet length, padding length */
	SSH_DEFERRED_MAX = 16384, /* what waits for the end of an exchange */
	/* USERAUTH_REQUESTs of any kind: an agent full of keys, twice. */
	SSH_AUTH_REQUESTS_MAX = 128,
	SSH_HOST_ALGORITHMS_MAX = 2 * SSH_HOST_KEYS_MAX
};

/* Past so many packets under one key new keys are due (RFC 4344 section 3). */
#define SSH_REKEY_PACKETS (UINT32_C(1) << 31)

/* What two KEXINITs agree on. */
struct ssh_choice {
	uint8_t kex; /* enum ssh_kex */
	uint8_t host_key; /* index in the setup */
	uint8_t host_algorithm; /* index, see ssh_host_algorithm_name */
	uint8_t cipher_in, cipher_out; /* enum ssh_cipher */
	uint8_t mac_in, mac_out; /* enum ssh_mac */
};

/* A key exchange going on: from the first KEXINIT to the peer's NEWKEYS. */
struct ssh_exchange {
	struct buf client_init; /* KEXINIT payloads, for the hash */
	struct buf server_init;
	struct buf share; /* ours */
	struct buf secret; /* as ssh_kex_reply encodes it */
	struct buf deferred; /* payloads that wait for our NEWKEYS */
	struct ssh_direction next_in;
	struct ssh_choice choice;
	uint8_t hash[SSH_KEX_HASH_BYTES];
	bool has_sent_newkeys; /* output flows again */
	bool skips_guess; /* the peer's next packet was a wrong guess */
};

enum ssh_channel_state {
	SSH_CHANNEL_FREE,
	SSH_CHANNEL_ASKED, /* OPEN not yet answered */
	SSH_CHANNEL_OPEN,
	SSH_CHANNEL_CLOSED /* by us; the peer's CLOSE is still to come */
};

struct ssh_channel {
	void *data; /* the caller's */
	uint32_t peer_id;
	uint32_t peer_max; /* bytes of data in one packet */
	uint32_t send_window; /* bytes that we may send */
	uint32_t receive_window; /* bytes that the peer may send */
	uint32_t consumed; /* bytes not yet given back to the peer */
	uint8_t state; /* enum ssh_channel_state */
	bool has_sent_eof;
	bool has_got_eof;
	bool has_got_close;
};

struct ssh_auth; /* of ssh_auth.c: the request that is being judged */
struct ssh_proven; /* of ssh_auth_question.c */

struct ssh_conn {
	const struct ssh_setup *setup;
	struct ssh_engine *engine;
	struct buf output;
	size_t packet_start; /* where in the output a message begins */
	struct ssh_direction in, out;
	char *client_version; /* NULL before it came */
	struct ssh_exchange *exchange; /* NULL where none goes on */
	struct ssh_auth *auth; /* NULL but in SSH_STATE_ASKED, for a key */
	struct ssh_proven *proven; /* NULL but where a key counts as a part */
	uint8_t *certified; /* digest of the last certificate that was verified;
			     * NULL: there is none */
	struct ssh_channel *channels;
	uint32_t channel_room; /* of `channels` */
	uint32_t channel_count; /* not free */
	uint64_t now_ms; /* of the latest call that told it */
	uint64_t deadline_ms; /* of the state */
	uint64_t data_in, data_out; /* bytes, all channels */
	uint64_t key_in, key_out; /* bytes under the present keys */
	uint32_t packets_in, packets_out; /* the same in packets */
	uint32_t packet_length; /* of the packet that is half there; or 0 */
	uint32_t key_exchanges;
	uint32_t keepalives; /* not yet answered */
	uint32_t grace_ms; /* to be let in, from the beginning */
	uint32_t tries; /* that failed */
	uint32_t auth_requests;
	uint8_t session_id[SSH_KEX_HASH_BYTES];
	uint8_t state; /* enum ssh_state */
	uint8_t resume; /* the state after the exchange */
	struct ssh_choice choice; /* of the present keys */
	bool is_strict;
	bool wants_ext_info;
	bool is_accepted; /* authenticated */
	bool tells_accepted; /* events still to be given */
	bool tells_writable;
	bool is_gone_by_peer;
	uint8_t gone_reason; /* enum ssh_disconnect */
	char *why; /* NULL: memory failed even for that */
};

/* ---- ssh_conn ---- */

/* Checks that the step is allowed, and arms the state's deadline. */
void ssh_state_set(struct ssh_conn *conn, enum ssh_state state);

/* Send DISCONNECT and be gone; nothing where it is gone already. */
void ssh_conn_fail(struct ssh_conn *conn, enum ssh_disconnect reason,
    const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Be gone without a word to the peer, where none can be sent. */
void ssh_conn_break(struct ssh_conn *conn, const char *why);

/* The peer's DISCONNECT. */
void ssh_conn_gone_by_peer(
    struct ssh_conn *conn, uint32_t reason, struct span why);

/* ---- ssh_version ---- */

enum ssh_read { SSH_READ_DONE, SSH_READ_MORE, SSH_READ_FAILED };

void ssh_version_send(struct ssh_conn *conn);
enum ssh_read ssh_version_read(struct ssh_conn *conn, struct ssh_input *in);

/* ---- ssh_packet ---- */

/*
 * Begin a message: write its body to the buf that comes back, and give that
 * to ssh_packet_end, before anything else is sent.  Where the message has to
 * wait for the end of a key exchange it does.
 */
struct buf *ssh_packet_begin(struct ssh_conn *conn, uint8_t number);
void ssh_packet_end(struct ssh_conn *conn, struct buf *out);

/* Our NEWKEYS has gone: send what had to wait. */
void ssh_packet_flush(struct ssh_conn *conn);

/* Whether nothing but key exchange and transport messages may be sent. */
static inline bool
ssh_packet_is_held(const struct ssh_conn *conn)
{
	return conn->exchange != NULL && !conn->exchange->has_sent_newkeys;
}

/* The next packet's payload, decrypted in place. */
enum ssh_read ssh_packet_read(
    struct ssh_conn *conn, struct ssh_input *in, struct span *payload);

/* ---- ssh_message ---- */

struct ssh_message {
	uint8_t number;
	struct span payload; /* all of it */
	struct span body; /* behind the number */
};
typedef void ssh_handler_fn(struct ssh_conn *conn,
    const struct ssh_message *message, struct ssh_event *event);

void ssh_message_dispatch(
    struct ssh_conn *conn, struct span payload, struct ssh_event *event);

/* The message is not what its number promises: the connection ends. */
void ssh_message_malformed(
    struct ssh_conn *conn, const struct ssh_message *message);

/* "CHANNEL_OPEN"; NULL where the number is unknown. */
const char *ssh_message_name(uint8_t number);

/* ---- ssh_kexinit ---- */

/* Append our KEXINIT's payload. */
void ssh_kexinit_encode(const struct ssh_conn *conn, struct buf *payload);

/*
 * Read the peer's and choose.  False: the connection has been ended with the
 * reason.
 */
bool ssh_kexinit_negotiate(
    struct ssh_conn *conn, const struct ssh_message *message);

/* "ssh-ed25519", ... of choice->host_algorithm. */
const char *ssh_host_algorithm_name(uint8_t host_algorithm);

/* ---- ssh_exchange ---- */

/* Send KEXINIT. */
void ssh_exchange_start(struct ssh_conn *conn);
void ssh_exchange_free(struct ssh_exchange *exchange);
/* Start one if the present keys have served long enough. */
void ssh_exchange_check(struct ssh_conn *conn);

ssh_handler_fn ssh_exchange_on_kexinit;
ssh_handler_fn ssh_exchange_on_ecdh_init;
ssh_handler_fn ssh_exchange_on_newkeys;

/* ---- ssh_auth ---- */

void ssh_auth_free(struct ssh_auth *auth);
ssh_handler_fn ssh_auth_on_service_request;
ssh_handler_fn ssh_auth_on_request;

/* USERAUTH_FAILURE, with the one method that can go on. */
enum ssh_success { SSH_SUCCESS_NONE, SSH_SUCCESS_PARTIAL };
void ssh_auth_send_failure(struct ssh_conn *conn, enum ssh_success success);
/* The same after a try, which counts: the last one ends the connection. */
void ssh_auth_fail_try(struct ssh_conn *conn);

/* ---- ssh_auth_question ---- */

/* A key that is proven, to be completed by a question.  NULL: no memory. */
struct ssh_proven *ssh_proven_new(
    struct span user, struct span blob, const struct ssh_question *question);
/* NULL is fine. */
void ssh_proven_free(struct ssh_proven *proven);

/* A request where conn->proven is set, behind its method's name. */
struct ssh_proven_request {
	struct span user, method, rest;
};
void ssh_auth_question_on_request(struct ssh_conn *conn,
    const struct ssh_message *message,
    const struct ssh_proven_request *request);
ssh_handler_fn ssh_auth_question_on_response;
/* The caller does not take the reply. */
void ssh_auth_question_refuse(struct ssh_conn *conn);

/* ---- ssh_channel ---- */

/* The caller's id: one that it was told and has not closed. */
struct ssh_channel *ssh_channel_of_caller(
    const struct ssh_conn *conn, uint32_t id);

/*
 * Take the id from the front of a message's body: of a channel that was
 * confirmed, and that the peer has not closed.  NULL: there is none such, and
 * the connection has been ended.
 */
struct ssh_channel *ssh_channel_of_message(struct ssh_conn *conn,
    const struct ssh_message *message, struct span *body, uint32_t *id);

ssh_handler_fn ssh_channel_on_open;
ssh_handler_fn ssh_channel_on_eof;
ssh_handler_fn ssh_channel_on_close;
ssh_handler_fn ssh_channel_on_request;

/* ---- ssh_channel_data ---- */

/* Window adjusts that had to wait for the end of a key exchange. */
void ssh_channel_flush(struct ssh_conn *conn);

ssh_handler_fn ssh_channel_on_adjust;
ssh_handler_fn ssh_channel_on_data;
ssh_handler_fn ssh_channel_on_extended_data;

/* ---- ssh_global ---- */

ssh_handler_fn ssh_global_on_request;
ssh_handler_fn ssh_global_on_reply;

#endif
