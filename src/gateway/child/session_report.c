#include "session_private.h"

#include "pipe.h"
#include "pubkey.h"

#include <netinet/in.h>
#include <stdio.h>

bool
session_log(struct log_line *line, enum log_level level,
    const struct session_who *who, const char *event)
{
	char address[NETADDR_TEXT_SIZE], fingerprint[PUBKEY_FINGERPRINT_SIZE];

	if (!log_begin(line, level, "session", event))
		return false;
	if (who->id != 0)
		log_u64(line, "session", who->id);
	log_str(line, "from", netaddr_text(&who->address, address));
	log_u64(line, "port", who->port);
	if (who->has_key) {
		log_str(line, "identity", who->identity);
		pubkey_fingerprint(who->key, fingerprint);
		log_str(line, "key", fingerprint);
	}
	return true;
}

void
session_witness(struct witness *witness, enum witness_kind kind,
    enum log_level level, const struct session_who *who, const char *event)
{
	char address[NETADDR_TEXT_SIZE], fingerprint[PUBKEY_FINGERPRINT_SIZE];

	witness_begin(witness, kind, level, "session", event);
	if (who->id != 0)
		witness_u64(witness, "session", who->id);
	witness_str(witness, "from", netaddr_text(&who->address, address));
	witness_u64(witness, "port", who->port);
	if (who->has_key) {
		witness_str(witness, "identity", who->identity);
		pubkey_fingerprint(who->key, fingerprint);
		witness_str(witness, "key", fingerprint);
	}
}

struct session_who
session_who_at(const struct sockaddr *peer)
{
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;
	struct session_who who = {.id = 0};

	if (peer->sa_family == AF_INET) {
		who.address = netaddr_of_bytes(&v4->sin_addr, 4);
		who.port = ntohs(v4->sin_port);
	} else if (peer->sa_family == AF_INET6) {
		who.address = netaddr_of_bytes(&v6->sin6_addr, 16);
		who.port = ntohs(v6->sin6_port);
	}
	return who;
}

bool
session_who_copy(struct session_who *copy, const struct session_who *who)
{
	*copy = *who;
	if (who->identity == NULL)
		return true;
	copy->identity = strdup(who->identity);
	copy->has_key = who->has_key && copy->identity != NULL;
	return copy->identity != NULL;
}

void
session_report(const struct session *session, struct buf *json)
{
	char peer[NETADDR_TEXT_SIZE], fingerprint[PUBKEY_FINGERPRINT_SIZE];
	struct ssh_conn_facts facts;
	char head[512];

	if (session->state != SESSION_OPEN)
		return;
	ssh_conn_facts(session->conn, &facts);
	pubkey_fingerprint(session->who.key, fingerprint);
	if (buf_len(json) > 0)
		buf_append(json, ",", 1);
	snprintf(head, sizeof head,
	    "{\"identity\":\"%s\",\"key\":\"%s\",\"address\":\"%s\","
	    "\"port\":%u,\"since_ms\":%ju,\"in\":%ju,\"out\":%ju",
	    session->who.identity, fingerprint,
	    netaddr_text(&session->who.address, peer), session->who.port,
	    (uintmax_t)(worker_now_ms(session->worker) - session->since_ms),
	    (uintmax_t)facts.bytes_in, (uintmax_t)facts.bytes_out);
	buf_append(json, head, strlen(head));
	if (session->certificate != NULL)
		session_certificate_report(session->certificate, json);
	buf_append_str(json, ",\"channels\":[");
	for (const struct pipe *p = session->pipes; p != NULL;
	     p = pipe_next(p)) {
		if (p != session->pipes)
			buf_append(json, ",", 1);
		pipe_report(p, json);
	}
	buf_append(json, "]}", 2);
}
