#ifndef KAYA_SETTINGS_H
#define KAYA_SETTINGS_H

/*
 * settings: what kayad is told to do, by its file (kayad.conf(5)) and by its
 * command line.
 *
 *	settings_defaults -> settings_load (where there is a file)
 *	    -> settings_override -> read only, until settings_fini
 *
 * All of it is one table in settings.c: words, ranges, defaults, sentences.
 * Nothing here touches a file but what settings_files.h declares.
 */

#include "conf.h"
#include "log.h"

enum {
	SETTINGS_LISTEN_MAX = 16,
	SETTINGS_HOST_KEYS_MAX = 4,
	SETTINGS_BROKERS_MAX = 16,
	SETTINGS_NAMES_MAX = 32, /* that clients may ask for, per broker */
	SETTINGS_THREADS_MAX = 64,
	SETTINGS_PEERS_MAX = 16, /* other gateways */
	SETTINGS_EXTRA_MAX = 256 /* lines for the private mosquitto */
};

/* An address to listen on; `host` is an address, never a name. */
struct settings_listen {
	const char *host; /* without brackets; "0.0.0.0", "::" for all */
	uint16_t port; /* 0: any that is free */
	bool is_optional; /* no fault where the machine lacks the family */
};

/* How a broker learns who the client is.  Order: settings.c, identity_words. */
enum settings_identity {
	SETTINGS_PASS_THROUGH, /* user name and password as the client's */
	SETTINGS_USERNAME, /* identity as user name, password taken out */
	SETTINGS_USERNAME_WITH_SECRET, /* the same; password: secret_file's */
	SETTINGS_PROXY_V2 /* a PROXY v2 header with the identity */
};

struct settings_broker {
	const char *name; /* for logs; the address where none was given */
	const char *address; /* HOST:PORT, [V6]:PORT or /PATH */
	enum settings_identity identity;
	const char *secret_file; /* NULL but for USERNAME_WITH_SECRET */
	/* What clients ask for to get here; each has a host and a port. */
	struct conf_address *open_as;
	size_t open_as_count;
	uint64_t health_interval_ms;
	uint64_t connect_timeout_ms;
};

/* The mosquitto that kayad runs itself, where no broker is named. */
struct settings_private_broker {
	const char *program; /* a path, or a name to be looked for */
	const char **extra_lines;
	size_t extra_line_count;
	const char *extra; /* the lines as one text, or NULL */
	bool persistence;
	struct conf_address *open_as;
	size_t open_as_count;
};

/* Another gateway before the same broker. */
struct settings_peer {
	const char *name;
	const char *host_key; /* `type base64`, as in its .pub file */
};

/* What this one is to others; name NULL: it has none. */
struct settings_gateway {
	const char *name;
	const char *username; /* at a pass-through broker; NULL: none */
	const char *secret_file; /* its password; NULL: none */
	struct settings_peer *peers;
	size_t peer_count;
};

struct settings_limits {
	uint32_t sessions; /* connections in all */
	uint32_t unauthenticated; /* of these, not yet let in */
	uint32_t unauthenticated_per_source; /* of these, from one address */
	uint32_t login_grace_ms; /* to get in */
	uint32_t auth_tries; /* signed or unknown-method requests */
	uint32_t refusals; /* of one address and key, told at once */
	uint64_t refusal_delay_ms; /* of further ones, at most; 0: none */
	uint32_t channels; /* open at once in one connection */
	uint32_t window_bytes; /* receive window of each channel */
	uint64_t output_bytes; /* queued towards one client; past it: cut */
	uint32_t mqtt_packet_bytes; /* of an MQTT packet of a client's */
	uint64_t keepalive_interval_ms; /* of silence; 0: never */
	uint32_t keepalive_count; /* unanswered: the client is dead */
	uint64_t takeover_ms; /* for the one before to answer; 0: never asked */
};

struct settings {
	struct settings_listen *listen;
	size_t listen_count;
	bool listen_is_default;
	const char *state; /* folder */
	const char **host_keys; /* files */
	size_t host_key_count;
	bool host_keys_is_default; /* then it is made where missing */
	const char *authorized_keys; /* file or folder */
	bool authorized_keys_is_default;
	const char *revoked_keys; /* a file; NULL: none */
	const char *policy; /* a file; NULL: none */
	bool policy_is_default; /* then it is made where missing */
	const char *user, *net_user; /* NULL: not told */
	uint32_t threads;
	struct settings_broker *brokers;
	size_t broker_count; /* 0: the private broker */
	struct settings_private_broker private_broker;
	struct settings_gateway gateway;
	struct settings_limits limits;
	struct {
		uint64_t bytes; /* 0: never */
		uint64_t interval_ms; /* 0: never */
	} rekey;
	bool legacy_macs;
	enum log_level log_level;
	struct {
		const char *file;
		uint64_t max_bytes; /* then the next file; 0: never */
		uint64_t keep; /* files that were set aside; 0: all */
	} audit;
	struct {
		uint64_t drain_ms;
	} shutdown;

	struct conf_address *listen_words; /* `listen`, as it was written */
	size_t listen_word_count;
	struct conf conf; /* owns all of the above */
};

/* The whole table, for manual, sample and print. */
extern const struct conf_key settings_keys[];

/* Everything as it is where nobody says anything.  -1: no memory. */
int settings_defaults(struct settings *settings, struct err *err);

/*
 * Read a file's `bytes`; `name` stands in faults, and relative paths start
 * from its folder.  All faults go to `fn` (may be NULL), the first one
 * into `err` too.  -1 where there was any: `settings` is then only good for
 * settings_fini.
 */
int settings_load(struct settings *settings, const char *name,
    struct span bytes, conf_fault_fn fn, void *arg, struct err *err);

/* Whether one can listen there: a port alone, or an address, not a name. */
bool settings_is_listen(const struct conf_address *word, struct err *err);

/* What a command line may say in place of the file; NULL: nothing. */
struct settings_overrides {
	const char *state;
	const char *broker;
	const char *log_level;
	const char *listen[SETTINGS_LISTEN_MAX];
	size_t listen_count;
};

/*
 * Apply the command line (`overrides` may be NULL), then work out what hangs
 * on the rest: paths in the state folder, the number of threads, addresses.
 * To be called once, also without overrides.  Looks at the environment
 * (HOME, XDG_STATE_HOME, STATE_DIRECTORY), the user and the number of cores;
 * at no file.  -1 and `err`: ERR_USAGE where the command line is wrong.
 */
int settings_override(struct settings *settings,
    const struct settings_overrides *overrides, struct err *err);

/*
 * The brokers that are meant by `host` and `port` as a client asks for them: a
 * bit for each by its place in `brokers`, 1 for the private one; 0 where there
 * is none.  The three spellings of loopback are one host, letters' case does
 * not count, and nothing is resolved.
 */
uint32_t settings_brokers_for(
    const struct settings *settings, struct span host, uint16_t port);

/* How that broker learns who a client is, and what logs call it. */
enum settings_identity settings_identity_of(
    const struct settings *settings, size_t broker);
const char *settings_broker_name(
    const struct settings *settings, size_t broker);

/*
 * The blob of a peer's host key into `blob` (PUBKEY_MAX_BYTES), and its length
 * into `*len`.  False where it is none that a kayad has: then `*why` says so.
 */
bool settings_peer_key(const struct settings_peer *peer, uint8_t *blob,
    size_t *len, const char **why);

/* Whether both name the same gateways, and us in the same way. */
bool settings_same_gateways(const struct settings *a, const struct settings *b);

/*
 * Whether both lead to the same brokers in the same way: then what was decided
 * by the one holds by the other.
 */
bool settings_same_brokers(const struct settings *a, const struct settings *b);

/* Write all that is in force. */
void settings_print(
    const struct settings *settings, enum conf_form form, struct buf *out);

void settings_fini(struct settings *settings);

#endif
