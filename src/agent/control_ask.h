#ifndef KAYA_CONTROL_ASK_H
#define KAYA_CONTROL_ASK_H

/*
 * control_ask: questions to a kayad or a tunnel of this machine, at its
 * control socket (net/control.h); or to a kayad through SSH.
 */

#include "errand.h"

#include <jansson.h>
#include <stdbool.h>

/*
 * One question ("status"), one answer; NULL where nobody answers, with errno:
 * ECONNREFUSED where nobody is there any more, ENOENT, EACCES ...
 */
json_t *control_ask(const char *path, const char *request);

enum { CONTROL_PATH_MAX = 512 };

/*
 * The i-th place where a gateway's control socket may be: in `state_dir`
 * alone, or (NULL) where the system's and the user's are.  False: no more.
 */
bool control_place(
    size_t i, const char *state_dir, char path[CONTROL_PATH_MAX]);

/*
 * Ask the gateway.  NULL and `err` where none answers (ERR_UNREACHABLE), the
 * user may not (ERR_REFUSED), or it says that it failed, and why.
 */
json_t *control_ask_gateway(
    const char *state_dir, const char *request, struct err *err);

/* What a gateway is asked at through SSH. */
#define CONTROL_HOST "control.kaya"
enum { CONTROL_PORT = 1 };

/* The same through an errand to CONTROL_HOST; as often as one likes. */
json_t *control_ask_errand(
    struct errand *errand, const char *request, struct err *err);

#endif
