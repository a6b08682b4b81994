#include "unread.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
	struct nlmsghdr header;
	struct inet_diag_req_v2 request;
};

union answer {
	struct nlmsghdr header;
	char bytes[4096];
};

/* One end of a connection, as inet_diag has it. */
static void
put_end(const struct sockaddr_storage *address, __be16 *port, __be32 where[4])
{
	const struct sockaddr_in *four = (const void *)address;
	const struct sockaddr_in6 *six = (const void *)address;

	if (address->ss_family == AF_INET) {
		*port = four->sin_port;
		where[0] = four->sin_addr.s_addr;
	} else {
		*port = six->sin6_port;
		memcpy(where, &six->sin6_addr, sizeof six->sin6_addr);
	}
}

/* Put a question about the socket at the other end of `fd`. */
static bool
ask(int fd, struct question *question)
{
	struct sockaddr_storage ours = {0}, theirs = {0};
	socklen_t len = sizeof ours;
	struct inet_diag_sockid *id = &question->request.id;

	*question = (struct question){
	    .header = {.nlmsg_len = sizeof *question,
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST},
	    .request = {.sdiag_protocol = IPPROTO_TCP,
		.idiag_states = UINT32_MAX},
	};
	if (getsockname(fd, (void *)&ours, &len) != 0 ||
	    (len = sizeof theirs,
		getpeername(fd, (void *)&theirs, &len) != 0) ||
	    (ours.ss_family != AF_INET && ours.ss_family != AF_INET6))
		return false;
	question->request.sdiag_family = (uint8_t)ours.ss_family;
	put_end(&theirs, &id->idiag_sport, id->idiag_src);
	put_end(&ours, &id->idiag_dport, id->idiag_dst);
	id->idiag_cookie[0] = id->idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	return true;
}

static bool
is_any_there(int fd)
{
	struct question question;
	const struct inet_diag_msg *told;
	union answer answer;
	ssize_t len = -1;
	int diag;

	if (!ask(fd, &question))
		return false;
	diag = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	if (diag < 0)
		return false;
	/* The kernel answers before send(2) returns. */
	if (send(diag, &question, sizeof question, 0) ==
	    (ssize_t)sizeof question)
		len = recv(diag, &answer, sizeof answer, MSG_DONTWAIT);
	close(diag);
	if (len < (ssize_t)NLMSG_LENGTH(sizeof *told) ||
	    answer.header.nlmsg_type != SOCK_DIAG_BY_FAMILY)
		return false;
	told = NLMSG_DATA(&answer.header);
	return told->idiag_rqueue > 0;
}

bool
unread_is_any(int fd)
{
	int on_the_way = 0;

	if (ioctl(fd, SIOCOUTQ, &on_the_way) == 0 && on_the_way > 0)
		return true;
	return is_any_there(fd);
}
