/*
 * FUSE requests on a directory tree: what the kernel is told at the start, and
 * the table. Every request is answered exactly once.
 *
 * Not here: access (the kernel checks permissions), flush (there is nothing to
 * do when one of several handles is closed; the kernel then does not ask),
 * locks and flock (the kernel's own), poll and bmap (there is none).
 */
#include "tree_front.h"

static void front_init(void *userdata, struct fuse_conn_info *connection)
{
	static const unsigned wanted =
		FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_EXPORT_SUPPORT |
		FUSE_CAP_DONT_MASK | FUSE_CAP_READDIRPLUS |
		FUSE_CAP_READDIRPLUS_AUTO | FUSE_CAP_PARALLEL_DIROPS |
		FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS;
	struct mount *mount = userdata;
	struct front *front = mount->tree;
	/* libfuse would not see who asks. */
	bool by_handle_only = mount->options.allow_root;

	mount_set_connection(&mount->options, connection);
	connection->want |= connection->capable & wanted;
	front->kernel_times = connection->want & FUSE_CAP_WRITEBACK_CACHE;
	front->no_opendir = !by_handle_only &&
			    (connection->capable & FUSE_CAP_NO_OPENDIR_SUPPORT);
	/* Of what can be written it must be known who has it open. */
	front->no_open = !by_handle_only && mount->options.read_only &&
			 !mount->options.direct_io &&
			 !mount->options.follow_base &&
			 (connection->capable & FUSE_CAP_NO_OPEN_SUPPORT);
	atomic_store(&mount->offered_caps, connection->capable);
	atomic_store(&mount->used_caps,
		     connection->want |
			     (front->no_opendir ? FUSE_CAP_NO_OPENDIR_SUPPORT :
						  0) |
			     (front->no_open ? FUSE_CAP_NO_OPEN_SUPPORT : 0));
}

static const struct fuse_lowlevel_ops tree_requests = {
	.init = front_init,
	.lookup = front_lookup,
	.forget = front_forget_one,
	.forget_multi = front_forget_multi,
	.getattr = front_getattr,
	.setattr = front_setattr,
	.readlink = front_readlink,
	.mknod = front_mknod,
	.mkdir = front_mkdir,
	.unlink = front_unlink,
	.rmdir = front_rmdir,
	.symlink = front_symlink,
	.rename = front_rename,
	.link = front_link,
	.open = front_open_file,
	.create = front_create,
	.read = front_read,
	.write = front_write,
	.release = front_release,
	.fsync = front_fsync,
	.opendir = front_opendir,
	.readdir = front_readdir,
	.readdirplus = front_readdirplus,
	.releasedir = front_releasedir,
	.fsyncdir = front_fsyncdir,
	.statfs = front_statfs,
	.getxattr = front_getxattr,
	.setxattr = front_setxattr,
	.listxattr = front_listxattr,
	.removexattr = front_removexattr,
	.fallocate = front_fallocate,
	.copy_file_range = front_copy_file_range,
	.lseek = front_lseek,
	.ioctl = front_ioctl,
};

/* A tree is never resized. */
static void nothing(struct mount *mount)
{
	(void)mount;
}

const struct mount_front tree_front = {
	.requests = &tree_requests,
	.open = front_open,
	.close = front_close,
	.flush = front_flush,
	.open_again = front_open_again,
	.begin_move = front_begin_move,
	.end_move = front_end_move,
	.grown = nothing,
};
