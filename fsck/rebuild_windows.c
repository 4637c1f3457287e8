/*
 * Versions of windows out of patches: for each line and generation that one
 * is of, what its path has seen so far, with the patches on it in the order
 * of their numbers. Lines come from the oldest on, so that what a path sees
 * is there already.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "points.h"
#include "rebuild_impl.h"

struct builder {
	struct rebuild *rebuild;
	uint64_t inode, window;
	uint32_t line, gen;		   /* of the version; 0: none yet */
	struct slot blocks[WINDOW_BLOCKS]; /* of it */
	struct slot patch[WINDOW_BLOCKS];
};

static int save(struct builder *builder)
{
	struct rebuild *rebuild = builder->rebuild;
	const struct window_key key = { builder->inode, builder->window,
					builder->line, builder->gen };
	size_t count = apply_slots_gather(builder->blocks, rebuild->slots);

	if (builder->line == 0)
		return 0;
	return query_run(&rebuild->stored->queries,
			 "INSERT OR REPLACE INTO windows(inode, window, line,"
			 " gen, slots) VALUES(?, ?, ?, ?, ?)",
			 "iiiib", (int64_t)key.inode, (int64_t)key.window,
			 (int64_t)key.line, (int64_t)key.gen, rebuild->blob,
			 window_encode(rebuild->check->seed, &key,
				       rebuild->slots, count, rebuild->blob));
}

/* Begins with what the new version's path sees. */
static int begin(struct builder *builder, uint32_t line, uint32_t gen)
{
	struct rebuild *rebuild = builder->rebuild;
	struct window_key key = { builder->inode, builder->window, line, gen };
	bool same = builder->line == line;
	size_t bytes, count;
	int rc = save(builder);

	builder->line = line;
	builder->gen = gen;
	if (rc < 0 || same)
		return rc;
	memset(builder->blocks, 0, sizeof(builder->blocks));
	rc = apply_row_of_window(rebuild->apply, &key, rebuild->blob, &bytes);
	if (rc == 1 && window_decode(rebuild->check->seed, &key, rebuild->blob,
				     bytes, rebuild->slots, &count) == 0)
		apply_slots_spread(rebuild->slots, count, builder->blocks);
	return rc < 0 ? rc : 0;
}

static void put_slots(struct builder *builder, size_t count)
{
	size_t i;
	unsigned n;

	for (i = 0; i < count; i++)
		for (n = 0; n < builder->patch[i].count &&
			    builder->patch[i].first + n < WINDOW_BLOCKS;
		     n++) {
			unsigned at = builder->patch[i].first + n;

			builder->blocks[at] = builder->patch[i];
			builder->blocks[at].first = (uint16_t)at;
			builder->blocks[at].count = 1;
		}
}

static void cut(struct builder *builder, uint64_t first, uint64_t last)
{
	uint64_t base = builder->window * WINDOW_BLOCKS;
	uint64_t begin = first > base ? first - base : 0;
	uint64_t end = last > base ? last - base : 0;

	for (; begin < end && begin < WINDOW_BLOCKS; begin++)
		memset(&builder->blocks[begin], 0, sizeof(struct slot));
}

/* One event: a patch, or a range without blocks. */
static int take(struct builder *builder, sqlite3_stmt *row)
{
	uint32_t line = query_u32(row, 0), gen = query_u32(row, 1);
	size_t bytes = (size_t)sqlite3_column_bytes(row, 3);
	int rc = 0;

	if (line != builder->line || gen != builder->gen)
		rc = begin(builder, line, gen);
	if (rc < 0)
		return rc;
	if (sqlite3_column_type(row, 3) == SQLITE_NULL) {
		cut(builder, (uint64_t)sqlite3_column_int64(row, 4),
		    (uint64_t)sqlite3_column_int64(row, 5));
	} else if (bytes <= sizeof(builder->patch)) {
		memcpy(builder->patch, sqlite3_column_blob(row, 3), bytes);
		put_slots(builder, bytes / sizeof(struct slot));
	}
	return 0;
}

static int build(struct builder *builder)
{
	sqlite3_stmt *row;
	int64_t first = (int64_t)(builder->window * WINDOW_BLOCKS);
	int rc = query_begin(
		&builder->rebuild->stored->queries, &row,
		"SELECT line, gen, lsn, slots, 0, 0 FROM patches"
		" WHERE inode = ?1 AND window = ?2 UNION ALL"
		" SELECT line, gen, lsn, NULL, first, last FROM ranges"
		" WHERE inode = ?1 AND first < ?3 AND last > ?4"
		" ORDER BY 1, 2, 3",
		"iiii", (int64_t)builder->inode, (int64_t)builder->window,
		first + WINDOW_BLOCKS, first);

	builder->line = builder->gen = 0;
	while (rc == 1) {
		rc = take(builder, row);
		if (rc < 0) {
			query_end(row);
			return rc;
		}
		rc = query_next(row);
	}
	return rc < 0 ? rc : save(builder);
}

/* Versions that nobody sees, and those without blocks that hide nothing but
 * such: the first ones of a path. */
struct drop {
	struct points points;
	int64_t *rows;
	size_t count, capacity;
};

static int note_needless(void *context, const struct window_row *row,
			 bool first, bool last)
{
	struct drop *drop = context;
	int needed = points_need(&drop->points, row);

	(void)last;
	if (needed < 0)
		return needed;
	if (needed && !(first && row->slot_count == 0))
		return 0;
	if (drop->count == drop->capacity) {
		size_t capacity = drop->capacity ? drop->capacity * 2 : 256;
		void *grown =
			realloc(drop->rows, capacity * sizeof(*drop->rows));

		if (!grown)
			return -ENOMEM;
		drop->rows = grown;
		drop->capacity = capacity;
	}
	drop->rows[drop->count++] = row->id;
	return 0;
}

static int drop_needless(struct rebuild *rebuild)
{
	struct queries *queries = &rebuild->stored->queries;
	struct drop drop = { 0 };
	size_t i;
	int rc = points_load(&drop.points, queries);

	if (rc == 0)
		rc = window_scan(queries, rebuild->check->seed, note_needless,
				 &drop);
	for (i = 0; i < drop.count && rc == 0; i++)
		rc = query_run(queries, "DELETE FROM windows WHERE id = ?", "i",
			       drop.rows[i]);
	points_fini(&drop.points);
	free(drop.rows);
	return rc;
}

int rebuild_windows(struct rebuild *rebuild)
{
	AUTO_FREE struct builder *builder = calloc(1, sizeof(*builder));
	uint64_t done = 0;
	sqlite3_stmt *row;
	int64_t inode = -1, window = -1;
	int rc;

	if (!builder)
		return -ENOMEM;
	builder->rebuild = rebuild;
	/* One after the other: rows of others are read meanwhile. */
	while ((rc = query_begin(&rebuild->stored->queries, &row,
				 "SELECT inode, window FROM patches"
				 " WHERE (inode, window) > (?, ?)"
				 " ORDER BY inode, window LIMIT 1",
				 "ii", inode, window)) == 1) {
		inode = sqlite3_column_int64(row, 0);
		window = sqlite3_column_int64(row, 1);
		query_end(row);
		builder->inode = (uint64_t)inode;
		builder->window = (uint64_t)window;
		rc = build(builder);
		if (rc == 0 && ++done % 64 == 0)
			rc = check_progress(rebuild->check, 0, 1);
		if (rc < 0)
			return rc;
	}
	return rc < 0 ? rc : drop_needless(rebuild);
}
