#include "keys_diff.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	CONTEXT_LINES = 3,
	/* How far apart, in lines of both, two equal lines are looked for. */
	LOOK_AHEAD = 100
};

/* The lines of a file, each with its LF. */
struct lines {
	struct span *items;
	size_t count;
};

static int
split(struct span file, struct lines *lines)
{
	size_t count = 0;

	for (size_t i = 0; i < file.len; i++)
		count += file.data[i] == '\n' || i + 1 == file.len;
	lines->items = calloc(count + 1, sizeof *lines->items);
	if (lines->items == NULL)
		return -1;
	while (file.len > 0) {
		const uint8_t *end = memchr(file.data, '\n', file.len);
		size_t len =
		    end == NULL ? file.len : (size_t)(end - file.data) + 1;

		lines->items[lines->count++] = span_of(file.data, len);
		file = span_of(file.data + len, file.len - len);
	}
	return 0;
}

/* So many lines of the old go, so many of the new come, so many stay. */
struct step {
	size_t gone;
	size_t come;
	size_t same;
};

struct diff {
	struct lines before;
	struct lines after;
	struct step *steps;
	size_t count;
	keys_diff_fn *fn;
	void *arg;
};

static bool
are_equal(const struct diff *d, size_t i, size_t k)
{
	return i < d->before.count && k < d->after.count &&
	       span_equal(d->before.items[i], d->after.items[k]);
}

/* The nearest place at which both go on alike. */
static struct step
find_next(const struct diff *d, size_t i, size_t k)
{
	for (size_t far = 1; far <= LOOK_AHEAD; far++)
		for (size_t gone = 0; gone <= far; gone++)
			if (are_equal(d, i + gone, k + far - gone))
				return (struct step){
				    .gone = gone, .come = far - gone};
	/* None is near: one line in the place of the other. */
	return (struct step){
	    .gone = i < d->before.count, .come = k < d->after.count};
}

/* Steps that touch are one. */
static void
add_step(struct diff *d, struct step step)
{
	if (d->count > 0 && d->steps[d->count - 1].same == 0) {
		struct step *last = &d->steps[d->count - 1];

		last->gone += step.gone;
		last->come += step.come;
		last->same = step.same;
	} else {
		d->steps[d->count++] = step;
	}
}

static int
compare(struct diff *d)
{
	size_t i = 0, k = 0;

	d->steps =
	    calloc(d->before.count + d->after.count + 1, sizeof *d->steps);
	if (d->steps == NULL)
		return -1;
	while (i < d->before.count || k < d->after.count) {
		struct step step = {0};

		if (!are_equal(d, i, k))
			step = find_next(d, i, k);
		i += step.gone;
		k += step.come;
		while (are_equal(d, i, k)) {
			step.same++;
			i++;
			k++;
		}
		add_step(d, step);
	}
	return 0;
}

/* ---- showing ---- */

static void
tell(const struct diff *d, char mark, const struct lines *lines, size_t from,
    size_t count)
{
	for (size_t i = 0; i < count; i++)
		d->fn(d->arg, mark, lines->items[from + i]);
}

/* "12,3": three lines from the twelfth on; a single one goes without ",1". */
static const char *
range(size_t from, size_t count, char text[64])
{
	/* An empty range is named by the line before it. */
	if (count == 1)
		snprintf(text, 64, "%zu", from + 1);
	else
		snprintf(text, 64, "%zu,%zu", from + (count > 0), count);
	return text;
}

static void
tell_head(const struct diff *d, size_t old_from, size_t old_count,
    size_t new_from, size_t new_count)
{
	char head[160], before[64], after[64];

	snprintf(head, sizeof head, "@@ -%s +%s @@\n",
	    range(old_from, old_count, before),
	    range(new_from, new_count, after));
	d->fn(d->arg, '@', span_of_str(head));
}

/* How many lines stand between this step's change and the next hunk's. */
static size_t
lead(size_t same)
{
	return same < CONTEXT_LINES ? same : CONTEXT_LINES;
}

/* The steps from `first` that share one hunk; the first behind them. */
static size_t
hunk_end(const struct diff *d, size_t first)
{
	size_t end = first + 1;

	while (end < d->count && d->steps[end - 1].same <= 2 * CONTEXT_LINES)
		end++;
	return end;
}

/* A place in both files. */
struct place {
	size_t i;
	size_t k;
};

/* `at` is where the first step's change begins. */
static void
tell_hunk(const struct diff *d, size_t first, size_t end, size_t before,
    struct place at)
{
	size_t old_count = before, new_count = before, i = at.i, k = at.k;

	for (size_t s = first; s < end; s++) {
		size_t same =
		    s + 1 < end ? d->steps[s].same : lead(d->steps[s].same);

		old_count += d->steps[s].gone + same;
		new_count += d->steps[s].come + same;
	}
	tell_head(d, i - before, old_count, k - before, new_count);
	tell(d, ' ', &d->before, i - before, before);
	for (size_t s = first; s < end; s++) {
		size_t same =
		    s + 1 < end ? d->steps[s].same : lead(d->steps[s].same);

		tell(d, '-', &d->before, i, d->steps[s].gone);
		tell(d, '+', &d->after, k, d->steps[s].come);
		i += d->steps[s].gone;
		k += d->steps[s].come;
		tell(d, ' ', &d->before, i, same);
		i += d->steps[s].same;
		k += d->steps[s].same;
	}
}

static void
show(const struct diff *d)
{
	struct place at = {0};
	size_t s = 0, before = 0;

	/* A first step without a change is what both begin with. */
	if (d->count > 0 && d->steps[0].gone + d->steps[0].come == 0) {
		at.i = at.k = d->steps[0].same;
		before = lead(d->steps[0].same);
		s = 1;
	}
	while (s < d->count) {
		size_t end = hunk_end(d, s);

		tell_hunk(d, s, end, before, at);
		for (; s < end; s++) {
			at.i += d->steps[s].gone + d->steps[s].same;
			at.k += d->steps[s].come + d->steps[s].same;
		}
		before = lead(d->steps[s - 1].same);
	}
}

int
keys_diff(struct span before, struct span after, keys_diff_fn *fn, void *arg,
    struct err *err)
{
	struct diff d = {.fn = fn, .arg = arg};
	int result = 0;

	if (split(before, &d.before) != 0 || split(after, &d.after) != 0 ||
	    compare(&d) != 0)
		result = err_set(err, ERR_NOMEM, "no memory to compare");
	else
		show(&d);
	free(d.before.items);
	free(d.after.items);
	free(d.steps);
	return result;
}
