#ifndef KAYA_MOSQUITTO_CONF_H
#define KAYA_MOSQUITTO_CONF_H

/*
 * mosquitto_conf: the listeners of a mosquitto.conf(5), and who may come in by
 * them.  Of version 2; where 1.x differs the caller knows.
 */

#include "buf.h"

#include <limits.h>

enum { MOSQUITTO_LISTENERS_MAX = 32 };

/* Who gets in, by the file. */
struct mosquitto_access {
	enum { ANONYMOUS_UNSAID, ANONYMOUS_YES, ANONYMOUS_NO } anonymous;
	bool password_file;
	bool plugin; /* auth_plugin, plugin, psk_file: it decides */
	bool acl_file;
};

struct mosquitto_listener {
	uint16_t port; /* 0: a socket */
	char address[256]; /* "": all addresses */
	char path[108]; /* of a UNIX socket */
	bool tls; /* certfile */
	bool wants_certificate; /* require_certificate true */
	bool websockets;
	bool is_default; /* of `port`, not of `listener` */
	struct mosquitto_access own; /* with per_listener_settings */
	char file[PATH_MAX]; /* where its line stands */
	size_t line;
};

struct mosquitto_conf {
	struct mosquitto_listener listeners[MOSQUITTO_LISTENERS_MAX];
	size_t listener_count;
	bool per_listener;
	struct mosquitto_access access; /* of all, without per_listener */
	char include_dir[PATH_MAX]; /* the last one; "": none */
	uint64_t max_connections; /* the least of all; 0: no limit */
	char max_file[PATH_MAX]; /* where that stands */
	size_t max_line;
	char unread[PATH_MAX]; /* a file that could not be read; "" */
	bool mentions_port; /* `port` or `bind_address` stands somewhere */
};

/* An empty one: what mosquitto does without a file. */
void mosquitto_conf_init(struct mosquitto_conf *conf);

/* Read one file's text more; `file` is its name.  Pure. */
void mosquitto_conf_parse(
    struct mosquitto_conf *conf, struct span text, const char *file);

/*
 * Read a file and the *.conf of its include_dir.  False where the file itself
 * cannot be read.
 */
bool mosquitto_conf_read(struct mosquitto_conf *conf, const char *file);

/* The access that holds for a listener. */
const struct mosquitto_access *mosquitto_conf_access(
    const struct mosquitto_conf *conf,
    const struct mosquitto_listener *listener);

#endif
