/*
 * Lines, branches and snapshots as records find and change them, and where a
 * record writes.
 *
 * I1: ids of lines grow along every path, so a walk to the parents ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "apply_impl.h"

/* Arrays of structs that begin with a 32-bit id, sorted by it. */
static size_t place_of(const void *array, size_t count, size_t size,
		       uint32_t id)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		uint32_t found;

		memcpy(&found, (const uint8_t *)array + middle * size,
		       sizeof(found));
		if (found < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void *find(void *array, size_t count, size_t size, uint32_t id)
{
	size_t i = place_of(array, count, size, id);
	uint32_t found;
	uint8_t *at = array;

	if (i == count)
		return NULL;
	memcpy(&found, at + i * size, sizeof(found));
	return found == id ? at + i * size : NULL;
}

/* The element with the id of *element, replaced or added. */
static int put(void **array, size_t *count, size_t *capacity, size_t size,
	       const void *element)
{
	uint32_t id;
	size_t i;
	uint8_t *at;

	memcpy(&id, element, sizeof(id));
	at = find(*array, *count, size, id);
	if (at) {
		memcpy(at, element, size);
		return 0;
	}
	if (*count == *capacity) {
		size_t grown = *capacity ? *capacity * 2 : 64;
		void *bytes = realloc(*array, grown * size);

		if (!bytes)
			return -ENOMEM;
		*array = bytes;
		*capacity = grown;
	}
	i = place_of(*array, *count, size, id);
	at = (uint8_t *)*array + i * size;
	memmove(at + size, at, (*count - i) * size);
	memcpy(at, element, size);
	++*count;
	return 0;
}

struct apply_line *apply_line_of(struct apply *apply, uint32_t id)
{
	return find(apply->lines, apply->line_count, sizeof(*apply->lines), id);
}

struct apply_branch *apply_branch_of(struct apply *apply, uint32_t id)
{
	return find(apply->branches, apply->branch_count,
		    sizeof(*apply->branches), id);
}

struct apply_snapshot *apply_snapshot_of(struct apply *apply, uint32_t id)
{
	return find(apply->snapshots, apply->snapshot_count,
		    sizeof(*apply->snapshots), id);
}

struct apply_branch *apply_branch_on_line(struct apply *apply, uint32_t line)
{
	size_t i;

	for (i = 0; i < apply->branch_count; i++)
		if (apply->branches[i].line == line)
			return &apply->branches[i];
	return NULL;
}

int apply_add_line(struct apply *apply, const struct apply_line *line)
{
	apply->target.valid = false;
	return put((void **)&apply->lines, &apply->line_count,
		   &apply->line_capacity, sizeof(*line), line);
}

int apply_add_branch(struct apply *apply, const struct apply_branch *branch)
{
	apply->target.valid = false;
	return put((void **)&apply->branches, &apply->branch_count,
		   &apply->branch_capacity, sizeof(*branch), branch);
}

int apply_add_snapshot(struct apply *apply,
		       const struct apply_snapshot *snapshot)
{
	apply->target.valid = false;
	return put((void **)&apply->snapshots, &apply->snapshot_count,
		   &apply->snapshot_capacity, sizeof(*snapshot), snapshot);
}

static int load_lines(struct apply *apply)
{
	sqlite3_stmt *row;
	int rc = query_begin(apply->queries, &row,
			     "SELECT id, parent, fork_gen, first_gen FROM lines"
			     " ORDER BY id",
			     "");

	while (rc == 1) {
		const struct apply_line line = {
			.id = query_u32(row, 0),
			.parent = query_u32(row, 1),
			.fork_gen = query_u32(row, 2),
			.first_gen = query_u32(row, 3),
		};

		rc = apply_add_line(apply, &line);
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

static int load_branches(struct apply *apply)
{
	sqlite3_stmt *row;
	int rc = query_begin(apply->queries, &row,
			     "SELECT id, line, gen, state, refer_blocks,"
			     " written_blocks, deleted_ns, changed"
			     " FROM branches ORDER BY id",
			     "");

	while (rc == 1) {
		const struct apply_branch branch = {
			.id = query_u32(row, 0),
			.line = query_u32(row, 1),
			.gen = query_u32(row, 2),
			.state = query_u32(row, 3),
			.refer_blocks = sqlite3_column_int64(row, 4),
			.written_blocks = sqlite3_column_int64(row, 5),
			.deleted_ns = sqlite3_column_int64(row, 6),
			.changed = sqlite3_column_int(row, 7) != 0,
		};

		rc = apply_add_branch(apply, &branch);
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

static int load_snapshots(struct apply *apply)
{
	sqlite3_stmt *row;
	int rc = query_begin(apply->queries, &row,
			     "SELECT id, branch, line, gen, state, refer_blocks"
			     " FROM snapshots ORDER BY id",
			     "");

	while (rc == 1) {
		const struct apply_snapshot snapshot = {
			.id = query_u32(row, 0),
			.branch = query_u32(row, 1),
			.line = query_u32(row, 2),
			.gen = query_u32(row, 3),
			.state = query_u32(row, 4),
			.refer_blocks = sqlite3_column_int64(row, 5),
		};

		rc = apply_add_snapshot(apply, &snapshot);
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc;
}

static int counter(struct apply *apply, const char *key, int64_t *out)
{
	sqlite3_stmt *row;
	int rc = query_begin(apply->queries, &row,
			     "SELECT value FROM meta WHERE key = ?", "t", key);

	if (rc == 1) {
		*out = sqlite3_column_int64(row, 0);
		query_end(row);
	}
	return rc < 0 ? rc : 0;
}

struct counter_place {
	const char *key;
	int64_t *value;
};

enum { COUNTERS = 6 };

static void counters_of(struct apply *apply, struct counter_place *out)
{
	const struct counter_place places[COUNTERS] = {
		{ "next_line", &apply->next_line },
		{ "next_gen", &apply->next_gen },
		{ "next_snapshot", &apply->next_snapshot },
		{ "next_branch", &apply->next_branch },
		{ "next_operation", &apply->next_operation },
		{ "next_inode", &apply->next_inode },
	};

	memcpy(out, places, sizeof(places));
}

int apply_graph_load(struct apply *apply)
{
	struct counter_place places[COUNTERS];
	sqlite3_stmt *row;
	size_t i;
	int rc = load_lines(apply);

	if (rc == 0)
		rc = load_branches(apply);
	if (rc == 0)
		rc = load_snapshots(apply);
	counters_of(apply, places);
	for (i = 0; i < COUNTERS && rc == 0; i++)
		rc = counter(apply, places[i].key, places[i].value);
	if (rc < 0)
		return rc;
	rc = query_begin(apply->queries, &row,
			 "SELECT 1 FROM base WHERE layer > 0 LIMIT 1", "");
	apply->is_tree = rc == 1;
	if (rc == 1)
		query_end(row);
	return rc < 0 ? rc : 0;
}

static int save_branch(struct apply *apply, const struct apply_branch *branch)
{
	return query_run(apply->queries,
			 "UPDATE branches SET line = ?, gen = ?, state = ?,"
			 " deleted_ns = ?, refer_blocks = ?, written_blocks = ?"
			 ", changed = ? WHERE id = ?",
			 "iiiiiiii", (int64_t)branch->line,
			 (int64_t)branch->gen, (int64_t)branch->state,
			 branch->deleted_ns, branch->refer_blocks,
			 branch->written_blocks, (int64_t)branch->changed,
			 (int64_t)branch->id);
}

int apply_graph_save(struct apply *apply)
{
	struct counter_place places[COUNTERS];
	size_t i;
	int rc = 0;

	for (i = 0; i < apply->branch_count && rc == 0; i++) {
		if (!apply->branches[i].dirty)
			continue;
		rc = save_branch(apply, &apply->branches[i]);
		apply->branches[i].dirty = rc < 0;
	}
	if (rc < 0 || !apply->meta_dirty)
		return rc;
	counters_of(apply, places);
	for (i = 0; i < COUNTERS && rc == 0; i++)
		rc = query_run(apply->queries,
			       "INSERT OR REPLACE INTO meta(key, value)"
			       " VALUES(?, ?)",
			       "ti", places[i].key, *places[i].value);
	apply->meta_dirty = rc < 0;
	return rc < 0 ? rc :
			query_run(apply->queries,
				  "DELETE FROM operations WHERE id <= ?", "i",
				  apply->next_operation - 1 - APPLY_OPERATIONS);
}

int apply_path(struct apply *apply, uint32_t line, uint32_t gen,
	       struct apply_level **path, size_t *count, size_t *capacity)
{
	const struct apply_line *at;
	uint32_t id, limit = gen;
	size_t depth = 0, i;

	for (id = line; id; id = at->parent, depth++) {
		at = apply_line_of(apply, id);
		if (!at || at->parent >= id) /* I1 */
			return 1;
	}
	if (depth > *capacity) {
		void *grown = realloc(*path, depth * sizeof(**path));

		if (!grown)
			return -ENOMEM;
		*path = grown;
		*capacity = depth;
	}
	*count = depth;
	for (id = line, i = depth; id; id = at->parent) {
		at = apply_line_of(apply, id);
		(*path)[--i] = (struct apply_level){ id, limit };
		limit = at->fork_gen;
	}
	return 0;
}

const struct apply_level *apply_level_at(const struct apply_level *path,
					 size_t count, uint32_t line)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (path[middle].line <= line)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &path[low - 1] : NULL;
}

/* The newest generation before gen of which the line's versions must stay:
 * a snapshot shows it, or a line left there. */
static uint32_t last_point(struct apply *apply, uint32_t line, uint32_t gen)
{
	uint32_t last = 0;
	size_t i;

	for (i = 0; i < apply->snapshot_count; i++) {
		const struct apply_snapshot *snapshot = &apply->snapshots[i];

		if (snapshot->line == line && snapshot->gen < gen &&
		    snapshot->gen > last)
			last = snapshot->gen;
	}
	for (i = 0; i < apply->line_count; i++)
		if (apply->lines[i].parent == line &&
		    apply->lines[i].fork_gen < gen &&
		    apply->lines[i].fork_gen > last)
			last = apply->lines[i].fork_gen;
	return last;
}

int apply_target_at(struct apply *apply, uint32_t line, uint32_t gen,
		    uint64_t inode, uint64_t first_block)
{
	struct apply_target *target = &apply->target;
	struct apply_branch *branch;
	int rc;

	if (target->valid && target->line == line && target->gen == gen)
		return 0;
	rc = apply_inode_flush(apply);
	if (rc < 0)
		return rc;
	apply->inode.valid = false;
	/* What is kept of a line's view is of its newest generation. */
	if (target->line == line && gen < target->gen)
		rc = apply_windows_flush(apply, 0, true);
	if (rc < 0)
		return rc;
	target->valid = false;
	branch = apply_branch_on_line(apply, line);
	if (branch && branch->gen != gen)
		branch = NULL;
	rc = line ? apply_path(apply, line, branch ? UINT32_MAX : gen,
			       &target->path, &target->path_count,
			       &target->path_capacity) :
		    1;
	if (rc == 1)
		apply_trouble(apply, APPLY_TROUBLE_LINE, line, gen, inode,
			      first_block);
	if (rc != 0)
		return rc;
	if (!branch)
		apply_trouble(apply, APPLY_TROUBLE_GEN, line, gen, inode,
			      first_block);
	if (apply->ended)
		return 1;
	target->line = line;
	target->gen = gen;
	target->branch = branch;
	target->last_point = branch ? last_point(apply, line, gen) : gen - 1;
	target->valid = true;
	return 0;
}
