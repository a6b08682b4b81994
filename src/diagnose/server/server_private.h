#ifndef KAYA_SERVER_PRIVATE_H
#define KAYA_SERVER_PRIVATE_H

/* server_private: what the looks at a server share; for server_*.c. */

#include "check.h"
#include "doctor_server.h"
#include "mosquitto_conf.h"
#include "server_system.h"
#include "ssh_settings.h"

enum {
	SERVER_ACCOUNTS_MAX = 256,
	SERVER_ACCOUNT_NAME = 64,
	SERVER_LINES_TOLD = 16, /* of one file, whoever has written it */
	SERVER_ASK_MS = 20000
};

/* A file of keys that some account is let in by. */
struct server_account {
	char name[SERVER_ACCOUNT_NAME];
	char file[PATH_MAX];
	size_t keys;
	size_t forwarders; /* of those: may forward ports */
};

struct server {
	const struct doctor_server_options *options;
	struct findings *findings;
	struct system system;
	bool is_root;
	/* sshd, as it runs or would run */
	char sshd_file[PATH_MAX]; /* its configuration; "": the usual one */
	int sshd_pid; /* by the port that it was looked for at; 0: it was not */
	uint16_t sshd_port; /* which that was; 0: by its settings */
	const char *sshd_client; /* whom it is asked for; NULL: 127.0.0.1 */
	struct ssh_settings sshd;
	bool has_sshd; /* sshd -T has answered */
	/* mosquitto */
	char broker_file[PATH_MAX];
	struct mosquitto_conf broker;
	bool has_broker_file;
	struct server_account accounts[SERVER_ACCOUNTS_MAX];
	size_t account_count;
};

/* A new finding of the row for `fact` of `layer`. */
void server_tell(struct server *server, const char *layer,
    const struct check_row *rows, size_t count, int fact,
    const struct check_word *words);

#define SERVER_ROWS(rows) (rows), sizeof(rows) / sizeof((rows)[0])

/* How many devices are to be served: as asked, or one for each key. */
uint64_t server_devices(const struct server *server);

/* Run sshd -T with -C for a user (NULL: none).  -1 and `why`. */
int server_ask_sshd(const struct server *server, const char *user,
    struct ssh_settings *settings, char *why, size_t size);

/* Its configuration, also where that is the usual one. */
const char *server_sshd_file(const struct server *server);

/* Whether a listener is a broker's, as far as can be seen. */
bool server_is_broker(
    const struct server *server, const struct system_listener *listener);

/* What a CONNECT without a user name comes to. */
enum server_anonymous {
	SERVER_ANONYMOUS_IN,
	SERVER_ANONYMOUS_OUT, /* CONNACK with another code */
	SERVER_ANONYMOUS_NOT_MQTT, /* closed, silent, TLS */
	SERVER_ANONYMOUS_NO_WAY /* cannot be connected to */
};
enum server_anonymous server_try_anonymous(
    const struct system_listener *listener);

/* Gather, before the checks tell. */
void server_gather_sshd(struct server *server);
void server_gather_keys(struct server *server);

check_fn server_broker;
check_fn server_sshd;
check_fn server_keys;
check_fn server_reach;
check_fn server_kayad;
check_fn server_versions;
check_fn server_clock;
check_fn server_limits;
check_fn server_firewall;

#endif
