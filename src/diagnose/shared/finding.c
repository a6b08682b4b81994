#include "finding.h"

#include "json.h"
#include "span.h"
#include "standard.h"

#include <stdlib.h>
#include <string.h>

enum { FINDINGS_BYTES_MAX = 16 << 20 };

static const struct {
	const char *name; /* for programs */
	const char *word; /* for people */
	const char *colour;
} states[] = {
    [FINDING_OK] = {"ok", "ok", "\033[32m"},
    [FINDING_WARNING] = {"warning", "warning", "\033[33m"},
    [FINDING_FAULT] = {"fault", "fault", "\033[31m"},
    [FINDING_NOT_KNOWN] = {"not-known", "not known", ""},
};

const char *
finding_state_name(enum finding_state state)
{
	return states[state].name;
}

void
findings_init(struct findings *findings, FILE *out, enum findings_form form,
    enum findings_causes causes)
{
	*findings =
	    (struct findings){.out = out, .form = form, .causes = causes};
}

void
findings_fini(struct findings *findings)
{
	free(findings->items);
	findings->items = NULL;
	findings->count = findings->cap = 0;
}

/* ---- as text ---- */

static void
print_advice(FILE *out, const char *before, const struct finding *finding)
{
	if (finding->cause[0] != '\0')
		fprintf(out, "%scause:  %s\n", before, finding->cause);
	if (finding->remedy[0] != '\0')
		fprintf(out, "%sremedy: %s\n", before, finding->remedy);
}

static void
print_line(const struct findings *findings, const struct finding *finding)
{
	bool colours = standard_has_colours(findings->out);

	fprintf(findings->out, "%s%-9s%s  %-11s %s\n",
	    colours ? states[finding->state].colour : "",
	    states[finding->state].word, colours ? "\033[0m" : "",
	    finding->layer, finding->seen);
	if (findings->causes == FINDINGS_EVERY_CAUSE)
		print_advice(findings->out, "           ", finding);
	fflush(findings->out);
}

void
findings_add(struct findings *findings, const struct finding *finding)
{
	if (findings->count == findings->cap) {
		size_t cap = findings->cap == 0 ? 16 : 2 * findings->cap;
		struct finding *items =
		    reallocarray(findings->items, cap, sizeof *items);

		if (items == NULL) {
			findings->failed = true;
			return;
		}
		findings->items = items;
		findings->cap = cap;
	}
	findings->items[findings->count++] = *finding;
	if (findings->form == FINDINGS_AS_TEXT)
		print_line(findings, finding);
}

static const struct finding *
first_in(const struct findings *findings, enum finding_state state)
{
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].state == state)
			return &findings->items[i];
	return NULL;
}

const struct finding *
findings_first(const struct findings *findings)
{
	const struct finding *fault = first_in(findings, FINDING_FAULT);

	return fault != NULL ? fault : first_in(findings, FINDING_WARNING);
}

/* ---- as JSON ---- */

void
finding_put_json(struct buf *out, const struct finding *finding)
{
	json_put_member(out, "    {", "layer", finding->layer);
	json_put_member(out, ", ", "state", finding_state_name(finding->state));
	json_put_member(out, ", ", "code", finding->code);
	json_put_member(out, ",\n     ", "seen", finding->seen);
	json_put_member(out, ",\n     ", "cause", finding->cause);
	json_put_member(out, ",\n     ", "remedy", finding->remedy);
	buf_append_str(out, "}");
}

static void
print_json(struct findings *findings, int status)
{
	static const struct finding none = {.layer = "", .code = ""};
	const struct finding *first = findings_first(findings);
	struct buf out;
	char head[64];

	if (first == NULL)
		first = &none;
	buf_init(&out, FINDINGS_BYTES_MAX);
	snprintf(head, sizeof head, "{\"ok\":%s, \"status\":%d",
	    status == 0 ? "true" : "false", status);
	buf_append_str(&out, head);
	json_put_member(&out, ", ", "layer", first->layer);
	json_put_member(&out, ", ", "code", first->code);
	json_put_member(&out, ",\n ", "cause", first->cause);
	json_put_member(&out, ",\n ", "remedy", first->remedy);
	buf_append_str(&out, ",\n \"findings\":[\n");
	for (size_t i = 0; i < findings->count; i++) {
		finding_put_json(&out, &findings->items[i]);
		buf_append_str(&out, i + 1 < findings->count ? ",\n" : "\n");
	}
	buf_append_str(&out, "]}\n");
	if (out.failed)
		findings->failed = true;
	else
		fwrite(
		    buf_span(&out).data, 1, buf_span(&out).len, findings->out);
	buf_fini(&out);
}

int
findings_end(struct findings *findings)
{
	const struct finding *fault = first_in(findings, FINDING_FAULT);
	const struct finding *first = findings_first(findings);
	int status = fault == NULL ? 0 : err_exit_status(fault->status);

	if (fault != NULL && status == 0)
		status = 1;
	if (findings->form == FINDINGS_AS_JSON) {
		print_json(findings, status);
	} else if (first != NULL && findings->causes == FINDINGS_FIRST_CAUSE) {
		fputc('\n', findings->out);
		print_advice(findings->out, "", first);
	}
	fflush(findings->out);
	if (findings->failed)
		return 1;
	return status;
}
