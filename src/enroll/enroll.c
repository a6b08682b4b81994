#include "enroll_private.h"

#include "keys_line.h"
#include "shell.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void
init(struct enroll *enroll, const struct enroll_options *options,
    struct findings *findings)
{
	memset(enroll, 0, sizeof *enroll);
	enroll->options = options;
	enroll->findings = findings;
	buf_init(&enroll->public_line, KEYS_LINE_MAX_BYTES);
	buf_init(&enroll->line, KEYS_LINE_MAX_BYTES);
}

static void
fini(struct enroll *enroll)
{
	link_free(enroll->link);
	buf_fini(&enroll->public_line);
	buf_fini(&enroll->line);
}

void
enroll_tell(struct enroll *enroll, const char *layer, const char *format, ...)
{
	struct finding finding = {
	    .layer = layer, .state = FINDING_OK, .code = ""};
	va_list args;

	va_start(args, format);
	vsnprintf(finding.seen, sizeof finding.seen, format, args);
	va_end(args);
	findings_add(enroll->findings, &finding);
}

/* ---- proof ---- */

/* The key as kaya tunnel will use it: by the record alone. */
static void
make_proof(
    const struct enroll *enroll, const char *remedy, struct enroll_proof *proof)
{
	const struct enroll_options *options = enroll->options;

	*proof = (struct enroll_proof){
	    .link = {.dest = enroll->place.dest.host,
		.state_dir = enroll->place.state,
		.ssh_config = options->link.ssh_config,
		.jump = options->link.jump,
		.word_count = options->link.word_count},
	    .dest = enroll->dest,
	    .target_host = options->target_host,
	    .target_port = options->target_port,
	    .broker_user = options->broker_user,
	    .broker_password = options->broker_password,
	    .key_file = enroll->place.key,
	    .known_hosts = enroll->place.known_hosts,
	    .login = enroll->link,
	    .remedy = remedy,
	    .strictness = options->strictness,
	};
	memcpy(
	    proof->link.words, options->link.words, sizeof proof->link.words);
}

static void
tell_record(struct enroll *enroll)
{
	const struct enroll_options *options = enroll->options;
	char broker[300] = "";

	if (strcmp(options->target_host, "127.0.0.1") != 0 ||
	    options->target_port != 1883)
		snprintf(broker, sizeof broker, "-b %s:%u ",
		    options->target_host, options->target_port);
	enroll_tell(enroll, "record", "from now on: kaya tunnel %s%s", broker,
	    enroll->dest);
}

int
enroll_prove(struct enroll *enroll, const char *remedy, struct err *err)
{
	const struct dest_enrolled *way = &enroll->way;
	struct enroll_proof proof;

	if (enroll_place_remember(
		&enroll->place, way->host, way->port, way->user, err) != 0)
		return -1;
	make_proof(enroll, remedy, &proof);
	if (enroll_proof_run(&proof, enroll->findings, err) == 0) {
		tell_record(enroll);
		return 0;
	}
	if (err->code != ERR_REFUSED)
		return err_wrap(err, "the new key could not be tried");
	/* A record of a key that is not let in would be in the way. */
	if (!enroll->place.is_enrolled)
		enroll_place_forget(&enroll->place);
	return -1;
}

/* ---- all of it ---- */

static void
put_dest(struct enroll *enroll)
{
	const char *state = enroll->options->link.state_dir;
	char name[PATH_MAX];

	if (state == NULL)
		snprintf(enroll->dest, sizeof enroll->dest, "%s",
		    enroll->place.dest.host);
	else
		snprintf(enroll->dest, sizeof enroll->dest, "--state %s %s",
		    shell_quoted(state, name, sizeof name),
		    enroll->place.dest.host);
}

typedef int step_fn(struct enroll *enroll, struct err *err);

/* `step`, once it is known what DEST is. */
static int
run(const struct enroll_options *options, struct findings *findings,
    step_fn *step, struct err *err)
{
	struct enroll *enroll = calloc(1, sizeof *enroll);
	int result;

	if (enroll == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	init(enroll, options, findings);
	result = enroll_place_find(
	    &enroll->place, options->link.dest, options->link.state_dir, err);
	if (result == 0) {
		put_dest(enroll);
		result = step(enroll, err);
	}
	fini(enroll);
	free(enroll);
	return result;
}

int
enroll_run(const struct enroll_options *options, struct findings *findings,
    struct err *err)
{
	return run(options, findings,
	    options->code != NULL ? enroll_by_code : enroll_by_login, err);
}

int
enroll_revoke(const struct enroll_options *options, struct findings *findings,
    struct err *err)
{
	return run(options, findings, enroll_undo, err);
}
