#include "cmd_keys.h"

#include "keys_edit.h"
#include "keys_line.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct cmd_option options[] = {
    {KEYS_NAME, "name", "ID",
	"the identity that the key stands for (A-Z a-z 0-9 . _ -)"},
    {CMD_BROKER, "broker", "HOST:PORT",
	"the one thing that may be reached (127.0.0.1:1883)"},
    {KEYS_FROM, "from", "LIST",
	"let it in from these addresses only (192.0.2.0/24,10.0.0.*)"},
    {KEYS_ROLE, "role", "ROLE", "the role of the identity at the gateway"},
    {KEYS_EXPIRES, "expires", "YYYYMMDD[HHMM]",
	"let it in until then, in the server's time zone (Z behind it: UTC)"},
    {KEYS_ALSO, "also", NULL,
	"allow a second key of the same identity, while one replaces the "
	"other"},
    {0},
};

struct addition {
	struct keys_line_wish wish;
	struct cmd_broker broker;
	const char *path;
	const char *key_path;
	bool also;
	struct keys_files key_file;
	struct keys_files files;
	struct authorized_keys_line key;
	struct buf line;
	struct buf out;
};

/* The other keys that stand there: none of them may be in the way. */
static int
check_clash(
    const struct addition *a, const struct keys_file *file, struct err *err)
{
	char print[PUBKEY_FINGERPRINT_SIZE];
	size_t number;

	switch (keys_edit_find_clash(
	    file->bytes, &a->key, a->wish.identity, &number)) {
	case KEYS_CLASH_NONE:
		return 0;
	case KEYS_CLASH_KEY:
		err_set(err, ERR_FAILED, "this key is there already");
		err_hint(err,
		    "to change its line take it out first: kaya keys "
		    "revoke %s %s",
		    a->path, keys_fingerprint(&a->key, print));
		break;
	case KEYS_CLASH_IDENTITY:
		if (a->also)
			return 0;
		err_set(err, ERR_FAILED, "another key goes by the name %s",
		    a->wish.identity);
		err_hint(err,
		    "take the old one out (kaya keys revoke %s %s), "
		    "choose another name, or say --also",
		    a->path, a->wish.identity);
		break;
	}
	return err_where(err, "%s:%zu", file->name, number);
}

/* In a folder each identity has a file of its own. */
static struct keys_file *
choose_file(struct addition *a, struct err *err)
{
	if (!a->files.is_folder)
		return &a->files.items[0];
	if (a->wish.identity[0] == '.') {
		err_set(err, ERR_USAGE,
		    "a file whose name begins with a dot is not read");
		err_hint(err, "choose a name that does not");
		return NULL;
	}
	return keys_files_entry(&a->files, a->wish.identity, err);
}

static int
read_key(struct addition *a, struct err *err)
{
	if (keys_files_open(&a->key_file, a->key_path, KEYS_FILES_READ, err) !=
	    0)
		return -1;
	if (a->key_file.is_folder) {
		err_set(err, ERR_FAILED, "%s is a folder", a->key_path);
		return err_hint(err, "name the .pub file in it");
	}
	if (keys_line_take_key(a->key_file.items[0].bytes, &a->key, err) != 0)
		return err_where(err, "%s", a->key_file.items[0].name);
	return keys_line_write(&a->wish, &a->key, time(NULL), &a->line, err);
}

static int
add_key(struct addition *a, struct err *err)
{
	struct keys_file *file;

	if (read_key(a, err) != 0 ||
	    keys_files_open(&a->files, a->path, KEYS_FILES_CHANGE, err) != 0)
		return -1;
	for (size_t i = 0; i < a->files.count; i++)
		if (check_clash(a, &a->files.items[i], err) != 0)
			return -1;
	file = choose_file(a, err);
	if (file == NULL || keys_edit_append(file->bytes, buf_span(&a->line),
				&a->out, err) != 0)
		return -1;
	return keys_file_replace(file, buf_span(&a->out), err);
}

static int
add(struct addition *a)
{
	char print[PUBKEY_FINGERPRINT_SIZE];
	struct err err = ERR_INIT;
	int result;

	a->wish.broker_host = a->broker.host;
	a->wish.broker_port = a->broker.port;
	a->files.lock_fd = a->key_file.lock_fd = -1;
	buf_init(&a->line, KEYS_LINE_MAX_BYTES);
	buf_init(&a->out, KEYS_EDIT_MAX_BYTES);
	result = add_key(a, &err);
	if (result == 0)
		fprintf(stderr, "%s %s may enter as %s\n",
		    pubkey_type_word(a->key.key.type),
		    keys_fingerprint(&a->key, print), a->wish.identity);
	buf_fini(&a->line);
	buf_fini(&a->out);
	keys_files_close(&a->files);
	keys_files_close(&a->key_file);
	return result == 0 ? 0 : cmd_complain(&err);
}

static int
run(const struct cmd *cmd, int argc, char **argv)
{
	struct cmd_reader reader = {.cmd = cmd, .argc = argc, .argv = argv};
	struct addition a = {.broker = {"127.0.0.1", 1883}};
	int id, status = 0;

	while ((id = cmd_next(&reader, &status)) != CMD_END) {
		switch (id) {
		case CMD_STOP:
			return status;
		case KEYS_NAME:
			a.wish.identity = reader.argument;
			break;
		case KEYS_ROLE:
			a.wish.role = reader.argument;
			break;
		case KEYS_FROM:
			a.wish.from = reader.argument;
			break;
		case KEYS_EXPIRES:
			a.wish.expires = reader.argument;
			break;
		case KEYS_ALSO:
			a.also = true;
			break;
		case CMD_BROKER:
			if (cmd_take_broker(&reader, &a.broker) != 0)
				return 2;
			break;
		}
	}
	if (argc - optind < 1 || argc - optind > 2)
		return cmd_misuse(
		    cmd, "name a file of keys, and one public key");
	if (a.wish.identity == NULL)
		return cmd_misuse(cmd, "say --name: who the key stands for");
	a.path = argv[optind];
	a.key_path = argc - optind > 1 ? argv[optind + 1] : "-";
	if (strcmp(a.key_path, "-") == 0 && isatty(STDIN_FILENO))
		fputs("put the public key here (one line), then Ctrl-D\n",
		    stderr);
	return add(&a);
}

static const char *const synopses[] = {
    "--name ID [--broker HOST:PORT] [--from LIST] [--role ROLE] "
    "[--expires YYYYMMDD] [--also] FILE [KEY.pub]",
    NULL};

const struct cmd cmd_keys_add = {
    .name = "keys add",
    .synopses = synopses,
    .summary = "Let a public key in, to the broker and to nothing else",
    .about =
	"KEY.pub absent, or -, is standard input. The line that is written\n"
	"allows a tunnel to the broker; shell, commands, terminal, agent, "
	"X11,\n"
	"sftp and listening on the server's ports are refused. What no line "
	"can\n"
	"refuse at a stock sshd is listening on a UNIX socket there (ssh -R\n"
	"/path:...): AllowStreamLocalForwarding no in sshd_config does it.\n"
	"\n"
	"FILE is replaced whole or not at all, with its owner and mode; it is\n"
	"made where it is missing. In a folder the file FILE/ID is written.\n",
    .options = options,
    .run = run,
};
