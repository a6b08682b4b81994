/* kayad -t: the configuration, judged in full and told. */

#include "settings_source.h"

#include "json.h"

#include <stdio.h>
#include <unistd.h>

struct report {
	enum settings_test_form form;
	const char *policy; /* the file's name, once known */
	size_t faults, warnings;
	struct buf fault_rows, warning_rows; /* JSON */
};

void
settings_print_fault(const struct conf_fault *fault, void *arg)
{
	char text[ERR_TEXT_MAX];

	(void)arg;
	fprintf(stderr, "%s\n", err_text(&fault->err, text, sizeof text));
}

/* One told thing as a member of an array. */
struct row {
	const char *file;
	size_t line, column;
	const char *what, *remedy;
};

static void
put_row(struct buf *out, const struct row *row)
{
	char place[64];

	if (buf_len(out) > 0)
		buf_append_str(out, ",");
	buf_append_str(out, "{\"file\":");
	json_put_str(out, row->file);
	snprintf(place, sizeof place,
	    ",\"line\":%zu,\"column\":%zu,\"what\":", row->line, row->column);
	buf_append_str(out, place);
	json_put_str(out, row->what);
	buf_append_str(out, ",\"remedy\":");
	json_put_str(out, row->remedy);
	buf_append_str(out, "}");
}

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	struct report *report = arg;
	const struct row row = {fault->file, fault->mark.line,
	    fault->mark.column, fault->err.what, fault->err.hint};

	report->faults++;
	if (report->form == SETTINGS_TEST_JSON)
		put_row(&report->fault_rows, &row);
	else
		settings_print_fault(fault, NULL);
}

/* Somebody will not be let in by it; kayad runs all the same. */
static void
on_void_line(void *arg, const struct keyring_fault *fault)
{
	struct report *report = arg;
	const struct row row = {fault->file, fault->line, fault->column,
	    fault->cause, fault->remedy};

	report->warnings++;
	if (report->form == SETTINGS_TEST_JSON)
		put_row(&report->warning_rows, &row);
	else
		fprintf(stderr,
		    "%s:%zu:%zu: warning: the line lets nobody in: %s\n"
		    "  remedy: %s\n",
		    fault->file, fault->line, fault->column, fault->cause,
		    fault->remedy != NULL ? fault->remedy
					  : "see kaya keys lint");
}

/* Rules that do not do what somebody meant; they are in force all the same. */
static void
on_finding(const struct policy_finding *finding, void *arg)
{
	struct report *report = arg;
	const struct row row = {report->policy, finding->line, finding->column,
	    finding->cause, finding->remedy};

	report->warnings++;
	if (report->form == SETTINGS_TEST_JSON)
		put_row(&report->warning_rows, &row);
	else
		fprintf(stderr, "%s:%zu:%zu: warning: %s\n  remedy: %s\n",
		    report->policy, finding->line, finding->column,
		    finding->cause, finding->remedy);
}

static void
sum_up(const struct report *report, const char *file)
{
	const char *name = file == NULL ? "without a configuration file" : file;

	if (report->faults == 0)
		fprintf(stderr, "%s: no faults", name);
	else
		fprintf(stderr, "%s: %zu fault%s", name, report->faults,
		    report->faults == 1 ? "" : "s");
	if (report->warnings > 0)
		fprintf(stderr, ", %zu warning%s", report->warnings,
		    report->warnings == 1 ? "" : "s");
	fputc('\n', stderr);
}

static int
print_json(struct report *report, const char *file)
{
	struct buf out;
	bool is_out;

	buf_init(&out, SIZE_MAX);
	buf_append_str(&out, "{\"file\":");
	json_put_str(&out, file);
	buf_append_str(&out, ",\"faults\":[");
	buf_append(&out, buf_span(&report->fault_rows).data,
	    buf_len(&report->fault_rows));
	buf_append_str(&out, "],\"warnings\":[");
	buf_append(&out, buf_span(&report->warning_rows).data,
	    buf_len(&report->warning_rows));
	buf_append_str(&out, "]}\n");
	is_out = !out.failed &&
		 fwrite(buf_span(&out).data, buf_len(&out), 1, stdout) == 1;
	buf_fini(&out);
	return is_out && fflush(stdout) == 0 ? 0 : -1;
}

int
settings_test(const char *file, const struct settings_overrides *overrides,
    enum settings_test_form form)
{
	struct report report = {.form = form};
	const struct settings_source source = {.file = file,
	    .overrides = overrides,
	    .on_fault = on_fault,
	    .arg = &report};
	const struct settings_advice advice = {
	    .on_void = on_void_line, .on_finding = on_finding, .arg = &report};
	struct snapshot_file content;
	struct settings settings;
	struct err err = ERR_INIT;
	int status;

	buf_init(&report.fault_rows, SIZE_MAX);
	buf_init(&report.warning_rows, SIZE_MAX);
	status = settings_source_read(&source, &settings, &content, &err) == 0
		     ? 0
		     : err_exit_status(err.code);
	if (status == 0) {
		report.policy = settings.policy;
		if (settings_source_look_into(&settings, &source, &advice) != 0)
			status = 2;
		settings_source_free(&content);
		settings_fini(&settings);
	}
	if (form == SETTINGS_TEST_TEXT)
		sum_up(&report, file);
	else if (print_json(&report, file) != 0)
		status = 1;
	buf_fini(&report.fault_rows);
	buf_fini(&report.warning_rows);
	return status;
}
