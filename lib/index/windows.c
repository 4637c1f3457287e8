/* Rows of windows and inodes, and the leapfrog that finds the right one. */
#include <errno.h>
#include <string.h>

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

/* What the leapfrog looks for. */
struct wanted {
	enum statement statement;
	uint64_t inode, window;
};

static int seek(struct index *index, const struct wanted *wanted,
		const struct line_limit *limit) REQUIRES(index->lock)
{
	int rc;

	if (wanted->statement == STATEMENT_WINDOW_FIND)
		rc = sql_begin(index, wanted->statement, "iiii", wanted->inode,
			       wanted->window, (int64_t)limit->line,
			       (int64_t)limit->gen);
	else
		rc = sql_begin(index, wanted->statement, "iii", wanted->inode,
			       (int64_t)limit->line, (int64_t)limit->gen);
	return rc < 0 ? rc : sql_step(index, wanted->statement);
}

/*
 * Two ordered lists, the path's lines and the key's rows: jump to the newest
 * row not newer than the level, then to the newest level not newer than that
 * row, until both agree. On success the statement stands on the row.
 */
static int leapfrog(struct index *index, const struct line_path *path,
		    const struct wanted *wanted, uint32_t *out_line,
		    uint32_t *out_gen) REQUIRES(index->lock)
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

static int read_row(struct index *index, enum statement statement, int column,
		    uint8_t *row, size_t *out_row_bytes) REQUIRES(index->lock)
{
	size_t len_bytes;
	int rc = 0;
	const void *blob = sql_blob(index, statement, column, &len_bytes, &rc);

	if (rc < 0 || len_bytes > WINDOW_ROW_BYTES_MAX)
		return -EUCLEAN;
	if (len_bytes > 0)
		memcpy(row, blob, len_bytes);
	*out_row_bytes = len_bytes;
	return 0;
}

int index_window_find(struct index *index, const struct line_path *path,
		      uint64_t inode, uint64_t window,
		      struct window_key *out_key, uint8_t *row,
		      size_t *out_row_bytes)
{
	const struct wanted wanted = { STATEMENT_WINDOW_FIND, inode, window };
	uint32_t line = 0, gen = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = leapfrog(index, path, &wanted, &line, &gen);
	if (rc == 0)
		rc = read_row(index, STATEMENT_WINDOW_FIND, 2, row,
			      out_row_bytes);
	sql_end(index, STATEMENT_WINDOW_FIND);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_key = (struct window_key){ inode, window, line, gen };
	return rc;
}

int index_window_put(struct index *index, const struct window_key *key,
		     const uint8_t *row, size_t row_bytes)
{
	return sql_run(index, STATEMENT_WINDOW_PUT, "iiiib", key->inode,
		       key->window, (int64_t)key->line, (int64_t)key->gen, row,
		       row_bytes);
}

int index_window_delete(struct index *index, const struct window_key *key)
{
	return sql_run(index, STATEMENT_WINDOW_DELETE, "iiii", key->inode,
		       key->window, (int64_t)key->line, (int64_t)key->gen);
}

int index_window_relabel(struct index *index, const struct window_key *key,
			 uint32_t line, const uint8_t *row, size_t row_bytes)
{
	const enum statement statement = STATEMENT_WINDOW_RELABEL;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "ibiiii", (int64_t)line, row,
		       row_bytes, key->inode, key->window, (int64_t)key->line,
		       (int64_t)key->gen);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc == 0 && sqlite3_changes(index->connection) == 0)
		rc = -ENOENT;
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	return rc;
}

static int neighbour(struct index *index, enum statement statement,
		     const struct window_key *from, struct window_key *out_key,
		     uint8_t *row, size_t *out_row_bytes)
{
	uint32_t gen = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "iiii", from->inode, from->window,
		       (int64_t)from->line, (int64_t)from->gen);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc > 0) {
		rc = 0;
		gen = sql_u32(index, statement, 1, &rc);
		if (rc == 0)
			rc = read_row(index, statement, 2, row, out_row_bytes);
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_key = (struct window_key){ from->inode, from->window,
						from->line, gen };
	return rc;
}

int index_window_next(struct index *index, uint64_t inode, uint64_t window,
		      uint32_t line, uint32_t gen, struct window_key *out_key,
		      uint8_t *row, size_t *out_row_bytes)
{
	const struct window_key from = { inode, window, line, gen };

	return neighbour(index, STATEMENT_WINDOW_NEXT, &from, out_key, row,
			 out_row_bytes);
}

int index_window_previous(struct index *index, uint64_t inode, uint64_t window,
			  uint32_t line, uint32_t gen,
			  struct window_key *out_key, uint8_t *row,
			  size_t *out_row_bytes)
{
	const struct window_key from = { inode, window, line, gen };

	return neighbour(index, STATEMENT_WINDOW_PREVIOUS, &from, out_key, row,
			 out_row_bytes);
}

static int read_scanned(struct index *index, struct window_key *cursor,
			uint8_t *row, size_t *out_row_bytes)
	REQUIRES(index->lock)
{
	const enum statement s = STATEMENT_WINDOW_SCAN;
	struct window_key key;
	int rc = 0;

	key.inode = (uint64_t)sql_int(index, s, 0, &rc);
	key.window = (uint64_t)sql_int(index, s, 1, &rc);
	key.line = sql_u32(index, s, 2, &rc);
	key.gen = sql_u32(index, s, 3, &rc);
	if (rc < 0 || key.line == 0)
		return -EUCLEAN;
	rc = read_row(index, s, 4, row, out_row_bytes);
	if (rc == 0)
		*cursor = key;
	return rc;
}

int index_window_scan(struct index *index, struct window_key *cursor,
		      uint8_t *row, size_t *out_row_bytes)
{
	const enum statement statement = STATEMENT_WINDOW_SCAN;
	/* There is no line 0: a zeroed cursor begins below every number that
	 * was stored as negative. */
	int64_t inode = cursor->line == 0 && cursor->inode == 0 ?
				INT64_MIN :
				(int64_t)cursor->inode;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "iiii", inode, cursor->window,
		       (int64_t)cursor->line, (int64_t)cursor->gen);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc > 0)
		rc = read_scanned(index, cursor, row, out_row_bytes);
	else if (rc == 0)
		rc = -ENOENT;
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	return rc;
}

/* Reads the rows of a begun statement; moves the cursor behind them. */
static int read_keys(struct index *index, enum statement s, uint32_t line,
		     struct window_key *keys, int64_t *cursor)
	REQUIRES(index->lock)
{
	int rc = 0, count = 0;

	while (rc == 0 && (rc = sql_step(index, s)) > 0) {
		struct window_key *key = &keys[count++];

		rc = 0;
		key->line = line;
		key->gen = sql_u32(index, s, 0, &rc);
		cursor[0] = key->gen;
		cursor[1] = sql_int(index, s, 1, &rc);
		key->inode = (uint64_t)sql_int(index, s, 2, &rc);
		key->window = (uint64_t)sql_int(index, s, 3, &rc);
	}
	return rc < 0 ? rc : count;
}

/*
 * cursor is {gen, row id}: within a generation, rows come as they were
 * first put, which is the order that the B-tree has without sorting. The
 * rest of the cursor's generation has a statement of its own, because
 * SQLite does not seek to a row id in the middle of a range of generations.
 */
static int windows_of_line_locked(struct index *index, uint32_t line,
				  uint32_t gen_end, struct window_key *keys,
				  int most, int64_t *cursor)
	REQUIRES(index->lock)
{
	int count, rc;

	rc = sql_begin(index, STATEMENT_WINDOWS_OF_GEN, "iiii", (int64_t)line,
		       cursor[0], cursor[1], (int64_t)most);
	if (rc == 0)
		rc = read_keys(index, STATEMENT_WINDOWS_OF_GEN, line, keys,
			       cursor);
	sql_end(index, STATEMENT_WINDOWS_OF_GEN);
	if (rc < 0 || rc == most)
		return rc;
	count = rc;
	rc = sql_begin(index, STATEMENT_WINDOWS_OF_LINE, "iiii", (int64_t)line,
		       cursor[0], (int64_t)gen_end, (int64_t)(most - count));
	if (rc == 0)
		rc = read_keys(index, STATEMENT_WINDOWS_OF_LINE, line,
			       keys + count, cursor);
	sql_end(index, STATEMENT_WINDOWS_OF_LINE);
	return rc < 0 ? rc : count + rc;
}

int index_windows_of_line(struct index *index, uint32_t line,
			  uint32_t gen_begin, uint32_t gen_end,
			  struct window_key *keys, int most, int64_t *cursor)
{
	int rc;

	if (cursor[0] < gen_begin) {
		cursor[0] = gen_begin;
		cursor[1] = INT64_MIN;
	}
	if (most <= 0 || cursor[0] >= gen_end)
		return 0;
	mutex_lock(&index->lock);
	rc = windows_of_line_locked(index, line, gen_end, keys, most, cursor);
	mutex_unlock(&index->lock);
	return rc;
}

int index_window_number(struct index *index, uint64_t inode, uint64_t window,
			uint64_t *out_window)
{
	const enum statement statement = STATEMENT_WINDOW_NUMBER;
	uint64_t found = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, "ii", inode, window);
	if (rc == 0)
		rc = sql_step(index, statement);
	if (rc > 0) {
		rc = 0;
		found = (uint64_t)sql_int(index, statement, 0, &rc);
	} else if (rc == 0) {
		rc = -ENOENT;
	}
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_window = found;
	return rc;
}

static int read_inode(struct index *index, struct inode_row *row)
	REQUIRES(index->lock)
{
	const enum statement s = STATEMENT_INODE_FIND;
	int rc = 0;

	row->kind = sql_u32(index, s, 2, &rc);
	row->mode = sql_u32(index, s, 3, &rc);
	row->uid = sql_u32(index, s, 4, &rc);
	row->gid = sql_u32(index, s, 5, &rc);
	row->nlink = sql_u32(index, s, 6, &rc);
	row->size_bytes = (uint64_t)sql_int(index, s, 7, &rc);
	row->base_visible_bytes = (uint64_t)sql_int(index, s, 8, &rc);
	row->atime_ns = sql_int(index, s, 9, &rc);
	row->mtime_ns = sql_int(index, s, 10, &rc);
	row->ctime_ns = sql_int(index, s, 11, &rc);
	if (row->size_bytes > INT64_MAX || row->base_visible_bytes > INT64_MAX)
		rc = -EUCLEAN;
	return rc;
}

int index_inode_find(struct index *index, const struct line_path *path,
		     uint64_t inode, struct inode_row *out_row)
{
	const struct wanted wanted = { STATEMENT_INODE_FIND, inode, 0 };
	struct inode_row row = { .inode = inode };
	int rc;

	mutex_lock(&index->lock);
	rc = leapfrog(index, path, &wanted, &row.line, &row.gen);
	if (rc == 0)
		rc = read_inode(index, &row);
	sql_end(index, STATEMENT_INODE_FIND);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_row = row;
	return rc;
}

int index_inode_put(struct index *index, const struct inode_row *row)
{
	return sql_run(index, STATEMENT_INODE_PUT, "iiiiiiiiiiiii", row->inode,
		       (int64_t)row->line, (int64_t)row->gen,
		       (int64_t)row->kind, (int64_t)row->mode,
		       (int64_t)row->uid, (int64_t)row->gid,
		       (int64_t)row->nlink, row->size_bytes,
		       row->base_visible_bytes, row->atime_ns, row->mtime_ns,
		       row->ctime_ns);
}

int index_inodes_thin(struct index *index, uint32_t line, uint32_t gen_begin,
		      uint32_t gen_end)
{
	return sql_run(index, STATEMENT_INODES_THIN, "iii", (int64_t)line,
		       (int64_t)gen_begin, (int64_t)gen_end);
}

int index_inodes_cut(struct index *index, uint32_t line, uint32_t gen)
{
	return sql_run(index, STATEMENT_INODES_CUT, "ii", (int64_t)line,
		       (int64_t)gen);
}

int index_inodes_relabel(struct index *index, uint32_t line, uint32_t new_line,
			 uint32_t first_point)
{
	int rc = sql_run(index, STATEMENT_INODES_RELABEL_DROP, "iii",
			 (int64_t)line, (int64_t)new_line,
			 (int64_t)first_point);

	if (rc < 0)
		return rc;
	return sql_run(index, STATEMENT_INODES_RELABEL, "ii", (int64_t)line,
		       (int64_t)new_line);
}

int index_dirent_put(struct index *index, uint64_t parent, const char *name,
		     uint32_t line, uint32_t gen, uint64_t inode, uint32_t kind)
{
	return sql_run(index, STATEMENT_DIRENT_PUT, "ibiiii", parent, name,
		       strlen(name), (int64_t)line, (int64_t)gen, inode,
		       (int64_t)kind);
}
