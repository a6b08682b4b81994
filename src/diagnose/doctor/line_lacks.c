#include "line_lacks.h"

#include "keys_rights.h"

#include <string.h>

/* ---- which words take forwarding away ---- */

struct words {
	struct authorized_keys_option taker; /* the last that takes it away */
	size_t last_restrict; /* behind it; 0: there is none */
	bool given; /* port-forwarding stands somewhere */
};

static void
read_words(const struct authorized_keys_line *line, struct words *words)
{
	struct authorized_keys_option option;
	size_t at = 0;

	*words = (struct words){0};
	while (authorized_keys_next(line, &at, &option)) {
		if (option.id == OPTION_RESTRICT)
			words->last_restrict = at;
		if (option.id == OPTION_PORT_FORWARDING && !option.negated)
			words->given = true;
		else if (option.id == OPTION_RESTRICT ||
			 option.id == OPTION_PORT_FORWARDING)
			words->taker = option;
	}
}

const char *
line_lacks_taker(const struct authorized_keys_line *line)
{
	struct words words;

	read_words(line, &words);
	if (words.taker.negated)
		return "no-port-forwarding";
	return words.given ? "restrict behind port-forwarding"
			   : "restrict without port-forwarding";
}

/* ---- the line that was meant ---- */

static void
put(struct buf *meant, size_t start, struct span option)
{
	if (buf_len(meant) > start)
		buf_append_str(meant, ",");
	buf_append(meant, option.data, option.len);
}

/* The options in their order; forwarding, once, behind the last restrict. */
static void
put_options(const struct authorized_keys_line *line, bool forwards,
    struct buf *meant, size_t begin)
{
	struct authorized_keys_option option;
	struct words words;
	size_t at = 0, start;

	read_words(line, &words);
	for (start = at; authorized_keys_next(line, &at, &option); start = at) {
		while (line->options.data[start] == ',')
			start++;
		if (forwards || option.id != OPTION_PORT_FORWARDING)
			put(meant, begin,
			    span_of(line->options.data + start, at - start));
		if (!forwards && at == words.last_restrict)
			put(meant, begin, span_of_str("port-forwarding"));
	}
}

enum line_lack
line_lacks(const struct authorized_keys_line *line,
    const struct line_target *target, struct buf *meant)
{
	bool forwards = line->rights.port_forwarding;
	bool permits = keys_rights_permit(line, target->host, target->port);
	size_t begin = buf_len(meant);
	const uint8_t *end = line->options.data + line->options.len;

	if (forwards && permits)
		return LINE_LACKS_NOTHING;
	put_options(line, forwards, meant, begin);
	if (!permits || line->permitopens == 0) {
		put(meant, begin, span_of_str("permitopen=\""));
		buf_append_str(meant, target->text);
		buf_append_str(meant, "\"");
	}
	if (!forwards && line->permitlistens == 0)
		put(meant, begin, span_of_str("permitlisten=\"localhost:1\""));
	buf_append(
	    meant, end, (size_t)(line->text.data + line->text.len - end));
	return forwards ? LINE_LACKS_TARGET : LINE_LACKS_FORWARDING;
}
