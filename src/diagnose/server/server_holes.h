#ifndef KAYA_SERVER_HOLES_H
#define KAYA_SERVER_HOLES_H

/*
 * server_holes: known holes of the programs that this is about, and by which
 * evidence an installed version has one.
 *
 * Distributions mend holes without a new upstream version.  A hole is claimed
 * only where that is ruled out: the package's own revision is below the one
 * that mended it, or there is no package and the upstream version is affected.
 */

#include <stdbool.h>
#include <stddef.h>

struct server_hole {
	const char *package; /* Debian's: "openssh-server" */
	const char *cve;
	const char *from; /* the first upstream version that has it; "": all */
	const char *mended; /* the first upstream version without it */
	/* Debian's revisions that mended it in a release, NULL-ended */
	const char *revisions[4];
	const char *what; /* half a sentence */
};

/* All of them; the last one's package is NULL. */
extern const struct server_hole server_holes[];

enum server_hole_state {
	SERVER_HOLE_NOT_AFFECTED, /* by the upstream version */
	SERVER_HOLE_MENDED, /* by the package's revision */
	SERVER_HOLE_NAMED, /* the package's changelog names it */
	SERVER_HOLE_OPEN,
	SERVER_HOLE_NOT_KNOWN /* a package of which we know no revision */
};

struct server_hole_evidence {
	const char *upstream; /* "9.2p1" */
	const char *revision; /* "1:9.2p1-2+deb12u3"; NULL: no package */
	bool named; /* its changelog names the CVE */
};

/* Pure. */
enum server_hole_state server_hole_judge(const struct server_hole *hole,
    const struct server_hole_evidence *evidence);

/* The revision that mended it in this one's release; NULL: not known. */
const char *server_hole_mended(
    const struct server_hole *hole, const char *revision);

/*
 * Compare versions piece by piece, numbers as numbers: "9.10p1" is behind
 * "9.9p2".  Less than 0, 0, more than 0.  Pure.
 */
int server_version_compare(const char *a, const char *b);

/*
 * The upstream part of a Debian version: "9.2p1" of "1:9.2p1-2+deb12u3".
 * Returns `text`.
 */
const char *server_version_upstream(
    const char *revision, char *text, size_t size);

#endif
