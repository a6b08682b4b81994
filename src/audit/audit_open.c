#include "audit_private.h"

#include "audit_verify.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void
audit_free(struct audit *audit)
{
	if (audit->head_fd >= 0)
		close(audit->head_fd);
	if (audit->folder_fd >= 0)
		close(audit->folder_fd);
	pthread_cond_destroy(&audit->wake);
	pthread_mutex_destroy(&audit->lock);
	free(audit);
}

static struct audit *
make(const struct audit_options *options, struct err *err)
{
	struct audit *audit = calloc(1, sizeof *audit);
	pthread_condattr_t attributes;

	if (audit == NULL) {
		err_set(err, ERR_NOMEM, "no memory for the audit log");
		return NULL;
	}
	pthread_mutex_init(&audit->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&audit->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	audit->folder_fd = audit->head_fd = audit->file.fd = -1;
	audit->file.last = audit->noted = audit_mark_begin;
	audit->max_bytes = options->max_bytes;
	audit->keep = options->keep;
	return audit;
}

static int
open_folder(struct audit *audit, const char *file, struct err *err)
{
	const char *slash = strrchr(file, '/');
	const char *base = slash == NULL ? file : slash + 1;
	char folder[PATH_MAX];

	if (strlen(file) >= PATH_MAX || base[0] == '\0' ||
	    strlen(base) > AUDIT_BASE_MAX)
		return err_set(
		    err, ERR_CONFIG, "no name for an audit log: %s", file);
	snprintf(audit->path, sizeof audit->path, "%s", file);
	snprintf(audit->base, sizeof audit->base, "%s", base);
	snprintf(folder, sizeof folder, "%.*s", (int)(base - file), file);
	audit->folder_fd = open(
	    slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (audit->folder_fd < 0)
		return err_set_errno(
		    err, ERR_CONFIG, "no folder for the audit log %s", file);
	return 0;
}

/* Ours, a plain file, and nobody else's to write. */
static int
check_file(const struct audit *audit, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		err_set(err, ERR_CONFIG, "the audit log %s is no plain file",
		    audit->path);
		return err_hint(err, "name a file in a folder of its own");
	}
	if (st.st_uid == geteuid() && (st.st_mode & 022) == 0)
		return 0;
	err_set(err, ERR_CONFIG,
	    "others than this user may write the audit log %s", audit->path);
	return err_hint(err, "let it belong to kayad's user with mode 0600, "
			     "or move it away: a new one is begun");
}

/* The lock is on the head: the file itself changes its name. */
static int
open_head(struct audit *audit, enum audit_head_state *state, struct err *err)
{
	char name[AUDIT_NAME_SIZE];

	snprintf(name, sizeof name, "%.*s.head", AUDIT_BASE_MAX, audit->base);
	audit->head_fd = openat(audit->folder_fd, name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (audit->head_fd < 0)
		return err_set_errno(err, ERR_CONFIG,
		    "cannot open the audit log's head %s.head", audit->path);
	if (flock(audit->head_fd, LOCK_EX | LOCK_NB) != 0) {
		err_set(err, ERR_TAKEN,
		    "another process writes the audit log %s", audit->path);
		return err_hint(err, "stop that one, or name another file");
	}
	*state = audit_read_head(audit->head_fd, &audit->noted);
	return check_file(audit, audit->head_fd, err);
}

/* ---- what stands there ---- */

struct found {
	struct audit_report report;
	char torn[AUDIT_VALUE_MAX]; /* the beginning of what was */
	size_t torn_bytes;
};

/* The spans in the report are void: the bytes are not kept. */
static int
scan(
    int fd, const struct audit_mark *head, struct found *found, struct err *err)
{
	struct stat st;
	uint8_t *bytes = NULL;
	size_t size;

	*found = (struct found){.report.last = audit_mark_begin};
	if (fstat(fd, &st) != 0)
		return err_set_errno(err, ERR_SYSTEM, "cannot look at it");
	size = (size_t)st.st_size;
	if (size == 0) {
		found->report.finding = AUDIT_CUT;
		return 0;
	}
	bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return err_set_errno(err, ERR_SYSTEM, "cannot read it");
	audit_verify(span_of(bytes, size), NULL, head, &found->report);
	found->torn_bytes = size - found->report.good_bytes;
	memcpy(found->torn, bytes + found->report.good_bytes,
	    found->torn_bytes < sizeof found->torn ? found->torn_bytes
						   : sizeof found->torn);
	munmap(bytes, size);
	return 0;
}

/* Write an entry of opening, whose failure is no failure to open. */
static void
tell(struct audit *audit, struct audit_entry *entry)
{
	struct err err = ERR_INIT;

	(void)audit_write(audit, entry, AUDIT_DURABLE, &err);
	audit_drop(entry);
}

static void
tell_opened(struct audit *audit, enum audit_head_state head)
{
	struct audit_entry entry;

	audit_begin(&entry, "log-opened");
	if (head != AUDIT_HEAD_GOOD)
		audit_put_str(&entry, "head",
		    head == AUDIT_HEAD_NONE ? "missing" : "unreadable");
	tell(audit, &entry);
}

/* The line goes over what was torn, and the rest of that is cut off. */
static void
tell_torn(struct audit *audit, const struct found *found)
{
	struct audit_entry entry;
	size_t len = found->torn_bytes < sizeof found->torn
			 ? found->torn_bytes
			 : sizeof found->torn;

	log_event(LOG_LEVEL_WARN, "audit", "audit-torn",
	    "the last line of %s was torn by a crash: it never took effect",
	    audit->path);
	audit_begin(&entry, "log-torn");
	audit_put_u64(&entry, "bytes", found->torn_bytes);
	audit_put_span(&entry, "text", span_of(found->torn, len));
	tell(audit, &entry);
	if (ftruncate(audit->file.fd, (off_t)audit->file.end) != 0)
		log_event(LOG_LEVEL_ERROR, "audit", "audit-torn",
		    "what was torn cannot be cut off %s", audit->path);
}

/* Begin a file; a full disk puts it off. */
static int
begin(struct audit *audit, const char *from, const char *why, struct err *err)
{
	if (audit_begin_file(audit, from, why, err) == 0)
		return 0;
	if (!audit_is_full(err)) {
		err->code = ERR_CONFIG;
		return -1;
	}
	snprintf(audit->from, sizeof audit->from, "%s", from);
	audit->why = why;
	audit_put_off(audit, err);
	err_clear(err);
	return 0;
}

static int
go_on_after_damage(
    struct audit *audit, const struct found *found, struct err *err)
{
	const struct audit_report *report = &found->report;
	struct audit_entry entry;
	char name[AUDIT_NAME_SIZE];

	if (audit->noted.seq <= report->last.seq)
		audit->noted = report->last;
	audit->file.last = audit->noted;
	close(audit->file.fd);
	audit->file.fd = -1;
	audit_aside_name(audit, "damaged-", audit->noted.seq, name);
	if (audit_set_aside(audit, name, err) != 0)
		return -1;
	log_event(LOG_LEVEL_ERROR, "audit", "audit-damaged",
	    "%s, line %zu: %s; it is kept as %s", audit->path, report->line,
	    audit_finding_text(report->finding), name);
	if (begin(audit, name, "damaged", err) != 0)
		return -1;
	audit_begin(&entry, "log-damaged");
	audit_put_str(&entry, "file", name);
	audit_put_u64(&entry, "line", report->line);
	audit_put_str(&entry, "finding", audit_finding_word(report->finding));
	tell(audit, &entry);
	return 0;
}

/* There is no file, or an empty one: go on with the chain, if there is one. */
static int
go_on_without(struct audit *audit, enum audit_head_state head, struct err *err)
{
	char from[AUDIT_NAME_SIZE];
	struct found found;
	int fd;

	audit_newest_name(audit, from);
	if (head != AUDIT_HEAD_GOOD && from[0] != '\0') {
		fd = openat(
		    audit->folder_fd, from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 && scan(fd, NULL, &found, err) == 0)
			audit->noted = found.report.last;
		if (fd >= 0)
			close(fd);
	}
	audit->file.last = audit->noted;
	return begin(
	    audit, from, audit->noted.seq == 0 ? "first" : "missing", err);
}

static int
go_on_with(struct audit *audit, enum audit_head_state head, struct err *err)
{
	const struct audit_report *report;
	struct found found;

	if (check_file(audit, audit->file.fd, err) != 0 ||
	    scan(audit->file.fd, head == AUDIT_HEAD_GOOD ? &audit->noted : NULL,
		&found, err) != 0)
		return err_where(err, "%s", audit->path);
	report = &found.report;
	if (report->good_bytes == 0 && found.torn_bytes == 0) {
		close(audit->file.fd);
		audit->file.fd = -1;
		return go_on_without(audit, head, err);
	}
	if (report->finding != AUDIT_WHOLE &&
	    (report->finding != AUDIT_TORN || report->count == 0 ||
		found.torn_bytes >= AUDIT_LINE_MAX))
		return go_on_after_damage(audit, &found, err);
	audit->file.end = report->good_bytes;
	audit->file.first_seq = report->first_seq;
	audit->file.last = report->last;
	if (report->finding == AUDIT_TORN)
		tell_torn(audit, &found);
	tell_opened(audit, head);
	return 0;
}

static int
open_file(struct audit *audit, enum audit_head_state head, struct err *err)
{
	audit->file.fd = openat(audit->folder_fd, audit->base,
	    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (audit->file.fd >= 0)
		return go_on_with(audit, head, err);
	if (errno == ENOENT)
		return go_on_without(audit, head, err);
	err_set_errno(
	    err, ERR_CONFIG, "cannot open the audit log %s", audit->path);
	return err_hint(err, "let it belong to kayad's user with mode 0600");
}

static int
open_all(struct audit *audit, const char *file, struct err *err)
{
	enum audit_head_state head = AUDIT_HEAD_NONE;

	if (open_folder(audit, file, err) != 0 ||
	    open_head(audit, &head, err) != 0 ||
	    open_file(audit, head, err) != 0)
		return -1;
	audit_log_head(audit);
	audit->is_dirty = true; /* the first lines, and their head */
	return audit_start_syncer(audit, err);
}

struct audit *
audit_open(const struct audit_options *options, struct err *err)
{
	struct err own = ERR_INIT;
	struct audit *audit = make(options, &own);

	if (audit != NULL && open_all(audit, options->file, &own) == 0)
		return audit;
	if (err != NULL)
		*err = own;
	if (audit == NULL)
		return NULL;
	if (audit->file.fd >= 0)
		close(audit->file.fd);
	audit_free(audit);
	return NULL;
}
