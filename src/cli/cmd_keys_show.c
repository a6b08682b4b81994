#include "cmd_keys_show.h"

#include "authorized_keys.h"
#include "cmd_keys.h"
#include "keys_diff.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { LABEL_WIDTH = 10, DEFAULT_WIDTH = 80, MIN_WIDTH = 40 };

/* ---- a line with a mark ---- */

/* Columns behind the label; 0 where stdout is no terminal. */
static size_t
room(void)
{
	struct winsize size;
	size_t width = DEFAULT_WIDTH;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		width = size.ws_col;
	if (width < MIN_WIDTH)
		width = MIN_WIDTH;
	return width - LABEL_WIDTH - 1;
}

/* Whether a byte takes no column of its own: the inside of a character. */
static bool
is_inside(uint8_t c)
{
	return (c & 0xc0) == 0x80;
}

/* The piece of a line around `mark` that fits, and a caret under it. */
static void
show_window(const char *label, struct span line, size_t mark, size_t width)
{
	static const char dots[] = "...";
	size_t start = 0, end, column;

	if (line.len > width && mark > width / 2)
		start = mark - width / 2;
	while (start > 0 && start < line.len && is_inside(line.data[start]))
		start--;
	end =
	    line.len - start > width ? start + width - strlen(dots) : line.len;
	while (end > start && end < line.len && is_inside(line.data[end]))
		end--;
	printf("  %-*s", LABEL_WIDTH - 2, label);
	column = LABEL_WIDTH;
	if (start > 0) {
		fputs(dots, stdout);
		start += strlen(dots);
		column += strlen(dots);
	}
	cmd_keys_put(stdout, span_of(line.data + start, end - start));
	printf("%s\n", end < line.len ? dots : "");
	for (size_t i = start; i < mark && i < end; i++)
		column += !is_inside(line.data[i]);
	printf("%*s%s^%s\n", (int)column, "",
	    cmd_keys_paint(stdout, PAINT_GOOD),
	    cmd_keys_paint(stdout, PAINT_PLAIN));
}

/* Where two lines begin to differ. */
static size_t
difference(struct span a, struct span b)
{
	size_t i = 0;

	while (i < a.len && i < b.len && a.data[i] == b.data[i])
		i++;
	return i;
}

static void
show_meant(const char *meant, struct span source)
{
	struct span all = span_of_str(meant), line;
	size_t width = room(), at = 0, number = 0;

	while (authorized_keys_next_line(all, &at, &number, &line)) {
		if (width > 0 && number == 1) {
			show_window(
			    "meant:", line, difference(line, source), width);
			continue;
		}
		printf("  %-*s", LABEL_WIDTH - 2, "meant:");
		cmd_keys_put(stdout, line);
		putchar('\n');
	}
}

void
cmd_keys_show_finding(
    const char *file, const struct keys_finding *finding, struct span source)
{
	static struct authorized_keys_line line;
	enum cmd_keys_paint paint = finding->severity > KEYS_WARNING ? PAINT_BAD
				    : finding->severity == KEYS_WARNING
					? PAINT_DOUBTFUL
					: PAINT_PLAIN;

	fputs(file, stdout);
	if (finding->line > 0)
		printf(":%zu:%zu", finding->line, finding->column);
	printf(": %s%s%s: %s [%s]\n", cmd_keys_paint(stdout, paint),
	    keys_severity_name(finding->severity),
	    cmd_keys_paint(stdout, PAINT_PLAIN), finding->cause, finding->code);
	if (finding->sshd[0] != '\0')
		printf("  %-*s%s\n", LABEL_WIDTH - 2, "sshd:", finding->sshd);
	if (finding->remedy[0] != '\0')
		printf(
		    "  %-*s%s\n", LABEL_WIDTH - 2, "remedy:", finding->remedy);
	if (finding->meant != NULL)
		show_meant(finding->meant, source);
	else if (room() > 0 && finding->line > 0 &&
		 authorized_keys_parse(source, &line) == AUTHORIZED_KEYS_KEY)
		show_window("line:", source, finding->column - 1, room());
}

/* ---- a difference ---- */

static void
show_row(void *arg, char mark, struct span text)
{
	static struct authorized_keys_line line;
	enum cmd_keys_paint paint = mark == '-'	  ? PAINT_BAD
				    : mark == '+' ? PAINT_GOOD
						  : PAINT_PLAIN;
	bool has_end = text.len > 0 && text.data[text.len - 1] == '\n';
	struct span bare = span_of(text.data, text.len - has_end);

	(void)arg;
	if (mark != '@')
		printf("%s%c", cmd_keys_paint(stdout, paint), mark);
	if (mark == ' ' &&
	    authorized_keys_parse(bare, &line) == AUTHORIZED_KEYS_VOID)
		fputs("(not shown: a line without a key)", stdout);
	else
		cmd_keys_put(stdout, bare);
	printf("%s\n%s", cmd_keys_paint(stdout, PAINT_PLAIN),
	    has_end ? "" : "\\ No newline at end of file\n");
}

int
cmd_keys_show_difference(
    const struct cmd_keys_versions *versions, struct err *err)
{
	printf("--- %s\n+++ %s\n", versions->old_name, versions->new_name);
	return keys_diff(
	    versions->old_bytes, versions->new_bytes, show_row, NULL, err);
}
