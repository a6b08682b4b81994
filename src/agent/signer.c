#include "signer.h"

#include "agent_wire.h"
#include "keys_line.h"
#include "ssh_armor.h"
#include "ssh_sig.h"
#include "wire.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_MAX = 64 * 1024, SIGNATURE_MAX = 8192 };

static bool
read_file(const char *path, struct buf *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t *room = fd < 0 ? NULL : buf_reserve(bytes, FILE_MAX);
	ssize_t len = room == NULL ? -1 : read(fd, room, FILE_MAX);

	if (len > 0)
		buf_commit(bytes, (size_t)len);
	if (fd >= 0)
		close(fd);
	return len > 0;
}

/* ---- by the file itself ---- */

static int
sign_by_file(const char *file, const char *namespace, struct span message,
    struct buf *blob, struct err *err)
{
	struct ssh_host_key *key = NULL;
	struct buf bytes;
	int result = -1;

	buf_init_secret(&bytes, FILE_MAX);
	if (read_file(file, &bytes))
		key = ssh_host_key_parse(buf_span(&bytes), err);
	else
		err_set_errno(err, ERR_USAGE, "cannot read the key %s", file);
	if (key != NULL)
		result = ssh_sig_sign(key, namespace, message, blob, err);
	ssh_host_key_free(key);
	buf_fini_wipe(&bytes);
	return result;
}

/* ---- by the agent ---- */

/* The public half: FILE.pub, or FILE itself. */
static bool
read_public(
    const char *file, struct authorized_keys_line *key, struct buf *bytes)
{
	char path[PATH_MAX + 8];

	snprintf(path, sizeof path, "%s.pub", file);
	buf_fini(bytes);
	if (read_file(path, bytes) &&
	    keys_line_take_key(buf_span(bytes), key, NULL) == 0)
		return true;
	buf_fini(bytes);
	return read_file(file, bytes) &&
	       keys_line_take_key(buf_span(bytes), key, NULL) == 0;
}

static bool
ask_agent(int fd, struct span key, struct span data, struct buf *answer)
{
	struct buf question;
	bool done;

	buf_init(&question, AGENT_WIRE_MESSAGE_MAX);
	wire_put_u32(&question, (uint32_t)(1 + 4 + key.len + 4 + data.len + 4));
	wire_put_u8(&question, AGENT_WIRE_SIGN);
	wire_put_string32(&question, key);
	wire_put_string32(&question, data);
	wire_put_u32(&question, AGENT_WIRE_RSA_SHA2_512);
	done = !question.failed && agent_wire_write(fd, buf_span(&question)) &&
	       agent_wire_read(fd, answer);
	buf_fini(&question);
	return done;
}

/* False where there is no agent, or it does not have the key. */
static bool
sign_by_agent(const char *file, const char *namespace, struct span message,
    struct buf *blob)
{
	const char *path = getenv("SSH_AUTH_SOCK");
	struct authorized_keys_line *key = malloc(sizeof *key);
	struct buf bytes, data, answer;
	struct ssh_sig sig = {
	    .namespace = span_of_str(namespace), .hash = SSH_SIG_SHA512};
	struct span in;
	uint32_t len;
	uint8_t type;
	bool done = false;
	int fd;

	buf_init(&bytes, FILE_MAX);
	buf_init(&data, SSH_SIG_DATA_MAX);
	buf_init(&answer, AGENT_WIRE_MESSAGE_MAX);
	fd = path == NULL ? -1 : agent_wire_connect(path);
	if (fd < 0 || key == NULL || !read_public(file, key, &bytes) ||
	    !ssh_sig_data(namespace, SSH_SIG_SHA512, message, &data))
		goto out;
	sig.key = span_of(key->blob, key->blob_len);
	if (!ask_agent(fd, sig.key, buf_span(&data), &answer))
		goto out;
	in = buf_span(&answer);
	if (wire_take_u32(&in, &len) && wire_take_u8(&in, &type) &&
	    type == AGENT_WIRE_SIGN_RESPONSE &&
	    wire_take_string32(&in, &sig.signature)) {
		ssh_sig_encode(&sig, blob);
		done = !blob->failed;
	}
out:
	if (fd >= 0)
		close(fd);
	buf_fini(&bytes);
	buf_fini(&data);
	buf_fini(&answer);
	free(key);
	return done;
}

/* ---- by ssh-keygen ---- */

static void
become_keygen(const char *file, const char *namespace, int in, int out)
{
	const char *const words[] = {"ssh-keygen", "-q", "-Y", "sign", "-n",
	    namespace, "-f", file, NULL};

	lseek(in, 0, SEEK_SET);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp("ssh-keygen", (char *const *)words);
	_exit(127);
}

static bool
sign_by_keygen(const char *file, const char *namespace, struct span message,
    struct buf *text)
{
	int in = memfd_create("kaya-statement", MFD_CLOEXEC);
	int out = memfd_create("kaya-signature", MFD_CLOEXEC);
	int status = -1;
	bool done = false;
	uint8_t *room;
	ssize_t len;
	pid_t pid;

	if (in < 0 || out < 0 ||
	    write(in, message.data, message.len) != (ssize_t)message.len)
		goto out;
	pid = fork();
	if (pid == 0)
		become_keygen(file, namespace, in, out);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		goto out;
	room = buf_reserve(text, SIGNATURE_MAX);
	len = room == NULL ? -1 : pread(out, room, SIGNATURE_MAX, 0);
	done = len > 0;
	if (done)
		buf_commit(text, (size_t)len);
out:
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return done;
}

int
signer_sign(const char *file, const char *namespace, struct span message,
    struct buf *text, struct err *err)
{
	struct err why = ERR_INIT;
	struct buf blob;
	int result = 0;

	buf_init(&blob, SSH_SIG_BLOB_MAX);
	if (sign_by_file(file, namespace, message, &blob, &why) == 0 ||
	    sign_by_agent(file, namespace, message, &blob)) {
		ssh_armor_close(buf_span(&blob), SSH_SIG_ARMOR, text);
		if (text->failed)
			result = err_set(err, ERR_NOMEM, "no memory");
	} else if (!sign_by_keygen(file, namespace, message, text)) {
		err_set(err, ERR_USAGE, "nothing here signs by the key %s: %s",
		    file, why.what);
		result = err_hint(err,
		    "name a private key (--sign-key), add it to the agent "
		    "(ssh-add), or let ssh-keygen ask for its passphrase");
	}
	buf_fini(&blob);
	return result;
}
