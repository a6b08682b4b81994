#include "sshd_lines.h"

#include "shell_words.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	DEPTH_MAX = 16, /* sshd's own */
	PATTERNS_MAX = 64
};

struct walk {
	struct sshd_lines *lines;
	const char *word;
};

/* What a line stands below. */
struct scope {
	struct sshd_place match;
	char criteria[SSHD_CRITERIA_SIZE];
};

static void read_file(
    struct walk *walk, const char *path, const struct scope *around, int depth);

/* ---- a line ---- */

static const char blanks[] = " \t\r\n";

/* The word at the front; `rest` becomes what stands behind it. */
static char *
cut_keyword(char *line, char **rest)
{
	char *word = line + strspn(line, blanks), *end;

	end = word + strcspn(word, " \t\r\n=");
	*rest = end;
	if (*end == '\0')
		return word;
	*rest += strspn(*rest, blanks);
	if (**rest == '=')
		(*rest)++;
	*rest += strspn(*rest, blanks);
	*end = '\0';
	return word;
}

/* Without a comment and blanks behind it. */
static void
trim(char *text)
{
	size_t len = strcspn(text, "\r\n");
	bool quoted = false;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		if (text[i] == '#' && !quoted &&
		    (i == 0 || strchr(blanks, text[i - 1]) != NULL))
			len = i;
	}
	while (len > 0 && strchr(blanks, text[len - 1]) != NULL)
		len--;
	text[len] = '\0';
}

static void
add(struct walk *walk, const struct sshd_place *at, const struct scope *scope)
{
	struct sshd_lines *lines = walk->lines;
	struct sshd_line *line;

	if (lines->count == lines->cap) {
		size_t cap = lines->cap == 0 ? 8 : 2 * lines->cap;
		struct sshd_line *items =
		    cap <= SSHD_LINES_MAX
			? reallocarray(lines->items, cap, sizeof *items)
			: NULL;

		if (items == NULL) {
			lines->failed = true;
			return;
		}
		lines->items = items;
		lines->cap = cap;
	}
	line = &lines->items[lines->count++];
	line->at = *at;
	line->match = scope->match;
	memcpy(line->criteria, scope->criteria, sizeof line->criteria);
}

/* "all" may not stand beside others, and says nothing beside them. */
static void
begin_match(struct walk *walk, const char *own, const struct sshd_place *at,
    const struct scope *around, struct scope *scope)
{
	const char *outer = around->criteria;
	const bool is_all = strcasecmp(own, "all") == 0;
	int len;

	scope->match = *at;
	if (outer[0] == '\0' || (strcasecmp(outer, "all") == 0 && !is_all))
		len = snprintf(
		    scope->criteria, sizeof scope->criteria, "%s", own);
	else if (is_all)
		len = snprintf(
		    scope->criteria, sizeof scope->criteria, "%s", outer);
	else
		len = snprintf(scope->criteria, sizeof scope->criteria, "%s %s",
		    outer, own);
	if (len < 0 || (size_t)len >= sizeof scope->criteria)
		walk->lines->failed = true;
}

/* ---- files ---- */

/* sshd looks for it beside its own configuration's usual place. */
static void
include_pattern(struct walk *walk, const char *pattern,
    const struct scope *scope, int depth)
{
	char path[PATH_MAX];
	glob_t found;

	snprintf(path, sizeof path, "%s%s",
	    pattern[0] == '/' || pattern[0] == '~' ? "" : "/etc/ssh/", pattern);
	if (glob(path, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			read_file(walk, found.gl_pathv[i], scope, depth + 1);
		globfree(&found);
	}
}

static void
include(
    struct walk *walk, const char *text, const struct scope *scope, int depth)
{
	const char *patterns[PATTERNS_MAX + 1];
	struct arena arena = {0};
	size_t count = 0;

	if (shell_words_split(span_of_str(text), NULL, &arena, patterns,
		PATTERNS_MAX + 1, &count) != SHELL_WORDS_GOOD)
		walk->lines->failed = true;
	for (size_t i = 0; !walk->lines->failed && i < count; i++)
		include_pattern(walk, patterns[i], scope, depth);
	arena_fini(&arena);
}

/* A Match ends with its file: what includes it goes on as it was. */
static void
read_file(
    struct walk *walk, const char *path, const struct scope *around, int depth)
{
	FILE *file = depth <= DEPTH_MAX ? fopen(path, "re") : NULL;
	struct scope scope = *around;
	struct sshd_place at = {0};
	char *line = NULL, *rest;
	size_t size = 0;

	if (file == NULL)
		return;
	snprintf(at.file, sizeof at.file, "%s", path);
	while (getline(&line, &size, file) >= 0) {
		const char *word = cut_keyword(line, &rest);

		at.line++;
		trim(rest);
		if (strcasecmp(word, "Match") == 0)
			begin_match(walk, rest, &at, around, &scope);
		else if (strcasecmp(word, "Include") == 0)
			include(walk, rest, &scope, depth);
		else if (strcasecmp(word, walk->word) == 0)
			add(walk, &at, &scope);
	}
	free(line);
	fclose(file);
}

void
sshd_lines_find(struct sshd_lines *lines, const char *file, const char *word)
{
	static const struct scope everybody;
	struct walk walk = {.lines = lines, .word = word};

	*lines = (struct sshd_lines){0};
	read_file(&walk, file, &everybody, 0);
}

void
sshd_lines_fini(struct sshd_lines *lines)
{
	free(lines->items);
	*lines = (struct sshd_lines){0};
}
