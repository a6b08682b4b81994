#include "survey_private.h"

#include "clock.h"
#include "greeting.h"
#include "kexinit.h"
#include "link_auth.h"
#include "str.h"
#include "wire.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

const char survey_identification[] = "SSH-2.0-kaya_survey\r\n";

/* ---- does a large packet pass? ---- */

enum {
	MESSAGE_KEXINIT = 20,
	/* Of languages, which nobody looks at (RFC 4253 section 7.1): more
	 * than two segments of Ethernet's. */
	FILLER_BYTES = 4096,
	PACKET_BYTES = FILLER_BYTES + 1024,
};

/* An offer that every server has something in common with, and large. */
static void
put_large_kexinit(struct buf *out)
{
	static const char *const lists[KEXINIT_LISTS] = {
	    [KEXINIT_KEX] = "curve25519-sha256,curve25519-sha256@libssh.org,"
			    "ecdh-sha2-nistp256,diffie-hellman-group14-sha256",
	    [KEXINIT_HOST_KEY] = "ssh-ed25519,rsa-sha2-512,rsa-sha2-256,"
				 "ecdsa-sha2-nistp256",
	    [KEXINIT_CIPHER_OUT] = "aes256-ctr,aes128-ctr,"
				   "aes256-gcm@openssh.com",
	    [KEXINIT_CIPHER_IN] = "aes256-ctr,aes128-ctr,"
				  "aes256-gcm@openssh.com",
	    [KEXINIT_MAC_OUT] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256",
	    [KEXINIT_MAC_IN] = "hmac-sha2-256-etm@openssh.com,hmac-sha2-256",
	    [KEXINIT_COMPRESSION_OUT] = "none",
	    [KEXINIT_COMPRESSION_IN] = "none",
	};
	static const uint8_t cookie[16] = {0};
	char filler[FILLER_BYTES];
	struct buf body;
	uint8_t padding;

	memset(filler, 'x', sizeof filler);
	buf_init(&body, PACKET_BYTES);
	wire_put_u8(&body, MESSAGE_KEXINIT);
	wire_put_bytes(&body, span_of(cookie, sizeof cookie));
	for (size_t i = 0; i < KEXINIT_LISTS; i++)
		wire_put_cstring32(&body, lists[i]);
	wire_put_string32(&body, span_of(filler, sizeof filler));
	wire_put_cstring32(&body, "");
	wire_put_u8(&body, 0);
	wire_put_u32(&body, 0);
	padding = (uint8_t)(8 - (buf_len(&body) + 5) % 8 + 8);
	wire_put_u32(out, (uint32_t)(buf_len(&body) + 1 + padding));
	wire_put_u8(out, padding);
	wire_put_bytes(out, buf_span(&body));
	wire_put_bytes(out, span_of(cookie, padding));
	out->failed = out->failed || body.failed;
	buf_fini(&body);
}

/* The server's own offer, behind its line; it may be in `greeted` already. */
static bool
read_kexinit(int fd, struct greeted *greeted, uint64_t until_ms)
{
	const uint8_t *all = greeted->bytes;
	size_t begin = (size_t)(greeted->line.data - all);
	struct kexinit kexinit;

	for (;;) {
		const uint8_t *lf =
		    memchr(all + begin, '\n', greeted->len - begin);
		size_t len;

		if (lf != NULL &&
		    kexinit_read(
			span_of(lf + 1, greeted->len - (size_t)(lf + 1 - all)),
			&kexinit) != KEXINIT_NEED_MORE)
			return true;
		if (greeted->len == sizeof greeted->bytes)
			return true; /* longer than ours: large enough */
		if (survey_read(fd, greeted->bytes + greeted->len,
			sizeof greeted->bytes - greeted->len, &len,
			until_ms) != TCP_READ_DATA)
			return false;
		greeted->len += len;
	}
}

enum way_mtu
survey_large_packet(int fd, struct greeted *greeted, uint64_t until_ms)
{
	enum way_mtu result = MTU_NOT_TRIED;
	struct buf out;

	buf_init(&out, PACKET_BYTES + 64);
	put_large_kexinit(&out);
	if (!out.failed && survey_write(fd, buf_span(&out), until_ms)) {
		bool came = read_kexinit(fd, greeted, until_ms);
		enum tcp_sent sent = survey_wait_sent(fd, until_ms);

		if (came && sent == TCP_SENT)
			result = MTU_PASSES;
		else if (sent == TCP_SENT_NOT || !came)
			result = MTU_STALLS;
	}
	buf_fini(&out);
	return result;
}

/* ---- whose host key? ---- */

/* libssh and getpwuid(3) below it share more than they should. */
static pthread_mutex_t preparing = PTHREAD_MUTEX_INITIALIZER;

static struct link *
prepare(struct survey *survey, uint16_t port)
{
	struct link_options options = survey->link;
	struct err err = ERR_INIT;
	struct link *link;

	options.port = port;
	options.asking = LINK_NEVER_ASK;
	options.host_key = NULL; /* it would be remembered */
	pthread_mutex_lock(&preparing);
	link = link_prepare(&options, &err);
	pthread_mutex_unlock(&preparing);
	return link;
}

/* Known for another port: one server may have many. */
static enum way_trust
known_elsewhere(
    const struct survey *survey, struct survey_way *way, struct link *link)
{
	for (size_t i = 0; i < survey->port_count; i++) {
		unsigned port = survey->ports[i];

		if (port == way->port)
			continue;
		ssh_options_set(link->session, SSH_OPTIONS_PORT, &port);
		if (ssh_session_is_known_server(link->session) ==
		    SSH_KNOWN_HOSTS_OK) {
			way->known_port = survey->ports[i];
			return TRUST_ELSEWHERE;
		}
	}
	return TRUST_UNKNOWN;
}

/* Nobody knows it; or somebody does, in a list that libssh cannot use. */
static enum way_trust
trust_of_unknown(
    const struct survey *survey, struct survey_way *way, struct link *link)
{
	enum way_trust trust = known_elsewhere(survey, way, link);

	if (trust != TRUST_UNKNOWN)
		return trust;
	known_hosts_look(
	    survey->known_hosts, survey->host, way->port, &way->known_hosts);
	return way->known_hosts.state == KNOWN_HOSTS_GOOD ? TRUST_UNKNOWN
							  : TRUST_NOT_KNOWABLE;
}

static enum way_trust
trust_of(const struct survey *survey, struct survey_way *way, struct link *link)
{
	const char *wanted = survey->options->link.host_key;
	struct link_options options = {
	    .asking = LINK_NEVER_ASK, .dest = survey->options->link.dest};
	struct err err = ERR_INIT;

	/* It fills the fingerprint, too, whatever it finds. */
	(void)link_check_host_key(link, &options, &err);
	snprintf(
	    way->fingerprint, sizeof way->fingerprint, "%s", link->fingerprint);
	if (wanted != NULL)
		return strcmp(wanted, link->fingerprint) == 0
			   ? TRUST_PINNED
			   : TRUST_NOT_THE_ONE;
	switch (ssh_session_is_known_server(link->session)) {
	case SSH_KNOWN_HOSTS_OK:
		return TRUST_KNOWN;
	case SSH_KNOWN_HOSTS_CHANGED:
		return TRUST_CHANGED;
	case SSH_KNOWN_HOSTS_OTHER:
		return TRUST_OTHER_TYPE;
	default:
		return trust_of_unknown(survey, way, link);
	}
}

void
survey_host_key(struct survey *survey, struct survey_way *way)
{
	struct way_dial dial = {
	    .until_ms = clock_monotonic_ms() + survey->timeout_ms};
	struct link *link = prepare(survey, way->port);
	long limit_us = (long)survey->timeout_ms % 1000 * 1000;
	long limit_s = (long)survey->timeout_ms / 1000;
	struct survey_way copy = *way;
	int fd;

	if (link == NULL)
		return;
	ssh_options_set(link->session, SSH_OPTIONS_TIMEOUT, &limit_s);
	ssh_options_set(link->session, SSH_OPTIONS_TIMEOUT_USEC, &limit_us);
	fd = survey_dial(survey, &copy, &dial, NULL);
	if (fd < 0) {
		way->fact = WAY_SSH_BREAKS;
		snprintf(way->line, sizeof way->line,
		    "it took one connection and refuses the next");
	} else {
		link_give(link, fd);
		if (ssh_connect(link->session) == SSH_OK) {
			way->trust = trust_of(survey, way, link);
		} else {
			const char *why = ssh_get_error(link->session);

			way->fact = strstr(why, "imeout") != NULL ||
					    strstr(why, "imed out") != NULL
					? WAY_SSH_STALLS
					: WAY_SSH_BREAKS;
			/* It repeats what the server sent. */
			str_escape(
			    span_of_str(why), way->line, sizeof way->line);
		}
	}
	link_free(link);
}

/* ---- which packets do pass? ---- */

static const unsigned path_mtus[] = {
    1492, 1460, 1420, 1380, 1340, 1280, 1100, 576};
enum { PATH_MTUS = sizeof path_mtus / sizeof path_mtus[0] };

struct mtu_try {
	struct survey *survey;
	struct survey_way way;
	unsigned mtu;
	pthread_t thread;
	bool runs, passes;
};

/* A way whose segments are no larger than fits such an MTU. */
static void *
try_mtu(void *arg)
{
	struct mtu_try *try = arg;
	struct survey *survey = try->survey;
	unsigned headers = try->way.name.ss_family == AF_INET6 ? 60 : 40;
	uint64_t now = clock_monotonic_ms();
	struct way_dial dial = {.segment_max = try->mtu - headers,
	    .until_ms = now + survey->timeout_ms};
	struct greeted *greeted = malloc(sizeof *greeted);
	int fd = survey_dial(survey, &try->way, &dial, NULL);

	if (fd >= 0 && greeted != NULL &&
	    survey_write(
		fd, span_of_str(survey_identification), dial.until_ms) &&
	    survey_greeting(fd, greeted, dial.until_ms) == GREETING_SSH)
		try->passes = survey_large_packet(fd, greeted, dial.until_ms) ==
			      MTU_PASSES;
	if (fd >= 0)
		close(fd);
	free(greeted);
	return NULL;
}

void
survey_path_mtu(struct survey *survey, struct survey_way *way)
{
	struct mtu_try *tries = calloc(PATH_MTUS, sizeof *tries);

	for (size_t i = 0; tries != NULL && i < PATH_MTUS; i++) {
		tries[i].survey = survey;
		tries[i].way = *way;
		tries[i].mtu = path_mtus[i];
		tries[i].runs = pthread_create(&tries[i].thread, NULL, try_mtu,
				    &tries[i]) == 0;
	}
	for (size_t i = 0; tries != NULL && i < PATH_MTUS; i++) {
		if (tries[i].runs)
			pthread_join(tries[i].thread, NULL);
		if (tries[i].passes && survey->path_mtu == 0)
			survey->path_mtu = tries[i].mtu;
	}
	free(tries);
}
