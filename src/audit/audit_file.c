#include "audit_private.h"

#include "audit_chain.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

/* ---- lines ---- */

static int
write_at(int fd, struct span bytes, uint64_t offset)
{
	while (bytes.len > 0) {
		ssize_t n = pwrite(fd, bytes.data, bytes.len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		bytes = span_of(bytes.data + n, bytes.len - (size_t)n);
		offset += (uint64_t)n;
	}
	return 0;
}

int
audit_file_write(struct audit_file *file, struct span fields, struct err *err)
{
	char line[AUDIT_LINE_MAX], time[CLOCK_TEXT_SIZE];
	struct audit_mark mark = file->last;
	size_t len;

	clock_wall_text(time);
	len = audit_line_encode(fields, time, &mark, line);
	if (write_at(file->fd, span_of(line, len), file->end) != 0) {
		err_set_errno(err, ERR_FAILED, "cannot write the audit log");
		/* Where this fails too, the next line goes over the rest. */
		if (ftruncate(file->fd, (off_t)file->end) != 0)
			return -1;
		return -1;
	}
	file->end += len;
	file->last = mark;
	if (file->first_seq == 0)
		file->first_seq = mark.seq;
	return 0;
}

bool
audit_is_full(const struct err *err)
{
	return err->os_errno == ENOSPC || err->os_errno == EDQUOT ||
	       err->os_errno == EFBIG;
}

int
audit_file_sync(const struct audit_file *file, struct err *err)
{
	if (fdatasync(file->fd) != 0)
		return err_set_errno(
		    err, ERR_FAILED, "cannot sync the audit log");
	return 0;
}

/* ---- the head: one line that never changes its length ---- */

enum { HEAD_SEQ_DIGITS = 20, HEAD_LEN = HEAD_SEQ_DIGITS + AUDIT_HASH_SIZE + 1 };

int
audit_note_head(
    struct audit *audit, const struct audit_mark *mark, struct err *err)
{
	char text[HEAD_LEN + 1];

	if (audit_mark_is_same(&audit->noted, mark))
		return 0;
	snprintf(text, sizeof text, "%0*" PRIu64 " %s\n", HEAD_SEQ_DIGITS,
	    mark->seq, mark->hash);
	if (write_at(audit->head_fd, span_of(text, HEAD_LEN), 0) != 0 ||
	    fdatasync(audit->head_fd) != 0)
		return err_set_errno(
		    err, ERR_FAILED, "cannot write the audit log's head");
	audit->noted = *mark;
	return 0;
}

enum audit_head_state
audit_read_head(int fd, struct audit_mark *mark)
{
	char text[HEAD_LEN + 1];
	ssize_t len = pread(fd, text, sizeof text, 0);

	if (len > 0 && audit_chain_read_head(span_of(text, (size_t)len), mark))
		return AUDIT_HEAD_GOOD;
	*mark = audit_mark_begin;
	return len == 0 ? AUDIT_HEAD_NONE : AUDIT_HEAD_BAD;
}

void
audit_log_head(struct audit *audit)
{
	struct log_line line;

	audit->logged_ms = clock_monotonic_ms();
	if (!log_begin(&line, LOG_LEVEL_INFO, "audit", "audit-head"))
		return;
	log_str(&line, "file", audit->path);
	log_u64(&line, "seq", audit->file.last.seq);
	log_str(&line, "hash", audit->file.last.hash);
	log_end(&line);
}
