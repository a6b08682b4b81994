#include "guard_talk.h"

#include "clock.h"
#include "signer.h"
#include "ssh_sig.h"

#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 100 };

bool
guard_hand_take(
    const struct cmd_reader *reader, int id, struct guard_hand *hand)
{
	switch (id) {
	case GUARD_HAND_KEY:
		hand->key = reader->argument;
		return true;
	case GUARD_HAND_STATEMENT:
		hand->statement = reader->argument;
		return true;
	case GUARD_HAND_SIGNATURE:
		hand->signature = reader->argument;
		return true;
	}
	return false;
}

static int
write_file(const char *path, struct span bytes, struct err *err)
{
	FILE *file = fopen(path, "we");
	bool done =
	    file != NULL && fwrite(bytes.data, 1, bytes.len, file) == bytes.len;

	if (file != NULL && fclose(file) != 0)
		done = false;
	return done ? 0
		    : err_set_errno(err, ERR_FAILED, "cannot write %s", path);
}

/* A whole signature; false while it is not there yet. */
static bool
read_signature(const char *path, struct buf *text)
{
	FILE *file = fopen(path, "re");
	uint8_t *room;
	struct buf blob;
	struct ssh_sig sig;
	bool is_whole;

	if (file == NULL)
		return false;
	buf_fini(text);
	room = buf_reserve(text, SSH_SIG_FILE_MAX);
	if (room != NULL)
		buf_commit(text, fread(room, 1, SSH_SIG_FILE_MAX, file));
	fclose(file);
	buf_init(&blob, SSH_SIG_BLOB_MAX);
	is_whole =
	    ssh_sig_parse_file(buf_span(text), &blob, &sig) == SSH_SIG_GOOD;
	buf_fini(&blob);
	return is_whole;
}

/* One that lies there is of another statement; anything else is left alone. */
static int
clear_signature(
    const struct guard_hand *hand, struct buf *text, struct err *err)
{
	bool is_signature = read_signature(hand->signature, text);

	buf_fini(text);
	if (!is_signature && access(hand->signature, F_OK) == 0) {
		err_set(err, ERR_USAGE, "%s is there, and is no signature",
		    hand->signature);
		return err_hint(err, "name the file that the signature will "
				     "be written to: --signature FILE.sig");
	}
	if (is_signature && unlink(hand->signature) != 0)
		return err_set_errno(
		    err, ERR_FAILED, "cannot remove %s", hand->signature);
	return 0;
}

/* Somebody else signs the file, with ssh-keygen for example. */
static int
wait_for_signature(const struct guard_hand *hand, const char *namespace,
    uint64_t until_ms, struct buf *text, struct err *err)
{
	const struct timespec pause = {.tv_nsec = LOOK_MS * 1000000L};

	if (hand->statement != NULL)
		fprintf(stderr,
		    "kaya: sign it now, for example: ssh-keygen -Y sign -n %s "
		    "-f KEY %s\n",
		    namespace, hand->statement);
	while (!read_signature(hand->signature, text)) {
		if (clock_monotonic_ms() >= until_ms) {
			err_set(err, ERR_TIMEOUT,
			    "no signature came in %s in time", hand->signature);
			return err_hint(err, "ask again, and sign sooner");
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static const char *
key_of(const struct guard_hand *hand, const struct client_options *options)
{
	if (hand->key != NULL)
		return hand->key;
	return options->link.key_count > 0 ? options->link.keys[0] : NULL;
}

int
guard_hand_sign(const struct guard_hand *hand,
    const struct client_options *options, const char *namespace,
    struct span statement, uint64_t until_ms, struct buf *text, struct err *err)
{
	const char *key = key_of(hand, options);
	char path[4096];

	if (hand->signature != NULL && clear_signature(hand, text, err) != 0)
		return -1;
	if (hand->statement != NULL &&
	    write_file(hand->statement, statement, err) != 0)
		return -1;
	if (hand->signature != NULL)
		return wait_for_signature(hand, namespace, until_ms, text, err);
	if (key == NULL) {
		err_set(err, ERR_USAGE, "there is no key to sign with");
		return err_hint(err, "name one: --sign-key FILE");
	}
	if (signer_sign(key, namespace, statement, text, err) != 0)
		return -1;
	if (hand->statement == NULL)
		return 0;
	snprintf(path, sizeof path, "%s.sig", hand->statement);
	return write_file(path, buf_span(text), err);
}
