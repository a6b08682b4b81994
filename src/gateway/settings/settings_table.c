/*
 * Every word of kayad.conf(5): where it goes, what it may be, what it is when
 * nobody says, and the sentences of manual and sample.
 */

#include "settings.h"

#define NAMES_DEFAULT "[\"localhost:1883\", \"127.0.0.1:1883\", \"[::1]:1883\"]"

enum { KIB = 1 << 10, MIB = 1 << 20 };
#define GIB    (1ull << 30)
#define SECOND 1000ull
#define MINUTE (60 * SECOND)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)

/* In the order of enum settings_identity. */
static const char *const identity_words[] = {
    "pass-through", "username", "username-with-secret", "proxy-v2", NULL};

/* In the order of enum log_level. */
static const char *const level_words[] = {
    "error", "warn", "info", "debug", NULL};

static const struct conf_key broker_keys[] = {
    {"name", CONF_STRING, CONF_NAME, .CONF_AT(struct settings_broker, name),
	.fallback_doc = "the broker's address", .example = "main",
	.doc = "What logs and status call this broker."},
    {"address", CONF_ADDRESS, CONF_SOCKET | CONF_TEXT | CONF_REQUIRED,
	.CONF_AT(struct settings_broker, address), .example = "127.0.0.1:1883",
	.doc = "Where the broker listens, without TLS."},
    {"identity", CONF_WORD, 0, .CONF_AT(struct settings_broker, identity),
	.words = identity_words, .fallback = "pass-through",
	.doc = "How the broker learns who a client is. `pass-through`: by the "
	       "user name and password that the client sends. `username`: the "
	       "identity takes the user name's place, and the password is "
	       "taken out. `username-with-secret`: the same, with the content "
	       "of `secret_file` as password. `proxy-v2`: by a PROXY protocol "
	       "header, version 2, before the first byte, with the client's "
	       "address and port, and the identity as a verified "
	       "certificate's common name; user name and password are the "
	       "client's."},
    {"secret_file", CONF_PATH, 0, .CONF_AT(struct settings_broker, secret_file),
	.fallback_doc = "none", .example = "/etc/kaya/broker.secret",
	.doc = "The file with the password for `username-with-secret`, in its "
	       "first line; nobody but its owner may read it."},
    {"open_as", CONF_ADDRESS, CONF_LIST,
	.CONF_LIST_AT(struct settings_broker, open_as, open_as_count),
	.fallback_doc = "localhost:1883, 127.0.0.1:1883, [::1]:1883 and the "
			"broker's own address",
	.example = "[\"localhost:1883\", \"broker.example:1883\"]",
	.doc = "What clients may ask for, as in `ssh -L 22883:HOST:PORT`, to "
	       "reach this broker. The three spellings of loopback are one "
	       "host. Nothing is looked up or reached because a client named "
	       "it. Brokers that share a name are tried in turn, those first "
	       "that are not known to be down; no other broker ever stands in "
	       "for them."},
    {"health_interval", CONF_DURATION, 0,
	.CONF_AT(struct settings_broker, health_interval_ms), .min = 500,
	.max = HOUR, .fallback = "5s",
	.doc = "How often kayad asks a broker that failed whether it is back. "
	       "Until then it is tried last. Each is asked when it comes into "
	       "force, too: the log has *event=down* and why where none is "
	       "there."},
    {"connect_timeout", CONF_DURATION, 0,
	.CONF_AT(struct settings_broker, connect_timeout_ms), .min = 100,
	.max = MINUTE, .fallback = "5s",
	.doc = "How long the broker may take to accept a connection."},
    {.name = NULL},
};

#define PRIVATE(field) CONF_AT(struct settings, private_broker.field)

static const struct conf_key private_keys[] = {
    {"program", CONF_STRING, 0, .PRIVATE(program), .fallback = "mosquitto",
	.doc = "The broker's program: a path, or a name that is looked for in "
	       "PATH and the system's sbin folders."},
    {"extra_lines", CONF_STRING, CONF_LIST,
	.CONF_LIST_AT(struct settings, private_broker.extra_lines,
	    private_broker.extra_line_count),
	.fallback_doc = "none", .example = "[\"max_queued_messages 5000\"]",
	.doc = "Lines to be added to its mosquitto.conf(5)."},
    {"persistence", CONF_BOOL, 0, .PRIVATE(persistence), .fallback = "yes",
	.doc = "Whether it keeps on disk, at once, what it has acknowledged; "
	       "`no` is quicker and forgets with the power."},
    {"open_as", CONF_ADDRESS, CONF_LIST,
	.CONF_LIST_AT(struct settings, private_broker.open_as,
	    private_broker.open_as_count),
	.fallback = NAMES_DEFAULT,
	.doc = "What clients may ask for to reach it."},
    {.name = NULL},
};

static const struct conf_key peer_keys[] = {
    {"name", CONF_STRING, CONF_NAME | CONF_REQUIRED,
	.CONF_AT(struct settings_peer, name), .example = "south",
	.doc = "What that gateway has as its `gateway.name`."},
    {"host_key", CONF_STRING, CONF_REQUIRED,
	.CONF_AT(struct settings_peer, host_key),
	.example = "ssh-ed25519 "
		   "AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFx"
		   "gZGhscHR4f",
	.doc = "Its public host key, type and base64: the first two words of "
	       "`ssh-keyscan`'s line behind the host, or of "
	       "`ssh-keygen -y -f` of its first host key. What it says is "
	       "believed by this key alone."},
    {.name = NULL},
};

#define GATEWAY(field) CONF_AT(struct settings, gateway.field)

static const struct conf_key gateway_keys[] = {
    {"name", CONF_STRING, CONF_NAME, .GATEWAY(name), .fallback_doc = "none",
	.example = "north",
	.doc = "What the others call this one, and shows where a command is "
	       "held."},
    {"peers", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct settings, gateway.peers, gateway.peer_count),
	.keys = peer_keys, .fallback_doc = "none",
	.doc = "The others, 16 at most. Each has to name this one, too."},
    {"username", CONF_STRING, 0, .GATEWAY(username), .fallback_doc = "none",
	.example = "kaya-gateway",
	.doc = "With a `pass-through` broker: the user name that kayad itself "
	       "connects by. With another one it is `name`, told as "
	       "identities are."},
    {"secret_file", CONF_PATH, 0, .GATEWAY(secret_file), .fallback_doc = "none",
	.example = "/etc/kaya/gateway.secret",
	.doc = "The file with the password for `username`, in its first line; "
	       "nobody but its owner may read it."},
    {.name = NULL},
};

#define LIMIT(field) CONF_AT(struct settings, limits.field)

static const struct conf_key limit_keys[] = {
    {"sessions", CONF_INT, 0, .LIMIT(sessions), .min = 1, .max = 4000000,
	.fallback = "100000",
	.doc = "SSH connections at once. More are closed as they come."},
    {"unauthenticated", CONF_INT, 0, .LIMIT(unauthenticated), .min = 1,
	.max = 1000000, .fallback = "2000",
	.doc = "Connections at once that have not yet proven a key. Past it, "
	       "new ones wait in the system's queue."},
    {"unauthenticated_per_source", CONF_INT, 0,
	.LIMIT(unauthenticated_per_source), .min = 1, .max = 1000000,
	.fallback = "500",
	.doc = "The same for one address (of IPv6: one /64 network); more from "
	       "there are closed as they come. Leave room for a site whose "
	       "devices all come from one address."},
    {"login_grace", CONF_DURATION, 0, .LIMIT(login_grace_ms), .min = SECOND,
	.max = 10 * MINUTE, .fallback = "30s",
	.doc = "How long a connection may take to prove a key."},
    {"auth_tries", CONF_INT, 0, .LIMIT(auth_tries), .min = 1, .max = 100,
	.fallback = "20",
	.doc = "Keys and methods that a connection may try in vain."},
    {"refusals", CONF_INT, 0, .LIMIT(refusals), .min = 1, .max = 1000000,
	.fallback = "10",
	.doc = "How often one address may show the same wrong key, or four "
	       "times as often wrong keys at all, before further refusals are "
	       "told late: 100 ms, then twice as late each time. The counts "
	       "halve every minute. A key that is let in is never late."},
    {"refusal_delay", CONF_DURATION, CONF_NEVER, .LIMIT(refusal_delay_ms),
	.min = 100, .max = MINUTE, .fallback = "5s",
	.doc = "How late a refusal is told at most; in all no more than a "
	       "third of login_grace for one connection."},
    {"channels", CONF_INT, 0, .LIMIT(channels), .min = 1, .max = 65535,
	.fallback = "256",
	.doc = "Channels at once in one connection: the MQTT clients behind "
	       "one tunnel."},
    {"window", CONF_SIZE, 0, .LIMIT(window_bytes), .min = 32 * KIB,
	.max = 16 * MIB, .fallback = "256KiB",
	.doc = "What a client may send on one channel before the broker has "
	       "taken it. Only what waits costs memory."},
    {"output", CONF_SIZE, 0, .LIMIT(output_bytes), .min = 160 * KIB, .max = GIB,
	.fallback = "4MiB",
	.doc = "What may wait for one client in all. A client that lets more "
	       "pile up is cut off."},
    {"mqtt_packet", CONF_SIZE, 0, .LIMIT(mqtt_packet_bytes), .min = KIB,
	.max = 256 * MIB, .fallback = "256MiB",
	.doc = "The largest MQTT packet that a client may send; a larger one "
	       "ends its channel. 256MiB, MQTT's own limit, is none."},
    {"keepalive_interval", CONF_DURATION, CONF_NEVER,
	.LIMIT(keepalive_interval_ms), .min = SECOND, .max = DAY,
	.fallback = "60s",
	.doc = "After how much silence a client is asked for a sign of life."},
    {"keepalive_count", CONF_INT, 0, .LIMIT(keepalive_count), .min = 1,
	.max = 100, .fallback = "3",
	.doc = "After how many such questions without an answer a client is "
	       "given up."},
    {"takeover", CONF_DURATION, CONF_NEVER, .LIMIT(takeover_ms), .min = 100,
	.max = MINUTE, .fallback = "3s",
	.doc = "When a key comes again, its connection before is asked for a "
	       "sign of life, and given up where it gives none for so long: a "
	       "device whose link broke unnoticed has not to wait for "
	       "`keepalive_count`. One that answers stays."},
    {.name = NULL},
};

static const struct conf_key rekey_keys[] = {
    {"bytes", CONF_SIZE, CONF_NEVER, .CONF_AT(struct settings, rekey.bytes),
	.min = 64 * KIB, .max = 64 * GIB, .fallback = "1GiB",
	.doc = "After how many bytes, either way, new keys are agreed on."},
    {"interval", CONF_DURATION, CONF_NEVER,
	.CONF_AT(struct settings, rekey.interval_ms), .min = SECOND,
	.max = 7 * DAY, .fallback = "1h", .doc = "After how much time."},
    {.name = NULL},
};

static const struct conf_key log_keys[] = {
    {"level", CONF_WORD, 0, .CONF_AT(struct settings, log_level),
	.words = level_words, .fallback = "info",
	.doc = "The least important kind of event that is logged."},
    {.name = NULL},
};

#define AUDIT(field) CONF_AT(struct settings, audit.field)

static const struct conf_key audit_keys[] = {
    {"file", CONF_PATH, 0, .AUDIT(file), .fallback_doc = "STATE/audit.log",
	.example = "/var/lib/kayad/audit.log",
	.doc = "Where it is written, for kayad's user alone. Beside it stands "
	       "the same name with `.head`. See AUDIT in kayad(8)."},
    {"max_size", CONF_SIZE, CONF_NEVER, .AUDIT(max_bytes), .min = 64 * KIB,
	.max = 64 * GIB, .fallback = "16MiB",
	.doc = "At which size the file is set aside, under its name and the "
	       "number of its first line, and a new one goes on."},
    {"keep", CONF_INT, 0, .AUDIT(keep), .min = 0, .max = 1000000,
	.fallback = "16",
	.doc = "How many of those that were set aside are kept; 0 keeps all "
	       "of them."},
    {.name = NULL},
};

static const struct conf_key shutdown_keys[] = {
    {"drain", CONF_DURATION, 0, .CONF_AT(struct settings, shutdown.drain_ms),
	.min = 0, .max = 10 * MINUTE, .fallback = "5s",
	.doc = "How long, when kayad is told to end, what was already taken "
	       "may take to reach the broker and the clients."},
    {.name = NULL},
};

/* A section's lines go straight into struct settings: its own offset is 0. */
const struct conf_key settings_keys[] = {
    {"listen", CONF_ADDRESS, CONF_LIST | CONF_PORT_ALONE,
	.CONF_LIST_AT(struct settings, listen_words, listen_word_count),
	.fallback = "2222",
	.doc = "Addresses to wait for SSH connections on: addresses, not "
	       "names."},
    {"state", CONF_PATH, 0, .CONF_AT(struct settings, state),
	.fallback_doc = "as root /var/lib/kayad; else kayad in "
			"XDG_STATE_HOME or ~/.local/state; under systemd its "
			"STATE_DIRECTORY",
	.example = "/var/lib/kayad",
	.doc = "The folder, called STATE here, for what kayad keeps: keys, "
	       "control socket, the private broker. Made where it is missing."},
    {"host_keys", CONF_PATH, CONF_LIST,
	.CONF_LIST_AT(struct settings, host_keys, host_key_count),
	.fallback_doc =
	    "STATE/host_key_ed25519, which is made where it is missing",
	.example = "[/var/lib/kayad/host_key_ed25519]",
	.doc = "Private host key files in OpenSSH's format, Ed25519 or RSA, "
	       "without passphrase; nobody but their owner may read them."},
    {"authorized_keys", CONF_PATH, 0,
	.CONF_AT(struct settings, authorized_keys),
	.fallback_doc = "STATE/authorized_keys",
	.example = "/var/lib/kayad/authorized_keys",
	.doc = "Who is let in: a file in OpenSSH's format, or a folder of "
	       "such files; see kaya-authorized_keys(5)."},
    {"revoked_keys", CONF_PATH, 0, .CONF_AT(struct settings, revoked_keys),
	.fallback_doc = "none: nothing is revoked",
	.example = "/etc/kaya/revoked_keys",
	.doc = "What lets nobody in any more, whatever `authorized_keys` says: "
	       "a file as sshd's RevokedKeys, with a public key a line (of a "
	       "device or of an authority), or a KRL by `ssh-keygen -k`, which "
	       "revokes certificates too, by serial or key id. Watched as the "
	       "keys are: sessions of what is revoked end at once. A file that "
	       "is missing, that others may write, or of which anything is not "
	       "understood, is a fault: kayad does not start, and lets nobody "
	       "in; at a reload the one before stays in force. Write it under "
	       "another name, and rename it into its place: then it is never "
	       "read half written."},
    {"policy", CONF_PATH, 0, .CONF_AT(struct settings, policy),
	.fallback_doc = "with a private broker STATE/policy.yaml, which is "
			"made where it is missing: whoever is let in may "
			"publish and read everything but what begins with $. "
			"With brokers, none: whoever is let in may do what the "
			"broker lets it, by a client id that belongs to no "
			"other identity",
	.example = "/etc/kaya/policy.yaml",
	.doc = "Who may publish and subscribe to what: a file as in "
	       "kaya-policy(5), or mosquitto's acl_file. Read again as the "
	       "keys are; a file with a fault leaves the one before in force."},
    {"user", CONF_STRING, 0, .CONF_AT(struct settings, user),
	.fallback_doc = "kayad where there is such a user, else daemon",
	.example = "kayad",
	.doc = "Started as root, whom kayad becomes: this user reads the keys "
	       "and runs the private broker."},
    {"net_user", CONF_STRING, 0, .CONF_AT(struct settings, net_user),
	.fallback_doc = "kayad-net where there is such a user, else nobody",
	.example = "kayad-net",
	.doc = "Started as root, whom the process becomes that speaks with the "
	       "network; not the same as `user`."},
    {"threads", CONF_INT, 0, .CONF_AT(struct settings, threads), .min = 1,
	.max = SETTINGS_THREADS_MAX,
	.fallback_doc = "the number of processor cores", .example = "4",
	.doc = "Threads that speak with the network."},
    {"brokers", CONF_MAPPING, CONF_LIST,
	.CONF_LIST_AT(struct settings, brokers, broker_count),
	.keys = broker_keys,
	.fallback_doc = "none: kayad runs a private mosquitto",
	.doc = "The MQTT brokers behind the gateway."},
    {"private_broker", CONF_MAPPING, 0, .keys = private_keys,
	.doc = "The mosquitto that kayad runs and alone can reach, where no "
	       "broker is named."},
    {"gateway", CONF_MAPPING, 0, .keys = gateway_keys,
	.doc = "Other gateways before the same broker, so that an approval "
	       "that is given at one of them counts at the other. See TWO "
	       "GATEWAYS in kaya-policy(5)."},
    {"limits", CONF_MAPPING, 0, .keys = limit_keys,
	.doc = "What clients may take up."},
    {"rekey", CONF_MAPPING, 0, .keys = rekey_keys,
	.doc = "When a connection gets new keys."},
    {"legacy_macs", CONF_BOOL, 0, .CONF_AT(struct settings, legacy_macs),
	.fallback = "no",
	.doc = "Whether hmac-sha2-256 and hmac-sha2-512 are offered without "
	       "encrypt-then-MAC too, for old clients."},
    {"log", CONF_MAPPING, 0, .keys = log_keys, .doc = "Logging."},
    {"audit", CONF_MAPPING, 0, .keys = audit_keys,
	.doc = "The log of what was decided, which shows whether it was "
	       "altered."},
    {"shutdown", CONF_MAPPING, 0, .keys = shutdown_keys,
	.doc = "How kayad ends."},
    {.name = NULL},
};
