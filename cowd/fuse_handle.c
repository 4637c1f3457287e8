/*
 * Handles: opening, closing, and revoking what is open.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "fuse_impl.h"

bool image_enter(struct mount *mount, const struct handle *handle)
{
	pthread_rwlock_rdlock(&mount->gate);
	if (!handle || handle->node || handle->number >= mount->revoked_before)
		return true;
	pthread_rwlock_unlock(&mount->gate);
	return false;
}

void image_leave(struct mount *mount)
{
	pthread_rwlock_unlock(&mount->gate);
}

static void count_handle(struct mount *mount, const struct handle *handle,
			 int change)
{
	if (handle->node)
		return;
	if (handle->writable)
		atomic_fetch_add(&mount->writers, (unsigned)change);
	else
		atomic_fetch_add(&mount->readers, (unsigned)change);
}

static void handle_drop(struct mount *mount, struct handle *handle)
{
	count_handle(mount, handle, -1);
	if (handle->node) {
		mutex_lock(&mount->lock);
		handle->node->opens--;
		node_drop_if_unused(mount, handle->node);
		mutex_unlock(&mount->lock);
	}
	free(handle);
}

void image_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	bool writable = (fi->flags & O_ACCMODE) != O_RDONLY;
	struct handle *handle;

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
	handle->file = node_file(mount, node);
	if (!handle->file) {
		free(handle);
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (!node_is_image(node)) {
		mutex_lock(&mount->lock);
		handle->node =
			node_find(mount, (uint32_t)(node - SNAPSHOT_NODE));
		handle->node->opens++;
		mutex_unlock(&mount->lock);
	}
	pthread_rwlock_rdlock(&mount->gate);
	handle->number = atomic_fetch_add(&mount->opened, 1);
	count_handle(mount, handle, 1);
	pthread_rwlock_unlock(&mount->gate);
	fi->fh = (uintptr_t)handle;
	fi->keep_cache = 1;
	if (fuse_reply_open(req, fi) == -ENOENT) /* interrupted */
		handle_drop(mount, handle);
}

void image_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);

	(void)node;
	handle_drop(mount, handle);
	fuse_reply_err(req, 0);
}
