#include "pipe_private.h"

#include "mqtt_connect.h"
#include "mqtt_encode.h"
#include "mqtt_packet.h"
#include "mqtt_property.h"
#include "proxy_header.h"

#include <sys/socket.h>

enum { ANSWER_MAX_BYTES = 512 };

static void
put_proxy_header(struct pipe *pipe)
{
	struct sockaddr_storage from = {0}, to = {0};
	socklen_t from_len = sizeof from, to_len = sizeof to;
	int fd = pipe->session->watch.fd;

	/* A client that is gone has no address any more, and needs none. */
	if (getpeername(fd, (void *)&from, &from_len) != 0 ||
	    getsockname(fd, (void *)&to, &to_len) != 0)
		from.ss_family = to.ss_family = AF_UNSPEC;
	proxy_header_put(&(struct proxy_header){(void *)&from, (void *)&to,
			     pipe->session->who.identity},
	    &pipe->to_broker);
}

/* Refused by the policy: the answer is ours. */
static void
answer_connect(struct pipe *pipe, const struct mqtt_connect *connect,
    uint8_t code, const char *text)
{
	const struct mqtt_answer answer = {.type = MQTT_CONNACK,
	    .level = connect->level,
	    .code = code,
	    .text = span_of_str(text),
	    .packet_max = connect->packet_max};
	struct witness witness;
	struct buf out;

	pipe->why = text;
	session_witness(&witness, WITNESS_REFUSE_ACCESS, LOG_LEVEL_INFO,
	    &pipe->session->who, "refuse");
	witness_u64(&witness, "channel", pipe->channel);
	witness_str(&witness, "action", "connect");
	witness_span(&witness, "client_id", connect->client_id);
	witness_str(&witness, "why", text);
	witness_send(&witness, &pipe->worker->monitor);
	buf_init(&out, ANSWER_MAX_BYTES);
	if (mqtt_encode_answer(&answer, &out) == MQTT_ENCODED)
		pipe_send_to_client(pipe, buf_span(&out));
	buf_fini(&out);
}

/* What has no policy that looks at it is looked at for what is told of it. */
static void
note_names(struct pipe *pipe, const struct mqtt_connect *connect,
    enum settings_identity how)
{
	bool is_its_own =
	    how == SETTINGS_PASS_THROUGH || how == SETTINGS_PROXY_V2;

	pipe->has_names = true;
	pipe_facts_set_names(&pipe->facts,
	    pipe->access != NULL ? span_of(NULL, 0) : connect->client_id,
	    is_its_own ? connect->user_name : span_of(NULL, 0));
	if (pipe->access != NULL)
		return;
	mqtt_walk_set_mask(&pipe->from_client,
	    MQTT_MASK(MQTT_SUBSCRIBE) | MQTT_MASK(MQTT_UNSUBSCRIBE));
	if (connect->client_id.len == 0)
		mqtt_walk_set_mask(&pipe->from_broker, MQTT_MASK(MQTT_CONNACK));
}

static void
log_connect(const struct pipe *pipe, const struct mqtt_connect *connect)
{
	struct log_line line;

	if (!session_log(
		&line, LOG_LEVEL_INFO, &pipe->session->who, "mqtt-connect"))
		return;
	log_u64(&line, "channel", pipe->channel);
	pipe_log_client(pipe, &line);
	log_u64(&line, "keep_alive_s", connect->keep_alive_s);
	log_str(&line, "clean", connect->clean ? "yes" : "no");
	if (connect->has_will)
		log_span(&line, "will", connect->will_topic);
	log_end(&line);
}

bool
pipe_connect(struct pipe *pipe, const struct mqtt_walk_item *item)
{
	struct mqtt_connect_edits edits = {0};
	struct mqtt_connect connect;
	const char *text;
	uint8_t code;
	enum settings_identity how =
	    settings_identity_of(&pipe->setup->settings, (size_t)pipe->broker);

	if (!pipe_gather_settle(pipe))
		return false;
	if (mqtt_connect_decode(&item->frame,
		mqtt_frame_body(&item->frame, item->bytes),
		&connect) != MQTT_RULE_NONE)
		return false;
	code = pipe_access_begin(pipe, &connect, &text);
	note_names(pipe, &connect, how);
	if (code != 0) {
		answer_connect(pipe, &connect, code, text);
		return false;
	}
	mqtt_walk_learn(&pipe->from_broker, &pipe->from_client);
	pipe->has_connect = true;
	log_connect(pipe, &connect);
	pipe->client_packet_max = connect.packet_max;
	/* The header and CONNECT go out by one write. */
	if (how == SETTINGS_PROXY_V2)
		put_proxy_header(pipe);
	if (how == SETTINGS_PASS_THROUGH || how == SETTINGS_PROXY_V2)
		return buf_append(
		    &pipe->to_broker, item->bytes.data, item->bytes.len);
	edits.user_name.kind = MQTT_SET;
	edits.user_name.value = span_of_str(pipe->session->who.identity);
	edits.password.kind = MQTT_DROP;
	if (how == SETTINGS_USERNAME_WITH_SECRET) {
		edits.password.kind = MQTT_SET;
		edits.password.value = pipe->setup->secrets[pipe->broker];
	}
	return mqtt_connect_rewrite(&connect, &edits, &pipe->to_broker);
}

void
pipe_learn_client_id(struct pipe *pipe, const struct mqtt_walk_item *item)
{
	const struct mqtt_sender from = {
	    MQTT_FROM_BROKER, mqtt_walk_level(&pipe->from_client)};
	struct mqtt_connack connack;
	struct mqtt_property id;

	if (item->frame.type != MQTT_CONNACK)
		return;
	mqtt_walk_set_mask(&pipe->from_broker, 0);
	if (from.level == MQTT_50 &&
	    mqtt_connack_decode(mqtt_frame_body(&item->frame, item->bytes),
		from, &connack) == MQTT_RULE_NONE &&
	    mqtt_property_find(
		connack.properties, MQTT_ASSIGNED_CLIENT_IDENTIFIER, &id))
		pipe_facts_set_names(
		    &pipe->facts, id.text, pipe_facts_user(&pipe->facts));
}
