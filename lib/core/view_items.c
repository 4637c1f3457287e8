/* Inodes, names and xattrs of a view, for those above the core. */
#include "view_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "items.h"
#include "layer_names.h"
#include "layers.h"

struct store *view_store(struct view *view)
{
	return view->store;
}

bool view_is_head(const struct view *view)
{
	return view->is_head;
}

static struct line_path *path_of(struct view *view)
{
	struct line_path *path;

	mutex_lock(&view->store->map_lock);
	path = line_path_get(view->path);
	mutex_unlock(&view->store->map_lock);
	return path;
}

int view_item_get(struct view *view, const struct item_key *key,
		  struct item_copy **out_copy)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = item_key_encode(key, bytes);
	struct line_path *path;
	int rc;

	if (key->type == ITEM_TYPE_ORIGIN)
		return items_find(view->store, items_facts_path, bytes,
				  key_bytes, out_copy);
	path = path_of(view);
	rc = items_find(view->store, path, bytes, key_bytes, out_copy);
	line_path_put(path);
	return rc;
}

/* Of one that is in use. */
static bool live_item(struct view *view, uint64_t inode,
		      struct inode_item *out_item)
	REQUIRES(view->store->order_lock)
{
	struct file *file;

	HASH_FIND(hh, view->files, &inode, sizeof(inode), file);
	if (!file || file->version.line == 0)
		return false;
	*out_item = file->item;
	return true;
}

int view_inode_get(struct view *view, uint64_t inode,
		   struct inode_item *out_item)
{
	struct item_version version;
	struct line_path *path;
	bool found;
	int rc;

	mutex_lock(&view->store->order_lock);
	found = live_item(view, inode, out_item);
	mutex_unlock(&view->store->order_lock);
	if (found)
		return 0;
	path = path_of(view);
	rc = view_inode_find(view->store, path, inode, out_item, &version);
	line_path_put(path);
	return rc;
}

struct scan_context {
	view_items_visit *visit;
	void *context;
};

static int visit_item(void *context, const uint8_t *bytes, size_t key_bytes,
		      const struct item_copy *copy)
{
	const struct scan_context *scan = context;
	struct item_key key;
	int rc = item_key_decode(bytes, key_bytes, &key);

	return rc < 0 ? rc :
			scan->visit(scan->context, &key, copy->payload,
				    copy->payload_bytes);
}

int view_items_scan(struct view *view, uint64_t inode, enum item_type type,
		    view_items_visit *visit, void *context)
{
	struct scan_context scan = { visit, context };
	uint8_t prefix[ITEM_PREFIX_BYTES];
	struct line_path *path = path_of(view);
	int rc;

	item_key_prefix(inode, type, prefix);
	rc = items_scan(view->store, path, prefix, sizeof(prefix), visit_item,
			&scan);
	line_path_put(path);
	return rc;
}

static int visit_origin(void *context, const uint8_t *bytes, size_t key_bytes,
			const struct item_copy *copy)
{
	struct item_key key;
	int rc = item_key_decode(bytes, key_bytes, &key);

	return rc < 0 || key.type != ITEM_TYPE_ORIGIN ?
		       rc :
		       visit_item(context, bytes, key_bytes, copy);
}

int view_origins_scan(struct view *view, uint64_t first,
		      view_items_visit *visit, void *context)
{
	struct scan_context scan = { visit, context };
	uint8_t prefix[ITEM_PREFIX_BYTES];

	item_key_prefix(first, ITEM_TYPE_ORIGIN, prefix);
	/* All but the last byte of the inode. */
	return items_scan(view->store, items_facts_path, prefix,
			  sizeof(uint64_t) - 1, visit_origin, &scan);
}

void view_edit_wait(struct view *view)
{
	worker_throttle(view->store);
}

void view_edit_wait_for_room(struct view *view)
{
	if (view->is_head)
		(void)!worker_wait_for_room(view->store, BLOCK_BYTES);
	worker_throttle(view->store);
}

int view_edit_begin(struct view *view, struct view_edit *edit) NO_THREAD_SAFETY
{
	int rc = view->is_head ? store_check_writable(view->store, 0) : -EROFS;

	if (rc < 0)
		return rc;
	*edit = (struct view_edit){ .view = view };
	mutex_lock(&view->store->order_lock);
	return 0;
}

uint64_t view_edit_new_inode(struct view_edit *edit)
{
	return edit->view->store->next_inode++;
}

void view_edit_refresh(struct view_edit *edit, uint64_t inode,
		       struct inode_item *item)
{
	mutex_assert_held(&edit->view->store->order_lock);
	(void)live_item(edit->view, inode, item);
}

void view_edit_put(struct view_edit *edit, const struct item_key *key,
		   const void *payload, size_t payload_bytes)
{
	uint8_t bytes[ITEM_KEY_BYTES_MAX];
	size_t key_bytes = item_key_encode(key, bytes);

	if (edit->error == 0)
		edit->error = item_edits_add(&edit->batch, bytes, key_bytes,
					     payload, payload_bytes);
}

void view_edit_put_inode(struct view_edit *edit, uint64_t inode,
			 const struct inode_item *item)
{
	const struct item_key key = { .inode = inode, .type = ITEM_TYPE_INODE };
	uint8_t payload[INODE_ITEM_BYTES];

	view_edit_put(edit, &key, payload, inode_item_encode(item, payload));
}

static void end(struct view_edit *edit) NO_THREAD_SAFETY
{
	mutex_unlock(&edit->view->store->order_lock);
	item_edits_fini(&edit->batch);
}

int view_edit_commit(struct view_edit *edit)
{
	int rc = edit->error;

	mutex_assert_held(&edit->view->store->order_lock);
	if (rc == 0)
		rc = items_commit_locked(edit->view, &edit->batch);
	end(edit);
	return rc;
}

void view_edit_abort(struct view_edit *edit)
{
	end(edit);
}

/* One that is served by base alone, until its item is made. */
static int get_unstored(struct view *view, uint64_t inode,
			const struct inode_item *unstored,
			struct file **out_file)
	REQUIRES(view->store->order_lock)
{
	struct file *file;

	HASH_FIND(hh, view->files, &inode, sizeof(inode), file);
	if (file) /* it is gone */
		return -ENOENT;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->view = view;
	file->inode = inode;
	file->references = 1;
	file->item = *unstored;
	HASH_ADD(hh, view->files, inode, sizeof(file->inode), file);
	if (!file->hh.tbl) {
		free(file);
		return -ENOMEM;
	}
	*out_file = file;
	return 0;
}

int view_file_get(struct view *view, uint64_t inode,
		  const struct inode_item *unstored, struct base_file *base,
		  struct file **out_file)
{
	struct store *store = view->store;
	struct file *file = NULL;
	int rc;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&view->store->order_lock);
	rc = file_get_locked(view, inode, &file);
	if (rc == -ENOENT && unstored)
		rc = get_unstored(view, inode, unstored, &file);
	if (rc == 0 && !file->base_file) {
		file->base_file = base;
		base = NULL;
	}
	mutex_unlock(&store->order_lock);
	base_file_close(base);
	if (rc == 0)
		*out_file = file;
	return rc;
}

void view_file_renew(struct file *file, const struct base_stat *seen,
		     struct base_file *base)
{
	struct store *store = file->view->store;

	mutex_lock(&store->order_lock);
	mutex_lock(&store->map_lock);
	if (file->version.line == 0) {
		if (file->base_file)
			base_file_renew(file->base_file, seen);
		else
			file->base_file = TAKE_PTR(base);
		inode_item_of_base(seen, &file->item);
	}
	mutex_unlock(&store->map_lock);
	mutex_unlock(&store->order_lock);
	base_file_close(base);
}

void view_file_put(struct file *file)
{
	struct store *store = file->view->store;

	mutex_lock(&store->order_lock);
	mutex_assert_held(&file->view->store->order_lock);
	/* No memory for its unsaved item: it stays in use. */
	(void)!file_put_locked(file);
	mutex_unlock(&store->order_lock);
}
