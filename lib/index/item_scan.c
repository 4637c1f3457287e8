/*
 * Scans of items: all names of a directory, all xattrs of an inode.
 *
 * I1: a scan returns each key at most once, in order, with what
 *     index_item_find would return for it.
 * I2: a call reads SCAN_ROWS_MAX rows at most while it has the lock, and gets
 *     past a key at least: one with more than SCAN_VERSIONS_MAX versions is
 *     looked up instead and skipped.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "index_impl.h"

enum {
	SCAN_ROWS_MAX = 1024,
	SCAN_VERSIONS_MAX = 16, /* about what a look-up costs in rows */
	SCAN_SEEK = 1,
};

struct scan {
	const struct line_path *path;
	const uint8_t *prefix;
	size_t prefix_bytes;
	struct item_cursor *cursor; /* the last key that is done */
	struct item_batch *batch;
	struct item_cursor at; /* the key whose rows are read, if any */
	uint32_t version_count;
	bool found;	/* items[count] is the newest so far of that key */
	uint32_t steps; /* that are left */
};

static void copy_key(struct item_cursor *to, const uint8_t *key,
		     size_t key_bytes)
{
	to->key_bytes = key_bytes;
	memcpy(to->key, key, key_bytes);
}

/* Takes a version of the key that is being read, in place of an older one.
 * -ENOBUFS: the batch is full. */
static int keep(struct scan *scan, const struct item_found *row)
{
	struct item_batch *batch = scan->batch;
	uint8_t *to = batch->arena + batch->used_bytes;

	if (batch->count == batch->items_capacity ||
	    (size_t)row->key_bytes + row->value_bytes >
		    batch->arena_bytes - batch->used_bytes)
		return -ENOBUFS;
	batch->items[batch->count] = *row;
	batch->items[batch->count].key = to;
	batch->items[batch->count].value = to + row->key_bytes;
	memcpy(to, row->key, row->key_bytes);
	if (row->value_bytes > 0)
		memcpy(to + row->key_bytes, row->value, row->value_bytes);
	scan->found = true;
	return 0;
}

/* All rows of the key were seen. */
static void finish_key(struct scan *scan)
{
	struct item_batch *batch = scan->batch;

	if (scan->at.key_bytes > 0)
		copy_key(scan->cursor, scan->at.key, scan->at.key_bytes);
	if (scan->found) {
		const struct item_found *item = &batch->items[batch->count++];

		batch->used_bytes += item->key_bytes + item->value_bytes;
	}
	scan->found = false;
	scan->at.key_bytes = 0;
	scan->version_count = 0;
}

static int read_scanned(struct index *index, struct item_found *row)
	REQUIRES(index->lock)
{
	const enum statement s = STATEMENT_ITEM_SCAN;
	size_t key_bytes = 0, value_bytes = 0;
	int rc = item_read_key(index, s, 0, &row->key, &key_bytes);

	if (rc < 0)
		return rc;
	row->version.line = sql_u32(index, s, 1, &rc);
	row->version.gen = sql_u32(index, s, 2, &rc);
	if (rc == 0)
		rc = item_read_value(index, s, 3, &row->value, &value_bytes);
	row->key_bytes = (uint32_t)key_bytes;
	row->value_bytes = (uint32_t)value_bytes;
	return rc;
}

/* Takes a row into account. SCAN_SEEK: its key has too many of them. */
static int scan_row(struct scan *scan, const struct item_found *row)
{
	const struct item_cursor *at = &scan->at;
	const struct line_limit *level;

	if (at->key_bytes != row->key_bytes ||
	    memcmp(at->key, row->key, row->key_bytes) != 0) {
		finish_key(scan);
		copy_key(&scan->at, row->key, row->key_bytes);
	}
	if (++scan->version_count > SCAN_VERSIONS_MAX)
		return SCAN_SEEK;
	level = line_path_find(scan->path, row->version.line);
	if (!level || row->version.gen > level->gen)
		return 0;
	return keep(scan, row);
}

/* Reads on until the end, too many rows, a full batch or SCAN_SEEK. */
static int scan_rows(struct scan *scan, struct index *index)
	REQUIRES(index->lock)
{
	struct item_found row;
	int rc = 0;

	for (; rc == 0 && scan->steps > 0; scan->steps--) {
		rc = sql_step(index, STATEMENT_ITEM_SCAN);
		if (rc > 0)
			rc = read_scanned(index, &row);
		else if (rc == 0)
			row.key_bytes = 0;
		if (rc < 0)
			return rc;
		if (row.key_bytes < scan->prefix_bytes || row.key_bytes == 0 ||
		    memcmp(row.key, scan->prefix, scan->prefix_bytes) != 0) {
			finish_key(scan);
			scan->batch->end = true;
			return 0;
		}
		rc = scan_row(scan, &row);
	}
	return rc;
}

/* Looks the key up whose versions are too many to read. */
static int scan_find(struct scan *scan, struct index *index)
	REQUIRES(index->lock)
{
	const struct version_key wanted = { .statement = STATEMENT_ITEM_FIND,
					    .key = scan->at.key,
					    .key_bytes = scan->at.key_bytes };
	struct item_found row = { .key = scan->at.key,
				  .key_bytes = (uint32_t)scan->at.key_bytes };
	size_t value_bytes = 0;
	int rc = version_find(index, scan->path, &wanted, &row.version.line,
			      &row.version.gen);

	scan->found = false;
	if (rc == 0)
		rc = item_read_value(index, STATEMENT_ITEM_FIND, 2, &row.value,
				     &value_bytes);
	row.value_bytes = (uint32_t)value_bytes;
	if (rc == 0)
		rc = keep(scan, &row);
	sql_end(index, STATEMENT_ITEM_FIND);
	if (rc == 0 || rc == -ENOENT)
		finish_key(scan);
	return rc == -ENOENT ? 0 : rc;
}

/* From behind the cursor; 0: on, unless the end or the limit was met. */
static int scan_from_cursor(struct scan *scan, struct index *index)
	REQUIRES(index->lock)
{
	const struct item_cursor *cursor = scan->cursor;
	uint8_t from[ITEM_KEY_BYTES_MAX + 1];
	int rc;

	/* The next key that there can be is one zero longer. */
	memcpy(from, cursor->key, cursor->key_bytes);
	from[cursor->key_bytes] = 0;
	if (cursor->key_bytes > 0)
		rc = sql_begin(index, STATEMENT_ITEM_SCAN, "b", from,
			       cursor->key_bytes + 1);
	else
		rc = sql_begin(index, STATEMENT_ITEM_SCAN, "b", scan->prefix,
			       scan->prefix_bytes);
	if (rc == 0)
		rc = scan_rows(scan, index);
	sql_end(index, STATEMENT_ITEM_SCAN);
	return rc == SCAN_SEEK ? scan_find(scan, index) : rc; /* I2 */
}

int index_item_scan(struct index *index, const struct line_path *path,
		    const uint8_t *prefix, size_t prefix_bytes,
		    struct item_cursor *cursor, struct item_batch *batch)
{
	struct scan scan = {
		.path = path,
		.prefix = prefix,
		.prefix_bytes = prefix_bytes,
		.cursor = cursor,
		.batch = batch,
		.steps = SCAN_ROWS_MAX,
	};
	int rc = 0;

	assert(cursor->key_bytes <= ITEM_KEY_BYTES_MAX);
	batch->count = 0;
	batch->used_bytes = 0;
	batch->end = false;
	mutex_lock(&index->lock);
	while (rc == 0 && scan.steps > 0 && !batch->end)
		rc = scan_from_cursor(&scan, index);
	mutex_unlock(&index->lock);
	if (rc == -ENOBUFS)
		rc = batch->count > 0 ? 0 : -ERANGE;
	return rc;
}
