#include "ssh_settings.h"

#include "program.h"
#include "str.h"

#include <stdio.h>

enum { ASK_MS = 20000, ASK_WORDS = 512 };

static int
add(struct ssh_settings *settings, struct span word, struct span value)
{
	struct ssh_setting *item = &settings->items[settings->count];

	item->word = arena_str(&settings->arena, word);
	item->value = arena_str(&settings->arena, value);
	if (item->word == NULL || item->value == NULL)
		return -1;
	settings->count++;
	return 0;
}

int
ssh_settings_parse(struct ssh_settings *settings, struct span text)
{
	memset(settings, 0, sizeof *settings);
	while (text.len > 0 && settings->count < SSH_SETTINGS_MAX) {
		const uint8_t *end = memchr(text.data, '\n', text.len);
		size_t len = end != NULL ? (size_t)(end - text.data) : text.len;
		const uint8_t *blank = memchr(text.data, ' ', len);
		size_t word = blank != NULL ? (size_t)(blank - text.data) : len;
		size_t behind = word < len ? word + 1 : len;

		if (word > 0 &&
		    add(settings, span_of(text.data, word),
			span_of(text.data + behind, len - behind)) != 0)
			return -1;
		if (end == NULL)
			break;
		text = span_of(end + 1, text.len - len - 1);
	}
	return 0;
}

void
ssh_settings_fini(struct ssh_settings *settings)
{
	arena_fini(&settings->arena);
	settings->count = 0;
}

const char *
ssh_settings_next(
    const struct ssh_settings *settings, const char *word, size_t *at)
{
	while (*at < settings->count) {
		const struct ssh_setting *item = &settings->items[(*at)++];

		if (strcmp(item->word, word) == 0)
			return item->value;
	}
	return NULL;
}

const char *
ssh_settings_get(const struct ssh_settings *settings, const char *word)
{
	size_t at = 0;
	const char *value = ssh_settings_next(settings, word, &at);

	return value != NULL ? value : "";
}

/* The line that tells why: mostly the last but the usage. */
static void
find_reason(const char *said, char *why, size_t size)
{
	static const char *const noise[] = {"Warning: ", "Pseudo-terminal",
	    "usage:", " ", "debug", "** ", NULL};

	why[0] = '\0';
	while (*said != '\0') {
		size_t len = strcspn(said, "\r\n");
		bool is_noise = len == 0;

		for (size_t i = 0; noise[i] != NULL; i++)
			is_noise = is_noise || strncmp(said, noise[i],
						   strlen(noise[i])) == 0;
		if (!is_noise) {
			str_escape(span_of(said, len), why, size);
			return;
		}
		said += len;
		said += strspn(said, "\r\n");
	}
}

int
ssh_settings_ask(struct ssh_settings *settings, const char *const *words,
    char *why, size_t size)
{
	const char *all[ASK_WORDS] = {"ssh", "-G"};
	struct program program;
	size_t count = 2;
	int result = -1;

	memset(settings, 0, sizeof *settings);
	while (*words != NULL && count + 1 < ASK_WORDS)
		all[count++] = *words++;
	all[count] = NULL;
	if (!program_run(&program, all, ASK_MS)) {
		settings->has_no_ssh = true;
		snprintf(why, size, "there is no ssh program here (openssh)");
	} else if (program.status != 0) {
		find_reason(program_said(&program), why, size);
	} else {
		result = ssh_settings_parse(
		    settings, span_of_str(program_out(&program)));
		why[0] = '\0';
	}
	program_fini(&program);
	return result;
}
