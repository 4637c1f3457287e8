/*
 * Dropping what nobody sees any more: rows of deleted snapshots and
 * branches, lines without anybody on them.
 *
 * A row of a line covers the generations up to the line's next row of that
 * window. It is seen by the line's head, by snapshots in that range, and by
 * lines that leave in it and have no row of their own early enough. A chunk
 * of a dropped row is dead if neither its older nor its newer neighbours use
 * it, nor, when it is older than the row, the other heirs of the dropped row
 * that it was born in: lines that left the path between its birth and here.
 *
 * Runs in the maintenance thread, after a checkpoint and before the next:
 * all it does becomes durable with that, or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "cache.h"
#include "store_impl.h"

enum { BATCH_KEYS = 256 };

/* A version of a window, from the index or from memory. */
struct version {
	struct window_key key;
	size_t slot_count;
	struct slot slots[WINDOW_BLOCKS];
};

struct reaper {
	struct store *store;
	uint64_t dropped_rows;
	struct version row, other;
	uint8_t bytes[WINDOW_ROW_BYTES_MAX];
	uint32_t *stack; /* lines to look at */
	size_t stack_capacity;
};

static int decode(struct reaper *reaper, const struct window_key *key,
		  size_t row_bytes, struct version *version)
{
	int rc = window_decode(reaper->store->seed, key, reaper->bytes,
			       row_bytes, version->slots, &version->slot_count);

	version->key = *key;
	if (rc < 0)
		return store_fail(reaper->store, rc,
				  "index: row of window %llu is damaged",
				  (unsigned long long)key->window);
	return 0;
}

static void copy_version(const struct window *window, struct version *version)
{
	version->key = (struct window_key){ window->number.inode,
					    window->number.window, window->line,
					    window->gen };
	version->slot_count = window->slot_count;
	if (window->slot_count)
		memcpy(version->slots, window->slots,
		       window->slot_count * sizeof(struct slot));
}

/* The unsaved version on the line with the least generation >= gen. */
static bool next_unsaved(struct store *store, uint32_t line, uint32_t gen,
			 const struct window_key *key, struct version *version)
{
	const struct window *best = NULL, *window;
	struct window_cache *cache;

	mutex_lock(&store->map_lock);
	DL_FOREACH2(store->caches, cache, next)
	{
		if (cache->line != line || cache->dirty_count == 0)
			continue;
		window = cache_find(cache, key->inode, key->window);
		for (; window; window = window->older)
			if (window->dirty && window->line == line &&
			    window->gen >= gen &&
			    (!best || window->gen <= best->gen))
				best = window;
	}
	if (best)
		copy_version(best, version);
	mutex_unlock(&store->map_lock);
	return best != NULL;
}

/* The first version of the window on a line from gen on. -ENOENT. */
static int next_version(struct reaper *reaper, uint32_t line, uint32_t gen,
			const struct window_key *key, struct version *version)
{
	struct window_key found;
	size_t row_bytes;
	bool unsaved = next_unsaved(reaper->store, line, gen, key, version);
	int rc = index_window_next(reaper->store->index, key->inode,
				   key->window, line, gen, &found,
				   reaper->bytes, &row_bytes);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && (!unsaved || found.gen < version->key.gen))
		return decode(reaper, &found, row_bytes, version);
	return unsaved ? 0 : -ENOENT;
}

/* The last version on a line up to gen. -ENOENT. */
static int last_version(struct reaper *reaper, uint32_t line, uint32_t gen,
			const struct window_key *key, struct version *version)
{
	struct store *store = reaper->store;
	const struct window *unsaved;
	struct window_key found;
	size_t row_bytes;
	int rc;

	mutex_lock(&store->map_lock);
	unsaved = cache_find_unsaved(store, line, gen, key->inode, key->window);
	if (unsaved)
		copy_version(unsaved, version);
	mutex_unlock(&store->map_lock);
	rc = index_window_previous(store->index, key->inode, key->window, line,
				   gen, &found, reaper->bytes, &row_bytes);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0 && (!unsaved || found.gen > version->key.gen))
		return decode(reaper, &found, row_bytes, version);
	return unsaved ? 0 : -ENOENT;
}

/* The version that the row was made from. -ENOENT: base. */
static int previous_version(struct reaper *reaper, const struct window_key *key,
			    struct version *version)
{
	const struct line *line;
	uint32_t id = key->line, limit = key->gen - 1;
	int rc = -ENOENT;

	for (; id && rc == -ENOENT; id = line->row.parent) {
		line = graph_line(&reaper->store->graph, id);
		if (!line)
			return -EUCLEAN;
		rc = last_version(reaper, id, limit, key, version);
		limit = line->row.fork_gen;
	}
	return rc;
}

static void push(struct reaper *reaper, size_t *depth, uint32_t line)
{
	if (*depth == reaper->stack_capacity) {
		size_t capacity = *depth ? *depth * 2 : 64;
		void *grown = realloc(reaper->stack,
				      capacity * sizeof(*reaper->stack));

		if (!grown)
			abort(); /* a few bytes; nothing sensible is left */
		reaper->stack = grown;
		reaper->stack_capacity = capacity;
	}
	reaper->stack[(*depth)++] = line;
}

static void push_forks(struct reaper *reaper, size_t *depth, uint32_t line,
		       uint32_t gen_begin, uint32_t gen_end)
{
	const struct graph *graph = &reaper->store->graph;
	const struct line *self = graph_line(graph, line);
	size_t i;

	for (i = 0; self && self->child_count && i < graph->line_count; i++) {
		const struct line_row *row = &graph->lines[i]->row;

		if (row->parent == line && row->fork_gen >= gen_begin &&
		    row->fork_gen < gen_end)
			push(reaper, depth, row->id);
	}
}

static bool snapshot_between(const struct graph *graph, uint32_t line,
			     uint32_t gen_begin, uint32_t gen_end)
{
	size_t i;

	for (i = 0; i < graph->snapshot_count; i++) {
		const struct snapshot_row *row = &graph->snapshots[i]->row;

		if (row->line == line && row->gen >= gen_begin &&
		    row->gen < gen_end && row->state != SNAPSHOT_STATE_DELETING)
			return true;
	}
	return false;
}

static void subtract(struct version *row, const struct version *other)
{
	size_t i, kept = 0;

	for (i = 0; i < row->slot_count; i++)
		if (!window_uses_chunk(other->slots,
				       (unsigned)other->slot_count,
				       &row->slots[i]))
			row->slots[kept++] = row->slots[i];
	row->slot_count = kept;
}

/*
 * Walks all who could see a row of `line` in [gen, end): 1 when somebody
 * does. Versions that stand in its place are subtracted from the row.
 */
static int seen(struct reaper *reaper, const struct window_key *key,
		uint32_t gen, uint32_t end)
{
	const struct graph *graph = &reaper->store->graph;
	size_t depth = 0;

	if (end == UINT32_MAX && graph_branch_of_line(graph, key->line))
		return 1;
	if (snapshot_between(graph, key->line, gen, end))
		return 1;
	push_forks(reaper, &depth, key->line, gen, end);
	while (depth > 0) {
		uint32_t line = reaper->stack[--depth];
		uint32_t first = UINT32_MAX;
		int rc = next_version(reaper, line, 0, key, &reaper->other);

		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0) {
			first = reaper->other.key.gen;
			subtract(&reaper->row, &reaper->other);
		} else if (graph_branch_of_line(graph, line)) {
			return 1;
		}
		if (snapshot_between(graph, line, 0, first))
			return 1;
		push_forks(reaper, &depth, line, 0, first);
	}
	return 0;
}

/* The oldest birth of what the row inherited, or its own generation. */
static uint32_t oldest_birth(const struct version *row)
{
	uint32_t oldest = row->key.gen;
	size_t i;

	for (i = 0; i < row->slot_count; i++)
		if (row->slots[i].kind != SLOT_KIND_ZERO &&
		    row->slots[i].birth < oldest)
			oldest = row->slots[i].birth;
	return oldest;
}

/*
 * What else descends from where the row's blocks were born: lines that left
 * its past since then, and what its ancestors' own lines became later. The
 * first version of each is subtracted.
 */
static int subtract_heirs(struct reaper *reaper, const struct window_key *key)
{
	const struct graph *graph = &reaper->store->graph;
	uint32_t birth = oldest_birth(&reaper->row), id = key->line;
	uint32_t end = key->gen;
	size_t depth = 0;
	int rc;

	if (birth >= key->gen)
		return 0;
	while (id) {
		const struct line *line = graph_line(graph, id);

		if (!line)
			return -EUCLEAN;
		push_forks(reaper, &depth, id, birth, end);
		if (line->row.fork_gen < birth)
			break;
		id = line->row.parent;
		rc = next_version(reaper, id, line->row.fork_gen + 1, key,
				  &reaper->other);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		end = rc == 0 ? reaper->other.key.gen : UINT32_MAX;
		if (rc == 0)
			subtract(&reaper->row, &reaper->other);
	}
	while (depth > 0) {
		uint32_t heir = reaper->stack[--depth];
		uint32_t first = UINT32_MAX;

		if (heir == key->line)
			continue;
		rc = next_version(reaper, heir, 0, key, &reaper->other);
		if (rc < 0 && rc != -ENOENT)
			return rc;
		if (rc == 0) {
			first = reaper->other.key.gen;
			subtract(&reaper->row, &reaper->other);
		}
		push_forks(reaper, &depth, heir, 0, first);
	}
	return 0;
}

static void free_row(struct reaper *reaper)
{
	size_t i;

	for (i = 0; i < reaper->row.slot_count; i++) {
		const struct slot *slot = &reaper->row.slots[i];
		struct location at = { slot->segment, slot->block };

		if (slot->kind != SLOT_KIND_ZERO)
			space_map_free(&reaper->store->space, at,
				       slot_stored_blocks(slot));
	}
}

/* Drops the row if nobody sees it. With the log order held: no writer can
 * make a version between the look and the drop. */
static int reap_row(struct reaper *reaper, const struct window_key *key)
	REQUIRES(reaper->store->order_lock)
{
	struct store *store = reaper->store;
	struct window_key found;
	uint32_t end = UINT32_MAX;
	size_t row_bytes;
	int rc = index_window_next(store->index, key->inode, key->window,
				   key->line, key->gen, &found, reaper->bytes,
				   &row_bytes);

	if (rc == -ENOENT || (rc == 0 && found.gen != key->gen))
		return 0; /* gone meanwhile */
	if (rc == 0)
		rc = decode(reaper, key, row_bytes, &reaper->row);
	if (rc < 0)
		return rc;
	rc = next_version(reaper, key->line, key->gen + 1, key, &reaper->other);
	if (rc == 0) {
		end = reaper->other.key.gen;
		subtract(&reaper->row, &reaper->other);
	} else if (rc != -ENOENT) {
		return rc;
	}
	rc = seen(reaper, key, key->gen, end);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = previous_version(reaper, key, &reaper->other);
	if (rc == 0)
		subtract(&reaper->row, &reaper->other);
	else if (rc != -ENOENT)
		return rc;
	rc = subtract_heirs(reaper, key);
	if (rc < 0)
		return rc;
	free_row(reaper);
	reaper->dropped_rows++;
	return index_window_delete(store->index, key);
}

static int reap_rows(struct reaper *reaper, uint32_t line, uint32_t gen_begin,
		     uint32_t gen_end)
{
	struct store *store = reaper->store;
	AUTO_FREE struct window_key *keys = calloc(BATCH_KEYS, sizeof(*keys));
	int64_t cursor[2] = { 0, 0 };
	int count = BATCH_KEYS, i, rc = 0;

	if (!keys)
		return -ENOMEM;
	while (count == BATCH_KEYS && rc == 0) {
		count = index_windows_of_line(store->index, line, gen_begin,
					      gen_end, keys, BATCH_KEYS,
					      cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++) {
			mutex_lock(&store->order_lock);
			rc = reap_row(reaper, &keys[i]);
			mutex_unlock(&store->order_lock);
		}
	}
	return rc;
}

/* Somebody who saw `gen` of the line is gone. */
static int remove_point(struct reaper *reaper, uint32_t line, uint32_t gen)
{
	struct store *store = reaper->store;
	uint32_t before, after, last;
	bool has_head;
	int rc;

	mutex_lock(&store->order_lock);
	last = gen == UINT32_MAX ? gen : gen + 1;
	before = graph_last_point(&store->graph, line, gen ? gen - 1 : 0);
	after = graph_next_point(&store->graph, line, gen);
	has_head = graph_branch_of_line(&store->graph, line) != NULL;
	mutex_unlock(&store->order_lock);
	rc = reap_rows(reaper, line, before + 1, last);
	if (rc < 0)
		return rc;
	if (after == UINT32_MAX && !has_head)
		return index_inodes_cut(store->index, line, before);
	return index_inodes_thin(store->index, line, before + 1, after);
}

static int reap_snapshot(struct reaper *reaper, const struct snapshot_row *row)
{
	struct store *store = reaper->store;
	int rc = remove_point(reaper, row->line, row->gen);

	if (rc == 0)
		rc = index_snapshot_delete(store->index, row->id);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	graph_remove_snapshot(&store->graph, row->id);
	view_points_locked(store);
	mutex_unlock(&store->order_lock);
	return 0;
}

static int reap_branch(struct reaper *reaper, const struct branch_row *row)
{
	struct store *store = reaper->store;
	int rc = remove_point(reaper, row->line, UINT32_MAX);

	if (rc == 0)
		rc = index_branch_delete(store->index, row->id);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	graph_remove_branch(&store->graph, row->id);
	mutex_unlock(&store->order_lock);
	return 0;
}

static bool is_ghost(const struct graph *graph, const struct line *line)
{
	size_t i;

	for (i = 0; i < graph->snapshot_count; i++)
		if (graph->snapshots[i]->row.line == line->row.id)
			return false;
	for (i = 0; i < graph->branch_count; i++)
		if (graph->branches[i]->row.line == line->row.id)
			return false;
	return true;
}

/* Nobody is on the line and nobody left it. */
static int drop_line(struct reaper *reaper, const struct line_row *row)
{
	struct store *store = reaper->store;
	int rc = reap_rows(reaper, row->id, 0, UINT32_MAX);

	if (rc == 0)
		rc = index_inodes_cut(store->index, row->id, 0);
	if (rc == 0)
		rc = index_line_delete(store->index, row->id);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	graph_remove_line(&store->graph, row->id);
	view_points_locked(store);
	mutex_unlock(&store->order_lock);
	return row->parent ? remove_point(reaper, row->parent, row->fork_gen) :
			     0;
}

static const struct line *only_child(const struct graph *graph, uint32_t line)
{
	size_t i;

	for (i = 0; i < graph->line_count; i++)
		if (graph->lines[i]->row.parent == line)
			return graph->lines[i];
	return NULL;
}

/* Gives one row that the child still sees to the child. */
static int hand_down(struct reaper *reaper, const struct window_key *key,
		     uint32_t child) REQUIRES(reaper->store->order_lock)
{
	struct store *store = reaper->store;
	struct window_key own = *key;
	struct window_cache *cache;
	struct window *window;
	size_t row_bytes;
	int rc = index_window_next(store->index, key->inode, key->window,
				   key->line, key->gen, &own, reaper->bytes,
				   &row_bytes);

	if (rc < 0 || own.gen != key->gen)
		return rc == -ENOENT ? 0 : rc; /* it was dropped */
	rc = decode(reaper, key, row_bytes, &reaper->row);
	if (rc < 0)
		return rc;
	own.line = child;
	row_bytes = window_encode(store->seed, &own, reaper->row.slots,
				  reaper->row.slot_count, reaper->bytes);
	rc = index_window_relabel(store->index, key, child, reaper->bytes,
				  row_bytes);
	if (rc < 0)
		return rc;
	mutex_lock(&store->map_lock);
	cache_note_change(store, key->inode, key->window);
	DL_FOREACH2(store->caches, cache, next)
	{
		window = cache_find(cache, key->inode, key->window);
		for (; window; window = window->older)
			if (window->line == key->line)
				window->line = child;
	}
	mutex_unlock(&store->map_lock);
	return 0;
}

static int hand_down_all(struct reaper *reaper, uint32_t line, uint32_t child)
{
	struct store *store = reaper->store;
	AUTO_FREE struct window_key *keys = calloc(BATCH_KEYS, sizeof(*keys));
	int64_t cursor[2] = { 0, 0 };
	int count = BATCH_KEYS, i, rc = 0;

	if (!keys)
		return -ENOMEM;
	while (count == BATCH_KEYS && rc == 0) {
		count = index_windows_of_line(store->index, line, 0, UINT32_MAX,
					      keys, BATCH_KEYS, cursor);
		if (count < 0)
			return count;
		for (i = 0; i < count && rc == 0; i++) {
			mutex_lock(&store->order_lock);
			rc = hand_down(reaper, &keys[i], child);
			mutex_unlock(&store->order_lock);
		}
	}
	return rc;
}

static void relabel_views(struct store *store, uint32_t line, uint32_t child)
	REQUIRES(store->order_lock)
{
	struct pending_inode *pending;
	struct view *view;

	mutex_lock(&store->map_lock);
	DL_FOREACH2(store->views, view, next)
	if (view->image.row.line == line)
		view->image.row.line = child;
	mutex_unlock(&store->map_lock);
	for (pending = store->pending_inodes; pending; pending = pending->next)
		if (pending->row.line == line)
			pending->row.line = child;
}

/*
 * Folds a line that nobody is on into the only one that left it: what the
 * child sees of it becomes the child's, the rest is dropped. So rollbacks
 * and clones of long ago cost neither space nor depth.
 */
static int fold_line(struct reaper *reaper, const struct line_row *row)
{
	struct store *store = reaper->store;
	const struct line *found = only_child(&store->graph, row->id);
	struct line_row child;
	uint32_t first_point;
	int rc;

	if (!found)
		return -EUCLEAN;
	child = found->row;
	/* First whatever the child has no use for, then what is left. */
	rc = reap_rows(reaper, row->id, 0, UINT32_MAX);
	if (rc == 0)
		rc = hand_down_all(reaper, row->id, child.id);
	first_point = graph_next_point(&store->graph, child.id, 0);
	if (rc == 0)
		rc = index_inodes_cut(store->index, row->id, child.fork_gen);
	if (rc == 0)
		rc = index_inodes_relabel(store->index, row->id, child.id,
					  first_point);
	child.parent = row->parent;
	child.fork_gen = row->fork_gen;
	child.first_gen = row->first_gen;
	if (rc == 0)
		rc = index_line_put(store->index, &child);
	if (rc == 0)
		rc = index_line_delete(store->index, row->id);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	graph_line(&store->graph, child.id)->row = child;
	if (graph_line(&store->graph, row->parent))
		graph_line(&store->graph, row->parent)->child_count++;
	graph_remove_line(&store->graph, row->id);
	relabel_views(store, row->id, child.id);
	view_paths_locked(store);
	view_points_locked(store);
	mutex_unlock(&store->order_lock);
	return 0;
}

/* Versions of the line up to gen that are no rows yet: they would be saved
 * after their turn to be dropped. */
static bool has_unsaved(struct store *store, uint32_t line, uint32_t gen)
	REQUIRES(store->order_lock)
{
	const struct pending_inode *pending;
	const struct window *window;
	bool found = false;

	for (pending = store->pending_inodes; pending && !found;
	     pending = pending->next)
		found = pending->row.line == line && pending->row.gen <= gen;
	mutex_lock(&store->map_lock);
	for (window = store->dirty; window && !found;
	     window = window->dirty_next)
		found = window->line == line && window->gen <= gen;
	mutex_unlock(&store->map_lock);
	return found;
}

/* One thing at a time: 1 when something was done, 2 when a checkpoint must
 * come first. */
static int reap_one(struct reaper *reaper)
{
	struct store *store = reaper->store;
	struct graph *graph = &store->graph;
	struct snapshot_row snapshot = { 0 };
	struct branch_row branch = { 0 };
	struct line_row line = { 0 };
	uint32_t children = 0;
	bool unsaved = false;
	size_t i;
	int rc = 0;

	mutex_lock(&store->order_lock);
	for (i = 0; i < graph->snapshot_count && !snapshot.id; i++)
		if (graph->snapshots[i]->row.state == SNAPSHOT_STATE_DELETING)
			snapshot = graph->snapshots[i]->row;
	for (i = 0; i < graph->branch_count && !branch.id; i++)
		if (graph->branches[i]->row.state == BRANCH_STATE_DELETING)
			branch = graph->branches[i]->row;
	for (i = 0; i < graph->line_count && !line.id; i++) {
		children = graph->lines[i]->child_count;
		if (children < 2 && is_ghost(graph, graph->lines[i]))
			line = graph->lines[i]->row;
	}
	if (snapshot.id)
		unsaved = has_unsaved(store, snapshot.line, snapshot.gen);
	else if (branch.id)
		unsaved = has_unsaved(store, branch.line, UINT32_MAX);
	else if (line.id) /* its fork is a point of its parent */
		unsaved = has_unsaved(store, line.id, UINT32_MAX) ||
			  has_unsaved(store, line.parent, line.fork_gen);
	mutex_unlock(&store->order_lock);
	if (unsaved)
		return 2;
	if (snapshot.id)
		rc = reap_snapshot(reaper, &snapshot);
	else if (branch.id)
		rc = reap_branch(reaper, &branch);
	else if (line.id && children == 0)
		rc = drop_line(reaper, &line);
	else if (line.id)
		rc = fold_line(reaper, &line);
	else
		return 0;
	return rc < 0 ? rc : 1;
}

bool reap_needed(struct store *store)
{
	return atomic_load(&store->reap_pending) || store->reaping;
}

enum { REAP_SLICE_MS = 500 };

int reap_run(struct store *store, bool *out_more)
{
	AUTO_FREE struct reaper *reaper = calloc(1, sizeof(*reaper));
	int64_t begin = store_monotonic_ns();
	int rc;

	*out_more = false;
	if (!reaper)
		return -ENOMEM;
	reaper->store = store;
	store->reaping = true;
	/* Cleared before the search: what is deleted meanwhile sets it. */
	atomic_store(&store->reap_pending, false);
	rc = checkpoint_run(store, false);
	while (rc == 0 && (rc = reap_one(reaper)) > 0) {
		rc = rc == 2 ? checkpoint_run(store, false) : 0;
		if (store_monotonic_ns() - begin <
		    REAP_SLICE_MS * INT64_C(1000000))
			continue;
		*out_more = true;
		break;
	}
	store->reaping = false;
	if (rc != 0 || *out_more)
		atomic_store(&store->reap_pending, true);
	free(reaper->stack);
	if (rc < 0)
		return store_fail(store, rc, "dropping deleted history failed");
	return checkpoint_run(store, false);
}
