#include "pub_lines.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
	PAYLOAD_MAX = 268435455, /* MQTT 3.1.1 section 2.2.3 */
	READ_BYTES = 65536,
	AHEAD_BYTES = 1 << 20 /* with as much under way no more is read */
};

void
pub_lines_init(struct pub_lines *lines)
{
	memset(lines, 0, sizeof *lines);
	buf_init(&lines->bytes, AHEAD_BYTES + PAYLOAD_MAX + READ_BYTES);
}

void
pub_lines_fini(struct pub_lines *lines)
{
	buf_fini(&lines->bytes);
}

static struct pub_line *
line_at(struct pub_lines *lines, size_t index)
{
	return &lines->under_way[(lines->first + index) % PUB_LINES_UNDER_WAY];
}

bool
pub_lines_has_room(const struct pub_lines *lines)
{
	return !lines->is_read && lines->published == lines->count &&
	       lines->count < PUB_LINES_UNDER_WAY && lines->at < AHEAD_BYTES;
}

int
pub_lines_read(struct pub_lines *lines, int fd, struct err *err)
{
	uint8_t *room = buf_reserve(&lines->bytes, READ_BYTES);
	ssize_t n;

	if (room == NULL)
		return err_set(
		    err, ERR_USAGE, "a line of more than MQTT's 256 MiB");
	n = read(fd, room, READ_BYTES);
	if (n > 0)
		buf_commit(&lines->bytes, (size_t)n);
	else if (n == 0)
		lines->is_read = true;
	else if (errno != EINTR && errno != EAGAIN)
		return err_set_errno(
		    err, ERR_FAILED, "cannot read standard input");
	return 0;
}

/* The first one that is whole, or what the end left: one more under way. */
static bool
take_one(struct pub_lines *lines)
{
	const struct span all = buf_span(&lines->bytes);
	const size_t read = all.len - lines->at;
	struct pub_line *line = line_at(lines, lines->count);
	const uint8_t *begin, *end = NULL;

	if (lines->count == PUB_LINES_UNDER_WAY || read == 0 ||
	    all.data == NULL)
		return false;
	begin = all.data + lines->at;
	if (read > lines->searched)
		end = memchr(
		    begin + lines->searched, '\n', read - lines->searched);
	lines->searched = read;
	if (end == NULL && !lines->is_read)
		return false;
	line->len = end == NULL ? read : (size_t)(end - begin);
	line->end_len = line->len + (end != NULL);
	line->is_acknowledged = false;
	lines->searched = 0;
	lines->count++;
	return true;
}

bool
pub_lines_next(struct pub_lines *lines, struct span *text, int **id)
{
	while (lines->published < lines->count || take_one(lines)) {
		struct pub_line *line = line_at(lines, lines->published);

		*text = span_of(
		    buf_span(&lines->bytes).data + lines->at, line->len);
		*id = &line->id;
		lines->at += line->end_len;
		lines->published++;
		if (!line->is_acknowledged)
			return true;
	}
	return false;
}

void
pub_lines_acknowledge(struct pub_lines *lines, int id)
{
	for (size_t i = 0; i < lines->published; i++)
		if (line_at(lines, i)->id == id)
			line_at(lines, i)->is_acknowledged = true;
	while (lines->published > 0 && line_at(lines, 0)->is_acknowledged) {
		buf_consume(&lines->bytes, line_at(lines, 0)->end_len);
		lines->at -= line_at(lines, 0)->end_len;
		lines->first = (lines->first + 1) % PUB_LINES_UNDER_WAY;
		lines->published--;
		lines->count--;
	}
}

void
pub_lines_begin_again(struct pub_lines *lines)
{
	for (size_t i = 0; i < lines->count; i++)
		line_at(lines, i)->id = 0;
	lines->published = 0;
	lines->at = 0;
}

bool
pub_lines_are_done(const struct pub_lines *lines)
{
	return lines->is_read && buf_len(&lines->bytes) == 0;
}
