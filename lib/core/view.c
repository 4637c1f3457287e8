/* Views: the head of a branch, or a snapshot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "cache.h"
#include "store_impl.h"

struct line_path *line_path_get(struct line_path *path)
{
	__atomic_add_fetch(&path->references, 1, __ATOMIC_RELAXED);
	return path;
}

void line_path_put(struct line_path *path)
{
	if (path &&
	    __atomic_sub_fetch(&path->references, 1, __ATOMIC_ACQ_REL) == 0)
		free(path);
}

static bool newer(const struct inode_row *a, const struct inode_row *b)
{
	return a->line > b->line || (a->line == b->line && a->gen > b->gen);
}

/* The newest row that waits for the checkpoint; of copies of one row the
 * list has the latest first. */
static const struct inode_row *find_pending(const struct store *store,
					    const struct line_path *path,
					    uint64_t inode)
{
	const struct pending_inode *pending;
	const struct inode_row *best = NULL;
	const struct line_limit *level;
	const struct view *view;

	DL_FOREACH2(store->views, view, next)
	{
		const struct inode_row *live = &view->image.row;

		level = line_path_find(path, live->line);
		if (view->image.row_dirty && level && live->inode == inode &&
		    live->gen <= level->gen && (!best || newer(live, best)))
			best = live;
	}
	for (pending = store->pending_inodes; pending;
	     pending = pending->next) {
		level = line_path_find(path, pending->row.line);
		if (level && pending->row.inode == inode &&
		    pending->row.gen <= level->gen &&
		    (!best || newer(&pending->row, best)))
			best = &pending->row;
	}
	return best;
}

/* The inode's row as the path sees it: unsaved, waiting, or in the index. */
int view_inode_find(struct store *store, const struct line_path *path,
		    uint64_t inode, struct inode_row *out_row)
{
	const struct inode_row *pending = find_pending(store, path, inode);
	struct inode_row row;
	int rc = index_inode_find(store->index, path, inode, &row);

	if (rc < 0 && (rc != -ENOENT || !pending))
		return rc;
	if (rc < 0 || (pending && !newer(&row, pending)))
		row = *pending;
	*out_row = row;
	return 0;
}

int view_keep_inode_locked(struct store *store, struct view *view)
{
	struct pending_inode *pending;

	if (!view->image.row_dirty)
		return 0;
	pending = calloc(1, sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	pending->row = view->image.row;
	pending->checkpoint_nr = store->checkpoint_nr;
	pending->next = store->pending_inodes;
	store->pending_inodes = pending;
	view->image.row_dirty = false;
	return 0;
}

static void file_init(struct file *file, struct view *view)
{
	pthread_rwlockattr_t attributes;
	int i;

	file->view = view;
	file->inode = IMAGE_INODE;
	pthread_rwlockattr_init(&attributes);
	/* Else a stream of writes could keep a rollback out for ever. */
	pthread_rwlockattr_setkind_np(
		&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < FILE_STRIPES; i++)
		pthread_rwlock_init(&file->stripes[i], &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

void view_free_locked(struct store *store, struct view *view)
{
	struct branch *branch = graph_branch(&store->graph, view->branch);
	int i;

	if (view->is_head && branch && branch->head == view)
		branch->head = NULL;
	mutex_lock(&store->map_lock);
	if (view->cache)
		cache_retire(store, view->cache);
	mutex_unlock(&store->map_lock);
	DL_DELETE2(store->views, view, previous, next);
	for (i = 0; i < FILE_STRIPES; i++)
		pthread_rwlock_destroy(&view->image.stripes[i]);
	line_path_put(view->path);
	free(view);
}

static int view_new_locked(struct store *store, uint32_t line, uint32_t gen,
			   bool is_head, struct view **out_view)
	REQUIRES(store->order_lock)
{
	struct view *view = calloc(1, sizeof(*view));
	int rc;

	if (!view)
		return -ENOMEM;
	view->store = store;
	view->is_head = is_head;
	file_init(&view->image, view);
	DL_APPEND2(store->views, view, previous, next);
	rc = view_repoint_locked(store, view, line, gen);
	if (rc < 0) {
		view_free_locked(store, view);
		return rc;
	}
	*out_view = view;
	return 0;
}

static void find_points(struct view *view)
{
	const struct graph *graph = &view->store->graph;

	if (!view->is_head)
		return;
	view->last_point = graph_last_point(graph, view->line, view->gen - 1);
	view->last_kept = graph_last_kept(graph, view->line, view->gen - 1);
}

void view_points_locked(struct store *store)
{
	struct view *view;

	graph_refresh(&store->graph);
	mutex_lock(&store->map_lock);
	DL_FOREACH2(store->views, view, next)
	find_points(view);
	mutex_unlock(&store->map_lock);
}

/* After folding: the lines of a path may have changed, its rows not. */
void view_paths_locked(struct store *store)
{
	struct view *view;

	DL_FOREACH2(store->views, view, next)
	{
		struct line_path *path =
			graph_path(&store->graph, view->line,
				   view->is_head ? UINT32_MAX : view->gen);

		if (!path)
			continue; /* no memory: the old path still works */
		mutex_lock(&store->map_lock);
		line_path_put(view->path);
		view->path = path;
		mutex_unlock(&store->map_lock);
	}
}

int view_repoint_locked(struct store *store, struct view *view, uint32_t line,
			uint32_t gen)
{
	/* A head sees all of its own line, whatever its generation. */
	struct line_path *path = graph_path(&store->graph, line,
					    view->is_head ? UINT32_MAX : gen);
	struct window_cache *cache;
	struct inode_row row;
	int rc;

	if (!path)
		return -ENOMEM;
	rc = view_inode_find(store, path, view->image.inode, &row);
	if (rc < 0) {
		line_path_put(path);
		return rc == -ENOENT ? -EUCLEAN : rc;
	}
	mutex_lock(&store->map_lock);
	cache = cache_new(store, view->is_head ? line : 0);
	if (!cache) {
		mutex_unlock(&store->map_lock);
		line_path_put(path);
		return -ENOMEM;
	}
	cache_retire(store, view->cache);
	line_path_put(view->path);
	view->cache = cache;
	view->path = path;
	view->line = line;
	view->gen = gen;
	view->image.row = row;
	view->image.row_dirty = false;
	find_points(view);
	mutex_unlock(&store->map_lock);
	return 0;
}

int view_head_locked(struct store *store, struct branch *branch,
		     struct view **out_view)
{
	int rc;

	if (!branch->head) {
		rc = view_new_locked(store, branch->row.line, branch->row.gen,
				     true, out_view);
		if (rc < 0)
			return rc;
		branch->head = *out_view;
		branch->head->branch = branch->row.id;
	}
	branch->head->references++;
	*out_view = branch->head;
	return 0;
}

static int open_branch_locked(struct store *store, const char *name,
			      struct view **out_view, struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct branch *branch = graph_branch_named(&store->graph, name);
	int rc;

	if (!branch)
		return failure_set(failure, FAILURE_NOT_FOUND, name,
				   "there is no such branch");
	rc = view_head_locked(store, branch, out_view);
	if (rc < 0)
		return failure_errno(failure, rc, name, "can't open branch");
	return 0;
}

int view_open_branch(struct store *store, const char *branch,
		     struct view **out_view, struct failure *failure)
{
	int rc;

	mutex_lock(&store->order_lock);
	rc = open_branch_locked(store, branch, out_view, failure);
	mutex_unlock(&store->order_lock);
	return rc;
}

static int open_snapshot_locked(struct store *store, uint32_t id,
				struct view **out_view, struct failure *failure)
	REQUIRES(store->order_lock)
{
	struct snapshot *snapshot = graph_snapshot(&store->graph, id);
	int rc;

	if (!snapshot || snapshot->row.state == SNAPSHOT_STATE_DELETING)
		return failure_set(failure, FAILURE_NOT_FOUND, NULL,
				   "there is no such snapshot");
	rc = view_new_locked(store, snapshot->row.line, snapshot->row.gen,
			     false, out_view);
	if (rc < 0)
		return failure_errno(failure, rc, snapshot->row.name,
				     "can't open snapshot");
	(*out_view)->snapshot = id;
	(*out_view)->branch = snapshot->row.branch;
	(*out_view)->references = 1;
	snapshot->pin_count++;
	return 0;
}

int view_open_snapshot(struct store *store, uint32_t snapshot_id,
		       struct view **out_view, struct failure *failure)
{
	int rc;

	mutex_lock(&store->order_lock);
	rc = open_snapshot_locked(store, snapshot_id, out_view, failure);
	mutex_unlock(&store->order_lock);
	return rc;
}

static void put_locked(struct store *store, struct view *view)
	REQUIRES(store->order_lock)
{
	struct snapshot *snapshot;

	if (--view->references > 0)
		return;
	snapshot = graph_snapshot(&store->graph, view->snapshot);
	if (snapshot)
		snapshot->pin_count--;
	if (view->is_head && view_keep_inode_locked(store, view) < 0)
		return; /* no memory: keep the view, the row is in it */
	view_free_locked(store, view);
}

void view_put(struct view *view)
{
	struct store *store = view->store;

	mutex_lock(&store->order_lock);
	put_locked(store, view);
	mutex_unlock(&store->order_lock);
}

struct file *view_image(struct view *view)
{
	return &view->image;
}

uint64_t branch_size_locked(struct store *store, struct branch *branch)
{
	struct line_path *path;
	struct inode_row row;

	if (branch->head)
		return branch->head->image.row.size_bytes;
	if (branch->size_bytes != BRANCH_SIZE_UNKNOWN)
		return branch->size_bytes;
	path = graph_path(&store->graph, branch->row.line, UINT32_MAX);
	if (!path || view_inode_find(store, path, IMAGE_INODE, &row) < 0)
		row.size_bytes = 0;
	line_path_put(path);
	branch->size_bytes = row.size_bytes;
	return row.size_bytes;
}
