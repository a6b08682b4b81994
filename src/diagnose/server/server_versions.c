#include "server_private.h"

#include "program.h"
#include "server_holes.h"

#include <libssh/libssh.h>
#include <stdio.h>
#include <string.h>

/* server_versions: installed versions, and whether they have known holes. */

enum version_fact {
	VERSION_OK,
	VERSION_OPEN,
	VERSION_OPEN_UPSTREAM,
	VERSION_NOT_KNOWN,
	VERSION_NONE
};

static const struct check_row rows[] = {
    {VERSION_OK, FINDING_OK, ERR_NONE, NULL,
	"{package} {revision}: no known hole{evidence}", NULL, NULL},
    {VERSION_OPEN, FINDING_FAULT, ERR_FAILED, "known-hole",
	"{package} {revision}: {cve}",
	"{package} {revision} has {cve}: {what}; Debian mended it in {mended}",
	"apt-get update && apt-get install --only-upgrade {package}"},
    {VERSION_OPEN_UPSTREAM, FINDING_WARNING, ERR_NONE, "known-hole",
	"{package} {revision}: {cve}, by its version number",
	"{package} {revision} has {cve} if nobody has mended it in this "
	"version ({upstream} and later are without it): {what}",
	"install {upstream} or later"},
    {VERSION_NOT_KNOWN, FINDING_NOT_KNOWN, ERR_NONE, "hole-not-known",
	"{package} {revision}: whether {cve} is mended in this package is not "
	"known",
	NULL, NULL},
    {VERSION_NONE, FINDING_NOT_KNOWN, ERR_NONE, "no-versions",
	"neither sshd, dropbear nor mosquitto is installed here", NULL, NULL},
};

/* How a program is asked for its version where there is no package. */
static const struct {
	const char *package;
	const char *const words[3];
	const char *before; /* what stands before the version */
} programs[] = {
    {"openssh-server", {"sshd", "-V", NULL}, "OpenSSH_"},
    {"mosquitto", {"mosquitto", "-h", NULL}, "mosquitto version "},
    {"dropbear-bin", {"dropbear", "-V", NULL}, "Dropbear v"},
    {"libssh-4", {NULL}, ""},
};

struct version {
	char upstream[64];
	char revision[128]; /* "": no package */
	bool has_changelog;
};

/* ---- what is installed ---- */

static bool
ask_package(const char *package, struct version *version)
{
	const char *const words[] = {"dpkg-query", "-W", "-f",
	    "${db:Status-Status} ${Version}", package, NULL};
	struct program program;
	bool found;

	found = program_run(&program, words, SERVER_ASK_MS) &&
		program.status == 0 &&
		sscanf(program_out(&program), "installed %127s",
		    version->revision) == 1;
	program_fini(&program);
	if (!found)
		return false;
	server_version_upstream(
	    version->revision, version->upstream, sizeof version->upstream);
	return true;
}

static bool
ask_program(size_t which, struct version *version)
{
	const char *text = ssh_version(0), *at;
	struct program program = {0};
	bool ran = false;

	if (programs[which].words[0] != NULL) {
		ran =
		    program_run(&program, programs[which].words, SERVER_ASK_MS);
		text = program_out(&program);
		if (strstr(text, programs[which].before) == NULL)
			text = program_said(&program);
	}
	at = ran || programs[which].words[0] == NULL
		 ? strstr(text, programs[which].before)
		 : NULL;
	if (at != NULL)
		snprintf(version->upstream, sizeof version->upstream, "%.*s",
		    (int)strspn(
			at + strlen(programs[which].before), "0123456789.p"),
		    at + strlen(programs[which].before));
	if (programs[which].words[0] != NULL)
		program_fini(&program);
	return version->upstream[0] != '\0';
}

/* Whether Debian's changelog of the package names the hole. */
static bool
is_named(const char *package, const char *cve)
{
	char path[200];
	const char *const words[] = {"zgrep", "-q", "-F", cve, path, NULL};
	struct program program;
	bool named;

	snprintf(path, sizeof path, "/usr/share/doc/%s/changelog.Debian.gz",
	    package);
	named =
	    program_run(&program, words, SERVER_ASK_MS) && program.status == 0;
	program_fini(&program);
	return named;
}

/* ---- telling ---- */

static void
tell(struct server *server, enum version_fact fact, const char *package,
    const struct version *version, const struct server_hole *hole)
{
	const char *mended =
	    hole != NULL ? server_hole_mended(hole, version->revision) : NULL;
	const struct check_word words[] = {
	    {"package", package},
	    {"revision", version->revision[0] != '\0' ? version->revision
						      : version->upstream},
	    {"cve", hole != NULL ? hole->cve : ""},
	    {"what", hole != NULL ? hole->what : ""},
	    {"upstream", hole != NULL ? hole->mended : ""},
	    {"mended", mended},
	    {"evidence", version->revision[0] != '\0'
			     ? ", by the package's revision and changelog"
			     : ", by its version number"},
	    {0},
	};
	server_tell(server, "versions", SERVER_ROWS(rows), (int)fact, words);
}

static void
look_at(
    struct server *server, const char *package, const struct version *version)
{
	bool clean = true;

	for (const struct server_hole *hole = server_holes;
	     hole->package != NULL; hole++) {
		struct server_hole_evidence evidence = {
		    .upstream = version->upstream,
		    .revision = version->revision[0] != '\0' ? version->revision
							     : NULL};
		enum server_hole_state state;

		if (strcmp(hole->package, package) != 0)
			continue;
		evidence.named =
		    evidence.revision != NULL && is_named(package, hole->cve);
		state = server_hole_judge(hole, &evidence);
		if (state == SERVER_HOLE_NOT_KNOWN)
			tell(server, VERSION_NOT_KNOWN, package, version, hole);
		else if (state == SERVER_HOLE_OPEN)
			tell(server,
			    evidence.revision != NULL ? VERSION_OPEN
						      : VERSION_OPEN_UPSTREAM,
			    package, version, hole);
		else
			continue;
		clean = false;
	}
	if (clean)
		tell(server, VERSION_OK, package, version, NULL);
}

enum check_next
server_versions(void *arg, struct findings *findings)
{
	struct server *server = arg;
	struct version none = {0};
	size_t told = 0;

	for (size_t i = 0; i < sizeof programs / sizeof programs[0]; i++) {
		struct version version = {0};

		if (programs[i].words[0] != NULL &&
		    !program_is_there(programs[i].words[0]))
			continue;
		if (!ask_package(programs[i].package, &version) &&
		    !ask_program(i, &version))
			continue;
		look_at(server, programs[i].package, &version);
		told++;
	}
	if (told == 0)
		tell(server, VERSION_NONE, "", &none, NULL);
	return CHECK_GO_ON;
}
