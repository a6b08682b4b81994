#ifndef KAYA_CONF_H
#define KAYA_CONF_H

/*
 * conf: a configuration file in YAML, read by a table.
 *
 * One const table of `struct conf_key` says which words there are, what their
 * values may be, where they go, what they are when nobody sets them, and the
 * sentence that explains them.  The reader, the manual page, the sample file
 * and the print of what is in force all come from it.
 *
 * Every fault is told, not only the first, each with file, line, column, cause
 * and remedy.  Of YAML 1.1 it takes mappings, lists and scalars; it refuses
 * anchors, aliases, tags and further documents, and a word that is set twice.
 * Pure: bytes in, values and faults out.
 */

#include "arena.h"
#include "buf.h"
#include "err.h"
#include "span.h"

enum conf_type {
	CONF_BOOL, /* bool: yes no true false on off */
	CONF_INT, /* uint32_t or uint64_t */
	CONF_DURATION, /* the same, in ms: 500ms 30s 10m 1h 7d */
	CONF_SIZE, /* the same, in bytes: 100B 64KiB 1MiB 1GiB */
	CONF_WORD, /* an enum: its value is the word's place in `words` */
	CONF_STRING, /* const char *: no control characters, not empty */
	CONF_PATH, /* const char *: the same; relative to the file's folder */
	CONF_ADDRESS, /* struct conf_address */
	CONF_MAPPING /* a struct with `keys` of its own */
};

/* HOST:PORT; or as a key's flags allow it, PORT alone or a socket's /PATH. */
struct conf_address {
	const char *host; /* without brackets; NULL: all addresses, or a path */
	const char *path; /* NULL: host and port */
	uint16_t port;
};

enum {
	CONF_LIST = 1 << 0, /* a list of such values; one may stand alone */
	CONF_REQUIRED = 1 << 1,
	CONF_NEVER = 1 << 2, /* the word `never` is allowed, and stored as 0 */
	/* address: PORT or *:PORT too, for all addresses; HOST:0, any port */
	CONF_PORT_ALONE = 1 << 3,
	CONF_SOCKET = 1 << 4, /* address: /PATH of a UNIX socket */
	CONF_NAME = 1 << 5, /* string: as str_is_name has it */
	CONF_TEXT = 1 << 6 /* address: checked, and kept as const char * */
};

enum {
	CONF_FILE_MAX = 1 << 20, /* bytes of a file */
	CONF_DEPTH_MAX = 8, /* lists and mappings within each other */
	CONF_NODES_MAX = 20000, /* scalars, lists and mappings of a file */
	CONF_PATH_MAX = 160 /* bytes of limits.login_grace, brokers[3].name */
};

/* A word; a table of them ends with a NULL name. */
struct conf_key {
	const char *name;
	enum conf_type type;
	unsigned flags;
	size_t offset; /* of the value, or of a list's pointer */
	size_t size; /* of the value, or of one item of a list */
	size_t count_offset; /* CONF_LIST: of its size_t count */
	uint64_t min, max; /* of INT, DURATION, SIZE */
	const char *const *words; /* CONF_WORD; NULL-terminated */
	const struct conf_key *keys; /* CONF_MAPPING */
	/*
	 * What is set when the file does not: YAML, as one would write it.
	 * NULL: nothing, or what the program finds out; `fallback_doc` then
	 * says what that is.
	 */
	const char *fallback;
	const char *fallback_doc;
	const char *example; /* for the sample, where there is no fallback */
	const char *doc; /* sentences for the manual */
};

/* Where a key's value goes: .CONF_AT(struct settings, threads) */
#define CONF_AT(type, field)                                                   \
	offset = offsetof(type, field), .size = sizeof(((type *)NULL)->field)
#define CONF_LIST_AT(type, field, count)                                       \
	offset = offsetof(type, field), .size = sizeof *((type *)NULL)->field, \
	.count_offset = offsetof(type, count)

struct conf_mark {
	size_t line, column; /* from 1, in characters; 0: no place */
};

struct conf_fault {
	const char *file;
	struct conf_mark mark;
	struct err err; /* `where` is file:line:column */
};

/* Told of each fault in the order of the file; borrowed for the call. */
typedef void (*conf_fault_fn)(const struct conf_fault *fault, void *arg);

struct conf_places; /* which value stood where */

/* Owns what the values point to, and knows where they stood.  Zero: empty. */
struct conf {
	struct arena arena;
	const char *file;
	struct conf_places *places;
};

/* Everything that values point to goes; they are not to be read any more. */
void conf_fini(struct conf *conf);

/*
 * Set all of `target` to what the table says.  -1 where memory fails.  A
 * table whose own fallbacks are wrong is the programmer's fault (abort).
 */
int conf_defaults(struct conf *conf, const struct conf_key *keys, void *target);

struct conf_input {
	const char *file; /* its name, for faults and relative paths */
	struct span bytes;
	const struct conf_key *keys;
	void *target; /* defaults are in it already */
	conf_fault_fn on_fault;
	void *arg;
};

/*
 * Read a file.  0; or -1 where there were faults, which have all been told:
 * `target` then holds a mixture and is only good to be thrown away.
 */
int conf_load(struct conf *conf, const struct conf_input *input);

/*
 * Set one key of `target` from texts that came otherwise than by a file (a
 * command line): one for a scalar, any number for a list.  -1 and `err`
 * without a place where a value is wrong.  See conf_forget.
 */
int conf_set(struct conf *conf, const struct conf_key *key, void *target,
    const char *const *texts, struct err *err);

/* The key of that name, or NULL. */
const struct conf_key *conf_find(const struct conf_key *keys, const char *name);

/*
 * Where in the file a value stood: "threads", "limits", "brokers[1].address".
 * A line of 0 where the file did not set it.
 */
struct conf_mark conf_mark_of(const struct conf *conf, const char *path);

/* `path`, and what is below it, was set anew by other means than the file. */
void conf_forget(struct conf *conf, const char *path);

/* Its `conf_where`; "" where the file did not set it. */
void conf_where_of(
    const struct conf *conf, const char *path, char *text, size_t size);

/*
 * Tell of a fault that only the meaning shows, at the value of `path`, or of
 * the file as a whole where it did not set it ("settings" without a file).
 */
struct conf_teller {
	const struct conf *conf;
	conf_fault_fn on_fault;
	void *arg;
	size_t count; /* of faults told so far */
};
void conf_tell(struct conf_teller *teller, const char *path, const char *hint,
    const char *format, ...) __attribute__((format(printf, 4, 5)));

/*
 * `file`, line and column as "file:line:column", which is never cut: a long
 * file name loses its front.
 */
void conf_where(
    struct conf_mark mark, const char *file, char *text, size_t size);

/* ---- the table as text ---- */

/* A scalar as one would write it in the file, into `text`. */
void conf_value_text(
    const struct conf_key *key, const void *value, char *text, size_t size);

/* What is allowed for a key, in words: "a duration from 1s to 10m". */
void conf_allowed_text(const struct conf_key *key, char *text, size_t size);

enum conf_form { CONF_FORM_YAML, CONF_FORM_JSON };

/* Write all that is in `target`.  Look at out->failed. */
void conf_dump(const struct conf_key *keys, const void *target,
    enum conf_form form, struct buf *out);

/*
 * Write a sample file: every key with its sentences, what is allowed and its
 * default, commented out.  Without the `#` at the beginning of lines it is a
 * file that has all of them set.
 */
void conf_sample(const struct conf_key *keys, struct buf *out);

/* Write the part of a manual page that explains every key, for scdoc(5). */
void conf_manual(const struct conf_key *keys, struct buf *out);

/*
 * Write `page`, a manual page, with what stands between its lines `begin` and
 * `end` made anew by conf_manual.  False, nothing written, where it does not
 * have them in this order.
 */
bool conf_manual_renew(struct span page, const char *begin, const char *end,
    const struct conf_key *keys, struct buf *out);

#endif
