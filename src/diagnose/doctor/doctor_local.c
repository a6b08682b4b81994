#include "doctor_private.h"

#include "local_end.h"

#include <errno.h>
#include <string.h>

enum { NEXT_TRIES = 100 };

enum local_fact {
	LOCAL_FREE,
	LOCAL_TUNNEL,
	LOCAL_TAKEN,
	LOCAL_HALF,
	LOCAL_FORBIDDEN
};

static const struct check_row rows[] = {
    {LOCAL_FREE, FINDING_OK, ERR_NONE, NULL, "{addresses} free", NULL, NULL},
    {LOCAL_TUNNEL, FINDING_OK, ERR_NONE, NULL,
	"{addresses} held by {holder}: a tunnel is up", NULL, NULL},
    {LOCAL_TAKEN, FINDING_FAULT, ERR_TAKEN, "local-taken",
	"{addresses} taken by {holder}",
	"{taken} is taken by {holder}, so no tunnel can listen there",
	"listen elsewhere: kaya tunnel -L {next} {tunnel_at}; or stop "
	"{holder}"},
    {LOCAL_HALF, FINDING_FAULT, ERR_TAKEN, "local-half-taken",
	"{taken} taken by {holder}, {free} free",
	"{taken} is taken by {holder}: ssh would listen on {free} alone and "
	"stay up, and clients of {taken} would talk to a stranger",
	"listen elsewhere: kaya tunnel -L {next} {tunnel_at}; or stop "
	"{holder}"},
    {LOCAL_FORBIDDEN, FINDING_FAULT, ERR_FAILED, "local-forbidden",
	"{addresses}: {why}", "this user may not listen on port {port}: {why}",
	"take a port above 1023: kaya tunnel -L 22883 {tunnel_at}"},
};

static size_t
find_ends(const struct forward *local, struct local_end ends[2])
{
	static const char *const both[] = {"127.0.0.1", "::1"};
	size_t count = 0;

	if (local == NULL || local->path[0] != '\0')
		return 0;
	if (local->bind[0] != '\0') {
		local_end_set(&ends[count++], local->bind, local->port);
		local_end_probe(&ends[0]);
		return count;
	}
	for (size_t i = 0; i < 2; i++) {
		local_end_set(&ends[count], both[i], local->port);
		local_end_probe(&ends[count]);
		/* A machine without IPv6 promises none. */
		if (ends[count].error != EADDRNOTAVAIL &&
		    ends[count].error != EAFNOSUPPORT)
			count++;
	}
	return count;
}

static enum local_fact
judge(const struct local_end *ends, size_t count)
{
	size_t taken = 0, forbidden = 0, tunnels = 0;

	for (size_t i = 0; i < count; i++) {
		taken += ends[i].error == EADDRINUSE;
		forbidden += ends[i].error != 0 && ends[i].error != EADDRINUSE;
		tunnels += strncmp(ends[i].holder, "kaya (", 6) == 0 &&
			   strcmp(ends[i].holder, ends[0].holder) == 0;
	}
	if (forbidden > 0)
		return LOCAL_FORBIDDEN;
	if (taken == 0)
		return LOCAL_FREE;
	if (tunnels == count)
		return LOCAL_TUNNEL;
	return taken < count ? LOCAL_HALF : LOCAL_TAKEN;
}

/* The next port that is free on all of its addresses. */
static uint16_t
find_next(const struct forward *local)
{
	struct forward other = *local;
	size_t taken = 1;

	for (int tries = 0; tries < NEXT_TRIES && taken > 0; tries++) {
		struct local_end ends[2];
		size_t count;

		other.port =
		    other.port < UINT16_MAX ? (uint16_t)(other.port + 1) : 1024;
		count = find_ends(&other, ends);
		taken = 0;
		for (size_t i = 0; i < count; i++)
			taken += ends[i].error != 0;
	}
	return other.port;
}

enum check_next
doctor_local(void *arg, struct findings *findings)
{
	struct doctor *doctor = arg;
	struct local_end ends[2];
	size_t count = find_ends(doctor->options->local, ends);
	const char *taken = "", *spare = "", *holder = "", *why = "";
	char addresses[200] = "", port[8], next[8];

	if (count == 0)
		return CHECK_GO_ON;
	for (size_t i = 0; i < count; i++) {
		size_t used = strlen(addresses);

		snprintf(addresses + used, sizeof addresses - used, "%s%s",
		    used > 0 ? " and " : "", ends[i].text);
		if (ends[i].error == 0)
			spare = ends[i].text;
		else
			why = strerror(ends[i].error);
		if (ends[i].error == EADDRINUSE) {
			taken = ends[i].text;
			holder = ends[i].holder;
		}
	}
	snprintf(port, sizeof port, "%u", doctor->options->local->port);
	snprintf(next, sizeof next, "%u", find_next(doctor->options->local));
	const struct check_word words[] = {
	    {"addresses", addresses},
	    {"taken", taken},
	    {"free", spare},
	    {"holder", holder},
	    {"port", port},
	    {"next", next},
	    {"why", why},
	    {"dest", doctor->words},
	    {"tunnel_at", doctor->tunnel_at},
	    {"again", doctor->again},
	    {0},
	};
	doctor_tell(findings, "local", DOCTOR_ROWS(rows),
	    (int)judge(ends, count), words);
	return CHECK_GO_ON;
}
