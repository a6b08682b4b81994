/*
 * libssh_forward PORT: a stock client by libssh's plainest calls, one local
 * connection after the other.
 *
 *	libssh_forward ADDRESS PORT KEY LOCAL-PORT HOST HOST-PORT REKEY-BYTES
 */

#include <arpa/inet.h>
#include <libssh/libssh.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LOCALS_MAX = 8 };

struct local {
	int fd;
	ssh_channel channel;
	char data[16384];
	int len, sent; /* of what came from the local client */
	int at_end;
};

static int
fail(ssh_session session, const char *what)
{
	fprintf(stderr, "%s: %s\n", what, ssh_get_error(session));
	return 1;
}

static ssh_session
log_in(char **argv)
{
	ssh_session session = ssh_new();
	unsigned port = (unsigned)atoi(argv[2]);
	uint64_t rekey_bytes = strtoull(argv[7], NULL, 10);
	int off = 0;
	ssh_key key;

	ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
	ssh_options_set(session, SSH_OPTIONS_HOST, argv[1]);
	ssh_options_set(session, SSH_OPTIONS_PORT, &port);
	ssh_options_set(session, SSH_OPTIONS_USER, "user");
	if (rekey_bytes > 0)
		ssh_options_set(session, SSH_OPTIONS_REKEY_DATA, &rekey_bytes);
	if (ssh_connect(session) != SSH_OK ||
	    ssh_pki_import_privkey_file(argv[3], NULL, NULL, NULL, &key) !=
		SSH_OK ||
	    ssh_userauth_publickey(session, NULL, key) != SSH_AUTH_SUCCESS)
		exit(fail(session, "log in"));
	ssh_key_free(key);
	return session;
}

static int
listen_on(const char *port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons((uint16_t)atoi(port)),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, (void *)&address, sizeof address) != 0 ||
	    listen(fd, LOCALS_MAX) != 0) {
		perror("listen");
		exit(1);
	}
	return fd;
}

static void
end(struct local *local)
{
	ssh_channel_close(local->channel);
	ssh_channel_free(local->channel);
	close(local->fd);
	*local = (struct local){.fd = -1};
}

/* From the local client into the channel, as far as that takes it. */
static int
send_up(struct local *local)
{
	int written;

	if (local->sent == local->len && !local->at_end) {
		ssize_t got = recv(
		    local->fd, local->data, sizeof local->data, MSG_DONTWAIT);

		if (got == 0) {
			local->at_end = 1;
			ssh_channel_send_eof(local->channel);
		}
		local->len = got > 0 ? (int)got : 0;
		local->sent = 0;
	}
	if (local->sent == local->len)
		return 0;
	written = ssh_channel_write(local->channel, local->data + local->sent,
	    (uint32_t)(local->len - local->sent));
	if (written < 0)
		return -1;
	local->sent += written;
	return 0;
}

/* From the channel to the local client, which is small enough to wait for. */
static int
send_down(struct local *local)
{
	char data[16384];
	int got;

	while ((got = ssh_channel_read_nonblocking(
		    local->channel, data, sizeof data, 0)) > 0)
		for (int sent = 0; sent < got;) {
			ssize_t n = send(local->fd, data + sent,
			    (size_t)(got - sent), MSG_NOSIGNAL);

			if (n < 0)
				return -1;
			sent += (int)n;
		}
	return got < 0 || ssh_channel_is_eof(local->channel) ? -1 : 0;
}

static void
accept_one(ssh_session session, int listener, char **argv,
    struct local locals[LOCALS_MAX])
{
	for (int i = 0; i < LOCALS_MAX; i++) {
		if (locals[i].fd >= 0)
			continue;
		locals[i].fd = accept(listener, NULL, NULL);
		locals[i].channel = ssh_channel_new(session);
		ssh_set_blocking(session, 1);
		if (ssh_channel_open_forward(locals[i].channel, argv[5],
			atoi(argv[6]), "127.0.0.1", 1) != SSH_OK) {
			fail(session, "forward");
			end(&locals[i]);
		}
		ssh_set_blocking(session, 0);
		return;
	}
}

int
main(int argc, char **argv)
{
	struct local locals[LOCALS_MAX];
	ssh_session session;
	int listener;

	if (argc != 8) {
		fprintf(stderr, "usage: see the source\n");
		return 2;
	}
	for (int i = 0; i < LOCALS_MAX; i++)
		locals[i] = (struct local){.fd = -1};
	session = log_in(argv);
	listener = listen_on(argv[4]);
	while (ssh_is_connected(session)) {
		struct pollfd fds[LOCALS_MAX + 2] = {
		    {.fd = listener, .events = POLLIN},
		    {.fd = ssh_get_fd(session), .events = POLLIN}};

		for (int i = 0; i < LOCALS_MAX; i++)
			fds[i + 2] = (struct pollfd){
			    .fd = locals[i].at_end ? -1 : locals[i].fd,
			    .events = POLLIN};
		poll(fds, LOCALS_MAX + 2, 20);
		if (fds[0].revents != 0)
			accept_one(session, listener, argv, locals);
		for (int i = 0; i < LOCALS_MAX; i++)
			if (locals[i].fd >= 0 && (send_down(&locals[i]) != 0 ||
						     send_up(&locals[i]) != 0))
				end(&locals[i]);
	}
	return fail(session, "the connection ended");
}
