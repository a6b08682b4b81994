#ifndef KAYA_CONTROL_H
#define KAYA_CONTROL_H

/*
 * control: a UNIX socket by which a running kayad or tunnel is asked how it
 * is, for its owner and for root.
 *
 * One request a connection: a line with a word ("status"); one answer: a line
 * with a JSON object, then the end.  Both together have 10 s, and taking the
 * answer 30 s more.
 */

#include "loop.h"
#include "span.h"

#include <sys/types.h>

struct control;
struct control_client;

/*
 * A request came.  Answer by control_answer, now or later; `client` is void
 * after that.
 */
typedef void control_fn(
    void *arg, const char *request, struct control_client *client);

/*
 * Listen on `path` (mode 0600; what is left of an earlier run is replaced, one
 * that is served is an error: ERR_TAKEN).  NULL and `err` on failure.
 */
struct control *control_new(struct loop *loop, const char *path, control_fn *fn,
    void *arg, struct err *err);

/* Clients are cut off, the socket is removed.  NULL is fine. */
void control_free(struct control *control);

/*
 * Serve a connection that came otherwise, as if it had come by the socket.
 * `fd` and `who` (which malloc gave; free() takes it, with the client) are
 * taken over in any case.  NULL where there are too many, or no memory.
 */
struct control_client *control_adopt(
    struct control *control, int fd, void *who);

/* Who that is; NULL: it came by the socket, and is the user that follows. */
const void *control_who(const struct control_client *client);
uid_t control_user(const struct control_client *client);

/* Go through those that were adopted, with `*client` NULL at first. */
bool control_next_adopted(
    const struct control *control, const struct control_client **client);

/* Send `json` and a newline, then close. */
void control_answer(struct control_client *client, struct span json);

/* For answers that come later: the client of a ticket, NULL when gone. */
uint64_t control_ticket(const struct control_client *client);
struct control_client *control_find(struct control *control, uint64_t ticket);

#endif
