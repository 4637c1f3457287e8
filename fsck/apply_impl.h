/* The insides of apply, shared by apply_*.c only. */
#pragma once

#include "apply.h"
#include "batch_format.h"
#include "history_format.h"
#include "item_format.h"
#include "record_format.h"
#include "share_format.h"
#include "window_format.h"

enum {
	APPLY_WINDOWS = 256, /* decoded ones in memory: 4 MiB */
	APPLY_STATE_LIVE = 0,
	APPLY_STATE_DELETING = 2,
	APPLY_OPERATIONS = 1000,
};

struct apply_line {
	uint32_t id, parent, fork_gen, first_gen;
};

struct apply_branch {
	uint32_t id, line, gen, state;
	int64_t refer_blocks, written_blocks, deleted_ns;
	bool changed, dirty;
};

struct apply_snapshot {
	uint32_t id, branch, line, gen, state;
	int64_t refer_blocks;
};

/* The newest generation of each line that a view sees, from the first line
 * on. */
struct apply_level {
	uint32_t line, gen;
};

/* Where a record writes: a head, or where one was. */
struct apply_target {
	uint32_t line, gen;
	uint32_t last_point;	     /* versions up to it are others', too */
	struct apply_branch *branch; /* NULL: nobody's head any more */
	struct apply_level *path;
	size_t path_count, path_capacity;
	bool valid;
};

/* A window as one line sees it: a slot for each block, kind 0: none. */
struct apply_window {
	uint64_t inode, number;
	uint32_t head_line; /* whose view it is; 0: the place is free */
	uint32_t line, gen; /* of the version; 0, 0: there was none */
	bool dirty;
	uint64_t used_nr;
	struct slot slots[WINDOW_BLOCKS];
};

struct apply_inode {
	bool valid, dirty;
	uint32_t head_line;
	uint64_t inode;
	uint32_t line, gen; /* of the version */
	struct inode_item item;
};

struct apply {
	struct queries *queries;
	struct segment_reader *reader;
	struct block_map *map;
	struct apply_events events;
	uint64_t seed;
	bool is_tree;
	int64_t now_ns;

	struct apply_line *lines;
	size_t line_count, line_capacity;
	struct apply_branch *branches;
	size_t branch_count, branch_capacity;
	struct apply_snapshot *snapshots;
	size_t snapshot_count, snapshot_capacity;
	int64_t next_line, next_gen, next_snapshot, next_branch;
	int64_t next_operation, next_inode;
	bool meta_dirty;

	struct apply_target target;
	struct apply_inode inode;
	struct apply_window *windows;
	uint64_t used_nr;
	struct batch batch;
	const struct record *record; /* that is being applied */
	uint64_t records, troubles;
	bool ended; /* by who was told of trouble */
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	uint8_t value[ITEM_VALUE_BYTES_MAX];
};

/* apply.c */
void apply_trouble(struct apply *apply, enum apply_trouble trouble,
		   uint32_t line, uint32_t gen, uint64_t inode,
		   uint64_t first_block);

/* apply_graph.c: history in memory; rows follow at once, but for those of
 * branches and counters, which are saved by apply_graph_save. */
NODISCARD int apply_graph_load(struct apply *apply);
NODISCARD int apply_graph_save(struct apply *apply);
struct apply_line *apply_line_of(struct apply *apply, uint32_t id);
struct apply_branch *apply_branch_of(struct apply *apply, uint32_t id);
struct apply_branch *apply_branch_on_line(struct apply *apply, uint32_t line);
struct apply_snapshot *apply_snapshot_of(struct apply *apply, uint32_t id);
NODISCARD int apply_add_line(struct apply *apply,
			     const struct apply_line *line);
NODISCARD int apply_add_branch(struct apply *apply,
			       const struct apply_branch *branch);
NODISCARD int apply_add_snapshot(struct apply *apply,
				 const struct apply_snapshot *snapshot);
/* Points apply->target there. 1: there is no such line, which is told. */
NODISCARD int apply_target_at(struct apply *apply, uint32_t line, uint32_t gen,
			      uint64_t inode, uint64_t first_block);
/* What a path sees of (line, gen)'s view, into *path. 1: a line is missing. */
NODISCARD int apply_path(struct apply *apply, uint32_t line, uint32_t gen,
			 struct apply_level **path, size_t *count,
			 size_t *capacity);
/* The level on the path with the greatest line <= line; NULL: none. */
const struct apply_level *apply_level_at(const struct apply_level *path,
					 size_t count, uint32_t line);

/* apply_window.c */
/* The window as the target sees it, to be looked at. 1: damaged, told. */
NODISCARD int apply_window_get(struct apply *apply, uint64_t inode,
			       uint64_t number, struct apply_window **out);
/* Makes it the target's own, to be changed: dirty. */
NODISCARD int apply_window_own(struct apply *apply,
			       struct apply_window *window);
/* The row that (key->line, key->gen) sees, into row, and its key. 0: none. */
NODISCARD int apply_row_of_window(struct apply *apply, struct window_key *key,
				  uint8_t *row, size_t *out_bytes);
/* Saves the windows of an inode, or of all (0). forget: from memory too. */
NODISCARD int apply_windows_flush(struct apply *apply, uint64_t inode,
				  bool forget);
/* From slots as rows have them, and back. */
void apply_slots_spread(const struct slot *slots, size_t count,
			struct slot *blocks);
size_t apply_slots_gather(const struct slot *blocks, struct slot *slots);

/* apply_data.c: 1: could not be applied, told. */
NODISCARD int apply_extent(struct apply *apply, const struct record *record,
			   bool verify);
NODISCARD int apply_zero(struct apply *apply, const struct record *record);
NODISCARD int apply_resize(struct apply *apply, const struct record *record);
NODISCARD int apply_attributes(struct apply *apply,
			       const struct record *record);
NODISCARD int apply_share(struct apply *apply, const struct record *record);
/* All blocks of apply->inode are given up. */
NODISCARD int apply_cut(struct apply *apply, uint64_t first_block,
			uint64_t old_bytes);
/* -ENODATA: not what their sums say. */
NODISCARD int apply_verify(struct apply *apply, struct location at,
			   uint32_t blocks, bool is_lz4, const uint64_t *sums);

/* apply_move.c */
NODISCARD int apply_move(struct apply *apply, const struct record *record,
			 bool verify);

/* apply_items.c */
/* The target's inode into apply->inode. 1: it is not there; not told. */
NODISCARD int apply_inode_get(struct apply *apply, uint64_t inode);
/* It is changed: by whom it is owned, and times of an image. */
void apply_inode_touch(struct apply *apply, bool times);
NODISCARD int apply_inode_flush(struct apply *apply);
NODISCARD int apply_items(struct apply *apply, const struct record *record);
/* The row of an item that (line, gen) sees, as apply_row_of_window. value
 * holds ITEM_VALUE_BYTES_MAX. */
NODISCARD int apply_row_of_item(struct apply *apply,
				struct item_identity *identity, uint8_t *value,
				size_t *out_bytes);

/* apply_history.c */
NODISCARD int apply_history(struct apply *apply, const struct record *record);
