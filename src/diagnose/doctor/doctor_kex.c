#include "doctor_private.h"

#include "clock.h"
#include "greeting.h"
#include "kexinit.h"
#include "shell.h"
#include "str.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char identification[] = "SSH-2.0-kaya_doctor\r\n";

enum kex_fact {
	KEX_MEETS,
	KEX_SERVER_LACKS, /* we could be told to offer one of the server's */
	KEX_CLIENT_LACKS, /* we know none of the server's */
	KEX_MALFORMED,
	KEX_CLOSED,
	KEX_SILENT,
	KEX_HANDSHAKE
};

static const struct check_row rows[] = {
    {KEX_MEETS, FINDING_OK, ERR_NONE, NULL, "{theirs}", NULL, NULL},
    {KEX_SERVER_LACKS, FINDING_FAULT, ERR_PROTOCOL, "algorithm-not-offered",
	"no common {list}: the server has {theirs}",
	"kaya offers {ours}; the server offers only {theirs}, which is old "
	"and not offered unless asked for",
	"kaya tunnel -o {option}={one} {tunnel}, until the server is renewed"},
    {KEX_CLIENT_LACKS, FINDING_FAULT, ERR_PROTOCOL, "algorithm-unknown",
	"no common {list}: the server has {theirs}",
	"the server offers only {theirs}, of which kaya knows none",
	"at the server: echo '{option} +{ours_first}' > "
	"/etc/ssh/sshd_config.d/kaya.conf && systemctl reload ssh"},
    {KEX_MALFORMED, FINDING_FAULT, ERR_PROTOCOL, "not-ssh-behind",
	"no SSH packet behind the banner",
	"what stands behind the banner is not SSH: something on the way "
	"changes what is sent",
	"find a way out that leaves it alone: kaya survey {host}"},
    {KEX_CLOSED, FINDING_FAULT, ERR_UNREACHABLE, "kex-closed",
	"closed after the banners",
	"the server, or a firewall that knows SSH, closes the connection "
	"after the banners",
	"the server's log tells if it was the server: journalctl -u ssh -n "
	"20; if not, another way out: kaya survey {host}"},
    {KEX_SILENT, FINDING_FAULT, ERR_TIMEOUT, "kex-silent",
	"a banner, and nothing behind it within 10 s",
	"the server's short banner gets here and its first large packet does "
	"not: the way takes none of that size, and nobody on it says so",
	"measure it, and take the command that mends it: kaya survey {host}"},
    {KEX_HANDSHAKE, FINDING_FAULT, ERR_PROTOCOL, "handshake", "{why}",
	"the handshake does not come to its end, though both sides have "
	"algorithms in common: {why}",
	"where it waits for our large packets the way may take none: measure "
	"it: kaya survey {host}; see where it stops: ssh -vvv {dest}"},
};

/* ---- the two offers ---- */

struct offer {
	uint8_t bytes[KEXINIT_MAX + GREETING_MAX];
	size_t len;
	bool closed; /* by the other side, before it was whole */
	struct kexinit kexinit;
};

/* Behind the identification line, which is there. */
static struct span
behind_line(struct span bytes, struct span line)
{
	const uint8_t *end = line.data + line.len;
	const uint8_t *last = bytes.data + bytes.len;
	const uint8_t *lf = memchr(end, '\n', (size_t)(last - end));

	if (lf == NULL)
		return (struct span){0};
	return span_of(lf + 1, (size_t)(last - lf) - 1);
}

/* Read from `fd` until there is a KEXINIT; `turn` moves the other side. */
static enum kexinit_result
read_offer(int fd, struct offer *offer, ssh_session turn)
{
	uint64_t give_up = clock_monotonic_ms() + DOCTOR_ANSWER_MS;
	enum kexinit_result result = KEXINIT_NEED_MORE;
	struct span line, all;

	while (result == KEXINIT_NEED_MORE &&
	       offer->len < sizeof offer->bytes &&
	       clock_monotonic_ms() < give_up) {
		struct pollfd slot = {.fd = fd, .events = POLLIN};
		ssize_t got;

		if (turn != NULL)
			(void)ssh_connect(turn);
		if (poll(&slot, 1, turn != NULL ? 20 : 1000) <= 0)
			continue;
		got = recv(fd, offer->bytes + offer->len,
		    sizeof offer->bytes - offer->len, 0);
		offer->closed = got <= 0;
		if (offer->closed)
			break;
		offer->len += (size_t)got;
		all = span_of(offer->bytes, offer->len);
		if (greeting_read(all, GREETING_MAY_GO_ON, &line) ==
		    GREETING_SSH)
			result = kexinit_read(
			    behind_line(all, line), &offer->kexinit);
	}
	return result;
}

static enum kexinit_result
read_theirs(struct doctor *doctor, struct offer *offer)
{
	enum kexinit_result result = KEXINIT_NEED_MORE;
	int fd = doctor_connect_ssh(doctor);

	offer->closed = fd < 0;
	if (fd < 0)
		return result;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	if (send(fd, identification, strlen(identification), MSG_NOSIGNAL) > 0)
		result = read_offer(fd, offer, NULL);
	close(fd);
	return result;
}

/* What this very configuration makes libssh offer: it is asked. */
static enum kexinit_result
read_ours(struct doctor *doctor, struct offer *offer, struct err *err)
{
	struct link_options options = doctor->options->link;
	enum kexinit_result result = KEXINIT_NEED_MORE;
	struct link *link = link_prepare(&options, err);
	int ends[2];

	if (link == NULL)
		return result;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
		link_free(link);
		return result;
	}
	link_give(link, ends[0]);
	ssh_set_blocking(link->session, 0);
	if (send(ends[1], identification, strlen(identification),
		MSG_NOSIGNAL) > 0)
		result = read_offer(ends[1], offer, link->session);
	close(ends[1]);
	link_free(link);
	return result;
}

/* ---- what they come to ---- */

static const struct {
	enum kexinit_list list;
	enum ssh_options_e option;
} settable[] = {
    {KEXINIT_KEX, SSH_OPTIONS_KEY_EXCHANGE},
    {KEXINIT_HOST_KEY, SSH_OPTIONS_HOSTKEYS},
    {KEXINIT_CIPHER_OUT, SSH_OPTIONS_CIPHERS_C_S},
    {KEXINIT_CIPHER_IN, SSH_OPTIONS_CIPHERS_S_C},
    {KEXINIT_MAC_OUT, SSH_OPTIONS_HMAC_C_S},
    {KEXINIT_MAC_IN, SSH_OPTIONS_HMAC_S_C},
};

/*
 * Whether libssh knows `name`, were it asked for.  Behind a +, - or ^ it takes
 * anything (since 0.11): that changes its own list, and names nothing.
 */
static bool
is_known(enum kexinit_list list, const char *name)
{
	ssh_session session;
	bool known = false;

	if (strchr("+-^", name[0]) != NULL)
		return false;
	session = ssh_new();

	for (size_t i = 0; i < sizeof settable / sizeof settable[0]; i++)
		if (settable[i].list == list && session != NULL)
			known = ssh_options_set(
				    session, settable[i].option, name) == 0;
	ssh_free(session);
	return known;
}

struct gap_words {
	char ours[400], theirs[400], one[80], first[80];
};

/* With blanks, and without what is no algorithm. */
static void
put_names(struct span list, char *text, size_t size)
{
	struct span name;
	size_t used = 0;
	char one[80];

	text[0] = '\0';
	while (kexinit_next(&list, &name))
		if (name.len > 0 && !kexinit_is_pseudo(name) && used < size)
			used += (size_t)snprintf(text + used, size - used,
			    "%s%s", used > 0 ? ", " : "",
			    str_escape(name, one, sizeof one));
}

static enum kex_fact
explain_gap(enum kexinit_list list, const struct kexinit *ours,
    const struct kexinit *theirs, struct gap_words *words)
{
	struct span rest = theirs->lists[list], name;
	struct span all = ours->lists[list];

	put_names(ours->lists[list], words->ours, sizeof words->ours);
	put_names(theirs->lists[list], words->theirs, sizeof words->theirs);
	if (kexinit_next(&all, &name))
		str_escape(name, words->first, sizeof words->first);
	while (kexinit_next(&rest, &name)) {
		str_escape(name, words->one, sizeof words->one);
		if (!kexinit_is_pseudo(name) && is_known(list, words->one))
			return KEX_SERVER_LACKS;
	}
	return KEX_CLIENT_LACKS;
}

static void
tell(const struct doctor *doctor, struct findings *findings, enum kex_fact fact,
    enum kexinit_list list, const struct gap_words *gap, const char *why)
{
	const bool has_list = list < KEXINIT_LISTS;
	char one[4 * sizeof gap->one + 2];
	const struct check_word words[] = {
	    {"list", has_list ? kexinit_list_name(list) : ""},
	    {"option", has_list ? kexinit_list_option(list) : ""},
	    {"ours", gap->ours},
	    {"theirs", gap->theirs},
	    {"one", shell_quoted(gap->one, one, sizeof one)},
	    {"ours_first", gap->first},
	    {"dest", doctor->words},
	    {"tunnel", doctor->tunnel},
	    {"again", doctor->again},
	    {"host", doctor->host},
	    {"why", why},
	    {0},
	};

	doctor_tell(findings, "kex", DOCTOR_ROWS(rows), (int)fact, words);
}

/* The two offers, before libssh is let near: false where it is told. */
static bool
offers_meet(struct doctor *doctor, struct findings *findings)
{
	struct offer *offers = calloc(2, sizeof *offers);
	struct gap_words words = {0};
	struct err err = ERR_INIT;
	enum kexinit_list list = KEXINIT_LISTS;
	enum kexinit_result result;
	enum kex_fact fact = KEX_MEETS;

	if (offers == NULL)
		return true;
	result = read_theirs(doctor, &offers[0]);
	if (result == KEXINIT_NEED_MORE)
		fact = offers[0].closed ? KEX_CLOSED : KEX_SILENT;
	else if (result == KEXINIT_MALFORMED)
		fact = KEX_MALFORMED;
	else if (read_ours(doctor, &offers[1], &err) == KEXINIT_READY)
		list = kexinit_gap(&offers[1].kexinit, &offers[0].kexinit);
	if (list < KEXINIT_LISTS)
		fact = explain_gap(
		    list, &offers[1].kexinit, &offers[0].kexinit, &words);
	free(offers);
	if (doctor_tell_shut_out(doctor, findings, "kex"))
		return false;
	if (fact != KEX_MEETS)
		tell(doctor, findings, fact, list, &words, NULL);
	return fact == KEX_MEETS;
}

enum check_next
doctor_kex(void *arg, struct findings *findings)
{
	struct gap_words words = {0};
	struct doctor *doctor = arg;
	char why[200];

	if (!doctor->proxied && !offers_meet(doctor, findings))
		return CHECK_STOP;
	if (!doctor->proxied) {
		int fd = doctor_connect_ssh(doctor);

		if (doctor_tell_shut_out(doctor, findings, "kex"))
			return CHECK_STOP;
		link_give(doctor->link, fd);
	}
	if (ssh_connect(doctor->link->session) != SSH_OK) {
		str_escape(span_of_str(ssh_get_error(doctor->link->session)),
		    why, sizeof why);
		tell(doctor, findings, KEX_HANDSHAKE, KEXINIT_LISTS, &words,
		    why);
		return CHECK_STOP;
	}
	snprintf(words.theirs, sizeof words.theirs, "%s, %s",
	    ssh_get_kex_algo(doctor->link->session),
	    ssh_get_cipher_out(doctor->link->session));
	tell(doctor, findings, KEX_MEETS, KEXINIT_LISTS, &words, NULL);
	return CHECK_GO_ON;
}
