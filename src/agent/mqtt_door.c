#include "mqtt_door.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Of a socket's path, which has 107 bytes: the folder's own name, and its. */
enum { FOLDER_NAME_BYTES = 12, SOCKET_NAME_BYTES = 5 };

/* Where temporary files belong, if `size` bytes have room for one there. */
static const char *
temporary_folder(size_t size)
{
	const char *folder = getenv("TMPDIR");

	return folder != NULL && folder[0] == '/' &&
		       strlen(folder) + FOLDER_NAME_BYTES < size &&
		       access(folder, W_OK | X_OK) == 0
		   ? folder
		   : "/tmp";
}

/* A socket that listens at `address`, in a new folder, `dir`; -1 and errno. */
static int
open_door(struct sockaddr_un *address, char *dir, size_t size)
{
	int fd;

	snprintf(dir, size, "%s/kaya-XXXXXX", temporary_folder(size));
	if (mkdtemp(dir) == NULL) {
		dir[0] = '\0';
		return -1;
	}
	snprintf(address->sun_path, sizeof address->sun_path, "%s/mqtt", dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && bind(fd, (void *)address, sizeof *address) == 0 &&
	    listen(fd, 1) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int
mqtt_door_connect(struct mosquitto *client, int keepalive_s,
    const mosquitto_property *properties, struct err *err)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char dir[sizeof address.sun_path - SOCKET_NAME_BYTES];
	int door = open_door(&address, dir, sizeof dir), fd = -1, result;

	if (door < 0) {
		err_set_errno(err, ERR_SYSTEM, "no temporary folder");
		err_hint(err, "name one that this user may write to: TMPDIR");
		goto done;
	}
	/* Port 0 is libmosquitto's word for a UNIX socket. */
	result = mosquitto_connect_bind_v5(
	    client, address.sun_path, 0, keepalive_s, NULL, properties);
	if (result != MOSQ_ERR_SUCCESS)
		err_set(err, ERR_FAILED, "the MQTT connection: %s",
		    mosquitto_strerror(result));
	else if ((fd = accept4(
		      door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) < 0)
		err_set_errno(err, ERR_SYSTEM, "the MQTT connection");
done:
	if (door >= 0)
		close(door);
	if (address.sun_path[0] != '\0')
		unlink(address.sun_path);
	if (dir[0] != '\0')
		rmdir(dir);
	return fd;
}
