/*
 * Versions of rows, by (line, gen), of windows and items alike: the leapfrog
 * that finds the one that a view sees, and the walk over those of a line.
 */
#include <errno.h>

#include "index_impl.h"

const struct line_limit *line_path_find(const struct line_path *path,
					uint32_t line)
{
	uint32_t low = 0, high = path->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (path->level[middle].line < line)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < path->count && path->level[low].line == line)
		return &path->level[low];
	return NULL;
}

/* The newest level whose line is not newer than this one, or NULL. */
static const struct line_limit *level_at(const struct line_path *path,
					 uint32_t line)
{
	uint32_t low = 0, high = path->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (path->level[middle].line <= line)
			low = middle + 1;
		else
			high = middle;
	}
	return low ? &path->level[low - 1] : NULL;
}

static int seek(struct index *index, const struct version_key *wanted,
		const struct line_limit *limit) REQUIRES(index->lock)
{
	const int64_t line = limit->line, gen = limit->gen;
	int rc;

	if (wanted->statement == STATEMENT_ITEM_FIND)
		rc = sql_begin(index, wanted->statement, "bii", wanted->key,
			       wanted->key_bytes, line, gen);
	else if (wanted->statement == STATEMENT_WINDOW_FIND)
		rc = sql_begin(index, wanted->statement, "iiii", wanted->inode,
			       wanted->window, line, gen);
	else
		rc = sql_begin(index, wanted->statement, "iii", wanted->inode,
			       line, gen);
	return rc < 0 ? rc : sql_step(index, wanted->statement);
}

/*
 * Two ordered lists, the path's lines and the key's rows: jump to the newest
 * row not newer than the level, then to the newest level not newer than that
 * row, until both agree.
 */
int version_find(struct index *index, const struct line_path *path,
		 const struct version_key *wanted, uint32_t *out_line,
		 uint32_t *out_gen)
{
	struct line_limit at;

	if (path->count == 0)
		return -ENOENT;
	at = path->level[path->count - 1];
	for (;;) {
		const struct line_limit *level;
		int rc = seek(index, wanted, &at);
		uint32_t line, gen;

		if (rc <= 0)
			return rc < 0 ? rc : -ENOENT;
		rc = 0;
		line = sql_u32(index, wanted->statement, 0, &rc);
		gen = sql_u32(index, wanted->statement, 1, &rc);
		if (rc < 0)
			return rc;
		level = level_at(path, line);
		if (!level)
			return -ENOENT;
		if (level->line == line && gen <= level->gen) {
			*out_line = line;
			*out_gen = gen;
			return 0;
		}
		at = *level;
		sql_end(index, wanted->statement);
	}
}

/* Reads the rows of a begun statement; moves the cursor behind them. */
static int read_rows(struct index *index, enum statement s,
		     struct version_place *place, version_reader *read,
		     void *context, int64_t *cursor) REQUIRES(index->lock)
{
	int rc = 0;

	while (rc == 0 && (rc = sql_step(index, s)) > 0) {
		rc = 0;
		place->gen = sql_u32(index, s, 0, &rc);
		cursor[0] = place->gen;
		cursor[1] = sql_int(index, s, 1, &rc);
		if (rc == 0)
			rc = read(index, s, place, context);
		place->nr++;
	}
	return rc;
}

/*
 * cursor is {gen, row id}: within a generation, rows come as they were
 * first put, which is the order that the B-tree has without sorting. The
 * rest of the cursor's generation has a statement of its own, because
 * SQLite does not seek to a row id in the middle of a range of generations.
 */
static int of_line_locked(struct index *index, const struct version_walk *walk,
			  version_reader *read, void *context, int64_t *cursor)
	REQUIRES(index->lock)
{
	struct version_place place = { .line = walk->line };
	int rc = sql_begin(index, walk->of_gen, "iiii", (int64_t)walk->line,
			   cursor[0], cursor[1], (int64_t)walk->most);

	if (rc == 0)
		rc = read_rows(index, walk->of_gen, &place, read, context,
			       cursor);
	sql_end(index, walk->of_gen);
	if (rc < 0 || place.nr == walk->most)
		return rc < 0 ? rc : place.nr;
	rc = sql_begin(index, walk->of_line, "iiii", (int64_t)walk->line,
		       cursor[0], (int64_t)walk->gen_end,
		       (int64_t)(walk->most - place.nr));
	if (rc == 0)
		rc = read_rows(index, walk->of_line, &place, read, context,
			       cursor);
	sql_end(index, walk->of_line);
	return rc < 0 ? rc : place.nr;
}

int versions_of_line(struct index *index, const struct version_walk *walk,
		     version_reader *read, void *context, int64_t *cursor)
{
	int rc;

	if (cursor[0] < walk->gen_begin) {
		cursor[0] = walk->gen_begin;
		cursor[1] = INT64_MIN;
	}
	if (walk->most <= 0 || cursor[0] >= walk->gen_end)
		return 0;
	mutex_lock(&index->lock);
	rc = of_line_locked(index, walk, read, context, cursor);
	mutex_unlock(&index->lock);
	return rc;
}
