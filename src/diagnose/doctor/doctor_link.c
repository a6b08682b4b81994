#include "doctor_private.h"

#include "clock.h"
#include "link_auth.h"

#include <poll.h>

struct link *
doctor_new_link(struct doctor *doctor, struct err *err)
{
	struct link_options options = doctor->options->link;
	struct link *link;
	int fd;

	options.asking = LINK_NEVER_ASK;
	link = link_prepare(&options, err);
	if (link == NULL)
		return NULL;
	if (!doctor->proxied) {
		fd = doctor_connect_ssh(doctor);
		if (fd < 0) {
			err_set(err, ERR_UNREACHABLE, "%s %s%s",
			    doctor->open->text,
			    doctor->shut_out[0] != '\0' ? "says: "
							: "does not answer",
			    doctor->shut_out);
			goto fail;
		}
		link_give(link, fd);
	}
	if (ssh_connect(link->session) != SSH_OK) {
		err_set(
		    err, ERR_UNREACHABLE, "%s", ssh_get_error(link->session));
		goto fail;
	}
	if (link_check_host_key(link, &options, err) != 0)
		goto fail;
	return link;
fail:
	link_free(link);
	return NULL;
}

enum doctor_wait
doctor_wait(ssh_session session, uint64_t until_ms)
{
	struct pollfd slot = {.fd = ssh_get_fd(session), .events = POLLIN};
	uint64_t now = clock_monotonic_ms();

	if (!ssh_is_connected(session) || slot.fd < 0)
		return DOCTOR_CLOSED;
	if ((ssh_get_poll_flags(session) & SSH_WRITE_PENDING) != 0)
		slot.events |= POLLOUT;
	if (now >= until_ms || poll(&slot, 1, (int)(until_ms - now)) == 0)
		return DOCTOR_LATE;
	return DOCTOR_READY;
}
