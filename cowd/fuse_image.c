/*
 * FUSE requests on an image mount: the image, and its snapshots below
 * .snapshots. What the kernel is told at the start, what it is always
 * refused, and the table of the rest. Every request is answered exactly once.
 */
#include <errno.h>

#include "fuse_impl.h"

static void image_init(void *userdata, struct fuse_conn_info *connection)
{
	struct mount *mount = userdata;

	mount_set_connection(&mount->options, connection);
	atomic_store(&mount->offered_caps, connection->capable);
	atomic_store(&mount->used_caps, connection->want);
}

static void image_create(fuse_req_t req, fuse_ino_t parent, const char *name,
			 mode_t mode, struct fuse_file_info *fi)
{
	(void)parent, (void)name, (void)mode, (void)fi;
	fuse_reply_err(req,
		       image_mount(req)->options.read_only ? EROFS : EPERM);
}

static void image_mknod(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	fuse_reply_err(req,
		       image_mount(req)->options.read_only ? EROFS : EPERM);
}

static void image_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name,
			mode_t mode)
{
	(void)parent, (void)name, (void)mode;
	fuse_reply_err(req,
		       image_mount(req)->options.read_only ? EROFS : EPERM);
}

static void image_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent, (void)name;
	fuse_reply_err(req,
		       image_mount(req)->options.read_only ? EROFS : EPERM);
}

static const struct fuse_lowlevel_ops image_operations = {
	.init = image_init,
	.lookup = image_lookup,
	.forget = image_forget,
	.forget_multi = image_forget_multi,
	.getattr = image_getattr,
	.setattr = image_setattr,
	.open = image_open,
	.release = image_release,
	.read = image_read,
	.write = image_write,
	.flush = image_flush,
	.fsync = image_fsync,
	.fsyncdir = image_fsyncdir,
	.fallocate = image_fallocate,
	.lseek = image_lseek,
	.statfs = image_statfs,
	.opendir = image_opendir,
	.readdir = image_readdir,
	.releasedir = image_releasedir,
	.create = image_create,
	.mknod = image_mknod,
	.mkdir = image_mkdir,
	.unlink = image_unlink,
	.rmdir = image_unlink,
};

const struct mount_front image_front = {
	.requests = &image_operations,
	.close = image_forget_nodes,
	.flush = image_flush_all,
	.open_again = image_open_again,
	.begin_move = image_begin_move,
	.end_move = image_end_move,
	.grown = image_grown,
};
