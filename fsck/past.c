/* Loading history, and ways through it. Nothing here calls itself: a chain
 * of a million lines is a loop. */
#include "past.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

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

/* Parents stand before their children, so one loop each way will do. */
static void order(struct past *past)
{
	struct past_line *lines = past->lines;
	uint32_t next = 0;
	size_t i;

	for (i = 0; i < past->line_count; i++) {
		struct past_line *line = &lines[i];
		struct past_line *down = past_find_line(past, line->parent);
		const struct past_line *far;

		line->end = 1; /* for now: how many it and its children are */
		line->jump = (uint32_t)i + 1;
		if (!down || down >= line)
			continue;
		line->down = (uint32_t)(down - lines) + 1;
		line->depth = down->depth + 1;
		far = &lines[down->jump - 1];
		line->jump =
			down->depth - far->depth ==
					far->depth -
						lines[far->jump - 1].depth ?
				far->jump :
				line->down;
	}
	for (i = past->line_count; i-- > 0;)
		if (lines[i].down)
			lines[lines[i].down - 1].end += lines[i].end;
	/* begin: where the next child of a line begins, while we pass. */
	for (i = 0; i < past->line_count; i++) {
		uint32_t count = lines[i].end;
		uint32_t *from = lines[i].down ? &lines[lines[i].down - 1].end :
						 &next;

		lines[i].begin = *from;
		*from += count;
		lines[i].end = lines[i].begin + 1; /* its first child's */
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
	if (rc == 0) {
		mark(past);
		order(past);
	}
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

/* The last line of the way down from `at` whose number is above line. */
static const struct past_line *climb(const struct past *past,
				     const struct past_line *at, uint32_t line)
{
	for (;;) {
		const struct past_line *far = &past->lines[at->jump - 1];

		if (far == at || far->id <= line)
			far = at->down ? &past->lines[at->down - 1] : at;
		if (far == at || far->id <= line)
			return at;
		at = far;
	}
}

uint32_t past_limit(const struct past *past, uint32_t at_line, uint32_t at_gen,
		    uint32_t line)
{
	const struct past_line *at;

	if (at_line == line)
		return at_gen;
	at = at_line > line ? past_find_line(past, at_line) : NULL;
	if (!at)
		return 0;
	at = climb(past, at, line);
	return at->parent == line ? at->fork_gen : 0;
}

bool past_name_view(const struct past *past, uint32_t line, uint32_t gen,
		    struct problem_where *where)
{
	size_t i;

	for (i = 0; i < past->branch_count; i++) {
		const struct past_branch *branch = &past->branches[i];

		if (branch->state == 2 ||
		    past_limit(past, branch->line, branch->gen, line) < gen)
			continue;
		where->branch = branch->name;
		return true;
	}
	for (i = 0; i < past->snapshot_count; i++) {
		const struct past_snapshot *snapshot = &past->snapshots[i];
		const struct past_branch *branch =
			past_find_branch(past, snapshot->branch);

		if (snapshot->state == 2 ||
		    past_limit(past, snapshot->line, snapshot->gen, line) < gen)
			continue;
		where->branch = branch ? branch->name : NULL;
		where->snapshot = snapshot->name;
		return true;
	}
	return false;
}
