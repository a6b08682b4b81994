#include "control_ask.h"

#include "clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* As a gateway takes for an answer, and a slow link for a long one. */
enum {
	ANSWER_S = 5,
	FAR_ANSWER_S = 40,
	REQUEST_MAX = 512,
	ANSWER_MAX_BYTES = 64 << 20, /* as net/control has it */
};

/* The answer as it comes: who sends it may be anybody's program. */
struct answer {
	int fd;
	size_t len;
	uint64_t until_ms;
};

static size_t
read_more(void *bytes, size_t size, void *arg)
{
	struct answer *answer = arg;
	ssize_t got;

	if (answer->len >= ANSWER_MAX_BYTES ||
	    clock_monotonic_ms() >= answer->until_ms)
		return (size_t)-1;
	got = recv(answer->fd, bytes, size, 0);
	if (got > 0)
		answer->len += (size_t)got;
	return got < 0 ? (size_t)-1 : (size_t)got;
}

/* One line there, one object back, on a socket that is closed then. */
static json_t *
ask(int fd, const char *request, int patience_s)
{
	const struct timeval patience = {.tv_sec = patience_s};
	/* Bit by bit it may take a little longer. */
	struct answer from = {.fd = fd,
	    .until_ms = clock_monotonic_ms() + 2000 * (uint64_t)patience_s};
	char line[REQUEST_MAX];
	json_t *answer = NULL;
	json_error_t error;
	size_t len = (size_t)snprintf(line, sizeof line, "%s\n", request);

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (len < sizeof line &&
	    send(fd, line, len, MSG_NOSIGNAL) == (ssize_t)len)
		answer = json_load_callback(read_more, &from, 0, &error);
	close(fd);
	errno = 0;
	return answer;
}

json_t *
control_ask(const char *path, const char *request)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd, why;

	errno = 0;
	if (strlen(path) >= sizeof address.sun_path)
		return NULL;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	if (connect(fd, (void *)&address, sizeof address) == 0)
		return ask(fd, request, ANSWER_S);
	why = errno;
	close(fd);
	errno = why;
	return NULL;
}

bool
control_place(size_t i, const char *state_dir, char path[CONTROL_PATH_MAX])
{
	const char *xdg = getenv("XDG_STATE_HOME");
	const bool has_xdg = xdg != NULL && xdg[0] == '/';

	if (i >= (state_dir != NULL ? 1 : 2))
		return false;
	if (state_dir != NULL)
		snprintf(path, CONTROL_PATH_MAX, "%s/control.sock", state_dir);
	else if (i == 0)
		strcpy(path, "/var/lib/kayad/control.sock");
	else
		snprintf(path, CONTROL_PATH_MAX, "%s%s/kayad/control.sock",
		    has_xdg ? xdg : dest_home(),
		    has_xdg ? "" : "/.local/state");
	return true;
}

/* ---- the gateway ---- */

static int
refuse(int why, const char *path, const char *state_dir, struct err *err)
{
	if (why == EACCES || why == EPERM) {
		err_set(err, ERR_REFUSED, "the kayad at %s is another user's",
		    path);
		return err_hint(err, "run it as kayad's user, or as root");
	}
	err_set(err, ERR_UNREACHABLE, "no kayad answers%s%s",
	    state_dir != NULL ? " at " : "", state_dir != NULL ? path : "");
	return err_hint(
	    err, state_dir != NULL
		     ? "start it, or name the folder that it keeps its state in"
		     : "start it, or name its state folder: --state DIR");
}

static enum err_code
code_of(const char *name)
{
	for (enum err_code code = 0; code < ERR_CODES_COUNT; code++)
		if (name != NULL && strcmp(err_name(code), name) == 0)
			return code;
	return ERR_FAILED;
}

static const char *
text_of(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text == NULL ? "" : text;
}

/* What it says that it could not do. */
static int
take_error(const json_t *answer, struct err *err)
{
	if (json_object_get(answer, "error") == NULL)
		return 0;
	err_set(err, code_of(text_of(answer, "code")), "%s",
	    text_of(answer, "error"));
	if (text_of(answer, "where")[0] != '\0')
		err_where(err, "%s", text_of(answer, "where"));
	if (text_of(answer, "hint")[0] != '\0')
		err_hint(err, "%s", text_of(answer, "hint"));
	return -1;
}

json_t *
control_ask_gateway(const char *state_dir, const char *request, struct err *err)
{
	char path[CONTROL_PATH_MAX];
	json_t *answer = NULL;
	int why = 0;

	for (size_t i = 0; control_place(i, state_dir, path); i++) {
		answer = control_ask(path, request);
		if (answer != NULL)
			break;
		/* One that is there and may not be asked counts for more. */
		if (errno == EACCES || errno == EPERM) {
			why = errno;
			refuse(why, path, state_dir, err);
		}
	}
	if (answer == NULL && why == 0)
		refuse(0, path, state_dir, err);
	if (answer == NULL || take_error(answer, err) == 0)
		return answer;
	json_decref(answer);
	return NULL;
}

/* ---- through SSH ---- */

json_t *
control_ask_errand(struct errand *errand, const char *request, struct err *err)
{
	int fd = errand_connect(errand, err);
	json_t *answer = fd < 0 ? NULL : ask(fd, request, FAR_ANSWER_S);

	if (fd < 0)
		return NULL;
	if (answer == NULL && errand_check(errand, err) == 0)
		err_set(err, ERR_UNREACHABLE, "the gateway gave no answer");
	else if (answer == NULL && err->code == ERR_REFUSED)
		err_hint(err,
		    "have its role given the right in the gateway's policy, "
		    "kaya-policy(5); a server other than kayad answers no "
		    "questions");
	if (answer == NULL || take_error(answer, err) == 0)
		return answer;
	json_decref(answer);
	return NULL;
}
