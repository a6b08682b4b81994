#ifndef KAYA_SSH_CONN_H
#define KAYA_SSH_CONN_H

/*
 * ssh_conn: the server's half of one SSH connection, without I/O.
 *
 * Bytes come in through ssh_conn_step, which decrypts them in place and hands
 * out one event at a time; bytes to be sent collect in ssh_conn_output.  It
 * touches no socket, clock, file, thread or private key: time is an argument,
 * the host key's signature an event that somebody else answers.  It carries
 * direct-tcpip channels and nothing else.
 *
 * Sources: RFC 4251 to 4254, 8308 (ext-info), OpenSSH's PROTOCOL (strict key
 * exchange, keepalive@openssh.com).
 */

#include "buf.h"
#include "err.h"
#include "span.h"
#include "ssh_certificate.h"
#include "ssh_cipher.h"
#include "ssh_kex.h"
#include "ssh_key.h"

/* RFC 4253 section 11.1 */
enum ssh_disconnect {
	SSH_DISCONNECT_HOST_NOT_ALLOWED_TO_CONNECT = 1,
	SSH_DISCONNECT_PROTOCOL_ERROR = 2,
	SSH_DISCONNECT_KEY_EXCHANGE_FAILED = 3,
	SSH_DISCONNECT_MAC_ERROR = 5,
	SSH_DISCONNECT_SERVICE_NOT_AVAILABLE = 7,
	SSH_DISCONNECT_PROTOCOL_VERSION_NOT_SUPPORTED = 8,
	SSH_DISCONNECT_CONNECTION_LOST = 10,
	SSH_DISCONNECT_BY_APPLICATION = 11,
	SSH_DISCONNECT_TOO_MANY_CONNECTIONS = 12,
	SSH_DISCONNECT_NO_MORE_AUTH_METHODS = 14
};

/* RFC 4254 section 5.1 */
enum ssh_open_failure {
	SSH_OPEN_ADMINISTRATIVELY_PROHIBITED = 1,
	SSH_OPEN_CONNECT_FAILED = 2,
	SSH_OPEN_UNKNOWN_CHANNEL_TYPE = 3,
	SSH_OPEN_RESOURCE_SHORTAGE = 4
};

enum {
	SSH_HOST_KEYS_MAX = 4,
	SSH_PACKET_MAX = 35840, /* bytes of a packet, all told */
	SSH_DATA_MAX = 32768, /* bytes of data in one packet, each way */
	SSH_USER_MAX = 256
};

/*
 * What all connections of a gateway have in common.  Read only; must outlive
 * every connection made with it, as must the blobs.
 */
struct ssh_setup {
	const char *version; /* "SSH-2.0-kaya_0.1" */
	struct span host_keys[SSH_HOST_KEYS_MAX]; /* public blobs */
	size_t host_key_count;
	bool legacy_macs; /* offer hmac-sha2-* without -etm too */
	uint32_t window_bytes; /* our receive window of each channel */
	uint32_t max_channels; /* open at once in one connection */
	uint32_t max_auth_tries; /* signed or unknown-method requests */
	uint32_t login_grace_ms; /* from ssh_conn_new to ACCEPTED; later also
				  * for each key exchange */
	uint32_t question_ms; /* from the first question on, if that is later */
	uint64_t rekey_bytes; /* either way; 0: never by bytes */
	uint64_t rekey_ms; /* 0: never by time */
	/*
	 * Bytes: past it the peer is cut, who does not read what it asks for.
	 * Data is taken up to half of it.  At least 4 * SSH_PACKET_MAX.
	 */
	size_t output_max;
};

/* Sensible values for everything but the host keys. */
void ssh_setup_init(struct ssh_setup *setup);

struct ssh_conn;

/*
 * NULL where memory fails.  Our version line and KEXINIT stand in the output
 * at once.  `engine` is borrowed and of the calling thread.
 */
struct ssh_conn *ssh_conn_new(
    const struct ssh_setup *setup, struct ssh_engine *engine, uint64_t now_ms);

/* Secrets wiped; NULL is fine. */
void ssh_conn_free(struct ssh_conn *conn);

enum ssh_event_kind {
	/*
	 * Nothing more to be had from this input: either it is used up, or what
	 * is left is a part of a packet (keep it, and give it again, in front
	 * of what comes), or an answer is being waited for.
	 */
	SSH_EVENT_NONE,
	/* The host key must sign; answer by ssh_conn_signed. Input waits. */
	SSH_EVENT_SIGN,
	/* May this key in?  Answer by ssh_conn_auth_answer. Input waits. */
	SSH_EVENT_AUTH,
	/* The user has proven the key that was allowed. */
	SSH_EVENT_ACCEPTED,
	/*
	 * The user, who has proven a key, has answered the question.  It lets
	 * nobody in: refuse it by ssh_conn_auth_answer, and the user may be
	 * asked again; or end the connection. Input waits.
	 */
	SSH_EVENT_REPLY,
	/* A direct-tcpip is asked for; answer by ssh_conn_open_*, now or later.
	 */
	SSH_EVENT_OPEN,
	/* Data for a channel; give its room back by ssh_conn_consumed. */
	SSH_EVENT_DATA,
	/* The peer sends no more data on a channel. */
	SSH_EVENT_EOF,
	/*
	 * The peer closed the channel and will take no more data; the id is
	 * still valid until ssh_conn_close, which must follow.
	 */
	SSH_EVENT_CLOSE,
	/* More can be sent: on one channel, or (SSH_CHANNEL_ALL) on any. */
	SSH_EVENT_WRITABLE,
	/* A reply to ssh_conn_keepalive came. */
	SSH_EVENT_ALIVE,
	/*
	 * The connection is over, by the peer's DISCONNECT or by a fault; write
	 * out what is in the output, then close.  Final.
	 */
	SSH_EVENT_GONE
};

#define SSH_CHANNEL_ALL UINT32_MAX

/* Spans live until the next call on the connection. */
struct ssh_event {
	enum ssh_event_kind kind;
	uint32_t channel; /* ours: OPEN DATA EOF CLOSE WRITABLE */
	union {
		struct {
			size_t host_key; /* index in the setup */
			const char *algorithm; /* for ssh_host_key_sign */
			struct span hash; /* the exchange hash */
		} sign;
		struct {
			struct span user;
			struct span algorithm;
			struct span blob;
			bool is_proof; /* a signature came with it; it is not
					* verified unless the key is allowed */
			enum ssh_key_verdict verdict; /* other than GOOD: the
						       * key cannot be used,
						       * whatever the answer */
			/*
			 * NULL: a plain key, or a certificate of which nothing
			 * can be told.  Its time is the caller's to check, its
			 * authority to know; that this has signed it is
			 * verified once the certificate is allowed.
			 */
			const struct ssh_certificate *certificate;
			/* likewise, of `blob` as a certificate */
			enum ssh_certificate_verdict certified;
		} auth;
		struct {
			struct span blob; /* the key that was proven */
			struct span text; /* a secret: wiped by the answer */
		} reply;
		struct {
			struct span host;
			uint32_t port;
			struct span originator;
			uint32_t originator_port;
		} open;
		struct span data;
		struct {
			enum ssh_disconnect reason;
			bool by_peer;
			const char
			    *why; /* a sentence, or the peer's (escaped) */
		} gone;
	};
};

/*
 * Go through `in` (moved on past what was used; its bytes are changed) up to
 * the next event.  To be called again until SSH_EVENT_NONE.
 */
struct ssh_input {
	uint8_t *data;
	size_t len;
};
void ssh_conn_step(struct ssh_conn *conn, struct ssh_input *in, uint64_t now_ms,
    struct ssh_event *event);

/*
 * When ssh_conn_on_deadline is to be called, in the clock of `now_ms`: end of
 * the login grace, time to rekey.  UINT64_MAX: never.
 */
uint64_t ssh_conn_deadline_ms(const struct ssh_conn *conn);
/* Acts on a deadline that has passed; step afterwards, for what came of it. */
void ssh_conn_on_deadline(struct ssh_conn *conn, uint64_t now_ms);

/*
 * What is to be sent, in order.  The caller writes from its front and
 * consumes; after every call on the connection there may be more.
 */
struct buf *ssh_conn_output(struct ssh_conn *conn);

/* Whether input waits for an answer (SIGN, AUTH or REPLY). */
bool ssh_conn_is_waiting(const struct ssh_conn *conn);

/* `signature`: the blob by ssh_host_key_sign.  An empty one: it failed. */
void ssh_conn_signed(
    struct ssh_conn *conn, struct span signature, uint64_t now_ms);

enum ssh_auth_answer {
	SSH_AUTH_ALLOW,
	SSH_AUTH_REFUSE,
	/*
	 * The key counts as a part (RFC 4252 section 5.1): once it is proven,
	 * the user may ask to be asked the terms' question, and nothing else.
	 * Such a connection never gets as far as ACCEPTED.
	 */
	SSH_AUTH_QUESTION
};
/* One question by keyboard-interactive (RFC 4256 section 3.2). */
enum ssh_question_echo { SSH_QUESTION_HIDDEN, SSH_QUESTION_ECHOED };
struct ssh_question {
	const char *name;
	const char *instruction;
	const char *prompt;
	enum ssh_question_echo echo;
};
struct ssh_auth_terms {
	bool no_touch_required; /* sk keys: as authorized_keys says */
	bool verify_required;
	/* Of SSH_AUTH_QUESTION for a proof; its texts are copied. */
	const struct ssh_question *question;
};
/* What came of it, for the log. */
enum ssh_auth_outcome {
	SSH_AUTH_ACCEPTED, /* SSH_EVENT_ACCEPTED follows */
	SSH_AUTH_SAID_SO, /* a probe, no proof: it may be tried */
	SSH_AUTH_PROVEN, /* SSH_AUTH_QUESTION: the question may be asked for */
	SSH_AUTH_REFUSED, /* as answered, or by the event's verdict */
	SSH_AUTH_BAD_SIGNATURE,
	SSH_AUTH_NOT_CERTIFIED, /* its authority has not signed it */
	SSH_AUTH_NOT_TOUCHED, /* the token's user was not there */
	SSH_AUTH_NOT_VERIFIED /* neither PIN nor fingerprint at the token */
};
/*
 * `terms` may be NULL (the defaults: touch, no verification).  A REPLY is
 * always REFUSED.
 */
enum ssh_auth_outcome ssh_conn_auth_answer(struct ssh_conn *conn,
    enum ssh_auth_answer answer, const struct ssh_auth_terms *terms,
    uint64_t now_ms);

/*
 * A text for the user while authenticating (RFC 4252 5.4): while an AUTH or a
 * REPLY is to be answered, or after it was refused.  At any other time nothing
 * is sent.
 */
void ssh_conn_banner(struct ssh_conn *conn, const char *text);

/* ---- channels.  An id that is not open is the caller's fault (assert). ----
 */

void ssh_conn_open_confirm(struct ssh_conn *conn, uint32_t id);
/* The channel's id ends with it. */
void ssh_conn_open_refuse(struct ssh_conn *conn, uint32_t id,
    enum ssh_open_failure reason, const char *text);

/* The caller's own pointer at a channel; NULL at first. */
void ssh_conn_set_channel_data(struct ssh_conn *conn, uint32_t id, void *data);
void *ssh_conn_channel_data(const struct ssh_conn *conn, uint32_t id);

/*
 * Bytes that ssh_conn_send would take now: 0 while keys are exchanged, the
 * peer's window is full, or much output waits; SSH_EVENT_WRITABLE tells of
 * the first two, the caller knows of the third.
 */
size_t ssh_conn_writable(const struct ssh_conn *conn, uint32_t id);

/* Send of `data` what can be sent; how much that was. */
size_t ssh_conn_send(struct ssh_conn *conn, uint32_t id, struct span data);

/* `len` bytes of DATA have been passed on: the peer may send as many more. */
void ssh_conn_consumed(struct ssh_conn *conn, uint32_t id, size_t len);

/* No more data from us (once; nothing where the channel is closing). */
void ssh_conn_send_eof(struct ssh_conn *conn, uint32_t id);

/*
 * We are done with the channel: after this the caller hears no more of it and
 * its id is not to be used.  It is reused once the peer's CLOSE has come, and
 * counts for max_channels until then.  What was sent before still arrives.
 * An OPEN that was not yet answered is refused.
 */
void ssh_conn_close(struct ssh_conn *conn, uint32_t id);

/* Ids of the open channels: start with `after` SSH_CHANNEL_ALL; false: none. */
bool ssh_conn_next_channel(
    const struct ssh_conn *conn, uint32_t after, uint32_t *channel);

/* Send keepalive@openssh.com; SSH_EVENT_ALIVE or any other packet answers. */
void ssh_conn_keepalive(struct ssh_conn *conn);

/*
 * Start a key exchange from our side (nothing where one is going on, or before
 * ACCEPTED).  What has to be said meanwhile, answers before all, is said when
 * it has ended, in its order; data is not taken (ssh_conn_writable).
 */
void ssh_conn_rekey(struct ssh_conn *conn);

/*
 * Send DISCONNECT; the next step gives SSH_EVENT_GONE.  From then on every call
 * on the connection is allowed and none sends anything.
 */
void ssh_conn_disconnect(
    struct ssh_conn *conn, enum ssh_disconnect reason, const char *why);

/* For logs and status: what was agreed.  Strings are constants. */
struct ssh_conn_facts {
	const char *state; /* the state's name */
	const char *kex, *cipher_in, *cipher_out, *mac_in, *mac_out;
	const char *host_key;
	/* printable ASCII; "" before it came; lives with the connection */
	const char *client_version;
	uint64_t bytes_in, bytes_out; /* data of all channels */
	uint32_t key_exchanges;
	bool is_strict;
};
void ssh_conn_facts(const struct ssh_conn *conn, struct ssh_conn_facts *facts);

#endif
