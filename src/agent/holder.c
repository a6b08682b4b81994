#include "holder.h"

#include "str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATE_LISTEN = 0x0a };

/* The inode of the socket that listens on `port`, 0 where there is none. */
static unsigned long
listening_inode(const char *table, unsigned port)
{
	FILE *file = fopen(table, "re");
	char line[512];
	unsigned long inode = 0;

	while (file != NULL && inode == 0 &&
	       fgets(line, sizeof line, file) != NULL) {
		char local_port[5], state[3], found[21];

		if (sscanf(line,
			" %*d: %*[0-9A-Fa-f]:%4s %*[0-9A-Fa-f]:%*x %2s %*s "
			"%*s %*s %*u %*u %20s",
			local_port, state, found) == 3 &&
		    strtoul(state, NULL, 16) == STATE_LISTEN &&
		    strtoul(local_port, NULL, 16) == port)
			inode = strtoul(found, NULL, 10);
	}
	if (file != NULL)
		fclose(file);
	return inode;
}

static bool
has_socket(const char *pid, unsigned long inode)
{
	char path[300], wanted[64], link[64];
	const struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
	snprintf(path, sizeof path, "/proc/%s/fd", pid);
	dir = opendir(path);
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL) {
		ssize_t len;

		snprintf(
		    path, sizeof path, "/proc/%.20s/fd/%s", pid, entry->d_name);
		len = readlink(path, link, sizeof link - 1);
		if (len > 0) {
			link[len] = '\0';
			found = strcmp(link, wanted) == 0;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

static void
name_of(const char *pid, char *text, size_t size)
{
	char path[300], name[64] = "", escaped[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (file != NULL) {
		if (fgets(name, sizeof name, file) == NULL)
			name[0] = '\0';
		fclose(file);
	}
	name[strcspn(name, "\n")] = '\0';
	/* Whoever runs it has given it that name. */
	str_escape(span_of_str(name), escaped, sizeof escaped);
	snprintf(text, size, "%s (pid %s)", escaped, pid);
}

const char *
holder_of(const struct sockaddr *address, char *text, size_t size)
{
	const struct sockaddr_in *v4 = (const void *)address;
	const struct sockaddr_in6 *v6 = (const void *)address;
	unsigned long inode = 0;
	const struct dirent *entry;
	DIR *proc;

	snprintf(text, size, "another program");
	if (address->sa_family == AF_INET)
		inode = listening_inode("/proc/net/tcp", ntohs(v4->sin_port));
	if (inode == 0 && address->sa_family == AF_INET)
		inode = listening_inode("/proc/net/tcp6", ntohs(v4->sin_port));
	if (address->sa_family == AF_INET6)
		inode = listening_inode("/proc/net/tcp6", ntohs(v6->sin6_port));
	proc = inode == 0 ? NULL : opendir("/proc");
	while (proc != NULL && (entry = readdir(proc)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]) &&
		    has_socket(entry->d_name, inode)) {
			name_of(entry->d_name, text, size);
			break;
		}
	}
	if (proc != NULL)
		closedir(proc);
	return text;
}
