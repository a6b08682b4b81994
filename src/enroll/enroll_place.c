#include "enroll_place.h"

#include "clock.h"
#include "ssh_host_key.h"
#include "str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { KEY_FILE_BYTES = 4096, TEXT_BYTES = 4 * PATH_MAX };

static int
cannot(struct err *err, const char *act, const char *path)
{
	err_set_errno(err, ERR_FAILED, "cannot %s %s", act, path);
	return err_hint(err,
	    "make the folder writable for this user, or name another: "
	    "--state DIR");
}

/* ---- where ---- */

static void
put_path(char path[PATH_MAX], const struct enroll_place *place,
    const char *folder, const char *end)
{
	char name[256];

	dest_record_name(place->dest.host, name, sizeof name);
	snprintf(path, PATH_MAX, "%.3000s/%s/%.255s%s", place->state, folder,
	    name, end);
}

static int
check_name(const struct enroll_place *place, struct err *err)
{
	char name[256];

	dest_record_name(place->dest.host, name, sizeof name);
	if (name[0] != '\0')
		return 0;
	err_set(err, ERR_USAGE, "\"%s\" cannot be remembered by that name",
	    place->dest.host);
	return err_hint(err, "give it a name of 1 to 64 of A-Z a-z 0-9 . _ - "
			     "in ~/.ssh/config (Host NAME, HostName ...)");
}

int
enroll_place_find(struct enroll_place *place, const char *dest,
    const char *state_dir, struct err *err)
{
	int found;

	memset(place, 0, sizeof *place);
	if (dest_parse(&place->dest, dest, err) != 0 ||
	    check_name(place, err) != 0)
		return -1;
	if (state_dir != NULL && state_dir[0] != '/') {
		/* The record names files by their whole paths. */
		char *here = realpath(".", NULL);

		snprintf(place->state, sizeof place->state, "%s/%s",
		    here != NULL ? here : ".", state_dir);
		free(here);
	} else if (state_dir != NULL) {
		snprintf(place->state, sizeof place->state, "%s", state_dir);
	} else {
		dest_default_state(place->state, sizeof place->state);
	}
	if (strlen(place->state) > 3000 || strchr(place->state, '\n') != NULL)
		return err_set(
		    err, ERR_USAGE, "the state folder's name is too long");
	found = dest_enrolled(
	    &place->enrolled, place->state, place->dest.host, err);
	if (found < 0)
		return -1;
	place->is_enrolled = found == 1;
	put_path(place->record, place, "hosts", "");
	put_path(place->key, place, "keys", "");
	put_path(place->public_key, place, "keys", ".pub");
	put_path(place->known_hosts, place, "known_hosts", "");
	if (place->is_enrolled && place->enrolled.key_file[0] != '\0') {
		snprintf(place->key, sizeof place->key, "%s",
		    place->enrolled.key_file);
		snprintf(place->public_key, sizeof place->public_key,
		    "%.4090s.pub", place->key);
	}
	return 0;
}

/* ---- files ---- */

/* The folders above `path`, for this user alone where they are made. */
static int
make_folders(const char *path, struct err *err)
{
	char folder[PATH_MAX];

	snprintf(folder, sizeof folder, "%s", path);
	for (char *at = folder + 1; (at = strchr(at, '/')) != NULL; at++) {
		*at = '\0';
		if (mkdir(folder, 0700) != 0 && errno != EEXIST)
			return cannot(err, "make", folder);
		*at = '/';
	}
	return 0;
}

static void
sync_folder_of(const char *path)
{
	char folder[PATH_MAX];
	int fd;

	snprintf(folder, sizeof folder, "%s", path);
	*strrchr(folder, '/') = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!fsync(fd);
		close(fd);
	}
}

enum put { PUT_REPLACES, PUT_NEVER_REPLACES };

static int
write_fresh(const char *fresh, struct span bytes, mode_t mode)
{
	int fd, result = -1;

	unlink(fresh);
	fd = open(
	    fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0)
		return -1;
	if (write(fd, bytes.data, bytes.len) == (ssize_t)bytes.len &&
	    fchmod(fd, mode) == 0 && fsync(fd) == 0)
		result = 0;
	if (close(fd) != 0)
		result = -1;
	return result;
}

static int
put_file(const char *path, struct span bytes, mode_t mode, enum put how,
    struct err *err)
{
	char fresh[PATH_MAX + 16];
	int result;

	if (make_folders(path, err) != 0)
		return -1;
	snprintf(fresh, sizeof fresh, "%s.%u~", path, (unsigned)getpid());
	result = write_fresh(fresh, bytes, mode);
	if (result == 0)
		result = how == PUT_REPLACES ? rename(fresh, path)
					     : link(fresh, path);
	if (result != 0) {
		cannot(err, "write", path);
		unlink(fresh);
		return -1;
	}
	if (how == PUT_NEVER_REPLACES)
		unlink(fresh);
	sync_folder_of(path);
	return 0;
}

/* ---- the key ---- */

static void
put_public(
    struct buf *line, const struct ssh_host_key *key, const char *comment)
{
	char base64[256];

	str_base64_encode(ssh_host_key_blob(key), base64);
	buf_append_str(line, "ssh-ed25519 ");
	buf_append_str(line, base64);
	buf_append_str(line, " ");
	buf_append_str(line, comment);
}

static struct ssh_host_key *
read_private(const struct enroll_place *place, struct err *err)
{
	uint8_t bytes[KEY_FILE_BYTES];
	struct ssh_host_key *key = NULL;
	FILE *file = fopen(place->key, "re");
	size_t len;

	if (file == NULL) {
		cannot(err, "read", place->key);
		return NULL;
	}
	len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	key = ssh_host_key_parse(span_of(bytes, len), err);
	explicit_bzero(bytes, sizeof bytes);
	if (key == NULL || ssh_host_key_type(key) == SSH_HOST_KEY_ED25519)
		return key;
	ssh_host_key_free(key);
	err_set(err, ERR_FAILED, "%s is none of kaya's keys", place->key);
	err_hint(err, "move it away, then enroll anew");
	return NULL;
}

/* From the private half, which is what counts; .pub is written where missing.
 */
static void
put_kept(struct buf *line, const struct enroll_place *place,
    const struct ssh_host_key *key, const char *comment)
{
	char text[KEY_FILE_BYTES] = "";
	FILE *file = fopen(place->public_key, "re");
	struct span mine;

	if (file != NULL) {
		if (fgets(text, sizeof text, file) == NULL)
			text[0] = '\0';
		fclose(file);
	}
	text[strcspn(text, "\r\n")] = '\0';
	put_public(line, key, "");
	mine = buf_span(line);
	/* Where the file is of this key, its comment stays. */
	if (mine.data != NULL && strlen(text) >= mine.len &&
	    memcmp(text, mine.data, mine.len) == 0)
		comment = text + mine.len;
	buf_append_str(line, comment);
}

static int
keep_key(const struct enroll_place *place, const char *comment,
    struct buf *public_line, struct err *err)
{
	struct ssh_host_key *key = read_private(place, err);
	struct buf public;
	int result = 0;

	if (key == NULL)
		return err_where(err, "%s", place->key);
	buf_init(&public, KEY_FILE_BYTES);
	put_kept(&public, place, key, comment);
	ssh_host_key_free(key);
	buf_append(public_line, buf_span(&public).data, buf_len(&public));
	buf_append_str(&public, "\n");
	if (access(place->public_key, F_OK) != 0)
		result = put_file(place->public_key, buf_span(&public), 0644,
		    PUT_REPLACES, err);
	buf_fini(&public);
	return result;
}

int
enroll_place_read_key(
    const struct enroll_place *place, struct buf *public_line, struct err *err)
{
	return keep_key(place, "", public_line, err);
}

enum enroll_place_key
enroll_place_make_key(const struct enroll_place *place, const char *comment,
    struct buf *public_line, struct err *err)
{
	enum enroll_place_key outcome = ENROLL_KEY_KEPT;
	struct ssh_host_key *key;
	struct buf private;
	int result = -1;

	if (access(place->key, F_OK) != 0) {
		key = ssh_host_key_generate(SSH_HOST_KEY_ED25519, err);
		if (key == NULL)
			return ENROLL_KEY_FAILED;
		buf_init(&private, KEY_FILE_BYTES);
		result = ssh_host_key_encode(key, comment, &private, err);
		if (result == 0)
			result = put_file(place->key, buf_span(&private), 0600,
			    PUT_NEVER_REPLACES, err);
		buf_fini_wipe(&private);
		ssh_host_key_free(key);
		/* Another of us may have been quicker: then that one counts. */
		if (result != 0 && access(place->key, F_OK) != 0)
			return ENROLL_KEY_FAILED;
		outcome = result == 0 ? ENROLL_KEY_MADE : ENROLL_KEY_KEPT;
	}
	return keep_key(place, comment, public_line, err) == 0
		   ? outcome
		   : ENROLL_KEY_FAILED;
}

/* ---- the record ---- */

int
enroll_place_pin(
    const struct enroll_place *place, const char *line, struct err *err)
{
	char text[TEXT_BYTES];

	snprintf(text, sizeof text, "%s%s", line,
	    line[0] != '\0' && line[strlen(line) - 1] == '\n' ? "" : "\n");
	return put_file(
	    place->known_hosts, span_of_str(text), 0644, PUT_REPLACES, err);
}

int
enroll_place_remember(struct enroll_place *place, const char *host,
    uint16_t port, const char *user, struct err *err)
{
	char text[TEXT_BYTES];

	snprintf(text, sizeof text,
	    "# written by kaya enroll\nhost %s\nport %u\nuser %s\nkey %s\n"
	    "known_hosts %s\n",
	    host, port, user, place->key, place->known_hosts);
	return put_file(
	    place->record, span_of_str(text), 0644, PUT_REPLACES, err);
}

void
enroll_place_forget(struct enroll_place *place)
{
	unlink(place->record);
	sync_folder_of(place->record);
}

int
enroll_place_clear(struct enroll_place *place, char *aside, struct err *err)
{
	char public_aside[PATH_MAX + 8], date[16];
	time_t now = (time_t)clock_wall_s();
	struct tm tm;
	int n = 0;

	enroll_place_forget(place);
	unlink(place->known_hosts);
	aside[0] = '\0';
	if (access(place->key, F_OK) != 0)
		return 0;
	gmtime_r(&now, &tm);
	strftime(date, sizeof date, "%Y%m%d", &tm);
	do
		snprintf(aside, PATH_MAX,
		    n == 0 ? "%.4000s.revoked-%s" : "%.4000s.revoked-%s.%d",
		    place->key, date, n);
	while (n++ < 1000 && access(aside, F_OK) == 0);
	snprintf(public_aside, sizeof public_aside, "%s.pub", aside);
	if (rename(place->key, aside) != 0)
		return cannot(err, "move", place->key);
	(void)!rename(place->public_key, public_aside);
	sync_folder_of(place->key);
	return 0;
}
