/*
 * The inodes of a view that are in use, with their items as they are now; and
 * the locks between a block's reading and its record.
 */
#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "items.h"
#include "layers.h"

void view_init_stripes(struct view *view)
{
	pthread_rwlockattr_t attributes;
	int i;

	pthread_rwlockattr_init(&attributes);
	/* Else a stream of writes could keep a rollback out for ever. */
	pthread_rwlockattr_setkind_np(
		&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	for (i = 0; i < VIEW_STRIPES; i++)
		pthread_rwlock_init(&view->stripes[i], &attributes);
	pthread_rwlockattr_destroy(&attributes);
}

void view_fini_stripes(struct view *view)
{
	int i;

	for (i = 0; i < VIEW_STRIPES; i++)
		pthread_rwlock_destroy(&view->stripes[i]);
}

void view_hold_writers(struct view *view)
{
	int i;

	for (i = 0; i < VIEW_STRIPES; i++)
		pthread_rwlock_wrlock(&view->stripes[i]);
}

void view_release_writers(struct view *view)
{
	int i;

	for (i = VIEW_STRIPES; i-- > 0;)
		pthread_rwlock_unlock(&view->stripes[i]);
}

void view_wait_for_writers(struct view *view)
{
	int i;

	for (i = 0; i < VIEW_STRIPES; i++) {
		pthread_rwlock_wrlock(&view->stripes[i]);
		pthread_rwlock_unlock(&view->stripes[i]);
	}
}

static int keep_item(struct store *store, struct file *file)
	REQUIRES(store->order_lock)
{
	uint8_t key[ITEM_PREFIX_BYTES], payload[INODE_ITEM_BYTES];
	int rc;

	if (!file->dirty)
		return 0;
	item_key_prefix(file->inode, ITEM_TYPE_INODE, key);
	rc = items_put_locked(store, key, sizeof(key), file->version, payload,
			      inode_item_encode(&file->item, payload));
	if (rc == 0)
		file->dirty = false;
	return rc;
}

int view_keep_inodes_locked(struct store *store, struct view *view)
{
	struct file *file;
	int rc = 0;

	for (file = view->files; file && rc == 0; file = file->hh.next)
		rc = keep_item(store, file);
	return rc;
}

int file_get_locked(struct view *view, uint64_t inode, struct file **out_file)
{
	struct file *file;
	int rc;

	HASH_FIND(hh, view->files, &inode, sizeof(inode), file);
	if (file && file->gone) /* its users have the last of it */
		return -ENOENT;
	if (file) {
		file->references++;
		*out_file = file;
		return 0;
	}
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	rc = view_inode_find(view->store, view->path, inode, &file->item,
			     &file->version);
	if (rc < 0) {
		free(file);
		return rc;
	}
	file->view = view;
	file->inode = inode;
	file->references = 1;
	HASH_ADD(hh, view->files, inode, sizeof(file->inode), file);
	if (!file->hh.tbl) {
		free(file);
		return -ENOMEM;
	}
	*out_file = file;
	return 0;
}

void view_leave_files_locked(struct view *view)
{
	struct file *file, *next;

	HASH_ITER(hh, view->files, file, next)
	{
		if (file == view->image)
			continue;
		HASH_DEL(view->files, file);
		mutex_lock(&view->store->map_lock);
		file->left = file->gone = true;
		file->dirty = false;
		mutex_unlock(&view->store->map_lock);
	}
}

int file_put_locked(struct file *file)
{
	struct view *view = file->view;
	int rc = 0;

	mutex_assert_held(&view->store->order_lock);
	if (file->references == 1 && !file->left)
		rc = keep_item(view->store, file);
	if (rc < 0)
		return rc;
	if (--file->references > 0)
		return 0;
	if (!file->left)
		HASH_DEL(view->files, file);
	base_file_close(file->base_file);
	free(file);
	return 0;
}
