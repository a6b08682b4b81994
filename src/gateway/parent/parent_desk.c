#include "parent_peers.h"

#include "snapshot.h"
#include "wire.h"

#include <stdlib.h>
#include <unistd.h>

/* A connection that a thread of the child waits for. */
struct errand {
	struct errand *next; /* of those that came early */
	struct desk *desk;
	uint64_t ticket;
	uint64_t generation; /* of the snapshot that it was asked by */
	uint32_t wanted;
};

static void
on_connected(void *arg, int fd, int broker, const char *why)
{
	struct errand *errand = arg;

	monitor_send(&errand->desk->monitor, MONITOR_CONNECTED, broker,
	    errand->ticket, why == NULL ? span_of(NULL, 0) : span_of_str(why),
	    fd);
	free(errand);
}

/* By the brokers that are in force, which may not be those it was asked by. */
static void
run_errand(struct errand *errand)
{
	struct parent *parent = errand->desk->parent;
	uint32_t all = (1u << connector_count(parent->brokers.connector)) - 1;

	if (errand->generation < parent->brokers_since)
		on_connected(errand, -1, -1,
		    "the brokers have just been changed: ask again");
	else if ((errand->wanted & all) == 0)
		on_connected(errand, -1, -1, "no such broker");
	else
		connector_connect(parent->brokers.connector,
		    errand->wanted & all, on_connected, errand);
}

void
parent_run_early(struct parent *parent)
{
	struct errand *errand = parent->early;

	parent->early = NULL;
	while (errand != NULL) {
		struct errand *next = errand->next;

		run_errand(errand);
		errand = next;
	}
}

void
parent_drop_early(struct parent *parent)
{
	while (parent->early != NULL) {
		struct errand *errand = parent->early;

		parent->early = errand->next;
		free(errand);
	}
}

static void
start_connect(struct desk *desk, const struct monitor_message *message)
{
	struct parent *parent = desk->parent;
	struct span payload = span_of(message->payload, message->len);
	struct errand *errand = malloc(sizeof *errand);

	if (errand == NULL) {
		monitor_send(&desk->monitor, MONITOR_CONNECTED, -1,
		    message->ticket, span_of_str("no memory"), -1);
		return;
	}
	*errand = (struct errand){.desk = desk,
	    .ticket = message->ticket,
	    .wanted = (uint32_t)message->value};
	if (!wire_take_u64(&payload, &errand->generation) ||
	    errand->generation > parent->generation) {
		on_connected(errand, -1, -1, "no such broker");
	} else if (errand->generation > parent->in_force) {
		/* The thread has heard of it before us. */
		errand->next = parent->early;
		parent->early = errand;
	} else {
		run_errand(errand);
	}
}

/* Signs an exchange hash, and nothing that is not as long as one. */
static void
sign(struct desk *desk, const struct monitor_message *message)
{
	struct parent *parent = desk->parent;
	struct span payload = span_of(message->payload, message->len), name;
	struct err err = ERR_INIT;
	struct buf signature;
	char algorithm[64];
	uint8_t len = 0;

	buf_init(&signature, MONITOR_PAYLOAD_MAX);
	if (payload.len > 0) {
		len = payload.data[0];
		payload = span_of(payload.data + 1, payload.len - 1);
	}
	if (message->value < 0 ||
	    (size_t)message->value >= parent->host_key_count ||
	    payload.len != (size_t)len + SSH_KEX_HASH_BYTES) {
		err_set(&err, ERR_PROTOCOL, "not an exchange hash");
	} else {
		name = span_of(payload.data, len);
		payload = span_of(payload.data + len, SSH_KEX_HASH_BYTES);
		if (span_to_str(name, algorithm, sizeof algorithm))
			ssh_host_key_sign(parent->host_keys[message->value],
			    algorithm, payload, &signature, &err);
	}
	if (err.code != ERR_NONE) {
		log_err(LOG_LEVEL_ERROR, "parent", "sign", &err);
		buf_truncate(&signature, 0);
	}
	monitor_send(&desk->monitor, MONITOR_SIGNED, 0, message->ticket,
	    buf_span(&signature), -1);
	buf_fini(&signature);
}

void
parent_on_desk(void *arg, const struct monitor_message *message, int fd)
{
	struct desk *desk = arg;

	if (fd >= 0)
		close(fd); /* the child has nothing to give */
	if (message == NULL) {
		/* While draining, one thread ends before another. */
		if (!desk->parent->is_stopping)
			parent_child_is_gone(desk->parent);
	} else if (parent_approval_on_desk(desk, message) ||
		   parent_peers_on_desk(desk, message))
		return;
	else if (message->op == MONITOR_SIGN)
		sign(desk, message);
	else if (message->op == MONITOR_CONNECT)
		start_connect(desk, message);
	else if (message->op == MONITOR_WITNESS)
		parent_on_witness(desk->parent, message);
	else if (message->op == MONITOR_ASK)
		parent_on_ask(desk, message);
	else if (message->op == MONITOR_ENROLL)
		parent_enroll(desk, message);
}
