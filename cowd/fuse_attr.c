/*
 * Attributes: what stat, chmod, truncate and df see of an image.
 */
#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "fuse_impl.h"
#include "stat_time.h"

static void reply_attributes(fuse_req_t req, fuse_ino_t node)
{
	struct mount *mount = image_mount(req);
	const struct snapshot_node *found = NULL;
	struct stat st;

	if (node == FUSE_ROOT_ID || node == SNAPDIR_NODE) {
		image_fill_directory(mount, node, &st);
	} else if (node_is_image(node)) {
		image_fill_file(mount, node, view_image(mount->view), &st);
	} else {
		mutex_lock(&mount->lock);
		found = node_find(mount, node);
		if (found)
			st = found->attributes;
		mutex_unlock(&mount->lock);
		if (!found) {
			fuse_reply_err(req, ESTALE);
			return;
		}
	}
	fuse_reply_attr(req, &st, mount->options.attr_timeout_s);
}

void image_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *fi)
{
	(void)fi;
	reply_attributes(req, node);
}

static int set_attributes(struct mount *mount, const struct stat *st,
			  int to_set)
{
	const int others = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID |
			   FUSE_SET_ATTR_GID | FUSE_SET_ATTR_ATIME |
			   FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
			   FUSE_SET_ATTR_MTIME_NOW;
	struct file *file = view_image(mount->view);
	struct file_info info;
	int rc = 0;

	file_get_info(file, &info);
	if (atomic_load(&mount->telling_size) &&
	    (uint64_t)st->st_size == info.size_bytes)
		return 0;
	if (to_set & FUSE_SET_ATTR_SIZE)
		rc = file_resize(file, (uint64_t)st->st_size);
	if (rc < 0 || !(to_set & others))
		return rc;
	file_get_info(file, &info);
	if (to_set & FUSE_SET_ATTR_MODE)
		info.mode = st->st_mode & 07777;
	if (to_set & FUSE_SET_ATTR_UID)
		info.uid = st->st_uid;
	if (to_set & FUSE_SET_ATTR_GID)
		info.gid = st->st_gid;
	if (to_set & FUSE_SET_ATTR_ATIME)
		info.atime_ns = stat_time_ns(&st->st_atim);
	if (to_set & FUSE_SET_ATTR_MTIME)
		info.mtime_ns = stat_time_ns(&st->st_mtim);
	if (to_set & FUSE_SET_ATTR_ATIME_NOW)
		info.atime_ns = stat_time_now_ns();
	if (to_set & FUSE_SET_ATTR_MTIME_NOW)
		info.mtime_ns = stat_time_now_ns();
	return file_set_info(file, &info);
}

void image_setattr(fuse_req_t req, fuse_ino_t node, struct stat *st, int to_set,
		   struct fuse_file_info *fi)
{
	struct mount *mount = image_mount(req);
	int rc;

	if (!node_is_image(node)) {
		fuse_reply_err(req, node < SNAPSHOT_NODE ? EPERM : EROFS);
		return;
	}
	if (mount->options.read_only) {
		fuse_reply_err(req, EROFS);
		return;
	}
	if (!image_enter(mount, image_handle(fi), node)) {
		/* By name: the kernel looks the name up again. */
		fuse_reply_err(req, fi ? EIO : ESTALE);
		return;
	}
	rc = set_attributes(mount, st, to_set);
	image_leave(mount);
	if (rc < 0)
		fuse_reply_err(req, image_errno(rc));
	else
		reply_attributes(req, node);
}

void image_statfs(fuse_req_t req, fuse_ino_t node)
{
	struct mount *mount = image_mount(req);
	struct store_status status;
	struct statvfs vfs;

	(void)node;
	store_status(mount->store, &status);
	if (statvfs(status.path, &vfs) < 0)
		fuse_reply_err(req, errno);
	else
		fuse_reply_statfs(req, &vfs);
}
