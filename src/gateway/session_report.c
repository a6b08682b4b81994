#include "session_private.h"

#include "pipe.h"
#include "pubkey.h"

#include <stdio.h>

bool
session_log(struct log_line *line, enum log_level level,
    const struct session *session, const char *event)
{
	char peer[NETADDR_TEXT_SIZE], fingerprint[PUBKEY_FINGERPRINT_SIZE];

	if (!log_begin(line, level, "session", event))
		return false;
	log_u64(line, "session", session->id);
	log_str(line, "from", netaddr_text(&session->peer, peer));
	log_u64(line, "port", session->peer_port);
	if (session->identity != NULL)
		log_str(line, "identity", session->identity);
	if (session->has_key) {
		pubkey_fingerprint(session->key, fingerprint);
		log_str(line, "key", fingerprint);
	}
	return true;
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
	pubkey_fingerprint(session->key, fingerprint);
	if (buf_len(json) > 0)
		buf_append(json, ",", 1);
	snprintf(head, sizeof head,
	    "{\"identity\":\"%s\",\"key\":\"%s\",\"address\":\"%s\","
	    "\"port\":%u,\"since_ms\":%ju,\"in\":%ju,\"out\":%ju,"
	    "\"channels\":[",
	    session->identity, fingerprint, netaddr_text(&session->peer, peer),
	    session->peer_port,
	    (uintmax_t)(worker_now_ms(session->worker) - session->since_ms),
	    (uintmax_t)facts.bytes_in, (uintmax_t)facts.bytes_out);
	buf_append(json, head, strlen(head));
	for (const struct pipe *p = session->pipes; p != NULL;
	     p = pipe_next(p)) {
		if (p != session->pipes)
			buf_append(json, ",", 1);
		pipe_report(p, json);
	}
	buf_append(json, "]}", 2);
}
