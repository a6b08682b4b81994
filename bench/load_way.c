#include "load_way.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

struct load_way_common {
	const struct load_way_options *options;
	ssh_key *keys;
	unsigned key_count;
	SSL_CTX *tls;
};

struct load_way {
	int fd; /* TCP, TLS; -1 for SSH, which has its own */
	SSL *tls;
	ssh_session ssh;
	ssh_channel channel;
};

static int
tls_error(struct err *err, const char *what)
{
	char text[160];

	ERR_error_string_n(ERR_get_error(), text, sizeof(text));
	return err_set(err, ERR_FAILED, "%s: %s", what, text);
}

static SSL_CTX *
tls_new(const struct load_way_options *options, struct err *err)
{
	SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

	if (tls == NULL) {
		tls_error(err, "TLS");
		return NULL;
	}
	SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
	/* Each device is a stranger: nothing of an earlier session helps. */
	SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS);
	if (SSL_CTX_load_verify_file(tls, options->authority) != 1 ||
	    SSL_CTX_use_certificate_file(
		tls, options->certificate, SSL_FILETYPE_PEM) != 1 ||
	    SSL_CTX_use_PrivateKey_file(tls, options->key, SSL_FILETYPE_PEM) !=
		1) {
		tls_error(err, "TLS files");
		SSL_CTX_free(tls);
		return NULL;
	}
	return tls;
}

static int
read_keys(struct load_way_common *common, struct err *err)
{
	const struct load_way_options *options = common->options;
	unsigned count = options->keys > 0 ? options->keys : 1;
	char path[512];

	common->keys = calloc(count, sizeof(*common->keys));
	if (common->keys == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	for (; common->key_count < count; common->key_count++) {
		if (options->keys > 0)
			snprintf(path, sizeof(path), "%s/%u", options->key,
			    common->key_count);
		else
			snprintf(path, sizeof(path), "%s", options->key);
		if (ssh_pki_import_privkey_file(path, NULL, NULL, NULL,
			&common->keys[common->key_count]) != SSH_OK)
			return err_set(
			    err, ERR_FAILED, "cannot read the key %s", path);
	}
	return 0;
}

struct load_way_common *
load_way_common_new(const struct load_way_options *options, struct err *err)
{
	struct load_way_common *common = calloc(1, sizeof(*common));

	if (common == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	common->options = options;
	if (options->kind == LOAD_SSH && read_keys(common, err) == -1)
		goto fail;
	if (options->kind == LOAD_TLS) {
		common->tls = tls_new(options, err);
		if (common->tls == NULL)
			goto fail;
	}
	return common;
fail:
	load_way_common_free(common);
	return NULL;
}

void
load_way_common_free(struct load_way_common *common)
{
	if (common == NULL)
		return;
	for (unsigned i = 0; i < common->key_count; i++)
		ssh_key_free(common->keys[i]);
	free(common->keys);
	SSL_CTX_free(common->tls);
	free(common);
}

static int
connect_tcp(const struct load_way_options *options, struct err *err)
{
	struct sockaddr_in address = {.sin_family = AF_INET};
	struct timeval deadline = {.tv_sec = options->deadline_s};
	int one = 1, fd;

	address.sin_port = htons((uint16_t)options->port);
	if (inet_pton(AF_INET, options->host, &address.sin_addr) != 1)
		return err_set(
		    err, ERR_USAGE, "%s is no address", options->host);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return err_set_errno(err, ERR_SYSTEM, "socket");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &deadline, sizeof(deadline));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &deadline, sizeof(deadline));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1) {
		err_set_errno(err, ERR_UNREACHABLE, "connect");
		close(fd);
		return -1;
	}
	return fd;
}

static int
ssh_error(const struct load_way *way, struct err *err, const char *what)
{
	return err_set(
	    err, ERR_FAILED, "%s: %s", what, ssh_get_error(way->ssh));
}

/* As ssh(1) does it: ask without a key, show the key, sign. */
static int
log_in(struct load_way *way, ssh_key key, struct err *err)
{
	if (ssh_userauth_none(way->ssh, NULL) == SSH_AUTH_ERROR)
		return ssh_error(way, err, "asking without a key");
	if (ssh_userauth_try_publickey(way->ssh, NULL, key) != SSH_AUTH_SUCCESS)
		return ssh_error(way, err, "showing the key");
	if (ssh_userauth_publickey(way->ssh, NULL, key) != SSH_AUTH_SUCCESS)
		return ssh_error(way, err, "signing");
	return 0;
}

static int
open_ssh(struct load_way *way, const struct load_way_common *common,
    unsigned number, struct err *err)
{
	const struct load_way_options *options = common->options;
	int yes = 1, no = 0;
	long deadline_s = options->deadline_s;

	way->ssh = ssh_new();
	if (way->ssh == NULL)
		return err_set(err, ERR_NOMEM, "no memory");
	ssh_options_set(way->ssh, SSH_OPTIONS_PROCESS_CONFIG, &no);
	ssh_options_set(way->ssh, SSH_OPTIONS_HOST, options->host);
	ssh_options_set(way->ssh, SSH_OPTIONS_PORT, &options->port);
	ssh_options_set(way->ssh, SSH_OPTIONS_USER, options->user);
	ssh_options_set(way->ssh, SSH_OPTIONS_NODELAY, &yes);
	ssh_options_set(way->ssh, SSH_OPTIONS_TIMEOUT, &deadline_s);
	ssh_options_set(
	    way->ssh, SSH_OPTIONS_KEY_EXCHANGE, "curve25519-sha256");
	ssh_options_set(way->ssh, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519");
	if (ssh_options_set(way->ssh, SSH_OPTIONS_CIPHERS_C_S,
		options->ciphers) != SSH_OK ||
	    ssh_options_set(
		way->ssh, SSH_OPTIONS_CIPHERS_S_C, options->ciphers) != SSH_OK)
		return ssh_error(way, err, "ciphers");
	if (ssh_connect(way->ssh) != SSH_OK)
		return ssh_error(way, err, "connecting");
	if (log_in(way, common->keys[number % common->key_count], err) == -1)
		return -1;
	way->channel = ssh_channel_new(way->ssh);
	if (way->channel == NULL)
		return ssh_error(way, err, "channel");
	if (ssh_channel_open_forward(way->channel, options->target_host,
		(int)options->target_port, "127.0.0.1", 0) != SSH_OK)
		return ssh_error(way, err, "opening the channel");
	return 0;
}

static int
open_tls(
    struct load_way *way, const struct load_way_common *common, struct err *err)
{
	way->tls = SSL_new(common->tls);
	if (way->tls == NULL || SSL_set_fd(way->tls, way->fd) != 1 ||
	    SSL_connect(way->tls) != 1)
		return tls_error(err, "TLS");
	return 0;
}

struct load_way *
load_way_open(
    const struct load_way_common *common, unsigned number, struct err *err)
{
	struct load_way *way = calloc(1, sizeof(*way));

	if (way == NULL) {
		err_set(err, ERR_NOMEM, "no memory");
		return NULL;
	}
	way->fd = -1;
	if (common->options->kind == LOAD_SSH) {
		if (open_ssh(way, common, number, err) == -1)
			goto fail;
		return way;
	}
	way->fd = connect_tcp(common->options, err);
	if (way->fd == -1)
		goto fail;
	if (common->options->kind == LOAD_TLS &&
	    open_tls(way, common, err) == -1)
		goto fail;
	return way;
fail:
	load_way_close(way);
	return NULL;
}

void
load_way_close(struct load_way *way)
{
	if (way == NULL)
		return;
	if (way->channel != NULL)
		ssh_channel_free(way->channel);
	if (way->ssh != NULL) {
		ssh_disconnect(way->ssh);
		ssh_free(way->ssh);
	}
	if (way->tls != NULL) {
		SSL_shutdown(way->tls);
		SSL_free(way->tls);
	}
	if (way->fd != -1)
		close(way->fd);
	free(way);
}

const char *
load_way_cipher(const struct load_way *way)
{
	if (way->ssh != NULL)
		return ssh_get_cipher_out(way->ssh);
	if (way->tls != NULL)
		return SSL_get_cipher_name(way->tls);
	return "none";
}

static ssize_t
write_some(struct load_way *way, struct span bytes)
{
	/* libssh counts in 32 bits, OpenSSL in an int. */
	size_t len = bytes.len < 1 << 20 ? bytes.len : 1 << 20;

	if (way->channel != NULL)
		return ssh_channel_write(
		    way->channel, bytes.data, (uint32_t)len);
	if (way->tls != NULL)
		return SSL_write(way->tls, bytes.data, (int)len);
	return send(way->fd, bytes.data, bytes.len, MSG_NOSIGNAL);
}

int
load_way_write(struct load_way *way, struct span bytes, struct err *err)
{
	while (bytes.len > 0) {
		ssize_t done = write_some(way, bytes);

		if (done <= 0)
			return err_set_errno(err, ERR_FAILED, "writing");
		bytes = span_of(bytes.data + done, bytes.len - (size_t)done);
	}
	return 0;
}

int
load_way_read(struct load_way *way, uint8_t *bytes, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t done;

		if (way->channel != NULL)
			done = ssh_channel_read(
			    way->channel, bytes, (uint32_t)len, 0);
		else if (way->tls != NULL)
			done = SSL_read(way->tls, bytes, (int)len);
		else
			done = recv(way->fd, bytes, len, 0);
		if (done == 0)
			return err_set(err, ERR_FAILED, "the other end closed");
		if (done < 0)
			return err_set_errno(err, ERR_FAILED, "reading");
		bytes += done;
		len -= (size_t)done;
	}
	return 0;
}
