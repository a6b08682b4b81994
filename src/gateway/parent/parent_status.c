#include "parent_peers.h"

#include "json.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void
put_brokers(struct parent *parent, struct buf *json)
{
	for (size_t i = 0; i < connector_count(parent->brokers.connector);
	     i++) {
		const struct connector_health *health =
		    connector_health(parent->brokers.connector, i);
		char text[128];

		buf_append_str(json, i > 0 ? ",{\"name\":" : "{\"name\":");
		json_put_str(json, health->name);
		buf_append_str(json, ",\"address\":");
		json_put_str(json, health->address);
		buf_append_str(json, ",\"why\":");
		json_put_str(json, health->is_up ? NULL : health->why);
		snprintf(text, sizeof text,
		    ",\"up\":%s,\"connected\":%ju,\"failed\":%ju}",
		    health->is_up ? "true" : "false",
		    (uintmax_t)health->connected, (uintmax_t)health->failed);
		buf_append(json, text, strlen(text));
	}
}

void
parent_on_status(struct parent *parent, uint64_t ticket, int fd)
{
	struct control_client *client = control_find(parent->control, ticket);
	struct buf json;
	struct stat st;
	char head[256];
	void *map = MAP_FAILED;

	if (client == NULL)
		return;
	if (fd < 0 || fstat(fd, &st) != 0 || st.st_size <= 0 ||
	    (map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd,
		 0)) == MAP_FAILED) {
		control_answer(
		    client, span_of_str("{\"error\":\"busy: ask again\"}"));
		return;
	}
	buf_init(&json, SIZE_MAX);
	snprintf(head, sizeof head,
	    "{\"program\":\"kayad\",\"version\":\"%s\",\"pid\":%d,"
	    "\"brokers\":[",
	    KAYA_VERSION, (int)getpid());
	buf_append(&json, head, strlen(head));
	put_brokers(parent, &json);
	buf_append_str(&json, "],");
	parent_peers_put_status(parent, &json);
	buf_append_str(&json, ",\"gateway\":");
	buf_append(&json, map, (size_t)st.st_size);
	buf_append(&json, "}", 1);
	munmap(map, (size_t)st.st_size);
	control_answer(client, buf_span(&json));
	buf_fini(&json);
}

void
parent_start_status(
    struct parent *parent, struct span rest, struct control_client *client)
{
	monitor_send(&parent->child_control, MONITOR_STATUS, 0,
	    control_ticket(client), span_of(NULL, 0), -1);
}
