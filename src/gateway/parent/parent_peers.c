#include "parent_peers_private.h"

#include "clock.h"
#include "json.h"
#include "monitor_peers.h"
#include "proxy_header.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

void
parent_peers_arm(struct parent_peers *own)
{
	uint64_t due = peers_due_ms(own->peers), now = clock_monotonic_ms();

	loop_timer_start(own->timer, due > now ? due - now : 0);
}

static void
on_time(void *arg)
{
	struct parent_peers *own = arg;

	peers_on_time(own->peers, clock_monotonic_ms());
	parent_peers_arm(own);
}

/* ---- what the table tells ---- */

void
parent_peers_on_held(
    struct parent *parent, const struct approval_command *command)
{
	if (parent->peers != NULL)
		peers_on_held(
		    parent->peers->peers, command, clock_monotonic_ms());
}

void
parent_peers_on_ended(
    struct parent *parent, const struct approval_command *command)
{
	if (parent->peers != NULL)
		peers_on_ended(parent->peers->peers, command);
}

void
parent_peers_on_stop(struct parent *parent, struct span topic)
{
	if (parent->peers != NULL)
		peers_on_stop(
		    parent->peers->peers, topic, clock_monotonic_ms());
}

/* ---- the child ---- */

static void
on_state(struct parent_peers *own, const struct monitor_message *message)
{
	bool was_connected = own->is_connected;
	struct log_line line;

	own->is_connected = message->value == 1;
	if (log_begin(&line,
		own->is_connected ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "peers",
		own->is_connected ? "connected" : "disconnected")) {
		if (!own->is_connected)
			log_span(&line, "why",
			    span_of(message->payload, message->len));
		log_end(&line);
	}
	if (own->is_connected && !was_connected)
		peers_on_connected(own->peers, clock_monotonic_ms());
}

bool
parent_peers_on_desk(struct desk *desk, const struct monitor_message *message)
{
	struct parent_peers *own = desk->parent->peers;

	if (message->op != MONITOR_PEERS_STATE &&
	    message->op != MONITOR_PEERS_HEARD)
		return false;
	/* Of those that were there before; of one that has no such client. */
	if (own == NULL || desk != &desk->parent->desks[0])
		return true;
	if (message->op == MONITOR_PEERS_STATE)
		on_state(own, message);
	else
		peers_on_message(own->peers,
		    span_of(message->payload, message->len),
		    clock_monotonic_ms());
	parent_peers_arm(own);
	return true;
}

/* The brokers by which the others are reached: the first, and its likes. */
static uint32_t
wanted_brokers(const struct settings *settings)
{
	const struct conf_address *name =
	    settings->broker_count > 0 ? settings->brokers[0].open_as
				       : settings->private_broker.open_as;

	return settings_brokers_for(
	    settings, span_of_str(name->host), name->port);
}

/* How the broker is told who we are, as it is told who a device is. */
static int
put_start(const struct settings *settings, struct buf *payload, struct err *err)
{
	const struct settings_gateway *gateway = &settings->gateway;
	/*
	 * Ourselves.  "Unspecified" would be truer, but HAProxy 2.6 takes the
	 * names that follow such an address for malformed.
	 */
	const struct sockaddr_in here = {.sin_family = AF_INET,
	    .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	const struct sockaddr *us = (const void *)&here;
	enum settings_identity identity = settings_identity_of(settings, 0);
	const char *user = gateway->name, *file = NULL;
	char client_id[STR_NAME_MAX + 16], topic[PEER_TOPIC_SIZE];
	struct buf before, password;
	int result = 0;

	buf_init(&before, PROXY_HEADER_MAX);
	buf_init(&password, 0);
	if (identity == SETTINGS_PASS_THROUGH) {
		user = gateway->username == NULL ? "" : gateway->username;
		file = gateway->secret_file;
	} else if (identity == SETTINGS_USERNAME_WITH_SECRET) {
		file = settings->brokers[0].secret_file;
	} else if (identity == SETTINGS_PROXY_V2) {
		user = "";
		proxy_header_put(
		    &(struct proxy_header){us, us, gateway->name}, &before);
	}
	if (file != NULL)
		result = key_files_secret(file, &password, err);
	snprintf(client_id, sizeof client_id, "kaya-gateway-%s", gateway->name);
	snprintf(topic, sizeof topic, PEER_TOPIC "%s", gateway->name);
	monitor_peers_start_put(
	    &(struct monitor_peers_start){.before = buf_span(&before),
		.client_id = span_of_str(client_id),
		.topic = span_of_str(topic),
		.user = span_of_str(user),
		.password = buf_span(&password)},
	    payload);
	if (result == 0 && payload->failed)
		result = err_set(err, ERR_CONFIG,
		    "the password is too long for the gateway's connection");
	buf_fini(&before);
	buf_fini_wipe(&password);
	return result;
}

static void
send_start(struct parent *parent)
{
	struct err err = ERR_INIT;
	struct buf payload;

	buf_init_secret(&payload, MONITOR_PAYLOAD_MAX);
	if (put_start(&parent->settings, &payload, &err) == 0)
		monitor_send(&parent->desks[0].monitor, MONITOR_PEERS_START,
		    (int32_t)wanted_brokers(&parent->settings), 0,
		    buf_span(&payload), -1);
	else
		log_err(LOG_LEVEL_ERROR, "peers", "start", &err);
	buf_fini_wipe(&payload);
}

/* ---- status ---- */

void
parent_peers_put_status(const struct parent *parent, struct buf *json)
{
	struct peers_state states[PEERS_MAX];
	size_t count;

	if (parent->peers == NULL) {
		buf_append_str(json, "\"peers\":null");
		return;
	}
	json_put_member(
	    json, "\"peers\":{", "name", parent->settings.gateway.name);
	buf_append_str(json, parent->peers->is_connected
				 ? ",\"connected\":true,\"others\":["
				 : ",\"connected\":false,\"others\":[");
	count =
	    peers_states(parent->peers->peers, clock_monotonic_ms(), states);
	for (size_t i = 0; i < count; i++) {
		json_put_member(
		    json, i > 0 ? ",{" : "{", "name", states[i].name);
		buf_append_str(json, states[i].is_heard ? ",\"heard\":true}"
							: ",\"heard\":false}");
	}
	buf_append_str(json, "]}");
}

/* ---- beginning and end ---- */

static struct peers *
make_peers(struct parent_peers *own, struct err *err)
{
	const struct parent *parent = own->parent;
	const struct settings_gateway *gateway = &parent->settings.gateway;
	uint8_t keys[SETTINGS_PEERS_MAX][PUBKEY_MAX_BYTES];
	struct peers_peer others[SETTINGS_PEERS_MAX];
	struct peers *peers;
	const char *why;
	struct peers_options options = {.name = gateway->name,
	    .key = parent->host_keys[0],
	    .peers = others,
	    .count = gateway->peer_count,
	    .table = parent->approvals->table,
	    .events = parent_peers_events};

	for (size_t i = 0; i < gateway->peer_count; i++) {
		size_t len = 0;

		/* The settings were checked. */
		if (!settings_peer_key(&gateway->peers[i], keys[i], &len, &why))
			len = 0;
		others[i] = (struct peers_peer){
		    gateway->peers[i].name, span_of(keys[i], len)};
	}
	options.events.arg = own;
	peers = peers_new(&options);
	if (peers == NULL)
		err_set(err, ERR_NOMEM, "no memory");
	return peers;
}

static void
begin(struct parent *parent)
{
	struct parent_peers *own = calloc(1, sizeof *own);
	struct err err = ERR_INIT;

	if (own == NULL)
		return;
	own->parent = parent;
	own->timer = loop_timer_new(parent->loop, on_time, own);
	own->peers = own->timer == NULL ? NULL : make_peers(own, &err);
	if (own->peers == NULL) {
		log_err(LOG_LEVEL_ERROR, "peers", "start", &err);
		loop_timer_free(own->timer);
		free(own);
		return;
	}
	parent->peers = own;
	send_start(parent);
	parent_peers_arm(own);
}

void
parent_peers_in_force(struct parent *parent, bool is_changed)
{
	bool is_wanted = parent->settings.gateway.peer_count > 0;

	if (!is_changed && is_wanted == (parent->peers != NULL))
		return;
	if (parent->peers != NULL && !is_wanted)
		monitor_send(&parent->desks[0].monitor, MONITOR_PEERS_START, 0,
		    0, span_of(NULL, 0), -1);
	parent_peers_end(parent);
	if (is_wanted)
		begin(parent);
}

void
parent_peers_end(struct parent *parent)
{
	struct parent_peers *own = parent->peers;

	if (own == NULL)
		return;
	peers_give_up(own->peers);
	while (own->waiting != NULL) {
		struct waiting *waiting = own->waiting;

		own->waiting = waiting->next;
		free(waiting);
	}
	peers_free(own->peers);
	loop_timer_free(own->timer);
	free(own);
	parent->peers = NULL;
}
