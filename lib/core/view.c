/* Views: the head of a branch, or a snapshot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <utlist.h>

#include "cache.h"
#include "items.h"
#include "layers.h"
#include "view_rows.h"

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

int view_inode_find(struct store *store, const struct line_path *path,
		    uint64_t inode, struct inode_item *out_item,
		    struct item_version *out_version)
{
	AUTO_FREE struct item_copy *copy = NULL;
	uint8_t key[ITEM_PREFIX_BYTES];
	int rc;

	item_key_prefix(inode, ITEM_TYPE_INODE, key);
	rc = items_find(store, path, key, sizeof(key), &copy);
	if (rc == 0)
		rc = inode_item_decode(copy->payload, copy->payload_bytes,
				       out_item);
	if (rc == 0)
		*out_version = copy->version;
	return rc;
}

void view_free_locked(struct store *store, struct view *view)
{
	struct branch *branch = graph_branch(&store->graph, view->branch);
	struct file *file, *next;

	if (view->is_head && branch && branch->head == view)
		branch->head = NULL;
	mutex_lock(&store->map_lock);
	if (view->cache)
		cache_retire(store, view->cache);
	mutex_unlock(&store->map_lock);
	DL_DELETE2(store->views, view, previous, next);
	HASH_ITER(hh, view->files, file, next)
	{
		HASH_DEL(view->files, file);
		base_file_close(file->base_file);
		free(file);
	}
	view_fini_stripes(view);
	layers_put(view->layers);
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
	view_init_stripes(view);
	DL_APPEND2(store->views, view, previous, next);
	rc = view_repoint_locked(store, view, line, gen);
	mutex_assert_held(&view->store->order_lock);
	if (rc == 0 && !store->is_tree)
		rc = file_get_locked(view, IMAGE_INODE, &view->image);
	if (rc == -ENOENT)
		rc = -EUCLEAN;
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
	struct item_version version = { 0 };
	struct inode_item item = { 0 };
	int rc = 0;

	if (!path)
		return -ENOMEM;
	if (view->image)
		rc = view_inode_find(store, path, IMAGE_INODE, &item, &version);
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
	if (view->image) {
		view->image->item = item;
		view->image->version = version;
		view->image->dirty = false;
	}
	find_points(view);
	mutex_unlock(&store->map_lock);
	mutex_assert_held(&view->store->order_lock);
	view_leave_files_locked(view);
	layers_put(view->layers); /* it may see others there */
	view->layers = NULL;
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

int view_open_base(struct store *store, struct view **out_view,
		   struct failure *failure)
{
	int rc;

	mutex_lock(&store->order_lock);
	rc = view_new_locked(store, 0, 0, false, out_view); /* no line is 0 */
	if (rc == 0)
		(*out_view)->references = 1;
	mutex_unlock(&store->order_lock);
	return rc < 0 ? failure_errno(failure, rc, store->path,
				      "can't open the base") :
			0;
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
	if (view->is_head && view_keep_inodes_locked(store, view) < 0)
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
	return view->image;
}

uint64_t branch_size_locked(struct store *store, struct branch *branch)
{
	struct item_version version;
	struct inode_item item;
	struct line_path *path;

	if (store->is_tree)
		return 0;
	if (branch->head)
		return branch->head->image->item.size_bytes;
	if (branch->size_bytes != BRANCH_SIZE_UNKNOWN)
		return branch->size_bytes;
	path = graph_path(&store->graph, branch->row.line, UINT32_MAX);
	if (!path ||
	    view_inode_find(store, path, IMAGE_INODE, &item, &version) < 0)
		item.size_bytes = 0;
	line_path_put(path);
	branch->size_bytes = item.size_bytes;
	return item.size_bytes;
}
