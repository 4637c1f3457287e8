/*
 * Handles: opening, closing, and revoking what is open.
 *
 * I1: no byte of a revoked handle, nor of a page that was dirty when it was
 *     revoked, reaches the store: the epoch of a handle is checked with the
 *     gate held, and an open by an older node's id is refused, so that the
 *     kernel never writes an old node's pages by a new handle.
 * I2: while a head is moved nobody has it open for writing: the kernel would
 *     mix old pages with new bytes. Such opens wait, without a thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fuse_impl.h"

bool image_enter(struct mount *mount, const struct handle *handle,
		 fuse_ino_t node)
{
	uint32_t epoch = handle ? handle->epoch : node_epoch(node);

	pthread_rwlock_rdlock(&mount->gate);
	if ((handle && handle->node) || epoch == mount->epoch)
		return true; /* I1 */
	pthread_rwlock_unlock(&mount->gate);
	return false;
}

void image_leave(struct mount *mount)
{
	pthread_rwlock_unlock(&mount->gate);
}

static void count_handle(struct mount *mount, const struct handle *handle,
			 int change) REQUIRES(mount->lock)
{
	if (handle->epoch != mount->epoch)
		return;
	if (handle->writable)
		mount->writers += (unsigned)change;
	else
		mount->readers += (unsigned)change;
}

static int take_image(struct mount *mount, fuse_ino_t node,
		      struct handle *handle) REQUIRES(mount->lock)
{
	if (node_epoch(node) != mount->epoch)
		return -ESTALE; /* I1 */
	handle->epoch = mount->epoch;
	handle->file = view_image(mount->view);
	count_handle(mount, handle, 1);
	return 0;
}

static int take_snapshot(struct mount *mount, fuse_ino_t node,
			 struct handle *handle) REQUIRES(mount->lock)
{
	struct snapshot_node *found = node_find(mount, node);
	int rc = 0;

	if (!found)
		return -ESTALE;
	if (!found->view)
		rc = view_open_snapshot(mount->store, found->id, &found->view,
					NULL);
	if (rc < 0)
		return -ESTALE; /* deleted since the name was looked up */
	handle->node = found;
	handle->file = view_image(found->view);
	found->opens++;
	return 0;
}

static void put_handle(struct mount *mount, struct handle *handle)
{
	struct snapshot_node *node = handle->node;

	mutex_lock(&mount->lock);
	if (!node) {
		count_handle(mount, handle, -1);
	} else if (--node->opens == 0) {
		view_put(node->view);
		node->view = NULL;
		node_drop_if_unused(mount, node);
	}
	mutex_unlock(&mount->lock);
	free(handle);
}

void image_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	bool writable = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct handle *handle;
	bool waits;
	int rc;

	if (writable && (!node_is_image(node) || mount->options.read_only)) {
		fuse_reply_err(req, EROFS);
		return;
	}
	handle = calloc(1, sizeof(*handle));
	if (!handle) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	handle->writable = writable;
	mutex_lock(&mount->lock);
	waits = writable && mount->moving; /* I2 */
	if (waits)
		rc = mount_put_off(mount, req, node, NULL, 0, fi);
	else if (node_is_image(node))
		rc = take_image(mount, node, handle);
	else
		rc = take_snapshot(mount, node, handle);
	mutex_unlock(&mount->lock);
	if (rc < 0 || waits) {
		free(handle);
		if (rc < 0)
			fuse_reply_err(req, -rc);
		return;
	}
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = !atomic_load(&mount->dropping_pages);
	fi->direct_io = mount->options.direct_io;
	if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted */
		put_handle(mount, handle);
}

void image_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node;
	put_handle(image_mount(req), image_handle(fi));
	fuse_reply_err(req, 0);
}

void image_open_again(const struct waiting_open *waiting)
{
	struct fuse_file_info info = waiting->info;

	image_open(waiting->req, waiting->node, &info);
}

void image_raise_epoch(struct mount *mount)
{
	pthread_rwlock_wrlock(&mount->gate);
	mutex_lock(&mount->lock);
	mount->epoch++;
	mount->writers = mount->readers = 0;
	mutex_unlock(&mount->lock);
	pthread_rwlock_unlock(&mount->gate);
}
