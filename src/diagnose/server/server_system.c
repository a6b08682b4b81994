#include "server_system.h"

#include "str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	STATE_LISTEN = 0x0a,
	TABLE_MAX = 1 << 20,
	FIRST_PERSON = 1000, /* accounts below it run services */
};

/* Who is looked for, and which option names its configuration. */
static const struct {
	const char *name;
	const char *option; /* NULL: none */
	bool needs_trust; /* it is run by the words of its process */
} programs[] = {{"sshd", "-f", true}, {"mosquitto", "-c", false},
    {"kayad", "-c", false}, {"dropbear", NULL, false}};

/* ---- files of /proc ---- */

static size_t
read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t got;

	if (fd < 0)
		return 0;
	while (
	    len < size - 1 && (got = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)got;
	close(fd);
	text[len] = '\0';
	return len;
}

/* ---- processes ---- */

/* What is glued to the option: "-fFILE", "--state=DIR". */
static const char *
glued(const char *word, size_t len, const char *option)
{
	size_t own = strlen(option);

	if (len <= own || memcmp(word, option, own) != 0)
		return NULL;
	if (option[1] != '-')
		return word + own;
	return word[own] == '=' ? word + own + 1 : NULL;
}

void
system_path_of(struct span words, const char *option, const char *folder,
    char *path, size_t size)
{
	/* sshd writes over its words: "sshd: /usr/sbin/sshd -D [listener]". */
	bool is_title = words.len > 6 && memcmp(words.data, "sshd: ", 6) == 0;
	bool wanted = false;

	path[0] = '\0';
	while (words.len > 0) {
		const char *word = (const char *)words.data, *value;
		const uint8_t *end =
		    memchr(words.data, is_title ? ' ' : '\0', words.len);
		size_t len =
		    end != NULL ? (size_t)(end - words.data) : words.len;

		value = wanted ? word : glued(word, len, option);
		wanted = !wanted && len == strlen(option) &&
			 memcmp(word, option, len) == 0;
		if (value != NULL && value < word + len &&
		    (size_t)snprintf(path, size, "%s%s%.*s",
			value[0] == '/' ? "" : folder,
			value[0] == '/' ? "" : "/", (int)(word + len - value),
			value) >= size)
			path[0] = '\0'; /* cut off it would be another one */
		if (end == NULL)
			break;
		words = span_of(end + 1, words.len - len - 1);
	}
}

static int
parent_of(const char *pid)
{
	char path[64], text[512];
	const char *end;

	snprintf(path, sizeof path, "/proc/%.20s/stat", pid);
	if (read_file(path, text, sizeof text) == 0)
		return 0;
	/* ") S 1234": its name may have anything in it, but this is last. */
	end = strrchr(text, ')');
	return end == NULL || strlen(end) < 5 ? 0
					      : (int)strtol(end + 4, NULL, 10);
}

/* A container's sshd is another machine's: it has a network of its own. */
static bool
is_elsewhere(const char *pid)
{
	char path[64], own[64], theirs[64];
	ssize_t own_len = readlink("/proc/self/ns/net", own, sizeof own);
	ssize_t len;

	snprintf(path, sizeof path, "/proc/%.20s/ns/net", pid);
	len = readlink(path, theirs, sizeof theirs);
	return len > 0 && own_len > 0 &&
	       !span_equal(
		   span_of(own, (size_t)own_len), span_of(theirs, (size_t)len));
}

/*
 * Who has started it.  Not by the owner of its folder in /proc: that is root
 * where a process has made itself unreadable.
 */
static bool
read_owner(const char *pid, uid_t *owner)
{
	char path[64], text[4096];
	const char *at;

	snprintf(path, sizeof path, "/proc/%.20s/status", pid);
	if (read_file(path, text, sizeof text) == 0)
		return false;
	at = strstr(text, "\nUid:\t");
	if (at == NULL)
		return false;
	*owner = (uid_t)strtoul(at + 6, NULL, 10);
	return true;
}

/* "sshd: dan": it serves somebody, and listens no more. */
static bool
is_session(struct span words)
{
	return words.len > 6 && memcmp(words.data, "sshd: ", 6) == 0 &&
	       memmem(words.data, words.len, "[listener]", 10) == NULL;
}

static void
look_at(struct system *system, const char *pid)
{
	char path[64], name[64], words[8192], folder[PATH_MAX] = "";
	struct system_process *process;
	size_t len, i = 0;
	ssize_t folder_len;
	uid_t owner;

	snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
	if (read_file(path, name, sizeof name) == 0)
		return;
	name[strcspn(name, "\n")] = '\0';
	while (i < sizeof programs / sizeof programs[0] &&
	       strcmp(programs[i].name, name) != 0)
		i++;
	if (i == sizeof programs / sizeof programs[0] ||
	    system->process_count == SYSTEM_PROCESSES_MAX ||
	    is_elsewhere(pid) || !read_owner(pid, &owner))
		return;
	if (programs[i].needs_trust && owner != 0 && owner != geteuid())
		return;
	process = &system->processes[system->process_count++];
	memset(process, 0, sizeof *process);
	process->pid = (int)strtol(pid, NULL, 10);
	process->is_service = owner < FIRST_PERSON || owner == geteuid();
	snprintf(process->name, sizeof process->name, "%.31s", name);
	snprintf(path, sizeof path, "/proc/%.20s/cwd", pid);
	folder_len = readlink(path, folder, sizeof folder - 1);
	folder[folder_len > 0 ? folder_len : 0] = '\0';
	snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
	len = read_file(path, words, sizeof words);
	/* No words at all: it has ended, and nobody has asked how. */
	if (len == 0 || is_session(span_of(words, len))) {
		system->process_count--;
		return;
	}
	if (programs[i].option != NULL)
		system_path_of(span_of(words, len), programs[i].option, folder,
		    process->config, sizeof process->config);
	system_path_of(span_of(words, len), "--state", folder, process->state,
	    sizeof process->state);
}

/* Whose parent is one of the same name. */
static void
find_children(struct system *system)
{
	char pid[24];

	for (size_t i = 0; i < system->process_count; i++) {
		struct system_process *one = &system->processes[i];
		int parent;

		snprintf(pid, sizeof pid, "%d", one->pid);
		parent = parent_of(pid);
		one->is_child = false;
		for (size_t j = 0; j < system->process_count; j++)
			if (system->processes[j].pid == parent &&
			    strcmp(system->processes[j].name, one->name) == 0)
				one->is_child = true;
	}
}

const struct system_process *
system_find(const struct system *system, const char *name)
{
	const struct system_process *other = NULL;

	for (size_t i = 0; i < system->process_count; i++) {
		const struct system_process *one = &system->processes[i];

		if (strcmp(one->name, name) != 0 || one->is_child)
			continue;
		if (one->is_service)
			return one;
		if (other == NULL)
			other = one;
	}
	return other;
}

/* ---- listening sockets ---- */

/* 32 bits of hex digits each, in the machine's own byte order. */
static void
read_address(const char *digits, uint8_t address[16])
{
	for (size_t i = 0; i < 4 && strlen(digits) >= 8 * (i + 1); i++) {
		char word[9];
		uint32_t bits;

		snprintf(word, sizeof word, "%.8s", digits + 8 * i);
		bits = (uint32_t)strtoul(word, NULL, 16);
		memcpy(address + 4 * i, &bits, sizeof bits);
	}
}

void
system_read_table(struct system *system, struct span text, bool v6)
{
	char line[512];

	while (text.len > 0) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		struct system_listener *one =
		    &system->listeners[system->listener_count];
		char digits[33], port[5], state[3], inode[21];

		if (span_to_str(span_of(text.data, len), line, sizeof line) &&
		    system->listener_count < SYSTEM_LISTENERS_MAX &&
		    sscanf(line,
			" %*d: %32[0-9A-Fa-f]:%4s %*[0-9A-Fa-f]:%*x %2s %*s "
			"%*s %*s %*u %*u %20s",
			digits, port, state, inode) == 4 &&
		    strtoul(state, NULL, 16) == STATE_LISTEN) {
			memset(one, 0, sizeof *one);
			one->v6 = v6;
			read_address(digits, one->address);
			one->port = (uint16_t)strtoul(port, NULL, 16);
			one->inode = strtoul(inode, NULL, 10);
			system->listener_count++;
		}
		if (end == NULL)
			break;
		text = span_of(end + 1, text.len - len - 1);
	}
}

static void
read_tables(struct system *system)
{
	char *text = malloc(TABLE_MAX);

	if (text == NULL)
		return;
	system_read_table(system,
	    span_of(text, read_file("/proc/net/tcp", text, TABLE_MAX)), false);
	system_read_table(system,
	    span_of(text, read_file("/proc/net/tcp6", text, TABLE_MAX)), true);
	free(text);
}

enum system_scope
system_scope_of(const struct system_listener *listener)
{
	static const uint8_t none[16];
	static const uint8_t loopback[16] = {[15] = 1};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	const uint8_t *address = listener->address;

	/* ::ffff:127.0.0.1, as Java's brokers listen. */
	if (listener->v6 && memcmp(address, mapped, sizeof mapped) == 0)
		return address[12] == 127 ? SYSTEM_LOOPBACK : SYSTEM_ONE;
	if (listener->v6 && memcmp(address, loopback, 16) == 0)
		return SYSTEM_LOOPBACK;
	if (!listener->v6 && address[0] == 127)
		return SYSTEM_LOOPBACK;
	return memcmp(address, none, listener->v6 ? 16 : 4) == 0 ? SYSTEM_ALL
								 : SYSTEM_ONE;
}

const char *
system_text(const struct system_listener *listener, char *text, size_t size)
{
	char digits[INET6_ADDRSTRLEN] = "?";

	inet_ntop(listener->v6 ? AF_INET6 : AF_INET, listener->address, digits,
	    sizeof digits);
	snprintf(text, size, listener->v6 ? "[%s]:%u" : "%s:%u", digits,
	    listener->port);
	return text;
}

/* ---- whose sockets they are ---- */

static void
take_socket(struct system *system, const char *pid, unsigned long inode)
{
	for (size_t i = 0; i < system->listener_count; i++) {
		struct system_listener *one = &system->listeners[i];
		char path[64], name[64] = "";

		if (one->inode != inode || one->pid != 0)
			continue;
		snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
		read_file(path, name, sizeof name);
		name[strcspn(name, "\n")] = '\0';
		one->pid = (int)strtol(pid, NULL, 10);
		/* Whoever runs it has given it that name. */
		str_escape(
		    span_of_str(name), one->program, sizeof one->program);
	}
}

static void
look_at_sockets(struct system *system, const char *pid)
{
	char path[300], link[64];
	const struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		ssize_t len;

		snprintf(path, sizeof path, "/proc/%.20s/fd/%.20s", pid,
		    entry->d_name);
		len = readlink(path, link, sizeof link - 1);
		if (len <= 0)
			continue;
		link[len] = '\0';
		if (strncmp(link, "socket:[", 8) == 0)
			take_socket(system, pid, strtoul(link + 8, NULL, 10));
	}
	if (dir != NULL)
		closedir(dir);
}

void
system_look(struct system *system)
{
	const struct dirent *entry;
	DIR *proc;

	memset(system, 0, sizeof *system);
	read_tables(system);
	proc = opendir("/proc");
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		look_at(system, entry->d_name);
		look_at_sockets(system, entry->d_name);
	}
	if (proc != NULL)
		closedir(proc);
	find_children(system);
}
