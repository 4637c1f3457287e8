/* Loading history, and ways through it. Nothing here calls itself: a chain
 * of a million lines is a loop. */
#include "past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { STEPS_MAX = 4 << 20 }; /* of one search for a name */

static void *grow(void *list, size_t count, size_t item_bytes)
{
	/* Doubles at each power of two. */
	if (count & (count - 1))
		return list;
	return reallocarray(list, count ? 2 * count : 1, item_bytes);
}

static int take_line(struct past *past, sqlite3_stmt *row)
{
	struct past_line line = { 0 };
	void *list = grow(past->lines, past->line_count, sizeof(line));

	if (!list)
		return -ENOMEM;
	past->lines = list;
	if (!work_u32(row, 0, &line.id) || !work_u32(row, 1, &line.parent) ||
	    !work_u32(row, 2, &line.fork_gen) ||
	    !work_u32(row, 3, &line.first_gen))
		return 0;
	past->lines[past->line_count++] = line;
	return 0;
}

static int take_branch(struct past *past, sqlite3_stmt *row)
{
	struct past_branch branch = { 0 };
	void *list = grow(past->branches, past->branch_count, sizeof(branch));
	char name[256];

	if (!list)
		return -ENOMEM;
	past->branches = list;
	if (!work_u32(row, 0, &branch.id) || !work_u32(row, 1, &branch.line) ||
	    !work_u32(row, 2, &branch.gen) || !work_u32(row, 3, &branch.state))
		return 0;
	(void)!work_text(row, 4, name, sizeof(name));
	branch.name = strdup(name);
	if (!branch.name)
		return -ENOMEM;
	past->branches[past->branch_count++] = branch;
	return 0;
}

static int take_snapshot(struct past *past, sqlite3_stmt *row)
{
	struct past_snapshot snapshot = { 0 };
	void *list =
		grow(past->snapshots, past->snapshot_count, sizeof(snapshot));
	char name[256];

	if (!list)
		return -ENOMEM;
	past->snapshots = list;
	if (!work_u32(row, 0, &snapshot.id) ||
	    !work_u32(row, 1, &snapshot.line) ||
	    !work_u32(row, 2, &snapshot.gen) ||
	    !work_u32(row, 3, &snapshot.state) ||
	    !work_u32(row, 5, &snapshot.branch))
		return 0;
	(void)!work_text(row, 4, name, sizeof(name));
	snapshot.name = strdup(name);
	if (!snapshot.name)
		return -ENOMEM;
	past->snapshots[past->snapshot_count++] = snapshot;
	return 0;
}

static int load(struct check *check, struct past *past, const char *sql,
		int (*take)(struct past *past, sqlite3_stmt *row))
{
	AUTO_STATEMENT sqlite3_stmt *statement = NULL;
	int rc = work_query(check, &statement, sql, "");

	while (rc == 0 && (rc = work_step(check, statement)) > 0)
		rc = take(past, statement);
	return rc;
}

static void mark(struct past *past)
{
	size_t i;

	for (i = 0; i < past->line_count; i++) {
		const struct past_line *line = &past->lines[i];
		struct past_line *parent = past_find_line(past, line->parent);

		if (parent && line->fork_gen > parent->last_point)
			parent->last_point = line->fork_gen;
	}
	for (i = 0; i < past->snapshot_count; i++) {
		const struct past_snapshot *snapshot = &past->snapshots[i];
		struct past_line *line = past_find_line(past, snapshot->line);

		if (line && snapshot->gen > line->last_point)
			line->last_point = snapshot->gen;
	}
	for (i = 0; i < past->branch_count; i++) {
		const struct past_branch *branch = &past->branches[i];
		struct past_line *line = past_find_line(past, branch->line);

		if (line && branch->state != 2 && line->head == 0)
			line->head = branch->id;
	}
}

int past_load(struct check *check, struct past *past)
{
	int rc;

	past_free(past);
	rc = load(check, past,
		  "SELECT id, parent, fork_gen, first_gen FROM lines "
		  "ORDER BY id",
		  take_line);
	if (rc == 0)
		rc = load(check, past,
			  "SELECT id, line, gen, state, name FROM branches "
			  "ORDER BY id",
			  take_branch);
	if (rc == 0)
		rc = load(check, past,
			  "SELECT id, line, gen, state, name, branch FROM "
			  "snapshots ORDER BY id",
			  take_snapshot);
	if (rc == 0)
		mark(past);
	return rc;
}

void past_free(struct past *past)
{
	size_t i;

	for (i = 0; i < past->branch_count; i++)
		free(past->branches[i].name);
	for (i = 0; i < past->snapshot_count; i++)
		free(past->snapshots[i].name);
	free(past->lines);
	free(past->branches);
	free(past->snapshots);
	*past = (struct past){ 0 };
}

/* The first element whose id, its first member, is not below id. */
static void *find(void *list, size_t count, size_t item_bytes, uint32_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		const char *item = (char *)list + middle * item_bytes;

		if (*(const uint32_t *)item < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == count ||
	    *(uint32_t *)((char *)list + low * item_bytes) != id)
		return NULL;
	return (char *)list + low * item_bytes;
}

struct past_line *past_find_line(const struct past *past, uint32_t id)
{
	return find(past->lines, past->line_count, sizeof(*past->lines), id);
}

struct past_branch *past_find_branch(const struct past *past, uint32_t id)
{
	return find(past->branches, past->branch_count, sizeof(*past->branches),
		    id);
}

uint32_t past_limit(const struct past *past, uint32_t at_line, uint32_t at_gen,
		    uint32_t line)
{
	while (at_line > line) {
		const struct past_line *at = past_find_line(past, at_line);

		if (!at)
			return 0;
		at_line = at->parent;
		at_gen = at->fork_gen;
	}
	return at_line == line ? at_gen : 0;
}

/* As past_limit() with at most *steps, of which it takes what it needs. */
static bool sees(const struct past *past, uint32_t at_line, uint32_t at_gen,
		 const struct problem_where *wanted, uint32_t *steps)
{
	while (at_line > wanted->line && *steps > 0) {
		const struct past_line *at = past_find_line(past, at_line);

		if (!at)
			return false;
		at_line = at->parent;
		at_gen = at->fork_gen;
		--*steps;
	}
	return at_line == wanted->line && at_gen >= wanted->gen;
}

bool past_name_view(const struct past *past, uint32_t line, uint32_t gen,
		    struct problem_where *where)
{
	const struct problem_where wanted = { .line = line, .gen = gen };
	uint32_t steps = STEPS_MAX;
	size_t i;

	for (i = 0; i < past->branch_count && steps > 0; i++) {
		const struct past_branch *branch = &past->branches[i];

		if (branch->state == 2 ||
		    !sees(past, branch->line, branch->gen, &wanted, &steps))
			continue;
		where->branch = branch->name;
		return true;
	}
	for (i = 0; i < past->snapshot_count && steps > 0; i++) {
		const struct past_snapshot *snapshot = &past->snapshots[i];
		const struct past_branch *branch =
			past_find_branch(past, snapshot->branch);

		if (snapshot->state == 2 ||
		    !sees(past, snapshot->line, snapshot->gen, &wanted, &steps))
			continue;
		where->branch = branch ? branch->name : NULL;
		where->snapshot = snapshot->name;
		return true;
	}
	return false;
}
