#ifndef KAYA_LOAD_WAY_H
#define KAYA_LOAD_WAY_H

/*
 * load_way: one connection to a broker, by plain TCP, by TLS or through an SSH
 * server's direct-tcpip channel (libssh); and the little MQTT 3.1.1 that is
 * spoken on it.  Blocking; a way belongs to one thread at a time.
 */

#include "err.h"
#include "span.h"

enum load_way_kind {
	LOAD_TCP,
	LOAD_TLS,
	LOAD_SSH,
};

struct load_way_options {
	enum load_way_kind kind;
	const char *host; /* an address */
	unsigned port;
	const char *user; /* SSH */
	const char *key; /* file: TLS's private key; SSH's, with keys > 0:
			    folder of files 0, 1, 2 ..., one a device */
	unsigned keys;
	const char *certificate; /* TLS: file, the device's */
	const char *authority; /* TLS: file, who vouches for the broker */
	const char *target_host; /* SSH: the broker, as asked for */
	unsigned target_port;
	const char *ciphers; /* SSH: in order of preference */
	unsigned deadline_s; /* for anything to happen; 0: none */
};

/* What all ways share: the keys, read beforehand; the TLS context. */
struct load_way_common;

/* NULL and `err` where a file cannot be read.  `options` must outlive it. */
struct load_way_common *load_way_common_new(
    const struct load_way_options *options, struct err *err);
void load_way_common_free(struct load_way_common *common);

struct load_way;

/* Connect the device of that number, as far as a stream to the broker. */
struct load_way *load_way_open(
    const struct load_way_common *common, unsigned number, struct err *err);

/* NULL is fine.  Says good-bye where the protocol has one. */
void load_way_close(struct load_way *way);

/* What was agreed on, for the report: "aes128-gcm@openssh.com".  A constant
 * or the way's own. */
const char *load_way_cipher(const struct load_way *way);

/* All of it, in one write where the way allows.  -1 and `err` on failure. */
int load_way_write(struct load_way *way, struct span bytes, struct err *err);

/* Exactly `len` bytes. */
int load_way_read(
    struct load_way *way, uint8_t *bytes, size_t len, struct err *err);

/* CONNECT with a clean session and without keep alive, then its CONNACK. */
int load_way_mqtt_connect(
    struct load_way *way, unsigned number, struct err *err);

/*
 * A PUBLISH of `size` bytes of payload to "bench/NUMBER", at QoS 1 with
 * `packet_id`, at QoS 0 where that is 0.  The caller frees the bytes; NULL
 * where memory fails.
 */
uint8_t *load_way_mqtt_publish(
    unsigned number, unsigned size, unsigned packet_id, size_t *len);

/* Wait for the PUBACK of `packet_id`, which must be the next packet. */
int load_way_mqtt_puback(
    struct load_way *way, unsigned packet_id, struct err *err);

#endif
