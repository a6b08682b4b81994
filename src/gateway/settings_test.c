/* kayad -t: the configuration, judged in full and printed. */

#include "settings_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void
print_fault(const struct conf_fault *fault, void *arg)
{
	size_t *count = arg;
	char text[1024];

	++*count;
	fprintf(stderr, "%s\n", err_text(&fault->err, text, sizeof text));
}

/* One byte more than a configuration may have is enough to refuse it. */
static int
read_file(const char *name, struct buf *bytes, struct err *err)
{
	FILE *file = fopen(name, "re");
	uint8_t *room;
	size_t len = 0;

	buf_init(bytes, CONF_FILE_MAX + 1);
	if (file == NULL) {
		err_set_errno(err, ERR_CONFIG, "cannot read it");
		return err_where(err, "%s", name);
	}
	room = buf_reserve(bytes, CONF_FILE_MAX + 1);
	if (room != NULL)
		len = fread(room, 1, CONF_FILE_MAX + 1, file);
	if (room == NULL)
		err_set(err, ERR_NOMEM, "no memory to read %s", name);
	else if (ferror(file))
		err_set_errno(err, ERR_CONFIG, "cannot read it");
	else
		buf_commit(bytes, len);
	err_where(err, "%s", name);
	fclose(file);
	return err->code == ERR_NONE ? 0 : -1;
}

/* 0 where nothing was wrong; faults of the file are printed, others in err. */
static int
judge(const char *file, const struct settings_overrides *overrides,
    struct settings *settings, size_t *count, struct err *err)
{
	struct err first = ERR_INIT;
	struct buf bytes;
	int result = 0;

	if (file != NULL) {
		result = read_file(file, &bytes, err);
		if (result == 0)
			result = settings_load(settings, file, buf_span(&bytes),
			    print_fault, count, &first);
		buf_fini(&bytes);
	}
	if (result == 0)
		result = settings_override(settings, overrides, err);
	if (result == 0)
		result =
		    settings_check_files(settings, print_fault, count, &first);
	return result;
}

int
settings_test(const char *file, const struct settings_overrides *overrides)
{
	const char *name = file == NULL ? "without a configuration file" : file;
	struct err err = ERR_INIT;
	struct settings settings;
	size_t count = 0;
	char text[1024];
	int result = settings_defaults(&settings, &err);

	if (result == 0) {
		result = judge(file, overrides, &settings, &count, &err);
		settings_fini(&settings);
	}
	if (err.code != ERR_NONE) {
		fprintf(stderr, "%s\n", err_text(&err, text, sizeof text));
		return err_exit_status(err.code);
	}
	if (result == 0)
		fprintf(stderr, "%s: no faults\n", name);
	else
		fprintf(stderr, "%s: %zu fault%s\n", name, count,
		    count == 1 ? "" : "s");
	return result == 0 ? 0 : 2;
}
