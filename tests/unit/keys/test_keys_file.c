/*
 * Files on the disk.  The linker puts the calls below in the place of the C
 * library's (--wrap), so that each of them can fail.
 */

#include "keys_file.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

int __real_fsync(int fd);
int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
ssize_t __real_write(int fd, const void *data, size_t len);
int __real_fchmod(int fd, mode_t mode);
int __wrap_fsync(int fd);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __wrap_fchmod(int fd, mode_t mode);

static struct {
	bool write;
	bool fchmod;
	bool renameat;
	int fsync; /* the nth */
	bool writes_by_bytes;
	int dies_at; /* the nth of all these calls: kill -9 */
	/* Somebody else's doing, between our reading and our replacing. */
	const char *meanwhile;
} fails;

static void
step(void)
{
	if (fails.dies_at > 0 && --fails.dies_at == 0)
		raise(SIGKILL);
}

int
__wrap_fsync(int fd)
{
	step();
	if (fails.fsync > 0 && --fails.fsync == 0) {
		errno = EIO;
		return -1;
	}
	return __real_fsync(fd);
}

int
__wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	step();
	if (fails.renameat) {
		errno = EIO;
		return -1;
	}
	return __real_renameat(from_fd, from, to_fd, to);
}

ssize_t
__wrap_write(int fd, const void *data, size_t len)
{
	step();
	if (fails.write) {
		/* A disk that is full takes what it can. */
		fails.write = len > 3;
		if (fails.write)
			return __real_write(fd, data, 3);
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, data, fails.writes_by_bytes ? 1 : len);
}

int
__wrap_fchmod(int fd, mode_t mode)
{
	step();
	if (fails.fchmod) {
		errno = EPERM;
		return -1;
	}
	return __real_fchmod(fd, mode);
}

/* ---- a folder for each test ---- */

static char folder[64];

static const char *
path_of(const char *name)
{
	static char paths[4][512];
	static unsigned turn;
	char *path = paths[turn++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", folder, name);
	return path;
}

static void
put(const char *name, const char *text, mode_t mode)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(
	    __real_write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(__real_fchmod(fd, mode), 0);
	close(fd);
}

static void
expect(const char *name, const char *text)
{
	char found[256] = "";
	int fd = open(path_of(name), O_RDONLY);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, found, sizeof found - 1);
	close(fd);
	assert_true(n >= 0);
	assert_string_equal(found, text);
}

static int
make_folder(void **state)
{
	(void)state;
	memset(&fails, 0, sizeof fails);
	strcpy(folder, "/tmp/kaya-keys-file-XXXXXX");
	return mkdtemp(folder) == NULL ? -1 : 0;
}

static int
remove_folder(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof command, "rm -r '%s'", folder);
	return system(command);
}

/* ---- reading ---- */

static void
a_file_is_read_whole(void **state)
{
	struct keys_files files;

	(void)state;
	put("keys", "one\n", 0600);
	assert_int_equal(
	    keys_files_open(&files, path_of("keys"), KEYS_FILES_READ, NULL), 0);
	assert_int_equal(files.count, 1);
	assert_true(files.items[0].exists && !files.is_folder);
	assert_true(span_is(files.items[0].bytes, "one\n"));
	keys_files_close(&files);
}

static void
a_folder_is_read_by_names_without_working_copies(void **state)
{
	struct keys_files files;

	(void)state;
	put("b", "2", 0600);
	put("a", "1", 0600);
	put("a~", "no", 0600);
	put(".a", "no", 0600);
	assert_int_equal(mkdir(path_of("c"), 0700), 0);
	assert_int_equal(
	    keys_files_open(&files, folder, KEYS_FILES_READ, NULL), 0);
	assert_true(files.is_folder);
	assert_int_equal(files.count, 2);
	assert_string_equal(files.items[0].name, path_of("a"));
	assert_true(span_is(files.items[1].bytes, "2"));
	keys_files_close(&files);
}

static void
what_cannot_be_read_is_told(void **state)
{
	struct keys_files files;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(
	    keys_files_open(&files, path_of("keys"), KEYS_FILES_READ, &err),
	    -1);
	assert_int_equal(err.os_errno, ENOENT);
	assert_true(err.hint[0] != '\0');
	assert_int_equal(keys_files_open(&files, path_of("no/keys"),
			     KEYS_FILES_CHANGE, &err),
	    -1);
	assert_non_null(strstr(err.hint, "mkdir"));
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	assert_int_equal(
	    keys_files_open(&files, path_of("pipe"), KEYS_FILES_READ, &err),
	    -1);
	assert_int_equal(symlink("nowhere", path_of("link")), 0);
	assert_int_equal(
	    keys_files_open(&files, path_of("link"), KEYS_FILES_CHANGE, &err),
	    -1);
}

/* ---- replacing ---- */

static int
replace(const char *name, const char *text, struct err *err)
{
	struct keys_files files;
	int result;

	assert_int_equal(
	    keys_files_open(&files, path_of(name), KEYS_FILES_CHANGE, err), 0);
	if (fails.meanwhile != NULL)
		put(name, fails.meanwhile, 0600);
	result = keys_file_replace(&files.items[0], span_of_str(text), err);
	keys_files_close(&files);
	return result;
}

static void
expect_nothing_else(const char *name)
{
	struct keys_files files;

	assert_int_equal(access(path_of(".keys.kaya~"), F_OK), -1);
	assert_int_equal(
	    keys_files_open(&files, folder, KEYS_FILES_READ, NULL), 0);
	assert_int_equal(files.count, 1);
	assert_string_equal(files.items[0].name, path_of(name));
	keys_files_close(&files);
}

static void
a_file_is_replaced_with_its_mode(void **state)
{
	struct stat st;

	(void)state;
	put("keys", "old", 0640);
	assert_int_equal(replace("keys", "new", NULL), 0);
	expect("keys", "new");
	assert_int_equal(stat(path_of("keys"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	expect_nothing_else("keys");
}

static void
need_root(void)
{
	if (geteuid() != 0) {
		print_message("only root gives files away\n");
		skip();
	}
}

static void
a_file_keeps_its_owner_where_root_replaces_it(void **state)
{
	struct stat st;

	(void)state;
	need_root();
	put("keys", "old", 0600);
	assert_int_equal(chown(path_of("keys"), 12345, 54321), 0);
	assert_int_equal(replace("keys", "new", NULL), 0);
	assert_int_equal(stat(path_of("keys"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 54321);
}

/* By the owner himself, who is not of the file's group: its exit status. */
static int
replace_as_owner(mode_t mode)
{
	int status;
	pid_t pid;

	put("keys", "old", mode);
	assert_int_equal(chown(path_of("keys"), 12345, 54321), 0);
	assert_int_equal(chown(folder, 12345, 12345), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(12345) != 0 || setuid(12345) != 0)
			_exit(2);
		_exit(replace("keys", "new", NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void
a_group_is_kept_unless_it_may_nothing(void **state)
{
	(void)state;
	need_root();
	assert_int_equal(replace_as_owner(0640), 1);
	expect("keys", "old");
	assert_int_equal(replace_as_owner(0600), 0);
	expect("keys", "new");
}

static void
a_new_file_is_of_its_folders_owner_alone(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() == 0)
		assert_int_equal(chown(folder, 12345, 54321), 0);
	assert_int_equal(replace("keys", "new", NULL), 0);
	expect("keys", "new");
	assert_int_equal(stat(path_of("keys"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(st.st_uid, geteuid() == 0 ? 12345 : geteuid());
}

static void
a_symbolic_link_stays_and_its_target_is_replaced(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(mkdir(path_of("real"), 0700), 0);
	put("real/keys", "old", 0600);
	assert_int_equal(symlink("real/keys", path_of("keys")), 0);
	assert_int_equal(replace("keys", "new", NULL), 0);
	expect("real/keys", "new");
	assert_int_equal(lstat(path_of("keys"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void
a_link_of_somebody_elses_is_not_followed_to_change_a_file(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	need_root();
	put("root", "old", 0600);
	assert_int_equal(symlink("root", path_of("keys")), 0);
	assert_int_equal(lchown(path_of("keys"), 12345, 12345), 0);
	assert_int_equal(replace("keys", "new", &err), -1);
	assert_non_null(strstr(err.hint, path_of("root")));
	expect("root", "old");
	assert_int_equal(chown(path_of("root"), 12345, 12345), 0);
	assert_int_equal(replace("keys", "new", NULL), 0);
	expect("root", "new");
}

static void
short_writes_make_no_difference(void **state)
{
	(void)state;
	put("keys", "old", 0600);
	fails.writes_by_bytes = true;
	assert_int_equal(replace("keys", "new and longer", NULL), 0);
	expect("keys", "new and longer");
}

static void
expect_failure(void)
{
	struct err err = ERR_INIT;

	put("keys", "old", 0600);
	assert_int_equal(replace("keys", "new and longer", &err), -1);
	assert_true(err.what[0] != '\0' && err.hint[0] != '\0');
	expect("keys", "old");
	expect_nothing_else("keys");
}

static void
a_disk_that_is_full_leaves_the_old_file(void **state)
{
	(void)state;
	fails.write = true;
	expect_failure();
}

static void
a_sync_that_fails_leaves_the_old_file(void **state)
{
	(void)state;
	fails.fsync = 1;
	expect_failure();
}

static void
a_mode_that_cannot_be_kept_leaves_the_old_file(void **state)
{
	(void)state;
	fails.fchmod = true;
	expect_failure();
}

static void
a_rename_that_fails_leaves_the_old_file(void **state)
{
	(void)state;
	fails.renameat = true;
	expect_failure();
}

static void
a_folder_that_cannot_be_synced_is_told(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	put("keys", "old", 0600);
	fails.fsync = 2;
	assert_int_equal(replace("keys", "new", &err), -1);
	assert_non_null(strstr(err.what, "folder"));
	expect("keys", "new");
}

static void
a_change_by_somebody_else_is_never_lost(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	put("keys", "old", 0600);
	fails.meanwhile = "theirs";
	assert_int_equal(replace("keys", "new", &err), -1);
	expect("keys", "theirs");
	expect_nothing_else("keys");
	assert_int_equal(unlink(path_of("keys")), 0);
	/* One that was not there before, too. */
	assert_int_equal(replace("keys", "new", &err), -1);
	expect("keys", "theirs");
}

static void
what_a_killed_one_left_behind_is_in_nobodys_way(void **state)
{
	(void)state;
	put("keys", "old", 0600);
	put(".keys.kaya~", "half of a fi", 0600);
	assert_int_equal(replace("keys", "new", NULL), 0);
	expect("keys", "new");
	expect_nothing_else("keys");
}

/* True where the child was killed; false where it came to its end. */
static bool
replace_and_die(int step_number)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		fails.dies_at = step_number;
		_exit(replace("keys", "new", NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

static void
a_kill_at_any_step_leaves_the_old_file_or_the_new_one(void **state)
{
	int i = 1;

	(void)state;
	for (;; i++) {
		put("keys", "old", 0600);
		if (!replace_and_die(i))
			break;
		/* fchmod, write, fsync, rename, and then the folder's fsync. */
		expect("keys", i <= 4 ? "old" : "new");
		assert_int_equal(replace("keys", "newer", NULL), 0);
		expect("keys", "newer");
		expect_nothing_else("keys");
	}
	assert_int_equal(i, 6);
	expect("keys", "new");
}

static void
expect_risk(const char *hint)
{
	struct err err = ERR_INIT;
	char expected[128];

	snprintf(expected, sizeof expected, hint, folder);
	assert_int_equal(replace("keys", "new", &err), -1);
	assert_string_equal(err.hint, expected);
	expect("keys", "old");
}

static void
a_file_or_folder_that_others_may_write_is_refused(void **state)
{
	(void)state;
	put("keys", "old", 0620);
	expect_risk("chmod go-w %s/keys");
	put("keys", "old", 0602);
	expect_risk("chmod go-w %s/keys");
	put("keys", "old", 0600);
	assert_int_equal(chmod(folder, 0770), 0);
	expect_risk("chmod go-w %s");
	assert_int_equal(chmod(folder, 0700), 0);
	assert_int_equal(replace("keys", "new", NULL), 0);
}

static void
a_folder_of_somebody_elses_is_refused(void **state)
{
	(void)state;
	need_root();
	put("keys", "old", 0600);
	assert_int_equal(chown(path_of("keys"), 12345, 0), 0);
	assert_int_equal(chown(folder, 23456, 0), 0);
	expect_risk("chown 12345 %s");
}

/* ---- two at once ---- */

static void
a_lock_is_held_from_reading_to_closing(void **state)
{
	struct keys_files files;
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	put("keys", "old", 0600);
	assert_int_equal(
	    keys_files_open(&files, path_of("keys"), KEYS_FILES_CHANGE, NULL),
	    0);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
	keys_files_close(&files);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
	/* Reading asks for none. */
	assert_int_equal(
	    keys_files_open(&files, path_of("keys"), KEYS_FILES_READ, NULL), 0);
	keys_files_close(&files);
	close(fd);
}

/* ---- beside ---- */

static void
a_file_is_written_beside_with_the_same_mode(void **state)
{
	struct keys_files files;
	struct stat st;

	(void)state;
	put("keys", "old", 0640);
	assert_int_equal(
	    keys_files_open(&files, path_of("keys"), KEYS_FILES_READ, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(keys_file_write_beside(&files.items[0],
				     "keys.fixed", span_of_str("new"), NULL),
		    0);
	keys_files_close(&files);
	expect("keys", "old");
	expect("keys.fixed", "new");
	assert_int_equal(stat(path_of("keys.fixed"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
}

static void
a_folders_entry_is_found_or_added(void **state)
{
	struct keys_files files;
	struct keys_file *file;

	(void)state;
	put("a", "old", 0600);
	assert_int_equal(
	    keys_files_open(&files, folder, KEYS_FILES_CHANGE, NULL), 0);
	file = keys_files_entry(&files, "a", NULL);
	assert_non_null(file);
	assert_true(file->exists);
	file = keys_files_entry(&files, "b", NULL);
	assert_non_null(file);
	assert_false(file->exists);
	assert_int_equal(keys_file_replace(file, span_of_str("new"), NULL), 0);
	keys_files_close(&files);
	expect("b", "new");
}

int
main(void)
{
#define TEST(test)                                                             \
	cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
	    TEST(a_file_is_read_whole),
	    TEST(a_folder_is_read_by_names_without_working_copies),
	    TEST(what_cannot_be_read_is_told),
	    TEST(a_file_is_replaced_with_its_mode),
	    TEST(a_file_keeps_its_owner_where_root_replaces_it),
	    TEST(a_group_is_kept_unless_it_may_nothing),
	    TEST(a_new_file_is_of_its_folders_owner_alone),
	    TEST(a_symbolic_link_stays_and_its_target_is_replaced),
	    TEST(a_link_of_somebody_elses_is_not_followed_to_change_a_file),
	    TEST(short_writes_make_no_difference),
	    TEST(a_disk_that_is_full_leaves_the_old_file),
	    TEST(a_sync_that_fails_leaves_the_old_file),
	    TEST(a_mode_that_cannot_be_kept_leaves_the_old_file),
	    TEST(a_rename_that_fails_leaves_the_old_file),
	    TEST(a_folder_that_cannot_be_synced_is_told),
	    TEST(a_change_by_somebody_else_is_never_lost),
	    TEST(a_kill_at_any_step_leaves_the_old_file_or_the_new_one),
	    TEST(what_a_killed_one_left_behind_is_in_nobodys_way),
	    TEST(a_file_or_folder_that_others_may_write_is_refused),
	    TEST(a_folder_of_somebody_elses_is_refused),
	    TEST(a_lock_is_held_from_reading_to_closing),
	    TEST(a_file_is_written_beside_with_the_same_mode),
	    TEST(a_folders_entry_is_found_or_added),
	};

	umask(077);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
