#include "survey_private.h"

#include "survey_tell.h"

#include <netdb.h>
#include <string.h>

/* ---- looking for it ---- */

typedef bool way_test_fn(const struct survey_way *way);

static const struct survey_way *
first_way(const struct survey *survey, way_test_fn *test)
{
	for (size_t i = 0; i < survey->way_count; i++)
		if (test(&survey->ways[i]))
			return &survey->ways[i];
	return NULL;
}

static bool
has_wrong_key(const struct survey_way *way)
{
	return way->fact == WAY_SSH &&
	       (way->trust == TRUST_CHANGED || way->trust == TRUST_OTHER_TYPE ||
		   way->trust == TRUST_NOT_THE_ONE);
}

static bool
has_unknown_key(const struct survey_way *way)
{
	return way->fact == WAY_SSH && way->trust == TRUST_UNKNOWN;
}

static bool
has_right_key(const struct survey_way *way)
{
	return way->fact == WAY_SSH &&
	       (way->trust == TRUST_KNOWN || way->trust == TRUST_PINNED ||
		   way->trust == TRUST_ELSEWHERE);
}

static bool
has_unreadable_key(const struct survey_way *way)
{
	return way->fact == WAY_SSH && way->trust == TRUST_NOT_KNOWABLE;
}

static bool
signs_in(const struct survey_way *way)
{
	return way->fact == WAY_HTTP && way->page == HTTP_SIGN_IN;
}

static bool
leads_away(const struct survey_way *way)
{
	return way->fact == WAY_HTTP && way->page == HTTP_LEADS_AWAY;
}

static bool
asks_password(const struct survey_way *way)
{
	return way->fact == WAY_HTTP && way->page == HTTP_LOGIN;
}

/* A web server where nobody puts one. */
static bool
is_web_for_ssh(const struct survey_way *way)
{
	return way->fact == WAY_HTTP && way->proxy == NULL &&
	       (way->port == 22 || way->port == 2222 || way->port == 1883);
}

static bool
is_tls_not_pinned(const struct survey_way *way)
{
	return way->tls == TLS_NOT_PINNED;
}

static bool
is_tls_not_valid(const struct survey_way *way)
{
	return way->tls == TLS_NOT_VALID;
}

static bool
is_proxy_gone(const struct survey_way *way)
{
	return way->fact == WAY_PROXY_GONE || way->fact == WAY_PROXY_NONE;
}

static bool
is_proxy_login(const struct survey_way *way)
{
	return way->fact == WAY_PROXY_LOGIN;
}

static bool
is_proxy_forbidden(const struct survey_way *way)
{
	return way->fact == WAY_PROXY_FORBIDS;
}

static bool
is_locked_out(const struct survey_way *way)
{
	return way->fact == WAY_LOCKED_OUT;
}

static bool
is_too_many(const struct survey_way *way)
{
	return way->fact == WAY_TOO_MANY;
}

static bool
is_ssh(const struct survey_way *way)
{
	return way->fact == WAY_SSH;
}

static bool
is_forbidden(const struct survey_way *way)
{
	return way->fact == WAY_FORBIDDEN;
}

static bool
is_direct(const struct survey_way *way)
{
	return way->proxy == NULL;
}

static bool
stalls(const struct survey_way *way)
{
	return way->mtu == MTU_STALLS || way->fact == WAY_SSH_STALLS;
}

/* Nothing stops it but that no SSH server is there. */
static bool
passes(const struct survey_way *way)
{
	return way->fact == WAY_REFUSED || way->fact == WAY_TLS ||
	       way->fact == WAY_MQTT || way->fact == WAY_HTTP ||
	       way->fact == WAY_OTHER;
}

/* ---- layer by layer ---- */

static enum finding_state
at_most(const struct survey_way *best)
{
	return best != NULL ? FINDING_WARNING : FINDING_FAULT;
}

static bool
is_contradicted(const struct survey *survey)
{
	return first_way(survey, has_right_key) == NULL &&
	       (first_way(survey, has_wrong_key) != NULL ||
		   first_way(survey, leads_away) != NULL ||
		   first_way(survey, asks_password) != NULL ||
		   first_way(survey, signs_in) != NULL ||
		   first_way(survey, is_web_for_ssh) != NULL);
}

static void
judge_dns(struct survey *survey, const struct survey_way *best)
{
	const struct survey_tale tale = {.survey = survey};
	const enum finding_state fault = at_most(best);

	if (survey->dns_result == EAI_NONAME ||
	    survey->dns_result == EAI_NODATA)
		survey_tell(&tale, "dns", DNS_NO_SUCH_NAME, fault);
	else if (survey->dns_result != 0)
		survey_tell(&tale, "dns", DNS_NO_ANSWER, fault);
	else if (survey->is_numeric)
		return;
	else if (survey->wild == DNS_WILD_SAME && is_contradicted(survey))
		survey_tell(&tale, "dns", DNS_LIES, fault);
	else if (survey->wild == DNS_WILD_SAME ||
		 survey->wild == DNS_WILD_OTHER)
		survey_tell(&tale, "dns", DNS_ANSWERS_ALL, fault);
	else if (survey->kind == ADDRESS_BOGUS &&
		 first_way(survey, has_right_key) == NULL)
		survey_tell(&tale, "dns",
		    survey->hosts_line != 0 ? DNS_BOGUS_HERE : DNS_BOGUS,
		    fault);
	else if (survey->kind == ADDRESS_PRIVATE && is_contradicted(survey))
		survey_tell(&tale, "dns", DNS_PRIVATE, fault);
	else
		survey_tell(&tale, "dns", DNS_FOUND, fault);
}

static void
judge_portal(struct survey *survey, const struct survey_way *best)
{
	struct survey_tale tale = {.survey = survey};

	tale.way = first_way(survey, signs_in);
	if (tale.way != NULL) {
		survey_tell(&tale, "portal", PORTAL_SURE, at_most(best));
		return;
	}
	tale.way = first_way(survey, leads_away);
	if (tale.way != NULL && best != NULL && best->proxy == NULL) {
		survey_tell(&tale, "portal", PORTAL_PERHAPS, FINDING_WARNING);
		return;
	}
	if (tale.way == NULL && (best == NULL || best->proxy != NULL))
		tale.way = first_way(survey, asks_password);
	if (tale.way == NULL)
		tale.way = first_way(survey, is_web_for_ssh);
	if (tale.way != NULL)
		survey_tell(&tale, "portal", PORTAL_LIKELY, at_most(best));
}

/* Two ways to one port that end at two keys. */
static bool
tell_difference(struct survey *survey, const struct survey_way *best)
{
	for (size_t i = 0; i < survey->way_count; i++)
		for (size_t k = i + 1; k < survey->way_count; k++) {
			struct survey_tale tale = {
			    survey, &survey->ways[i], &survey->ways[k], NULL};

			if (!has_unknown_key(tale.way) ||
			    !has_unknown_key(tale.other) ||
			    tale.way->port != tale.other->port ||
			    strcmp(tale.way->fingerprint,
				tale.other->fingerprint) == 0)
				continue;
			survey_tell(
			    &tale, "host-key", KEY_DIFFERS, at_most(best));
			return true;
		}
	return false;
}

static void
judge_host_key(struct survey *survey, const struct survey_way *best)
{
	const bool right = first_way(survey, has_right_key) != NULL;
	struct survey_tale tale = {.survey = survey};

	for (size_t i = 0; i < survey->way_count; i++) {
		tale.way = &survey->ways[i];
		if (has_wrong_key(tale.way))
			survey_tell(&tale, "host-key",
			    right ? KEY_INTERCEPTED : KEY_CHANGED,
			    at_most(best));
	}
	tale.way = first_way(survey, has_unreadable_key);
	if (tale.way != NULL)
		survey_tell(&tale, "host-key", KEY_NOT_KNOWABLE, at_most(best));
	if (tell_difference(survey, best) || right)
		return;
	tale.way = first_way(survey, has_unknown_key);
	if (tale.way != NULL)
		survey_tell(&tale, "host-key", KEY_UNKNOWN, FINDING_WARNING);
}

static void
judge_tls(struct survey *survey, const struct survey_way *best)
{
	struct survey_tale tale = {.survey = survey};

	tale.way = first_way(survey, is_tls_not_pinned);
	if (tale.way != NULL) {
		survey_tell(&tale, "tls", TLS_INTERCEPTED, at_most(best));
		return;
	}
	tale.way = first_way(survey, is_tls_not_valid);
	if (tale.way != NULL)
		survey_tell(&tale, "tls", TLS_DOUBTFUL, FINDING_WARNING);
}

static void
judge_proxy(struct survey *survey, const struct survey_way *best)
{
	struct survey_tale tale = {.survey = survey};

	if (survey->proxy_from == NULL)
		return;
	if (survey->proxy_url == PROXY_URL_NO_HTTP)
		survey_tell(&tale, "proxy", PROXY_OTHER_KIND, FINDING_WARNING);
	else if (survey->proxy_url != PROXY_URL_OK)
		survey_tell(&tale, "proxy", PROXY_WRONG, FINDING_WARNING);
	else if (survey->proxy_exempt)
		survey_tell(&tale, "proxy", PROXY_EXEMPT, FINDING_WARNING);
	else if (survey->proxy_result != 0)
		survey_tell(&tale, "proxy", PROXY_NOT_FOUND, FINDING_WARNING);
	else if ((tale.way = first_way(survey, is_proxy_gone)) != NULL)
		survey_tell(&tale, "proxy", PROXY_SILENT, FINDING_WARNING);
	else if ((tale.way = first_way(survey, is_proxy_login)) != NULL)
		survey_tell(&tale, "proxy", PROXY_LOGIN, at_most(best));
	else if (best == NULL &&
		 (tale.way = first_way(survey, is_proxy_forbidden)) != NULL)
		survey_tell(&tale, "proxy", PROXY_FORBIDS_ALL, at_most(best));
}

static void
judge_mtu(struct survey *survey, const struct survey_way *best)
{
	struct survey_tale tale = {.survey = survey};

	tale.way =
	    best != NULL && stalls(best) ? best : first_way(survey, stalls);
	if (tale.way == NULL)
		return;
	survey_tell(&tale, "path-mtu",
	    survey->path_mtu > 0 ? PATH_MTU : PATH_MTU_UNKNOWN, at_most(best));
}

static void
judge_idle(struct survey *survey, const struct survey_way *best)
{
	const struct survey_tale tale = {.survey = survey, .way = best};

	if (survey->idle == IDLE_NOT_ASKED)
		return;
	if (survey->idle == IDLE_NO_WAY)
		survey_tell(&tale, "idle", IDLE_NOWHERE, FINDING_WARNING);
	else if (survey_forgets_early(survey))
		survey_tell(
		    &tale, "idle", IDLE_FORGOTTEN_EARLY, FINDING_WARNING);
	else if (survey->idle_died_ms > 0)
		survey_tell(&tale, "idle", IDLE_FORGOTTEN, FINDING_WARNING);
	else if (survey->idle_grace_ms > 0)
		survey_tell(&tale, "idle", IDLE_GRACE, FINDING_WARNING);
	else
		survey_tell(&tale, "idle", IDLE_LIVES, FINDING_WARNING);
}

/* "port 443 and port 80": what passes, once each. */
static const struct survey_way *
list_passing(const struct survey *survey, char *text, size_t size)
{
	const struct survey_way *first = NULL;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < survey->port_count; i++)
		for (size_t k = 0; k < survey->way_count; k++) {
			const struct survey_way *way = &survey->ways[k];

			if (way->port != survey->ports[i] || !passes(way) ||
			    used >= size)
				continue;
			used += (size_t)snprintf(text + used, size - used,
			    "%sport %u", used > 0 ? ", " : "", way->port);
			/* Where nobody listens yet it is easiest. */
			if (first == NULL || (first->fact != WAY_REFUSED &&
						 way->fact == WAY_REFUSED))
				first = way;
			break;
		}
	return first;
}

/* The first direct way that this machine's own rules stop. */
static const struct survey_way *
first_dropped(const struct survey *survey, struct firewall_own *own)
{
	for (size_t i = 0; i < survey->way_count; i++) {
		const struct survey_way *way = &survey->ways[i];

		if (is_direct(way) &&
		    (way->fact == WAY_FILTERED || is_forbidden(way)) &&
		    firewall_own_find((const struct sockaddr *)&way->name, own))
			return way;
	}
	return NULL;
}

static void
judge_reach(struct survey *survey)
{
	struct firewall_own own;
	struct survey_tale tale = {.survey = survey, .own = &own};
	char passing[16 * SURVEY_PORTS_MAX];
	bool no_route = true;

	for (size_t i = 0; i < survey->way_count; i++)
		no_route = no_route && survey->ways[i].fact == WAY_NO_ROUTE;
	if (survey->way_count == 0)
		return;
	if ((tale.way = first_way(survey, is_locked_out)) != NULL)
		survey_tell(&tale, "reach", REACH_LOCKED_OUT, FINDING_FAULT);
	else if ((tale.way = first_way(survey, is_too_many)) != NULL)
		survey_tell(&tale, "reach", REACH_TOO_MANY, FINDING_FAULT);
	else if ((tale.way = list_passing(survey, passing, sizeof passing)) !=
		 NULL) {
		tale.passing = passing;
		survey_tell(&tale, "reach", REACH_NO_SSH, FINDING_FAULT);
	} else if ((tale.way = first_dropped(survey, &own)) != NULL)
		survey_tell(&tale, "reach", REACH_DROPPED, FINDING_FAULT);
	else if ((tale.way = first_way(survey, is_forbidden)) != NULL)
		survey_tell(&tale, "reach", REACH_FORBIDDEN, FINDING_FAULT);
	/* What answers with a wrong host key passes: that is told already. */
	else if (first_way(survey, is_ssh) == NULL) {
		tale.way = first_way(survey, is_direct);
		survey_tell(&tale, "reach",
		    no_route ? REACH_NO_ROUTE : REACH_NOTHING, FINDING_FAULT);
	}
}

void
survey_judge(struct survey *survey, const struct survey_way *best)
{
	judge_portal(survey, best);
	judge_dns(survey, best);
	judge_host_key(survey, best);
	judge_tls(survey, best);
	judge_proxy(survey, best);
	judge_mtu(survey, best);
	judge_idle(survey, best);
	if (best == NULL)
		judge_reach(survey);
}

int
survey_status(const struct survey *survey, const struct survey_way *best)
{
	const struct finding *first = findings_first(&survey->findings);

	if (survey->findings.failed)
		return 1;
	if (best != NULL)
		return 0;
	if (first == NULL || first->state != FINDING_FAULT)
		return err_exit_status(ERR_UNREACHABLE);
	return err_exit_status(first->status);
}
