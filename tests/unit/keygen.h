#ifndef KAYA_TEST_KEYGEN_H
#define KAYA_TEST_KEYGEN_H

/* keygen: OpenSSH's ssh-keygen, in a folder of the test's own. */

#include "span.h"
#include "str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

enum { KEYGEN_FILE_MAX = 65536 };

/* Run a shell command; its exit status. */
static inline int run(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
static inline int
run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof command, format, args);
	va_end(args);
	return system(command);
}

static char keygen_folder[] = "/tmp/kaya-test-XXXXXX";

/* Make the folder and go there; away from it, and rid of it. */
static inline int
keygen_begin(void)
{
	return mkdtemp(keygen_folder) == NULL || chdir(keygen_folder) != 0 ? -1
									   : 0;
}

static inline int
keygen_end(void)
{
	return chdir("/") != 0 ? -1 : run("rm -r '%s'", keygen_folder);
}

static inline void
need_ssh_keygen(void)
{
	if (run("command -v ssh-keygen >/dev/null") != 0) {
		print_message("ssh-keygen is not installed\n");
		skip();
	}
}

/* A fresh key of these options in the file of that name. */
static inline void
make_key_file(const char *name, const char *options)
{
	assert_int_equal(run("rm -f %s %s.pub && ssh-keygen -q -f %s -C "
			     "pump %s",
			     name, name, name, options),
	    0);
}

/* Good until the next call. */
static inline struct span
read_file(const char *name)
{
	static uint8_t bytes[KEYGEN_FILE_MAX];
	FILE *file = fopen(name, "r");
	size_t len;

	assert_non_null(file);
	len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	return span_of(bytes, len);
}

static inline void
write_file(const char *name, struct span bytes)
{
	FILE *file = fopen(name, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes.data, 1, bytes.len, file), bytes.len);
	fclose(file);
	assert_int_equal(run("chmod 600 %s", name), 0);
}

/* The blob in a line of a .pub file; good until the next call. */
static inline struct span
blob_of(struct span line)
{
	static uint8_t blob[KEYGEN_FILE_MAX];
	const uint8_t *start = memchr(line.data, ' ', line.len), *end;
	long len;

	assert_non_null(start);
	start++;
	end = start;
	while (end < line.data + line.len && *end != ' ' && *end != '\n')
		end++;
	len = str_base64_decode(
	    span_of(start, (size_t)(end - start)), blob, sizeof blob);
	assert_true(len > 0);
	return span_of(blob, (size_t)len);
}

#endif
