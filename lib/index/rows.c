/* Rows of history, segments and meta. */
#include <errno.h>
#include <string.h>

#include "index_impl.h"

int index_meta_put(struct index *index, const char *key, int64_t value)
{
	return sql_run(index, STATEMENT_META_PUT, "si", key, value);
}

int index_meta_put_blob(struct index *index, const char *key, const void *data,
			size_t len_bytes)
{
	return sql_run(index, STATEMENT_META_PUT, "sb", key, data, len_bytes);
}

/* 1: the statement stands on the row. */
static int meta_row(struct index *index, const char *key) REQUIRES(index->lock)
{
	int rc = sql_begin(index, STATEMENT_META_GET, "s", key);

	if (rc == 0)
		rc = sql_step(index, STATEMENT_META_GET);
	return rc == 0 ? -ENOENT : rc;
}

int index_meta_get(struct index *index, const char *key, int64_t *out_value)
{
	int64_t value = 0;
	int rc;

	mutex_lock(&index->lock);
	rc = meta_row(index, key);
	if (rc > 0) {
		rc = 0;
		value = sql_int(index, STATEMENT_META_GET, 0, &rc);
	}
	sql_end(index, STATEMENT_META_GET);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out_value = value;
	return rc;
}

int index_meta_get_blob(struct index *index, const char *key, void *data,
			size_t len_bytes)
{
	const void *blob;
	size_t blob_bytes;
	int rc;

	mutex_lock(&index->lock);
	rc = meta_row(index, key);
	if (rc > 0) {
		rc = 0;
		blob = sql_blob(index, STATEMENT_META_GET, 0, &blob_bytes, &rc);
		if (rc == 0 && blob_bytes != len_bytes)
			rc = -EUCLEAN;
		if (rc == 0 && len_bytes > 0)
			memcpy(data, blob, len_bytes);
	}
	sql_end(index, STATEMENT_META_GET);
	mutex_unlock(&index->lock);
	return rc;
}

int index_meta_get_blob_any(struct index *index, const char *key, void **out,
			    size_t *out_bytes)
{
	AUTO_FREE void *copy = NULL;
	const void *blob;
	int rc;

	mutex_lock(&index->lock);
	rc = meta_row(index, key);
	if (rc > 0) {
		rc = 0;
		blob = sql_blob(index, STATEMENT_META_GET, 0, out_bytes, &rc);
		copy = malloc(*out_bytes + 1);
		if (rc == 0 && !copy)
			rc = -ENOMEM;
		if (rc == 0 && *out_bytes > 0)
			memcpy(copy, blob, *out_bytes);
	}
	sql_end(index, STATEMENT_META_GET);
	mutex_unlock(&index->lock);
	if (rc == 0)
		*out = TAKE_PTR(copy);
	return rc;
}

/* Steps through a statement and gives every row to read_row. */
typedef int row_reader(struct index *index, void *visit, void *context);

static int each(struct index *index, enum statement statement, int64_t most,
		row_reader *read_row, void *visit, void *context)
{
	int rc;

	mutex_lock(&index->lock);
	rc = sql_begin(index, statement, most ? "i" : "", most);
	while (rc >= 0 && (rc = sql_step(index, statement)) > 0)
		rc = read_row(index, visit, context);
	sql_end(index, statement);
	mutex_unlock(&index->lock);
	return rc < 0 ? rc : 0;
}

static int read_line(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_LINES;
	struct line_row row;
	int rc = 0;

	row.id = sql_u32(index, s, 0, &rc);
	row.parent = sql_u32(index, s, 1, &rc);
	row.fork_gen = sql_u32(index, s, 2, &rc);
	row.first_gen = sql_u32(index, s, 3, &rc);
	/* Parents come first: so there is no cycle (F-57). */
	if (rc < 0 || row.id == 0 || row.parent >= row.id)
		return -EUCLEAN;
	return (*(index_line_visit **)visit)(context, &row);
}

int index_lines_load(struct index *index, index_line_visit *visit,
		     void *context)
{
	return each(index, STATEMENT_LINES, 0, read_line, &visit, context);
}

static int read_branch(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_BRANCHES;
	struct branch_row row;
	int rc = 0;

	memset(&row, 0, sizeof(row));
	row.id = sql_u32(index, s, 0, &rc);
	sql_text(index, s, 1, row.name, sizeof(row.name), &rc);
	row.line = sql_u32(index, s, 2, &rc);
	row.gen = sql_u32(index, s, 3, &rc);
	row.state = sql_u32(index, s, 4, &rc);
	row.parent_snapshot = sql_u32(index, s, 5, &rc);
	row.parent_branch = sql_u32(index, s, 6, &rc);
	row.created_ns = sql_int(index, s, 7, &rc);
	row.deleted_ns = sql_int(index, s, 8, &rc);
	row.refer_blocks = (uint64_t)sql_int(index, s, 9, &rc);
	row.written_blocks = (uint64_t)sql_int(index, s, 10, &rc);
	row.changed = sql_int(index, s, 11, &rc) != 0;
	if (rc < 0 || row.state > 2)
		return -EUCLEAN;
	return (*(index_branch_visit **)visit)(context, &row);
}

int index_branches_load(struct index *index, index_branch_visit *visit,
			void *context)
{
	return each(index, STATEMENT_BRANCHES, 0, read_branch, &visit, context);
}

static int read_snapshot(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_SNAPSHOTS;
	struct snapshot_row row;
	int rc = 0;

	memset(&row, 0, sizeof(row));
	row.id = sql_u32(index, s, 0, &rc);
	sql_text(index, s, 1, row.name, sizeof(row.name), &rc);
	row.branch = sql_u32(index, s, 2, &rc);
	row.line = sql_u32(index, s, 3, &rc);
	row.gen = sql_u32(index, s, 4, &rc);
	row.state = sql_u32(index, s, 5, &rc);
	row.kind = sql_u32(index, s, 6, &rc);
	row.created_ns = sql_int(index, s, 7, &rc);
	row.deleted_ns = sql_int(index, s, 8, &rc);
	row.size_bytes = (uint64_t)sql_int(index, s, 9, &rc);
	row.refer_blocks = (uint64_t)sql_int(index, s, 10, &rc);
	row.written_blocks = (uint64_t)sql_int(index, s, 11, &rc);
	sql_text(index, s, 12, row.note, sizeof(row.note), &rc);
	if (rc < 0 || row.state > 2 || row.kind > 2)
		return -EUCLEAN;
	return (*(index_snapshot_visit **)visit)(context, &row);
}

int index_snapshots_load(struct index *index, index_snapshot_visit *visit,
			 void *context)
{
	return each(index, STATEMENT_SNAPSHOTS, 0, read_snapshot, &visit,
		    context);
}

static int read_hold(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_HOLDS;
	struct hold_row row;
	int rc = 0;

	memset(&row, 0, sizeof(row));
	row.snapshot = sql_u32(index, s, 0, &rc);
	sql_text(index, s, 1, row.tag, sizeof(row.tag), &rc);
	row.created_ns = sql_int(index, s, 2, &rc);
	return rc < 0 ? rc : (*(index_hold_visit **)visit)(context, &row);
}

int index_holds_load(struct index *index, index_hold_visit *visit,
		     void *context)
{
	return each(index, STATEMENT_HOLDS, 0, read_hold, &visit, context);
}

static int read_operation(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_OPERATIONS;
	struct operation_row row;
	int rc = 0;

	memset(&row, 0, sizeof(row));
	row.id = (uint64_t)sql_int(index, s, 0, &rc);
	row.lsn = (uint64_t)sql_int(index, s, 1, &rc);
	row.undone = sql_int(index, s, 2, &rc) != 0;
	row.record = sql_blob(index, s, 3, &row.record_bytes, &rc);
	return rc < 0 ? rc : (*(index_operation_visit **)visit)(context, &row);
}

int index_operations_load(struct index *index, size_t most,
			  index_operation_visit *visit, void *context)
{
	if (most == 0)
		return 0;
	if (most > INT64_MAX)
		most = INT64_MAX;
	return each(index, STATEMENT_OPERATIONS, (int64_t)most, read_operation,
		    &visit, context);
}

int index_line_put(struct index *index, const struct line_row *row)
{
	return sql_run(index, STATEMENT_LINE_PUT, "iiii", (int64_t)row->id,
		       (int64_t)row->parent, (int64_t)row->fork_gen,
		       (int64_t)row->first_gen);
}

int index_branch_put(struct index *index, const struct branch_row *row)
{
	return sql_run(index, STATEMENT_BRANCH_PUT, "isiiiiiiiiii",
		       (int64_t)row->id, row->name, (int64_t)row->line,
		       (int64_t)row->gen, (int64_t)row->state,
		       (int64_t)row->parent_snapshot,
		       (int64_t)row->parent_branch, row->created_ns,
		       row->deleted_ns, row->refer_blocks, row->written_blocks,
		       (int64_t)row->changed);
}

int index_snapshot_put(struct index *index, const struct snapshot_row *row)
{
	return sql_run(index, STATEMENT_SNAPSHOT_PUT, "isiiiiiiiiiis",
		       (int64_t)row->id, row->name, (int64_t)row->branch,
		       (int64_t)row->line, (int64_t)row->gen,
		       (int64_t)row->state, (int64_t)row->kind, row->created_ns,
		       row->deleted_ns, row->size_bytes, row->refer_blocks,
		       row->written_blocks, row->note);
}

int index_hold_put(struct index *index, const struct hold_row *row)
{
	return sql_run(index, STATEMENT_HOLD_PUT, "isi", (int64_t)row->snapshot,
		       row->tag, row->created_ns);
}

int index_operation_put(struct index *index, const struct operation_row *row)
{
	return sql_run(index, STATEMENT_OPERATION_PUT, "iiib", row->id,
		       row->lsn, (int64_t)row->undone, row->record,
		       row->record_bytes);
}

int index_line_delete(struct index *index, uint32_t id)
{
	return sql_run(index, STATEMENT_LINE_DELETE, "i", (int64_t)id);
}

int index_branch_delete(struct index *index, uint32_t id)
{
	return sql_run(index, STATEMENT_BRANCH_DELETE, "i", (int64_t)id);
}

int index_snapshot_delete(struct index *index, uint32_t id)
{
	int rc = sql_run(index, STATEMENT_SNAPSHOT_HOLDS_DELETE, "i",
			 (int64_t)id);

	if (rc < 0)
		return rc;
	return sql_run(index, STATEMENT_SNAPSHOT_DELETE, "i", (int64_t)id);
}

int index_hold_delete(struct index *index, uint32_t snapshot, const char *tag)
{
	return sql_run(index, STATEMENT_HOLD_DELETE, "is", (int64_t)snapshot,
		       tag);
}

int index_operations_trim(struct index *index, uint64_t newest, uint64_t keep)
{
	if (newest <= keep)
		return 0;
	return sql_run(index, STATEMENT_OPERATIONS_TRIM, "i", newest - keep);
}

static int read_segment(struct index *index, void *visit, void *context)
{
	const enum statement s = STATEMENT_SEGMENTS;
	struct segment_row row;
	size_t live_bytes;
	int rc = 0;

	memset(&row, 0, sizeof(row));
	row.id = sql_u32(index, s, 0, &rc);
	row.sealed = sql_int(index, s, 1, &rc) != 0;
	row.used_blocks = sql_u32(index, s, 2, &rc);
	row.metadata_blocks = sql_u32(index, s, 3, &rc);
	row.last_lsn = (uint64_t)sql_int(index, s, 4, &rc);
	row.punch = sql_int(index, s, 5, &rc) != 0;
	row.packed = sql_int(index, s, 6, &rc) != 0;
	row.live = sql_blob(index, s, 7, &live_bytes, &rc);
	if (rc == 0 && live_bytes == (size_t)2 * SEGMENT_BITMAP_BYTES) {
		row.shared = row.live + SEGMENT_BITMAP_BYTES;
		live_bytes = SEGMENT_BITMAP_BYTES;
	}
	if (rc < 0 || live_bytes != SEGMENT_BITMAP_BYTES || row.id == 0 ||
	    row.used_blocks > SEGMENT_BLOCKS ||
	    row.metadata_blocks > SEGMENT_BLOCKS)
		return -EUCLEAN;
	return (*(index_segment_visit **)visit)(context, &row);
}

int index_segments_load(struct index *index, index_segment_visit *visit,
			void *context)
{
	return each(index, STATEMENT_SEGMENTS, 0, read_segment, &visit,
		    context);
}

int index_segment_put(struct index *index, const struct segment_row *row)
{
	uint8_t bits[2 * SEGMENT_BITMAP_BYTES];
	size_t bits_bytes = SEGMENT_BITMAP_BYTES;

	memcpy(bits, row->live, SEGMENT_BITMAP_BYTES);
	if (row->shared) {
		memcpy(bits + bits_bytes, row->shared, SEGMENT_BITMAP_BYTES);
		bits_bytes = sizeof(bits);
	}
	return sql_run(index, STATEMENT_SEGMENT_PUT, "iiiiiiib",
		       (int64_t)row->id, (int64_t)row->sealed,
		       (int64_t)row->used_blocks, (int64_t)row->metadata_blocks,
		       row->last_lsn, (int64_t)row->punch, (int64_t)row->packed,
		       bits, bits_bytes);
}

int index_segment_delete(struct index *index, uint32_t id)
{
	return sql_run(index, STATEMENT_SEGMENT_DELETE, "i", (int64_t)id);
}
