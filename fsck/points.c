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

/* Room for one more element. */
static int grow(void **array, size_t count, size_t *capacity, size_t size)
{
	size_t more = *capacity ? *capacity * 2 : 64;
	void *grown;

	if (count < *capacity)
		return 0;
	grown = realloc(*array, more * size);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*capacity = more;
	return 0;
}

static int add_point(struct point **array, size_t *count, size_t *capacity,
		     uint32_t line, uint32_t gen)
{
	int rc = grow((void **)array, *count, capacity, sizeof(**array));

	if (rc == 0)
		(*array)[(*count)++] = (struct point){ line, gen };
	return rc;
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

static int by_parent(const void *a, const void *b)
{
	const struct point_child *left = a, *right = b;

	if (left->parent != right->parent)
		return left->parent < right->parent ? -1 : 1;
	return left->fork_gen < right->fork_gen ?
		       -1 :
		       left->fork_gen > right->fork_gen;
}

static bool has_head(const struct points *points, uint32_t line)
{
	return points->head_count &&
	       bsearch(&line, points->heads, points->head_count, sizeof(line),
		       by_number);
}

/* The first point of the line from gen on; UINT32_MAX: none. */
static uint32_t first_from(const struct point *array, size_t count,
			   uint32_t line, uint32_t gen)
{
	const struct point want = { line, gen };
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_point(&array[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && array[low].line == line ? array[low].gen :
							UINT32_MAX;
}

/* Where the children of a line begin that left at gen or later. */
static size_t children_from(const struct points *points, uint32_t line,
			    uint32_t gen)
{
	const struct point_child want = { line, gen, 0 };
	size_t low = 0, high = points->child_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (by_parent(&points->children[middle], &want) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int load_viewers(struct points *points)
{
	sqlite3_stmt *row;
	int rc = query_begin(points->queries, &row,
			     "SELECT line, gen FROM snapshots WHERE state <> ?",
			     "i", (int64_t)STATE_BEING_DELETED);

	while (rc == 1) {
		rc = add_point(&points->seen, &points->seen_count,
			       &points->seen_capacity, query_u32(row, 0),
			       query_u32(row, 1));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	if (rc == 0)
		rc = query_begin(points->queries, &row,
				 "SELECT line FROM branches WHERE state <> ?",
				 "i", (int64_t)STATE_BEING_DELETED);
	while (rc == 1) {
		rc = grow((void **)&points->heads, points->head_count,
			  &points->head_capacity, sizeof(*points->heads));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		points->heads[points->head_count++] = query_u32(row, 0);
		rc = query_next(row);
	}
	return rc;
}

static void sort(void *array, size_t count, size_t size,
		 int (*compare)(const void *, const void *))
{
	if (count)
		qsort(array, count, size, compare);
}

/* Where a line is among all that left one, the youngest first; count: it did
 * not leave any. */
static size_t find_child(const struct points *points, uint32_t id)
{
	size_t low = 0, high = points->child_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (points->children[middle].id > id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < points->child_count && points->children[low].id == id ?
		       low :
		       points->child_count;
}

/* Keeps those on which somebody lives, or on what left them (I1). */
static int keep_living(struct points *points)
{
	size_t count = points->child_count, kept = 0, i;
	AUTO_FREE bool *lives = calloc(count + 1, sizeof(*lives));

	if (!lives)
		return -ENOMEM;
	for (i = 0; i < count; i++) {
		uint32_t id = points->children[i].id;

		lives[i] = lives[i] || has_head(points, id) ||
			   first_from(points->seen, points->seen_count, id,
				      0) != UINT32_MAX;
		/* Parents come later: their numbers are smaller. */
		if (lives[i])
			lives[find_child(points, points->children[i].parent)] =
				true;
	}
	for (i = 0; i < count; i++)
		if (lives[i])
			points->children[kept++] = points->children[i];
	points->child_count = kept;
	return 0;
}

static int load_lines(struct points *points)
{
	sqlite3_stmt *row;
	int rc = query_begin(points->queries, &row,
			     "SELECT id, parent, fork_gen FROM lines"
			     " WHERE parent > 0 AND parent < id"
			     " ORDER BY id DESC",
			     "");

	while (rc == 1) {
		const struct point_child child = { query_u32(row, 1),
						   query_u32(row, 2),
						   query_u32(row, 0) };

		rc = grow((void **)&points->children, points->child_count,
			  &points->child_capacity, sizeof(child));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		points->children[points->child_count++] = child;
		rc = query_next(row);
	}
	return rc == 0 ? keep_living(points) : rc;
}

int points_load(struct points *points, struct queries *queries)
{
	int rc;

	memset(points, 0, sizeof(*points));
	points->queries = queries;
	rc = load_viewers(points);
	sort(points->seen, points->seen_count, sizeof(*points->seen), by_point);
	sort(points->heads, points->head_count, sizeof(*points->heads),
	     by_number);
	if (rc == 0)
		rc = load_lines(points);
	sort(points->children, points->child_count, sizeof(*points->children),
	     by_parent);
	if (rc < 0)
		points_fini(points);
	return rc;
}

void points_fini(struct points *points)
{
	free(points->seen);
	free(points->heads);
	free(points->children);
	free(points->first);
	free(points->stack);
	memset(points, 0, sizeof(*points));
}

/* The lines that wrote to the window, each with its first generation. */
static int load_window(struct points *points, const struct window_key *key)
{
	sqlite3_stmt *row;
	int rc;

	if (points->loaded && points->inode == key->inode &&
	    points->window == key->window)
		return 0;
	points->loaded = true;
	points->inode = key->inode;
	points->window = key->window;
	points->first_count = 0;
	rc = query_begin(points->queries, &row,
			 "SELECT line, min(gen) FROM windows"
			 " WHERE inode = ? AND window = ?"
			 " GROUP BY line ORDER BY line",
			 "ii", (int64_t)key->inode, (int64_t)key->window);
	while (rc == 1) {
		rc = add_point(&points->first, &points->first_count,
			       &points->first_capacity, query_u32(row, 0),
			       query_u32(row, 1));
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

/* Of a line's own viewers, does one see what was there before it wrote? */
static bool sees_before(const struct points *points, uint32_t line,
			uint32_t first)
{
	return (first == UINT32_MAX && has_head(points, line)) ||
	       first_from(points->seen, points->seen_count, line, 0) < first;
}

static int push_children(struct points *points, size_t *depth, uint32_t line,
			 uint32_t gen, uint32_t end)
{
	size_t i = children_from(points, line, gen);

	for (; i < points->child_count && points->children[i].parent == line &&
	       points->children[i].fork_gen < end;
	     i++) {
		int rc = grow((void **)&points->stack, *depth,
			      &points->stack_capacity, sizeof(*points->stack));

		if (rc < 0)
			return rc;
		points->stack[(*depth)++] = points->children[i];
	}
	return 0;
}

/* By lines that left in [gen, end), and those that left them. */
static int seen_by_children(struct points *points, const struct window_row *row)
{
	size_t depth = 0;
	int rc = push_children(points, &depth, row->key.line, row->key.gen,
			       row->next_gen);

	if (rc == 0 && depth > 0)
		rc = load_window(points, &row->key);
	while (rc == 0 && depth > 0) {
		uint32_t line = points->stack[--depth].id;
		uint32_t first =
			first_from(points->first, points->first_count, line, 0);

		if (sees_before(points, line, first))
			return 1;
		rc = push_children(points, &depth, line, 0, first);
	}
	return rc;
}

int points_need(struct points *points, const struct window_row *row)
{
	uint32_t line = row->key.line;

	if (row->next_gen == UINT32_MAX && has_head(points, line))
		return 1;
	if (first_from(points->seen, points->seen_count, line, row->key.gen) <
	    row->next_gen)
		return 1;
	return seen_by_children(points, row);
}
