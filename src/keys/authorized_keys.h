#ifndef KAYA_AUTHORIZED_KEYS_H
#define KAYA_AUTHORIZED_KEYS_H

/*
 * authorized_keys: one line of such a file, read as OpenSSH's sshd reads it
 * (sshd(8), AUTHORIZED_KEYS FILE FORMAT).
 *
 *	[blanks][options blanks]type blanks base64[ comment]
 *
 * A line is first tried without options; options run to the first blank that
 * is not in quotes.  Option names are case-insensitive, act from left to
 * right, and one that sshd does not know voids the line.  Everything that
 * comes out is a span of the line, or a number: nothing is allocated.
 */

#include "pubkey.h"
#include "span.h"

/* name, whether `no-` may stand before it, whether it has a value */
#define AUTHORIZED_KEYS_OPTIONS(X)                                             \
	X(OPTION_RESTRICT, "restrict", false, false)                           \
	X(OPTION_CERT_AUTHORITY, "cert-authority", false, false)               \
	X(OPTION_PORT_FORWARDING, "port-forwarding", true, false)              \
	X(OPTION_AGENT_FORWARDING, "agent-forwarding", true, false)            \
	X(OPTION_X11_FORWARDING, "X11-forwarding", true, false)                \
	X(OPTION_TOUCH_REQUIRED, "touch-required", true, false)                \
	X(OPTION_VERIFY_REQUIRED, "verify-required", true, false)              \
	X(OPTION_PTY, "pty", true, false)                                      \
	X(OPTION_USER_RC, "user-rc", true, false)                              \
	X(OPTION_COMMAND, "command", false, true)                              \
	X(OPTION_PRINCIPALS, "principals", false, true)                        \
	X(OPTION_FROM, "from", false, true)                                    \
	X(OPTION_EXPIRY_TIME, "expiry-time", false, true)                      \
	X(OPTION_ENVIRONMENT, "environment", false, true)                      \
	X(OPTION_PERMITOPEN, "permitopen", false, true)                        \
	X(OPTION_PERMITLISTEN, "permitlisten", false, true)                    \
	X(OPTION_TUNNEL, "tunnel", false, true)

enum authorized_keys_option_id {
#define X(id, name, negatable, valued) id,
	AUTHORIZED_KEYS_OPTIONS(X)
#undef X
	    OPTION_COUNT
};

/* An option's name as sshd(8) writes it. */
const char *authorized_keys_option_name(enum authorized_keys_option_id id);

/* Every word that may begin an option, `no-` forms included, NULL-ended. */
const char *const *authorized_keys_option_words(void);

/*
 * Why a line lets nobody in, with what sshd's debug log calls it ("" where it
 * logs nothing that would help).
 */
#define AUTHORIZED_KEYS_FAULTS(X)                                              \
	X(FAULT_NO_KEY, "no-key", "")                                          \
	X(FAULT_TYPE, "key-type", "")                                          \
	X(FAULT_BASE64, "key-base64", "")                                      \
	X(FAULT_CUT_OFF, "key-cut-off", "")                                    \
	X(FAULT_TRAILING, "key-trailing", "")                                  \
	X(FAULT_TYPE_MISMATCH, "key-type-mismatch", "")                        \
	X(FAULT_MALFORMED, "key-malformed", "")                                \
	X(FAULT_CERTIFICATE, "certificate", "")                                \
	X(FAULT_QUOTE_OPEN, "quote-open", "invalid key option string")         \
	X(FAULT_UNKNOWN, "option-unknown", "unknown key option")               \
	X(FAULT_TAIL, "option-tail", "unknown key option")                     \
	X(FAULT_DOUBLE, "option-double", "multiple clauses")                   \
	X(FAULT_NO_VALUE, "value-missing", "unknown key option")               \
	X(FAULT_NO_QUOTE, "value-unquoted", "missing start quote")             \
	X(FAULT_EXPIRY, "expiry-time", "invalid expires time")                 \
	X(FAULT_ENVIRONMENT, "environment", "invalid environment string")      \
	X(FAULT_HOST, "permit-host", "invalid permission hostname")            \
	X(FAULT_PORT, "permit-port", "invalid permission port")                \
	X(FAULT_TUNNEL, "tunnel", "invalid tun device")                        \
	X(FAULT_TOO_MANY, "too-many", "too many permission directives")        \
	X(FAULT_PRINCIPALS, "principals", "principals on non-CA key")

enum authorized_keys_fault {
	FAULT_NONE,
#define X(id, name, sshd) id,
	AUTHORIZED_KEYS_FAULTS(X)
#undef X
	    FAULT_COUNT
};

/* The fault's word in logs and --json; sshd's words for it. */
const char *authorized_keys_fault_name(enum authorized_keys_fault fault);
const char *authorized_keys_fault_sshd(enum authorized_keys_fault fault);

struct authorized_keys_option {
	enum authorized_keys_option_id id;
	bool negated; /* written with `no-` */
	struct span name; /* as written */
	/* Between the quotes; a quote inside still stands as \". */
	struct span value;
};

/* One flag that `restrict` takes away and another option may give back. */
struct authorized_keys_rights {
	bool port_forwarding;
	bool agent_forwarding;
	bool x11_forwarding;
	bool pty;
	bool user_rc;
};

struct authorized_keys_line {
	struct span text; /* the whole of it */

	/* ---- where its parts are, for whoever shows or edits them ---- */
	struct span options; /* empty where there are none */
	struct span type_word;
	struct span base64;
	struct span comment;

	/* ---- the key ---- */
	struct pubkey key;
	uint8_t blob[PUBKEY_MAX_BYTES];
	size_t blob_len;

	/* ---- what the options come to ---- */
	struct authorized_keys_rights rights;
	bool is_restricted; /* `restrict` stands somewhere */
	bool is_authority; /* cert-authority */
	bool touch_required; /* false: no-touch-required */
	bool verify_required;
	int64_t expires_s; /* seconds since 1970; 0: never */
	/* data is NULL where the option is absent */
	struct span from;
	struct span command;
	struct span principals;
	/* The first environment="KAYA_ID=..." and "KAYA_ROLE=..." */
	struct span identity;
	struct span role;
	size_t permitopens; /* how many; authorized_keys_next gives them */
	size_t permitlistens;
	size_t variables; /* environment */

	/* ---- AUTHORIZED_KEYS_VOID: why ---- */
	enum authorized_keys_fault fault;
	struct span fault_text; /* the word or value at fault */
	enum authorized_keys_option_id fault_option; /* where it is about one */
};

enum authorized_keys_result {
	AUTHORIZED_KEYS_KEY,
	AUTHORIZED_KEYS_EMPTY, /* blank (a lone CR is), or a comment */
	AUTHORIZED_KEYS_VOID /* sshd passes over it */
};

/*
 * Read one line, without its LF.  A zero byte ends it, as in sshd.  `line` is
 * filled; its spans live as long as `text`.  expiry-time without `Z` is in the
 * process's time zone (mktime(3)): a process that may open no file has to set
 * TZ and call tzset before it loses the right to.
 */
enum authorized_keys_result authorized_keys_parse(
    struct span text, struct authorized_keys_line *line);

/* Where a part of the line begins, from 1, in bytes. */
size_t authorized_keys_column(
    const struct authorized_keys_line *line, struct span part);

/*
 * Walk over the options of a line that is a KEY: false at the end.  Start with
 * *at = 0.
 */
bool authorized_keys_next(const struct authorized_keys_line *line, size_t *at,
    struct authorized_keys_option *option);

/*
 * Cut the value of permitopen or permitlisten into host (without brackets) and
 * port (0: any, written `*`).  A permitlisten without a host has host `*`.  A
 * service's name in the place of the port is a fault here: sshd looks it up in
 * /etc/services, which differ from machine to machine (keys_service).
 * FAULT_NONE, FAULT_HOST or FAULT_PORT.
 */
enum authorized_keys_fault authorized_keys_split_permit(
    enum authorized_keys_option_id id, struct span value, struct span *host,
    uint16_t *port);

/*
 * Whether a line's principals name `name`, as sshd compares them: letter by
 * letter, and no further than an empty one.  (Before CVE-2026-35414 was mended
 * sshd read no more than forty.)
 */
bool authorized_keys_has_principal(struct span principals, struct span name);

/* `value` with each \" made a quote, cut to `size`.  Returns `text`. */
const char *authorized_keys_unquote(struct span value, char *text, size_t size);

/*
 * Walk over the lines of a whole file: false at its end.  Start with *at = 0
 * and *number = 0; the LF is left off.
 */
bool authorized_keys_next_line(
    struct span file, size_t *at, size_t *number, struct span *text);

#endif
