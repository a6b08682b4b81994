#include "monitor_peers.h"

#include "wire.h"

void
monitor_peers_start_put(
    const struct monitor_peers_start *start, struct buf *payload)
{
	wire_put_string32(payload, start->before);
	wire_put_string32(payload, start->client_id);
	wire_put_string32(payload, start->topic);
	wire_put_string32(payload, start->user);
	wire_put_string32(payload, start->password);
}

bool
monitor_peers_start_take(struct span payload, struct monitor_peers_start *start)
{
	return wire_take_string32(&payload, &start->before) &&
	       wire_take_string32(&payload, &start->client_id) &&
	       wire_take_string32(&payload, &start->topic) &&
	       wire_take_string32(&payload, &start->user) &&
	       wire_take_string32(&payload, &start->password) &&
	       payload.len == 0;
}
