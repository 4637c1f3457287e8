/*
 * Data through a handle: read, write, sync, allocate and punch.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "data_range.h"
#include "fuse_impl.h"

void image_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
		struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	AUTO_FREE char *data = malloc(size);
	size_t len_bytes = 0;
	int rc;

	if (!data) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	if (!image_enter(mount, handle, node)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = file_read(handle->file, (uint64_t)offset, data, size, &len_bytes);
	image_leave(mount);
	if (rc < 0)
		fuse_reply_err(req, image_errno(rc));
	else
		fuse_reply_buf(req, data, len_bytes);
}

void image_write(fuse_req_t req, fuse_ino_t node, const char *data, size_t size,
		 off_t offset, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	int rc;

	if (!image_enter(mount, handle, node)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = file_write(handle->file, (uint64_t)offset, data, size);
	if (rc == 0 && mount_write_is_sync(mount, fi))
		rc = file_sync(handle->file);
	image_leave(mount);
	if (rc < 0)
		fuse_reply_err(req, image_errno(rc));
	else
		fuse_reply_write(req, size);
}

void image_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)node, (void)fi;
	fuse_reply_err(req, 0);
}

void image_fsync(fuse_req_t req, fuse_ino_t node, int datasync,
		 struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	int rc = 0;

	(void)datasync;
	if (image_enter(mount, handle, node)) {
		rc = file_sync(handle->file);
		image_leave(mount);
	}
	fuse_reply_err(req, image_errno(rc));
}

void image_fsyncdir(fuse_req_t req, fuse_ino_t node, int datasync,
		    struct fuse_file_info *fi)
{
	(void)node, (void)datasync, (void)fi;
	fuse_reply_err(req, image_errno(store_sync(image_mount(req)->store)));
}

void image_fallocate(fuse_req_t req, fuse_ino_t node, int mode, off_t offset,
		     off_t length, struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	struct handle *handle = image_handle(fi);
	int rc;

	if (!image_enter(mount, handle, node)) {
		fuse_reply_err(req, EIO);
		return;
	}
	rc = data_change_range(handle->file, mode, (uint64_t)offset,
			       (uint64_t)length);
	image_leave(mount);
	fuse_reply_err(req, image_errno(rc));
}
