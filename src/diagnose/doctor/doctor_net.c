#include "doctor_private.h"

#include "clock.h"
#include "firewall_own.h"

#include <errno.h>
#include <linux/errqueue.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

/* ---- dns ---- */

enum dns_fact { DNS_FOUND, DNS_PROXIED, DNS_NO_SUCH_NAME, DNS_NO_ANSWER };

static const struct check_row dns_rows[] = {
    {DNS_FOUND, FINDING_OK, ERR_NONE, NULL, "{host} is {addresses}", NULL,
	NULL},
    {DNS_PROXIED, FINDING_NOT_KNOWN, ERR_NONE, "proxied",
	"{host}: its proxy looks it up", NULL, NULL},
    {DNS_NO_SUCH_NAME, FINDING_FAULT, ERR_UNREACHABLE, "no-such-name",
	"{host}: {why}",
	"there is no host {host}: it is misspelt, or an alias that stands in "
	"another ssh_config",
	"check how it is written: getent ahosts {host}; an alias of another "
	"file: kaya doctor -F FILE {by_file}"},
    {DNS_NO_ANSWER, FINDING_FAULT, ERR_UNREACHABLE, "dns-silent",
	"{host}: {why}",
	"this machine's DNS does not answer, or answers that it cannot find "
	"out, so no name is known here",
	"ask another server: " CHECK_OTHER_RESOLVER "; until one answers, name "
	"the address: kaya doctor -o HostName=ADDRESS {again}"},
};

static enum dns_fact
dns_fact_of(int result)
{
	switch (result) {
	case 0:
		return DNS_FOUND;
	case EAI_NONAME:
	case EAI_NODATA:
		return DNS_NO_SUCH_NAME;
	default:
		return DNS_NO_ANSWER;
	}
}

static void
keep_addresses(struct doctor *doctor, const struct addrinfo *found, char *text,
    size_t size)
{
	text[0] = '\0';
	for (; found != NULL && doctor->address_count < DOCTOR_ADDRESSES_MAX;
	     found = found->ai_next) {
		struct doctor_address *address =
		    &doctor->addresses[doctor->address_count++];
		char digits[INET6_ADDRSTRLEN + 16] = "?";
		size_t used = strlen(text);

		memcpy(&address->name, found->ai_addr, found->ai_addrlen);
		address->len = found->ai_addrlen;
		getnameinfo(found->ai_addr, found->ai_addrlen, digits,
		    sizeof digits, NULL, 0, NI_NUMERICHOST);
		snprintf(address->text, sizeof address->text, "%s port %s",
		    digits, doctor->port);
		snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
		    digits);
	}
}

enum check_next
doctor_dns(void *arg, struct findings *findings)
{
	const struct addrinfo hints = {
	    .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
	struct doctor *doctor = arg;
	struct addrinfo *found = NULL;
	char addresses[512] = "", by_file[2 * DOCTOR_COMMAND];
	int result = 0;
	enum dns_fact fact = DNS_PROXIED;

	if (!doctor->proxied) {
		result =
		    getaddrinfo(doctor->host, doctor->port, &hints, &found);
		fact = dns_fact_of(result);
	}
	if (found != NULL) {
		keep_addresses(doctor, found, addresses, sizeof addresses);
		freeaddrinfo(found);
	}
	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "-F", by_file, sizeof by_file);
	const struct check_word words[] = {
	    {"host", doctor->host},
	    {"by_file", by_file},
	    {"dest", doctor->words},
	    {"again", doctor->again},
	    {"addresses", addresses},
	    {"why", gai_strerror(result)},
	    {0},
	};
	doctor_tell(findings, "dns", DOCTOR_ROWS(dns_rows), (int)fact, words);
	return result == 0 ? CHECK_GO_ON : CHECK_STOP;
}

/* ---- tcp ---- */

enum tcp_fact {
	TCP_OPEN,
	TCP_PROXIED,
	TCP_REFUSED, /* by a reset of its own: nothing listens */
	TCP_REJECTED, /* by ICMP: a firewall, which says so */
	TCP_SILENT,
	TCP_RESET,
	TCP_UNREACHABLE, /* by ICMP, or because nobody answers to ARP */
	TCP_NO_ROUTE, /* this machine has no way there at all */
	TCP_NO_INTERFACE, /* it could be behind any: an address of a link */
	TCP_FORBIDDEN, /* this machine's own firewall */
	TCP_DROPPED /* the same, and it is known by which rule */
};

#define OPEN_IT                                                                \
	"at the server, let it in: nft insert rule inet filter input tcp "     \
	"dport {port} accept (or: ufw allow {port}/tcp); another way out of "  \
	"this network: kaya survey {host}"

static const struct check_row tcp_rows[] = {
    {TCP_OPEN, FINDING_OK, ERR_NONE, NULL, "{address}: open, {ms} ms", NULL,
	NULL},
    {TCP_PROXIED, FINDING_NOT_KNOWN, ERR_NONE, "proxied", "through {proxy}",
	NULL, NULL},
    {TCP_REFUSED, FINDING_FAULT, ERR_UNREACHABLE, "port-closed",
	"{address}: refused by the host itself",
	"the host is there, but nothing listens on {address}",
	"at the server: systemctl start ssh; if it listens on another port "
	"(ss -ltn), name that: kaya doctor -p PORT {at_port}"},
    {TCP_REJECTED, FINDING_FAULT, ERR_UNREACHABLE, "rejected",
	"{address}: rejected by {by} ({why})",
	"a firewall at {by} rejects connections to {address}", OPEN_IT},
    {TCP_SILENT, FINDING_FAULT, ERR_TIMEOUT, "filtered",
	"{address}: no answer within {limit} s",
	"a firewall, here or on the way, drops what is sent to {address}, or "
	"no such host is there",
	OPEN_IT},
    {TCP_RESET, FINDING_FAULT, ERR_UNREACHABLE, "reset",
	"{address}: the connection was reset",
	"something on the way to {address} resets connections", OPEN_IT},
    {TCP_UNREACHABLE, FINDING_FAULT, ERR_UNREACHABLE, "unreachable",
	"{address}: unreachable, says {by} ({why})",
	"{by} knows no way to {address}: {why}",
	"see where the way ends: tracepath -n {digits}; there, if the host is "
	"up: ip route replace {digits} via GATEWAY"},
    {TCP_NO_ROUTE, FINDING_FAULT, ERR_UNREACHABLE, "no-route",
	"{address}: this machine has no route there ({why})",
	"this machine has no route to {address}",
	"see what is there: ip route get {digits}; give it one: ip route add "
	"{digits} via GATEWAY"},
    {TCP_NO_INTERFACE, FINDING_FAULT, ERR_UNREACHABLE, "no-interface",
	"{address}: {why}",
	"{digits} is an address of one link, and it is not said of which: "
	"behind each interface there may be another such host",
	"name the interface (ip -br link lists them): kaya doctor "
	"{at_interface}"},
    {TCP_FORBIDDEN, FINDING_FAULT, ERR_UNREACHABLE, "own-firewall",
	"{address}: forbidden on this machine ({why})",
	"this machine's own firewall forbids connections to {address}",
	"let it out: nft insert rule inet filter output tcp dport {port} "
	"accept"},
    {TCP_DROPPED, FINDING_FAULT, ERR_UNREACHABLE, "own-firewall",
	"{address}: stopped on this machine ({why})",
	"this machine's own firewall forbids connections to {address}: {rule}",
	"let it out: {mend}"},
};

struct attempt {
	int fd; /* -1: none */
	bool is_pending;
	enum tcp_fact fact;
	int error;
	char by[80]; /* who said so by ICMP, "" where nobody did */
	enum icmp_said { ICMP_NOTHING, ICMP_NO_WAY, ICMP_PROHIBITED } said;
	uint64_t took_ms;
};

/* RFC 792, RFC 1812 section 5.2.7.1, RFC 4443 section 3.1. */
static enum icmp_said
read_icmp(const struct sock_extended_err *e)
{
	static const struct {
		uint8_t origin, type, code;
	} prohibited[] = {
	    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH},
	    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_NET_ANO},
	    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_HOST_ANO},
	    {SO_EE_ORIGIN_ICMP, ICMP_DEST_UNREACH, ICMP_PKT_FILTERED},
	    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_ADMIN},
	    {SO_EE_ORIGIN_ICMP6, ICMP6_DST_UNREACH, ICMP6_DST_UNREACH_NOPORT},
	};

	for (size_t i = 0; i < sizeof prohibited / sizeof prohibited[0]; i++)
		if (e->ee_origin == prohibited[i].origin &&
		    e->ee_type == prohibited[i].type &&
		    e->ee_code == prohibited[i].code)
			return ICMP_PROHIBITED;
	return ICMP_NO_WAY;
}

/* Who sent the ICMP message that ended this connection. */
static void
read_sender(struct attempt *attempt)
{
	char control[512];
	struct msghdr message = {
	    .msg_control = control, .msg_controllen = sizeof control};

	if (recvmsg(attempt->fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL;
	     c = CMSG_NXTHDR(&message, c)) {
		const struct sock_extended_err *e = (const void *)CMSG_DATA(c);
		const struct sockaddr *offender;

		if (c->cmsg_type != IP_RECVERR && c->cmsg_type != IPV6_RECVERR)
			continue;
		offender = SO_EE_OFFENDER(e);
		if (e->ee_origin != SO_EE_ORIGIN_ICMP &&
		    e->ee_origin != SO_EE_ORIGIN_ICMP6)
			continue;
		if (getnameinfo(offender,
			offender->sa_family == AF_INET6
			    ? sizeof(struct sockaddr_in6)
			    : sizeof(struct sockaddr_in),
			attempt->by, sizeof attempt->by, NULL, 0,
			NI_NUMERICHOST) != 0)
			attempt->by[0] = '\0';
		attempt->said = read_icmp(e);
	}
}

static enum tcp_fact
tcp_fact_of(int error)
{
	switch (error) {
	case 0:
		return TCP_OPEN;
	case ECONNREFUSED:
		return TCP_REFUSED;
	case ECONNRESET:
		return TCP_RESET;
	case ETIMEDOUT:
		return TCP_SILENT;
	case EACCES:
	case EPERM:
		return TCP_FORBIDDEN;
	case EHOSTUNREACH:
		return TCP_UNREACHABLE;
	case EINVAL:
		return TCP_NO_INTERFACE;
	default:
		return TCP_NO_ROUTE;
	}
}

/* What an ICMP message means, by who sent it. */
static enum tcp_fact
icmp_fact_of(const struct attempt *attempt, const char *own)
{
	if (attempt->said == ICMP_NO_WAY)
		return TCP_UNREACHABLE;
	return strcmp(attempt->by, own) == 0 ? TCP_FORBIDDEN : TCP_REJECTED;
}

static void
read_own_address(int fd, char *text, size_t size)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof own;

	if (getsockname(fd, (struct sockaddr *)&own, &len) != 0 ||
	    getnameinfo((struct sockaddr *)&own, len, text, (socklen_t)size,
		NULL, 0, NI_NUMERICHOST) != 0)
		text[0] = '\0';
}

static void
end_attempt(struct attempt *attempt, int error, uint64_t started)
{
	char own[80];

	read_sender(attempt);
	read_own_address(attempt->fd, own, sizeof own);
	attempt->error = error;
	attempt->fact = tcp_fact_of(error);
	if (error != 0 && attempt->said != ICMP_NOTHING)
		attempt->fact = icmp_fact_of(attempt, own);
	attempt->took_ms = clock_monotonic_ms() - started;
	attempt->is_pending = false;
}

static int
start_connect(const struct doctor_address *address)
{
	const int on = 1;
	int fd = socket(address->name.ss_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_IP, IP_RECVERR, &on, sizeof on);
	setsockopt(fd, SOL_IPV6, IPV6_RECVERR, &on, sizeof on);
	if (connect(fd, (const struct sockaddr *)&address->name,
		address->len) == 0 ||
	    errno == EINPROGRESS)
		return fd;
	close(fd);
	return -1;
}

/* All addresses at once; each attempt ends with a fact. */
static void
try_all(const struct doctor *doctor, struct attempt *attempts)
{
	uint64_t started = clock_monotonic_ms(), now = started;
	struct pollfd fds[DOCTOR_ADDRESSES_MAX];
	size_t pending = 0;

	for (size_t i = 0; i < doctor->address_count; i++) {
		attempts[i].fd = start_connect(&doctor->addresses[i]);
		if (attempts[i].fd < 0) {
			attempts[i].error = errno;
			attempts[i].fact = tcp_fact_of(errno);
		}
		attempts[i].is_pending = attempts[i].fd >= 0;
		pending += attempts[i].is_pending;
	}
	while (pending > 0 && now - started < DOCTOR_TCP_MS) {
		for (size_t i = 0; i < doctor->address_count; i++)
			fds[i] = (struct pollfd){.events = POLLOUT,
			    .fd = attempts[i].is_pending ? attempts[i].fd : -1};
		poll(fds, doctor->address_count,
		    (int)(DOCTOR_TCP_MS - (now - started)));
		for (size_t i = 0; i < doctor->address_count; i++) {
			socklen_t len = sizeof(int);
			int error = 0;

			if (fds[i].fd < 0 || fds[i].revents == 0)
				continue;
			getsockopt(
			    fds[i].fd, SOL_SOCKET, SO_ERROR, &error, &len);
			end_attempt(&attempts[i], error, started);
			pending--;
		}
		now = clock_monotonic_ms();
	}
	for (size_t i = 0; i < doctor->address_count; i++)
		if (attempts[i].is_pending)
			end_attempt(&attempts[i], ETIMEDOUT, started);
}

/* The first that answered is the one; its connection goes on. */
static void
choose(struct doctor *doctor, struct attempt *attempts)
{
	for (size_t i = 0; i < doctor->address_count; i++) {
		doctor->addresses[i].open = attempts[i].fact == TCP_OPEN;
		if (doctor->addresses[i].open && doctor->open == NULL) {
			doctor->open = &doctor->addresses[i];
			read_own_address(attempts[i].fd, doctor->client,
			    sizeof doctor->client);
			doctor_keep(doctor, attempts[i].fd);
		} else if (attempts[i].fd >= 0) {
			close(attempts[i].fd);
		}
	}
}

/*
 * Where another address answers, one that does not is no fault: kaya takes the
 * other one at once, ssh waits.
 */
static void
spare(const struct doctor *doctor, const struct attempt *attempt,
    const struct doctor_address *address, struct finding *finding)
{
	size_t used = strlen(finding->remedy);
	int open = doctor->open->name.ss_family;

	if (attempt->fact == TCP_NO_ROUTE) {
		finding->state = FINDING_NOT_KNOWN;
		return;
	}
	finding->state = FINDING_WARNING;
	if (open != address->name.ss_family)
		snprintf(finding->remedy + used, sizeof finding->remedy - used,
		    "; kaya takes the other address meanwhile, ssh by: ssh -o "
		    "AddressFamily=%s",
		    open == AF_INET ? "inet" : "inet6");
}

/* By its own rules, where they can be read: what drops says nothing. */
static enum tcp_fact
ask_own_rules(enum tcp_fact fact, const struct doctor_address *address,
    struct firewall_own *own)
{
	return (fact == TCP_SILENT || fact == TCP_FORBIDDEN) &&
		       firewall_own_find(
			   (const struct sockaddr *)&address->name, own)
		   ? TCP_DROPPED
		   : fact;
}

static void
tell_attempt(const struct doctor *doctor, const struct attempt *attempt,
    const struct doctor_address *address, struct findings *findings)
{
	char ms[24], digits[80], at_port[2 * DOCTOR_COMMAND];
	char at_interface[2 * DOCTOR_COMMAND];
	struct firewall_own own = {0};
	const enum tcp_fact fact = ask_own_rules(attempt->fact, address, &own);
	const struct check_word words[] = {
	    {"rule", own.rule},
	    {"mend", own.mend},
	    {"at_port", at_port},
	    {"at_interface", at_interface},
	    {"address", address->text},
	    {"digits", digits},
	    {"host", doctor->host},
	    {"port", doctor->port},
	    {"by", attempt->by[0] != '\0' ? attempt->by : "this machine"},
	    {"why", strerror(attempt->error)},
	    {"limit", "5"},
	    {"ms", ms},
	    {0},
	};
	struct finding finding = {.layer = "tcp"};

	doctor_repeat(doctor, DOCTOR_REPEAT_ALL, "-p", at_port, sizeof at_port);
	doctor_repeat(
	    doctor, DOCTOR_REPEAT_ALL, "%", at_interface, sizeof at_interface);
	snprintf(ms, sizeof ms, "%llu", (unsigned long long)attempt->took_ms);
	snprintf(digits, sizeof digits, "%.*s",
	    (int)strcspn(address->text, " "), address->text);
	check_judge(DOCTOR_ROWS(tcp_rows), (int)fact, words, &finding);
	if (finding.state == FINDING_FAULT && doctor->open != NULL)
		spare(doctor, attempt, address, &finding);
	findings_add(findings, &finding);
}

enum check_next
doctor_tcp(void *arg, struct findings *findings)
{
	struct attempt attempts[DOCTOR_ADDRESSES_MAX] = {0};
	struct doctor *doctor = arg;

	if (doctor->proxied) {
		const struct check_word words[] = {
		    {"proxy", "a jump host or ProxyCommand"}, {0}};

		doctor_tell(
		    findings, "tcp", DOCTOR_ROWS(tcp_rows), TCP_PROXIED, words);
		return CHECK_GO_ON;
	}
	try_all(doctor, attempts);
	choose(doctor, attempts);
	for (size_t i = 0; i < doctor->address_count; i++)
		tell_attempt(
		    doctor, &attempts[i], &doctor->addresses[i], findings);
	return doctor->open != NULL ? CHECK_GO_ON : CHECK_STOP;
}

void
doctor_keep(struct doctor *doctor, int fd)
{
	if (doctor->kept >= 0)
		close(doctor->kept);
	doctor->kept = fd;
}

int
doctor_connect(struct doctor *doctor)
{
	struct pollfd slot = {.events = POLLOUT, .fd = doctor->kept};
	socklen_t len = sizeof(int);
	int error = 0;

	if (slot.fd >= 0) {
		doctor->kept = -1;
		return slot.fd;
	}
	slot.fd = start_connect(doctor->open);
	if (slot.fd < 0)
		return -1;
	if (poll(&slot, 1, DOCTOR_TCP_MS) == 1 &&
	    getsockopt(slot.fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 &&
	    error == 0) {
		read_own_address(
		    slot.fd, doctor->client, sizeof doctor->client);
		return slot.fd;
	}
	close(slot.fd);
	return -1;
}
