#include "load.h"

#include <libssh/libssh.h>
#include <stdio.h>
#include <sys/stat.h>

static int
make_key(const char *folder, unsigned number, struct err *err)
{
	ssh_key key = NULL;
	char path[512], *text = NULL;
	int result = -1;

	snprintf(path, sizeof(path), "%s/%u", folder, number);
	if (ssh_pki_generate(SSH_KEYTYPE_ED25519, 0, &key) != SSH_OK ||
	    ssh_pki_export_privkey_file(key, NULL, NULL, NULL, path) !=
		SSH_OK ||
	    ssh_pki_export_pubkey_base64(key, &text) != SSH_OK) {
		err_set(err, ERR_FAILED, "cannot make the key %s", path);
		goto out;
	}
	printf("ssh-ed25519 %s\n", text);
	result = 0;
out:
	ssh_string_free_char(text);
	ssh_key_free(key);
	return result;
}

int
load_keys(const struct load_options *options, struct err *err)
{
	umask(077);
	for (unsigned i = 0; i < options->count; i++)
		if (make_key(options->way.key, i, err) == -1)
			return -1;
	return 0;
}
