/*
 * Folding a line that nobody is on into the only one that left it: what the
 * child sees of it becomes the child's, the rest is dropped. So rollbacks
 * and clones of long ago cost neither space nor depth.
 *
 * Each row of the line is dealt with once and for good. A crash in between,
 * at a checkpoint, leaves a line with fewer rows, to be folded again.
 */
#include <errno.h>
#include <utlist.h>

#include "cache.h"
#include "fold_notes.h"
#include "reap_impl.h"

struct fold {
	struct line_row line, child;
};

static const struct line *only_child(const struct graph *graph, uint32_t line)
{
	size_t i;

	for (i = 0; i < graph->line_count; i++)
		if (graph->lines[i]->row.parent == line)
			return graph->lines[i];
	return NULL;
}

/* Gives the row in reaper->row to the child. */
static int hand_down(struct reaper *reaper, uint32_t child)
	REQUIRES(reaper->store->order_lock)
{
	struct store *store = reaper->store;
	const struct window_key *key = &reaper->row.key;
	struct window_key own = *key;
	struct window_cache *cache;
	struct window *window;
	size_t row_bytes;
	int rc;

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
			if (window->line == key->line &&
			    window->gen == key->gen)
				window->line = child;
	}
	mutex_unlock(&store->map_lock);
	return 0;
}

/* Does the child see this row? Its own first version, or what an older row
 * became when it was handed down, is subtracted. */
static int seen_by_child(struct reaper *reaper, const struct fold *fold,
			 const struct window_key *key)
	REQUIRES(reaper->store->order_lock)
{
	const struct graph *graph = &reaper->store->graph;
	uint32_t first = UINT32_MAX;
	int rc = reap_next_version(reaper, fold->child.id, 0, key,
				   &reaper->other);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0) {
		first = reaper->other.key.gen;
		reap_subtract(reaper, &reaper->other);
	} else if (graph_branch_of_line(graph, fold->child.id)) {
		return 1;
	}
	return graph_next_point(graph, fold->child.id, 0) < first;
}

static int fold_row(struct reaper *reaper, const struct window_key *key,
		    void *context) REQUIRES(reaper->store->order_lock)
{
	const struct fold *fold = context;
	bool replaced = key->gen > fold->child.fork_gen;
	int seen, rc = reap_load_row(reaper, key);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	seen = seen_by_child(reaper, fold, key);
	if (seen < 0)
		return seen;
	rc = reap_next_version(reaper, key->line, key->gen + 1, key,
			       &reaper->other);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	replaced = replaced ||
		   (rc == 0 && reaper->other.key.gen <= fold->child.fork_gen);
	if (seen && !replaced) {
		/* Whole again, without what was subtracted above. */
		rc = reap_load_row(reaper, key);
		return rc < 0 ? rc : hand_down(reaper, fold->child.id);
	}
	if (rc == 0)
		reap_subtract(reaper, &reaper->other);
	rc = reap_previous_version(reaper, key, &reaper->other);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == 0)
		reap_subtract(reaper, &reaper->other);
	rc = reap_drop_row(reaper);
	if (rc < 0)
		return rc;
	return reap_drop_needless(reaper, fold->child.id, 0, key);
}

static void relabel_views(struct store *store, uint32_t line, uint32_t child)
	REQUIRES(store->order_lock)
{
	struct view *view;
	struct file *file;

	mutex_lock(&store->map_lock);
	DL_FOREACH2(store->views, view, next)
	for (file = view->files; file; file = file->hh.next)
		if (file->version.line == line)
			file->version.line = child;
	mutex_unlock(&store->map_lock);
}

static void fold_graph_locked(struct store *store, const struct fold *fold)
	REQUIRES(store->order_lock)
{
	struct graph *graph = &store->graph;

	graph_line(graph, fold->child.id)->row = fold->child;
	if (graph_line(graph, fold->line.parent))
		graph_line(graph, fold->line.parent)->child_count++;
	graph_remove_line(graph, fold->line.id);
	relabel_views(store, fold->line.id, fold->child.id);
	view_paths_locked(store);
	view_points_locked(store);
}

int fold_line(struct reaper *reaper, const struct line_row *row)
{
	struct store *store = reaper->store;
	struct fold fold = { .line = *row };
	const struct line *child;
	uint32_t seen_gen;
	int rc;

	mutex_lock(&store->order_lock);
	child = only_child(&store->graph, row->id);
	if (child)
		fold.child = child->row;
	mutex_unlock(&store->order_lock);
	if (!child)
		return -EUCLEAN;
	rc = reap_visit_rows(reaper, row->id, 0, UINT32_MAX, fold_row, &fold);
	if (rc == 0)
		rc = fold_items(store, row->id, &fold.child);
	seen_gen = fold.child.fork_gen;
	fold.child.parent = row->parent;
	fold.child.fork_gen = row->fork_gen;
	fold.child.first_gen = row->first_gen;
	if (rc == 0)
		rc = index_line_put(store->index, &fold.child);
	if (rc == 0)
		rc = index_line_delete(store->index, row->id);
	if (rc == 0)
		rc = fold_note_add(store, row->id, fold.child.id, seen_gen);
	if (rc < 0)
		return rc;
	mutex_lock(&store->order_lock);
	fold_graph_locked(store, &fold);
	mutex_unlock(&store->order_lock);
	return 0;
}
