#ifndef KAYA_SERVER_SYSTEM_H
#define KAYA_SERVER_SYSTEM_H

/* server_system: this machine's processes and listening sockets, by /proc. */

#include "span.h"

#include <limits.h>

enum { SYSTEM_PROCESSES_MAX = 256, SYSTEM_LISTENERS_MAX = 512 };

struct system_process {
	int pid;
	char name[32]; /* its comm: "mosquitto" */
	char config[PATH_MAX]; /* the file of -f or -c; "": none was named */
	char state[PATH_MAX]; /* the folder of --state; "": none was named */
	bool is_child; /* its parent has the same name */
	bool is_service; /* of an account for services, or this user's own */
};

struct system_listener {
	bool v6;
	uint8_t address[16]; /* IPv4: the first four */
	uint16_t port;
	unsigned long inode;
	int pid; /* 0: not known to this user */
	char program[64]; /* escaped; "": not known */
};

struct system {
	struct system_process processes[SYSTEM_PROCESSES_MAX];
	size_t process_count; /* of the programs that we ask for */
	struct system_listener listeners[SYSTEM_LISTENERS_MAX];
	size_t listener_count;
};

/*
 * Look at everything: the processes of sshd, mosquitto, kayad, dropbear.  Any
 * user may give a process such a name: an sshd that is neither root's nor this
 * user's is passed over, for sshd is run by its words.
 */
void system_look(struct system *system);

/*
 * The first process of that name that is nobody's child of it, of those of
 * accounts that run services before those of people; NULL: none.
 */
const struct system_process *system_find(
    const struct system *system, const char *name);

/*
 * Add the listeners of a table as /proc/net/tcp or tcp6 has it.  Pure.
 */
void system_read_table(struct system *system, struct span text, bool v6);

enum system_scope {
	SYSTEM_LOOPBACK, /* only this machine reaches it */
	SYSTEM_ONE, /* one address that others may reach */
	SYSTEM_ALL /* all addresses */
};
enum system_scope system_scope_of(const struct system_listener *listener);

/* "127.0.0.1:1883", "[::]:1883".  Returns `text`. */
const char *system_text(
    const struct system_listener *listener, char *text, size_t size);

/*
 * The file of `option` ("-f", "--state") among the words of a command line as
 * /proc has it (parted by zero bytes), relative ones by `folder`.  "" where
 * there is none.  Pure.
 */
void system_path_of(struct span words, const char *option, const char *folder,
    char *path, size_t size);

#endif
