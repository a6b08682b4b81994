#include "cmd_keys.h"

#include "keys_edit.h"
#include "keys_judge.h"
#include "keys_rights.h"
#include "shell.h"

#include <getopt.h>
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const struct cmd_option options[] = {
    {CMD_JSON, "json", NULL, "a JSON array in place of text"},
    {0},
};

enum { COLUMNS = 6, TEXT_MAX_BYTES = 1 << 20 };

/* One line of the table. */
struct row {
	char *cells[COLUMNS];
	enum cmd_keys_paint paint;
};

struct list {
	json_t *array; /* NULL: a table is wanted */
	bool names_files;
	struct row *rows;
	size_t count;
	size_t voids;
	size_t doubtful;
	struct authorized_keys_line line;
};

/* ---- the table ---- */

static struct row *
add_row(struct list *list)
{
	struct row *bigger =
	    realloc(list->rows, (list->count + 1) * sizeof *bigger);

	if (bigger == NULL)
		return NULL;
	list->rows = bigger;
	bigger[list->count] = (struct row){.paint = PAINT_PLAIN};
	return &bigger[list->count++];
}

static void
set_cell(struct row *row, int column, const char *text)
{
	row->cells[column] = cmd_keys_text(span_of_str(text));
}

static void
set_place(const struct list *list, struct row *row,
    const struct keys_file *file, size_t number)
{
	char *place = NULL;

	if (asprintf(&place, "%s%s%zu", list->names_files ? file->name : "",
		list->names_files ? ":" : "", number) >= 0)
		set_cell(row, 0, place);
	free(place);
}

static void
set_rights(struct row *row, const struct authorized_keys_line *line)
{
	struct buf text;

	buf_init(&text, TEXT_MAX_BYTES);
	keys_rights_text(line, &text);
	row->cells[4] = cmd_keys_text(buf_span(&text));
	buf_fini(&text);
}

static bool
put_row(struct list *list, const struct keys_file *file, size_t number,
    const struct keys_finding *worst)
{
	char name[KEYS_IDENTITY_SIZE], print[PUBKEY_FINGERPRINT_SIZE], type[64];
	const struct authorized_keys_line *line = &list->line;
	struct row *row = add_row(list);
	bool is_rsa = line->key.type == PUBKEY_RSA;

	if (row == NULL)
		return false;
	set_place(list, row, file, number);
	set_cell(row, 1, cmd_keys_name(line, name));
	snprintf(type, sizeof type, is_rsa ? "%s %u" : "%s",
	    pubkey_type_word(line->key.type), line->key.bits);
	set_cell(row, 2, type);
	set_cell(row, 3, keys_fingerprint(line, print));
	set_rights(row, line);
	row->cells[5] = cmd_keys_text(line->comment);
	if (worst != NULL) {
		row->paint = worst->severity == KEYS_WARNING ? PAINT_DOUBTFUL
							     : PAINT_BAD;
		list->doubtful++;
	}
	return true;
}

static bool
put_void_row(struct list *list, const struct keys_file *file,
    const struct keys_finding *finding)
{
	char text[KEYS_SENTENCE_SIZE + 32];
	struct row *row = add_row(list);

	if (row == NULL)
		return false;
	row->paint = PAINT_BAD;
	set_place(list, row, file, finding->line);
	for (int i = 1; i < 4; i++)
		set_cell(row, i, "-");
	snprintf(text, sizeof text, "lets nobody in: %s", finding->cause);
	set_cell(row, 4, text);
	list->voids++;
	return true;
}

static const char *
cell(const struct row *row, int column)
{
	return row->cells[column] != NULL ? row->cells[column] : "";
}

static void
print_table(const struct list *list)
{
	static const char *const heads[COLUMNS] = {
	    "LINE", "IDENTITY", "TYPE", "FINGERPRINT", "MAY", "COMMENT"};
	const char *plain = cmd_keys_paint(stdout, PAINT_PLAIN);
	size_t widths[COLUMNS];

	if (list->count == 0)
		return;
	for (int c = 0; c < COLUMNS; c++) {
		widths[c] = strlen(heads[c]);
		for (size_t i = 0; i < list->count; i++)
			if (strlen(cell(&list->rows[i], c)) > widths[c] &&
			    strcmp(cell(&list->rows[i], 1), "-") != 0)
				widths[c] = strlen(cell(&list->rows[i], c));
	}
	for (int c = 0; c < COLUMNS; c++)
		printf(
		    "  %-*s", c + 1 < COLUMNS ? (int)widths[c] : 0, heads[c]);
	putchar('\n');
	for (size_t i = 0; i < list->count; i++) {
		const struct row *row = &list->rows[i];

		printf("%s%c", cmd_keys_paint(stdout, row->paint),
		    row->paint == PAINT_PLAIN ? ' ' : '!');
		for (int c = 0; c < COLUMNS; c++)
			printf("%s%-*s", c > 0 ? "  " : " ",
			    c + 1 < COLUMNS ? (int)widths[c] : 0, cell(row, c));
		printf("%s\n", plain);
	}
}

/* ---- JSON ---- */

static json_t *
json_permits(
    const struct authorized_keys_line *line, enum authorized_keys_option_id id)
{
	struct authorized_keys_option option;
	json_t *array = json_array();
	size_t at = 0;

	while (authorized_keys_next(line, &at, &option))
		if (option.id == id)
			json_array_append_new(
			    array, cmd_keys_json(option.value));
	return array;
}

static json_t *
json_faults(const struct keys_findings *findings, size_t number)
{
	json_t *array = json_array();

	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].line == number)
			json_array_append_new(
			    array, json_string(findings->items[i].code));
	return array;
}

static json_t *
json_span_or_null(struct span text)
{
	return text.data == NULL ? json_null() : cmd_keys_json(text);
}

/* A value as sshd has it, without what only guards its quotes. */
static json_t *
json_value_or_null(struct span value)
{
	char *text;
	json_t *string;

	if (value.data == NULL)
		return json_null();
	text = malloc(value.len + 1);
	if (text == NULL)
		return NULL;
	authorized_keys_unquote(value, text, value.len + 1);
	string = cmd_keys_json(span_of_str(text));
	free(text);
	return string;
}

static json_t *
json_key(const struct authorized_keys_line *line)
{
	char name[KEYS_IDENTITY_SIZE], print[PUBKEY_FINGERPRINT_SIZE];
	const struct authorized_keys_rights *r = &line->rights;

	return json_pack(
	    "{ss? ss si ss so so so so sb sb so sb sb sb sb sb so so so}",
	    "identity", line->is_authority ? NULL : keys_identity(line, name),
	    "type", pubkey_type_word(line->key.type), "bits",
	    (int)line->key.bits, "fingerprint", keys_fingerprint(line, print),
	    "comment", cmd_keys_json(line->comment), "role",
	    json_span_or_null(line->role), "from",
	    json_value_or_null(line->from), "command",
	    json_value_or_null(line->command), "restrict", line->is_restricted,
	    "cert_authority", line->is_authority, "principals",
	    json_value_or_null(line->principals), "port_forwarding",
	    r->port_forwarding, "remote_forwarding",
	    keys_rights_has_remote(line), "pty", r->pty, "agent_forwarding",
	    r->agent_forwarding, "x11_forwarding", r->x11_forwarding,
	    "permitopen", json_permits(line, OPTION_PERMITOPEN), "permitlisten",
	    json_permits(line, OPTION_PERMITLISTEN), "expires",
	    line->expires_s == 0 ? json_null() : json_integer(line->expires_s));
}

static bool
put_json(struct list *list, const struct keys_file *file, size_t number,
    const struct keys_findings *findings, json_t *object)
{
	if (object == NULL)
		return false;
	json_object_set_new(
	    object, "file", cmd_keys_json(span_of_str(file->name)));
	json_object_set_new(object, "line", json_integer((json_int_t)number));
	json_object_set_new(object, "faults", json_faults(findings, number));
	return json_array_append_new(list->array, object) == 0;
}

/* ---- one file ---- */

/* The gravest finding of a line; what is worth a note only does not count. */
static const struct keys_finding *
worst_of(const struct keys_findings *findings, size_t number)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].line == number &&
		    findings->items[i].severity > KEYS_NOTE)
			return &findings->items[i];
	return NULL;
}

/*
 * What sshd reads on a line.  Where it looks up the names of ports, as this
 * machine would, the line is read as its `meant`, which lives as long as the
 * findings.
 */
static bool
read_key(struct list *list, struct span text, size_t number,
    const struct keys_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].line == number &&
		    strcmp(findings->items[i].code, "permit-service") == 0)
			text = span_of_str(findings->items[i].meant);
	return authorized_keys_parse(text, &list->line) == AUTHORIZED_KEYS_KEY;
}

static bool
list_line(struct list *list, const struct keys_file *file, struct span text,
    size_t number, const struct keys_findings *findings)
{
	const struct keys_finding *worst = worst_of(findings, number);

	if (read_key(list, text, number, findings))
		return list->array == NULL
			   ? put_row(list, file, number, worst)
			   : put_json(list, file, number, findings,
				 json_key(&list->line));
	/* A line of a block that is told as one fault has none of its own. */
	if (worst == NULL)
		return true;
	return list->array == NULL ? put_void_row(list, file, worst)
				   : put_json(list, file, number, findings,
					 json_pack("{sn}", "identity"));
}

static int
list_file(struct list *list, const struct keys_file *file,
    const struct keys_findings *findings, struct err *err)
{
	size_t at = 0, number = 0;
	struct span text;
	bool is_well = true;

	while (is_well &&
	       authorized_keys_next_line(file->bytes, &at, &number, &text))
		is_well = list_line(list, file, text, number, findings);
	return is_well ? 0 : err_set(err, ERR_NOMEM, "no memory for the list");
}

static void
print_list(const struct list *list, const char *path)
{
	const size_t faults = list->voids + list->doubtful;
	char name[PATH_MAX];

	if (list->array != NULL) {
		json_dumpf(list->array, stdout, JSON_INDENT(2));
		putchar('\n');
		return;
	}
	print_table(list);
	if (list->count == 0)
		fputs("there is no key\n", stderr);
	if (faults > 0)
		fprintf(stderr, "! %zu of them %s: kaya keys lint %s\n", faults,
		    faults == 1 ? "has a fault" : "have faults",
		    shell_quoted(path, name, sizeof name));
}

static void
free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		for (int c = 0; c < COLUMNS; c++)
			free(list->rows[i].cells[c]);
	free(list->rows);
	json_decref(list->array);
	free(list);
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct list *list;
	struct err err = ERR_INIT;
	struct keys_findings *findings;
	struct keys_files files;
	int id, status = 0;
	bool as_json = false;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		if (id == CMD_STOP)
			return status;
		as_json = as_json || id == CMD_JSON;
	}
	if (optind + 1 != argc)
		return cmd_misuse(cmd, "name one file or folder of keys");
	if (keys_files_open(&files, argv[optind], KEYS_FILES_READ, &err) != 0)
		return cmd_complain(&err);
	list = calloc(1, sizeof *list);
	if (list == NULL) {
		keys_files_close(&files);
		err_set(&err, ERR_NOMEM, "no memory for the list");
		return cmd_complain(&err);
	}
	list->array = as_json ? json_array() : NULL;
	list->names_files = files.is_folder;
	findings = cmd_keys_judge(&files, time(NULL), &err);
	if (findings == NULL)
		status = cmd_complain(&err);
	for (size_t i = 0; findings != NULL && i < files.count; i++)
		if (status == 0 &&
		    list_file(list, &files.items[i], &findings[i], &err) != 0)
			status = cmd_complain(&err);
	if (status == 0)
		print_list(list, argv[optind]);
	free_list(list);
	cmd_keys_judge_free(&files, findings);
	keys_files_close(&files);
	return status;
}

static const char *const synopses[] = {"[--json] FILE", NULL};

const struct cmd cmd_keys_list = {
    .name = "keys list",
    .synopses = synopses,
    .summary = "Show who a file lets in, and what each key may do there",
    .about =
	"What a key may do is what a stock sshd would let it do; kayad "
	"carries\n"
	"MQTT and nothing else whatever the line allows. Lines with a fault "
	"are\n"
	"marked by !; kaya keys lint tells what it is. FILE may be - for\n"
	"standard input.\n",
    .options = options,
    .run = run,
};
