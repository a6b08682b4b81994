#include "conf_tree.h"
#include "str.h"

#include <stdio.h>
#include <yaml.h>

struct builder {
	struct arena *arena;
	struct conf_tree *tree;
	struct conf_node *open[CONF_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	size_t documents;
	bool is_over; /* the stream ended, or a fault ended it */
};

static void
stop(struct builder *b, struct conf_mark mark, const char *what,
    const char *hint)
{
	b->is_over = true;
	b->tree->is_whole = false;
	b->tree->mark = mark;
	err_set(&b->tree->err, ERR_CONFIG, "%s", what);
	err_hint(&b->tree->err, "%s", hint);
}

static void
stop_no_memory(struct builder *b)
{
	b->is_over = true;
	b->tree->is_whole = false;
	err_set(&b->tree->err, ERR_NOMEM, "no memory to read the file");
}

static struct conf_mark
mark_of(yaml_mark_t mark)
{
	return (struct conf_mark){mark.line + 1, mark.column + 1};
}

/* ---- before libyaml: bytes that no text has ---- */

static bool
is_text(struct builder *b, struct span bytes)
{
	struct conf_mark mark = {1, 1};
	char what[64];

	if (bytes.len > CONF_FILE_MAX) {
		stop(b, (struct conf_mark){0, 0}, "the file is over 1 MiB",
		    "give the name of a configuration file");
		return false;
	}
	while (bytes.len > 0) {
		size_t len = str_utf8_len(bytes);
		uint8_t c = bytes.data[0];

		if (len == 0) {
			snprintf(what, sizeof what,
			    "byte 0x%02x is not UTF-8 text", c);
			stop(b, mark, what, "save the file in UTF-8");
			return false;
		}
		if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') ||
		    c == 0x7f) {
			snprintf(what, sizeof what,
			    "control character 0x%02x in the file", c);
			stop(b, mark, what, "take it out");
			return false;
		}
		mark.column++;
		if (c == '\n') {
			mark.line++;
			mark.column = 1;
		}
		bytes = span_of(bytes.data + len, bytes.len - len);
	}
	return true;
}

/* ---- what libyaml says, in words for people ---- */

static const struct {
	const char *problem; /* libyaml's, or how it begins */
	const char *what; /* NULL: as libyaml has it */
	const char *hint;
} problems[] = {
    {"mapping values are not allowed in this context",
	"a key cannot stand here",
	"check the indentation; a value that holds a colon and a space must "
	"stand in quotes"},
    {"could not find expected ':'", "the colon after a key is missing",
	"write `key: value`, with a colon and a space"},
    {"did not find expected key", NULL,
	"keys of one section stand under each other, indented alike"},
    {"did not find expected '-' indicator", NULL,
	"items of one list stand under each other, each with `- ` before it"},
    {"block sequence entries are not allowed in this context",
	"a list cannot begin here",
	"begin the list on a line of its own, under its key"},
    {"did not find expected ',' or ']'", "a list in brackets is not closed",
	"put `,` between items and `]` at the end"},
    {"did not find expected ',' or '}'", "a section in braces is not closed",
	"put `,` between entries and `}` at the end"},
    {"found unexpected end of stream", "quotes are opened and not closed",
	"close the quotes"},
    {"found unexpected document indicator", "quotes are opened and not closed",
	"close the quotes"},
    {"found unknown escape character", NULL,
	"in double quotes write `\\\\` for a backslash, or use single quotes"},
    {"found character that cannot start any token",
	"no value can begin with this character",
	"put the value in quotes; indent with spaces, not tabs"},
    {"did not find expected alphabetic or numeric character",
	"no value can begin with this character", "put the value in quotes"},
    {"did not find expected <document start>", "this cannot stand here",
	"write `key: value` in each line, keys of one section indented alike"},
};

static bool
is_tab_at(struct span bytes, struct conf_mark mark)
{
	const uint8_t *p = bytes.data, *end = p + bytes.len;

	for (size_t line = 1; line < mark.line && p < end; line++) {
		p = memchr(p, '\n', (size_t)(end - p));
		if (p == NULL)
			return false;
		p++;
	}
	/* Only indentation before it: columns and bytes are then the same. */
	for (size_t column = 1; column < mark.column && p < end; column++, p++)
		if (*p != ' ' && *p != '\t')
			return false;
	return p < end && *p == '\t';
}

static void
stop_syntax(struct builder *b, const yaml_parser_t *parser, struct span bytes)
{
	const char
	    *what = parser->problem,
	    *hint =
		"check indentation, colons, quotes and brackets here and above";
	struct conf_mark mark = mark_of(parser->problem_mark);
	char text[sizeof b->tree->err.what];

	if (parser->error == YAML_MEMORY_ERROR) {
		stop_no_memory(b);
		return;
	}
	if (what == NULL)
		what = "this is not YAML";
	for (size_t i = 0; i < sizeof problems / sizeof problems[0]; i++) {
		if (strcmp(what, problems[i].problem) != 0)
			continue;
		if (problems[i].what != NULL)
			what = problems[i].what;
		hint = problems[i].hint;
		break;
	}
	if (is_tab_at(bytes, mark)) {
		stop(b, mark, "a tab stands where only spaces may",
		    "indent with spaces");
		return;
	}
	/* What was never closed is mended where it was opened. */
	if (parser->error == YAML_SCANNER_ERROR && parser->context != NULL &&
	    strstr(what, "quotes are opened") != NULL)
		mark = mark_of(parser->context_mark);
	snprintf(text, sizeof text, "%s", what);
	if (parser->context != NULL &&
	    parser->context_mark.line + 1 < mark.line)
		snprintf(text, sizeof text, "%s (%s that begins in line %zu)",
		    what, parser->context, parser->context_mark.line + 1);
	stop(b, mark, text, hint);
}

/* ---- events ---- */

static struct conf_node *
add(struct builder *b, enum conf_node_kind kind, const yaml_event_t *event)
{
	struct conf_node *node, *parent;

	if (++b->nodes > CONF_NODES_MAX) {
		stop(b, mark_of(event->start_mark),
		    "the file holds more than 20,000 values",
		    "make it smaller");
		return NULL;
	}
	node = arena_alloc(b->arena, sizeof *node);
	if (node == NULL) {
		stop_no_memory(b);
		return NULL;
	}
	node->kind = kind;
	node->mark = mark_of(event->start_mark);
	if (b->depth == 0) {
		b->tree->root = node;
		return node;
	}
	parent = b->open[b->depth - 1];
	if (parent->last == NULL)
		parent->first = node;
	else
		parent->last->next = node;
	parent->last = node;
	return node;
}

static bool
keep_text(struct builder *b, struct conf_node *node, struct span text)
{
	char *copy = arena_str(b->arena, text);

	if (copy == NULL) {
		stop_no_memory(b);
		return false;
	}
	node->text = span_of(copy, text.len);
	return true;
}

static void
on_scalar(struct builder *b, const yaml_event_t *event)
{
	struct conf_node *node = add(b, CONF_NODE_SCALAR, event);

	if (node == NULL ||
	    !keep_text(b, node,
		span_of(event->data.scalar.value, event->data.scalar.length)))
		return;
	node->is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (event->data.scalar.anchor != NULL)
		node->foreign = "an anchor (`&`)";
	else if (event->data.scalar.tag != NULL)
		node->foreign = "a tag (`!`)";
}

static void
on_open(struct builder *b, const yaml_event_t *event, enum conf_node_kind kind,
    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct conf_node *node;

	if (b->depth == CONF_DEPTH_MAX) {
		stop(b, mark_of(event->start_mark),
		    "lists and sections are nested more than 8 deep",
		    "no key needs that: check brackets and indentation");
		return;
	}
	node = add(b, kind, event);
	if (node == NULL)
		return;
	if (anchor != NULL)
		node->foreign = "an anchor (`&`)";
	else if (tag != NULL)
		node->foreign = "a tag (`!`)";
	b->open[b->depth++] = node;
}

static void
on_alias(struct builder *b, const yaml_event_t *event)
{
	struct conf_node *node = add(b, CONF_NODE_ALIAS, event);

	if (node != NULL)
		node->foreign = "an alias (`*`)";
}

static void
on_event(struct builder *b, const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++ > 0)
			stop(b, mark_of(event->start_mark),
			    "a second document begins here",
			    "take the `---` out: a file is one document");
		break;
	case YAML_SCALAR_EVENT:
		on_scalar(b, event);
		break;
	case YAML_SEQUENCE_START_EVENT:
		on_open(b, event, CONF_NODE_LIST,
		    event->data.sequence_start.anchor,
		    event->data.sequence_start.tag);
		break;
	case YAML_MAPPING_START_EVENT:
		on_open(b, event, CONF_NODE_MAPPING,
		    event->data.mapping_start.anchor,
		    event->data.mapping_start.tag);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		b->depth--;
		break;
	case YAML_ALIAS_EVENT:
		on_alias(b, event);
		break;
	case YAML_STREAM_END_EVENT:
		b->is_over = true;
		break;
	default:
		break;
	}
}

void
conf_tree_parse(struct arena *arena, struct span bytes, struct conf_tree *tree)
{
	struct builder b = {.arena = arena, .tree = tree};
	yaml_parser_t parser;
	yaml_event_t event;

	*tree = (struct conf_tree){.is_whole = true, .err = ERR_INIT};
	/* A byte order mark is no character of the first line. */
	if (bytes.len >= 3 && memcmp(bytes.data, "\xef\xbb\xbf", 3) == 0)
		bytes = span_of(bytes.data + 3, bytes.len - 3);
	if (!is_text(&b, bytes))
		return;
	if (!yaml_parser_initialize(&parser)) {
		stop_no_memory(&b);
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, bytes.data, bytes.len);
	while (!b.is_over) {
		if (!yaml_parser_parse(&parser, &event)) {
			stop_syntax(&b, &parser, bytes);
			break;
		}
		on_event(&b, &event);
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
}
