#include "cmd_policy.h"

#include "buf.h"
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { FILE_MAX_BYTES = 16 << 20, PIECE_BYTES = 64 << 10 };

static int
read_stream(FILE *stream, const char *path, struct buf *bytes, struct err *err)
{
	size_t count = 1;

	while (count > 0) {
		uint8_t *room = buf_reserve(bytes, PIECE_BYTES);

		if (room == NULL)
			return err_set(err, ERR_CONFIG,
			    "%s is larger than a policy may be", path);
		count = fread(room, 1, PIECE_BYTES, stream);
		buf_commit(bytes, count);
	}
	if (ferror(stream))
		return err_set_errno(err, ERR_SYSTEM, "cannot read %s", path);
	return 0;
}

static int
read_file(const char *path, struct buf *bytes, struct err *err)
{
	FILE *file;
	int result;

	if (strcmp(path, "-") == 0)
		return read_stream(stdin, "standard input", bytes, err);
	file = fopen(path, "re");
	if (file == NULL) {
		err_set_errno(err, ERR_FAILED, "cannot open %s", path);
		return err_hint(err, "name a policy that is there");
	}
	result = read_stream(file, path, bytes, err);
	fclose(file);
	return result;
}

static void
on_fault(const struct conf_fault *fault, void *arg)
{
	int *status = arg;

	*status = cmd_complain(&fault->err);
}

struct policy *
cmd_policy_open(const char *path, int *status)
{
	struct policy *policy = NULL;
	struct policy_source source = {
	    .file = strcmp(path, "-") == 0 ? "standard input" : path,
	    .on_fault = on_fault,
	    .arg = status,
	};
	struct err err = ERR_INIT;
	struct buf bytes;

	buf_init(&bytes, FILE_MAX_BYTES);
	if (read_file(path, &bytes, &err) != 0) {
		*status = cmd_complain(&err);
	} else {
		source.bytes = buf_span(&bytes);
		source.format = policy_guess_format(source.bytes);
		policy = policy_new(&source);
	}
	buf_fini(&bytes);
	return policy;
}

static const struct cmd *const subs[] = {
    &cmd_policy_test,
    &cmd_policy_lint,
    NULL,
};

static const struct cmd_option options[] = {{0}};

static const char *const synopses[] = {NULL};

const struct cmd cmd_policy = {
    .name = "policy",
    .synopses = synopses,
    .summary = "Say what an identity may do, by which line, and what a policy "
	       "cannot have meant",
    .about =
	"FILE is a policy, kaya-policy(5), or mosquitto's acl_file; which of "
	"them\n"
	"it is shows in its first word.\n",
    .options = options,
    .subs = subs,
    .run = cmd_run_sub,
};
