#ifndef KAYA_SURVEY_PRIVATE_H
#define KAYA_SURVEY_PRIVATE_H

/* survey_private: what the survey's parts share; for survey_*.c alone. */

#include "finding.h"
#include "known_hosts.h"
#include "survey.h"
#include "survey_http.h"
#include "survey_proxy.h"

#include <limits.h>
#include <pthread.h>
#include <sys/socket.h>

enum {
	SURVEY_ADDRESSES_MAX = 8,
	/* the ports that were asked for, and the host's own */
	SURVEY_WAYS_MAX = (SURVEY_PORTS_MAX + 1) * (SURVEY_ADDRESSES_MAX + 1),
	SURVEY_TRIES = 3,
	SURVEY_TIMEOUT_MS = 5000,
	SURVEY_LINE = 128,
};

/* What became of a way. */
enum way_fact {
	WAY_RUNNING,
	WAY_SSH, /* `trust` says whose */
	WAY_SSH_STALLS, /* it begins, and its larger packets do not come */
	WAY_SSH_BREAKS, /* the handshake fails in another way */
	WAY_SSH_1,
	WAY_TOO_MANY,
	WAY_LOCKED_OUT,
	WAY_TLS, /* `certificate` says whose */
	WAY_MQTT,
	WAY_HTTP, /* `page` says what it shows */
	WAY_OTHER,
	WAY_SILENT, /* connected, and not a word */
	WAY_CLOSED,
	WAY_CUT, /* reset as soon as something was said */
	WAY_REFUSED,
	WAY_REJECTED, /* by ICMP: `by` says from whom */
	WAY_FILTERED,
	WAY_UNREACHABLE,
	WAY_NO_ROUTE,
	WAY_FORBIDDEN, /* by this machine's own firewall */
	WAY_FAILED,
	WAY_PROXY_GONE, /* the proxy itself does not answer */
	WAY_PROXY_LOGIN,
	WAY_PROXY_FORBIDS,
	WAY_PROXY_CANNOT,
	WAY_PROXY_NONE, /* it is no HTTP proxy */
	WAY_FACTS
};

/* Whose host key it is. */
enum way_trust {
	TRUST_NOT_SEEN,
	TRUST_KNOWN,
	TRUST_PINNED, /* by --host-key */
	TRUST_ELSEWHERE, /* known, for another port of the host */
	TRUST_UNKNOWN,
	TRUST_CHANGED,
	TRUST_OTHER_TYPE,
	TRUST_NOT_THE_ONE, /* --host-key names another */
	TRUST_NOT_KNOWABLE /* known_hosts cannot be read, or is damaged */
};

enum way_tls {
	TLS_NOT_SEEN,
	TLS_VALID, /* by the system's authorities, and for this host */
	TLS_PINNED,
	TLS_NOT_VALID,
	TLS_NOT_PINNED /* --tls-pin names another */
};

enum way_mtu { MTU_NOT_TRIED, MTU_PASSES, MTU_STALLS };

struct way_times {
	unsigned count;
	uint64_t ms[SURVEY_TRIES];
};

struct survey_way {
	uint16_t port;
	const struct survey_proxy *proxy; /* NULL: directly */
	struct sockaddr_storage name; /* the address, or the proxy's */
	socklen_t name_len;
	char address[PROXY_WORD_MAX + 8]; /* "192.0.2.7", or the proxy */
	enum way_fact fact;
	int error; /* of a connect that failed */
	char by[80]; /* who said so by ICMP; "" where nobody did */
	char line[SURVEY_LINE]; /* what it said of itself, escaped */
	struct way_times connect; /* until connected, the proxy's part too */
	struct way_times banner; /* from then until SSH has greeted */
	enum way_trust trust;
	uint16_t known_port; /* for TRUST_ELSEWHERE */
	char fingerprint[64];
	struct known_hosts known_hosts; /* for TRUST_NOT_KNOWABLE */
	enum way_tls tls;
	char certificate[2 * SURVEY_LINE]; /* its names, escaped */
	char tls_why[SURVEY_LINE];
	char tls_pin[64]; /* of the certificate's public key */
	enum http_page page; /* HTTP_NEED_MORE: none was asked for */
	char location[SURVEY_LINE]; /* where it leads, escaped */
	enum way_mtu mtu;
	bool is_done; /* under the survey's lock; all else is settled then */
};

enum dns_wild {
	DNS_WILD_NOT_KNOWN, /* no answer in time, or nothing to ask */
	DNS_WILD_NONE, /* a name that does not exist does not exist */
	DNS_WILD_OTHER, /* it has an address */
	DNS_WILD_SAME /* it has the very address of the host */
};

enum address_kind {
	ADDRESS_PUBLIC,
	ADDRESS_PRIVATE, /* RFC 1918, RFC 6598, link-local, fc00::/7 */
	ADDRESS_BOGUS /* loopback, unspecified, documentation, multicast */
};

enum idle_state { IDLE_NOT_ASKED, IDLE_TRIED, IDLE_NO_WAY };

struct survey {
	const struct survey_options *options;
	struct link_options link;
	uint64_t timeout_ms;
	char host[256];
	char user[64];
	char key_file[PATH_MAX]; /* of enrolment; "" where there is none */
	char known_hosts[PATH_MAX]; /* the file where its key would stand */
	bool is_proxied; /* ssh_config has a ProxyCommand for it */
	uint16_t own_port; /* where kaya tunnel HOST goes by itself */
	uint16_t ports[SURVEY_PORTS_MAX + 1];
	size_t port_count;
	bool is_numeric; /* HOST is an address */
	/* dns */
	int dns_result; /* getaddrinfo's */
	char addresses[512];
	enum address_kind kind; /* the worst of them */
	size_t hosts_line; /* of /etc/hosts that names HOST; 0: none does */
	enum dns_wild wild;
	/* the proxy */
	const char *proxy_from; /* the variable's name, or "--proxy"; or NULL */
	enum proxy_url proxy_url;
	bool proxy_exempt;
	int proxy_result; /* getaddrinfo's */
	struct survey_proxy proxy;
	/* the ways */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct survey_way ways[SURVEY_WAYS_MAX];
	size_t way_count;
	/* what was looked at of the best of them */
	unsigned path_mtu; /* that passes, where larger ones stall; 0: none */
	char interface[32]; /* that leads there */
	enum idle_state idle;
	uint64_t idle_lived_ms, idle_died_ms, idle_keepalive_s;
	unsigned own_keepalive_s; /* how often kaya tunnel asks by itself */
	uint64_t idle_grace_ms; /* the server itself hung up then; 0: not */
	struct findings findings;
};

/* ---- survey_dns ---- */

/*
 * Look the host up and fill in addresses, kind, hosts_line; the direct ways are
 * planned.
 */
void survey_resolve(struct survey *survey);

/* The first line of a hosts file, hosts(5), that names `host`; 0: none does. */
size_t survey_hosts_line(const char *path, const char *host);

/*
 * Ask in a thread of its own for a name that does not exist; survey_wild waits
 * for it for as long as `until_ms` and judges.
 */
struct dns_question;
struct dns_question *survey_ask_wild(const char *host);
enum dns_wild survey_wild(struct dns_question *question,
    const struct survey *survey, uint64_t until_ms);

/* Pure: what sort of address it is. */
enum address_kind survey_address_kind(const struct sockaddr *name);

/* Pure: the same but for their ports. */
bool survey_same_address(const struct sockaddr *a, const struct sockaddr *b);

/* ---- survey_tcp: connections and what goes over them, within a time ---- */

enum tcp_read { TCP_READ_DATA, TCP_READ_END, TCP_READ_RESET, TCP_READ_LATE };

struct way_dial {
	unsigned segment_max; /* TCP_MAXSEG; 0: the system's */
	uint64_t until_ms;
};

/*
 * A connection all the way to the way's port, through its proxy if it has one;
 * or -1, and the way's fact, error, by and line say why.  `*took_ms` may be
 * NULL.
 */
int survey_dial(struct survey *survey, struct survey_way *way,
    const struct way_dial *dial, uint64_t *took_ms);

/* Read what comes next.  `*len`: of it. */
enum tcp_read survey_read(
    int fd, void *bytes, size_t size, size_t *len, uint64_t until_ms);

/* False where it could not be sent whole. */
bool survey_write(int fd, struct span bytes, uint64_t until_ms);

/* Wait until the other side's TCP has all of it. */
enum tcp_sent { TCP_SENT, TCP_SENT_NOT, TCP_SENT_GONE };
enum tcp_sent survey_wait_sent(int fd, uint64_t until_ms);

/* ---- survey_probe ---- */

/* All of what is to be known of one way; in a thread of its own. */
void survey_probe(struct survey *survey, struct survey_way *way);

/* Read until somebody has greeted; `line` points into `bytes`. */
struct greeted {
	uint8_t bytes[9000];
	size_t len;
	struct span line;
	enum tcp_read end;
};
int survey_greeting(int fd, struct greeted *greeted, uint64_t until_ms);

/* ---- survey_ssh ---- */

extern const char survey_identification[];

/*
 * On a connection where SSH has greeted: does a packet that is larger than any
 * path's MTU get there?
 */
enum way_mtu survey_large_packet(
    int fd, struct greeted *greeted, uint64_t until_ms);

/* The handshake, and whose host key it is. */
void survey_host_key(struct survey *survey, struct survey_way *way);

/* The largest path MTU with which the way works; 0 where none was found. */
void survey_path_mtu(struct survey *survey, struct survey_way *way);

/* ---- survey_tls, survey_page ---- */

/* Shake hands on `fd`; false where nobody speaks TLS there. */
bool survey_tls(struct survey *survey, struct survey_way *way, int fd);
/* Ask for "/" on `fd`; false where nobody speaks HTTP there. */
bool survey_page(struct survey *survey, struct survey_way *way, int fd);
/* Send a CONNECT of MQTT's; false where no CONNACK comes. */
bool survey_mqtt(struct survey *survey, struct survey_way *way, int fd);

/* ---- survey_idle ---- */

/* Let connections of the way idle, to find out when they are forgotten. */
void survey_idle(struct survey *survey, struct survey_way *way);

/* ---- survey_rank: pure ---- */

enum way_state { WAY_IS_WAY, WAY_IS_OPEN, WAY_IS_SHUT, WAY_IS_FAULT };

enum way_state way_state(const struct survey_way *way);

/* The way to take; NULL where there is none. */
struct survey_way *survey_best(struct survey *survey);

/* Where the name alone might lead to another, wrong server on that port. */
bool survey_needs_address(
    const struct survey *survey, const struct survey_way *best);

/* Least and middle of them; 0 where there are none. */
uint64_t way_least(const struct way_times *times);
uint64_t way_median(const struct way_times *times);

/* Idle connections die before kaya tunnel would ask by itself. */
bool survey_forgets_early(const struct survey *survey);

/* The command to type, and why. */
void survey_command(const struct survey *survey, const struct survey_way *best,
    struct buf *command);
/* What ssh is to be told for the same tunnel, kept alive. */
void survey_ssh_command(const struct survey *survey,
    const struct survey_way *best, struct buf *command);
void survey_why(const struct survey *survey, const struct survey_way *best,
    struct buf *why);

/* ---- survey_judge ---- */

/* What is wrong, of all that was seen: into survey->findings. */
void survey_judge(struct survey *survey, const struct survey_way *best);

/* The exit status. */
int survey_status(const struct survey *survey, const struct survey_way *best);

/* ---- survey_show ---- */

/* "way", "SSH ..." of a way, as people read it. */
const char *way_state_name(enum way_state state);
const char *way_code(const struct survey_way *way);
void way_tell(const struct survey_way *way, char *text, size_t size);

/* Draw, or draw again, the ways; each line of a pipe comes once. */
struct survey_screen {
	size_t drawn; /* lines that stand there */
	bool told[SURVEY_WAYS_MAX];
};
void survey_draw(const struct survey *survey, struct survey_screen *screen);
int survey_end(struct survey *survey, const struct survey_way *best);

#endif
