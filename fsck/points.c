/*
 * Viewers by line and generation.
 *
 * I1: a line counts as having left only while somebody lives on it or on a
 *     line that left it.
 */
#include "points.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { STATE_BEING_DELETED = 2 };

static int add(struct points *points, uint32_t line, uint32_t gen)
{
	if (points->seen_count == points->seen_capacity) {
		size_t capacity =
			points->seen_capacity ? points->seen_capacity * 2 : 64;
		void *grown =
			realloc(points->seen, capacity * sizeof(*points->seen));

		if (!grown)
			return -ENOMEM;
		points->seen = grown;
		points->seen_capacity = capacity;
	}
	points->seen[points->seen_count++] = (struct point){ line, gen };
	return 0;
}

static int add_head(struct points *points, uint32_t line)
{
	if (points->head_count == points->head_capacity) {
		size_t capacity =
			points->head_capacity ? points->head_capacity * 2 : 16;
		void *grown = realloc(points->heads,
				      capacity * sizeof(*points->heads));

		if (!grown)
			return -ENOMEM;
		points->heads = grown;
		points->head_capacity = capacity;
	}
	points->heads[points->head_count++] = line;
	return 0;
}

static int by_point(const void *a, const void *b)
{
	const struct point *left = a, *right = b;

	if (left->line != right->line)
		return left->line < right->line ? -1 : 1;
	return left->gen < right->gen ? -1 : left->gen > right->gen;
}

static int by_number(const void *a, const void *b)
{
	const uint32_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

static void sort(struct points *points)
{
	if (points->seen_count)
		qsort(points->seen, points->seen_count, sizeof(*points->seen),
		      by_point);
	if (points->head_count)
		qsort(points->heads, points->head_count, sizeof(*points->heads),
		      by_number);
}

static bool has_head(const struct points *points, uint32_t line)
{
	return points->head_count &&
	       bsearch(&line, points->heads, points->head_count, sizeof(line),
		       by_number);
}

/* The first point of the line from gen on. */
static const struct point *first_from(const struct points *points,
				      uint32_t line, uint32_t gen)
{
	const struct point want = { line, gen };
	size_t low = 0, high = points->seen_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_point(&points->seen[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == points->seen_count || points->seen[low].line != line)
		return NULL;
	return &points->seen[low];
}

static int load_viewers(struct points *points, struct queries *queries)
{
	sqlite3_stmt *row;
	int rc = query_begin(queries, &row,
			     "SELECT line, gen FROM snapshots WHERE state <> ?",
			     "i", (int64_t)STATE_BEING_DELETED);

	while (rc == 1) {
		rc = add(points, query_u32(row, 0), query_u32(row, 1));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	if (rc == 0)
		rc = query_begin(queries, &row,
				 "SELECT line FROM branches WHERE state <> ?",
				 "i", (int64_t)STATE_BEING_DELETED);
	while (rc == 1) {
		rc = add_head(points, query_u32(row, 0));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

/* Lines from the youngest on, so that those that left come first (I1). The
 * points of parents are added behind the sorted ones: few are looked for. */
static int load_lines(struct points *points, struct queries *queries)
{
	struct points left = { 0 };
	sqlite3_stmt *row;
	size_t i;
	int rc = query_begin(queries, &row,
			     "SELECT id, parent, fork_gen FROM lines"
			     " WHERE parent > 0 ORDER BY id DESC",
			     "");

	while (rc == 1) {
		uint32_t id = query_u32(row, 0);
		bool lives = has_head(points, id) || first_from(points, id, 0);

		for (i = 0; i < left.seen_count && !lives; i++)
			lives = left.seen[i].line == id;
		if (lives)
			rc = add(&left, query_u32(row, 1), query_u32(row, 2));
		if (rc < 0) {
			query_end(row);
			points_fini(&left);
			return rc;
		}
		rc = query_next(row);
	}
	for (i = 0; i < left.seen_count && rc == 0; i++)
		rc = add(points, left.seen[i].line, left.seen[i].gen);
	points_fini(&left);
	return rc;
}

int points_load(struct points *points, struct queries *queries)
{
	int rc;

	memset(points, 0, sizeof(*points));
	rc = load_viewers(points, queries);
	sort(points);
	if (rc == 0)
		rc = load_lines(points, queries);
	sort(points);
	if (rc < 0)
		points_fini(points);
	return rc;
}

void points_fini(struct points *points)
{
	free(points->seen);
	free(points->heads);
	memset(points, 0, sizeof(*points));
}

bool points_need(const struct points *points, uint32_t line, uint32_t gen,
		 uint32_t next_gen)
{
	const struct point *point = first_from(points, line, gen);

	if (next_gen == UINT32_MAX && has_head(points, line))
		return true;
	return point && point->gen < next_gen;
}
