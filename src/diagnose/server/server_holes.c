#include "server_holes.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The revisions are those of Debian's own changelogs and advisories.  A
 * release that is not listed is not known, and nothing is claimed of it.
 */
const struct server_hole server_holes[] = {
    {"openssh-server", "CVE-2024-6387", "8.5", "9.8", {"1:9.2p1-2+deb12u3"},
	"whoever reaches sshd may become root (a race at LoginGraceTime)"},
    {"openssh-server", "CVE-2023-48795", "", "9.6",
	{"1:9.2p1-2+deb12u2", "1:8.4p1-5+deb11u3"},
	"who is on the way may drop the first messages of a connection "
	"(Terrapin)"},
    {"openssh-server", "CVE-2025-32728", "7.4", "10.0", {"1:9.2p1-2+deb12u6"},
	"DisableForwarding leaves agent and X11 forwarding allowed"},
    {"mosquitto", "CVE-2023-28366", "1.3.2", "2.0.16",
	{"2.0.11-1.2+deb12u1", "2.0.11-1+deb11u1"},
	"a client may fill the broker's memory by QoS 2 messages"},
    {"mosquitto", "CVE-2023-0809", "", "2.0.16",
	{"2.0.11-1.2+deb12u1", "2.0.11-1+deb11u1"},
	"a first packet that is no CONNECT takes memory before any password"},
    {"mosquitto", "CVE-2024-8376", "", "2.0.19", {"2.0.11-1.2+deb12u2"},
	"a client may crash the broker by a row of CONNECT, SUBSCRIBE and "
	"UNSUBSCRIBE"},
    {"dropbear-bin", "CVE-2023-48795", "", "2024.84", {"2022.83-1+deb12u1"},
	"who is on the way may drop the first messages of a connection "
	"(Terrapin)"},
    {"libssh-4", "CVE-2023-48795", "0.10.0", "0.10.6", {NULL},
	"kaya itself: who is on the way may drop the first messages of a "
	"connection (Terrapin)"},
    {"libssh-4", "CVE-2025-5987", "0.10.0", "0.11.2", {"0.10.6-0+deb12u2"},
	"kaya itself: an error of chacha20-poly1305 may go unnoticed"},
    {0},
};

int
server_version_compare(const char *a, const char *b)
{
	while (*a != '\0' || *b != '\0') {
		if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
			char *a_end, *b_end;
			unsigned long x = strtoul(a, &a_end, 10);
			unsigned long y = strtoul(b, &b_end, 10);

			if (x != y)
				return x < y ? -1 : 1;
			a = a_end;
			b = b_end;
			continue;
		}
		/* "9.8p1" is "9.8" and more. */
		if (*a != *b)
			return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
		a++;
		b++;
	}
	return 0;
}

const char *
server_version_upstream(const char *revision, char *text, size_t size)
{
	const char *colon = strchr(revision, ':');
	const char *from = colon != NULL ? colon + 1 : revision;
	const char *dash = strrchr(from, '-');

	snprintf(text, size, "%.*s",
	    (int)(dash != NULL ? (size_t)(dash - from) : strlen(from)), from);
	return text;
}

/* What is left of "1:9.2p1-2+deb12u3" without "+deb12u3". */
static size_t
base_len(const char *revision)
{
	const char *tag = strstr(revision, "+deb");

	return tag != NULL ? (size_t)(tag - revision) : strlen(revision);
}

/* The number behind "+deb12u"; 0 where there is none: the release's first. */
static unsigned long
update_of(const char *revision)
{
	const char *tag = strstr(revision, "+deb");
	const char *u = tag != NULL ? strchr(tag + 4, 'u') : NULL;

	return u != NULL ? strtoul(u + 1, NULL, 10) : 0;
}

/* The same upstream version and the same first revision: one release. */
static bool
is_same_release(const char *a, const char *b)
{
	return base_len(a) == base_len(b) && memcmp(a, b, base_len(a)) == 0;
}

const char *
server_hole_mended(const struct server_hole *hole, const char *revision)
{
	for (size_t i = 0; i < 4 && hole->revisions[i] != NULL; i++)
		if (is_same_release(revision, hole->revisions[i]))
			return hole->revisions[i];
	return NULL;
}

enum server_hole_state
server_hole_judge(
    const struct server_hole *hole, const struct server_hole_evidence *evidence)
{
	const char *mended;

	if (server_version_compare(evidence->upstream, hole->mended) >= 0 ||
	    server_version_compare(evidence->upstream, hole->from) < 0)
		return SERVER_HOLE_NOT_AFFECTED;
	if (evidence->revision == NULL)
		return SERVER_HOLE_OPEN;
	if (evidence->named)
		return SERVER_HOLE_NAMED;
	mended = server_hole_mended(hole, evidence->revision);
	if (mended == NULL)
		return SERVER_HOLE_NOT_KNOWN;
	return update_of(evidence->revision) >= update_of(mended)
		   ? SERVER_HOLE_MENDED
		   : SERVER_HOLE_OPEN;
}
