/*
 * What nobody sees any more goes: deleted snapshots and branches, lines
 * without anybody on them, and their rows (reap_row.c, fold.c).
 *
 * Runs in the maintenance thread, after a checkpoint and before the next:
 * all it does becomes durable with that, or not at all.
 */
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "items.h"
#include "reap_impl.h"

static int drop_unseen(struct reaper *reaper, const struct window_key *key,
		       void *context) REQUIRES(reaper->store->order_lock)
{
	(void)context;
	return reap_row(reaper, key);
}

/* Somebody who saw `gen` of the line is gone. */
static int remove_point(struct reaper *reaper, uint32_t line, uint32_t gen)
{
	struct store *store = reaper->store;
	uint32_t before, last;
	int rc;

	mutex_lock(&store->order_lock);
	last = gen == UINT32_MAX ? gen : gen + 1;
	before = graph_last_point(&store->graph, line, gen ? gen - 1 : 0);
	mutex_unlock(&store->order_lock);
	rc = reap_visit_rows(reaper, line, before + 1, last, drop_unseen, NULL);
	if (rc < 0)
		return rc;
	return reap_items(store, line, before + 1, last);
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
	view_points_locked(store);
	mutex_unlock(&store->order_lock);
	return 0;
}

/* Nobody is on the line and nobody left it. */
static int drop_line(struct reaper *reaper, const struct line_row *row)
{
	struct store *store = reaper->store;
	int rc = reap_visit_rows(reaper, row->id, 0, UINT32_MAX, drop_unseen,
				 NULL);

	if (rc == 0)
		rc = reap_items(store, row->id, 0, UINT32_MAX);
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

/* Versions of the line up to gen that are no rows yet: they would be saved
 * after their turn to be dropped. */
static bool has_unsaved(struct store *store, uint32_t line, uint32_t gen)
	REQUIRES(store->order_lock)
{
	const struct window *window;
	bool found = items_unsaved(store, line, gen);

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
		if (graph_is_ghost(graph, graph->lines[i]))
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
	if (rc == -ENOSPC && index_waits(store->index))
		return rc; /* what was done is whole; the rest another time */
	if (rc < 0)
		return store_fail(store, rc, "dropping deleted history failed");
	return checkpoint_run(store, false);
}
