#include "invitations_file.h"

#include <limits.h>
#include <stdio.h>

int
invitations_file_open(
    struct invitations_file *file, const char *state_dir, struct err *err)
{
	const struct keys_file *item;
	char path[PATH_MAX];

	*file = (struct invitations_file){.files = {.lock_fd = -1}};
	snprintf(path, sizeof path, "%s/invitations", state_dir);
	if (keys_files_open(&file->files, path, KEYS_FILES_OWN, err) != 0)
		return -1;
	item = &file->files.items[0];
	if (item->exists && (item->st.st_mode & 077) != 0) {
		err_set(err, ERR_FAILED, "others may read or write %s", path);
		err_hint(err,
		    "remove it, since anybody may have invited himself, and "
		    "make new codes");
		goto fail;
	}
	if (invitations_parse(&file->list, item->bytes, err) != 0) {
		err_where(err, "%s", path);
		goto fail;
	}
	return 0;
fail:
	invitations_file_close(file);
	return -1;
}

int
invitations_file_save(const struct invitations_file *file, struct err *err)
{
	struct buf bytes;
	int result;

	buf_init(&bytes, INVITATIONS_FILE_MAX);
	invitations_encode(&file->list, &bytes);
	result = bytes.failed
		     ? err_set(err, ERR_NOMEM, "no memory for invitations")
		     : keys_file_replace(
			   &file->files.items[0], buf_span(&bytes), err);
	buf_fini(&bytes);
	return result;
}

void
invitations_file_close(struct invitations_file *file)
{
	invitations_fini(&file->list);
	keys_files_close(&file->files);
}
