/*
 * The index: SQLite as the materialised state of one LSN. The only code
 * that knows SQL. One connection does all (rule 11); a mutex inside makes
 * every call safe from any thread.
 *
 * A transaction is open from index_open to index_close; index_commit makes
 * it durable and begins the next. Only the store's maintenance thread
 * writes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base.h"
#include "failure.h"
#include "item_format.h"
#include "scope.h"
#include "window_format.h"

struct index;

/* Makes index.db with its schema in the directory. */
NODISCARD int index_create(const char *directory, struct failure *failure);
/*
 * Opens and checks what it is: header, version and feature bits, schema
 * text. Failures say how to repair.
 */
NODISCARD int index_open(const char *directory, struct index **out_index,
			 struct failure *failure);
/*
 * Before index_open, by who has the store's lock: writes index.db-wal again as
 * it is. A flush of it may have failed: then it is in memory and not on the
 * disk, which SQLite would move into index.db as if it were.
 */
NODISCARD int index_renew_wal(int dir_fd);
/* Called once, when the transaction is lost: from then on nothing is written,
 * and what was written to it can't be read: -EIO. Under the index's lock. */
typedef void index_failed(void *context, int rc);
void index_on_failure(struct index *index, index_failed *call, void *context);
/* Rolls back what was not committed. */
void index_close(struct index *index);
/*
 * Commits durably, moves the WAL into the database, begins the next. -ENOSPC
 * and index_waits(): rows are as they should be, but not on disk before
 * another commit returns 0.
 */
NODISCARD int index_commit(struct index *index);
bool index_waits(const struct index *index);
/*
 * Has blocks set aside for a commit of so many changed rows of windows, items
 * and segments, of row_bytes together. -ENOSPC: there is no room. From any
 * thread; blocks on no commit.
 */
NODISCARD int index_keep_room(struct index *index, uint64_t rows,
			      uint64_t row_bytes);
/*
 * Moves rows out of the last pages, so that the next commit gives up to
 * most_pages free ones back to the host. Leaves some free for what comes;
 * *out_more: it could go on after that commit.
 */
NODISCARD int index_shrink(struct index *index, uint32_t most_pages,
			   bool *out_more);
/* Copies the committed state to index.bak (new file, then rename). */
NODISCARD int index_backup(struct index *index, const char *directory);

/* Small values by name; integers and blobs. get: -ENOENT. */
NODISCARD int index_meta_put(struct index *index, const char *key,
			     int64_t value);
NODISCARD int index_meta_get(struct index *index, const char *key,
			     int64_t *out_value);
NODISCARD int index_meta_put_blob(struct index *index, const char *key,
				  const void *data, size_t len_bytes);
NODISCARD int index_meta_get_blob(struct index *index, const char *key,
				  void *data, size_t len_bytes);

/* Of any length; *out is to be freed. */
NODISCARD int index_meta_get_blob_any(struct index *index, const char *key,
				      void **out, size_t *out_bytes);

/* The lines that a view looks through, oldest first; on each, generations
 * up to and including the limit. Ids and limits both ascend. */
struct line_path {
	uint32_t references; /* atomic */
	uint32_t count;
	struct line_limit {
		uint32_t line;
		uint32_t gen;
	} level[];
};

/* The level of this line, or NULL. */
const struct line_limit *line_path_find(const struct line_path *path,
					uint32_t line);

/*
 * The row of a window that a view sees: the newest along its path. row
 * holds WINDOW_ROW_BYTES_MAX. -ENOENT: none, it is all base.
 * Cost: one seek for each change of direction between path and rows.
 */
NODISCARD int index_window_find(struct index *index,
				const struct line_path *path, uint64_t inode,
				uint64_t window, struct window_key *out_key,
				uint8_t *row, size_t *out_row_bytes);
NODISCARD int index_window_put(struct index *index,
			       const struct window_key *key, const uint8_t *row,
			       size_t row_bytes);
NODISCARD int index_window_delete(struct index *index,
				  const struct window_key *key);
/* Gives a row to another line (folding); -EEXIST if that has one. */
NODISCARD int index_window_relabel(struct index *index,
				   const struct window_key *key, uint32_t line,
				   const uint8_t *row, size_t row_bytes);
/* The first row of (inode, window) on a line with generation >= gen. */
NODISCARD int index_window_next(struct index *index, uint64_t inode,
				uint64_t window, uint32_t line, uint32_t gen,
				struct window_key *out_key, uint8_t *row,
				size_t *out_row_bytes);
/* The last row on a line with generation <= gen. */
NODISCARD int index_window_previous(struct index *index, uint64_t inode,
				    uint64_t window, uint32_t line,
				    uint32_t gen, struct window_key *out_key,
				    uint8_t *row, size_t *out_row_bytes);
/* Rows after *cursor in key order (inode, window, line, gen), whatever the
 * line; -ENOENT at the end. cursor becomes the row's key. */
NODISCARD int index_window_scan(struct index *index, struct window_key *cursor,
				uint8_t *row, size_t *out_row_bytes);
/* Keys of rows of one line with gen in [gen_begin, gen_end), after cursor in
 * order (gen, inode, window); returns how many, fewer at the end. cursor is
 * in and out: zero it to begin. */
NODISCARD int index_windows_of_line(struct index *index, uint32_t line,
				    uint32_t gen_begin, uint32_t gen_end,
				    struct window_key *keys, int most,
				    int64_t *cursor);
/* The next window number >= window that has any row. -ENOENT. */
NODISCARD int index_window_number(struct index *index, uint64_t inode,
				  uint64_t window, uint64_t *out_window);

/* --- items --- */

struct item_version {
	uint32_t line;
	uint32_t gen;
};

/*
 * The version of an item that a view sees: the newest along its path, as
 * index_window_find; an absent one is returned as it is. The value is copied
 * to value, if it fits: else -ERANGE, with both results written.
 * *out_value_bytes says how much it is. -ENOENT.
 */
NODISCARD int index_item_find(struct index *index, const struct line_path *path,
			      const uint8_t *key, size_t key_bytes,
			      struct item_version *out_version, void *value,
			      size_t value_capacity_bytes,
			      size_t *out_value_bytes);
NODISCARD int index_item_put(struct index *index, const uint8_t *key,
			     size_t key_bytes,
			     const struct item_version *version,
			     const void *value, size_t value_bytes);
NODISCARD int index_item_delete(struct index *index, const uint8_t *key,
				size_t key_bytes,
				const struct item_version *version);
/* Gives a version to another line, with a new value (its checksum knows the
 * line). -EEXIST: that has one of this generation; -ENOENT. */
NODISCARD int index_item_relabel(struct index *index, const uint8_t *key,
				 size_t key_bytes,
				 const struct item_version *version,
				 uint32_t new_line, const void *value,
				 size_t value_bytes);
/* The first version on the line of *from with a generation >= its own; value
 * and results as index_item_find's. */
NODISCARD int index_item_next_version(struct index *index, const uint8_t *key,
				      size_t key_bytes,
				      const struct item_version *from,
				      struct item_version *out_version,
				      void *value, size_t value_capacity_bytes,
				      size_t *out_value_bytes);
/* The last one with a generation <= its own. */
NODISCARD int index_item_previous_version(
	struct index *index, const uint8_t *key, size_t key_bytes,
	const struct item_version *from, struct item_version *out_version,
	void *value, size_t value_capacity_bytes, size_t *out_value_bytes);

/* The version of any line behind *from, by line and generation. */
NODISCARD int index_item_version_after(struct index *index, const uint8_t *key,
				       size_t key_bytes,
				       const struct item_version *from,
				       struct item_version *out_version,
				       void *value, size_t value_capacity_bytes,
				       size_t *out_value_bytes);

/* Where a scan stands: behind this key. key_bytes 0: at the beginning. */
struct item_cursor {
	size_t key_bytes;
	uint8_t key[ITEM_KEY_BYTES_MAX];
};

/* What a scan found. The caller owns all of it and sets what has room. */
struct item_batch {
	struct item_found {
		struct item_version version;
		uint32_t key_bytes, value_bytes;
		const uint8_t *key; /* in the arena */
		const uint8_t *value;
	} * items;
	size_t items_capacity;
	uint8_t *arena;
	size_t arena_bytes; /* any item must fit: ITEM_ARENA_BYTES_MIN */
	size_t count;	    /* of items that were found */
	size_t used_bytes;  /* of the arena */
	bool end;	    /* there are no more */
};

enum { ITEM_ARENA_BYTES_MIN = ITEM_KEY_BYTES_MAX + ITEM_VALUE_BYTES_MAX };

/*
 * Items that begin with prefix, after the cursor, in the order of keys: of
 * each that has a version on the path the newest one. Fills the batch and
 * moves the cursor; a batch may be short, even empty, without the end: the
 * lock is given up now and then. -ERANGE: no item fits. After another
 * failure, neither count nor cursor means anything.
 */
NODISCARD int index_item_scan(struct index *index, const struct line_path *path,
			      const uint8_t *prefix, size_t prefix_bytes,
			      struct item_cursor *cursor,
			      struct item_batch *batch);

struct item_row_key {
	uint32_t gen;
	uint32_t key_bytes;
	uint8_t key[ITEM_KEY_BYTES_MAX];
};

/* Versions of one line with gen in [gen_begin, gen_end), as
 * index_windows_of_line. */
NODISCARD int index_items_of_line(struct index *index, uint32_t line,
				  uint32_t gen_begin, uint32_t gen_end,
				  struct item_row_key *keys, int most,
				  int64_t *cursor);

struct line_row {
	uint32_t id, parent, fork_gen, first_gen;
};

struct branch_row {
	uint32_t id;
	char name[256];
	uint32_t line, gen, state, parent_snapshot, parent_branch;
	int64_t created_ns, deleted_ns;
	uint64_t refer_blocks, written_blocks;
	bool changed;
};

struct snapshot_row {
	uint32_t id;
	char name[256];
	uint32_t branch, line, gen, state, kind;
	int64_t created_ns, deleted_ns;
	uint64_t size_bytes, refer_blocks, written_blocks;
	char note[1025];
};

struct hold_row {
	uint32_t snapshot;
	char tag[256];
	int64_t created_ns;
};

struct operation_row {
	uint64_t id;
	uint64_t lsn;
	bool undone;
	const void *record; /* an encoded history record; borrowed */
	size_t record_bytes;
};

/* Loads call visit for each row, by id; a negative return ends and is
 * returned. put inserts or replaces; delete of what is not there is fine. */
typedef int index_line_visit(void *context, const struct line_row *row);
typedef int index_branch_visit(void *context, const struct branch_row *row);
typedef int index_snapshot_visit(void *context, const struct snapshot_row *row);
typedef int index_hold_visit(void *context, const struct hold_row *row);
typedef int index_operation_visit(void *context,
				  const struct operation_row *row);

NODISCARD int index_lines_load(struct index *index, index_line_visit *visit,
			       void *context);
NODISCARD int index_branches_load(struct index *index,
				  index_branch_visit *visit, void *context);
NODISCARD int index_snapshots_load(struct index *index,
				   index_snapshot_visit *visit, void *context);
NODISCARD int index_holds_load(struct index *index, index_hold_visit *visit,
			       void *context);
/* The newest `most`, newest first. */
NODISCARD int index_operations_load(struct index *index, size_t most,
				    index_operation_visit *visit,
				    void *context);
NODISCARD int index_line_put(struct index *index, const struct line_row *row);
NODISCARD int index_branch_put(struct index *index,
			       const struct branch_row *row);
NODISCARD int index_snapshot_put(struct index *index,
				 const struct snapshot_row *row);
NODISCARD int index_hold_put(struct index *index, const struct hold_row *row);
NODISCARD int index_operation_put(struct index *index,
				  const struct operation_row *row);
NODISCARD int index_line_delete(struct index *index, uint32_t id);
NODISCARD int index_branch_delete(struct index *index, uint32_t id);
NODISCARD int index_snapshot_delete(struct index *index, uint32_t id);
NODISCARD int index_hold_delete(struct index *index, uint32_t snapshot,
				const char *tag);
/* Keeps the newest `keep` operations. */
NODISCARD int index_operations_trim(struct index *index, uint64_t newest,
				    uint64_t keep);

enum { SEGMENT_BITMAP_BYTES = SEGMENT_BLOCKS / 8 };

struct segment_row {
	uint32_t id;
	bool sealed;
	bool punch;  /* dead blocks may not be punched out yet */
	bool packed; /* compression was tried */
	uint32_t used_blocks;
	uint32_t metadata_blocks;
	uint64_t last_lsn;
	const uint8_t *live;   /* SEGMENT_BITMAP_BYTES; borrowed */
	const uint8_t *shared; /* the same, or NULL: none */
};

typedef int index_segment_visit(void *context, const struct segment_row *row);
NODISCARD int index_segments_load(struct index *index,
				  index_segment_visit *visit, void *context);
NODISCARD int index_segment_put(struct index *index,
				const struct segment_row *row);
NODISCARD int index_segment_delete(struct index *index, uint32_t id);

/* What the store was made over: layer 0 without a name for an image, else a
 * row for each directory. */
struct base_row {
	uint32_t layer;
	char name[256];
	struct base_fingerprint fingerprint;
};

NODISCARD int index_base_put(struct index *index, uint32_t layer,
			     const char *name,
			     const struct base_fingerprint *fingerprint);
/* -ENOENT: there is no such layer. */
NODISCARD int index_base_get(struct index *index, uint32_t layer,
			     struct base_fingerprint *out_fingerprint);
/* As the loads above. */
typedef int index_base_visit(void *context, const struct base_row *row);
NODISCARD int index_bases_load(struct index *index, index_base_visit *visit,
			       void *context);
NODISCARD int index_base_delete(struct index *index, uint32_t layer);
