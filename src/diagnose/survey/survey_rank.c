#include "survey_private.h"

#include "dest.h"
#include "shell.h"

/* ---- what a way is worth ---- */

static bool
is_trusted(const struct survey_way *way)
{
	return way->trust == TRUST_KNOWN || way->trust == TRUST_PINNED ||
	       way->trust == TRUST_ELSEWHERE;
}

enum way_state
way_state(const struct survey_way *way)
{
	switch (way->fact) {
	case WAY_SSH:
		return is_trusted(way) || way->trust == TRUST_UNKNOWN
			   ? WAY_IS_WAY
			   : WAY_IS_FAULT;
	case WAY_TLS:
		return way->tls == TLS_NOT_PINNED ? WAY_IS_FAULT : WAY_IS_OPEN;
	case WAY_HTTP:
		return way->page == HTTP_SIGN_IN ? WAY_IS_FAULT : WAY_IS_OPEN;
	case WAY_SSH_STALLS:
	case WAY_SSH_BREAKS:
	case WAY_SSH_1:
	case WAY_TOO_MANY:
	case WAY_LOCKED_OUT:
		return WAY_IS_FAULT;
	case WAY_MQTT:
	case WAY_OTHER:
		return WAY_IS_OPEN;
	default:
		return WAY_IS_SHUT;
	}
}

uint64_t
way_least(const struct way_times *times)
{
	uint64_t least = times->count > 0 ? times->ms[0] : 0;

	for (unsigned i = 1; i < times->count; i++)
		if (times->ms[i] < least)
			least = times->ms[i];
	return least;
}

uint64_t
way_median(const struct way_times *times)
{
	/* The one that half of the others are not above. */
	for (unsigned i = 0; i < times->count; i++) {
		unsigned below = 0, same = 0;

		for (unsigned k = 0; k < times->count; k++) {
			below += times->ms[k] < times->ms[i];
			same += times->ms[k] == times->ms[i];
		}
		if (below <= times->count / 2 &&
		    below + same > times->count / 2)
			return times->ms[i];
	}
	return 0;
}

/* The smaller the better; what stands first weighs most. */
static uint64_t
cost(const struct survey *survey, const struct survey_way *way)
{
	size_t place = 0;
	uint64_t ms = way_median(&way->connect) + way_median(&way->banner);

	while (place < survey->port_count && survey->ports[place] != way->port)
		place++;
	return (uint64_t)!is_trusted(way) << 62 |
	       (uint64_t)(way->mtu == MTU_STALLS) << 61 |
	       (uint64_t)(way->proxy != NULL) << 60 |
	       (uint64_t)(way->port != survey->own_port) << 59 |
	       (uint64_t)place << 32 | (ms < UINT32_MAX ? ms : UINT32_MAX);
}

struct survey_way *
survey_best(struct survey *survey)
{
	struct survey_way *best = NULL;

	for (size_t i = 0; i < survey->way_count; i++) {
		struct survey_way *way = &survey->ways[i];

		if (way_state(way) == WAY_IS_WAY &&
		    (best == NULL || cost(survey, way) < cost(survey, best)))
			best = way;
	}
	return best;
}

/* Connected to, and not the server. */
static bool
misleads(const struct survey_way *way)
{
	return way->fact >= WAY_SSH_STALLS && way->fact <= WAY_CUT;
}

bool
survey_needs_address(const struct survey *survey, const struct survey_way *best)
{
	if (best->proxy != NULL)
		return false;
	for (size_t i = 0; i < survey->way_count; i++) {
		const struct survey_way *way = &survey->ways[i];

		if (way->proxy != NULL || way->port != best->port)
			continue;
		if (misleads(way) ||
		    (way->fact == WAY_SSH &&
			(way_state(way) != WAY_IS_WAY ||
			    strcmp(way->fingerprint, best->fingerprint) != 0)))
			return true;
	}
	return false;
}

/* ---- the command ---- */

/* A word as a shell takes it. */
static void
put_word(struct buf *out, const char *word)
{
	buf_append_str(out, " ");
	shell_quote(out, word);
}

static void
put_option(struct buf *out, const char *letter, const char *value)
{
	if (value == NULL)
		return;
	buf_append_str(out, " ");
	buf_append_str(out, letter);
	put_word(out, value);
}

/* What the user said, and would have to say again, to ssh too. */
static void
put_given(struct buf *out, const struct link_options *given)
{
	put_option(out, "-F", given->ssh_config);
	put_option(out, "-l", given->user);
	for (size_t i = 0; i < given->key_count; i++)
		put_option(out, "-i", given->keys[i]);
	for (size_t i = 0; i < given->word_count; i++)
		put_option(out, "-o", given->words[i]);
}

/* What only the name stands for. */
static void
put_known(struct buf *out, const struct survey *survey)
{
	const struct link_options *given = &survey->options->link;

	if (given->user == NULL && strchr(given->dest, '@') == NULL &&
	    survey->user[0] != '\0')
		put_option(out, "-l", survey->user);
	if (given->key_count == 0 && survey->key_file[0] != '\0')
		put_option(out, "-i", survey->key_file);
}

/* A proxy with credentials stays where they are: in the environment. */
static void
put_proxy(struct buf *out, const struct survey_proxy *proxy)
{
	char text[2 * PROXY_WORD_MAX];

	if (proxy->basic[0] != '\0')
		snprintf(text, sizeof text,
		    "ProxyCommand=kaya survey --relay %%h %%p");
	else
		snprintf(text, sizeof text,
		    "ProxyCommand=kaya survey --proxy http://%s --relay %%h "
		    "%%p",
		    proxy->name);
	put_option(out, "-o", text);
}

/* Before other words for it: the first one counts. */
static void
put_keepalive(struct buf *out, const struct survey *survey)
{
	char text[48];

	snprintf(text, sizeof text, "ServerAliveInterval=%llu",
	    (unsigned long long)survey->idle_keepalive_s);
	put_option(out, "-o", text);
}

bool
survey_forgets_early(const struct survey *survey)
{
	return survey->idle_died_ms > 0 &&
	       survey->idle_died_ms <= 1000 * (uint64_t)survey->own_keepalive_s;
}

/* How ssh gets there: by these, whoever is asked for a tunnel. */
static void
put_way(struct buf *out, const struct survey *survey,
    const struct survey_way *best, bool by_address)
{
	put_given(out, &survey->options->link);
	if (by_address)
		put_known(out, survey);
	if (best->proxy != NULL)
		put_proxy(out, best->proxy);
	else if (survey->is_proxied)
		put_option(out, "-o", "ProxyCommand=none");
}

/* The name that was given, with the address in the host's place. */
static void
put_address(
    struct buf *out, const struct survey *survey, const struct survey_way *best)
{
	const char *dest = survey->options->link.dest;
	const char *at = strrchr(dest, '@');
	char text[600];

	snprintf(text, sizeof text,
	    strchr(best->address, ':') != NULL ? "%.*s[%s]" : "%.*s%s",
	    at != NULL ? (int)(at + 1 - dest) : 0, dest, best->address);
	put_word(out, text);
}

void
survey_command(const struct survey *survey, const struct survey_way *best,
    struct buf *command)
{
	bool by_address = survey_needs_address(survey, best);
	char port[8];

	snprintf(port, sizeof port, "%u", best->port);
	buf_append_str(command, "kaya tunnel");
	if (survey_forgets_early(survey))
		put_keepalive(command, survey);
	put_option(command, "--state", survey->options->link.state_dir);
	put_way(command, survey, best, by_address);
	if (best->port != survey->own_port || by_address ||
	    survey->options->link.port != 0)
		put_option(command, "-p", port);
	if (best->trust != TRUST_KNOWN || by_address)
		put_option(command, "--host-key", best->fingerprint);
	if (by_address)
		put_address(command, survey, best);
	else
		put_word(command, survey->options->link.dest);
}

/* ssh tries one address after the other, and waits long for each. */
static void
put_family(
    struct buf *out, const struct survey *survey, const struct survey_way *best)
{
	for (size_t i = 0; best->proxy == NULL && i < survey->way_count; i++) {
		const struct survey_way *way = &survey->ways[i];

		if (way->proxy == NULL && way->port == best->port &&
		    way->name.ss_family != best->name.ss_family &&
		    way_state(way) != WAY_IS_WAY) {
			buf_append_str(out,
			    best->name.ss_family == AF_INET6 ? " -6" : " -4");
			return;
		}
	}
}

void
survey_ssh_command(const struct survey *survey, const struct survey_way *best,
    struct buf *command)
{
	const char *dest = survey->options->link.dest;
	struct err ignored = ERR_INIT;
	struct dest host = {0};
	char port[8];

	snprintf(port, sizeof port, "%u", best->port);
	buf_append_str(command, "ssh -N -L 22883:127.0.0.1:1883");
	put_keepalive(command, survey);
	put_family(command, survey, best);
	put_way(command, survey, best, false);
	if (survey->options->link.key_count == 0 && survey->key_file[0] != '\0')
		put_option(command, "-i", survey->key_file);
	put_option(command, "-p", port);
	/* Our own forms of a destination are more than ssh's. */
	if (dest_parse(&host, dest, &ignored) == 0) {
		if (survey->options->link.user == NULL && host.user[0] != '\0')
			put_option(command, "-l", host.user);
		dest = host.host;
	}
	put_word(
	    command, survey_needs_address(survey, best) ? best->address : dest);
}

/* ---- and why ---- */

static void
put_trust(struct buf *why, const struct survey_way *best)
{
	char text[160];

	switch (best->trust) {
	case TRUST_ELSEWHERE:
		snprintf(text, sizeof text,
		    "with the host key that is known for port %u",
		    best->known_port);
		break;
	case TRUST_PINNED:
		snprintf(text, sizeof text, "with the host key demanded");
		break;
	case TRUST_UNKNOWN:
		snprintf(text, sizeof text,
		    "with a host key that is not known here yet: compare %s "
		    "with the server's own first",
		    best->fingerprint);
		break;
	default:
		snprintf(text, sizeof text, "with the known host key");
		break;
	}
	buf_append_str(why, text);
}

/* Why it is not the one that would have been taken without asking. */
static void
put_others(
    struct buf *why, const struct survey *survey, const struct survey_way *best)
{
	char text[512], where[2 * PROXY_WORD_MAX];

	for (size_t i = 0; i < survey->way_count; i++) {
		const struct survey_way *way = &survey->ways[i];

		if (way == best || way_state(way) == WAY_IS_WAY ||
		    way->port != survey->own_port || way->proxy != NULL)
			continue;
		way_tell(way, text, sizeof text);
		snprintf(where, sizeof where, "; port %u of %s: ", way->port,
		    way->address);
		buf_append_str(why, where);
		buf_append_str(why, text);
	}
}

void
survey_why(
    const struct survey *survey, const struct survey_way *best, struct buf *why)
{
	char text[PROXY_WORD_MAX + 128];

	snprintf(text, sizeof text, "port %u is SSH ", best->port);
	buf_append_str(why, text);
	put_trust(why, best);
	snprintf(text, sizeof text, ", %llu ms away",
	    (unsigned long long)way_median(&best->connect));
	buf_append_str(why, text);
	if (best->proxy != NULL) {
		snprintf(text, sizeof text, ", through the proxy %s%s",
		    best->proxy->name,
		    best->proxy->basic[0] != '\0'
			? " (its credentials stay in the environment)"
			: "");
		buf_append_str(why, text);
	}
	if (survey_needs_address(survey, best))
		buf_append_str(why, "; by its address, because another "
				    "address of that name leads elsewhere");
	put_others(why, survey, best);
}
