/*
 * Checkpoint: the index moves to the state of one LSN, P.
 *
 * At P, with the log order held, everything small is copied (branches,
 * history, inodes, bitmaps) and checkpoint_nr grows: from then on a writer
 * that changes a window which is still unsaved freezes it first. So the
 * windows of P are saved while writes go on.
 *
 * I1: the log is flushed up to P before the index that refers to it is
 *     committed (rule 3).
 * I2: what P freed is given back only after the commit (rule 4); see
 *     release.c.
 * I3: a commit that finds no room on the disk loses nothing: it waits.
 *
 * A crash before the commit leaves the old index and its log; after it,
 * the new one. Blocks not yet punched are marked in their segment's row.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"
#include "fold_notes.h"
#include "items.h"

/* Of the index; some ms of work for one checkpoint. */
enum { SHRINK_PAGES = 256 };

/* What the commit will save, as of P. */
struct saved_state {
	struct log_position position;
	uint64_t checkpoint_nr; /* windows dirtied up to this one */
	struct change_queue changes;
	struct line_row *lines;
	struct branch_row *branches;
	struct snapshot_row *snapshots;
	size_t line_count, branch_count, snapshot_count;
	struct space_save space;
	uint32_t next_line, next_gen, next_snapshot, next_branch;
	uint64_t next_operation, next_inode;
};

static int copy_history(struct store *store, struct saved_state *state)
	REQUIRES(store->order_lock)
{
	struct graph *graph = &store->graph;
	size_t i, lines = 0, snapshots = 0;

	for (i = 0; i < graph->line_count; i++)
		lines += graph->lines[i]->dirty;
	for (i = 0; i < graph->snapshot_count; i++)
		snapshots += graph->snapshots[i]->dirty;
	state->lines = calloc(lines + 1, sizeof(*state->lines));
	state->branches =
		calloc(graph->branch_count + 1, sizeof(*state->branches));
	state->snapshots = calloc(snapshots + 1, sizeof(*state->snapshots));
	if (!state->lines || !state->branches || !state->snapshots)
		return -ENOMEM;
	for (i = 0; i < graph->line_count; i++) {
		if (graph->lines[i]->dirty)
			state->lines[state->line_count++] =
				graph->lines[i]->row;
		graph->lines[i]->dirty = false;
	}
	for (i = 0; i < graph->branch_count; i++) {
		if (graph->branches[i]->dirty)
			state->branches[state->branch_count++] =
				graph->branches[i]->row;
		graph->branches[i]->dirty = false;
	}
	for (i = 0; i < graph->snapshot_count; i++) {
		if (graph->snapshots[i]->dirty)
			state->snapshots[state->snapshot_count++] =
				graph->snapshots[i]->row;
		graph->snapshots[i]->dirty = false;
	}
	return 0;
}

static int take_items(struct store *store) REQUIRES(store->order_lock)
{
	struct view *view;
	int rc = 0;

	DL_FOREACH2(store->views, view, next)
	{
		rc = view_keep_inodes_locked(store, view);
		if (rc < 0)
			return rc;
	}
	items_begin_save_locked(store);
	return 0;
}

struct space_copy {
	struct space_map *map;
	struct space_save *save;
};

static int copy_space(void *context)
{
	struct space_copy *copy = context;

	return space_map_begin_save(copy->map, copy->save);
}

static int begin_locked(struct store *store, struct saved_state *state)
	REQUIRES(store->order_lock)
{
	struct space_copy space = { &store->space, &state->space };
	int rc = copy_history(store, state);

	if (rc == 0)
		rc = take_items(store);
	/* Of one instant: a segment that began in between would be the tail
	 * of a position, and have no row. */
	if (rc == 0)
		rc = log_copy_position(store->log, &state->position, copy_space,
				       &space);
	if (rc < 0)
		return rc;
	state->changes = store->changes;
	if (!state->changes.first)
		change_queue_init(&state->changes);
	change_queue_init(&store->changes);
	state->next_line = store->next_line;
	state->next_gen = store->next_gen;
	state->next_snapshot = store->next_snapshot;
	state->next_branch = store->next_branch;
	state->next_operation = store->next_operation;
	state->next_inode = store->next_inode;
	mutex_lock(&store->map_lock);
	state->checkpoint_nr = store->checkpoint_nr++;
	mutex_unlock(&store->map_lock);
	return 0;
}

/* One unsaved window of P, encoded; false: none is left. */
static struct window *encode_next(struct store *store,
				  const struct saved_state *state,
				  struct window_key *key, uint8_t *row,
				  size_t *row_bytes)
{
	struct window *window;

	mutex_lock(&store->map_lock);
	window = store->dirty;
	if (window && window->checkpoint_nr <= state->checkpoint_nr) {
		*key = (struct window_key){ window->number.inode,
					    window->number.window, window->line,
					    window->gen };
		*row_bytes = window_encode(store->seed, key, window->slots,
					   window->slot_count, row);
		window->saving = true;
	} else {
		window = NULL;
	}
	mutex_unlock(&store->map_lock);
	return window;
}

static void window_saved(struct store *store, struct window *window,
			 const struct window_key *key)
{
	struct window_cache *cache;

	mutex_lock(&store->map_lock);
	cache = window->cache;
	cache_note_change(store, key->inode, key->window);
	if (window->saving) { /* not changed meanwhile */
		window->saving = false;
		cache_mark_clean(store, window);
		if (window->frozen)
			cache_drop_window(store, window);
	}
	if (cache->retired && cache->dirty_count == 0)
		cache_free(store, cache);
	mutex_unlock(&store->map_lock);
}

/* Rows without slots that may be needless when all of P is saved. */
struct empty_rows {
	struct window_key *keys;
	size_t count, capacity;
};

static int note_empty(struct empty_rows *empty, const struct window_key *key)
{
	if (empty->count == empty->capacity) {
		size_t capacity = empty->capacity ? empty->capacity * 2 : 64;
		void *grown =
			realloc(empty->keys, capacity * sizeof(*empty->keys));

		if (!grown)
			return -ENOMEM;
		empty->keys = grown;
		empty->capacity = capacity;
	}
	empty->keys[empty->count++] = *key;
	return 0;
}

/* An older version that the line sees, and that may still be saved? */
static int older_unsaved(struct store *store, const struct window_key *key,
			 bool *out_unsaved)
{
	struct line_path *path;

	mutex_lock(&store->order_lock);
	path = graph_path(&store->graph, key->line, key->gen - 1);
	mutex_unlock(&store->order_lock);
	if (!path)
		return -ENOMEM;
	mutex_lock(&store->map_lock);
	*out_unsaved = cache_find_on_path(store, path, key->inode, key->window);
	mutex_unlock(&store->map_lock);
	line_path_put(path);
	return 0;
}

/* A row without slots is needed only where it hides one that has some: files
 * come and go. */
static int drop_needless(struct store *store, const struct window_key *key,
			 uint8_t *row)
{
	bool hides = false;
	int rc;

	mutex_lock(&store->order_lock);
	rc = window_hides_locked(store, key, row, &hides);
	mutex_unlock(&store->order_lock);
	return rc < 0 || hides ? rc : index_window_delete(store->index, key);
}

static int save_window(struct store *store, const struct window_key *key,
		       uint8_t *row, size_t row_bytes, struct empty_rows *empty)
{
	bool unsaved = false;
	int rc = index_window_put(store->index, key, row, row_bytes);

	if (rc < 0 || !window_row_empty(row_bytes))
		return rc;
	rc = older_unsaved(store, key, &unsaved);
	if (rc < 0)
		return rc;
	return unsaved ? note_empty(empty, key) :
			 drop_needless(store, key, row);
}

static int save_windows(struct store *store, const struct saved_state *state)
{
	AUTO_FREE uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	struct empty_rows empty = { 0 };
	struct window_key key;
	struct window *window;
	size_t row_bytes, i;
	int rc = row ? 0 : -ENOMEM;

	while (rc == 0 &&
	       (window = encode_next(store, state, &key, row, &row_bytes))) {
		rc = save_window(store, &key, row, row_bytes, &empty);
		if (rc == 0)
			window_saved(store, window, &key);
	}
	for (i = 0; i < empty.count && rc == 0; i++)
		rc = drop_needless(store, &empty.keys[i], row);
	free(empty.keys);
	return rc;
}

static int save_rows(struct store *store, const struct saved_state *state)
{
	const struct change *change;
	size_t i;
	int rc = 0;

	for (change = state->changes.first; change && rc == 0;
	     change = change->next)
		rc = change_apply(store->index, change);
	for (i = 0; i < state->line_count && rc == 0; i++)
		rc = index_line_put(store->index, &state->lines[i]);
	for (i = 0; i < state->branch_count && rc == 0; i++)
		rc = index_branch_put(store->index, &state->branches[i]);
	for (i = 0; i < state->snapshot_count && rc == 0; i++)
		rc = index_snapshot_put(store->index, &state->snapshots[i]);
	if (rc == 0)
		rc = items_save(store);
	for (i = 0; i < state->space.count && rc == 0; i++) {
		const struct segment_space *segment = &state->space.segments[i];
		struct segment_row row = {
			.id = segment->id,
			.sealed = segment->sealed,
			.punch = segment->punch,
			.packed = segment->packed,
			.used_blocks = segment->used_blocks,
			.metadata_blocks = segment->metadata_blocks,
			.last_lsn = segment->last_lsn,
			.live = segment->live,
			.shared = segment->shared,
		};

		rc = index_segment_put(store->index, &row);
	}
	return rc;
}

int meta_put_position(struct index *index, const struct log_position *position)
{
	const struct {
		const char *key;
		int64_t value;
	} values[] = {
		{ "log_segment", position->segment },
		{ "log_block", position->block },
		{ "log_offset", position->offset },
		{ "log_tail_segment", position->tail_segment },
		{ "log_tail_block", position->tail_block },
		{ "log_epoch", position->epoch },
		{ "log_next_lsn", (int64_t)position->next_lsn },
	};
	size_t i;
	int rc = 0;

	for (i = 0; i < sizeof(values) / sizeof(values[0]) && rc == 0; i++)
		rc = index_meta_put(index, values[i].key, values[i].value);
	return rc;
}

static int save_meta(struct store *store, const struct saved_state *state)
{
	const struct {
		const char *key;
		int64_t value;
	} values[] = {
		{ "next_line", state->next_line },
		{ "next_gen", state->next_gen },
		{ "next_snapshot", state->next_snapshot },
		{ "next_branch", state->next_branch },
		{ "next_operation", (int64_t)state->next_operation },
		{ "next_inode", (int64_t)state->next_inode },
	};
	size_t i;
	int rc = meta_put_position(store->index, &state->position);

	for (i = 0; i < sizeof(values) / sizeof(values[0]) && rc == 0; i++)
		rc = index_meta_put(store->index, values[i].key,
				    values[i].value);
	/* Nobody looks at older ones, and index.bak is a copy of all. */
	if (rc == 0)
		rc = index_operations_trim(store->index,
					   state->next_operation - 1,
					   GRAPH_OPERATIONS_MAX);
	return rc;
}

static void state_fini(struct saved_state *state)
{
	change_queue_free(&state->changes);
	free(state->lines);
	free(state->branches);
	free(state->snapshots);
	space_save_fini(&state->space);
}

static int save_all(struct store *store, struct saved_state *state)
{
	int rc = log_sync(store->log, state->position.next_lsn - 1); /* I1 */

	if (rc == 0)
		rc = save_windows(store, state);
	if (rc == 0)
		rc = save_rows(store, state);
	if (rc == 0)
		rc = save_meta(store, state);
	if (rc == 0)
		rc = fold_notes_save(store);
	if (rc == 0)
		rc = index_shrink(store->index, SHRINK_PAGES,
				  &store->index_loose);
	if (rc == 0)
		rc = index_commit(store->index);
	return rc;
}

/*
 * I3: all of P is in rows, which only have found no room on the disk yet.
 * Nothing is given back until they have, with the next checkpoint.
 */
static int leave_waiting(struct store *store, struct saved_state *state)
	REQUIRES(store->maintenance_lock)
{
	items_end_save(store);
	checkpoint_put_back(store, &state->space);
	state_fini(state);
	store->last_checkpoint_ns = store_monotonic_ns();
	if (!atomic_exchange(&store->index_waited, true))
		log_message(LOG_LEVEL_WARNING,
			    "%s: no room for the index on its file system; "
			    "it is saved when there is",
			    store->path);
	return -ENOSPC;
}

/* An earlier checkpoint, first: so memory has one at most. */
static int save_what_waits(struct store *store)
	REQUIRES(store->maintenance_lock)
{
	int rc = 0;

	if (index_waits(store->index))
		rc = index_commit(store->index);
	if (rc == 0 && atomic_exchange(&store->index_waited, false))
		log_message(LOG_LEVEL_NOTICE, "%s: the index is saved",
			    store->path);
	if (rc == 0 || index_waits(store->index))
		return rc;
	return store_fail(store, rc, "checkpoint of the index failed");
}

int checkpoint_run(struct store *store, bool force_backup)
{
	struct saved_state state = { 0 };
	int64_t begin = store_monotonic_ns();
	int rc;

	if (atomic_load(&store->failed))
		return -EROFS;
	rc = save_what_waits(store);
	if (rc < 0)
		return rc;
	change_queue_init(&state.changes);
	atomic_store(&store->discarded_bytes, 0);
	mutex_lock(&store->order_lock);
	rc = begin_locked(store, &state);
	mutex_unlock(&store->order_lock);
	if (rc == 0)
		rc = save_all(store, &state);
	if (rc == -ENOSPC && index_waits(store->index))
		return leave_waiting(store, &state); /* I3 */
	if (rc < 0) {
		/* What was taken over is lost to this process; the log has
		 * it, and opening the store again replays it. */
		state_fini(&state);
		return store_fail(store, rc, "checkpoint of the index failed");
	}
	atomic_store(&store->reaped_rows, 0);
	store->checkpoint_lsn = state.position.next_lsn - 1;
	store->last_checkpoint_ns = store_monotonic_ns();
	store->checkpoint_stored_bytes =
		atomic_load(&store->count.stored_bytes);
	items_end_save(store);
	rc = checkpoint_release(store, &state.space, force_backup);
	state_fini(&state);
	atomic_fetch_add(&store->count.checkpoints, 1);
	atomic_fetch_add(&store->count.checkpoint_ns,
			 (uint64_t)(store_monotonic_ns() - begin));
	return rc;
}
