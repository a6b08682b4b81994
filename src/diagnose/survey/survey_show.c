#include "survey_private.h"

#include "check.h"
#include "json.h"
#include "standard.h"

#include <sys/ioctl.h>

enum { JSON_MAX = 1 << 20, TELL_MAX = 512 };

/* ---- one way in words ---- */

static const struct {
	const char *name, *colour;
} states[] = {
    [WAY_IS_WAY] = {"way", "\033[32m"},
    [WAY_IS_OPEN] = {"open", "\033[33m"},
    [WAY_IS_SHUT] = {"shut", ""},
    [WAY_IS_FAULT] = {"fault", "\033[31m"},
};

const char *
way_state_name(enum way_state state)
{
	return states[state].name;
}

static const struct {
	const char *code, *text;
} facts[WAY_FACTS] = {
    [WAY_RUNNING] = {"running", "..."},
    [WAY_SSH] = {"ssh", "{line}, {trust}{mtu}, {connect} + {banner} ms"},
    [WAY_SSH_STALLS] = {"ssh-stalls", "SSH greets, and the rest stalls"},
    [WAY_SSH_BREAKS] = {"ssh-breaks", "SSH, and then: {line}"},
    [WAY_SSH_1] = {"ssh-1", "SSH 1, which nobody speaks any more: {line}"},
    [WAY_TOO_MANY] = {"max-startups", "SSH, too busy: {line}"},
    [WAY_LOCKED_OUT] = {"locked-out", "SSH, locked out: {line}"},
    [WAY_TLS] = {"tls", "TLS, {certificate} ({tls}), {connect} ms"},
    [WAY_MQTT] = {"mqtt", "an MQTT broker without SSH, {connect} ms"},
    [WAY_HTTP] = {"http", "a web server: {line}{page}, {connect} ms"},
    [WAY_OTHER] = {"other", "another service: {line}"},
    [WAY_SILENT] = {"silent", "connected, and then not a word"},
    [WAY_CLOSED] = {"closed", "connected, and closed without a word"},
    [WAY_CUT] = {"cut", "connected, and reset as soon as SSH was spoken"},
    [WAY_REFUSED] = {"refused", "refused: nothing listens there"},
    [WAY_REJECTED] = {"rejected", "rejected by {by}: {why}"},
    [WAY_FILTERED] = {"filtered", "no answer"},
    [WAY_UNREACHABLE] = {"unreachable", "no way there, says {by}: {why}"},
    [WAY_NO_ROUTE] = {"no-route", "this machine has no route there"},
    [WAY_FORBIDDEN] = {"own-firewall", "forbidden on this machine: {why}"},
    [WAY_FAILED] = {"failed", "{why}"},
    [WAY_PROXY_GONE] = {"proxy-gone", "no connection to the proxy: {why}"},
    [WAY_PROXY_LOGIN] = {"proxy-login", "the proxy wants to know who asks: "
					"{line}"},
    [WAY_PROXY_FORBIDS] = {"proxy-forbids", "the proxy forbids it: {line}"},
    [WAY_PROXY_CANNOT] = {"proxy-cannot", "the proxy does not get there: "
					  "{line}"},
    [WAY_PROXY_NONE] = {"proxy-none", "no HTTP proxy answers: {line}"},
};

static const struct {
	const char *code, *text;
} trusts[] = {
    [TRUST_NOT_SEEN] = {"not-seen", "host key not seen"},
    [TRUST_KNOWN] = {"known", "host key as known"},
    [TRUST_PINNED] = {"pinned", "host key as demanded"},
    [TRUST_ELSEWHERE] = {"known-for-another-port",
	"host key as known for port {known}"},
    [TRUST_UNKNOWN] = {"unknown", "host key not known yet"},
    [TRUST_CHANGED] = {"changed", "host key is NOT the known one"},
    [TRUST_OTHER_TYPE] = {"other-type",
	"host key of another type than the known one"},
    [TRUST_NOT_THE_ONE] = {"not-the-one", "host key is NOT the one demanded"},
    [TRUST_NOT_KNOWABLE] = {"not-knowable", "known_hosts is of no use"},
};

static const struct {
	const char *code, *text;
} tlss[] = {
    [TLS_NOT_SEEN] = {"not-seen", "no certificate"},
    [TLS_VALID] = {"valid", "valid for this host"},
    [TLS_PINNED] = {"pinned", "as pinned"},
    [TLS_NOT_VALID] = {"not-valid", "not valid here: {why}"},
    [TLS_NOT_PINNED] = {"not-pinned", "NOT the one pinned"},
};

static const struct {
	const char *code, *text;
} pages[] = {
    [HTTP_NEED_MORE] = {"none", ""},
    [HTTP_IS_NONE] = {"none", ""},
    [HTTP_PLAIN] = {"plain", ""},
    [HTTP_LEADS_HOME] = {"leads-home", ", leads to {location}"},
    [HTTP_LEADS_AWAY] = {"leads-away", ", leads away to {location}"},
    [HTTP_LOGIN] = {"login", ", which asks for a password"},
    [HTTP_SIGN_IN] = {"sign-in", ": sign in to the network first"},
};

const char *
way_code(const struct survey_way *way)
{
	return facts[way->fact].code;
}

void
way_tell(const struct survey_way *way, char *text, size_t size)
{
	char trust[128], tls[256], page[256], connect[24], banner[24], known[8];
	const struct check_word words[] = {
	    {"line", way->line},
	    {"trust", trust},
	    {"mtu", way->mtu == MTU_STALLS ? ", large packets stall" : ""},
	    {"connect", connect},
	    {"banner", banner},
	    {"known", known},
	    {"certificate", way->certificate},
	    {"tls", tls},
	    {"page", page},
	    {"location", way->location},
	    {"by", way->by[0] != '\0' ? way->by : "this machine"},
	    {"why", way->fact == WAY_TLS ? way->tls_why : strerror(way->error)},
	    {0},
	};

	snprintf(connect, sizeof connect, "%llu",
	    (unsigned long long)way_median(&way->connect));
	snprintf(banner, sizeof banner, "%llu",
	    (unsigned long long)way_median(&way->banner));
	snprintf(known, sizeof known, "%u", way->known_port);
	check_fill(trusts[way->trust].text, words, trust, sizeof trust);
	check_fill(tlss[way->tls].text, words, tls, sizeof tls);
	check_fill(pages[way->page].text, words, page, sizeof page);
	check_fill(facts[way->fact].text, words, text, size);
}

/* ---- the table ---- */

static void
put_line(const struct survey *survey, const struct survey_way *way,
    bool is_done, size_t columns)
{
	bool colours = survey->options->form == SURVEY_AS_TABLE &&
		       standard_has_colours(stdout);
	enum way_state state = is_done ? way_state(way) : WAY_IS_SHUT;
	char text[TELL_MAX] = "...", line[TELL_MAX + PROXY_WORD_MAX + 32];
	char place[PROXY_WORD_MAX + 32];

	if (is_done)
		way_tell(way, text, sizeof text);
	snprintf(place, sizeof place, "%s%s",
	    way->proxy != NULL ? "proxy " : "", way->address);
	snprintf(line, sizeof line, "%-5u  %-24s  %s", way->port, place, text);
	if (columns > 8 && strlen(line) > columns - 8)
		line[columns - 8] = '\0';
	fprintf(survey->options->out, "%s%-5s%s  %s\n",
	    colours && is_done ? states[state].colour : "",
	    is_done ? states[state].name : "", colours ? "\033[0m" : "", line);
}

/* Of the terminal; 0 where it is none. */
static size_t
columns_of(FILE *out)
{
	struct winsize size;

	return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static bool
is_whole(const struct survey *survey)
{
	for (size_t i = 0; i < survey->way_count; i++)
		if (!survey->ways[i].is_done)
			return false;
	return true;
}

void
survey_draw(const struct survey *survey, struct survey_screen *screen)
{
	FILE *out = survey->options->out;
	bool is_table = survey->options->form == SURVEY_AS_TABLE;
	/* A line that wraps cannot be drawn again; at last it is whole. */
	size_t columns = is_table && !is_whole(survey) ? columns_of(out) : 0;

	if (survey->options->form == SURVEY_AS_JSON)
		return;
	if (is_table && screen->drawn > 0)
		fprintf(out, "\033[%zuA\033[J", screen->drawn);
	for (size_t i = 0; i < survey->way_count; i++) {
		const struct survey_way *way = &survey->ways[i];

		if (!is_table && (screen->told[i] || !way->is_done))
			continue;
		put_line(survey, way, way->is_done, columns);
		screen->told[i] = true;
	}
	screen->drawn = is_table ? survey->way_count : 0;
	fflush(out);
}

/* ---- JSON ---- */

static void
put_number(struct buf *out, const char *name, uint64_t value)
{
	char text[96];

	snprintf(text, sizeof text, ", \"%s\":%llu", name,
	    (unsigned long long)value);
	buf_append_str(out, text);
}

static void
put_times(struct buf *out, const char *name, const struct way_times *times)
{
	char text[128];

	if (times->count == 0)
		snprintf(text, sizeof text, ", \"%s\":null", name);
	else
		snprintf(text, sizeof text,
		    ", \"%s\":{\"least\":%llu, \"median\":%llu, \"tries\":"
		    "%u}",
		    name, (unsigned long long)way_least(times),
		    (unsigned long long)way_median(times), times->count);
	buf_append_str(out, text);
}

static void
put_way(struct buf *out, const struct survey_way *way)
{
	static const char *const mtus[] = {[MTU_NOT_TRIED] = "",
	    [MTU_PASSES] = "passes",
	    [MTU_STALLS] = "stalls"};
	bool seen_tls = way->tls != TLS_NOT_SEEN;
	char text[TELL_MAX];

	way_tell(way, text, sizeof text);
	json_put_member(out, "    {", "state", way_state_name(way_state(way)));
	put_number(out, "port", way->port);
	json_put_member(
	    out, ", ", "address", way->proxy == NULL ? way->address : "");
	json_put_member(out, ", ", "family",
	    way->proxy != NULL		      ? ""
	    : way->name.ss_family == AF_INET6 ? "ipv6"
					      : "ipv4");
	json_put_member(
	    out, ", ", "proxy", way->proxy != NULL ? way->proxy->name : "");
	json_put_member(out, ", ", "code", way_code(way));
	json_put_member(out, ",\n     ", "seen", text);
	put_times(out, "connect_ms", &way->connect);
	put_times(out, "banner_ms", &way->banner);
	json_put_member(out, ",\n     ", "host_key", way->fingerprint);
	json_put_member(out, ", ", "host_key_is",
	    way->trust != TRUST_NOT_SEEN ? trusts[way->trust].code : "");
	json_put_member(out, ", ", "certificate", way->certificate);
	json_put_member(
	    out, ", ", "certificate_is", seen_tls ? tlss[way->tls].code : "");
	json_put_member(out, ", ", "tls_pin", way->tls_pin);
	json_put_member(out, ", ", "large_packets", mtus[way->mtu]);
	json_put_member(out, ", ", "leads_to", way->location);
	buf_append_str(out, "}");
}

static void
put_json(struct buf *out, const struct survey *survey, int status,
    const char *command, const char *why)
{
	static const struct finding none = {.layer = "", .code = ""};
	const struct finding *first = findings_first(&survey->findings);
	size_t count = survey->findings.count;

	if (first == NULL)
		first = &none;
	buf_append_str(out, status == 0 ? "{\"ok\":true" : "{\"ok\":false");
	put_number(out, "status", (uint64_t)status);
	json_put_member(out, ", ", "host", survey->host);
	json_put_member(out, ",\n ", "command", command);
	json_put_member(out, ",\n ", "why", why);
	json_put_member(out, ",\n ", "layer", first->layer);
	json_put_member(out, ", ", "code", first->code);
	json_put_member(out, ",\n ", "cause", first->cause);
	json_put_member(out, ",\n ", "remedy", first->remedy);
	put_number(out, "path_mtu", survey->path_mtu);
	put_number(out, "idle_lived_ms", survey->idle_lived_ms);
	put_number(out, "idle_died_ms", survey->idle_died_ms);
	buf_append_str(out, ",\n \"ways\":[\n");
	for (size_t i = 0; i < survey->way_count; i++) {
		put_way(out, &survey->ways[i]);
		buf_append_str(out, i + 1 < survey->way_count ? ",\n" : "\n");
	}
	buf_append_str(out, " ],\n \"findings\":[\n");
	for (size_t i = 0; i < count; i++) {
		finding_put_json(out, &survey->findings.items[i]);
		buf_append_str(out, i + 1 < count ? ",\n" : "\n");
	}
	buf_append_str(out, " ]}\n");
}

/* ---- the end ---- */

static void
put_text(FILE *out, const struct survey *survey, const char *command,
    const char *why)
{
	const struct finding *first = findings_first(&survey->findings);

	if (command != NULL && command[0] != '\0')
		fprintf(out, "\nuse:    %s\nwhy:    %s\n", command, why);
	else if (first != NULL)
		fprintf(out, "\ncause:  %s\nremedy: %s\n", first->cause,
		    first->remedy);
}

int
survey_end(struct survey *survey, const struct survey_way *best)
{
	FILE *out = survey->options->out;
	int status = survey_status(survey, best);
	struct buf command, why, json;

	buf_init(&command, JSON_MAX);
	buf_init(&why, JSON_MAX);
	buf_init(&json, JSON_MAX);
	if (best != NULL) {
		survey_command(survey, best, &command);
		survey_why(survey, best, &why);
	}
	buf_append(&command, "", 1);
	buf_append(&why, "", 1);
	if (command.failed || why.failed) {
		status = 1;
	} else if (survey->options->form == SURVEY_AS_JSON) {
		put_json(&json, survey, status,
		    (const char *)buf_span(&command).data,
		    (const char *)buf_span(&why).data);
		if (json.failed || fwrite(buf_span(&json).data, 1,
				       buf_len(&json), out) != buf_len(&json))
			status = 1;
	} else {
		put_text(out, survey, (const char *)buf_span(&command).data,
		    (const char *)buf_span(&why).data);
	}
	fflush(out);
	buf_fini(&command);
	buf_fini(&why);
	buf_fini(&json);
	return status;
}
