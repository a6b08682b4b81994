#ifndef KAYA_TEST_PEER_H
#define KAYA_TEST_PEER_H

/*
 * peer: for tests, an SSH client with the server's half at its other end.
 *
 * It says what a test tells it to, right or wrong, hands the bytes over in
 * such pieces as the test wants, answers the server's questions as a gateway
 * would, and keeps what came of it.  Its key exchange and its signatures stand
 * on libcrypto directly.  What must not happen in any test is an assertion.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <openssl/evp.h>

#include "ssh_conn_private.h"

/* Name-lists of the client's KEXINIT; NULL: everything, best first. */
struct peer_options {
	const char *version; /* with its line end */
	const char *kex;
	const char *host_key;
	const char *cipher_in, *cipher_out; /* in: to the server */
	const char *mac_in, *mac_out;
	const char *compression;
	uint8_t first_follows;
};

#define PEER_STRICT	 ",kex-strict-c-v00@openssh.com"
#define PEER_EXT_INFO	 ",ext-info-c"
#define PEER_DEFAULT_KEX "curve25519-sha256" PEER_EXT_INFO PEER_STRICT

struct peer_event {
	enum ssh_event_kind kind;
	uint32_t channel; /* SIGN: the host key's index */
	uint32_t reason; /* GONE */
	bool by_peer;
	bool is_proof; /* AUTH */
	/* GONE: why; SIGN: algorithm; OPEN: host; AUTH: user; REPLY: text */
	char text[160];
	char key_id[40]; /* AUTH: of a certificate */
};

enum { PEER_CHANNELS = 8, PEER_EVENTS = 512 };

struct peer {
	struct ssh_setup setup;
	struct peer_options options;
	struct ssh_engine *engine; /* the server's */
	struct ssh_engine *own_engine;
	struct ssh_conn *conn;
	uint64_t now_ms;

	/* The gateway's manners; set them at any time. */
	enum ssh_auth_answer answer;
	struct ssh_auth_terms terms;
	bool is_slow_signer; /* SIGN is left to the test */
	bool is_slow_judge; /* AUTH and REPLY are left to the test */
	bool is_slow_opener; /* OPEN is left to the test */
	bool is_slow_reader; /* DATA is not given back */
	size_t chunk; /* bytes handed over at once; 0: all */
	size_t split_at; /* a pause at this byte of the stream; 0: none */
	size_t cut_at; /* no more than so many bytes: see peer_try */

	/* Keys: of the host, of the user. */
	EVP_PKEY *host_pkey, *user_pkey;
	struct buf host_blob, user_blob;

	/* The wire. */
	struct buf to_server; /* not yet handed over */
	struct buf inbox; /* handed over, not yet used up */
	struct buf from_server; /* not yet read by the client */
	struct buf said; /* all that the client ever said */
	size_t handed_over;
	struct buf payload; /* what is being put together */
	struct ssh_direction out, in, next_out, next_in;
	bool has_next; /* next_* have been derived */

	/* The exchange. */
	EVP_PKEY *share;
	struct buf client_init, server_init;
	struct buf server_version;
	uint8_t hash[32], session_id[32];
	bool has_session_id, is_strict;
	struct ssh_choice choice;

	/* What came of it. */
	struct buf message; /* the latest, of the server */
	struct peer_event events[PEER_EVENTS];
	size_t event_count;
	struct buf received[PEER_CHANNELS]; /* by the server */

	/* Called around each call on the connection, where set. */
	void (*enter)(void);
	void (*leave)(void);
	jmp_buf end; /* of peer_try */
	bool is_trying;
};

/* The server is there and has spoken; the client has not. */
void peer_init(struct peer *p, const struct peer_options *options);
/* The same, with a setup of the test's own (host keys are put in). */
void peer_init_setup(struct peer *p, const struct peer_options *options,
    const struct ssh_setup *setup);
void peer_fini(struct peer *p);

/*
 * Run `talk` until it is through (true), or the stream was cut, or the
 * connection is gone, or a channel was refused (false).
 */
bool peer_try(struct peer *p, void (*talk)(struct peer *p));

/* ---- bytes ---- */

/* Hand over whatever the client has said, and step until nothing comes. */
void peer_run(struct peer *p);
/* Say raw bytes; nothing is handed over yet. */
void peer_say_raw(struct peer *p, struct span bytes);
/* An empty payload to be put together, for peer_send_it. */
struct buf *peer_begin(struct peer *p, uint8_t number);
void peer_send_it(struct peer *p);
/* Seal a payload; nothing is handed over yet. */
void peer_say(struct peer *p, struct span payload);
/* Both. */
void peer_send(struct peer *p, struct span payload);
void peer_send_byte(struct peer *p, uint8_t number);

/*
 * The server's next message in p->message; its number, or 0 where there is
 * none.  KEXINIT, KEX_ECDH_REPLY and NEWKEYS have their effect.
 */
uint8_t peer_read(struct peer *p);
/* The next must have this number; its body. */
struct span peer_expect(struct peer *p, uint8_t number);
/* Nothing more has been said. */
void peer_expect_silence(struct peer *p);
/* The server has sent DISCONNECT with this code, and told of it. */
void peer_expect_gone(struct peer *p, enum ssh_disconnect reason);

/* ---- events ---- */

/* The latest of this kind; NULL where there was none. */
const struct peer_event *peer_event(
    const struct peer *p, enum ssh_event_kind kind);
size_t peer_count(const struct peer *p, enum ssh_event_kind kind);
void peer_forget_events(struct peer *p);

/* ---- conversations ---- */

/* The signature blob of an ed25519 key over `message`. */
void peer_put_signature(EVP_PKEY *pkey, struct span message, struct buf *blob);

void peer_say_version(struct peer *p);
void peer_read_version(struct peer *p);
void peer_say_kexinit(struct peer *p);
void peer_say_ecdh_init(struct peer *p);
void peer_say_newkeys(struct peer *p);
/* The effect of what the server said in p->message; peer_read calls them. */
void peer_on_kexinit(struct peer *p);
void peer_on_reply(struct peer *p);

/* Versions up to both NEWKEYS, and the server's EXT_INFO. */
void peer_handshake(struct peer *p);
/* A later exchange, asked for by the client, or already by the server. */
void peer_rekey(struct peer *p);
/* The rest of one, both KEXINITs having been said and read. */
void peer_finish_exchange(struct peer *p);
/* handshake, and the service is accepted. */
void peer_to_auth(struct peer *p);
/* And a key proves itself. */
void peer_login(struct peer *p);
/* From peer_init on, with our window and number of channels. */
void peer_login_with(struct peer *p, uint32_t window, uint32_t max_channels);

/* A USERAUTH_REQUEST for the user's key. */
struct peer_proof {
	const char *user, *service, *algorithm;
	struct span session_id; /* empty: the right one */
	struct span blob; /* of a certificate; empty: the user's key */
	bool is_probe;
	bool is_damaged; /* a bit of the signature is turned round */
};
void peer_send_auth(struct peer *p, const struct peer_proof *proof);

/*
 * As the user `enroll` prove the key, which counts as a part: the server is
 * told to ask PEER_PROMPT, and has said that it goes on by that.
 */
#define PEER_PROMPT "Invitation code: "
void peer_prove_part(struct peer *p);
/* A USERAUTH_REQUEST for keyboard-interactive. */
void peer_ask_for_question(struct peer *p, const char *user);
/* And the question is read. */
void peer_to_question(struct peer *p);
void peer_send_reply(struct peer *p, const char *reply);

/* The client's channel id is 100 + the server's. */
struct peer_open {
	const char *type, *host;
	uint32_t window, max;
};
void peer_send_open(
    struct peer *p, uint32_t client_id, const struct peer_open *open);
/* Login is done: open a channel with large windows; the server's id. */
uint32_t peer_open_channel(struct peer *p);
/* The same with a window and a largest packet. */
void peer_open_with(struct peer *p, uint32_t window, uint32_t max);
void peer_send_data(struct peer *p, uint32_t channel, struct span data);
void peer_send_extended(struct peer *p, uint32_t channel, struct span data);
/* The data of the server's next packet, for the channel of those above. */
struct span peer_expect_data(struct peer *p);
/* A message with nothing but a channel and, for ADJUST, a number. */
void peer_send_channel(struct peer *p, uint8_t number, uint32_t channel);
void peer_send_adjust(struct peer *p, uint32_t channel, uint32_t more);

#endif
