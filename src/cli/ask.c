#include "ask.h"

#include "control_ask.h"
#include "str.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
ask_init(struct ask *ask)
{
	*ask = (struct ask){.as_json = false};
	ask->link.asking = isatty(STDIN_FILENO) ? LINK_MAY_ASK : LINK_NEVER_ASK;
}

bool
ask_take(const struct cmd_reader *reader, int id, struct ask *ask, int *status)
{
	if (id == CMD_JSON) {
		ask->as_json = true;
		return true;
	}
	return cmd_take_link(reader, id, &ask->link, status);
}

int
ask_set_dest(const struct cmd *cmd, struct ask *ask, const char *dest)
{
	if (dest == NULL && ask->link.state_dir == NULL)
		return cmd_misuse(
		    cmd, "name a gateway, or its state folder: --state DIR");
	ask->link.dest = dest;
	return 0;
}

int
ask_begin(struct ask *ask, struct err *err)
{
	if (ask->link.dest == NULL)
		return 0;
	ask->errand = errand_start(&ask->link, CONTROL_HOST, CONTROL_PORT, err);
	return ask->errand == NULL ? -1 : 0;
}

void
ask_end(struct ask *ask)
{
	errand_stop(ask->errand);
	ask->errand = NULL;
}

json_t *
ask_gateway(struct ask *ask, const char *request, struct err *err)
{
	return ask->errand == NULL
		   ? control_ask_gateway(ask->link.state_dir, request, err)
		   : control_ask_errand(ask->errand, request, err);
}

const char *
ask_text(const json_t *object, const char *key, char *text, size_t size)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_string(value))
		return "-";
	return str_escape(
	    span_of(json_string_value(value), json_string_length(value)), text,
	    size);
}
