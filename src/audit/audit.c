#include "audit_private.h"

#include "log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
	SYNC_AFTER_MS = 800,
	LOG_HEAD_MS = 3600 * 1000,
	ROOM_BYTES = 64 << 10,
};

/* ---- lines that were lost ---- */

void
audit_put_off(struct audit *audit, const struct err *err)
{
	if (audit->is_broken)
		return;
	audit->is_broken = true;
	audit->cause = *err;
	err_where(&audit->cause, "%s", audit->path);
	err_hint(&audit->cause,
	    "make room; until then what needs approval is refused");
	log_err(LOG_LEVEL_ERROR, "audit", "audit-unwritable", &audit->cause);
	pthread_cond_signal(&audit->wake);
}

static int
write_durable(struct audit *audit, struct span fields, struct err *err)
{
	const struct audit_file before = audit->file;
	struct err head_err = ERR_INIT;

	if (audit_file_write(&audit->file, fields, err) != 0)
		return -1;
	if (audit_file_sync(&audit->file, err) != 0) {
		/* The next line goes over it. */
		audit->file = before;
		if (ftruncate(before.fd, (off_t)before.end) != 0)
			return -1;
		return -1;
	}
	/* The line stands, whatever becomes of its head. */
	if (audit_note_head(audit, &audit->file.last, &head_err) != 0)
		audit_put_off(audit, &head_err);
	return 0;
}

/* Enough that the next lines do not find the disk full again at once. */
static int
reserve(const struct audit *audit, struct err *err)
{
	struct err own = ERR_INIT;

	if (fallocate(audit->file.fd, FALLOC_FL_KEEP_SIZE,
		(off_t)audit->file.end, ROOM_BYTES) == 0)
		return 0;
	err_set_errno(&own, ERR_FAILED, "no room for the audit log");
	if (!audit_is_full(&own))
		return 0; /* a file system that cannot reserve */
	*err = own;
	return -1;
}

/* Where lines were lost, a line that says so comes before any other. */
static int
resume(struct audit *audit, struct err *err)
{
	struct audit_entry entry;
	struct log_line line;
	int result = -1;

	if (!audit->is_broken && audit->lost == 0)
		return 0;
	if (audit->file.fd < 0 &&
	    audit_begin_file(audit, audit->from, audit->why, err) != 0)
		return -1;
	if (audit->is_broken && reserve(audit, err) != 0)
		return -1;
	audit_begin(&entry, "log-resumed");
	audit_put_u64(&entry, "lost", audit->lost);
	audit_put_str(&entry, "cause", audit->cause.what);
	if (entry.fields.failed) {
		err_set(err, ERR_NOMEM, "no memory for a line");
	} else {
		audit->is_broken = false;
		result = write_durable(audit, buf_span(&entry.fields), err);
		if (result != 0)
			audit->is_broken = true;
	}
	audit_drop(&entry);
	if (result != 0)
		return -1;
	if (log_begin(&line, LOG_LEVEL_WARN, "audit", "audit-resumed")) {
		log_str(&line, "file", audit->path);
		log_u64(&line, "lost", audit->lost);
		log_end(&line);
	}
	audit->lost = 0;
	return 0;
}

/* ---- lines ---- */

static void
rotate_by_size(struct audit *audit)
{
	struct err err = ERR_INIT;

	if (audit->max_bytes == 0 || audit->file.end < audit->max_bytes ||
	    audit->file.end < audit->no_rotation_before ||
	    audit_next_file(audit, "size", &err) == 0)
		return;
	audit->no_rotation_before = audit->file.end + audit->max_bytes / 8;
	log_err(LOG_LEVEL_WARN, "audit", "audit-rotation", &err);
}

int
audit_write(struct audit *audit, const struct audit_entry *entry,
    enum audit_when when, struct err *err)
{
	struct span fields = buf_span(&entry->fields);
	int result = -1;

	if (entry->fields.failed) {
		err_set(err, ERR_NOMEM, "no memory for a line");
		if (!audit->is_broken)
			audit->cause = *err;
	} else if (resume(audit, err) == 0) {
		result = when == AUDIT_DURABLE
			     ? write_durable(audit, fields, err)
			     : audit_file_write(&audit->file, fields, err);
		if (result != 0)
			audit_put_off(audit, err);
	}
	if (result != 0) {
		audit->lost++;
		return err_where(err, "%s", audit->path);
	}
	if (when == AUDIT_SOON && !audit->is_dirty) {
		audit->is_dirty = true;
		pthread_cond_signal(&audit->wake);
	}
	rotate_by_size(audit);
	return 0;
}

int
audit_commit(struct audit *audit, struct audit_entry *entry,
    enum audit_when when, struct err *err)
{
	struct err own = ERR_INIT;
	int result = 0;

	if (audit != NULL) {
		pthread_mutex_lock(&audit->lock);
		result = audit_write(audit, entry, when, &own);
		pthread_mutex_unlock(&audit->lock);
	}
	audit_drop(entry);
	if (result != 0 && err != NULL)
		*err = own;
	return result;
}

bool
audit_is_writable(struct audit *audit)
{
	struct err err = ERR_INIT;
	bool is_writable;

	if (audit == NULL)
		return true;
	pthread_mutex_lock(&audit->lock);
	is_writable = resume(audit, &err) == 0 && !audit->is_broken;
	pthread_mutex_unlock(&audit->lock);
	return is_writable;
}

int
audit_rotate(struct audit *audit, struct err *err)
{
	int result;

	if (audit == NULL)
		return 0;
	pthread_mutex_lock(&audit->lock);
	result = resume(audit, err);
	if (result == 0)
		result = audit_next_file(audit, "asked", err);
	pthread_mutex_unlock(&audit->lock);
	return result;
}

static int
follow(struct audit *audit, struct err *err)
{
	if (audit->file.fd < 0 || !audit_was_moved(audit))
		return 0;
	return audit_next_file(audit, "moved", err);
}

int
audit_follow(struct audit *audit, struct err *err)
{
	int result;

	if (audit == NULL)
		return 0;
	pthread_mutex_lock(&audit->lock);
	result = follow(audit, err);
	pthread_mutex_unlock(&audit->lock);
	return result;
}

void
audit_head(struct audit *audit, struct audit_mark *head)
{
	*head = audit_mark_begin;
	if (audit == NULL)
		return;
	pthread_mutex_lock(&audit->lock);
	*head = audit->file.last;
	pthread_mutex_unlock(&audit->lock);
}

/* ---- the thread that syncs ---- */

/* Without the lock while the disk works: a storm of lines does not wait. */
static void
sync_lines(struct audit *audit)
{
	const struct audit_mark mark = audit->file.last;
	struct audit_file file = audit->file;
	struct err err = ERR_INIT;
	int result;

	audit->is_dirty = false;
	file.fd = dup(file.fd);
	pthread_mutex_unlock(&audit->lock);
	result = audit_file_sync(&file, &err);
	if (file.fd >= 0)
		close(file.fd);
	pthread_mutex_lock(&audit->lock);
	if (result == 0 && mark.seq > audit->noted.seq)
		result = audit_note_head(audit, &mark, &err);
	if (result != 0)
		audit_put_off(audit, &err);
}

static void
turn(struct audit *audit)
{
	struct err err = ERR_INIT;

	if (audit->is_broken && resume(audit, &err) != 0)
		return;
	if (follow(audit, &err) != 0)
		log_err(LOG_LEVEL_WARN, "audit", "audit-rotation", &err);
	if (audit->is_dirty)
		sync_lines(audit);
	if (clock_monotonic_ms() - audit->logged_ms >= LOG_HEAD_MS)
		audit_log_head(audit);
}

/* Until there is something to do, and then for a while, so that more comes. */
static void
wait_for_lines(struct audit *audit)
{
	struct timespec until;

	while (!audit->is_dirty && !audit->is_broken && !audit->is_ending)
		pthread_cond_wait(&audit->wake, &audit->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += SYNC_AFTER_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	while (!audit->is_ending &&
	       pthread_cond_timedwait(&audit->wake, &audit->lock, &until) == 0)
		;
}

static void *
run_syncer(void *arg)
{
	struct audit *audit = arg;

	pthread_mutex_lock(&audit->lock);
	while (!audit->is_ending) {
		wait_for_lines(audit);
		if (!audit->is_ending)
			turn(audit);
	}
	pthread_mutex_unlock(&audit->lock);
	return NULL;
}

int
audit_start_syncer(struct audit *audit, struct err *err)
{
	sigset_t all, before;
	int result;

	/* Signals are for those who made us. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	result = pthread_create(&audit->syncer, NULL, run_syncer, audit);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		return err_set(err, ERR_SYSTEM, "no thread for the audit log");
	audit->has_syncer = true;
	return 0;
}

void
audit_close(struct audit *audit)
{
	struct err err = ERR_INIT;

	if (audit == NULL)
		return;
	pthread_mutex_lock(&audit->lock);
	audit->is_ending = true;
	pthread_cond_signal(&audit->wake);
	pthread_mutex_unlock(&audit->lock);
	if (audit->has_syncer)
		pthread_join(audit->syncer, NULL);
	if (audit->file.fd >= 0) {
		if (audit_file_sync(&audit->file, &err) == 0 &&
		    audit->file.last.seq > 0)
			(void)audit_note_head(audit, &audit->file.last, &err);
		if (err.code != ERR_NONE)
			log_err(LOG_LEVEL_ERROR, "audit", "audit-close", &err);
		audit_log_head(audit);
		close(audit->file.fd);
	}
	audit_free(audit);
}
