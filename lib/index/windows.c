/* Rows of windows. */
#include <errno.h>
#include <string.h>

#include "index_impl.h"

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
	const struct version_key wanted = { .statement = STATEMENT_WINDOW_FIND,
					    .inode = inode,
					    .window = window };
	uint32_t line = 0, gen = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = version_find(index, path, &wanted, &line, &gen);
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

static int read_key(struct index *index, enum statement s,
		    const struct version_place *place, void *keys)
	REQUIRES(index->lock)
{
	struct window_key *key = (struct window_key *)keys + place->nr;
	int rc = 0;

	key->line = place->line;
	key->gen = place->gen;
	key->inode = (uint64_t)sql_int(index, s, 2, &rc);
	key->window = (uint64_t)sql_int(index, s, 3, &rc);
	return rc;
}

int index_windows_of_line(struct index *index, uint32_t line,
			  uint32_t gen_begin, uint32_t gen_end,
			  struct window_key *keys, int most, int64_t *cursor)
{
	const struct version_walk walk = {
		.of_gen = STATEMENT_WINDOWS_OF_GEN,
		.of_line = STATEMENT_WINDOWS_OF_LINE,
		.line = line,
		.gen_begin = gen_begin,
		.gen_end = gen_end,
		.most = most,
	};

	return versions_of_line(index, &walk, read_key, keys, cursor);
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
