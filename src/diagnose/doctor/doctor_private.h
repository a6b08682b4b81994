#ifndef KAYA_DOCTOR_PRIVATE_H
#define KAYA_DOCTOR_PRIVATE_H

/* doctor_private: what the doctor's layers share; for doctor_*.c alone. */

#include "check.h"
#include "doctor.h"
#include "identity.h"
#include "mqtt_trip.h"

#include <sys/socket.h>

enum {
	DOCTOR_ADDRESSES_MAX = 16,
	DOCTOR_TCP_MS = 5000,
	DOCTOR_ANSWER_MS = 10000,
	DOCTOR_OPENING_MS = 1500, /* whoever speaks first has spoken by then */
	DOCTOR_COMMAND = 512,
};

struct doctor_address {
	struct sockaddr_storage name;
	socklen_t len;
	char text[80]; /* "192.0.2.7 port 22" */
	bool open;
};

struct doctor {
	const struct doctor_options *options;
	struct link_options link_options; /* with what enrolment added */
	struct link *link; /* the one that goes on from layer to layer */
	char host[256];
	char port[8];
	char user[256];
	char words[DOCTOR_COMMAND]; /* "-p 2222 -i key dan@host", for ssh */
	char again[2 * DOCTOR_COMMAND]; /* the same, for the doctor itself */
	char tunnel[2 * DOCTOR_COMMAND]; /* for kaya tunnel */
	char tunnel_to[2 * DOCTOR_COMMAND]; /* the same to another -b */
	char tunnel_at[2 * DOCTOR_COMMAND]; /* the same at another -L */
	bool proxied; /* a ProxyCommand or a jump host makes the connection */
	struct doctor_address addresses[DOCTOR_ADDRESSES_MAX];
	size_t address_count;
	const struct doctor_address *open; /* the first that answered */
	int kept; /* a connection to it for who needs the next one; -1: none */
	char client[80]; /* our own address towards it */
	char software[128]; /* the server's, from its banner, escaped */
	bool is_shut_out; /* by a server that talks to others, or did so */
	char shut_out[80]; /* its word of that; "": it took no connection */
	int shut_out_fact; /* what that is to doctor_banner */
	char broker[320]; /* "host:port" as it is asked for */
	char broker_host[256];
	struct identity identity; /* that is let in */
	ssh_channel channel; /* to the broker, if that opened */
	struct mqtt_trip trip; /* on it */
};

/* A new finding of the row for `fact` of `layer`. */
void doctor_tell(struct findings *findings, const char *layer,
    const struct check_row *rows, size_t count, int fact,
    const struct check_word *words);

/*
 * What leads here, for commands to type, as it was given: all of it but no
 * password, or what ssh needs, kaya tunnel, or kaya enroll.
 * `without` is an option that the command gives anew ("-p": also the port in
 * the destination), "%" where the host is to be named with its INTERFACE, or
 * "".  "..." where it does not fit.
 */
enum doctor_repeat {
	DOCTOR_REPEAT_LINK,
	DOCTOR_REPEAT_TUNNEL,
	DOCTOR_REPEAT_ENROLL,
	DOCTOR_REPEAT_ALL
};
void doctor_repeat(const struct doctor *doctor, enum doctor_repeat what,
    const char *without, char *bytes, size_t size);

/* Whether it is a kayad, by its banner. */
bool doctor_is_gateway(const struct doctor *doctor);

/*
 * A connection to the address that answered, the one that was kept before a new
 * one: the descriptor, or -1.  Servers count connections that nobody logs in
 * on (PerSourcePenalties, MaxStartups, firewalls): no more than are needed.
 */
int doctor_connect(struct doctor *doctor);

/* For the next who connects: nothing was sent, and nothing read but by peek. */
void doctor_keep(struct doctor *doctor, int fd);

/*
 * The same for SSH: -1, too, where the server says in its greeting's place that
 * it takes no more connections, or none from here.  It may say so at any time,
 * for earlier ones may have been too many; with -1 the doctor is shut out.
 */
int doctor_connect_ssh(struct doctor *doctor);

/* Tell it as what was found at `layer`; false where it is not so. */
bool doctor_tell_shut_out(
    const struct doctor *doctor, struct findings *findings, const char *layer);

/*
 * A link like doctor->link with the handshake done and its host key known, not
 * logged in; NULL and `err`.
 */
struct link *doctor_new_link(struct doctor *doctor, struct err *err);

/*
 * Between two calls that had to come again (SSH_AGAIN) on a session that does
 * not block: libssh, left to block, waits for its time-out on a connection that
 * the other side has closed.
 */
enum doctor_wait { DOCTOR_READY, DOCTOR_LATE, DOCTOR_CLOSED };
enum doctor_wait doctor_wait(ssh_session session, uint64_t until_ms);

/* Log in by the key that was found to be let in, as doctor_auth does. */
struct link *doctor_new_login(struct doctor *doctor, struct err *err);

#define DOCTOR_ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

check_fn doctor_dns;
check_fn doctor_tcp;
check_fn doctor_banner;
check_fn doctor_kex;
check_fn doctor_host_key;
check_fn doctor_auth;
check_fn doctor_forwarding;
check_fn doctor_mqtt;
check_fn doctor_message;
check_fn doctor_keepalive;
check_fn doctor_local;

#endif
