/*
 * The file and its head, with a disk that is full, and memory that fails, at
 * any call (--wrap), and a crash at any byte.
 */

#include "audit.h"
#include "audit_verify.h"
#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- a disk and memory that fail ---- */

static struct {
	_Atomic size_t disk_asked, memory_asked;
	_Atomic size_t disk_fails_at, memory_fails_at; /* from 1; 0: never */
	_Atomic bool is_full; /* each call fails until there is room */
} world;

static bool
has_no_room(void)
{
	size_t n = ++world.disk_asked;

	if (!world.is_full && (n != world.disk_fails_at))
		return false;
	errno = ENOSPC;
	return true;
}

static bool
has_no_memory(void)
{
	return ++world.memory_asked == world.memory_fails_at;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t len, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t len, off_t at);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_openat64(int folder, const char *name, int flags, mode_t mode);
int __wrap_openat64(int folder, const char *name, int flags, mode_t mode);
int __real_renameat2(
    int a, const char *from, int b, const char *to, unsigned flags);
int __wrap_renameat2(
    int a, const char *from, int b, const char *to, unsigned flags);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_realloc(void *old, size_t size);

/* As a disk does: what still fits is written. */
ssize_t
__wrap_pwrite64(int fd, const void *bytes, size_t len, off_t at)
{
	if (!has_no_room())
		return __real_pwrite64(fd, bytes, len, at);
	(void)!__real_pwrite64(fd, bytes, len / 2, at);
	errno = ENOSPC;
	return -1;
}

int
__wrap_fdatasync(int fd)
{
	return has_no_room() ? -1 : __real_fdatasync(fd);
}

int
__wrap_openat64(int folder, const char *name, int flags, mode_t mode)
{
	return (flags & O_CREAT) != 0 && has_no_room()
		   ? -1
		   : __real_openat64(folder, name, flags, mode);
}

int
__wrap_renameat2(int a, const char *from, int b, const char *to, unsigned flags)
{
	return has_no_room() ? -1 : __real_renameat2(a, from, b, to, flags);
}

void *
__wrap_malloc(size_t size)
{
	return has_no_memory() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return has_no_memory() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *old, size_t size)
{
	return has_no_memory() ? NULL : __real_realloc(old, size);
}

/* ---- a folder for each test ---- */

static char folder[64], path[96], head_path[104];

static int
make_folder(void **state)
{
	world.is_full = false;
	world.disk_fails_at = world.memory_fails_at = 0;
	snprintf(folder, sizeof folder, "/tmp/kaya-audit-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/audit.log", folder);
	snprintf(head_path, sizeof head_path, "%s.head", path);
	return 0;
}

static int
remove_folder(void **state)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;

	world.is_full = false;
	world.disk_fails_at = world.memory_fails_at = 0;
	while ((entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(folder);
}

static bool
is_there(const char *name)
{
	char at[512];

	snprintf(at, sizeof at, "%s/%s", folder, name);
	return access(at, F_OK) == 0;
}

/* ---- a file's bytes ---- */

struct file {
	uint8_t *bytes;
	size_t len;
};

static struct file
load(const char *at)
{
	struct file file = {.bytes = NULL};
	struct stat st;
	int fd = open(at, O_RDONLY);

	assert_true(fd >= 0 && fstat(fd, &st) == 0);
	file.len = (size_t)st.st_size;
	file.bytes = malloc(file.len + 1);
	assert_non_null(file.bytes);
	assert_int_equal(read(fd, file.bytes, file.len), file.len);
	file.bytes[file.len] = '\0';
	close(fd);
	return file;
}

static size_t
size_of(const char *at)
{
	struct stat st;

	assert_int_equal(stat(at, &st), 0);
	return (size_t)st.st_size;
}

static void
store(const char *at, const void *bytes, size_t len)
{
	int fd = open(at, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

static bool
file_has(const char *at, const char *text)
{
	struct file file = load(at);
	bool has = strstr((const char *)file.bytes, text) != NULL;

	free(file.bytes);
	return has;
}

static struct audit_report
verify(const char *at, const struct audit_mark *after)
{
	struct file file = load(at);
	struct audit_report report;

	audit_verify(span_of(file.bytes, file.len), after, NULL, &report);
	report.first_time = report.last_time = span_of(NULL, 0);
	free(file.bytes);
	return report;
}

static void
assert_whole(void)
{
	struct audit_report report = verify(path, NULL);

	assert_string_equal(audit_finding_word(report.finding), "whole");
}

/* ---- lines ---- */

static struct audit *
open_with(uint64_t max_bytes, uint64_t keep)
{
	const struct audit_options options = {
	    .file = path, .max_bytes = max_bytes, .keep = keep};
	struct err err = ERR_INIT;
	struct audit *audit = audit_open(&options, &err);

	if (audit == NULL)
		print_error("%s\n", err.what);
	assert_non_null(audit);
	return audit;
}

static struct audit *
open_it(void)
{
	return open_with(0, 0);
}

static int
say(struct audit *audit, const char *event, const char *who,
    enum audit_when when)
{
	struct audit_entry entry;

	audit_begin(&entry, event);
	audit_put_str(&entry, "identity", who);
	return audit_commit(audit, &entry, when, NULL);
}

static void
assert_refused(enum err_code code, const char *what)
{
	const struct audit_options options = {.file = path};
	struct err err = ERR_INIT;

	assert_null(audit_open(&options, &err));
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.what, what));
	assert_int_not_equal(err.hint[0], '\0');
}

/* ---- tests ---- */

static void
test_lines_are_chained_over_restarts(void **state)
{
	struct audit_mark head;
	struct stat st;
	struct audit *audit = open_it();

	assert_int_equal(say(audit, "connect", "pump-7", AUDIT_SOON), 0);
	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), 0);
	audit_close(audit);
	audit = open_it();
	assert_int_equal(say(audit, "deny", "bob", AUDIT_DURABLE), 0);
	audit_head(audit, &head);
	assert_int_equal(head.seq, 5);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	audit_close(audit);
	assert_whole();
	assert_int_equal(verify(path, NULL).count, 5);
	assert_true(file_has(path, "\"event\":\"log-begins\""));
	assert_true(file_has(path, "\"event\":\"log-opened\",\"prev\""));
	assert_true(file_has(head_path, head.hash));
}

static void
test_a_durable_line_is_on_the_disk_with_its_head(void **state)
{
	struct audit *audit = open_it();
	struct audit_mark head;
	struct audit_report report;
	struct file file;

	assert_int_equal(say(audit, "release", "ann", AUDIT_DURABLE), 0);
	audit_head(audit, &head);
	assert_true(file_has(head_path, head.hash));
	file = load(path);
	audit_verify(span_of(file.bytes, file.len), NULL, &head, &report);
	assert_int_equal(report.finding, AUDIT_WHOLE);
	free(file.bytes);
	audit_close(audit);
}

/* Nobody waits for it, and nobody asks for it. */
static void
test_a_line_that_may_wait_has_its_head_in_a_second_or_so(void **state)
{
	struct audit *audit = open_it();
	struct audit_mark head;
	uint64_t until = clock_monotonic_ms() + 30000;

	assert_int_equal(say(audit, "connect", "pump-7", AUDIT_SOON), 0);
	audit_head(audit, &head);
	while (!file_has(head_path, head.hash)) {
		assert_true(clock_monotonic_ms() < until);
		usleep(10000);
	}
	audit_close(audit);
}

static void
test_one_writer_at_a_time(void **state)
{
	struct audit *audit = open_it();

	assert_refused(ERR_TAKEN, "another process");
	audit_close(audit);
	audit_close(open_it());
}

static void
test_a_file_that_others_may_write_is_refused(void **state)
{
	audit_close(open_it());
	assert_int_equal(chmod(path, 0620), 0);
	assert_refused(ERR_CONFIG, "others");
	assert_int_equal(chmod(path, 0640), 0);
	audit_close(open_it());
}

static void
test_what_is_no_file_or_has_no_folder_is_refused(void **state)
{
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_refused(ERR_CONFIG, "cannot open");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(ERR_CONFIG, "no plain file");
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof path, "%s/nowhere/audit.log", folder);
	assert_refused(ERR_CONFIG, "no folder");
}

/* As kill -9 may leave it: the last line is cut at every byte. */
static void
test_a_line_torn_by_a_crash_is_told_of_at_the_next_start(void **state)
{
	struct audit *audit = open_it();
	struct audit_mark head;
	struct file whole, noted;
	size_t before;

	audit_head(audit, &head);
	before = size_of(path);
	noted = load(head_path);
	assert_int_equal(say(audit, "approve", "ann", AUDIT_SOON), 0);
	audit_close(audit);
	whole = load(path);
	for (size_t len = before + 1; len < whole.len; len++) {
		char said[64];

		store(path, whole.bytes, len);
		store(head_path, noted.bytes, noted.len);
		audit_close(open_it());
		assert_whole();
		snprintf(said, sizeof said,
		    "\"event\":\"log-torn\",\"bytes\":%zu,", len - before);
		assert_true(file_has(path, said));
		assert_int_equal(verify(path, NULL).count, 3);
	}
	free(whole.bytes);
	free(noted.bytes);
}

/* What the head knows of was on the disk: it can only have been taken away. */
static void
test_a_cut_is_no_crash(void **state)
{
	struct audit *audit = open_it();
	struct audit_report report, old;
	struct audit_mark head;
	struct file whole, noted;
	char damaged[160], name[64];
	size_t before;

	before = size_of(path);
	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), 0);
	audit_head(audit, &head);
	audit_close(audit);
	whole = load(path);
	noted = load(head_path);
	snprintf(name, sizeof name, "audit.log.damaged-%012d", (int)head.seq);
	snprintf(damaged, sizeof damaged, "%s/%s", folder, name);
	for (size_t len = 1; len < whole.len; len += len < before ? 37 : 1) {
		store(path, whole.bytes, len);
		store(head_path, noted.bytes, noted.len);
		unlink(damaged);
		audit_close(open_it());
		assert_whole();
		assert_true(is_there(name));
		assert_true(file_has(path, "\"why\":\"damaged\""));
		assert_true(file_has(path, "\"event\":\"log-damaged\""));
		/* The new one shows the gap, whoever looks at both. */
		old = verify(damaged, NULL);
		report = verify(path, &old.last);
		assert_int_equal(report.finding, AUDIT_REMOVED);
		assert_int_equal(verify(path, &head).finding, AUDIT_WHOLE);
	}
	free(whole.bytes);
	free(noted.bytes);
}

static void
test_a_file_that_was_altered_is_kept_as_it_is(void **state)
{
	struct audit *audit = open_it();
	struct file whole, kept;
	struct audit_mark head;
	char damaged[160];

	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), 0);
	audit_head(audit, &head);
	audit_close(audit);
	whole = load(path);
	whole.bytes[whole.len / 2] ^= 1;
	store(path, whole.bytes, whole.len);
	audit_close(open_it());
	snprintf(
	    damaged, sizeof damaged, "%s.damaged-%012d", path, (int)head.seq);
	kept = load(damaged);
	assert_int_equal(kept.len, whole.len);
	assert_memory_equal(kept.bytes, whole.bytes, whole.len);
	assert_whole();
	assert_int_equal(verify(path, &head).finding, AUDIT_WHOLE);
	free(whole.bytes);
	free(kept.bytes);
}

static void
test_a_head_that_is_lost_is_told_of(void **state)
{
	audit_close(open_it());
	assert_int_equal(unlink(head_path), 0);
	audit_close(open_it());
	assert_true(file_has(path, "\"head\":\"missing\""));
	store(head_path, "nonsense", 8);
	audit_close(open_it());
	assert_true(file_has(path, "\"head\":\"unreadable\""));
	assert_whole();
}

static void
test_a_file_that_is_lost_leaves_a_gap_that_is_seen(void **state)
{
	struct audit *audit = open_it();
	struct audit_mark head;

	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), 0);
	audit_head(audit, &head);
	audit_close(audit);
	assert_int_equal(unlink(path), 0);
	audit_close(open_it());
	assert_true(file_has(path, "\"why\":\"missing\""));
	assert_int_equal(verify(path, &head).finding, AUDIT_WHOLE);
	assert_true(verify(path, NULL).first_seq == 3);
}

/* ---- rotation ---- */

static void
name_aside(char *at, size_t size, uint64_t first_seq)
{
	snprintf(at, size, "%s.%012ju", path, (uintmax_t)first_seq);
}

static void
test_rotation_by_size_keeps_the_chain(void **state)
{
	struct audit *audit = open_with(1500, 0);
	struct audit_report report;
	struct audit_mark mark = audit_mark_begin;
	char at[160];
	size_t files = 0;

	for (int i = 0; i < 50; i++)
		assert_int_equal(
		    say(audit, "connect", "pump-7", AUDIT_SOON), 0);
	audit_close(audit);
	for (;; files++) {
		name_aside(at, sizeof at, mark.seq + 1);
		if (access(at, F_OK) != 0)
			break;
		report = verify(at, &mark);
		assert_int_equal(report.finding, AUDIT_WHOLE);
		assert_true(report.good_bytes < 1500 + 400);
		mark = report.last;
	}
	assert_true(files > 5);
	assert_int_equal(verify(path, &mark).finding, AUDIT_WHOLE);
	assert_true(file_has(path, "\"why\":\"size\""));
	name_aside(at, sizeof at, 1);
	assert_false(file_has(at, "\"from\""));
}

static void
test_the_new_file_names_the_old_one(void **state)
{
	struct audit *audit = open_it();
	char from[160], at[160];

	assert_int_equal(audit_rotate(audit, NULL), 0);
	audit_close(audit);
	name_aside(at, sizeof at, 1);
	snprintf(from, sizeof from, "\"from\":\"%s\"", strrchr(at, '/') + 1);
	assert_true(file_has(path, from));
	assert_true(file_has(path, "\"why\":\"asked\""));
}

static void
test_the_oldest_are_removed_and_that_is_said(void **state)
{
	struct audit *audit = open_with(0, 2);
	char at[160];

	for (int i = 0; i < 5; i++)
		assert_int_equal(audit_rotate(audit, NULL), 0);
	audit_close(audit);
	name_aside(at, sizeof at, 1);
	assert_int_not_equal(access(at, F_OK), 0);
	assert_true(file_has(path, "\"event\":\"log-removed\""));
	audit_close(open_it());
	assert_whole();
}

static void
test_a_file_that_was_moved_away_is_followed_by_another(void **state)
{
	struct audit *audit = open_it();
	struct audit_report report;
	char moved[160];

	assert_int_equal(audit_follow(audit, NULL), 0);
	assert_int_equal(say(audit, "connect", "pump-7", AUDIT_DURABLE), 0);
	snprintf(moved, sizeof moved, "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	store(path, "", 0); /* as logrotate's "create" does */
	assert_int_equal(audit_follow(audit, NULL), 0);
	assert_int_equal(say(audit, "connect", "pump-8", AUDIT_DURABLE), 0);
	audit_close(audit);
	report = verify(moved, NULL);
	assert_int_equal(verify(path, &report.last).finding, AUDIT_WHOLE);
	assert_true(file_has(path, "\"from\":\"audit.log.1\""));
	assert_true(file_has(path, "pump-8"));
}

static void
test_a_file_of_somebody_else_is_not_overwritten(void **state)
{
	struct audit *audit = open_it();
	char moved[160];

	snprintf(moved, sizeof moved, "%s.1", path);
	assert_int_equal(rename(path, moved), 0);
	store(path, "mine\n", 5);
	assert_int_equal(audit_follow(audit, NULL), -1);
	assert_true(file_has(path, "mine\n"));
	/* What is decided is still written. */
	assert_int_equal(say(audit, "connect", "pump-7", AUDIT_DURABLE), 0);
	assert_true(file_has(moved, "pump-7"));
	audit_close(audit);
}

/* ---- a full disk ---- */

static void
test_a_full_disk_refuses_and_goes_on_by_itself(void **state)
{
	struct audit *audit = open_it();

	assert_true(audit_is_writable(audit));
	world.is_full = true;
	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), -1);
	assert_false(audit_is_writable(audit));
	assert_int_equal(say(audit, "connect", "pump-7", AUDIT_SOON), -1);
	assert_int_equal(say(audit, "connect", "pump-8", AUDIT_SOON), -1);
	world.is_full = false;
	assert_true(audit_is_writable(audit));
	assert_int_equal(say(audit, "approve", "bob", AUDIT_DURABLE), 0);
	audit_close(audit);
	assert_whole();
	assert_true(file_has(path, "\"event\":\"log-resumed\",\"lost\":3,"));
	assert_false(file_has(path, "\"ann\""));
	assert_true(file_has(path, "\"bob\""));
}

/* The system's own limit, and what it really does. */
static void
test_a_file_that_may_not_grow_is_a_full_disk(void **state)
{
	struct audit *audit = open_it();
	struct rlimit before, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = before;
	/* In the middle of the next line. */
	small.rlim_cur = size_of(path) + 100;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), -1);
	assert_false(audit_is_writable(audit));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(say(audit, "approve", "bob", AUDIT_DURABLE), 0);
	audit_close(audit);
	assert_whole();
	assert_true(file_has(path, "\"event\":\"log-resumed\",\"lost\":1,"));
	assert_false(file_has(path, "\"ann\""));
}

static void
test_it_goes_on_though_nobody_asks(void **state)
{
	struct audit *audit = open_it();
	uint64_t until = clock_monotonic_ms() + 30000;

	world.is_full = true;
	assert_int_equal(say(audit, "approve", "ann", AUDIT_DURABLE), -1);
	world.is_full = false;
	while (!file_has(path, "log-resumed")) {
		assert_true(clock_monotonic_ms() < until);
		usleep(10000);
	}
	audit_close(audit);
}

static void
test_a_disk_that_is_full_from_the_start_is_no_failure(void **state)
{
	const struct audit_options options = {.file = path};
	struct audit *audit;

	store(head_path, "", 0);
	/* The head is there; then a file is made, written, synced, placed. */
	for (size_t n = 2; n <= 5; n++) {
		unlink(path);
		store(head_path, "", 0);
		world.disk_asked = 0;
		world.disk_fails_at = n;
		audit = audit_open(&options, NULL);
		assert_non_null(audit);
		assert_true(audit_is_writable(audit));
		assert_int_equal(
		    say(audit, "approve", "ann", AUDIT_DURABLE), 0);
		audit_close(audit);
		assert_whole();
		assert_true(file_has(path, "log-resumed"));
	}
}

/*
 * Each call on the disk fails once: what was promised stands, the file is
 * whole, and it goes on.
 */
static void
test_a_disk_that_fails_once_at_any_call(void **state)
{
	size_t n = 0;

	do {
		struct audit *audit;
		char at[160];
		bool first, second;

		remove_folder(state);
		make_folder(state);
		audit = open_it();
		world.disk_asked = 0;
		world.disk_fails_at = ++n;
		first = say(audit, "approve", "ann", AUDIT_DURABLE) == 0;
		(void)say(audit, "connect", "pump-7", AUDIT_SOON);
		(void)audit_rotate(audit, NULL);
		second = say(audit, "approve", "bob", AUDIT_DURABLE) == 0;
		/* One call fails, so of two lines one comes through. */
		assert_true(say(audit, "deny", "eve", AUDIT_DURABLE) == 0 ||
			    say(audit, "deny", "eve", AUDIT_DURABLE) == 0);
		audit_close(audit);
		world.disk_fails_at = 0;
		audit_close(open_it());
		assert_whole();
		name_aside(at, sizeof at, 1);
		if (access(at, F_OK) != 0)
			snprintf(at, sizeof at, "%s", path);
		assert_int_equal(verify(at, NULL).finding, AUDIT_WHOLE);
		assert_true(file_has(at, "\"ann\"") == first ||
			    file_has(path, "\"ann\"") == first);
		assert_true(file_has(path, "\"bob\"") == second);
	} while (world.disk_asked >= n && n < 200);
	assert_true(n > 10 && n < 200);
}

static void
test_memory_that_fails_at_any_call(void **state)
{
	size_t n = 0;
	bool failed;

	do {
		const struct audit_options options = {.file = path};
		struct audit *audit;
		struct err err = ERR_INIT;

		remove_folder(state);
		make_folder(state);
		failed = false;
		world.memory_asked = 0;
		world.memory_fails_at = ++n;
		audit = audit_open(&options, &err);
		if (audit == NULL) {
			assert_int_not_equal(err.code, ERR_NONE);
			failed = true;
			continue;
		}
		if (say(audit, "approve", "ann", AUDIT_DURABLE) != 0)
			failed = true;
		if (audit_rotate(audit, &err) != 0)
			failed = true;
		world.memory_fails_at = 0;
		assert_int_equal(say(audit, "deny", "eve", AUDIT_DURABLE), 0);
		audit_close(audit);
		assert_whole();
	} while (world.memory_asked >= n && n < 200);
	assert_true(n > 4 && n < 200);
	assert_true(!failed);
}

static void
test_an_audit_that_is_off_takes_everything(void **state)
{
	struct audit_mark head;

	assert_int_equal(say(NULL, "approve", "ann", AUDIT_DURABLE), 0);
	assert_true(audit_is_writable(NULL));
	assert_int_equal(audit_rotate(NULL, NULL), 0);
	assert_int_equal(audit_follow(NULL, NULL), 0);
	audit_head(NULL, &head);
	assert_int_equal(head.seq, 0);
	audit_close(NULL);
}

int
main(void)
{
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(test_##name, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
	    TEST(lines_are_chained_over_restarts),
	    TEST(a_durable_line_is_on_the_disk_with_its_head),
	    TEST(a_line_that_may_wait_has_its_head_in_a_second_or_so),
	    TEST(one_writer_at_a_time),
	    TEST(a_file_that_others_may_write_is_refused),
	    TEST(what_is_no_file_or_has_no_folder_is_refused),
	    TEST(a_line_torn_by_a_crash_is_told_of_at_the_next_start),
	    TEST(a_cut_is_no_crash),
	    TEST(a_file_that_was_altered_is_kept_as_it_is),
	    TEST(a_head_that_is_lost_is_told_of),
	    TEST(a_file_that_is_lost_leaves_a_gap_that_is_seen),
	    TEST(rotation_by_size_keeps_the_chain),
	    TEST(the_new_file_names_the_old_one),
	    TEST(the_oldest_are_removed_and_that_is_said),
	    TEST(a_file_that_was_moved_away_is_followed_by_another),
	    TEST(a_file_of_somebody_else_is_not_overwritten),
	    TEST(a_full_disk_refuses_and_goes_on_by_itself),
	    TEST(a_file_that_may_not_grow_is_a_full_disk),
	    TEST(it_goes_on_though_nobody_asks),
	    TEST(a_disk_that_is_full_from_the_start_is_no_failure),
	    TEST(a_disk_that_fails_once_at_any_call),
	    TEST(memory_that_fails_at_any_call),
	    TEST(an_audit_that_is_off_takes_everything),
	};
#undef TEST
	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
