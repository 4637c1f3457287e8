/* Ranges of generations, and who looks at them. */
#include "viewers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRIES_MAX = 64 };

static int by_place(const void *a, const void *b)
{
	const struct viewer *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->gen < y->gen ? -1 : x->gen > y->gen;
}

static void add(struct viewers *viewers, uint32_t line, uint32_t gen,
		uint32_t child)
{
	const struct past_line *on = past_find_line(viewers->past, line);

	if (!on)
		return;
	viewers->list[viewers->count++] =
		(struct viewer){ on->begin, gen, child };
	if (!child)
		viewers->seen[on->begin + 1]++;
}

int viewers_load(struct viewers *viewers, const struct past *past)
{
	size_t most =
		past->branch_count + past->snapshot_count + past->line_count;
	size_t i;

	*viewers = (struct viewers){ .past = past };
	viewers->list = calloc(most + 1, sizeof(*viewers->list));
	viewers->by_place =
		calloc(past->line_count + 1, sizeof(*viewers->by_place));
	viewers->seen = calloc(past->line_count + 1, sizeof(*viewers->seen));
	if (!viewers->list || !viewers->by_place || !viewers->seen)
		return -ENOMEM;
	for (i = 0; i < past->branch_count; i++)
		if (past->branches[i].state != 2)
			add(viewers, past->branches[i].line,
			    past->branches[i].gen, 0);
	for (i = 0; i < past->snapshot_count; i++)
		if (past->snapshots[i].state != 2)
			add(viewers, past->snapshots[i].line,
			    past->snapshots[i].gen, 0);
	for (i = 0; i < past->line_count; i++) {
		const struct past_line *line = &past->lines[i];

		viewers->by_place[line->begin] = (uint32_t)i;
		add(viewers, line->parent, line->fork_gen, (uint32_t)i + 1);
	}
	for (i = 0; i < past->line_count; i++)
		viewers->seen[i + 1] += viewers->seen[i];
	qsort(viewers->list, viewers->count, sizeof(*viewers->list), by_place);
	return 0;
}

void viewers_free(struct viewers *viewers)
{
	free(viewers->list);
	free(viewers->by_place);
	free(viewers->seen);
	*viewers = (struct viewers){ 0 };
}

size_t viewers_find(const struct viewers *viewers, uint32_t place, uint32_t gen)
{
	const struct viewer wanted = { .place = place, .gen = gen };
	size_t low = 0, high = viewers->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by_place(&viewers->list[middle], &wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first mark at or behind the place. */
static size_t find_mark(const struct marked_line *marks, size_t count,
			uint32_t place)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (marks[middle].place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool any_on(const struct viewers *viewers, uint32_t place, uint32_t to)
{
	size_t i = viewers_find(viewers, place, 0), tries = TRIES_MAX;

	for (; i < viewers->count && tries-- > 0; i++) {
		const struct viewer *viewer = &viewers->list[i];

		if (viewer->place != place || viewer->gen >= to)
			return false;
		if (!viewer->child)
			return true;
	}
	return false;
}

/* A line that left then sees it, as far as it has no versions of its own. */
static bool child_sees(const struct viewers *viewers,
		       const struct past_line *child,
		       const struct marked_line *marks, size_t count)
{
	size_t mark = find_mark(marks, count, child->begin);

	if (mark == count || marks[mark].place >= child->end)
		return viewers->seen[child->end] > viewers->seen[child->begin];
	return any_on(viewers, child->begin,
		      marks[mark].place == child->begin ?
			      marks[mark].first_gen :
			      UINT32_MAX);
}

bool viewers_any(const struct viewers *viewers, uint32_t place, uint32_t from,
		 uint32_t to, const struct marked_line *marks,
		 size_t mark_count)
{
	size_t i = viewers_find(viewers, place, from), tries = TRIES_MAX;

	for (; i < viewers->count && tries-- > 0; i++) {
		const struct viewer *viewer = &viewers->list[i];

		if (viewer->place != place || viewer->gen >= to)
			return false;
		if (!viewer->child ||
		    child_sees(viewers,
			       &viewers->past->lines[viewer->child - 1], marks,
			       mark_count))
			return true;
	}
	return false;
}
